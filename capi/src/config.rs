//! How a plugin is to be run: structs that grow at their end.

use crate::{
    code::{Failure, wpr_code_t},
    pointers::{In, Out, Struct, Text},
};
use alloc::{format, string::String, string::ToString, vec::Vec};
use core::ptr;
use runtime::{
    CallOptions, CodeSharing, Compilation, DenyPolicy, GrowthPolicy, ModuleLimits,
    QuarantinePolicy, ResetPolicy, WasmInstanceConfig, WasmPluginCapabilities,
};

/// A setting that `get_config` answers.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_setting_t {
    /// Its name, which may not start `soch.`.
    pub name: Text,
    /// Its value.
    pub value: Text,
}

/// How one plugin is to be run. `wpr_config_init` sets every field to its default: nothing is granted, and every limit
/// is finite. Lists may be null if they are empty; nothing of it is used after the call that it is given to.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_config_t {
    /// The size of the struct.
    pub struct_size: usize,
    /// The tenant that the plugin belongs to. Default: null, which is `"default"`.
    pub tenant: Text,
    /// Tables that the plugin may read: a name, `"prefix*"` or `"*"`. Default: none.
    pub can_read_table: In<Text>,
    /// How many.
    pub can_read_table_count: usize,
    /// Tables that it may write, likewise. Default: none.
    pub can_write_table: In<Text>,
    /// How many.
    pub can_write_table_count: usize,
    /// Plugins of the same tenant that it may call, likewise. Default: none.
    pub can_call_plugin: In<Text>,
    /// How many.
    pub can_call_plugin_count: usize,
    /// Names of custom grants that it holds. Default: none.
    pub custom_grants: In<Text>,
    /// How many.
    pub custom_grant_count: usize,
    /// What `get_config` answers. Default: nothing.
    pub settings: In<wpr_setting_t>,
    /// How many.
    pub setting_count: usize,
    /// 1 to allow `index_lookup` and `index_range`, on readable tables. Default: 0.
    pub can_index_search: u32,
    /// 1 to allow `vector_search`, on readable tables. Default: 0.
    pub can_vector_search: u32,
    /// All linear memories of one sandbox together, in bytes. Default: 16 MiB.
    pub memory_limit_bytes: u64,
    /// Fuel for one call, guest and host work together. Default: 1,000,000.
    pub fuel_limit: u64,
    /// Time for one call, in milliseconds; 0 for no limit. Default: 100. Without a clock it has to be 0.
    pub timeout_ms: u64,
    /// How soon after its deadline a call is to be noticed, in milliseconds. Default: 10.
    pub epoch_interval_ms: u64,
    /// Fuel over all calls until `wpr_plugin_refuel`. Default: `UINT64_MAX`, no such budget.
    pub fuel_budget: u64,
    /// How many calls may run at once, each in its own sandbox, 1 to 1,024; with 1 all calls share one state. Default: 4.
    pub max_instances: u32,
    /// 0: a sandbox is replaced after a trap. 1: after every call. Default: 0.
    pub reset: u32,
    /// 0: a denied host call answers -1. 1: it ends the call with `WPR_DENIED`. Default: 0.
    pub on_denied: u32,
    /// 0: code is compiled at load. 1: each function on its first call. Default: 0.
    pub compilation: u32,
    /// 0 for calls that are not metered: nothing contains such a plugin. Default: 1.
    pub enable_fuel: u32,
    /// 0 for calls without a timeout. Default: 1.
    pub enable_epochs: u32,
    /// 1 to write failed calls to the log as well. Default: 0.
    pub debug_mode: u32,
    /// After how many failures in a row the plugin is put in quarantine; 0 for never. Default: 0.
    pub quarantine_failures: u32,
    /// How long the first quarantine is, in milliseconds; each further one is twice as long. Default: 1,000.
    pub quarantine_first_ms: u64,
    /// How long the longest is. Default: 60,000.
    pub quarantine_longest_ms: u64,
    /// The 32 bytes of the SHA-256 that the module must have. Default: null, any.
    pub expected_sha256: In<u8>,
    /// What the module may contain, and how much stack its code may use. Default: null, `wpr_limits_init`.
    pub limits: In<wpr_limits_t>,
    /// With which other plugins of the same module, stack limits and `enable_fuel` it shares its compiled code, which has to
    /// be compiled at load. 0: with none. 1: with those of its tenant that say so too. 2: with those of any tenant: for
    /// modules that the program brings. Default: 0.
    pub code_sharing: u32,
    /// How many sandboxes `wpr_registry_maintain` keeps ready for calls, 0 to `max_instances`. From 1 on, a call leaves one
    /// that is used up for it to replace: with a `reset` of 1, each call finds fresh state that was made before. Default: 0.
    pub min_instances: u32,
    /// 1 to let `wpr_registry_maintain` drop idle sandboxes for want of memory although they hold what earlier calls left.
    /// Default: 0.
    pub trim_idle: u32,
    /// For what comes later: 0, which `wpr_config_init` sets. Else `WPR_INVALID_STRUCT`.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, the size first, numbers and pointers.
unsafe impl Struct for wpr_config_t {
    const NAME: &'static str = "wpr_config_t";

    fn initial() -> Self {
        let config = WasmInstanceConfig::default();
        let capabilities = &config.capabilities;
        Self {
            struct_size: size_of::<Self>(),
            tenant: no_text(),
            can_read_table: nothing(),
            can_read_table_count: 0,
            can_write_table: nothing(),
            can_write_table_count: 0,
            can_call_plugin: nothing(),
            can_call_plugin_count: 0,
            custom_grants: nothing(),
            custom_grant_count: 0,
            settings: nothing(),
            setting_count: 0,
            can_index_search: 0,
            can_vector_search: 0,
            memory_limit_bytes: capabilities.memory_limit_bytes,
            fuel_limit: capabilities.fuel_limit,
            timeout_ms: capabilities.timeout_ms,
            epoch_interval_ms: config.epoch_interval_ms,
            fuel_budget: u64::MAX,
            max_instances: config.max_instances,
            reset: 0,
            on_denied: 0,
            compilation: 0,
            enable_fuel: 1,
            enable_epochs: 1,
            debug_mode: 0,
            quarantine_failures: 0,
            quarantine_first_ms: 1_000,
            quarantine_longest_ms: 60_000,
            expected_sha256: nothing(),
            limits: nothing(),
            code_sharing: 0,
            min_instances: config.min_instances,
            trim_idle: 0,
            reserved: 0,
        }
    }
}

impl In<wpr_config_t> {
    /// The configuration as the library takes it.
    pub(crate) fn config(&self) -> Result<WasmInstanceConfig, Failure> {
        let config = self.read()?;
        if config.reserved != 0 {
            let what = "`reserved` is set, which this version does not know";
            return Err(Failure::misuse(wpr_code_t::WPR_INVALID_STRUCT, what));
        }
        let hash = match config.expected_sha256.get() {
            Some(_) => config.expected_sha256.slice(32, "expected_sha256")?.try_into().ok(),
            None => None,
        };
        let quarantine = (config.quarantine_failures > 0).then(|| {
            QuarantinePolicy::after(config.quarantine_failures)
                .backoff_ms(config.quarantine_first_ms, config.quarantine_longest_ms)
        });
        Ok(WasmInstanceConfig {
            capabilities: config.capabilities()?,
            debug_mode: flag(config.debug_mode, "debug_mode")?,
            enable_fuel: flag(config.enable_fuel, "enable_fuel")?,
            enable_epochs: flag(config.enable_epochs, "enable_epochs")?,
            epoch_interval_ms: config.epoch_interval_ms,
            tenant: config.tenant.optional("tenant")?.unwrap_or("default").to_string(),
            settings: config.settings()?,
            custom_grants: texts(
                &config.custom_grants,
                config.custom_grant_count,
                "custom_grants",
            )?,
            max_instances: config.max_instances,
            min_instances: config.min_instances,
            trim_idle: flag(config.trim_idle, "trim_idle")?,
            reset: choice(config.reset, "reset", [ResetPolicy::OnTrap, ResetPolicy::AfterCall])?,
            on_denied: choice(
                config.on_denied,
                "on_denied",
                [DenyPolicy::Status, DenyPolicy::Trap],
            )?,
            fuel_budget: (config.fuel_budget != u64::MAX).then_some(config.fuel_budget),
            quarantine,
            expected_sha256: hash,
            compilation: choice(
                config.compilation,
                "compilation",
                [Compilation::Eager, Compilation::Lazy],
            )?,
            code_sharing: choice(
                config.code_sharing,
                "code_sharing",
                [CodeSharing::Own, CodeSharing::Tenant, CodeSharing::Registry],
            )?,
            limits: config.limits.limits()?,
        })
    }
}

impl wpr_config_t {
    fn capabilities(&self) -> Result<WasmPluginCapabilities, Failure> {
        Ok(WasmPluginCapabilities {
            can_read_table: texts(
                &self.can_read_table,
                self.can_read_table_count,
                "can_read_table",
            )?,
            can_write_table: texts(
                &self.can_write_table,
                self.can_write_table_count,
                "can_write_table",
            )?,
            can_index_search: flag(self.can_index_search, "can_index_search")?,
            can_vector_search: flag(self.can_vector_search, "can_vector_search")?,
            can_call_plugin: texts(
                &self.can_call_plugin,
                self.can_call_plugin_count,
                "can_call_plugin",
            )?,
            memory_limit_bytes: self.memory_limit_bytes,
            fuel_limit: self.fuel_limit,
            timeout_ms: self.timeout_ms,
        })
    }

    fn settings(&self) -> Result<Vec<(String, String)>, Failure> {
        let settings = self.settings.slice(self.setting_count, "settings")?;
        let pair = |setting: &wpr_setting_t| {
            let name = setting.name.get("settings, name")?.to_string();
            Ok((name, setting.value.get("settings, value")?.to_string()))
        };
        settings.iter().map(pair).collect()
    }
}

/// What a module may contain, and how much stack its code may use: the fields of `ModuleLimits`, of the same names and
/// defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_limits_t {
    /// The size of the struct: `wpr_limits_init` sets it.
    pub struct_size: usize,
    /// Bytes of the module. Default: 4 MiB.
    pub max_module_bytes: u64,
    /// Elements of all tables of a sandbox together. Default: 20,000.
    pub max_table_elements: u64,
    /// Bytes that one `memory.grow` may add. Default: 16 MiB.
    pub max_growth_step_bytes: u64,
    /// Bytes of stack that a sandbox begins with. Default: 1,000.
    pub min_stack_bytes: u64,
    /// Bytes of stack that its calls may use. Default: 1,000,000.
    pub max_stack_bytes: u64,
    /// Calls inside one another. Default: 1,000.
    pub max_recursion_depth: u64,
    /// Types. Default: 10,000.
    pub max_types: u32,
    /// Imports. Default: 256.
    pub max_imports: u32,
    /// Functions. Default: 10,000.
    pub max_functions: u32,
    /// Globals. Default: 1,000.
    pub max_globals: u32,
    /// Exports. Default: 1,000.
    pub max_exports: u32,
    /// Memories. Default: 4.
    pub max_memories: u32,
    /// Tables. Default: 16.
    pub max_tables: u32,
    /// Element segments. Default: 1,000.
    pub max_element_segments: u32,
    /// Data segments. Default: 1,000.
    pub max_data_segments: u32,
    /// Locals of one function. Default: 2,000.
    pub max_locals: u32,
    /// Bytes of one function's body. Default: 1 MiB.
    pub max_body_bytes: u32,
    /// Parameters of one function. Default: 32.
    pub max_params: u32,
    /// Results of one function. Default: 32.
    pub max_results: u32,
    /// Plugins that call one another by `call_plugin`, the first not counted; up to 16. Default: 8.
    pub max_call_depth: u32,
    /// Bytes of an answer kept for `last_answer`. Default: 1 MiB.
    pub max_answer_bytes: u32,
    /// 0: a growth over a limit answers -1. 1: it traps. Default: 0.
    pub on_growth_denied: u32,
}

// SAFETY: `repr(C)`, the size first, numbers.
unsafe impl Struct for wpr_limits_t {
    const NAME: &'static str = "wpr_limits_t";

    fn initial() -> Self {
        let limits = ModuleLimits::default();
        Self {
            struct_size: size_of::<Self>(),
            max_module_bytes: limits.max_module_bytes,
            max_table_elements: limits.max_table_elements,
            max_growth_step_bytes: limits.max_growth_step_bytes,
            min_stack_bytes: limits.min_stack_bytes as u64,
            max_stack_bytes: limits.max_stack_bytes as u64,
            max_recursion_depth: limits.max_recursion_depth as u64,
            max_types: limits.max_types,
            max_imports: limits.max_imports,
            max_functions: limits.max_functions,
            max_globals: limits.max_globals,
            max_exports: limits.max_exports,
            max_memories: limits.max_memories,
            max_tables: limits.max_tables,
            max_element_segments: limits.max_element_segments,
            max_data_segments: limits.max_data_segments,
            max_locals: limits.max_locals,
            max_body_bytes: limits.max_body_bytes,
            max_params: limits.max_params,
            max_results: limits.max_results,
            max_call_depth: limits.max_call_depth,
            max_answer_bytes: limits.max_answer_bytes,
            on_growth_denied: 0,
        }
    }
}

impl In<wpr_limits_t> {
    fn limits(&self) -> Result<ModuleLimits, Failure> {
        let limits = self.read()?;
        Ok(ModuleLimits {
            max_module_bytes: limits.max_module_bytes,
            max_types: limits.max_types,
            max_imports: limits.max_imports,
            max_functions: limits.max_functions,
            max_globals: limits.max_globals,
            max_exports: limits.max_exports,
            max_memories: limits.max_memories,
            max_tables: limits.max_tables,
            max_table_elements: limits.max_table_elements,
            max_element_segments: limits.max_element_segments,
            max_data_segments: limits.max_data_segments,
            max_locals: limits.max_locals,
            max_body_bytes: limits.max_body_bytes,
            max_params: limits.max_params,
            max_results: limits.max_results,
            min_stack_bytes: saturated(limits.min_stack_bytes),
            max_stack_bytes: saturated(limits.max_stack_bytes),
            max_recursion_depth: saturated(limits.max_recursion_depth),
            max_call_depth: limits.max_call_depth,
            max_growth_step_bytes: limits.max_growth_step_bytes,
            on_growth_denied: choice(
                limits.on_growth_denied,
                "on_growth_denied",
                [GrowthPolicy::Refuse, GrowthPolicy::Trap],
            )?,
            max_answer_bytes: limits.max_answer_bytes,
        })
    }
}

/// How one call is narrowed below what the plugin may use. `wpr_call_options_init`: not at all.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_call_options_t {
    /// The size of the struct.
    pub struct_size: usize,
    /// Fuel for this call, if less than the plugin's `fuel_limit`. Default: `UINT64_MAX`.
    pub fuel: u64,
    /// Time for this call in milliseconds, if less than the plugin's `timeout_ms`; 0 narrows nothing. Default: 0.
    pub timeout_ms: u64,
    /// A number that callbacks can read: `wpr_host_call_tag`. Default: 0.
    pub tag: u64,
}

// SAFETY: `repr(C)`, the size first, numbers.
unsafe impl Struct for wpr_call_options_t {
    const NAME: &'static str = "wpr_call_options_t";

    fn initial() -> Self {
        Self { struct_size: size_of::<Self>(), fuel: u64::MAX, timeout_ms: 0, tag: 0 }
    }
}

impl In<wpr_call_options_t> {
    /// The options as the library takes them; nothing if the pointer is null.
    #[inline]
    pub(crate) fn options(&self) -> Result<Option<CallOptions>, Failure> {
        if self.get().is_none() {
            return Ok(None);
        }
        let options = self.read()?;
        Ok(Some(CallOptions {
            fuel: (options.fuel != u64::MAX).then_some(options.fuel),
            timeout_ms: (options.timeout_ms != 0).then_some(options.timeout_ms),
            tag: options.tag,
        }))
    }
}

/// Fills a configuration with defaults. `struct_size` is `sizeof *config`.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_config_init(config: Out<wpr_config_t>, struct_size: usize) {
    config.initialise(struct_size);
}

/// Fills limits with defaults. `struct_size` is `sizeof *limits`.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_limits_init(limits: Out<wpr_limits_t>, struct_size: usize) {
    limits.initialise(struct_size);
}

/// Fills options with defaults. `struct_size` is `sizeof *options`.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_call_options_init(options: Out<wpr_call_options_t>, struct_size: usize) {
    options.initialise(struct_size);
}

/// A list of texts.
fn texts(list: &In<Text>, count: usize, what: &str) -> Result<Vec<String>, Failure> {
    let list = list.slice(count, what)?;
    list.iter().map(|text| text.get(what).map(ToString::to_string)).collect()
}

/// 0 or 1.
pub(crate) fn flag(value: u32, what: &str) -> Result<bool, Failure> {
    choice(value, what, [false, true])
}

/// One of few, by its number.
pub(crate) fn choice<T: Copy, const N: usize>(
    value: u32,
    what: &str,
    of: [T; N],
) -> Result<T, Failure> {
    let chosen = usize::try_from(value).ok().and_then(|place| of.get(place).copied());
    chosen.ok_or_else(|| Failure::argument(format!("`{what}` is {value}; it is less than {N}")))
}

/// A number that the library has as a `usize`.
pub(crate) fn saturated(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A null pointer.
pub(crate) const fn nothing<T>() -> In<T> {
    // SAFETY: null is allowed.
    unsafe { In::new(ptr::null()) }
}

/// A null pointer.
pub(crate) const fn no_text() -> Text {
    // SAFETY: null is allowed.
    unsafe { Text::new(ptr::null()) }
}
