//! Accounts: whose they are, how low they may fall, and whether they take part.

use std::{fmt, str::FromStr};

use thiserror::Error;
use time::OffsetDateTime;

use crate::{AccountId, Balance, Currency, Rejection, UserId, user::Username};

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
    /// How far below zero a customer's balance may go.
    pub overdraft_limit: OverdraftLimit,
    /// Whether it takes part.
    pub status: Status,
    /// When it was opened.
    pub created_at: OffsetDateTime,
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

    /// The account after one more entry that changes its balance.
    pub(crate) fn after(&self, change: Balance) -> Result<Self, Rejection> {
        let out_of_range = Rejection::BalanceOutOfRange { id: self.id };
        let Some(balance) = self.balance.checked_add(change) else { return Err(out_of_range) };
        let Some(version) = self.version.checked_add(1) else { return Err(out_of_range) };
        if change < Balance::ZERO && self.floor().is_some_and(|floor| balance < floor) {
            return Err(Rejection::InsufficientFunds { id: self.id });
        }
        Ok(Self { balance, version, ..self.clone() })
    }
}
