use crate::host::{Host, HostCall, HostError, MAX_KEY_BYTES};

/// Removes one row. Returns 1; an absent row is status -2.
pub(super) fn soch_delete<H: Host>(
    call: &mut HostCall<'_, H>,
    table: i32,
    table_len: i32,
    key: i32,
    key_len: i32,
) -> Result<i32, HostError> {
    let (table, [key], _) = call.named_arguments(
        (table, table_len),
        |call, table| call.require(|grants| grants.can_write(table)),
        [(key, key_len, MAX_KEY_BYTES)],
        (0, 0),
    )?;
    call.charge_long(key.len())?;
    call.with_host(|host, call| host.delete(call, table, key)).map(|()| 1)
}
