//! The audit record: who did what that others must be able to look up later, and who was refused.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use thiserror::Error;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    AccountId, HoldId, JobId, Principal, Role, TransferId, UserId,
    transfer::{self, Order},
};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $($(#[$doc])* $name,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable name, such as `login_refused`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

actions! {
    /// Somebody began a session.
    LoggedIn = "logged_in";
    /// Somebody knew no password, or was frozen.
    LoginRefused = "login_refused";
    /// Somebody asked for what they have no right to; the detail is the code of the answer, or the power that they lack.
    Refused = "refused";
    /// So many refusals came that these were only counted.
    RefusalsLeftOut = "refusals_left_out";
    /// A user has a new password.
    PasswordChanged = "password_changed";
    /// A user has another e-mail address.
    EmailChanged = "email_changed";
    /// A user has another role; the detail says which.
    RoleSet = "role_set";
    /// A user may not log in any more.
    UserFrozen = "user_frozen";
    /// A user may log in again.
    UserUnfrozen = "user_unfrozen";
    /// An account neither pays nor receives any more.
    AccountFrozen = "account_frozen";
    /// An account pays and receives again.
    AccountUnfrozen = "account_unfrozen";
    /// An account has other limits.
    LimitsSet = "limits_set";
    /// The bank closed a customer's account.
    AccountClosed = "account_closed";
    /// The bank took cash in.
    Deposited = "deposited";
    /// The bank paid cash out.
    Withdrawn = "withdrawn";
    /// The bank moved money out of a customer's account.
    Transferred = "transferred";
    /// The bank promised a customer's money.
    HoldPlaced = "hold_placed";
    /// Whoever works for the bank moved what a hold had promised.
    HoldCaptured = "hold_captured";
    /// Whoever works for the bank let a hold go.
    HoldVoided = "hold_voided";
    /// Whoever works for the bank gave back what a transfer had moved.
    Reversed = "reversed";
    /// A job that had failed is tried again.
    JobRetried = "job_retried";
    /// A job was given up.
    JobDropped = "job_dropped";
}

impl Action {
    /// What the record says of an order that was done; `None` for what customers do with their own, which the ledger tells
    /// well enough.
    #[must_use]
    pub const fn of(order: &Order) -> Option<Self> {
        let action = match order.action {
            transfer::Action::Deposit { .. } => Self::Deposited,
            transfer::Action::Withdraw { .. } => Self::Withdrawn,
            transfer::Action::Capture { .. } => Self::HoldCaptured,
            transfer::Action::Void { .. } => Self::HoldVoided,
            transfer::Action::Reverse { .. } => Self::Reversed,
            transfer::Action::Transfer { .. } => Self::Transferred,
            transfer::Action::Hold { .. } => Self::HoldPlaced,
        };
        match (&order.ordered_by, action) {
            (Principal::User { role: Role::Depositor, .. }, _)
            // Bankers pay from accounts of their own alone.
            | (Principal::User { role: Role::Banker, .. }, Self::Transferred | Self::HoldPlaced) => None,
            (Principal::User { role: Role::Banker, .. } | Principal::Operator, _) => Some(action),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text is not an action.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not an action of the audit record, such as login_refused")]
pub struct InvalidAction;

impl FromStr for Action {
    type Err = InvalidAction;

    fn from_str(text: &str) -> Result<Self, InvalidAction> {
        Self::ALL.iter().copied().find(|action| action.as_str() == text).ok_or(InvalidAction)
    }
}

/// On what something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// A user.
    User(UserId),
    /// An account.
    Account(AccountId),
    /// A transfer.
    Transfer(TransferId),
    /// A hold.
    Hold(HoldId),
    /// A job.
    Job(JobId),
}

impl Object {
    /// What kind of thing it is: `user`, `account`, `transfer`, `hold` or `job`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Account(_) => "account",
            Self::Transfer(_) => "transfer",
            Self::Hold(_) => "hold",
            Self::Job(_) => "job",
        }
    }

    /// Which one it is.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        match self {
            Self::User(id) => id.as_uuid(),
            Self::Account(id) => id.as_uuid(),
            Self::Transfer(id) => id.as_uuid(),
            Self::Hold(id) => id.as_uuid(),
            Self::Job(id) => id.as_uuid(),
        }
    }

    /// The thing of that kind and id; `None` if there is no such kind.
    #[must_use]
    pub fn from_parts(kind: &str, id: Uuid) -> Option<Self> {
        Some(match kind {
            "user" => Self::User(UserId::from_uuid(id)),
            "account" => Self::Account(AccountId::from_uuid(id)),
            "transfer" => Self::Transfer(TransferId::from_uuid(id)),
            "hold" => Self::Hold(HoldId::from_uuid(id)),
            "job" => Self::Job(JobId::from_uuid(id)),
            _ => return None,
        })
    }
}

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, if it came over a network.
    pub address: Option<IpAddr>,
    /// What the logs call the request: at most 64 visible characters.
    pub request_id: Option<String>,
}

/// The network of an address: of IPv6 the first 64 bits, since whoever has one address there has all of them.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// A line of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it happened.
    pub at: OffsetDateTime,
    /// Who did it; `None` where that was not proven.
    pub actor: Option<UserId>,
    /// What they did.
    pub action: Action,
    /// On what.
    pub object: Option<Object>,
    /// What more there is to say, in at most 200 characters.
    pub detail: Option<String>,
    /// From where.
    pub origin: Origin,
    /// How many it stands for: 1, but for refusals that came too fast.
    pub times: u32,
}

impl Entry {
    /// The line with something more to say.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_objects_are_read_back_and_nothing_else_is() {
        for action in Action::ALL {
            assert_eq!(action.to_string().parse(), Ok(*action));
        }
        for other in ["", "Refused", "refused ", "logged"] {
            assert_eq!(other.parse::<Action>(), Err(InvalidAction));
        }
        let id = Uuid::from_u128(7);
        for kind in ["user", "account", "transfer", "hold", "job"] {
            let object = Object::from_parts(kind, id).unwrap();
            assert_eq!((object.kind(), object.as_uuid()), (kind, id));
        }
        assert_eq!(Object::from_parts("token", id), None);
    }
}
