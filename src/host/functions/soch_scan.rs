use super::length;
use crate::host::{Host, HostCall, HostError, MAX_KEY_BYTES};

/// Reads rows in key order, from a key on. Returns the bytes of the whole records written; 0 means
/// that there is no further row.
#[allow(clippy::too_many_arguments)] // the ABI has them
pub(super) fn soch_scan<H: Host>(
    call: &mut HostCall<'_, H>,
    table: i32,
    table_len: i32,
    from: i32,
    from_len: i32,
    limit: i32,
    out: i32,
    out_cap: i32,
) -> Result<i32, HostError> {
    let (table, [from], mut out) = call.named_arguments(
        (table, table_len),
        |call, table| call.require(|grants| grants.can_read(table)),
        [(from, from_len, MAX_KEY_BYTES)],
        (out, out_cap),
    )?;
    call.charge_long(from.len())?;
    let limit = limit.cast_unsigned();
    if limit > 0 {
        call.with_host(|host, call| host.scan(call, table, from, limit, &mut out))?;
    }
    length(out.len())
}
