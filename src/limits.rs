//! What a module may contain, and how much stack its code may use.

/// Limits of a module's shape and of the stacks of its code. Every default is finite.
///
/// One has no field: a constant expression has at most 256 bytes, since the interpreter evaluates it by
/// recursion.
///
/// A module over a limit is refused at load with
/// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded), which names the limit and the
/// value, before any of it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleLimits {
    /// Bytes of the whole module. Default: 4 MiB.
    pub max_module_bytes: u64,
    /// Types. Default: 10,000.
    pub max_types: u32,
    /// Imports. Default: 256.
    pub max_imports: u32,
    /// Functions, imported ones included. Default: 10,000.
    pub max_functions: u32,
    /// Global variables. Default: 1,000.
    pub max_globals: u32,
    /// Exports. Default: 1,000.
    pub max_exports: u32,
    /// Linear memories. Default: 4.
    pub max_memories: u32,
    /// Tables. Default: 16.
    pub max_tables: u32,
    /// Elements of all tables of one sandbox together, at load and after growth. Default: 20,000.
    pub max_table_elements: u64,
    /// Element segments. Default: 1,000.
    pub max_element_segments: u32,
    /// Data segments. Default: 1,000.
    pub max_data_segments: u32,
    /// Locals of one function, parameters excluded. Default: 2,000.
    pub max_locals: u32,
    /// Bytes of one function's body. Default: 1 MiB.
    pub max_body_bytes: u32,
    /// Parameters of one function or block. Default: 32.
    pub max_params: u32,
    /// Results of one function or block. Default: 32.
    pub max_results: u32,
    /// Height of a call's value stack when it begins, in bytes. Default: 1,000, at most
    /// [`MAX_MIN_STACK_BYTES`].
    pub min_stack_bytes: usize,
    /// Height of a call's value stack at most, in bytes. Default: 1,000,000.
    pub max_stack_bytes: usize,
    /// Nested calls inside the guest. Default: 1,000.
    pub max_recursion_depth: usize,
    /// Plugins on the native stack at once through `call_plugin`, this one included: 1 forbids the
    /// call. Default: 8, at most [`MAX_CALL_DEPTH`].
    ///
    /// Each level takes up to 8 KiB of native stack in an optimised build, and growing memories and
    /// tables leave up to 30 KiB in the first and 3 KiB in each further one: 115 KiB for 8 levels.
    pub max_call_depth: u32,
    /// Bytes that one `memory.grow` may add. Default: 16 MiB.
    ///
    /// Growing clears the new bytes and may move the old ones, and nothing can interrupt it; the
    /// step bounds how long one instruction holds the host.
    pub max_growth_step_bytes: u64,
    /// What a growth over a limit does. Default: the guest gets -1.
    pub on_growth_denied: GrowthPolicy,
    /// Bytes of an answer kept for `last_answer`; a longer one is refused with status -5.
    /// Default: 1 MiB.
    pub max_answer_bytes: u32,
}

/// The deepest chain of plugins that [`ModuleLimits::max_call_depth`] can allow.
pub const MAX_CALL_DEPTH: u32 = 16;

/// The highest stack that a call can begin with: [`ModuleLimits::min_stack_bytes`]. It is allocated at once.
pub const MAX_MIN_STACK_BYTES: usize = 16 << 20;

impl Default for ModuleLimits {
    fn default() -> Self {
        Self {
            max_module_bytes: 4 << 20,
            max_types: 10_000,
            max_imports: 256,
            max_functions: 10_000,
            max_globals: 1_000,
            max_exports: 1_000,
            max_memories: 4,
            max_tables: 16,
            max_table_elements: 20_000,
            max_element_segments: 1_000,
            max_data_segments: 1_000,
            max_locals: 2_000,
            max_body_bytes: 1 << 20,
            max_params: 32,
            max_results: 32,
            min_stack_bytes: 1_000,
            max_stack_bytes: 1_000_000,
            max_recursion_depth: 1_000,
            max_call_depth: 8,
            max_growth_step_bytes: 16 << 20,
            on_growth_denied: GrowthPolicy::Refuse,
            max_answer_bytes: 1 << 20,
        }
    }
}

/// What a `memory.grow` or `table.grow` over a limit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum GrowthPolicy {
    /// The instruction answers -1, as the WebAssembly specification foresees.
    #[default]
    Refuse,
    /// The guest traps with
    /// [`TrapCode::GrowthOperationLimited`](crate::TrapCode::GrowthOperationLimited).
    Trap,
}
