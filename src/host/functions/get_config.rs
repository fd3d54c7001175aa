use super::{ABI_MINOR, length};
use crate::host::{Host, HostCall, HostError};

/// Reads a setting: one of this library's (`soch.`), of the configuration's, or of the host's, in
/// that order. Returns its full length; it is written only if it fits.
pub(super) fn get_config<H: Host>(
    call: &mut HostCall<'_, H>,
    key: i32,
    key_len: i32,
    out: i32,
    out_cap: i32,
) -> Result<i32, HostError> {
    let (key, [], mut out) =
        call.named_arguments((key, key_len), |_, _| Ok(()), [], (out, out_cap))?;
    call.charge_bytes(key.len())?;
    if key == "soch.abi" {
        return out.write_value(call, ABI_MINOR.as_bytes()).and_then(length);
    }
    if key.starts_with("soch.") {
        return Err(HostError::NotFound);
    }
    let context = call.context();
    match context.config.settings.iter().find(|(name, _)| name == key) {
        Some((_, value)) => out.write_value(call, value.as_bytes()),
        None => call.with_host(|host, call| host.setting(call, key, &mut out)),
    }
    .and_then(length)
}
