//! JWT with EdDSA: claims in plain sight, signed with Ed25519.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use time::OffsetDateTime;

use super::{NumericDate, Parts, name, write};
use crate::{
    Claims, Error, Expected, IssueError, KeyRing, Leeway, PublicKey, SecretKey, TokenMaker, claims,
    ring::ByName, verifier::Verifier,
};

/// Makes JWTs signed with Ed25519 (RFC 8037): anybody can read them, whoever has the public key can verify them, and nobody
/// without the secret one can make or alter them.
///
/// The algorithm, which the header calls `EdDSA`, is part of the maker and not of the token; the header's `kid` is the
/// key's thumbprint. Times are `NumericDate` integers, seconds since 1970.
#[derive(Clone, Debug)]
pub struct EdDsa {
    active: SecretKey,
    name: String,
    keys: ByName<Verifying>,
    verifier: Verifier,
}

/// A public key as the library verifies with it.
type Verifying = UnparsedPublicKey<Vec<u8>>;

impl EdDsa {
    /// A maker that uses these keys.
    #[must_use]
    pub fn new(keys: impl Into<KeyRing<SecretKey>>) -> Self {
        let ring = keys.into();
        Self {
            active: ring.active().clone(),
            name: eddsa_name(&ring.active().public_key()),
            keys: ring.by_name(eddsa_name, verifying),
            verifier: Verifier::default(),
        }
    }

    /// The same maker, which believes tokens this much before and after their times.
    #[must_use]
    pub fn with_leeway(self, leeway: Leeway) -> Self {
        Self { verifier: self.verifier.with_leeway(leeway), ..self }
    }

    /// The same maker, which knows the tokens that it found genuine lately, so many at most; see
    /// [remembering](crate#remembering).
    #[must_use]
    pub fn remembering(self, tokens: usize) -> Self {
        Self { verifier: self.verifier.remembering(tokens), ..self }
    }

    /// What a token says, if one of the keys has made it.
    fn open(&self, token: &str) -> Option<Claims> {
        let parts = Parts::of(token)?;
        let key = self.keys.get(parts.header)?;
        let json = is_signed(key, &parts).then(|| parts.trusted_payload()).flatten()?;
        claims::read::<NumericDate>(&json)
    }
}

fn eddsa_name(key: &PublicKey) -> String {
    name("EdDSA", &key.thumbprint())
}

pub(super) fn verifying(key: &PublicKey) -> Verifying {
    UnparsedPublicKey::new(&ED25519, key.as_bytes().to_vec())
}

pub(super) fn is_signed(key: &Verifying, parts: &Parts<'_>) -> bool {
    key.verify(parts.message.as_bytes(), &parts.signature).is_ok()
}

impl TokenMaker for EdDsa {
    fn issue(&self, claims: &Claims) -> Result<String, IssueError> {
        let json = claims::write::<NumericDate>(claims)?;
        // The pair is made each time: it costs as much as the signature, and no second copy of the secret is kept.
        let public = self.active.public_key();
        let pair = Ed25519KeyPair::from_seed_and_public_key(self.active.seed(), public.as_bytes())
            .map_err(IssueError::failed)?;
        let token = write(&self.name, &json, |message| pair.try_sign(message));
        claims::fit(token.map_err(IssueError::failed)?)
    }

    fn verify(
        &self,
        token: &str,
        expected: &Expected<'_>,
        now: OffsetDateTime,
    ) -> Result<Claims, Error> {
        self.verifier.verify(token, expected, now, |token| self.open(token))
    }
}
