//! Replacing a plugin's code while it is called.

use crate::{
    code::{Failure, wpr_code_t},
    config::{choice, flag, no_text, nothing, wpr_config_t},
    error::{boundary, wpr_error_t},
    handle::take,
    host::wpr_registry_t,
    pointers::{In, Out, Struct, Text},
    thread::may_run_plugins,
    value::{Arguments, wpr_value_t},
};
use alloc::vec::Vec;
use runtime::{Probe, ReloadOptions, StateHandover};

/// A call that a new version has to answer before it takes over: with values, or of the byte convention.
/// `wpr_probe_init` sets the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_probe_t {
    /// The size of the struct.
    pub struct_size: usize,
    /// The exported function.
    pub function: Text,
    /// 1 if it is of the byte convention. Default: 0.
    pub is_bytes: u32,
    /// 1 if it has to answer what is expected; with 0 any answer will do. Default: 0.
    pub has_expected: u32,
    /// Its arguments.
    pub args: In<wpr_value_t>,
    /// How many.
    pub arg_count: usize,
    /// The results it must have, to the bit.
    pub expected: In<wpr_value_t>,
    /// How many.
    pub expected_count: usize,
    /// The bytes it is handed.
    pub input: In<u8>,
    /// How many.
    pub input_length: usize,
    /// The bytes it must answer.
    pub expected_bytes: In<u8>,
    /// How many.
    pub expected_length: usize,
}

// SAFETY: `repr(C)`, the size first, numbers and pointers.
unsafe impl Struct for wpr_probe_t {
    const NAME: &'static str = "wpr_probe_t";

    fn initial() -> Self {
        Self {
            struct_size: size_of::<Self>(),
            function: no_text(),
            is_bytes: 0,
            has_expected: 0,
            args: nothing(),
            arg_count: 0,
            expected: nothing(),
            expected_count: 0,
            input: nothing(),
            input_length: 0,
            expected_bytes: nothing(),
            expected_length: 0,
        }
    }
}

/// How a plugin is reloaded. `wpr_reload_options_init` sets the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_reload_options_t {
    /// The size of the struct.
    pub struct_size: usize,
    /// Whether the new version takes over the state of the old one, by `soch_save` and `soch_restore`: 0 no, 1 if both
    /// have the functions, 2 or the reload fails. Default: 0.
    pub state: u32,
    /// 1 to keep the version that is replaced for a rollback. Default: 1.
    pub keep_previous: u32,
    /// How long calls of the old version may go on until they are cancelled, in milliseconds. Default: `UINT64_MAX`, as
    /// long as they like, and nobody waits.
    pub drain_ms: u64,
    /// Pointers to calls that the new version has to answer first. Default: none.
    pub probes: In<In<wpr_probe_t>>,
    /// How many.
    pub probe_count: usize,
}

// SAFETY: `repr(C)`, the size first, numbers and pointers.
unsafe impl Struct for wpr_reload_options_t {
    const NAME: &'static str = "wpr_reload_options_t";

    fn initial() -> Self {
        Self {
            struct_size: size_of::<Self>(),
            state: 0,
            keep_previous: 1,
            drain_ms: u64::MAX,
            probes: nothing(),
            probe_count: 0,
        }
    }
}

/// Fills a probe with defaults.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_probe_init(probe: Out<wpr_probe_t>, struct_size: usize) {
    probe.initialise(struct_size);
}

/// Fills options with defaults.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_reload_options_init(options: Out<wpr_reload_options_t>, struct_size: usize) {
    options.initialise(struct_size);
}

/// Replaces the code and configuration of a plugin, altogether or not at all: if anything fails, the version before
/// serves on. A call that begins after this has returned never sees the old version. `config` and `options` may be null.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_reload(
    registry: wpr_registry_t,
    name: Text,
    wasm: In<u8>,
    wasm_length: usize,
    config: In<wpr_config_t>,
    options: In<wpr_reload_options_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        let registry = take(registry)?;
        let (name, wasm) = (name.get("name")?, wasm.slice(wasm_length, "wasm")?);
        let options = options.read()?;
        let structs = probes(&options)?;
        let values: Result<Vec<_>, _> = structs.iter().map(Values::of).collect();
        let values = values?;
        let probes: Result<Vec<_>, _> =
            structs.iter().zip(&values).map(|(probe, values)| values.probe(probe)).collect();
        let options = ReloadOptions {
            state: choice(
                options.state,
                "state",
                [StateHandover::Fresh, StateHandover::IfExported, StateHandover::Required],
            )?,
            probes: &probes?,
            drain_ms: (options.drain_ms != u64::MAX).then_some(options.drain_ms),
            keep_previous: flag(options.keep_previous, "keep_previous")?,
        };
        Ok(registry.reload_with(name, wasm, config.config()?, &options)?)
    })
}

/// Brings back the version that the last reload replaced. `WPR_NOT_FOUND` if none is kept.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_rollback(
    registry: wpr_registry_t,
    name: Text,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        Ok(take(registry)?.rollback(name.get("name")?)?)
    })
}

fn probes(options: &wpr_reload_options_t) -> Result<Vec<wpr_probe_t>, Failure> {
    let probes = options.probes.slice(options.probe_count, "probes")?;
    let read = |probe: &In<wpr_probe_t>| match probe.get() {
        Some(_) => probe.read(),
        None => Err(Failure::misuse(wpr_code_t::WPR_NULL_POINTER, "one of `probes` is null")),
    };
    probes.iter().map(read).collect()
}

/// The values of a probe.
struct Values {
    args: Arguments,
    expected: Arguments,
}

impl Values {
    fn of(probe: &wpr_probe_t) -> Result<Self, Failure> {
        let mut values = Self { args: Arguments::new(), expected: Arguments::new() };
        values.args.read(&probe.args, probe.arg_count)?;
        values.expected.read(&probe.expected, probe.expected_count)?;
        Ok(values)
    }

    fn probe<'a>(&'a self, probe: &'a wpr_probe_t) -> Result<Probe<'a>, Failure> {
        let function = probe.function.get("probes, function")?;
        let has_expected = flag(probe.has_expected, "has_expected")?;
        Ok(match flag(probe.is_bytes, "is_bytes")? {
            true => {
                let expected =
                    probe.expected_bytes.slice(probe.expected_length, "expected_bytes")?;
                let input = probe.input.slice(probe.input_length, "input")?;
                Probe::Bytes { function, input, expected: has_expected.then_some(expected) }
            }
            false => {
                let expected = has_expected.then_some(self.expected.get());
                Probe::Values { function, args: self.args.get(), expected }
            }
        })
    }
}
