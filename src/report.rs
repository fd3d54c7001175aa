//! Checks what a host hands over, and puts failures in words: plugin, limit, value, remedy.

use crate::{
    CallOptions, CodeSharing, Compilation, Error, ErrorKind, MAX_CALL_DEPTH, MAX_MIN_STACK_BYTES,
    ValueType, WasmInstanceConfig, WasmValue,
    engine::{ExportedFunction, Failure},
    host::{Host, HostError, HostFunctions},
    ledger::Reached,
    value::{MAX_VALUES, TypeList},
};
use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;
use sha2::{Digest, Sha256};

/// The longest name of a plugin, tenant or setting, in bytes.
const MAX_NAME_BYTES: usize = 128;
/// The most sandboxes of one plugin.
const MAX_INSTANCES: u32 = 1_024;

/// Checks a plugin's name.
pub(crate) fn check_plugin_name(name: &str) -> Result<(), Error> {
    check_name("plugin", name)
}

/// Checks a plugin's configuration.
pub(crate) fn check_config(config: &WasmInstanceConfig, has_clock: bool) -> Result<(), Error> {
    check_name("tenant", &config.tenant)?;
    for (setting, _) in &config.settings {
        check_name("setting", setting)?;
        if setting.starts_with("soch.") {
            return Err(refused(format!("the setting `{setting}` starts with `soch.`")));
        }
    }
    check_range("max_instances", config.max_instances, [1, MAX_INSTANCES])?;
    check_range("min_instances", config.min_instances, [0, config.max_instances])?;
    let limits = &config.limits;
    let (min, max) = (limits.min_stack_bytes, limits.max_stack_bytes);
    if min > max.min(MAX_MIN_STACK_BYTES) {
        return Err(refused(format!(
            "`min_stack_bytes` {min} is over `max_stack_bytes` {max} or {MAX_MIN_STACK_BYTES}"
        )));
    }
    check_range("max_call_depth", limits.max_call_depth, [1, MAX_CALL_DEPTH])?;
    check_sharing(config)?;
    let timeout_ms = config.capabilities.timeout_ms;
    if !config.enable_fuel && timeout_ms > 0 {
        return Err(refused(format!(
            "`timeout_ms` is {timeout_ms} and `enable_fuel` is off: only metered calls can be timed"
        )));
    }
    if config.timeout_us() > 0 && !has_clock {
        return Err(Error::configuration(
            ErrorKind::ClockMissing,
            format!(
                "`timeout_ms` is {timeout_ms} and there is no clock: give the registry's builder \
                 one, or set `timeout_ms = 0` or `enable_epochs = false`"
            ),
        ));
    }
    Ok(())
}

#[inline(never)]
fn check_range(what: &str, is: u32, [least, most]: [u32; 2]) -> Result<(), Error> {
    match (least..=most).contains(&is) {
        true => Ok(()),
        false => Err(refused(format!("`{what}` is {is}, not {least} to {most}"))),
    }
}

/// There is no memory to copy a module of so many bytes.
#[cold]
pub(crate) fn no_room_for_copy(bytes: usize) -> Error {
    let what = format!("there is no memory for a copy of its {bytes} bytes");
    Error::host(ErrorKind::LimitExceeded, what)
}

fn check_sharing(config: &WasmInstanceConfig) -> Result<(), Error> {
    let what = match (config.code_sharing, config.compilation) {
        (CodeSharing::Own, _) => return Ok(()),
        _ if !CodeSharing::IS_POSSIBLE => "`code_sharing` needs the feature `code-sharing`",
        (_, Compilation::Lazy) => "`code_sharing` needs `Compilation::Eager`",
        (_, Compilation::Eager) => return Ok(()),
    };
    Err(refused(what.into()))
}

fn check_name(what: &str, name: &str) -> Result<(), Error> {
    match name.len() {
        1..=MAX_NAME_BYTES => Ok(()),
        len => Err(refused(format!("a {what}'s name has {len} bytes, not 1 to {MAX_NAME_BYTES}"))),
    }
}

fn refused(message: String) -> Error {
    Error::configuration(ErrorKind::Refused, message)
}

/// Returns the SHA-256 of `wasm`, if it is the pinned one or none is pinned.
pub(crate) fn check_hash(hash: &[u8; 32], config: &WasmInstanceConfig) -> Result<(), Error> {
    match config.expected_sha256 {
        Some(expected) if expected != *hash => Err(Error::configuration(
            ErrorKind::HashMismatch,
            format!("its SHA-256 is {}; `expected_sha256` is {}", hex(hash), hex(&expected)),
        )),
        _ => Ok(()),
    }
}

/// The SHA-256 of `wasm`.
pub(crate) fn hash(wasm: &[u8]) -> [u8; 32] {
    Sha256::digest(wasm).into()
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Checks the arguments of a call by name.
#[inline]
pub(crate) fn check_arguments(
    function: Option<&ExportedFunction>,
    args: &[WasmValue],
) -> Result<(), Error> {
    let Some(function) = function else {
        return Ok(());
    };
    let params = &function.params;
    let fits = params.len() == args.len()
        && params.iter().zip(args).all(|(param, arg)| *param == arg.value_type());
    let callable = args.len() <= MAX_VALUES
        && function.results.len() <= MAX_VALUES
        && function.results.iter().all(|ty| ty.crosses_the_host());
    match fits && callable {
        true => Ok(()),
        false => Err(bad_arguments(function, args)),
    }
}

/// Checks what is to be returned in the place of a function's results.
pub(crate) fn check_fallback(
    function: Option<&ExportedFunction>,
    fallback: &[WasmValue],
) -> Result<(), Error> {
    let results = function.map_or(&[][..], |function| &function.results);
    let types = || fallback.iter().map(WasmValue::value_type);
    match function.is_none() || types().eq(results.iter().copied()) && results.len() <= MAX_VALUES {
        true => Ok(()),
        false => {
            let (gives, given) = (TypeList(results), types().collect::<Vec<_>>());
            let message = format!("it returns {gives}; the fallback is {}", TypeList(&given));
            Err(Error::host(ErrorKind::SignatureMismatch, message))
        }
    }
}

#[cold]
fn bad_arguments(function: &ExportedFunction, args: &[WasmValue]) -> Error {
    let ExportedFunction { params, results, .. } = function;
    let types = || params.iter().chain(results);
    let message = if let Some(ty) = types().find(|ty| !ty.crosses_the_host()) {
        format!("its signature has a {ty}, which a host can neither pass nor receive")
    } else if params.len() > MAX_VALUES || results.len() > MAX_VALUES {
        let (takes, gives) = (params.len(), results.len());
        format!(
            "it takes {takes} and returns {gives} values; a call by name has room for {MAX_VALUES}"
        )
    } else {
        let given: Vec<_> = args.iter().map(WasmValue::value_type).collect();
        format!("it takes {}; it was called with {}", TypeList(params), TypeList(&given))
    };
    Error::host(ErrorKind::SignatureMismatch, message)
}

/// Checks that a function has the signature of the byte convention.
pub(crate) fn check_byte_function(function: Option<&ExportedFunction>) -> Result<(), Error> {
    let found = function.map(|f| (&*f.params, &*f.results));
    match found {
        Some((params, results)) if is_byte_function(params, results) => Ok(()),
        Some((params, results)) => Err(Error::host(
            ErrorKind::SignatureMismatch,
            format!(
                "a function of the byte convention is (i32 i32) -> (i64); this is {} -> {}",
                TypeList(params),
                TypeList(results)
            ),
        )),
        None => Ok(()),
    }
}

pub(crate) fn is_byte_function(params: &[ValueType], results: &[ValueType]) -> bool {
    params == [ValueType::I32, ValueType::I32] && results == [ValueType::I64]
}

/// The signature of a typed handle does not fit the function.
#[cold]
pub(crate) fn wrong_type(
    function: &ExportedFunction,
    params: &[ValueType],
    results: &[ValueType],
) -> Error {
    Error::host(
        ErrorKind::SignatureMismatch,
        format!(
            "it is {} -> {}; the handle asks for {} -> {}",
            TypeList(&function.params),
            TypeList(&function.results),
            TypeList(params),
            TypeList(results)
        ),
    )
}

#[cold]
pub(crate) fn no_function(plugin: &str, function: &str) -> Error {
    let what = "it exports no such function";
    Error::host(ErrorKind::FunctionNotFound, what).in_plugin(plugin).in_function(function)
}

#[cold]
pub(crate) fn no_memory(plugin: &str, memory: &str) -> Error {
    let what = format!("it exports no memory `{memory}`");
    Error::host(ErrorKind::FunctionNotFound, what).in_plugin(plugin)
}

#[cold]
pub(crate) fn busy(slots: usize) -> Error {
    let what = format!("all {slots} sandboxes are in use; `max_instances` is {slots}");
    Error::configuration(ErrorKind::Busy, what)
}

#[cold]
pub(crate) fn over_quota(reached: &Reached) -> Error {
    Error::configuration(ErrorKind::QuotaExceeded, format!("{reached}"))
}

/// A copy of an answer.
pub(crate) fn copy(answer: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut copy = Vec::new();
    // Copying nothing to where there is no memory is not free: see `Split::input`.
    if answer.is_empty() {
        return Ok(copy);
    }
    match copy.try_reserve_exact(answer.len()) {
        Ok(()) => {
            copy.extend_from_slice(answer);
            Ok(copy)
        }
        Err(_) => Err(Failure::Setup {
            message: format!("the host has no memory for an answer of {} bytes", answer.len()),
            limit: true,
        }),
    }
}

/// Writes an answer to the beginning of `output`.
pub(crate) fn copy_into(answer: &[u8], output: &mut [u8]) -> Result<usize, Failure> {
    let (len, room) = (answer.len(), output.len());
    let target = output.get_mut(..len).ok_or(Failure::AnswerTooLong { len, room })?;
    target.copy_from_slice(answer);
    Ok(len)
}

/// Puts a failure in words.
#[cold]
pub(crate) fn describe<H: Host>(
    failure: Failure,
    config: &WasmInstanceConfig,
    table: &HostFunctions<H>,
    options: &CallOptions,
) -> Error {
    match failure {
        Failure::Trap(code) => {
            Error::guest(ErrorKind::Trap, format!("it trapped: {code}")).with_trap(code)
        }
        Failure::OutOfFuel => Error::guest(ErrorKind::OutOfFuel, out_of_fuel(config, options)),
        Failure::Deadline => {
            let ms = config.call_timeout_us(options) / 1_000;
            Error::guest(ErrorKind::Deadline, format!("it ran past its timeout of {ms} ms"))
        }
        Failure::Cancelled => Error::host(ErrorKind::Cancelled, "it was cancelled"),
        Failure::Host { error, function } => host_stop(error, table.get(function)),
        Failure::BadAnswer(answer) => Error::guest(ErrorKind::BadGuestAnswer, format!("{answer}")),
        Failure::Status(status) => {
            Error::guest(ErrorKind::BadGuestAnswer, format!("it answered status {status}"))
                .with_status(status)
        }
        Failure::AnswerTooLong { len, room } => Error::host(
            ErrorKind::LimitExceeded,
            format!("its answer has {len} bytes; the output has room for {room}"),
        ),
        Failure::Setup { message, limit } => {
            let kind = if limit { ErrorKind::LimitExceeded } else { ErrorKind::Refused };
            Error::guest(kind, format!("it cannot be instantiated: {message}"))
        }
        Failure::Quota(reached) => over_quota(&reached),
        Failure::TooManyExternRefs => Error::host(
            ErrorKind::LimitExceeded,
            "a sandbox holds 64 different `ExternRef`s at most; this would be one more",
        ),
        Failure::Invalid(message) => {
            Error::guest(ErrorKind::InvalidModule, format!("it is not valid code: {message}"))
        }
        Failure::Engine(message) => {
            Error::host(ErrorKind::Host, format!("the interpreter failed: {message}"))
        }
    }
}

fn out_of_fuel(config: &WasmInstanceConfig, options: &CallOptions) -> String {
    let limit = config.capabilities.fuel_limit;
    let limit = options.fuel.map_or(limit, |fuel| fuel.min(limit));
    match config.fuel_budget {
        None => format!("it ran out of fuel: the call's limit is {limit}"),
        Some(budget) => format!(
            "it ran out of fuel: the call's limit is {limit}, `fuel_budget` over all calls is \
             {budget} until `refuel()`"
        ),
    }
}

fn host_stop<H: Host>(error: HostError, function: Option<&crate::host::HostFunction<H>>) -> Error {
    let (module, name) = function.map_or(("", ""), |f| (&*f.module, &*f.name));
    match error {
        HostError::Denied => {
            let grant = function.map_or(crate::Grant::Always, |f| f.grant);
            let what = format!("it called `{module}` `{name}` without the grant: {grant}");
            Error::guest(ErrorKind::Denied, what)
        }
        error => {
            let what = format!("the host function `{module}` `{name}` stopped it: {error}");
            Error::host(ErrorKind::Host, what).with_source(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_timeout_without_a_clock_is_refused_by_its_three_remedies() {
        let mut config = WasmInstanceConfig::default();
        assert!(check_config(&config, true).is_ok());
        let error = check_config(&config, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ClockMissing);
        for remedy in ["clock", "`timeout_ms = 0`", "`enable_epochs = false`"] {
            assert!(error.to_string().contains(remedy), "{error}");
        }
        config.enable_epochs = false;
        assert!(check_config(&config, false).is_ok());
        config.enable_epochs = true;
        config.capabilities.timeout_ms = 0;
        assert!(check_config(&config, false).is_ok());
    }
}
