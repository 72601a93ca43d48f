//! What must be true of a ledger at any moment, checked on rows that somebody else read.
//!
//! The checks trust nothing: they are what `simplebank verify` runs, and they don't share code with the decision that made
//! the rows. They need one account's chain or one transfer's entries at a time, so a ledger of any length is checked in
//! constant memory.

mod holds;
mod limits;
mod reversals;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use thiserror::Error;

pub use self::{
    holds::{check_captured, check_held},
    limits::{LimitHistory, LimitRow, check_newest, check_use},
    reversals::{GivenBack, ReversalRow},
};
use crate::{
    Account, AccountId, Balance, Currency, HoldId, IdempotencyKey, TransferId, UserId,
    transfer::{Entry, Transfer},
};

/// Which promise a row breaks. The numbers are those of `docs/reliability.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1: balances sum to zero in each currency.
    Conserved,
    /// I2: every acknowledged transfer exists, with the same content.
    Acknowledged,
    /// I3: each transfer has exactly two entries, in one currency, that sum to zero; no entry stands alone.
    Balanced,
    /// I4: a balance is the sum of its entries; versions and running balances have no gap.
    Chained,
    /// I5: no account was below its limit at any version.
    WithinLimit,
    /// I11: what is held of an account is the sum of the open holds on it; a captured hold has its transfer, and the other
    /// way round.
    Promised,
    /// I12: what is given back of a transfer is counted without gap, and never more than it moved.
    GivenBack,
}

impl Invariant {
    /// Every invariant.
    pub const ALL: [Self; 7] = [
        Self::Conserved,
        Self::Acknowledged,
        Self::Balanced,
        Self::Chained,
        Self::WithinLimit,
        Self::Promised,
        Self::GivenBack,
    ];

    /// `I1` to `I5`, `I11` and `I12`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Conserved => "I1",
            Self::Acknowledged => "I2",
            Self::Balanced => "I3",
            Self::Chained => "I4",
            Self::WithinLimit => "I5",
            Self::Promised => "I11",
            Self::GivenBack => "I12",
        }
    }

    /// What it promises, in one line.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        match self {
            Self::Conserved => "balances sum to zero in each currency",
            Self::Acknowledged => "every acknowledged transfer exists, with the same content",
            Self::Balanced => "each transfer has two entries that sum to zero",
            Self::Chained => "each balance is the sum of an unbroken chain of entries",
            Self::WithinLimit => "no account was ever below its limit",
            Self::Promised => {
                "what is held is the sum of the open holds, and a captured one has its transfer"
            }
            Self::GivenBack => "no more is given back of a transfer than it moved",
        }
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// The accounts of a currency together.
    Currency(Currency),
    /// A row of `accounts`.
    Account(AccountId),
    /// A row of `transfers`.
    Transfer(TransferId),
    /// A row of `entries`.
    Entry(AccountId, i64),
    /// A row of `idempotency`.
    Record(UserId, IdempotencyKey),
    /// A row of `holds`.
    Hold(HoldId),
    /// A row of `reversals`: which one of a transfer.
    Reversal(TransferId, i64),
    /// A row of `account_limits`: which one of an account.
    Limits(AccountId, i64),
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Currency(currency) => write!(f, "currency {currency}"),
            Self::Account(id) => write!(f, "account {id}"),
            Self::Transfer(id) => write!(f, "transfer {id}"),
            Self::Entry(account, version) => write!(f, "entry {version} of account {account}"),
            Self::Record(owner, key) => write!(f, "idempotency key {key} of user {owner}"),
            Self::Hold(id) => write!(f, "hold {id}"),
            Self::Reversal(transfer, number) => {
                write!(f, "reversal {number} of transfer {transfer}")
            }
            Self::Limits(account, number) => write!(f, "limits {number} of account {account}"),
        }
    }
}

/// The first row that breaks a promise.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}: {row}: {what}", invariant.code())]
pub struct Violation {
    /// Which promise.
    pub invariant: Invariant,
    /// Which row.
    pub row: Row,
    /// What is wrong with it.
    pub what: String,
}

fn violation<T>(invariant: Invariant, row: Row, what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { invariant, row, what: what.into() })
}

/// Checks one transfer against all entries that name it (I3).
///
/// # Errors
///
/// The [`Violation`].
pub fn check_posting(transfer: &Transfer, entries: &[Entry]) -> Result<(), Violation> {
    let wrong = |what: String| violation(Invariant::Balanced, Row::Transfer(transfer.id), what);
    let [first, second] = entries else {
        return wrong(format!("has {} entries instead of 2", entries.len()));
    };
    if transfer.from_account_id == transfer.to_account_id {
        return wrong("pays from an account to itself".to_owned());
    }
    let expected = [
        (transfer.from_account_id, Balance::debit(transfer.amount)),
        (transfer.to_account_id, Balance::credit(transfer.amount)),
    ];
    for (account, change) in expected {
        let fits = |entry: &Entry| entry.account_id == account && entry.amount == change;
        if !fits(first) && !fits(second) {
            return wrong(format!(
                "has no entry of {} minor units in account {account}",
                change.minor()
            ));
        }
    }
    for entry in entries {
        if entry.transfer_id != transfer.id {
            return wrong(format!(
                "is not the transfer of entry {} of account {}",
                entry.version, entry.account_id
            ));
        }
        if entry.created_at != transfer.created_at {
            return wrong(format!(
                "was made at another time than entry {} of account {}",
                entry.version, entry.account_id
            ));
        }
    }
    Ok(())
}

/// Walks one account's entries in the order of their versions (I4, I5).
#[derive(Clone, Debug)]
pub struct Chain {
    account_id: AccountId,
    floor: Option<Balance>,
    version: i64,
    balance: Balance,
}

impl Chain {
    /// Begins before the first entry of an account whose lowest allowed balance is `floor`, if it has one.
    #[must_use]
    pub const fn new(account_id: AccountId, floor: Option<Balance>) -> Self {
        Self { account_id, floor, version: 0, balance: Balance::ZERO }
    }

    /// The account.
    #[must_use]
    pub const fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// Says what the lowest allowed balance is from the next entry on: limits change.
    pub const fn set_floor(&mut self, floor: Option<Balance>) {
        self.floor = floor;
    }

    /// Takes the next entry.
    ///
    /// # Errors
    ///
    /// The [`Violation`] of I4 or I5.
    pub fn take(&mut self, entry: &Entry) -> Result<(), Violation> {
        let row = Row::Entry(self.account_id, entry.version);
        let broken = |what: String| violation(Invariant::Chained, row.clone(), what);
        if entry.account_id != self.account_id {
            return broken(format!("belongs to account {}", entry.account_id));
        }
        if self.version.checked_add(1) != Some(entry.version) {
            return broken(format!("follows version {}", self.version));
        }
        if self.balance.checked_add(entry.amount) != Some(entry.balance_after) {
            return broken(format!(
                "leaves {} after {} and an amount of {}, in minor units",
                entry.balance_after.minor(),
                self.balance.minor(),
                entry.amount.minor()
            ));
        }
        // Only paying can take an account below its limit; receiving may leave it there.
        if entry.amount < Balance::ZERO
            && self.floor.is_some_and(|floor| entry.balance_after < floor)
        {
            let what =
                format!("leaves {} minor units, below the limit", entry.balance_after.minor());
            return violation(Invariant::WithinLimit, row, what);
        }
        self.version = entry.version;
        self.balance = entry.balance_after;
        Ok(())
    }
}

/// Compares an account with its newest entry, a version and the balance after it (I4).
///
/// # Errors
///
/// The [`Violation`].
pub fn check_account(
    account: &Account,
    newest_entry: Option<(i64, Balance)>,
) -> Result<(), Violation> {
    let (version, balance) = newest_entry.unwrap_or((0, Balance::ZERO));
    let wrong = |what: String| violation(Invariant::Chained, Row::Account(account.id), what);
    if version != account.version {
        return wrong(format!(
            "is at version {}, its newest entry has version {version}",
            account.version
        ));
    }
    if balance != account.balance {
        return wrong(format!(
            "holds {}, its entries sum to {}, in minor units",
            account.balance.minor(),
            balance.minor()
        ));
    }
    Ok(())
}

/// Sums balances by currency (I1).
#[derive(Clone, Debug, Default)]
pub struct Totals(BTreeMap<Currency, i128>);

impl Totals {
    /// Counts one account in.
    ///
    /// # Errors
    ///
    /// The [`Violation`] of I1, when there are more accounts than an `i128` of minor units can sum.
    pub fn add(&mut self, account: &Account) -> Result<(), Violation> {
        let total = self.0.entry(account.currency).or_default();
        let Some(sum) = total.checked_add(i128::from(account.balance.minor())) else {
            return violation(Invariant::Conserved, Row::Currency(account.currency), "overflows");
        };
        *total = sum;
        Ok(())
    }

    /// Compares each currency's sum with zero.
    ///
    /// # Errors
    ///
    /// The [`Violation`] of I1.
    pub fn finish(self) -> Result<(), Violation> {
        match self.0.into_iter().find(|(_, total)| *total != 0) {
            None => Ok(()),
            Some((currency, total)) => violation(
                Invariant::Conserved,
                Row::Currency(currency),
                format!("balances sum to {total} minor units instead of 0"),
            ),
        }
    }
}
