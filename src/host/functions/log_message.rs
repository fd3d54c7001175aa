use crate::host::{Host, HostCall, HostError, LogMessage};
use log::Level;

/// The longest log line, in bytes.
const MAX_LINE_BYTES: usize = 1 << 10;

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
    call.charge_bytes(message.len())?;
    let message = str::from_utf8(message).map_err(|_| HostError::InvalidArguments)?;
    keep(&mut call.state().last_log, message);
    call.with_host(|host, call| host.log(call, level, LogMessage(message))).map(|()| 0)
}

/// Keeps as much of the line as there is room for.
fn keep(last: &mut heapless::String<128>, message: &str) {
    last.clear();
    for c in message.chars() {
        if last.push(c).is_err() {
            break;
        }
    }
}
