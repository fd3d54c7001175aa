use super::length;
use crate::host::{Host, HostCall, HostError};

/// Writes what the last `call_plugin` of this call answered, from an offset on. Returns the bytes
/// written. After status -7 that is a `u32` reason and an `i32` code.
pub(super) fn last_answer<H: Host>(
    call: &mut HostCall<'_, H>,
    offset: i32,
    out: i32,
    out_cap: i32,
) -> Result<i32, HostError> {
    let ([], mut out) = call.split([], (out, out_cap))?;
    let answer = core::mem::take(&mut call.state().last_answer);
    let written = write_from(call, &answer, offset, &mut out);
    call.state().last_answer = answer;
    written.and_then(length)
}

fn write_from<H: Host>(
    call: &mut HostCall<'_, H>,
    answer: &[u8],
    offset: i32,
    out: &mut crate::host::Output<'_>,
) -> Result<usize, HostError> {
    let offset =
        usize::try_from(offset.cast_unsigned()).map_err(|_| HostError::InvalidArguments)?;
    let rest = answer.get(offset..).ok_or(HostError::InvalidArguments)?;
    let part = rest.get(..out.capacity()).unwrap_or(rest);
    out.write_value(call, part)
}
