//! Showing that an e-mail address is one's own: who can read a code that was sent there, can.

use std::{fmt, str::FromStr};

use thiserror::Error;
use time::Duration;

/// How long a code can be used after it was made, which is when it is sent.
pub const CODE_LIFETIME: Duration = Duration::minutes(15);
/// How many wrong codes a request bears. They have 80 bits, so the limit is not what keeps guessers out: it keeps them short.
pub const TRIES_MAX: u32 = 5;
/// How many mails a user can ask for within [`REQUESTS_WITHIN`], that at registering included.
pub const REQUESTS_MAX: u32 = 5;
/// In which time.
pub const REQUESTS_WITHIN: Duration = Duration::DAY;

/// Crockford's alphabet: no letter that could be taken for a digit, no U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 80 bits of 5 each.
const LENGTH: usize = 16;

/// A code that was sent to an address: 80 random bits, written as `ABCD-EFGH-JKMN-PQRS`. `Debug` doesn't show it.
///
/// So many that its SHA-256 can be kept: nobody finds the code to it by trying all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code([u8; 10]);

impl Code {
    /// The code of these random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 10]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be hashed.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 10] {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0.iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
        for place in 0..LENGTH {
            if place > 0 && place.is_multiple_of(4) {
                f.write_str("-")?;
            }
            let right = LENGTH.saturating_sub(1).saturating_sub(place).saturating_mul(5);
            let digit = usize::try_from((bits >> right) & 31).unwrap_or(0);
            let letter = ALPHABET.get(digit).copied().unwrap_or(b'0');
            fmt::Write::write_char(f, char::from(letter))?;
        }
        Ok(())
    }
}

/// A text is not a code.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("must be a code such as ABCD-EFGH-JKMN-PQRS")]
pub struct InvalidCode;

impl FromStr for Code {
    type Err = InvalidCode;

    /// Reads what people make of a code: small letters, no hyphens or others, O for 0, I or L for 1.
    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let is_digit = |character: &char| !matches!(character, '-' | ' ');
        let (mut bits, mut length) = (0_u128, 0_usize);
        for character in text.chars().take(64).filter(is_digit) {
            let letter = match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let digit = ALPHABET.iter().position(|known| char::from(*known) == letter);
            let digit = digit.and_then(|digit| u128::try_from(digit).ok()).ok_or(InvalidCode)?;
            length = length.saturating_add(1);
            bits = (bits << 5) | digit;
        }
        let [_, _, _, _, _, _, bytes @ ..] = bits.to_be_bytes();
        if length == LENGTH && text.len() <= 64 { Ok(Self(bytes)) } else { Err(InvalidCode) }
    }
}

/// What is known of a request when somebody comes with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whether a code of this request was used before.
    pub is_used: bool,
    /// How many wrong ones were tried.
    pub tries: u32,
    /// Whether it is one that was sent and whose time is not over.
    pub is_right: bool,
}

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The address is theirs, and the request is used up.
    Accepted,
    /// A wrong code, which counts.
    Wrong,
    /// Nothing counts here any more, not even the right code.
    Closed,
}

impl Attempt {
    /// What becomes of it.
    #[must_use]
    pub const fn judge(self) -> Verdict {
        match self {
            Self { is_used: true, .. } => Verdict::Closed,
            Self { tries, .. } if tries >= TRIES_MAX => Verdict::Closed,
            Self { is_right: true, .. } => Verdict::Accepted,
            Self { is_right: false, .. } => Verdict::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_code_is_read_back_however_it_is_typed(bytes: [u8; 10]) {
            let code = Code::from_bytes(bytes);
            let text = code.to_string();
            prop_assert_eq!(text.len(), 19);
            for typed in [
                text.clone(),
                text.to_lowercase(),
                text.replace('-', ""),
                text.replace('-', " "),
                text.replace('0', "o").replace('1', "l"),
            ] {
                prop_assert_eq!(typed.parse::<Code>(), Ok(code));
            }
            prop_assert_eq!(format!("{code:?}"), "Code(..)");
        }

        #[test]
        fn what_is_no_code_is_refused(text in "\\PC{0,80}") {
            if let Ok(code) = text.parse::<Code>() {
                prop_assert_eq!(code.to_string().parse::<Code>(), Ok(code));
            }
        }
    }

    #[test]
    fn codes_have_exactly_their_length() {
        assert_eq!("0000-0000-0000-0000".parse(), Ok(Code::from_bytes([0; 10])));
        assert_eq!("ZZZZ-ZZZZ-ZZZZ-ZZZZ".parse(), Ok(Code::from_bytes([255; 10])));
        let long = "0".repeat(17);
        let spaced = format!("{}{}", "0".repeat(16), "-".repeat(49));
        for bad in [
            "",
            "0000-0000-0000-000",
            &long,
            &spaced,
            "000U-0000-0000-0000",
            "０000-0000-0000-0000",
        ] {
            assert_eq!(bad.parse::<Code>(), Err(InvalidCode), "{bad}");
        }
    }

    #[test]
    fn a_request_is_used_once_and_bears_five_wrong_codes() {
        let attempt = |is_used, tries, is_right| Attempt { is_used, tries, is_right }.judge();
        assert_eq!(attempt(false, 0, true), Verdict::Accepted);
        assert_eq!(attempt(false, 4, true), Verdict::Accepted);
        assert_eq!(attempt(false, 4, false), Verdict::Wrong);
        for closed in [
            attempt(true, 0, true),
            attempt(true, 0, false),
            attempt(false, 5, true),
            attempt(false, 5, false),
        ] {
            assert_eq!(closed, Verdict::Closed);
        }
    }
}
