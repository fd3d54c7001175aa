//! What a callback may do with the host call that it answers.

use crate::{
    error::contained,
    host::CHost,
    pointers::{In, Out, Text},
    status::{answered, status_of, wpr_host_status_t},
    thread::{Frame, in_callback, next_id, with_frame, wpr_host_call_t},
};
use alloc::vec::Vec;
use core::{cell::Cell, ffi::c_char, ptr::NonNull};
use runtime::{HostCall, HostError, Labels, Output};

/// What a callback has besides the call.
#[derive(Default)]
pub(crate) struct Asked<'a, 'o> {
    output: Option<&'a mut Output<'o>>,
    labels: Labels<'a>,
}

impl<'a, 'o> Asked<'a, 'o> {
    pub(crate) fn with(output: &'a mut Output<'o>) -> Self {
        Self { output: Some(output), labels: Labels::default() }
    }

    pub(crate) fn about(labels: Labels<'a>) -> Self {
        Self { output: None, labels }
    }
}

/// Has a callback answer a host call.
pub(crate) fn ask(
    call: &mut HostCall<'_, CHost>,
    asked: Asked<'_, '_>,
    callback: impl FnOnce(wpr_host_call_t) -> i32,
) -> Result<i32, HostError> {
    let id = next_id();
    let mut frame = Frame::plain();
    frame.id = id;
    frame.call = Some(NonNull::from(call).cast());
    frame.output = asked.output.map(|output| NonNull::from(output).cast());
    // SAFETY: the frame is gone before the labels are.
    frame.labels = unsafe { core::mem::transmute::<Labels<'_>, Labels<'static>>(asked.labels) };
    let status = in_callback(&mut frame, || callback(wpr_host_call_t { id }));
    answered(status, frame.ticket.get())
}

/// Does something with a host call, and its output if it has one; answers `WPR_HOST_NO_CALL` if it is over.
fn with_call(
    call: wpr_host_call_t,
    act: impl FnOnce(&mut HostCall<'_, CHost>, Option<&mut Output<'_>>) -> Result<i32, HostError>,
) -> i32 {
    told(call, |frame| {
        // SAFETY: `ask` has both borrowed for as long as the frame is there; only the callback's thread comes here,
        // and through nothing else than here.
        let (call, output) = unsafe {
            let output = frame.output.map(|output| output.cast::<Output<'_>>().as_mut());
            (frame.call.map(|call| call.cast::<HostCall<'_, CHost>>().as_mut()), output)
        };
        match call {
            Some(call) => act(call, output).unwrap_or_else(status_of),
            None => wpr_host_status_t::WPR_HOST_NO_CALL as i32,
        }
    })
}

/// Looks at the frame of a host call; `WPR_HOST_NO_CALL` if it is over. No panic crosses here either.
fn told(call: wpr_host_call_t, look: impl FnOnce(&Frame) -> i32) -> i32 {
    let mut answer = wpr_host_status_t::WPR_HOST_FAILED as i32;
    // What a panic leaves is that the host failed.
    let _ = contained(|| {
        let told = with_frame(call.id, look);
        answer = told.unwrap_or(wpr_host_status_t::WPR_HOST_NO_CALL as i32);
        Ok(())
    });
    answer
}

const INVALID: HostError = HostError::InvalidArguments;

/// Charges for the whole of a value and gives it to the plugin if it fits where the plugin wants it. Returns its
/// length, which is what the callback returns in turn. For `read` and `setting`.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_output(call: wpr_host_call_t, value: In<u8>, length: usize) -> i32 {
    with_call(call, |call, output| {
        let value = value.slice(length, "value").map_err(|_| INVALID)?;
        let output = output.ok_or(INVALID)?;
        let length = output.write_value(call, value)?;
        i32::try_from(length).map_err(|_| HostError::LimitReached)
    })
}

/// Charges for a row and gives it to the plugin if it fits. Returns 1 if it does; 0 if it does not and others did;
/// `WPR_HOST_LIMIT_REACHED` if it is the first. For `scan`.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_record(
    call: wpr_host_call_t,
    key: In<u8>,
    key_length: usize,
    value: In<u8>,
    value_length: usize,
) -> i32 {
    with_call(call, |call, output| {
        let key = key.slice(key_length, "key").map_err(|_| INVALID)?;
        let value = value.slice(value_length, "value").map_err(|_| INVALID)?;
        let output = output.ok_or(INVALID)?;
        match output.push_record(call, key, value)? {
            true => Ok(1),
            false if output.is_empty() => Err(HostError::LimitReached),
            false => Ok(0),
        }
    })
}

/// Says where in its memory the plugin has `length` bytes at `pointer`, both as the plugin gave them. What is there is
/// good until something is written, and until the callback returns. Returns 0, or `WPR_HOST_INVALID_ARGUMENTS` if it
/// is not all inside.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_memory(
    call: wpr_host_call_t,
    pointer: u32,
    length: u32,
    bytes: Out<*const u8>,
) -> i32 {
    with_call(call, |call, _| {
        bytes.require("bytes").map_err(|_| INVALID)?;
        let range = call.bytes(pointer.cast_signed(), length.cast_signed())?;
        bytes.set(range.as_ptr());
        Ok(0)
    })
}

/// Writes bytes into the plugin's memory, at a pointer that the plugin gave. Returns 0, or
/// `WPR_HOST_INVALID_ARGUMENTS` if they are not all inside; nothing is written then. Charges nothing:
/// `wpr_host_call_charge_bytes`.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_write(
    call: wpr_host_call_t,
    pointer: u32,
    bytes: In<u8>,
    length: usize,
) -> i32 {
    with_call(call, |call, _| {
        let bytes = bytes.slice(length, "bytes").map_err(|_| INVALID)?;
        let end = i32::try_from(length).map_err(|_| INVALID)?;
        let target = call.bytes(pointer.cast_signed(), end)?.as_ptr_range();
        // What `wpr_host_call_memory` has shown may lie where it is to be written.
        let source = bytes.as_ptr_range();
        let copy: Vec<u8>;
        let bytes = match source.start < target.end && target.start < source.end {
            true => {
                copy = bytes.to_vec();
                &copy
            }
            false => bytes,
        };
        call.write(pointer.cast_signed(), bytes)?;
        Ok(0)
    })
}

/// Charges fuel to the running call. Returns 0, or `WPR_HOST_OUT_OF_FUEL`, which the callback returns in turn, if less
/// is left; nothing is charged then.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_charge(call: wpr_host_call_t, fuel: u64) -> i32 {
    with_call(call, |call, _| call.charge(fuel).map(|()| 0))
}

/// Charges for so many bytes, at what the function was defined to cost.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_charge_bytes(call: wpr_host_call_t, length: usize) -> i32 {
    with_call(call, |call, _| call.charge_bytes(length).map(|()| 0))
}

/// Says whether the call may go on: 0, `WPR_HOST_DEADLINE` or `WPR_HOST_CANCELLED`. To be asked every 64 KiB or 1,024
/// rows of a long loop.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_checkpoint(call: wpr_host_call_t) -> i32 {
    with_call(call, |call, _| call.checkpoint().map(|()| 0))
}

/// Returns 1 if the callback may answer later, 0 if not: only the calls of `wpr_call_start` can wait.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_can_suspend(call: wpr_host_call_t) -> i32 {
    with_call(call, |call, _| Ok(call.can_suspend().into()))
}

/// Says under which ticket the answer will be given, with `wpr_call_complete`, and returns `WPR_HOST_PENDING`, which
/// the callback returns in turn; `WPR_HOST_NOT_SUPPORTED` if the call cannot wait: only one of `wpr_call_start` can.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_suspend(call: wpr_host_call_t, ticket: u64) -> i32 {
    let can_suspend = with_call(call, |call, _| match call.can_suspend() {
        true => Err(HostError::Pending(ticket)),
        false => Err(HostError::NotSupported),
    });
    with_frame(call.id, |frame| frame.ticket.set(Some(ticket)));
    can_suspend
}

/// Says which part of the plugin's memory a later answer goes to, for a function of the program's own that suspends
/// its call. The memory cannot be looked at after that. Returns 0, or `WPR_HOST_INVALID_ARGUMENTS`.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_answer_to(call: wpr_host_call_t, pointer: u32, length: u32) -> i32 {
    with_call(call, |call, _| {
        call.split([], (pointer.cast_signed(), length.cast_signed())).map(|_| 0)
    })
}

/// Returns the fuel that guest and host may still spend in the running call; `UINT64_MAX` if it is not metered.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_fuel_left(call: wpr_host_call_t) -> u64 {
    let left = Cell::new(0);
    with_call(call, |call, _| {
        left.set(call.fuel_left());
        Ok(0)
    });
    left.get()
}

/// Returns the tag that the running call was given, 0 if none.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_tag(call: wpr_host_call_t) -> u64 {
    let tag = Cell::new(0);
    with_call(call, |call, _| {
        tag.set(call.tag());
        Ok(0)
    });
    tag.get()
}

/// Says which plugin calls: UTF-8 of `length` bytes, good until the callback returns. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_plugin(
    call: wpr_host_call_t,
    name: Out<*const c_char>,
    length: Out<usize>,
) -> i32 {
    with_call(call, |call, _| text(call.plugin(), name, length))
}

/// Says which tenant the plugin that calls belongs to, likewise.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_tenant(
    call: wpr_host_call_t,
    name: Out<*const c_char>,
    length: Out<usize>,
) -> i32 {
    with_call(call, |call, _| text(call.tenant(), name, length))
}

/// Finds a setting of the plugin's configuration, likewise; `WPR_HOST_NOT_FOUND` if it has none of that name.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_setting(
    call: wpr_host_call_t,
    name: Text,
    value: Out<*const c_char>,
    length: Out<usize>,
) -> i32 {
    with_call(call, |call, _| {
        let name = name.get("name").map_err(|_| INVALID)?;
        text(call.setting(name).ok_or(HostError::NotFound)?, value, length)
    })
}

/// Says what the label of that place of a metric is, counted from 0: name and value, likewise. Returns 0;
/// `WPR_HOST_NOT_FOUND` behind the last. For `metric`.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_host_call_label(
    call: wpr_host_call_t,
    place: usize,
    name: Out<*const c_char>,
    name_length: Out<usize>,
    value: Out<*const c_char>,
    value_length: Out<usize>,
) -> i32 {
    told(call, |frame| {
        let label = frame.labels.iter().nth(place).ok_or(HostError::NotFound);
        let told = label.and_then(|(label_name, label_value)| {
            text(label_name, name, name_length)?;
            text(label_value, value, value_length)
        });
        told.unwrap_or_else(status_of)
    })
}

/// Hands a text to a callback.
fn text(text: &str, data: Out<*const c_char>, length: Out<usize>) -> Result<i32, HostError> {
    data.require("data").and_then(|()| length.require("length")).map_err(|_| INVALID)?;
    data.set(text.as_ptr().cast());
    length.set(text.len());
    Ok(0)
}
