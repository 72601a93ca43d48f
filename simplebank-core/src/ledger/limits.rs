//! Limits (I5).

use super::{Invariant, Row, Violation, violation};
use crate::{
    Account, AccountId, Balance,
    account::{Limits, OverdraftLimit},
};

/// Checks that an account is within its limits as it is now: what it has promised, and what has gone out on its last day
/// (I5). What it owes has been checked entry by entry.
///
/// # Errors
///
/// The [`Violation`].
pub fn check_use(account: &Account) -> Result<(), Violation> {
    let wrong = |what: String| violation(Invariant::WithinLimit, Row::Account(account.id), what);
    let free = i128::from(account.balance.minor()).saturating_sub(account.held.minor().into());
    let is_below = account.floor().is_some_and(|floor| free < i128::from(floor.minor()));
    if account.held != Balance::ZERO && is_below {
        return wrong(format!("has {free} minor units that are not held, below its limit"));
    }
    if let Some(spent) = account.spent
        && let Some(allowed) = spent.allowed
        && spent.amount > Balance::credit(allowed)
    {
        return wrong(format!(
            "has spent {} on {}, where {} were allowed, in minor units",
            spent.amount.minor(),
            spent.day,
            allowed.minor()
        ));
    }
    Ok(())
}

/// A row of `account_limits`: the limits of an account from an entry on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRow {
    /// Whose.
    pub account_id: AccountId,
    /// Which change: 1, 2, 3, …
    pub number: i64,
    /// The account's newest entry when they were set.
    pub after_version: i64,
    /// How far below zero.
    pub overdraft_limit: OverdraftLimit,
    /// How much may go out.
    pub limits: Limits,
}

/// Walks the limits of one account in the order of their numbers (I5).
#[derive(Clone, Debug)]
pub struct LimitHistory {
    account_id: AccountId,
    number: i64,
    after_version: i64,
}

impl LimitHistory {
    /// Begins before the first row of an account.
    #[must_use]
    pub const fn new(account_id: AccountId) -> Self {
        Self { account_id, number: 0, after_version: 0 }
    }

    /// The account.
    #[must_use]
    pub const fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// Takes the next row, with the account that it is of, if that exists.
    ///
    /// # Errors
    ///
    /// The [`Violation`].
    pub fn take(&mut self, row: &LimitRow, account: Option<&Account>) -> Result<(), Violation> {
        let wrong = |what: String| {
            violation(Invariant::WithinLimit, Row::Limits(row.account_id, row.number), what)
        };
        let Some(account) = account.filter(|account| account.id == row.account_id) else {
            return wrong("its account does not exist".to_owned());
        };
        if row.account_id != self.account_id || self.number.checked_add(1) != Some(row.number) {
            return wrong(format!("follows number {}", self.number));
        }
        if row.after_version < self.after_version || row.after_version > account.version {
            return wrong(format!(
                "was set after entry {}, between entries {} and {}",
                row.after_version, self.after_version, account.version
            ));
        }
        (self.number, self.after_version) = (row.number, row.after_version);
        Ok(())
    }
}

/// Compares an account with the newest row of its history, if it has one (I5).
///
/// # Errors
///
/// The [`Violation`].
pub fn check_newest(account: &Account, newest: Option<&LimitRow>) -> Result<(), Violation> {
    let Some(row) = newest else { return Ok(()) };
    if (row.overdraft_limit, row.limits) == (account.overdraft_limit, account.limits) {
        return Ok(());
    }
    let what = format!("has other limits than its newest change, number {}", row.number);
    violation(Invariant::WithinLimit, Row::Account(account.id), what)
}
