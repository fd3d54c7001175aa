//! Answers that are bytes or text.

use crate::{
    code::{Failure, wpr_code_t},
    error::{boundary, wpr_error_t},
    handle::{give, handle, release, take},
    pointers::Out,
};
use alloc::{format, vec::Vec};
use core::{ffi::c_char, mem::MaybeUninit};

/// Bytes that the library answered.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct wpr_bytes_t {
    /// The handle's number; 0 is none.
    pub id: u64,
}

handle!(wpr_bytes_t, "bytes", 7, Vec<u8>);

/// Gives out bytes.
pub(crate) fn wpr_bytes(bytes: Vec<u8>) -> Result<wpr_bytes_t, Failure> {
    give(bytes)
}

/// Says where the bytes are. They stay there, unchanged, until the handle is released.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_bytes_view(
    bytes: wpr_bytes_t,
    data: Out<*const u8>,
    length: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        data.require("data").and_then(|()| length.require("length"))?;
        let bytes = take(bytes)?;
        data.set(bytes.as_ptr());
        length.set(bytes.len());
        Ok(())
    })
}

/// Releases bytes.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_bytes_release(bytes: wpr_bytes_t, error: Out<wpr_error_t>) -> wpr_code_t {
    boundary(error, || release(bytes))
}

/// Answers a text: says its length, and writes it with a zero byte behind it if there is room for both.
pub(crate) fn put_text_out(
    text: &str,
    buffer: &Out<c_char>,
    capacity: usize,
    length: &Out<usize>,
) -> Result<(), Failure> {
    length.set(text.len());
    if text.len() >= capacity {
        return Err(no_room(text.len().saturating_add(1), capacity));
    }
    let room = buffer.room(capacity, "buffer")?;
    for (to, byte) in room.iter_mut().zip(text.bytes().chain(core::iter::once(0))) {
        *to = MaybeUninit::new(byte.cast_signed() as c_char);
    }
    Ok(())
}

/// Answers bytes: says how many, and writes them if there is room.
pub(crate) fn put_bytes_out(
    bytes: &[u8],
    buffer: &Out<u8>,
    capacity: usize,
    length: &Out<usize>,
) -> Result<(), Failure> {
    length.set(bytes.len());
    if bytes.len() > capacity {
        return Err(no_room(bytes.len(), capacity));
    }
    let room = buffer.bytes(bytes.len(), "buffer")?;
    room.copy_from_slice(bytes);
    Ok(())
}

fn no_room(needed: usize, capacity: usize) -> Failure {
    let what = format!("the answer needs {needed} bytes and there is room for {capacity}");
    Failure::misuse(wpr_code_t::WPR_BUFFER_TOO_SMALL, what)
}
