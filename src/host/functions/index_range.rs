use super::{length, may_search_index};
use crate::host::{Host, HostCall, HostError, MAX_KEY_BYTES};

/// Finds the rows that an index has under a range of keys, up to a limit. Returns how many there
/// are; their ids are written, in key order, only if all fit.
#[allow(clippy::too_many_arguments)] // the ABI has them
pub(super) fn index_range<H: Host>(
    call: &mut HostCall<'_, H>,
    index: i32,
    index_len: i32,
    low: i32,
    low_len: i32,
    high: i32,
    high_len: i32,
    limit: i32,
    out: i32,
    out_cap: i32,
) -> Result<i32, HostError> {
    let (index, [low, high], mut out) = call.named_arguments(
        (index, index_len),
        may_search_index,
        [(low, low_len, MAX_KEY_BYTES), (high, high_len, MAX_KEY_BYTES)],
        (out, out_cap),
    )?;
    call.charge_long(low.len())?;
    call.charge_long(high.len())?;
    let limit = limit.cast_unsigned();
    if limit == 0 || low >= high {
        return Ok(0);
    }
    call.with_host(|host, call| host.index_range(call, index, low, high, limit, &mut out))
        .and_then(length)
}
