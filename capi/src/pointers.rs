//! What a program in another language passes: the only place that follows its pointers.
//!
//! The parameters of each function of the API are of these types, which look like pointers from outside. Who makes one
//! promises what the first page of the header says: that it is null, or valid for what is documented as long as the
//! function runs, and aligned. Null and lengths are looked at here.

use crate::code::{Failure, wpr_code_t};
use alloc::format;
use core::{ffi::c_char, marker::PhantomData, mem::MaybeUninit, ptr, slice};

/// The longest text that is looked through for its end.
const MAX_TEXT_BYTES: usize = 64 << 10;
/// The largest struct that is accepted.
const MAX_STRUCT_BYTES: usize = 4 << 10;

// A text that ends with a zero byte. No documentation of these three, which would go to the header.
#[allow(missing_docs)]
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Text(*const c_char);

// Something that is read, or an array of it.
#[allow(missing_docs)]
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct In<T>(*const T, PhantomData<T>);

// Something that is written, or an array of it.
#[allow(missing_docs)]
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Out<T>(*mut T, PhantomData<T>);

impl Text {
    /// Makes one of a pointer.
    ///
    /// # Safety
    ///
    /// It is null, or can be read up to a zero byte as long as the value is used.
    pub const unsafe fn new(pointer: *const c_char) -> Self {
        Self(pointer)
    }

    /// The text, which is called `what` in an error.
    pub(crate) fn get(&self, what: &str) -> Result<&str, Failure> {
        self.optional(what)?.ok_or_else(|| null(what))
    }

    /// The text; nothing if the pointer is null.
    pub(crate) fn optional(&self, what: &str) -> Result<Option<&str>, Failure> {
        if self.0.is_null() {
            return Ok(None);
        }
        let mut len = 0;
        // SAFETY: it can be read up to a zero byte, and no byte before `len` is one.
        while unsafe { *self.0.add(len) } != 0 {
            len += 1;
            if len == MAX_TEXT_BYTES {
                return Err(Failure::argument(format!("`{what}` has no end within {len} bytes")));
            }
        }
        // SAFETY: it can be read up to the zero byte, which was found behind so many.
        let bytes = unsafe { slice::from_raw_parts(self.0.cast::<u8>(), len) };
        let text = core::str::from_utf8(bytes).ok();
        text.map(Some).ok_or_else(|| Failure::argument(format!("`{what}` is not UTF-8")))
    }
}

impl<T> In<T> {
    /// Makes one of a pointer.
    ///
    /// # Safety
    ///
    /// It is null, or can be read, for as many values as a function is told, as long as the value is used.
    pub const unsafe fn new(pointer: *const T) -> Self {
        Self(pointer, PhantomData)
    }

    /// What is there; nothing if the pointer is null.
    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: it is null or can be read.
        unsafe { self.0.as_ref() }
    }

    /// An array, which is called `what` in an error. It may be null if it is empty.
    #[inline]
    pub(crate) fn slice(&self, len: usize, what: &str) -> Result<&[T], Failure> {
        if len == 0 {
            return Ok(&[]);
        }
        check_array::<T>(self.0.is_null(), len, what)?;
        // SAFETY: it can be read for as many values as its caller says, which fit the address space.
        Ok(unsafe { slice::from_raw_parts(self.0, len) })
    }
}

impl<T> Out<T> {
    /// Makes one of a pointer.
    ///
    /// # Safety
    ///
    /// It is null, or can be written, for as many values as a function is told, as long as the value is used, and
    /// nobody else looks there meanwhile.
    pub const unsafe fn new(pointer: *mut T) -> Self {
        Self(pointer, PhantomData)
    }

    pub(crate) fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// Fails if the pointer is null, so that nothing is done whose answer has nowhere to go.
    #[inline]
    pub(crate) fn require(&self, what: &str) -> Result<(), Failure> {
        match self.0.is_null() {
            true => Err(null(what)),
            false => Ok(()),
        }
    }

    /// Puts something there, unless the pointer is null.
    #[inline]
    pub(crate) fn set(&self, value: T) {
        if !self.0.is_null() {
            // SAFETY: it can be written.
            unsafe { ptr::write(self.0, value) };
        }
    }

    /// Room for an array, which is called `what` in an error. It may be null if it is empty.
    #[inline]
    #[allow(clippy::mut_from_ref)] // what it points at is not its own
    pub(crate) fn room(&self, len: usize, what: &str) -> Result<&mut [MaybeUninit<T>], Failure> {
        if len == 0 {
            return Ok(&mut []);
        }
        check_array::<T>(self.0.is_null(), len, what)?;
        // SAFETY: it can be written for as many values as its caller says, which fit the address space, and nobody
        // else looks there.
        Ok(unsafe { slice::from_raw_parts_mut(self.0.cast(), len) })
    }
}

impl Out<u8> {
    /// Room for bytes, which is called `what` in an error.
    #[allow(clippy::mut_from_ref)] // what it points at is not its own
    pub(crate) fn bytes(&self, len: usize, what: &str) -> Result<&mut [u8], Failure> {
        let room = self.room(len, what)?;
        // SAFETY: it is memory of another language, of which Rust knows nothing but that it is bytes.
        Ok(unsafe { slice::from_raw_parts_mut(room.as_mut_ptr().cast(), len) })
    }
}

#[inline]
fn check_array<T>(is_null: bool, len: usize, what: &str) -> Result<(), Failure> {
    let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| isize::try_from(bytes).is_ok());
    match (is_null, bytes) {
        (true, _) => Err(null(what)),
        (false, None) => Err(Failure::argument(format!(
            "`{what}` cannot have {len} elements: no memory is so large"
        ))),
        (false, Some(_)) => Ok(()),
    }
}

#[cold]
fn null(what: &str) -> Failure {
    Failure::misuse(wpr_code_t::WPR_NULL_POINTER, format!("`{what}` is null"))
}

/// A struct that begins with its own size, as the program that uses it was compiled with it, and grows at its end.
///
/// # Safety
///
/// The struct is `repr(C)`, its first field is a `usize`, and all of its fields may have any bytes.
pub unsafe trait Struct: Copy {
    /// What it is called in an error.
    const NAME: &'static str;

    /// What a field is that the program does not know of.
    fn initial() -> Self;
}

impl<T: Struct> In<T> {
    /// The struct as this version of the library has it; its default if the pointer is null.
    ///
    /// A smaller one is filled up with defaults. Of a larger one, what is unknown here must be zero.
    pub(crate) fn read(&self) -> Result<T, Failure> {
        let mut value = T::initial();
        if self.0.is_null() {
            return Ok(value);
        }
        let size = struct_size::<T>(self.0)?;
        // SAFETY: it can be read for as many bytes as it says.
        let bytes = unsafe { slice::from_raw_parts(self.0.cast::<u8>(), size) };
        let known = size.min(size_of::<T>());
        if bytes.iter().skip(known).any(|&byte| byte != 0) {
            let what = format!("`{}` asks for something that this version does not know", T::NAME);
            return Err(Failure::misuse(wpr_code_t::WPR_INVALID_STRUCT, what));
        }
        // SAFETY: both have so many bytes, and any bytes are a value.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), ptr::from_mut(&mut value).cast(), known)
        };
        Ok(value)
    }
}

impl<T: Struct> Out<T> {
    /// Fails unless the struct can be filled in.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.require(T::NAME)?;
        struct_size::<T>(self.0).map(|_| ())
    }

    /// Fills in as much as the program knows of the struct.
    pub(crate) fn fill(&self, value: T) -> Result<(), Failure> {
        self.require(T::NAME)?;
        let size = struct_size::<T>(self.0)?;
        let (first, known) = (size_of::<usize>(), size.min(size_of::<T>()));
        // SAFETY: both have so many bytes; the first field, which is the size, stays.
        unsafe {
            let from = ptr::from_ref(&value).cast::<u8>();
            ptr::copy_nonoverlapping(
                from.add(first),
                self.0.cast::<u8>().add(first),
                known - first,
            );
        }
        Ok(())
    }

    /// Puts the defaults there, for a program whose struct has `size` bytes.
    pub(crate) fn initialise(&self, size: usize) {
        if self.0.is_null() || !(size_of::<usize>()..=MAX_STRUCT_BYTES).contains(&size) {
            return;
        }
        let (value, known) = (T::initial(), size.min(size_of::<T>()));
        // SAFETY: it can be written for as many bytes as its caller says; of the default no more is copied than it has.
        unsafe {
            ptr::write_bytes(self.0.cast::<u8>(), 0, size);
            ptr::copy_nonoverlapping(ptr::from_ref(&value).cast::<u8>(), self.0.cast(), known);
            ptr::write(self.0.cast::<usize>(), size);
        }
    }
}

/// The size that a struct says it has.
fn struct_size<T: Struct>(pointer: *const T) -> Result<usize, Failure> {
    // SAFETY: it is not null, and begins with a `usize`.
    let size = unsafe { ptr::read(pointer.cast::<usize>()) };
    match (size_of::<usize>()..=MAX_STRUCT_BYTES).contains(&size) {
        true => Ok(size),
        false => {
            let what = format!("`struct_size` of `{}` is {size}; set it with its `_init`", T::NAME);
            Err(Failure::misuse(wpr_code_t::WPR_INVALID_STRUCT, what))
        }
    }
}
