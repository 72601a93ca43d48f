//! A pair of keys: one half makes tokens, the other only verifies them.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_compact::{KeyPair, Seed};
use pasetors::{keys, version4::V4};
use zeroize::Zeroizing;

use super::{KeyError, jwk, paserk, weak};

/// The beginning of a PASERK secret key for v4.public tokens.
const SECRET: &str = "k4.secret.";
/// The beginning of a PASERK public key for v4.public tokens.
const PUBLIC: &str = "k4.public.";
/// The beginning of the id of a public key.
const PUBLIC_ID: &str = "k4.pid.";

/// An Ed25519 key (RFC 8032) that makes tokens which anybody with its [`PublicKey`] can verify, for
/// [`PasetoPublic`](crate::PasetoPublic) or [`EdDsa`](crate::EdDsa); wiped from memory when dropped.
///
/// Parsing takes PASERK `k4.secret.` and 86 characters of base64url, and a JWK of the type `OKP`.
///
/// ```
/// use simplebank_token::SecretKey;
///
/// let key = SecretKey::generate()?;
/// assert!(key.to_paserk().starts_with("k4.secret."));
/// assert!(format!("{key:?}").starts_with("SecretKey(PublicKey(k4.public."));
///
/// let again: SecretKey = key.to_jwk().parse()?;
/// assert_eq!(again.public_key(), key.public_key());
/// # Ok::<(), simplebank_token::KeyError>(())
/// ```
#[derive(Clone)]
pub struct SecretKey {
    secret: keys::AsymmetricSecretKey<V4>,
    public: PublicKey,
}

/// The half of a [`SecretKey`] that everybody may have: it verifies, and makes nothing.
///
/// Parsing takes PASERK `k4.public.` and 43 characters of base64url, and a JWK of the type `OKP` without its secret half.
/// Points for which signatures can be made without a secret are refused, and so are the public halves of published examples.
///
/// ```
/// use simplebank_token::{KeyError, PublicKey, SecretKey};
///
/// let key = SecretKey::generate()?.public_key();
/// assert_eq!(key.to_paserk().parse(), Ok(key.clone()));
/// assert_eq!(key.to_jwk().parse(), Ok(key));
///
/// let weak = "k4.public.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse::<PublicKey>();
/// assert_eq!(weak, Err(KeyError::Point));
/// # Ok::<(), KeyError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct PublicKey(keys::AsymmetricPublicKey<V4>);

impl Eq for PublicKey {}

impl SecretKey {
    /// A fresh key, drawn from the operating system.
    ///
    /// # Errors
    ///
    /// As [`SymmetricKey::generate`](crate::SymmetricKey::generate).
    pub fn generate() -> Result<Self, KeyError> {
        let seed = crate::random::bytes().map_err(KeyError::Randomness)?;
        Self::from_seed(&seed)
    }

    /// The key of this seed, 32 random bytes (RFC 8032 §5.1.5); who draws them is the caller's affair.
    ///
    /// # Errors
    ///
    /// [`KeyError::WellKnown`], [`KeyError::Sequence`], [`KeyError::Repetition`], [`KeyError::Monotony`]: they are not random.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        weak::refuse(seed)?;
        // The seed that fails, all zeros, is weak; `pair.sk` wipes itself.
        let pair = KeyPair::try_from_seed(Seed::new(*seed)).map_err(|_| KeyError::Repetition)?;
        let secret = keys::AsymmetricSecretKey::from(pair.sk.as_slice());
        let public = PublicKey::from_bytes(&pair.pk)?;
        Ok(Self { secret: secret.map_err(|_| KeyError::Halves)?, public })
    }

    /// The half that verifies.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    /// The key as PASERK `k4.secret.…`; the text is wiped when dropped.
    #[must_use]
    pub fn to_paserk(&self) -> Zeroizing<String> {
        paserk::encode(SECRET, self.secret.as_bytes())
    }

    /// The key as JWK of the type `OKP`, with its thumbprint as `kid`; the text is wiped when dropped.
    #[must_use]
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let seed = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.seed()));
        jwk::write_secret(&seed, &self.public.encoded(), &self.public.thumbprint())
    }

    /// The bytes from which all else follows.
    pub(crate) fn seed(&self) -> &[u8] {
        let (seed, _) = self.secret.as_bytes().split_at(32);
        seed
    }

    pub(crate) const fn as_v4_public(&self) -> &keys::AsymmetricSecretKey<V4> {
        &self.secret
    }

    fn from_halves(seed: &[u8; 32], public: &[u8]) -> Result<Self, KeyError> {
        let key = Self::from_seed(seed)?;
        if key.public.as_bytes() == public { Ok(key) } else { Err(KeyError::Halves) }
    }
}

impl PublicKey {
    /// The key of these 32 bytes: an encoded point (RFC 8032 §5.1.2).
    ///
    /// # Errors
    ///
    /// - [`KeyError::Point`]: it is not the one encoding of a point, or the point has a small order.
    /// - [`KeyError::WellKnown`]: its secret half is a published example.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        if weak::is_well_known(bytes) {
            return Err(KeyError::WellKnown);
        }
        ed25519_compact::PublicKey::new(*bytes).validate().map_err(|_| KeyError::Point)?;
        keys::AsymmetricPublicKey::from(bytes).map(Self).map_err(|_| KeyError::Point)
    }

    /// The key as PASERK `k4.public.…`.
    #[must_use]
    pub fn to_paserk(&self) -> String {
        [PUBLIC, &self.encoded()].concat()
    }

    /// The key as JWK of the type `OKP`, with its thumbprint as `kid`: what belongs in a set of keys for strangers who verify.
    #[must_use]
    pub fn to_jwk(&self) -> String {
        jwk::write_public(&self.encoded(), &self.thumbprint())
    }

    /// The key's name in PASETOs: PASERK `k4.pid.…`.
    #[must_use]
    pub fn paserk_id(&self) -> String {
        paserk::id(PUBLIC_ID, &self.to_paserk())
    }

    /// The key's name in JWTs: the thumbprint of its JWK (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        jwk::thumbprint_of_public(&self.encoded())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) const fn as_v4_public(&self) -> &keys::AsymmetricPublicKey<V4> {
        &self.0
    }

    fn encoded(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.as_bytes())
    }
}

impl From<&SecretKey> for PublicKey {
    fn from(key: &SecretKey) -> Self {
        key.public_key()
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    /// Reads a key in either of the two forms; see [`SecretKey`].
    ///
    /// # Errors
    ///
    /// - [`KeyError::NotSecret`], [`KeyError::Paserk`], [`KeyError::Jwk`]: it has neither of the forms.
    /// - [`KeyError::Halves`]: its public half belongs to another key.
    /// - [`KeyError::WellKnown`], [`KeyError::Sequence`], [`KeyError::Repetition`], [`KeyError::Monotony`]: it is weak.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if let Some(encoded) = text.strip_prefix(SECRET) {
            let bytes = paserk::decode::<64>(encoded)?;
            let (seed, public) = bytes.split_first_chunk().ok_or(KeyError::Paserk)?;
            return Self::from_halves(seed, public);
        }
        if jwk::is_meant(text) {
            let halves = jwk::secret(text)?;
            return Self::from_halves(&halves.seed, &halves.public);
        }
        Err(KeyError::NotSecret)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Reads a key in either of the two forms; see [`PublicKey`].
    ///
    /// # Errors
    ///
    /// - [`KeyError::NotPublic`], [`KeyError::Paserk`], [`KeyError::Jwk`]: it has neither of the forms.
    /// - [`KeyError::Point`], [`KeyError::WellKnown`]: anybody could make tokens that it verifies.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if let Some(encoded) = text.strip_prefix(PUBLIC) {
            return Self::from_bytes(&*paserk::decode::<32>(encoded)?);
        }
        if jwk::is_meant(text) {
            return Self::from_bytes(&jwk::public(text)?);
        }
        Err(KeyError::NotPublic)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({:?})", self.public)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.to_paserk())
    }
}
