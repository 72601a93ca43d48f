//! The part of the ledger that a slice of orders touches.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::Transfer;
use crate::{Account, AccountId, Balance, Hold, HoldId, TransferId, hold::State};

/// What a slice of orders touches, as it is under lock: accounts, holds, and transfers that are to be reversed.
/// [`decide`](super::decide) moves it forward.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    accounts: BTreeMap<AccountId, Account>,
    holds: BTreeMap<HoldId, Hold>,
    transfers: BTreeMap<TransferId, Reversible>,
}

/// A transfer, and how much of it has been given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversible {
    /// The transfer.
    pub transfer: Transfer,
    /// How many reversals it has seen.
    pub reversals: i64,
    /// Their sum: never more than the transfer's amount.
    pub reversed: Balance,
}

impl Book {
    /// The account, or `None` if it does not exist.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// All accounts in ascending order of their ids.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The hold, or `None` if it does not exist.
    #[must_use]
    pub fn hold(&self, id: HoldId) -> Option<&Hold> {
        self.holds.get(&id)
    }

    /// All holds in ascending order of their ids.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.values()
    }

    /// The transfer that may be reversed, or `None` if it does not exist.
    #[must_use]
    pub fn transfer(&self, id: TransferId) -> Option<&Reversible> {
        self.transfers.get(&id)
    }

    /// Puts an account in, or in the place of what was there.
    pub fn put_account(&mut self, account: Account) {
        self.accounts.insert(account.id, account);
    }

    /// Puts a hold in, or in the place of what was there.
    pub fn put_hold(&mut self, hold: Hold) {
        self.holds.insert(hold.id, hold);
    }

    /// Puts a transfer in that may be reversed, or in the place of what was there.
    pub fn put_transfer(&mut self, reversible: Reversible) {
        self.transfers.insert(reversible.transfer.id, reversible);
    }

    /// Lets go of the holds whose time is over at `now`, and returns them. To be called before
    /// [`decide`](super::decide), with all such holds on the accounts in the book.
    pub fn expire_due(&mut self, now: OffsetDateTime) -> Vec<Hold> {
        let due: Vec<Hold> = self.holds.values().filter(|hold| hold.is_due(now)).cloned().collect();
        due.into_iter()
            .map(|hold| {
                let expired = Hold { state: State::Expired, ..hold };
                self.release(&expired, Balance::credit(expired.amount));
                self.put_hold(expired.clone());
                expired
            })
            .collect()
    }

    /// Ends what a hold holds of its account, of which `unspent` never goes out.
    pub(super) fn release(&mut self, hold: &Hold, unspent: Balance) {
        if let Some(account) = self.accounts.get_mut(&hold.from_account_id) {
            *account = account.release(hold.amount).unspend(unspent, hold.created_at);
        }
    }
}

impl FromIterator<Account> for Book {
    fn from_iter<I: IntoIterator<Item = Account>>(accounts: I) -> Self {
        let accounts = accounts.into_iter().map(|account| (account.id, account)).collect();
        Self { accounts, ..Self::default() }
    }
}
