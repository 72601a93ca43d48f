//! What a transfer says about itself: a description for people, a reference for other systems.

use std::{fmt, str::FromStr};

use crate::text::{InvalidText, check_length, check_rule, is_deceptive};

/// What a payment is about, for people: 1 to 200 characters, none of them a control, formatting or invisible character,
/// and no space at either end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Description(String);

/// What another system calls a payment, such as an invoice's number: 1 to 64 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(String);

impl Description {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Reference {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Description {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        check_length(text, 1, 200)?;
        check_rule(!text.contains(is_deceptive), "hold no control or invisible characters")?;
        check_rule(text.trim() == text, "neither begin nor end with a space")?;
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Reference {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        check_length(text, 1, 64)?;
        check_rule(
            text.bytes().all(|byte| byte.is_ascii_graphic()),
            "hold only visible ASCII characters, without spaces",
        )?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a payment says about itself; both are optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memo {
    /// For people.
    pub description: Option<Description>,
    /// For other systems. Need not be unique.
    pub reference: Option<Reference>,
}

impl Memo {
    /// Nothing said.
    pub const NONE: Self = Self { description: None, reference: None };

    /// The memo as a part of an order's content, different for different memos and empty for none: each text stands behind
    /// its length.
    #[must_use]
    pub(crate) fn content(&self) -> String {
        let part = |name: char, text: Option<&str>| match text {
            Some(text) => format!("|{name}{}:{text}", text.len()),
            None => String::new(),
        };
        let description = part('d', self.description.as_ref().map(Description::as_str));
        let reference = part('r', self.reference.as_ref().map(Reference::as_str));
        description + &reference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_and_references_say_what_is_allowed() {
        for good in ["rent", "Miete März 🏠", &"x".repeat(200)] {
            assert!(good.parse::<Description>().is_ok(), "{good}");
        }
        for bad in ["", " rent", "rent ", "a\nb", "a\u{202e}b", &"x".repeat(201)] {
            assert!(bad.parse::<Description>().is_err(), "{bad:?}");
        }
        for good in ["1", "INV-2026/17", &"x".repeat(64)] {
            assert!(good.parse::<Reference>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "é", &"x".repeat(65)] {
            assert!(bad.parse::<Reference>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn different_memos_have_different_contents() {
        let memo = |description: Option<&str>, reference: Option<&str>| Memo {
            description: description.map(|text| text.parse().unwrap()),
            reference: reference.map(|text| text.parse().unwrap()),
        };
        let memos = [
            memo(None, None),
            memo(Some("a|r1:b"), None),
            memo(Some("a"), Some("b")),
            memo(None, Some("b")),
            memo(Some("b"), None),
        ];
        let contents: std::collections::BTreeSet<_> = memos.iter().map(Memo::content).collect();
        assert_eq!(contents.len(), memos.len());
        assert_eq!(Memo::NONE.content(), "");
    }
}
