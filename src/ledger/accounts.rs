//! The accounts of the tenants, and that of the registry above them.

use super::Account;
use crate::{
    sync::{Arc, Mutex},
    text::hash,
};
use alloc::vec::Vec;

/// The accounts of the tenants, and that of the registry above them.
pub(crate) struct Accounts {
    registry: Arc<Account>,
    /// With the hashes of the tenants' names, which are looked through from end to end: ten thousand take
    /// a few microseconds.
    tenants: Mutex<Vec<(u32, Arc<Account>)>>,
}

impl Accounts {
    pub(crate) fn new() -> Self {
        Self { registry: Arc::new(Account::new("", None)), tenants: Mutex::default() }
    }

    pub(crate) fn registry(&self) -> &Account {
        &self.registry
    }

    /// The account of a tenant, a new one if it has none.
    pub(crate) fn of(&self, tenant: &str) -> Arc<Account> {
        let wanted = hash(tenant);
        let mut tenants = self.tenants.lock();
        let found = tenants.iter().find(|(hash, of)| *hash == wanted && of.name() == tenant);
        if let Some((_, account)) = found {
            return Arc::clone(account);
        }
        let account = Arc::new(Account::new(tenant, Some(Arc::clone(&self.registry))));
        let new = (wanted, Arc::clone(&account));
        // In the place of one that nobody needs any more, before there are more of them than ever.
        let free = match tenants.len() == tenants.capacity() {
            true => tenants.iter_mut().find(|(_, of)| Arc::strong_count(of) == 1 && !of.is_kept()),
            false => None,
        };
        match free {
            Some(place) => *place = new,
            None => tenants.push(new),
        }
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_tenant_has_one_account_as_long_as_someone_needs_it() {
        let accounts = Accounts::new();
        let (first, again) = (accounts.of("a"), accounts.of("a"));
        assert!(Arc::ptr_eq(&first, &again) && !Arc::ptr_eq(&first, &accounts.of("b")));
        // Two names of one hash.
        assert!(!Arc::ptr_eq(&accounts.of("costarring"), &accounts.of("liquid")));
    }

    #[test]
    fn accounts_that_nobody_needs_make_room_and_others_stay() {
        let accounts = Accounts::new();
        let (needed, kept) = (accounts.of("needed"), accounts.of("kept"));
        kept.keep();
        let kept = Arc::downgrade(&kept);
        for n in 0..1_000 {
            drop(accounts.of(&format!("{n}")));
        }
        assert!(accounts.tenants.lock().len() <= 8);
        assert!(Arc::ptr_eq(&needed, &accounts.of("needed")));
        assert!(core::ptr::eq(kept.as_ptr(), Arc::as_ptr(&accounts.of("kept"))));
    }
}
