//! Transfers: the one way in which money moves.
//!
//! An [`Order`] says what somebody wants. [`decide`] judges a slice of orders against the [`Book`] of what was locked for
//! them, in order, each on what the ones before it left: accepted, it has an [`Effect`], mostly a [`Posting`] whose two
//! entries sum to zero because they are made from one amount; refused, it changes nothing, and its neighbours don't notice.

mod book;
mod decide;
mod order;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use thiserror::Error;
use time::OffsetDateTime;

pub use self::{
    book::{Book, Reversible},
    decide::{decide, decide_one},
    order::{Action, Order, Terms},
};
use crate::{AccountId, Amount, Balance, Currency, Hold, HoldId, Memo, TransferId, UserId};

/// What a transfer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// From one customer's account to another.
    Transfer,
    /// Cash paid in: from the cash account to a customer's.
    Deposit,
    /// Cash paid out: from a customer's account to the cash account.
    Withdrawal,
    /// What a hold had promised.
    Capture,
    /// An earlier transfer given back, in full or in part.
    Reversal,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Transfer, Self::Deposit, Self::Withdrawal, Self::Capture, Self::Reversal];

    /// The stable name: `transfer`, `deposit`, `withdrawal`, `capture` or `reversal`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
            Self::Capture => "capture",
            Self::Reversal => "reversal",
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
#[error("not a kind of transfer: expected transfer, deposit, withdrawal, capture or reversal")]
pub struct InvalidKind;

impl FromStr for Kind {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, InvalidKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(InvalidKind)
    }
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
    /// What it says about itself.
    pub memo: Memo,
    /// The hold that it captured, if it did.
    pub hold_id: Option<HoldId>,
    /// The transfer that it reverses, if it does.
    pub reverses_id: Option<TransferId>,
    /// Who asked for it.
    pub created_by: UserId,
    /// When it was decided.
    pub created_at: OffsetDateTime,
}

impl Transfer {
    /// The contents of the orders that could have become this transfer, of which one did: see [`Order::content`]. There
    /// are two where a sum may have been named, or all that there was.
    #[must_use]
    pub fn contents(&self) -> Vec<String> {
        let amounts = [Some(self.amount), None];
        match (self.hold_id, self.reverses_id) {
            (Some(hold), _) => amounts.map(|amount| order::capture_content(hold, amount)).to_vec(),
            (None, Some(id)) => {
                amounts.map(|amount| order::reversal_content(id, amount, &self.memo)).to_vec()
            }
            (None, None) => {
                let terms = Terms {
                    from_account_id: self.from_account_id,
                    to_account_id: self.to_account_id,
                    amount: self.amount,
                    currency: self.currency,
                    memo: self.memo.clone(),
                };
                vec![terms.content(self.kind.as_str())]
            }
        }
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

/// What an accepted order does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Money moves: a transfer, a deposit or a withdrawal.
    Posted(Posting),
    /// Money is promised.
    Held(Hold),
    /// Promised money moves.
    Captured {
        /// What moves.
        posting: Posting,
        /// The hold as it is now.
        hold: Hold,
    },
    /// A promise ends.
    Voided(Hold),
    /// Money is given back.
    Reversed {
        /// What moves.
        posting: Posting,
        /// How it counts towards the transfer that it reverses.
        reversal: Reversal,
    },
}

/// One of the reversals of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reversal {
    /// Which: 1, 2, 3, …
    pub number: i64,
    /// How much has been given back with it: never more than the transfer moved.
    pub reversed: Balance,
}

impl Effect {
    /// The money that moves, if any does.
    #[must_use]
    pub const fn posting(&self) -> Option<&Posting> {
        match self {
            Self::Posted(posting)
            | Self::Captured { posting, .. }
            | Self::Reversed { posting, .. } => Some(posting),
            Self::Held(_) | Self::Voided(_) => None,
        }
    }

    /// The hold as it is from now on, if the order was about one.
    #[must_use]
    pub const fn hold(&self) -> Option<&Hold> {
        match self {
            Self::Held(hold) | Self::Captured { hold, .. } | Self::Voided(hold) => Some(hold),
            Self::Posted(_) | Self::Reversed { .. } => None,
        }
    }
}
