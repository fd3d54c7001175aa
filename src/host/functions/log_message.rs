use crate::{
    host::{Host, HostCall, HostError, LogMessage},
    text::prefix,
};
use log::Level;

/// The longest log line, in bytes.
const MAX_LINE_BYTES: usize = 1 << 10;
/// How much of the last line is kept for a report.
const LAST_LOG_BYTES: usize = 128;

/// Takes in one line of the guest's log. Returns 0.
pub(super) fn log_message<H: Host>(
    call: &mut HostCall<'_, H>,
    level: i32,
    message: i32,
    message_len: i32,
) -> Result<i32, HostError> {
    let ([message], _) = call.split([(message, message_len)], (0, 0))?;
    let level = match level {
        0 => Level::Debug,
        1 => Level::Info,
        2 => Level::Warn,
        3 => Level::Error,
        _ => return Err(HostError::InvalidArguments),
    };
    if message.len() > MAX_LINE_BYTES {
        return Err(HostError::InvalidArguments);
    }
    // Checking that it is UTF-8 takes ten times as long where it is not ASCII.
    match message.is_ascii() {
        true => call.charge_bytes(message.len())?,
        false => call.charge_long(message.len())?,
    }
    let message = str::from_utf8(message).map_err(|_| HostError::InvalidArguments)?;
    let last_log = &mut call.state().last_log;
    last_log.clear();
    // Without memory for it there is no last line to tell of.
    if last_log.try_reserve_exact(LAST_LOG_BYTES).is_ok() {
        last_log.push_str(prefix(message, LAST_LOG_BYTES));
    }
    call.with_host(|host, call| host.log(call, level, LogMessage(message))).map(|()| 0)
}
