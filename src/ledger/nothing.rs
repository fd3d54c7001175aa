//! Accounts that count nothing.

use super::Resource;
use crate::{schedule::Timer, sync::Arc};
use alloc::boxed::Box;
use core::fmt;

#[derive(Debug)]
pub(crate) struct Account;

/// There are no ceilings.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reached {}

impl fmt::Display for Reached {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Reached {
    pub(crate) const fn limit_name(&self) -> &'static str {
        match *self {}
    }
}

impl Account {
    pub(crate) fn new(_name: &str, _above: Option<Arc<Self>>) -> Self {
        Self
    }

    pub(crate) const fn above(&self) -> Option<&Arc<Self>> {
        None
    }

    pub(crate) const fn take(&self, _what: Resource, _n: usize) -> bool {
        true
    }

    pub(crate) const fn take_all<const N: usize>(
        &self,
        _wanted: [(Resource, usize); N],
    ) -> Result<(), (Resource, usize)> {
        Ok(())
    }

    pub(crate) const fn try_take(&self, _what: Resource, _n: usize) -> Result<(), Box<Reached>> {
        Ok(())
    }

    pub(crate) const fn reached(&self, _what: Resource, _n: usize) -> Option<Box<Reached>> {
        None
    }

    pub(crate) const fn give(&self, _what: Resource, _n: usize) {}

    pub(crate) const fn is_rated(&self) -> bool {
        false
    }

    pub(crate) const fn take_fuel(
        &self,
        fuel: u64,
        _clock: Option<&dyn Timer>,
    ) -> Result<u64, Box<Reached>> {
        Ok(fuel)
    }

    pub(crate) const fn spend_fuel(&self, _fuel: u64) {}

    pub(crate) const fn give_fuel(&self, _fuel: u64) {}
}

#[derive(Debug)]
pub(crate) struct Paid;

impl Paid {
    pub(crate) const fn take(
        _account: &Arc<Account>,
        _what: Resource,
        _n: usize,
    ) -> Result<Self, Box<Reached>> {
        Ok(Self)
    }

    pub(crate) const fn leave(self) {}
}

/// One account for all.
pub(crate) struct Accounts(Arc<Account>);

impl Accounts {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Account))
    }

    pub(crate) fn registry(&self) -> &Account {
        &self.0
    }

    pub(crate) fn of(&self, _tenant: &str) -> Arc<Account> {
        Arc::clone(&self.0)
    }
}
