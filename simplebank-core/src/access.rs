//! Who may do what: one table of powers, used by every edge.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::{UserId, user::Username};

/// What a user is to the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Holds accounts and moves their own money.
    Depositor,
    /// Works for the bank: takes cash in, pays it out, settles holds and reversals, sets limits, freezes accounts and
    /// depositors, and may look at any account and at the audit record.
    Banker,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Depositor, Self::Banker];

    /// The stable name: `depositor` or `banker`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Depositor => "depositor",
            Self::Banker => "banker",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text is not a role.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a role: expected depositor or banker")]
pub struct InvalidRole;

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(InvalidRole)
    }
}

/// Something that not everybody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Power {
    /// Open an account for oneself.
    OpenOwnAccount,
    /// Open an account for anybody.
    OpenAnyAccount,
    /// Pay from an account of one's own.
    TransferFromOwn,
    /// Pay from anybody's account.
    TransferFromAny,
    /// Take cash in, to any customer's account.
    Deposit,
    /// Pay cash out, from any customer's account.
    Withdraw,
    /// Look at anybody's accounts, entries and transfers.
    ViewAny,
    /// Freeze an account and open it again.
    Freeze,
    /// Set an account's overdraft and how much may go out of it.
    SetLimits,
    /// Capture and void anybody's holds, and reverse any transfer.
    SettleAny,
    /// Close an account of one's own.
    CloseOwnAccount,
    /// Close anybody's account.
    CloseAnyAccount,
    /// Look at jobs, try them again and give them up.
    ManageJobs,
    /// Make somebody a depositor or a banker, and freeze who works for the bank.
    SetRole,
    /// Keep a depositor from logging in, and let them again.
    FreezeUser,
    /// Look at the audit record.
    ViewAudit,
}

impl Power {
    /// Every power.
    pub const ALL: [Self; 16] = [
        Self::OpenOwnAccount,
        Self::OpenAnyAccount,
        Self::TransferFromOwn,
        Self::TransferFromAny,
        Self::Deposit,
        Self::Withdraw,
        Self::ViewAny,
        Self::Freeze,
        Self::SetLimits,
        Self::SettleAny,
        Self::CloseOwnAccount,
        Self::CloseAnyAccount,
        Self::ManageJobs,
        Self::SetRole,
        Self::FreezeUser,
        Self::ViewAudit,
    ];

    /// The stable name, such as `transfer_from_any`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenOwnAccount => "open_own_account",
            Self::OpenAnyAccount => "open_any_account",
            Self::TransferFromOwn => "transfer_from_own",
            Self::TransferFromAny => "transfer_from_any",
            Self::Deposit => "deposit",
            Self::Withdraw => "withdraw",
            Self::ViewAny => "view_any",
            Self::Freeze => "freeze",
            Self::SetLimits => "set_limits",
            Self::SettleAny => "settle_any",
            Self::CloseOwnAccount => "close_own_account",
            Self::CloseAnyAccount => "close_any_account",
            Self::ManageJobs => "manage_jobs",
            Self::SetRole => "set_role",
            Self::FreezeUser => "freeze_user",
            Self::ViewAudit => "view_audit",
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A user who has proven who they are.
    User {
        /// Who.
        id: UserId,
        /// By which name.
        username: Username,
        /// As what.
        role: Role,
    },
    /// Whoever holds the keys of the database, as the command line does.
    Operator,
}

impl Principal {
    /// The user on whose behalf records are kept: idempotency keys belong to them.
    #[must_use]
    pub const fn id(&self) -> UserId {
        match self {
            Self::User { id, .. } => *id,
            Self::Operator => UserId::OPERATOR,
        }
    }

    /// True when this principal has the power.
    #[must_use]
    pub const fn may(&self, power: Power) -> bool {
        match self {
            Self::User { role: Role::Depositor, .. } => match power {
                Power::OpenOwnAccount | Power::CloseOwnAccount | Power::TransferFromOwn => true,
                Power::OpenAnyAccount
                | Power::CloseAnyAccount
                | Power::TransferFromAny
                | Power::Deposit
                | Power::Withdraw
                | Power::ViewAny
                | Power::Freeze
                | Power::SetLimits
                | Power::SettleAny
                | Power::ManageJobs
                | Power::SetRole
                | Power::FreezeUser
                | Power::ViewAudit => false,
            },
            Self::User { role: Role::Banker, .. } => match power {
                Power::OpenOwnAccount
                | Power::CloseOwnAccount
                | Power::CloseAnyAccount
                | Power::TransferFromOwn
                | Power::Deposit
                | Power::Withdraw
                | Power::ViewAny
                | Power::Freeze
                | Power::SetLimits
                | Power::SettleAny
                | Power::FreezeUser
                | Power::ViewAudit => true,
                Power::OpenAnyAccount
                | Power::TransferFromAny
                | Power::ManageJobs
                | Power::SetRole => false,
            },
            Self::Operator => match power {
                Power::OpenOwnAccount | Power::CloseOwnAccount | Power::TransferFromOwn => false,
                Power::OpenAnyAccount
                | Power::CloseAnyAccount
                | Power::TransferFromAny
                | Power::Deposit
                | Power::Withdraw
                | Power::ViewAny
                | Power::Freeze
                | Power::SetLimits
                | Power::SettleAny
                | Power::ManageJobs
                | Power::SetRole
                | Power::FreezeUser
                | Power::ViewAudit => true,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principals() -> [Principal; 3] {
        let id = UserId::from_parts(1, [1; 10]);
        let username: Username = "alice".parse().unwrap();
        [
            Principal::User { id, username: username.clone(), role: Role::Depositor },
            Principal::User { id, username, role: Role::Banker },
            Principal::Operator,
        ]
    }

    /// The table as its owner would draw it: depositor, banker, operator. A power or a role that it lacks fails here until
    /// somebody has thought about it.
    #[test]
    fn the_powers_are_exactly_these() {
        const YES: bool = true;
        const NO: bool = false;
        let table = [
            ("open_own_account", [YES, YES, NO]),
            ("open_any_account", [NO, NO, YES]),
            ("transfer_from_own", [YES, YES, NO]),
            ("transfer_from_any", [NO, NO, YES]),
            ("deposit", [NO, YES, YES]),
            ("withdraw", [NO, YES, YES]),
            ("view_any", [NO, YES, YES]),
            ("freeze", [NO, YES, YES]),
            ("set_limits", [NO, YES, YES]),
            ("settle_any", [NO, YES, YES]),
            ("close_own_account", [YES, YES, NO]),
            ("close_any_account", [NO, YES, YES]),
            ("manage_jobs", [NO, NO, YES]),
            ("set_role", [NO, NO, YES]),
            ("freeze_user", [NO, YES, YES]),
            ("view_audit", [NO, YES, YES]),
        ];
        assert_eq!(principals().len(), Role::ALL.len() + 1);
        let drawn: Vec<_> =
            Power::ALL.map(|power| (power.as_str(), principals().map(|who| who.may(power)))).into();
        assert_eq!(drawn, table);
    }

    #[test]
    fn role_names_are_read_back_and_nothing_else_is() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        for other in ["", "Banker", "banker ", "admin"] {
            assert_eq!(other.parse::<Role>(), Err(InvalidRole));
        }
    }
}
