//! The accounts as they were last seen.
//!
//! What is remembered may be out of date at any time: another process may have moved money since, or the transaction that was
//! to make it true may have failed. Whoever decides on it lets the database compare revisions before anything is written.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use simplebank_core::{Account, AccountId, Balance, transfer::Book};

/// Most accounts that are remembered. Beyond that all are forgotten, and seen anew as they come.
const ACCOUNTS_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<AccountId, Account>>);

impl Memory {
    /// A book of these accounts, if all of them are remembered.
    pub(super) fn book(&self, ids: impl Iterator<Item = AccountId>) -> Option<Book> {
        let accounts = self.lock();
        ids.map(|id| accounts.get(&id).cloned()).collect()
    }

    /// Those of these accounts that are not remembered.
    pub(super) fn missing(&self, ids: impl Iterator<Item = AccountId>) -> Vec<AccountId> {
        let accounts = self.lock();
        let missing: BTreeSet<AccountId> = ids.filter(|id| !accounts.contains_key(id)).collect();
        missing.into_iter().collect()
    }

    /// Remembers an account. One on which money is held is forgotten instead: holds end by themselves.
    pub(super) fn put(&self, account: Account) {
        let mut accounts = self.lock();
        if account.held != Balance::ZERO {
            accounts.remove(&account.id);
            return;
        }
        if accounts.len() >= ACCOUNTS_MAX {
            accounts.clear();
        }
        accounts.insert(account.id, account);
    }

    pub(super) fn forget(&self, ids: impl Iterator<Item = AccountId>) {
        let mut accounts = self.lock();
        for id in ids {
            accounts.remove(&id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Account>> {
        // Each change is one call of the map's: what a panic left behind is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
