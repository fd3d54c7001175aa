//! What plugins hold, and how much they may: one account a tenant, and one above them all.
//!
//! Whoever takes something takes it from the tenant's account and from the one above, or from neither;
//! whoever gives it back gives the same amount back to both. So a total is at every moment the sum of
//! what is held, plus what is about to be refused above; never more than its ceiling, unless the ceiling
//! came down below it.
//!
//! Without the feature `quotas` there are accounts that count nothing.

#[cfg(feature = "quotas")]
mod account;
#[cfg(feature = "quotas")]
mod accounts;
#[cfg(not(feature = "quotas"))]
mod nothing;
#[cfg(feature = "quotas")]
mod rate;
#[cfg(feature = "quotas")]
mod reached;

#[cfg(feature = "quotas")]
pub(crate) use self::{
    account::{Account, Paid},
    accounts::Accounts,
    reached::Reached,
};
#[cfg(not(feature = "quotas"))]
pub(crate) use nothing::{Account, Accounts, Paid, Reached};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Plugins,
    Sandboxes,
    MemoryBytes,
    TableElements,
    HeapBytes,
}
