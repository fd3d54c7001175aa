use crate::host::{Host, HostCall, HostError, MAX_KEY_BYTES};

/// Stores one row. Returns 1 if it replaced one, 0 if it is new.
pub(super) fn soch_write<H: Host>(
    call: &mut HostCall<'_, H>,
    table: i32,
    table_len: i32,
    key: i32,
    key_len: i32,
    value: i32,
    value_len: i32,
) -> Result<i32, HostError> {
    let (table, [key, value], _) = call.named_arguments(
        (table, table_len),
        |call, table| call.require(|grants| grants.can_write(table)),
        [(key, key_len, MAX_KEY_BYTES), (value, value_len, usize::MAX)],
        (0, 0),
    )?;
    call.charge_long(key.len())?;
    call.charge_bytes(value.len())?;
    call.with_host(|host, call| host.write(call, table, key, value)).map(i32::from)
}
