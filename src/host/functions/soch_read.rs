use super::length;
use crate::host::{Host, HostCall, HostError, MAX_KEY_BYTES};

/// Reads one row. Returns its full length; it is written only if it fits.
pub(super) fn soch_read<H: Host>(
    call: &mut HostCall<'_, H>,
    table: i32,
    table_len: i32,
    key: i32,
    key_len: i32,
    out: i32,
    out_cap: i32,
) -> Result<i32, HostError> {
    let (table, [key], mut out) = call.named_arguments(
        (table, table_len),
        |call, table| call.require(|grants| grants.can_read(table)),
        [(key, key_len, MAX_KEY_BYTES)],
        (out, out_cap),
    )?;
    call.charge_long(key.len())?;
    call.with_host(|host, call| host.read(call, table, key, &mut out)).and_then(length)
}
