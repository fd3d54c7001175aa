//! What is done for the calls to come, while none waits for it.

use crate::{
    code::wpr_code_t,
    config::saturated,
    error::{boundary, wpr_error_t},
    handle::take,
    host::wpr_registry_t,
    pointers::{Out, Struct},
    thread::may_run_plugins,
};
use runtime::{Maintained, MaintenanceBudget};

/// What maintenance has done. `wpr_maintained_init` sets its size.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wpr_maintained_t {
    /// The size of the struct.
    pub struct_size: usize,
    /// Sandboxes made ahead of calls.
    pub made: u64,
    /// Sandboxes dropped that were used up.
    pub dropped: u64,
    /// Sandboxes dropped for want of memory.
    pub trimmed: u64,
    /// What all idle sandboxes hold now, in bytes; above the ceiling if no more may be dropped.
    pub idle_bytes: u64,
    /// Sandboxes that did not start, one of a plugin at most: no other is made ahead before a call of it has made one, or it
    /// is reloaded.
    pub failed: u32,
    /// 1 if nothing is left to do, 0 if the steps were used up before.
    pub is_done: u32,
}

// SAFETY: `repr(C)`, the size first, numbers.
unsafe impl Struct for wpr_maintained_t {
    const NAME: &'static str = "wpr_maintained_t";

    fn initial() -> Self {
        Self::of(&Maintained::default())
    }
}

impl wpr_maintained_t {
    fn of(maintained: &Maintained) -> Self {
        Self {
            struct_size: size_of::<Self>(),
            made: maintained.made as u64,
            dropped: maintained.dropped as u64,
            trimmed: maintained.trimmed as u64,
            idle_bytes: maintained.idle_bytes,
            failed: u32::try_from(maintained.failed).unwrap_or(u32::MAX),
            is_done: maintained.is_done.into(),
        }
    }
}

/// Sets the size of what maintenance answers.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_maintained_init(maintained: Out<wpr_maintained_t>, struct_size: usize) {
    maintained.initialise(struct_size);
}

/// Makes the sandboxes that calls will want, and drops those that none will: for idle time. First it drops what is used
/// up; then, while idle sandboxes hold more than `max_idle_bytes` together, what was idle for longest, but for state of
/// earlier calls (`trim_idle`) and `min_instances` of each plugin; then it makes what plugins lack of their
/// `min_instances`. Each sandbox that it drops or makes is a step, of which it does no more than `steps`; `UINT64_MAX` in
/// either is no bound. A sandbox that does not start is counted, and no error.
///
/// Any thread may call it, also while others call, load and unload, and none waits or is refused for it. It runs start
/// functions, each under the limits of a call, and so the callbacks of host functions, on the thread that calls it:
/// `WPR_REENTRANT` in a callback.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_maintain(
    registry: wpr_registry_t,
    steps: u64,
    max_idle_bytes: u64,
    maintained: Out<wpr_maintained_t>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        may_run_plugins()?;
        maintained.check()?;
        let budget = MaintenanceBudget { steps: saturated(steps), max_idle_bytes };
        let done = take(registry)?.maintain(&budget);
        maintained.fill(wpr_maintained_t::of(&done))
    })
}
