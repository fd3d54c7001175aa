use super::{length, may_search_index};
use crate::host::{Host, HostCall, HostError, MAX_KEY_BYTES};

/// Finds the rows that an index has under a key. Returns how many there are; their ids are written
/// only if all fit.
pub(super) fn index_lookup<H: Host>(
    call: &mut HostCall<'_, H>,
    index: i32,
    index_len: i32,
    key: i32,
    key_len: i32,
    out: i32,
    out_cap: i32,
) -> Result<i32, HostError> {
    let (index, [key], mut out) = call.named_arguments(
        (index, index_len),
        may_search_index,
        [(key, key_len, MAX_KEY_BYTES)],
        (out, out_cap),
    )?;
    call.charge_long(key.len())?;
    call.with_host(|host, call| host.index_lookup(call, index, key, &mut out)).and_then(length)
}
