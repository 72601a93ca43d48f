//! Idempotency keys: the names that clients give to what they want done once.

use std::{fmt, str::FromStr};

use crate::text::{InvalidText, check_length, check_rule};

/// A client's name for one wish: 1 to 255 visible ASCII characters, such as a UUID.
///
/// It belongs to the user who sent it; the same key of two users names two wishes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        check_length(text, 1, 255)?;
        check_rule(
            text.bytes().all(|byte| byte.is_ascii_graphic()),
            "hold only visible ASCII characters, without spaces",
        )?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii() {
        for good in ["1", "550e8400-e29b-41d4-a716-446655440000", &"k".repeat(255)] {
            assert!(good.parse::<IdempotencyKey>().is_ok(), "{good}");
        }
        for bad in ["", " ", "a b", "a\0", "é", "a\n", &"k".repeat(256)] {
            assert!(bad.parse::<IdempotencyKey>().is_err(), "{bad:?}");
        }
    }
}
