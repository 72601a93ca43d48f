//! The key that makes tokens: read from one setting, refused when weak, never printed.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use pasetors::{keys, version4::V4};
use thiserror::Error;
use zeroize::Zeroizing;

/// The beginning of a PASERK key for v4.local tokens.
const PASERK: &str = "k4.local.";

/// The example key of a well-known course, which many a public repository carries.
const WELL_KNOWN: &[u8] = b"12345678901234567890123456789012";

/// The fewest different bytes in a key.
///
/// Random bytes fall short less than once in 2^80 keys, 32 random letters and digits less than once in 10^12; 32 random
/// hex digits, which have half the bits, once in 60.
const DISTINCT_BYTES_MIN: usize = 12;

/// How to do better; every message ends with it.
const MAKE_ONE: &str = "make a good one with `openssl rand -hex 32`";

/// A secret of 32 bytes, for either maker; wiped from memory when dropped.
///
/// Parsing takes three forms:
///
/// - 64 hex digits, as `openssl rand -hex 32` prints them: the form to choose;
/// - PASERK `k4.local.` and 43 characters of base64url, as [`to_paserk`](Self::to_paserk) writes it;
/// - 32 characters of ASCII text, taken as they are.
///
/// One key should serve one maker: a server that changes its maker changes its key.
///
/// ```
/// use simplebank_token::{KeyError, SymmetricKey};
///
/// let hex = "8d2b1c6f0e93a75448f1be20d7639ac5e01f7b82346da9cf5e10b8d4729f3c6a";
/// let key: SymmetricKey = hex.parse()?;
/// assert_eq!(*key.to_paserk(), "k4.local.jSscbw6Tp1RI8b4g12OaxeAfe4I0banPXhC41HKfPGo");
/// assert_eq!(format!("{key:?}"), "SymmetricKey([redacted])");
///
/// let weak = "12345678901234567890123456789012".parse::<SymmetricKey>();
/// assert!(matches!(weak, Err(KeyError::WellKnown)));
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone)]
pub struct SymmetricKey(keys::SymmetricKey<V4>);

/// A text or some bytes are not a key that may be used. The key itself is never part of the message.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// It is neither 64 hex digits nor a PASERK, nor has it 32 bytes.
    #[error(
        "token key has {bytes} bytes, and is none of: 64 hex digits, PASERK k4.local, 32 characters; {}",
        MAKE_ONE
    )]
    Length {
        /// The length that it has.
        bytes: usize,
    },
    /// It has 64 bytes, and not all are hex digits.
    #[error("token key has 64 bytes, but they are not all hex digits; {}", MAKE_ONE)]
    Hex,
    /// It begins with `k4.local.`, but is not followed by base64url without padding.
    #[error(
        "token key begins as a PASERK k4.local, but is not followed by base64url; {}",
        MAKE_ONE
    )]
    Paserk,
    /// It is the example of a course.
    #[error("token key is a published example; {}", MAKE_ONE)]
    WellKnown,
    /// Its bytes ascend or descend, or most of them are one away from their neighbour.
    #[error("token key is a sequence; {}", MAKE_ONE)]
    Sequence,
    /// Its first 1 to 16 bytes are repeated to the end.
    #[error("token key repeats itself; {}", MAKE_ONE)]
    Repetition,
    /// It has fewer than 12 different bytes.
    #[error("token key has fewer than {} different bytes; {}", DISTINCT_BYTES_MIN, MAKE_ONE)]
    Monotony,
}

impl SymmetricKey {
    /// A key of these bytes, 32 random ones; who draws them is the caller's affair.
    ///
    /// # Errors
    ///
    /// - [`KeyError::Length`]: there are not 32 of them.
    /// - [`KeyError::WellKnown`], [`KeyError::Sequence`], [`KeyError::Repetition`], [`KeyError::Monotony`]: they are not
    ///   random.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let key =
            keys::SymmetricKey::from(bytes).map_err(|_| KeyError::Length { bytes: bytes.len() })?;
        weakness(bytes).map_or(Ok(Self(key)), Err)
    }

    /// The key as PASERK `k4.local.…`, for a key file; the text is wiped when dropped.
    #[must_use]
    pub fn to_paserk(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.as_bytes()));
        Zeroizing::new([PASERK, encoded.as_str()].concat())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) const fn as_v4_local(&self) -> &keys::SymmetricKey<V4> {
        &self.0
    }
}

impl FromStr for SymmetricKey {
    type Err = KeyError;

    /// Reads a key in any of the three forms; see [`SymmetricKey`].
    ///
    /// # Errors
    ///
    /// - [`KeyError::Length`], [`KeyError::Hex`], [`KeyError::Paserk`]: it has none of the forms.
    /// - The others: it is weak.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if let Some(encoded) = text.strip_prefix(PASERK) {
            let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| KeyError::Paserk)?;
            return Self::from_bytes(&Zeroizing::new(bytes));
        }
        match text.len() {
            64 => Self::from_bytes(decode_hex(text).ok_or(KeyError::Hex)?.as_slice()),
            _ => Self::from_bytes(text.as_bytes()),
        }
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SymmetricKey([redacted])")
    }
}

/// The bytes of 64 hex digits in either case.
fn decode_hex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    let mut bytes = Zeroizing::new([0; 32]);
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

/// What makes these 32 bytes a bad key, if anything is seen to.
fn weakness(bytes: &[u8]) -> Option<KeyError> {
    if bytes == WELL_KNOWN {
        return Some(KeyError::WellKnown);
    }
    let repeats = |period| bytes.iter().zip(bytes.iter().skip(period)).all(|(a, b)| a == b);
    if (1..=bytes.len() / 2).any(repeats) {
        return Some(KeyError::Repetition);
    }
    let steps = bytes.iter().zip(bytes.iter().skip(1));
    let steps_of_one = steps.filter(|(a, b)| a.abs_diff(**b) == 1).count();
    if bytes.is_sorted() || bytes.iter().rev().is_sorted() || steps_of_one > bytes.len() / 2 {
        return Some(KeyError::Sequence);
    }
    let is_first = |(at, byte): &(usize, &u8)| !bytes.iter().take(*at).any(|other| other == *byte);
    if bytes.iter().enumerate().filter(is_first).count() < DISTINCT_BYTES_MIN {
        return Some(KeyError::Monotony);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "8d2b1c6f0e93a75448f1be20d7639ac5e01f7b82346da9cf5e10b8d4729f3c6a";
    const TEXT: &str = "kT3vQ9xZ1mB7nL5rW8dY2hJ6pF4sG0cA";

    #[test]
    fn the_three_forms_are_read() {
        let key: SymmetricKey = HEX.parse().unwrap();
        assert_eq!(key.as_bytes()[..3], [0x8d, 0x2b, 0x1c]);
        for form in [HEX.to_uppercase(), key.to_paserk().to_string()] {
            assert_eq!(form.parse::<SymmetricKey>().unwrap().as_bytes(), key.as_bytes());
        }
        let text: SymmetricKey = TEXT.parse().unwrap();
        assert_eq!(text.as_bytes(), TEXT.as_bytes());
    }

    #[test]
    fn no_other_form_is_read() {
        let wrong = |text: &str| text.parse::<SymmetricKey>().unwrap_err();
        let paserk = HEX.parse::<SymmetricKey>().unwrap().to_paserk();
        assert_eq!(wrong(""), KeyError::Length { bytes: 0 });
        assert_eq!(wrong(&TEXT[..31]), KeyError::Length { bytes: 31 });
        assert_eq!(wrong(&format!("{TEXT}\n")), KeyError::Length { bytes: 33 });
        assert_eq!(wrong(&format!("{HEX}\n")), KeyError::Length { bytes: 65 });
        assert_eq!(wrong(&paserk.replace("k4", "k3")), KeyError::Length { bytes: 52 });
        assert_eq!(wrong(&paserk[..49]), KeyError::Length { bytes: 30 });
        assert_eq!(wrong(&format!("{}=", *paserk)), KeyError::Paserk);
        assert_eq!(wrong(&format!("{}p", &paserk[..51])), KeyError::Paserk);
        assert_eq!(wrong(&HEX.replace('8', "g")), KeyError::Hex);
        assert_eq!(wrong(&HEX.replacen("8d", "+d", 1)), KeyError::Hex);
    }

    #[test]
    fn weak_keys_are_refused_in_every_form() {
        use KeyError::{Monotony, Repetition, Sequence, WellKnown};
        let ascending: Vec<u8> = (0x70..0x90).collect();
        let descending: Vec<u8> = ascending.iter().rev().copied().collect();
        let by_sevens: Vec<u8> = (0..=217).step_by(7).collect();
        let down_by_sevens: Vec<u8> = by_sevens.iter().rev().copied().collect();
        let mut nearly_zero = [0; 32];
        nearly_zero[5] = 1;
        for (bytes, error) in [
            (WELL_KNOWN, WellKnown),
            (&[0; 32], Repetition),
            (b"simple01simple01simple01simple01", Repetition),
            (b"23456789012345678901234567890123", Repetition),
            (b"abcdefghijklmnopabcdefghijklmnop", Repetition),
            (&ascending, Sequence),
            (&descending, Sequence),
            (&by_sevens, Sequence),
            (&down_by_sevens, Sequence),
            (b"0123456789ABCDEFGHIJKLMNOPQRSTUV", Sequence),
            (b"abcdefghijklmnopqrstuvwxyz012345", Sequence),
            (&nearly_zero, Monotony),
            (b"secretsecretkeykeysecretkeysecre", Monotony),
        ] {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let paserk = format!("{PASERK}{}", URL_SAFE_NO_PAD.encode(bytes));
            assert_eq!(SymmetricKey::from_bytes(bytes).unwrap_err(), error, "{hex}");
            assert_eq!(hex.parse::<SymmetricKey>().unwrap_err(), error, "{hex}");
            assert_eq!(paserk.parse::<SymmetricKey>().unwrap_err(), error, "{hex}");
        }
    }

    #[test]
    fn twelve_different_bytes_are_enough_and_eleven_are_not() {
        let twelve = b"acegikmoqsuwaegcimkqowsuacegkiom";
        assert!(SymmetricKey::from_bytes(twelve).is_ok());
        let eleven = twelve.map(|byte| if byte == b'w' { b'u' } else { byte });
        assert_eq!(SymmetricKey::from_bytes(&eleven).unwrap_err(), KeyError::Monotony);
    }

    #[test]
    fn messages_say_how_to_make_a_key_and_never_show_one() {
        for text in [TEXT.repeat(3), HEX.replace('8', "g"), "k4.local.kT3vQ9xZ".to_owned()] {
            let error = text.parse::<SymmetricKey>().unwrap_err();
            for shown in [error.to_string(), format!("{error:?}")] {
                assert!(!shown.contains("kT3vQ9xZ") && !shown.contains("0e93a754"), "{shown}");
            }
            assert!(error.to_string().contains("openssl rand -hex 32"), "{error}");
        }
    }
}
