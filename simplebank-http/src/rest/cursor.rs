//! Cursors: opaque names of a place in one list, which mean nothing in another.
//!
//! A cursor is base64url without padding of a byte for the kind of list, the sixteen bytes of whose list it is, what the
//! list was asked for, and the place. It holds nothing secret and grants nothing, because the list itself is only given to who may see it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use simplebank::{
    Statement, StatementPlace,
    core::{AccountId, HoldId, Instant, UserId, memo::Reference},
};
use uuid::Uuid;

use super::problem::Refusal;

/// The longest cursor, in characters: 17 bytes, a reference of 64 and a place of 8 are 119.
const CHARACTERS_MAX: usize = 119;

/// A list that is given page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List<'a> {
    /// The accounts of a user.
    Accounts(UserId),
    /// The entries of an account.
    Entries(AccountId),
    /// The transfers of an account.
    Transfers(AccountId),
    /// The transfers of an account that bear a reference.
    Referenced(AccountId, &'a Reference),
    /// The entries of an account in a period.
    Statement(AccountId, Statement),
    /// The holds on and for an account.
    Holds(AccountId),
    /// The audit record, as a user looks at it.
    Audit(UserId),
}

impl List<'_> {
    /// The cursor of a place in this list.
    pub(crate) fn encode(self, place: impl Place) -> String {
        let mut bytes = self.head();
        bytes.extend(place.to_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place that a cursor of this list names.
    pub(crate) fn decode<P: Place>(self, cursor: &str) -> Result<P, Refusal> {
        self.place(cursor).ok_or(Refusal::InvalidCursor)
    }

    fn place<P: Place>(self, cursor: &str) -> Option<P> {
        if cursor.len() > CHARACTERS_MAX {
            return None;
        }
        // This engine takes only the one spelling that it writes.
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        P::from_bytes(bytes.strip_prefix(&*self.head())?)
    }

    fn head(self) -> Vec<u8> {
        let (kind, whose) = match self {
            Self::Accounts(user) => (b'a', user.as_uuid()),
            Self::Entries(account) => (b'e', account.as_uuid()),
            Self::Transfers(account) => (b't', account.as_uuid()),
            Self::Referenced(account, _) => (b'r', account.as_uuid()),
            Self::Statement(account, _) => (b's', account.as_uuid()),
            Self::Holds(account) => (b'h', account.as_uuid()),
            Self::Audit(user) => (b'u', user.as_uuid()),
        };
        let mut head = vec![kind];
        head.extend(whose.as_bytes());
        match self {
            Self::Referenced(_, reference) => head.extend(reference.as_str().as_bytes()),
            Self::Statement(_, Statement { from, to }) => {
                head.extend([from, to].into_iter().flat_map(time_bytes));
            }
            Self::Accounts(_)
            | Self::Entries(_)
            | Self::Transfers(_)
            | Self::Holds(_)
            | Self::Audit(_) => {}
        }
        head
    }
}

/// A moment in whole microseconds; none is one that no moment has.
fn time_bytes(at: Option<Instant>) -> [u8; 8] {
    let unix_us = at.and_then(|at| i64::try_from(at.time().unix_timestamp_nanos() / 1_000).ok());
    unix_us.unwrap_or(i64::MIN).to_be_bytes()
}

/// A place in a list, in bytes.
pub(crate) trait Place: Sized {
    fn to_bytes(self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// The version of an entry.
impl Place for i64 {
    fn to_bytes(self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let version = Self::from_be_bytes(bytes.try_into().ok()?);
        (version >= 1).then_some(version)
    }
}

impl Place for AccountId {
    fn to_bytes(self) -> Vec<u8> {
        self.as_uuid().as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self::from_uuid)
    }
}

impl Place for HoldId {
    fn to_bytes(self) -> Vec<u8> {
        self.as_uuid().as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self::from_uuid)
    }
}

/// Where a page of a statement ends, and where the statement does.
impl Place for StatementPlace {
    fn to_bytes(self) -> Vec<u8> {
        [self.after, self.through].into_iter().flat_map(i64::to_be_bytes).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (after, through) = bytes.split_at_checked(8)?;
        let (after, through) = (i64::from_bytes(after)?, i64::from_bytes(through)?);
        Some(Self { after, through })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: AccountId = AccountId::from_uuid(Uuid::from_u128(1));
    const B: AccountId = AccountId::from_uuid(Uuid::from_u128(2));
    const U: UserId = UserId::from_uuid(Uuid::from_u128(1));

    #[test]
    fn a_cursor_is_read_back_by_its_own_list_only() {
        let entry = List::Entries(A).encode(7_i64);
        assert_eq!(List::Entries(A).place(&entry), Some(7_i64));
        assert_eq!(List::Entries(B).place::<i64>(&entry), None);
        assert_eq!(List::Transfers(A).place::<i64>(&entry), None);
        assert_eq!(List::Accounts(U).place::<AccountId>(&entry), None);
        let account = List::Accounts(U).encode(B);
        assert!(account.len() <= CHARACTERS_MAX);
        assert_eq!(List::Accounts(U).place(&account), Some(B));
        assert_eq!(List::Accounts(U).place::<i64>(&account), None);
    }

    #[test]
    fn a_cursor_belongs_to_what_its_list_was_asked_for() {
        let [short, long] =
            ["INV-1".to_owned(), "x".repeat(64)].map(|text| text.parse::<Reference>().unwrap());
        let longest = List::Referenced(A, &long).encode(i64::MAX);
        assert_eq!(longest.len(), CHARACTERS_MAX);
        assert_eq!(List::Referenced(A, &long).place(&longest), Some(i64::MAX));
        for other in [List::Referenced(A, &short), List::Transfers(A)] {
            assert_eq!(other.place::<i64>(&longest), None);
        }
        let [from, to] = ["0001-01-01", "9999-12-31"].map(|text| text.parse().unwrap());
        let periods =
            [(None, None), (Some(from), None), (None, Some(from)), (Some(from), Some(to))]
                .map(|(from, to)| List::Statement(A, Statement { from, to }));
        let place = StatementPlace { after: 7, through: i64::MAX };
        for list in periods {
            for other in periods {
                let read = other.place(&list.encode(place));
                assert_eq!(read, (list == other).then_some(place), "{list:?} {other:?}");
            }
        }
        for bad in [(0, 1), (1, 0), (-1, 1)] {
            let cursor = periods[0].encode(StatementPlace { after: bad.0, through: bad.1 });
            assert_eq!(periods[0].place::<StatementPlace>(&cursor), None);
        }
    }

    #[test]
    fn a_cursor_has_one_spelling() {
        let list = List::Entries(A);
        let good = list.encode(7_i64);
        for bad in [
            String::new(),
            "!".to_owned(),
            format!("{good}="),
            format!("{good}A"),
            good[..good.len() - 1].to_owned(),
            good.replace('A', "+"),
            // The last character of 25 bytes carries four unused bits.
            format!("{}x", &good[..good.len() - 1]),
            list.encode(0_i64),
            list.encode(-1_i64),
            "A".repeat(10_000),
        ] {
            assert_eq!(list.place::<i64>(&bad), None, "{bad}");
        }
    }
}
