//! A ceiling that was reached, and which.

use core::fmt;

/// A ceiling that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(super) limit_name: &'static str,
    pub(super) limit: u64,
    /// What there was when more was wanted.
    pub(super) used: u64,
    /// Whether the ceiling is the registry's.
    pub(super) is_above: bool,
}

impl Reached {
    /// The field of the quota.
    pub(crate) const fn limit_name(&self) -> &'static str {
        self.limit_name
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit_name, limit, used, is_above } = self;
        let whose = if *is_above { "the registry's" } else { "its tenant's" };
        write!(f, "{whose} `{limit_name}` is {limit}, and {used} are in use")
    }
}
