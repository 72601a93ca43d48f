//! Statements: what happened to an account in a period, from one balance to another.
//!
//! An account's entries are in order by their versions, and a statement is a run of them: the order never depends on a clock.
//! Where the clocks of several processes differ, an entry may bear an earlier time than the one before it; then a moment is
//! looked up between two entries of which the first is of that moment or earlier and the second is later. There is one such
//! place where times only rise, and otherwise one as near to the truth as the clocks are to each other. A later moment
//! never finds an earlier place, so periods that adjoin share no entry and leave none out.

use crate::{
    AccountId, Balance,
    transfer::{Entry, Transfer},
};

/// One line of a statement: an account's entry, and the transfer that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The account's side, with its running balance.
    pub entry: Entry,
    /// What it was.
    pub transfer: Transfer,
}

impl Line {
    /// The account on the other side.
    #[must_use]
    pub fn counterparty(&self) -> AccountId {
        let Transfer { from_account_id, to_account_id, .. } = self.transfer;
        if self.entry.account_id == from_account_id { to_account_id } else { from_account_id }
    }
}

/// An account's balance at some moment, and the entry that it stands after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The version of the newest entry; 0 before the first.
    pub version: i64,
    /// The balance after it.
    pub balance: Balance,
}

impl Standing {
    /// Before the first entry.
    pub const NOTHING: Self = Self { version: 0, balance: Balance::ZERO };
}
