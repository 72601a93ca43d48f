//! Transfers: the one way in which money moves.
//!
//! An [`Order`] says what somebody wants. [`decide`] judges a slice of orders against the accounts that were locked for
//! them, in order, each on what the ones before it left: accepted, it becomes a [`Posting`] whose two entries sum to zero
//! because they are made from one amount; refused, it changes nothing, and its neighbours don't notice.

mod decide;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use thiserror::Error;
use time::OffsetDateTime;

pub use self::decide::{LockedAccounts, decide};
use crate::{AccountId, Amount, Balance, Currency, Principal, TransferId, UserId};

/// What a transfer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// From one customer's account to another.
    Transfer,
    /// Cash paid in: from the cash account to a customer's.
    Deposit,
    /// Cash paid out: from a customer's account to the cash account.
    Withdrawal,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Transfer, Self::Deposit, Self::Withdrawal];

    /// The stable name: `transfer`, `deposit` or `withdrawal`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text is not a kind of transfer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a kind of transfer: expected transfer, deposit or withdrawal")]
pub struct InvalidKind;

impl FromStr for Kind {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, InvalidKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(InvalidKind)
    }
}

/// What somebody wants: `amount` from one account to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Names the transfer that the order becomes if it is accepted.
    pub id: TransferId,
    /// What it is for.
    pub kind: Kind,
    /// Who pays.
    pub from_account_id: AccountId,
    /// Who is paid.
    pub to_account_id: AccountId,
    /// How much.
    pub amount: Amount,
    /// In which currency; both accounts must be kept in it.
    pub currency: Currency,
    /// Who asks.
    pub ordered_by: Principal,
}

impl Order {
    /// The content of the order as text, equal for equal wishes: two orders under one idempotency key must agree on it.
    ///
    /// It has no id and no time, which differ between two attempts at the same thing.
    #[must_use]
    pub fn content(&self) -> String {
        content(self.kind, self.from_account_id, self.to_account_id, self.amount, self.currency)
    }
}

fn content(
    kind: Kind,
    from: AccountId,
    to: AccountId,
    amount: Amount,
    currency: Currency,
) -> String {
    format!("{kind}|{from}|{to}|{}|{currency}", amount.minor())
}

/// A transfer that happened. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Names the transfer.
    pub id: TransferId,
    /// What it was for.
    pub kind: Kind,
    /// Who paid.
    pub from_account_id: AccountId,
    /// Who was paid.
    pub to_account_id: AccountId,
    /// How much.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// Who asked for it.
    pub created_by: UserId,
    /// When it was decided.
    pub created_at: OffsetDateTime,
}

impl Transfer {
    /// The content of the order that became this transfer: see [`Order::content`].
    #[must_use]
    pub fn content(&self) -> String {
        content(self.kind, self.from_account_id, self.to_account_id, self.amount, self.currency)
    }

    /// True when one of the two sides is `account`.
    #[must_use]
    pub fn touches(&self, account: AccountId) -> bool {
        self.from_account_id == account || self.to_account_id == account
    }
}

/// One account's side of a transfer. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose side.
    pub account_id: AccountId,
    /// Which entry of the account: 1, 2, 3, …
    pub version: i64,
    /// The transfer.
    pub transfer_id: TransferId,
    /// By how much the balance changed: less than zero for who paid.
    pub amount: Balance,
    /// The balance from then on.
    pub balance_after: Balance,
    /// When the transfer was decided.
    pub created_at: OffsetDateTime,
}

/// An accepted order: the transfer and its two entries, which sum to zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    transfer: Transfer,
    from_entry: Entry,
    to_entry: Entry,
}

impl Posting {
    /// A posting read back from its rows, or `None` if they are not one: see [`crate::ledger::check_posting`].
    #[must_use]
    pub fn from_rows(transfer: Transfer, from_entry: Entry, to_entry: Entry) -> Option<Self> {
        crate::ledger::check_posting(&transfer, &[from_entry.clone(), to_entry.clone()]).ok()?;
        (from_entry.account_id == transfer.from_account_id).then_some(Self {
            transfer,
            from_entry,
            to_entry,
        })
    }

    /// The transfer.
    #[must_use]
    pub const fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    /// The side of who paid.
    #[must_use]
    pub const fn from_entry(&self) -> &Entry {
        &self.from_entry
    }

    /// The side of who was paid.
    #[must_use]
    pub const fn to_entry(&self) -> &Entry {
        &self.to_entry
    }

    /// Both sides.
    #[must_use]
    pub const fn entries(&self) -> [&Entry; 2] {
        [&self.from_entry, &self.to_entry]
    }
}
