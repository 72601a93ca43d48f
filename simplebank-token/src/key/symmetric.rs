//! A key that makers and verifiers share.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use pasetors::{keys, version4::V4};
use zeroize::Zeroizing;

use super::{KeyError, jwk, paserk, weak};

/// The beginning of a PASERK key for v4.local tokens.
const PASERK: &str = "k4.local.";
/// The beginning of its id.
const PASERK_ID: &str = "k4.lid.";

/// A secret of 32 bytes that whoever verifies has as well, for [`PasetoLocal`](crate::PasetoLocal) or
/// [`Hs256`](crate::Hs256); wiped from memory when dropped.
///
/// Parsing takes four forms:
///
/// - 64 hex digits, as `openssl rand -hex 32` prints them;
/// - PASERK `k4.local.` and 43 characters of base64url, as [`to_paserk`](Self::to_paserk) writes it;
/// - a JWK of the type `oct`, as [`to_jwk`](Self::to_jwk) writes it;
/// - 32 characters of text, taken as they are.
///
/// One key should serve one maker: a server that changes its maker changes its key.
///
/// ```
/// use simplebank_token::{KeyError, SymmetricKey};
///
/// let key = SymmetricKey::generate()?;
/// assert_eq!(format!("{key:?}"), "SymmetricKey([redacted])");
/// let again: SymmetricKey = key.to_paserk().parse()?;
/// assert_eq!(again.paserk_id(), key.paserk_id());
///
/// let weak = "12345678901234567890123456789012".parse::<SymmetricKey>();
/// assert!(matches!(weak, Err(KeyError::WellKnown)));
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone)]
pub struct SymmetricKey(keys::SymmetricKey<V4>);

impl SymmetricKey {
    /// A fresh key, drawn from the operating system.
    ///
    /// # Errors
    ///
    /// - [`KeyError::Randomness`]: it gives none.
    /// - [`KeyError::Sequence`], [`KeyError::Repetition`], [`KeyError::Monotony`]: what it gives looks weak, which happens less
    ///   than once in 2^80 draws to a source that is not.
    pub fn generate() -> Result<Self, KeyError> {
        let bytes = crate::random::bytes::<32>().map_err(KeyError::Randomness)?;
        Self::from_bytes(bytes.as_slice())
    }

    /// A key of these bytes, 32 random ones; who draws them is the caller's affair.
    ///
    /// # Errors
    ///
    /// - [`KeyError::Length`]: there are not 32 of them.
    /// - [`KeyError::WellKnown`], [`KeyError::Sequence`], [`KeyError::Repetition`], [`KeyError::Monotony`]: they are not
    ///   random.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let length = |_| KeyError::Length { bytes: bytes.len() };
        weak::refuse(bytes.try_into().map_err(length)?)?;
        keys::SymmetricKey::from(bytes)
            .map(Self)
            .map_err(|_| KeyError::Length { bytes: bytes.len() })
    }

    /// The key as PASERK `k4.local.…`, for a key file; the text is wiped when dropped.
    #[must_use]
    pub fn to_paserk(&self) -> Zeroizing<String> {
        paserk::encode(PASERK, self.as_bytes())
    }

    /// The key as JWK of the type `oct`, with its thumbprint as `kid`; the text is wiped when dropped.
    #[must_use]
    pub fn to_jwk(&self) -> Zeroizing<String> {
        jwk::write_shared(&self.encoded(), &self.thumbprint())
    }

    /// The key's name in PASETOs: PASERK `k4.lid.…`. It is no secret.
    #[must_use]
    pub fn paserk_id(&self) -> String {
        paserk::id(PASERK_ID, &self.to_paserk())
    }

    /// The key's name in JWTs: the thumbprint of its JWK (RFC 7638).
    ///
    /// It tells the key to nobody who could not guess it from any token (RFC 7638 §7).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        jwk::thumbprint_of_shared(&self.encoded())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) const fn as_v4_local(&self) -> &keys::SymmetricKey<V4> {
        &self.0
    }

    fn encoded(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.as_bytes()))
    }
}

impl From<&Self> for SymmetricKey {
    fn from(key: &Self) -> Self {
        key.clone()
    }
}

impl FromStr for SymmetricKey {
    type Err = KeyError;

    /// Reads a key in any of the four forms; see [`SymmetricKey`].
    ///
    /// # Errors
    ///
    /// - [`KeyError::Length`], [`KeyError::Hex`], [`KeyError::Paserk`], [`KeyError::Jwk`]: it has none of the forms.
    /// - [`KeyError::WellKnown`], [`KeyError::Sequence`], [`KeyError::Repetition`], [`KeyError::Monotony`]: it is weak.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if let Some(encoded) = text.strip_prefix(PASERK) {
            return Self::from_bytes(paserk::decode::<32>(encoded)?.as_slice());
        }
        match text.len() {
            // The other forms are longer.
            32 => Self::from_bytes(text.as_bytes()),
            _ if jwk::is_meant(text) => Self::from_bytes(jwk::shared(text)?.as_slice()),
            64 => Self::from_bytes(decode_hex(text).ok_or(KeyError::Hex)?.as_slice()),
            bytes => Err(KeyError::Length { bytes }),
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

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "8d2b1c6f0e93a75448f1be20d7639ac5e01f7b82346da9cf5e10b8d4729f3c6a";
    const TEXT: &str = "kT3vQ9xZ1mB7nL5rW8dY2hJ6pF4sG0cA";

    #[test]
    fn the_four_forms_are_read() {
        let key: SymmetricKey = HEX.parse().unwrap();
        assert_eq!(key.as_bytes()[..3], [0x8d, 0x2b, 0x1c]);
        assert_eq!(*key.to_paserk(), "k4.local.jSscbw6Tp1RI8b4g12OaxeAfe4I0banPXhC41HKfPGo");
        let minimal = r#"{"kty":"oct","k":"jSscbw6Tp1RI8b4g12OaxeAfe4I0banPXhC41HKfPGo"}"#;
        for form in [
            &HEX.to_uppercase(),
            &*key.to_paserk(),
            &*key.to_jwk(),
            minimal,
            &format!("{minimal} "),
        ] {
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
        assert_eq!(wrong(&paserk[..49]), KeyError::Paserk);
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
            (&b"12345678901234567890123456789012"[..], WellKnown),
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
            let jwk = jwk::write_shared(&URL_SAFE_NO_PAD.encode(bytes), "");
            assert_eq!(SymmetricKey::from_bytes(bytes).unwrap_err(), error, "{hex}");
            assert_eq!(hex.parse::<SymmetricKey>().unwrap_err(), error, "{hex}");
            assert_eq!(paserk.parse::<SymmetricKey>().unwrap_err(), error, "{hex}");
            assert_eq!(jwk.parse::<SymmetricKey>().unwrap_err(), error, "{hex}");
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
