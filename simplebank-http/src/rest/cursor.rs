//! Cursors: opaque names of a place in one list, which mean nothing in another.
//!
//! A cursor is base64url without padding of a byte for the kind of list, the sixteen bytes of whose list it is, and the
//! place. It holds nothing secret and grants nothing, because the list itself is only given to who may see it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use simplebank::core::{AccountId, UserId};
use uuid::Uuid;

use super::problem::Refusal;

/// The longest cursor, in characters: 33 bytes are 44.
const CHARACTERS_MAX: usize = 44;

/// A list that is given page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// The accounts of a user.
    Accounts(UserId),
    /// The entries of an account.
    Entries(AccountId),
    /// The transfers of an account.
    Transfers(AccountId),
}

impl List {
    /// The cursor of a place in this list.
    pub(crate) fn encode(self, place: impl Place) -> String {
        let mut bytes = self.head().to_vec();
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
        P::from_bytes(bytes.strip_prefix(&self.head())?)
    }

    fn head(self) -> [u8; 17] {
        let (kind, whose) = match self {
            Self::Accounts(user) => (b'a', user.as_uuid()),
            Self::Entries(account) => (b'e', account.as_uuid()),
            Self::Transfers(account) => (b't', account.as_uuid()),
        };
        let mut head = [kind; 17];
        if let Some((_, rest)) = head.split_first_mut() {
            rest.copy_from_slice(whose.as_bytes());
        }
        head
    }
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
