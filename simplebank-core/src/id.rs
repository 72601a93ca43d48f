//! Identifiers: UUIDv7 (RFC 9562 §5.7), one type for each kind of thing, so that they can't be mixed up.

use std::{fmt, str::FromStr};

use thiserror::Error;
use uuid::{Builder, Uuid};

/// A text is not an identifier: it must be a UUID, such as `01890a5d-ac96-774b-bcce-b302099a8057`.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not an identifier: expected a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct InvalidId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes an identifier that sorts by time: a UUIDv7 of `unix_ms`, milliseconds since 1970, and `random`
            /// bytes, of which 74 bits are used.
            #[must_use]
            pub fn from_parts(unix_ms: u64, random: [u8; 10]) -> Self {
                Self(Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
            }

            /// Takes a UUID that is known to name this kind of thing, as one read from its table is.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself, for a database column.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Reads the hyphenated form in either case, and no other form, so that one thing has one spelling.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if text.len() != uuid::fmt::Hyphenated::LENGTH {
                    return Err(InvalidId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )+};
}

ids! {
    /// Names a user.
    UserId;
    /// Names a login: everything between logging in and logging out.
    SessionId;
    /// Names an account.
    AccountId;
    /// Names a transfer.
    TransferId;
    /// Names a hold.
    HoldId;
    /// Names one token.
    TokenId;
    /// Names a job.
    JobId;
    /// Names a request to show that an e-mail address is one's own.
    VerificationId;
}

impl UserId {
    /// The operator: whoever runs the command line beside the database. Every database has this user; it can't log in.
    pub const OPERATOR: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_version_7_uuid_that_sorts_by_time() {
        let earlier = AccountId::from_parts(1_700_000_000_000, [0xff; 10]);
        let later = AccountId::from_parts(1_700_000_000_001, [0; 10]);
        assert!(earlier < later);
        assert_eq!(earlier.as_uuid().get_version_num(), 7);
        assert_eq!(UserId::OPERATOR.as_uuid().get_version_num(), 7);
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = TransferId::from_parts(1_700_000_000_000, [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for other in [
            id.as_uuid().simple().to_string(),
            id.as_uuid().braced().to_string(),
            id.as_uuid().urn().to_string(),
            String::new(),
            "\0".repeat(36),
        ] {
            assert_eq!(other.parse::<TransferId>(), Err(InvalidId), "{other:?}");
        }
    }
}
