//! What one call may use.

use crate::{CallOptions, WasmInstanceConfig, schedule::SLICE_FUEL};

/// What a call may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallLimits {
    pub(crate) fuel: u64,
    pub(crate) timeout_us: u64,
    /// When the call that led to it must have ended, if there is one and that is known.
    pub(crate) outer_deadline_us: Option<u64>,
    pub(crate) tag: u64,
    pub(crate) slice_fuel: u64,
    /// Whether there is nothing to look at between the slices.
    pub(crate) whole: bool,
}

/// What a call may use, where that is less than the whole.
pub(crate) type Narrowed<'a> = Option<&'a CallLimits>;

impl CallLimits {
    /// Whether a call that ran out of time had as much of it as `full` says.
    pub(crate) fn has_timeout_of(&self, full: &Self) -> bool {
        self.outer_deadline_us.is_none() && self.timeout_us == full.timeout_us
    }

    /// What a call that the host makes may use, in slices.
    pub(crate) fn new(config: &WasmInstanceConfig, options: &CallOptions) -> Self {
        let fuel = config.capabilities.fuel_limit;
        Self {
            fuel: options.fuel.map_or(fuel, |narrowed| narrowed.min(fuel)),
            timeout_us: config.call_timeout_us(options),
            outer_deadline_us: None,
            tag: options.tag,
            slice_fuel: SLICE_FUEL,
            whole: false,
        }
    }
}
