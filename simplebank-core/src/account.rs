//! Accounts: whose they are, how low they may fall, and whether they take part.

mod close;
mod limits;

use std::{fmt, str::FromStr};

use thiserror::Error;
use time::{Date, OffsetDateTime, UtcOffset};

pub use self::limits::{Change, LimitChanges};
use crate::{AccountId, Amount, Balance, Currency, Rejection, UserId, user::Username};

/// An account and its newest balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Names the account.
    pub id: AccountId,
    /// Whose it is.
    pub owner: Owner,
    /// What it is kept in.
    pub currency: Currency,
    /// The sum of its entries.
    pub balance: Balance,
    /// How many entries it has: the newest has this version, the first has 1.
    pub version: i64,
    /// Differs after each change of any sort, so that who remembers the account knows whether it is still the same.
    pub revision: i64,
    /// What of the balance is promised: the sum of the open holds on it.
    pub held: Balance,
    /// How far below zero a customer's balance may go.
    pub overdraft_limit: OverdraftLimit,
    /// How much may go out.
    pub limits: Limits,
    /// How much has gone out on the last day on which any did.
    pub spent: Option<Spent>,
    /// From which amount on its owner wants to be told what went out.
    pub notice_from: Option<Amount>,
    /// Whether it takes part.
    pub status: Status,
    /// When it was opened.
    pub created_at: OffsetDateTime,
}

/// How much may go out of an account: by transfers, withdrawals and holds. Captures, which a hold has counted already, and
/// reversals are free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// At a time.
    pub per_transfer: Option<Amount>,
    /// On one day, in UTC.
    pub per_day: Option<Amount>,
}

/// How much has gone out of an account on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The day, in UTC.
    pub day: Date,
    /// How much.
    pub amount: Balance,
    /// The daily limit under which the last of it went out.
    pub allowed: Option<Amount>,
}

/// Whose an account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A customer's: never below its limit.
    Customer {
        /// The customer.
        id: UserId,
        /// The customer's name.
        username: Username,
    },
    /// The bank's own cash account of its currency, the other side of all deposits and withdrawals. It mirrors what
    /// customers hold, so it goes below zero and has no limit.
    Cash,
}

/// How far below zero a customer's balance may go: 0 to `i64::MAX` minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OverdraftLimit(i64);

impl OverdraftLimit {
    /// Not below zero at all.
    pub const NONE: Self = Self(0);

    /// A limit of `minor` units, or `None` if that is negative.
    #[must_use]
    pub const fn from_minor(minor: i64) -> Option<Self> {
        if minor >= 0 { Some(Self(minor)) } else { None }
    }

    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// The lowest balance allowed.
    #[must_use]
    pub const fn floor(self) -> Balance {
        // No overflow: the limit is at least 0, and -i64::MAX exists.
        Balance::from_minor(self.0.wrapping_neg())
    }
}

/// Whether an account takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Pays and receives.
    Open,
    /// Neither pays nor receives until it is unfrozen.
    Frozen,
    /// Neither pays nor receives, for good.
    Closed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Open, Self::Frozen, Self::Closed];

    /// The stable name: `open`, `frozen` or `closed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text is not a status.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a status: expected open, frozen or closed")]
pub struct InvalidStatus;

impl FromStr for Status {
    type Err = InvalidStatus;

    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(InvalidStatus)
    }
}

impl Account {
    /// True when its owner wants to be told that so much went out.
    #[must_use]
    pub fn tells_of(&self, amount: Amount) -> bool {
        self.notice_from.is_some_and(|from| amount >= from)
    }

    /// True when `user` owns the account.
    #[must_use]
    pub fn is_owned_by(&self, user: UserId) -> bool {
        match &self.owner {
            Owner::Customer { id, .. } => *id == user,
            Owner::Cash => false,
        }
    }

    /// The lowest balance allowed, or `None` for an account without limit.
    #[must_use]
    pub const fn floor(&self) -> Option<Balance> {
        match self.owner {
            Owner::Customer { .. } => Some(self.overdraft_limit.floor()),
            Owner::Cash => None,
        }
    }

    /// The account as it is after freezing; freezing twice changes nothing.
    ///
    /// # Errors
    ///
    /// [`Rejection::AccountClosed`].
    pub fn freeze(self) -> Result<Self, Rejection> {
        self.with_status(Status::Frozen)
    }

    /// The account as it is after unfreezing; unfreezing an open one changes nothing.
    ///
    /// # Errors
    ///
    /// [`Rejection::AccountClosed`].
    pub fn unfreeze(self) -> Result<Self, Rejection> {
        self.with_status(Status::Open)
    }

    fn with_status(self, status: Status) -> Result<Self, Rejection> {
        match self.status {
            Status::Open | Status::Frozen => Ok(Self { status, ..self }),
            Status::Closed => Err(Rejection::AccountClosed { id: self.id }),
        }
    }

    /// Refuses unless the account pays and receives in `currency`.
    pub(crate) fn check_takes_part(&self, currency: Currency) -> Result<(), Rejection> {
        match self.status {
            Status::Open => {}
            Status::Frozen => return Err(Rejection::AccountFrozen { id: self.id }),
            Status::Closed => return Err(Rejection::AccountClosed { id: self.id }),
        }
        if self.currency == currency {
            Ok(())
        } else {
            Err(Rejection::CurrencyMismatch { id: self.id })
        }
    }

    /// What can be paid out right now: the balance, and as much again as may be overdrawn, without what is held.
    #[must_use]
    pub const fn available(&self) -> Balance {
        // In this order, since what is held is never more than the other two together, which may be more than can be told.
        let free = self.balance.minor().saturating_sub(self.held.minor());
        Balance::from_minor(free.saturating_add(self.overdraft_limit.minor()))
    }

    /// How much has gone out on `day`.
    #[must_use]
    pub fn spent_on(&self, day: Date) -> Balance {
        self.spent.filter(|spent| spent.day == day).map_or(Balance::ZERO, |spent| spent.amount)
    }

    /// The account after one more entry that changes its balance.
    pub(crate) fn after(&self, change: Balance) -> Result<Self, Rejection> {
        let out_of_range = || Rejection::BalanceOutOfRange { id: self.id };
        let balance = self.balance.checked_add(change).ok_or_else(out_of_range)?;
        let version = self.version.checked_add(1).ok_or_else(out_of_range)?;
        let after = Self { balance, version, ..self.clone() };
        if change < Balance::ZERO { after.within_floor() } else { Ok(after) }
    }

    /// The account after a promise of `amount`.
    pub(crate) fn hold(&self, amount: Amount) -> Result<Self, Rejection> {
        let held = self.held.checked_add(Balance::credit(amount));
        let held = held.ok_or(Rejection::BalanceOutOfRange { id: self.id })?;
        Self { held, ..self.clone() }.within_floor()
    }

    /// The account after a promise of `amount` has ended.
    pub(crate) fn release(&self, amount: Amount) -> Self {
        let held = self.held.checked_add(Balance::debit(amount));
        // No more was held than the sum of the open holds.
        Self { held: held.map_or(Balance::ZERO, |held| held.max(Balance::ZERO)), ..self.clone() }
    }

    /// Refuses an account that has paid out, or promised, more than it can.
    fn within_floor(self) -> Result<Self, Rejection> {
        let free = self.balance.checked_add(Balance::from_minor(self.held.minor().wrapping_neg()));
        let is_within = match (self.floor(), free) {
            (None, _) => true,
            (Some(floor), Some(free)) => free >= floor,
            (Some(_), None) => false,
        };
        if is_within { Ok(self) } else { Err(Rejection::InsufficientFunds { id: self.id }) }
    }

    /// The account after `amount` has counted towards its limits at `now`; the bank's own accounts have none.
    pub(crate) fn spend(self, amount: Amount, now: OffsetDateTime) -> Result<Self, Rejection> {
        if self.owner == Owner::Cash {
            return Ok(self);
        }
        if self.limits.per_transfer.is_some_and(|limit| amount > limit) {
            return Err(Rejection::TransferLimitExceeded { id: self.id });
        }
        // Never back to a day before, or two clocks that differ at midnight would each forget what the other has counted.
        let today = utc_day(now);
        let day = self.spent.map_or(today, |spent| spent.day.max(today));
        let exceeded = Rejection::DailyLimitExceeded { id: self.id };
        let total = self.spent_on(day).checked_add(Balance::credit(amount));
        let spent = match (total, self.limits.per_day) {
            (Some(total), Some(limit)) if total > Balance::credit(limit) => return Err(exceeded),
            (Some(total), allowed) => Spent { day, amount: total, allowed },
            (None, Some(_)) => return Err(exceeded),
            // Nobody asks, so the count may stop where counting ends.
            (None, None) => Spent { day, amount: Balance::from_minor(i64::MAX), allowed: None },
        };
        Ok(Self { spent: Some(spent), ..self })
    }

    /// The account after `amount` that was counted at `counted_at`, and never went out, is no longer counted.
    pub(crate) fn unspend(self, amount: Balance, counted_at: OffsetDateTime) -> Self {
        let day = utc_day(counted_at);
        let spent = self.spent.map(|spent| {
            // A count that has stopped where counting ends doesn't know how much it has missed.
            let has_stopped = spent.allowed.is_none() && spent.amount.minor() == i64::MAX;
            if spent.day != day || has_stopped {
                return spent;
            }
            let less = spent.amount.minor().saturating_sub(amount.minor()).max(0);
            Spent { amount: Balance::from_minor(less), ..spent }
        });
        Self { spent, ..self }
    }
}

/// The day in UTC, on which daily limits go.
#[must_use]
pub fn utc_day(at: OffsetDateTime) -> Date {
    at.to_offset(UtcOffset::UTC).date()
}
