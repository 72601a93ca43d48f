//! Every business "no", with its data and a stable code.

use thiserror::Error;

use uuid::Uuid;

use crate::{AccountId, Currency, HoldId, TransferId, user::Username};

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
    /// More than may go out of the account at a time.
    #[error("more than may go out of account {id} at a time")]
    TransferLimitExceeded {
        /// The account that should have paid.
        id: AccountId,
    },
    /// More than may still go out of the account on this day.
    #[error("more than may still go out of account {id} today (UTC)")]
    DailyLimitExceeded {
        /// The account that should have paid.
        id: AccountId,
    },
    /// There is no such hold, or it is none of the caller's business: both look alike.
    #[error("hold {id} not found")]
    HoldNotFound {
        /// The hold asked for.
        id: HoldId,
    },
    /// The hold was captured or voided before.
    #[error("hold {id} has been captured or voided")]
    HoldResolved {
        /// The hold.
        id: HoldId,
    },
    /// The hold's time is over.
    #[error("hold {id} has expired")]
    HoldExpired {
        /// The hold.
        id: HoldId,
    },
    /// More than is held.
    #[error("more than hold {id} holds")]
    CaptureExceedsHold {
        /// The hold.
        id: HoldId,
    },
    /// Who pays can't let go of a hold, nor of a part of it: that is for who is to be paid, or the bank.
    #[error("only who is to be paid, or the bank, can void hold {id} or capture it in part")]
    HoldBindsPayer {
        /// The hold.
        id: HoldId,
    },
    /// There is no such transfer, or it is none of the caller's business: both look alike.
    #[error("transfer {id} not found")]
    TransferNotFound {
        /// The transfer asked for.
        id: TransferId,
    },
    /// A reversal can't be reversed, and who paid can't reverse: that is for who was paid, or the bank. A deposit is for the
    /// bank alone.
    #[error("transfer {id} can't be reversed by this caller")]
    NotReversible {
        /// The transfer.
        id: TransferId,
    },
    /// More than is left of the transfer, after earlier reversals.
    #[error("more than is left to reverse of transfer {id}")]
    ReversalExceedsTransfer {
        /// The transfer.
        id: TransferId,
    },
    /// An account is closed only when nothing is in it.
    #[error("account {id} still has a balance")]
    AccountNotEmpty {
        /// The account.
        id: AccountId,
    },
    /// An account is closed only when nothing of it is promised, nor to it.
    #[error("account {id} still has open holds")]
    AccountHasHolds {
        /// The account.
        id: AccountId,
    },
    /// A limit below what the account owes or has promised.
    #[error("account {id} already owes or holds more than this limit")]
    LimitBelowUse {
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

/// The one table of codes.
macro_rules! codes {
    ($($code:literal => $variant:ident,)+) => {
        impl Rejection {
            /// The stable code, in `snake_case`.
            #[must_use]
            pub const fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $code,)+
                }
            }

            /// Every code, for the list of them in the documentation.
            pub const CODES: &[&str] = &[$($code),+];
        }
    };
}

codes! {
    "same_account" => SameAccount,
    "account_not_found" => AccountNotFound,
    "account_frozen" => AccountFrozen,
    "account_closed" => AccountClosed,
    "currency_mismatch" => CurrencyMismatch,
    "insufficient_funds" => InsufficientFunds,
    "balance_out_of_range" => BalanceOutOfRange,
    "transfer_limit_exceeded" => TransferLimitExceeded,
    "daily_limit_exceeded" => DailyLimitExceeded,
    "hold_not_found" => HoldNotFound,
    "hold_resolved" => HoldResolved,
    "hold_expired" => HoldExpired,
    "capture_exceeds_hold" => CaptureExceedsHold,
    "hold_binds_payer" => HoldBindsPayer,
    "transfer_not_found" => TransferNotFound,
    "not_reversible" => NotReversible,
    "reversal_exceeds_transfer" => ReversalExceedsTransfer,
    "account_not_empty" => AccountNotEmpty,
    "account_has_holds" => AccountHasHolds,
    "limit_below_use" => LimitBelowUse,
    "username_taken" => UsernameTaken,
    "account_exists" => AccountExists,
}

impl Rejection {
    /// The account, hold or transfer that the rejection is about, if it is about one.
    #[must_use]
    pub const fn subject(&self) -> Option<Uuid> {
        match self {
            Self::AccountNotFound { id }
            | Self::AccountFrozen { id }
            | Self::AccountClosed { id }
            | Self::CurrencyMismatch { id }
            | Self::InsufficientFunds { id }
            | Self::BalanceOutOfRange { id }
            | Self::TransferLimitExceeded { id }
            | Self::DailyLimitExceeded { id }
            | Self::AccountNotEmpty { id }
            | Self::AccountHasHolds { id }
            | Self::LimitBelowUse { id } => Some(id.as_uuid()),
            Self::HoldNotFound { id }
            | Self::HoldResolved { id }
            | Self::HoldExpired { id }
            | Self::CaptureExceedsHold { id }
            | Self::HoldBindsPayer { id } => Some(id.as_uuid()),
            Self::TransferNotFound { id }
            | Self::NotReversible { id }
            | Self::ReversalExceedsTransfer { id } => Some(id.as_uuid()),
            Self::SameAccount | Self::UsernameTaken { .. } | Self::AccountExists { .. } => None,
        }
    }

    /// The refusal of an order that was recorded as its [`code`](Self::code) and [`subject`](Self::subject), or `None` if
    /// no decision on an order says that.
    #[must_use]
    pub fn of_order(code: &str, subject: Option<Uuid>) -> Option<Self> {
        let account = || subject.map(AccountId::from_uuid);
        let hold = || subject.map(HoldId::from_uuid);
        let transfer = || subject.map(TransferId::from_uuid);
        Some(match code {
            "same_account" if subject.is_none() => Self::SameAccount,
            "account_not_found" => Self::AccountNotFound { id: account()? },
            "account_frozen" => Self::AccountFrozen { id: account()? },
            "account_closed" => Self::AccountClosed { id: account()? },
            "currency_mismatch" => Self::CurrencyMismatch { id: account()? },
            "insufficient_funds" => Self::InsufficientFunds { id: account()? },
            "balance_out_of_range" => Self::BalanceOutOfRange { id: account()? },
            "transfer_limit_exceeded" => Self::TransferLimitExceeded { id: account()? },
            "daily_limit_exceeded" => Self::DailyLimitExceeded { id: account()? },
            "hold_not_found" => Self::HoldNotFound { id: hold()? },
            "hold_resolved" => Self::HoldResolved { id: hold()? },
            "hold_expired" => Self::HoldExpired { id: hold()? },
            "capture_exceeds_hold" => Self::CaptureExceedsHold { id: hold()? },
            "hold_binds_payer" => Self::HoldBindsPayer { id: hold()? },
            "transfer_not_found" => Self::TransferNotFound { id: transfer()? },
            "not_reversible" => Self::NotReversible { id: transfer()? },
            "reversal_exceeds_transfer" => Self::ReversalExceedsTransfer { id: transfer()? },
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
        let hold = HoldId::from_parts(1, [2; 10]);
        let transfer = TransferId::from_parts(1, [3; 10]);
        let of_orders = [
            Rejection::SameAccount,
            Rejection::AccountNotFound { id },
            Rejection::AccountFrozen { id },
            Rejection::AccountClosed { id },
            Rejection::CurrencyMismatch { id },
            Rejection::InsufficientFunds { id },
            Rejection::BalanceOutOfRange { id },
            Rejection::TransferLimitExceeded { id },
            Rejection::DailyLimitExceeded { id },
            Rejection::HoldNotFound { id: hold },
            Rejection::HoldResolved { id: hold },
            Rejection::HoldExpired { id: hold },
            Rejection::CaptureExceedsHold { id: hold },
            Rejection::HoldBindsPayer { id: hold },
            Rejection::TransferNotFound { id: transfer },
            Rejection::NotReversible { id: transfer },
            Rejection::ReversalExceedsTransfer { id: transfer },
        ];
        for rejection in of_orders {
            let back = Rejection::of_order(rejection.code(), rejection.subject());
            assert_eq!(back.as_ref(), Some(&rejection));
            assert!(Rejection::CODES.contains(&rejection.code()));
        }
        assert_eq!(Rejection::of_order("username_taken", None), None);
        assert_eq!(Rejection::of_order("account_frozen", None), None);
        assert_eq!(Rejection::of_order("same_account", Some(id.as_uuid())), None);
    }
}
