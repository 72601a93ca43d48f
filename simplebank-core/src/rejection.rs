//! Every business "no", with its data and a stable code.

use thiserror::Error;

use crate::{AccountId, Currency, user::Username};

/// Why the bank does not do what it was asked, though the request itself is sound.
///
/// [`code`](Self::code) never changes; the text may.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Rejection {
    /// A transfer names one account twice.
    #[error("a transfer needs two different accounts")]
    SameAccount,
    /// There is no such account, or it is none of the caller's business: both look alike.
    #[error("account {id} not found")]
    AccountNotFound {
        /// The account asked for.
        id: AccountId,
    },
    /// The account neither pays nor receives for the time being.
    #[error("account {id} is frozen")]
    AccountFrozen {
        /// The frozen account.
        id: AccountId,
    },
    /// The account is closed for good.
    #[error("account {id} is closed")]
    AccountClosed {
        /// The closed account.
        id: AccountId,
    },
    /// The transfer's currency is not the account's.
    #[error("account {id} is in another currency")]
    CurrencyMismatch {
        /// The account that is in another currency.
        id: AccountId,
    },
    /// The account would fall below its limit.
    #[error("account {id} has insufficient funds")]
    InsufficientFunds {
        /// The account that should have paid.
        id: AccountId,
    },
    /// The account's balance would leave what an `i64` of minor units counts.
    #[error("the balance of account {id} would be out of range")]
    BalanceOutOfRange {
        /// The account.
        id: AccountId,
    },
    /// Somebody else has the name.
    #[error("the username {username} is taken")]
    UsernameTaken {
        /// The name asked for.
        username: Username,
    },
    /// A user has one account for each currency.
    #[error("there is already an account in {currency}")]
    AccountExists {
        /// The currency asked for.
        currency: Currency,
    },
}

impl Rejection {
    /// The stable code, in `snake_case`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SameAccount => "same_account",
            Self::AccountNotFound { .. } => "account_not_found",
            Self::AccountFrozen { .. } => "account_frozen",
            Self::AccountClosed { .. } => "account_closed",
            Self::CurrencyMismatch { .. } => "currency_mismatch",
            Self::InsufficientFunds { .. } => "insufficient_funds",
            Self::BalanceOutOfRange { .. } => "balance_out_of_range",
            Self::UsernameTaken { .. } => "username_taken",
            Self::AccountExists { .. } => "account_exists",
        }
    }

    /// Every code, for the list of them in the documentation.
    pub const CODES: [&str; 9] = [
        "same_account",
        "account_not_found",
        "account_frozen",
        "account_closed",
        "currency_mismatch",
        "insufficient_funds",
        "balance_out_of_range",
        "username_taken",
        "account_exists",
    ];

    /// The account that the rejection is about, if it is about one.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::AccountNotFound { id }
            | Self::AccountFrozen { id }
            | Self::AccountClosed { id }
            | Self::CurrencyMismatch { id }
            | Self::InsufficientFunds { id }
            | Self::BalanceOutOfRange { id } => Some(*id),
            Self::SameAccount | Self::UsernameTaken { .. } | Self::AccountExists { .. } => None,
        }
    }

    /// The refusal of an order that was recorded as its [`code`](Self::code) and [`account`](Self::account), or `None` if
    /// no decision on an order says that.
    #[must_use]
    pub fn of_order(code: &str, account: Option<AccountId>) -> Option<Self> {
        Some(match (code, account) {
            ("same_account", None) => Self::SameAccount,
            ("account_not_found", Some(id)) => Self::AccountNotFound { id },
            ("account_frozen", Some(id)) => Self::AccountFrozen { id },
            ("account_closed", Some(id)) => Self::AccountClosed { id },
            ("currency_mismatch", Some(id)) => Self::CurrencyMismatch { id },
            ("insufficient_funds", Some(id)) => Self::InsufficientFunds { id },
            ("balance_out_of_range", Some(id)) => Self::BalanceOutOfRange { id },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_order_was_refused_for_is_read_back() {
        let id = AccountId::from_parts(1, [1; 10]);
        let of_orders = [
            Rejection::SameAccount,
            Rejection::AccountNotFound { id },
            Rejection::AccountFrozen { id },
            Rejection::AccountClosed { id },
            Rejection::CurrencyMismatch { id },
            Rejection::InsufficientFunds { id },
            Rejection::BalanceOutOfRange { id },
        ];
        for rejection in of_orders {
            let back = Rejection::of_order(rejection.code(), rejection.account());
            assert_eq!(back.as_ref(), Some(&rejection));
            assert!(Rejection::CODES.contains(&rejection.code()));
        }
        assert_eq!(Rejection::of_order("username_taken", None), None);
        assert_eq!(Rejection::of_order("account_frozen", None), None);
    }
}
