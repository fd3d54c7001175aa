//! Values that cross the boundary of a call.

use crate::{
    code::{Failure, wpr_code_t},
    pointers::{In, Out},
};
use alloc::format;
use core::mem::MaybeUninit;
use runtime::{Error, MAX_VALUES, ValueType, WasmValue, WasmValues};

/// How many values a call takes or returns at most. Room for as many always suffices.
pub const WPR_MAX_VALUES: usize = 16;

const _: () = assert!(WPR_MAX_VALUES == MAX_VALUES);

/// The type of a value.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum wpr_value_type_t {
    /// No value: the result of a function that has none.
    WPR_NONE = 0,
    /// A 32-bit integer.
    WPR_I32 = 1,
    /// A 64-bit integer.
    WPR_I64 = 2,
    /// A 32-bit float.
    WPR_F32 = 3,
    /// A 64-bit float.
    WPR_F64 = 4,
    /// A 128-bit vector, which does not cross the boundary.
    WPR_V128 = 5,
    /// A reference to a function, which does not cross the boundary.
    WPR_FUNCREF = 6,
    /// A reference of the host's.
    WPR_EXTERNREF = 7,
}

use wpr_value_type_t::{
    WPR_EXTERNREF, WPR_F32, WPR_F64, WPR_FUNCREF, WPR_I32, WPR_I64, WPR_NONE, WPR_V128,
};

/// What is in a value, by its type.
#[repr(C)]
#[derive(Clone, Copy)]
pub union wpr_value_of_t {
    /// Of a `WPR_I32`.
    pub i32: i32,
    /// Of a `WPR_I64`.
    pub i64: i64,
    /// Of a `WPR_F32`.
    pub f32: f32,
    /// Of a `WPR_F64`.
    pub f64: f64,
    /// Of a `WPR_EXTERNREF`: a number of the host's own, which the plugin can keep and hand back and not read. 0 is the
    /// null reference; one sandbox holds at most 64 different others.
    pub externref: u64,
}

/// A value passed to or returned from a plugin's function.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_value_t {
    /// A `wpr_value_type_t`.
    pub kind: u32,
    /// The value.
    pub of: wpr_value_of_t,
}

impl wpr_value_t {
    #[inline]
    fn get(&self) -> Option<WasmValue> {
        // SAFETY: any bytes are a number.
        unsafe {
            Some(match self.kind {
                I32 => WasmValue::I32(self.of.i32),
                I64 => WasmValue::I64(self.of.i64),
                F32 => WasmValue::F32(self.of.f32),
                F64 => WasmValue::F64(self.of.f64),
                EXTERNREF => WasmValue::ExternRef(self.of.externref),
                _ => return None,
            })
        }
    }

    #[inline]
    pub(crate) fn new(value: &WasmValue) -> Self {
        let (kind, of) = match *value {
            WasmValue::I32(value) => (I32, wpr_value_of_t { i32: value }),
            WasmValue::I64(value) => (I64, wpr_value_of_t { i64: value }),
            WasmValue::F32(value) => (F32, wpr_value_of_t { f32: value }),
            WasmValue::F64(value) => (F64, wpr_value_of_t { f64: value }),
            WasmValue::ExternRef(number) => (EXTERNREF, wpr_value_of_t { externref: number }),
        };
        Self { kind, of }
    }

    /// The number in it, whatever it says that its type is.
    pub(crate) fn as_type(&self, ty: ValueType) -> WasmValue {
        let of = Self { kind: wpr_value_type_t::of(ty) as u32, ..*self };
        of.get().unwrap_or(WasmValue::I32(0))
    }

    /// A zero of a type, for a callback to fill in; or nothing.
    pub(crate) fn zero(ty: Option<ValueType>) -> Self {
        let kind = ty.map_or(WPR_NONE, wpr_value_type_t::of) as u32;
        Self { kind, of: wpr_value_of_t { i64: 0 } }
    }
}

/// A number that Rust knows.
pub(crate) trait Number: Sized {
    const TYPE: u32;

    /// The number, of what is in a value of the type.
    fn of(of: wpr_value_of_t) -> Self;

    fn into_of(self) -> wpr_value_of_t;
}

macro_rules! numbers {
    ($($number:ident => $ty:expr;)*) => { $(
        impl Number for $number {
            const TYPE: u32 = $ty;

            #[inline]
            fn of(of: wpr_value_of_t) -> Self {
                // SAFETY: any bytes are a number.
                unsafe { of.$number }
            }

            #[inline]
            fn into_of(self) -> wpr_value_of_t {
                wpr_value_of_t { $number: self }
            }
        }
    )* };
}

numbers! {
    i32 => I32;
    i64 => I64;
    f64 => F64;
}

impl wpr_value_t {
    /// The number in it, if it says that it is of that type.
    #[inline]
    pub(crate) fn number<N: Number>(&self) -> Option<N> {
        (self.kind == N::TYPE).then(|| N::of(self.of))
    }

    #[inline]
    pub(crate) fn of_number<N: Number>(number: N) -> Self {
        Self { kind: N::TYPE, of: number.into_of() }
    }
}

const I32: u32 = WPR_I32 as u32;
const I64: u32 = WPR_I64 as u32;
const F32: u32 = WPR_F32 as u32;
const F64: u32 = WPR_F64 as u32;
const EXTERNREF: u32 = WPR_EXTERNREF as u32;

impl wpr_value_type_t {
    pub(crate) const fn of(ty: ValueType) -> Self {
        match ty {
            ValueType::I32 => WPR_I32,
            ValueType::I64 => WPR_I64,
            ValueType::F32 => WPR_F32,
            ValueType::F64 => WPR_F64,
            ValueType::V128 => WPR_V128,
            ValueType::FuncRef => WPR_FUNCREF,
            ValueType::ExternRef => WPR_EXTERNREF,
        }
    }
}

/// The type that a number stands for; nothing for `WPR_NONE`.
pub(crate) fn type_of(number: u32, what: &str) -> Result<Option<ValueType>, Failure> {
    const NONE: u32 = WPR_NONE as u32;
    const V128: u32 = WPR_V128 as u32;
    const FUNCREF: u32 = WPR_FUNCREF as u32;
    Ok(Some(match number {
        NONE => return Ok(None),
        I32 => ValueType::I32,
        I64 => ValueType::I64,
        F32 => ValueType::F32,
        F64 => ValueType::F64,
        V128 => ValueType::V128,
        FUNCREF => ValueType::FuncRef,
        EXTERNREF => ValueType::ExternRef,
        _ => return Err(Failure::argument(format!("`{what}` is {number}, which is no type"))),
    }))
}

/// The arguments of a call, where they were made: moving them costs as much as checking a handle.
pub(crate) struct Arguments {
    values: [MaybeUninit<WasmValue>; MAX_VALUES],
    len: usize,
}

impl Arguments {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { values: [const { MaybeUninit::uninit() }; MAX_VALUES], len: 0 }
    }

    /// Takes the arguments from where the program has them.
    #[inline]
    pub(crate) fn read(
        &mut self,
        args: &In<wpr_value_t>,
        count: usize,
    ) -> Result<&[WasmValue], Failure> {
        if count > MAX_VALUES {
            return Err(too_many(count));
        }
        let args = args.slice(count, "args")?;
        for (place, (to, value)) in self.values.iter_mut().zip(args).enumerate() {
            to.write(value.get().ok_or_else(|| no_value(place, value.kind))?);
        }
        self.len = count;
        Ok(self.get())
    }

    pub(crate) fn get(&self) -> &[WasmValue] {
        // SAFETY: `read` has written so many, which are no more than there is room for.
        unsafe { core::slice::from_raw_parts(self.values.as_ptr().cast(), self.len) }
    }
}

#[cold]
fn too_many(count: usize) -> Failure {
    Failure::argument(format!("{count} values were given; {MAX_VALUES} are the most there can be"))
}

#[cold]
fn no_value(place: usize, ty: u32) -> Failure {
    Failure::argument(format!("value {place} has the type {ty}, which is none that can be passed"))
}

/// Hands over the results of a call that has ended. They are looked at where they were made.
#[inline]
pub(crate) fn put_results(
    results: &Out<wpr_value_t>,
    room: usize,
    count: &Out<usize>,
    ended: Result<WasmValues, Error>,
) -> Result<(), Failure> {
    if let Ok(values) = &ended {
        return put_values(results, room, count, values);
    }
    Ok(ended.map(|_| ())?)
}

/// Hands over the only result of a call that has ended, or none.
#[inline]
pub(crate) fn put_result(
    results: &Out<wpr_value_t>,
    room: usize,
    count: &Out<usize>,
    ended: Result<Option<wpr_value_t>, Error>,
) -> Result<(), Failure> {
    let result = ended?;
    count.set(result.is_some().into());
    let wanted = !(results.is_null() && room == 0);
    if let Some(value) = result.filter(|_| wanted) {
        match room {
            0 => return Err(no_room(1, 0)),
            _ => results.require("results")?,
        }
        results.set(value);
    }
    Ok(())
}

#[inline]
pub(crate) fn put_values(
    results: &Out<wpr_value_t>,
    room: usize,
    count: &Out<usize>,
    values: &[WasmValue],
) -> Result<(), Failure> {
    count.set(values.len());
    if results.is_null() && room == 0 {
        return Ok(()); // nobody wants them
    }
    if values.len() > room {
        return Err(no_room(values.len(), room));
    }
    let room = results.room(values.len(), "results")?;
    for (to, value) in room.iter_mut().zip(values) {
        *to = MaybeUninit::new(wpr_value_t::new(value));
    }
    Ok(())
}

#[cold]
fn no_room(len: usize, room: usize) -> Failure {
    let what = format!("the function returned {len} values and there is room for {room}");
    Failure::misuse(wpr_code_t::WPR_BUFFER_TOO_SMALL, what)
}
