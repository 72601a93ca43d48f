//! JWT with HS256: claims in plain sight, authenticated with HMAC-SHA-256.

use std::convert::Infallible;

use aws_lc_rs::hmac;
use time::OffsetDateTime;

use super::{NumericDate, Parts, name, write};
use crate::{
    Claims, Error, Expected, IssueError, KeyRing, Leeway, SymmetricKey, TokenMaker, claims,
    ring::ByName, verifier::Verifier,
};

/// Makes JWTs signed with HMAC-SHA-256 (RFC 7518 §3.2): anybody can read them, nobody without the key can make or alter
/// them.
///
/// The algorithm is part of the maker and not of the token; the header's `kid` is the key's thumbprint. Times are
/// `NumericDate` integers, seconds since 1970.
#[derive(Clone, Debug)]
pub struct Hs256 {
    active: hmac::Key,
    name: String,
    keys: ByName<hmac::Key>,
    verifier: Verifier,
}

impl Hs256 {
    /// A maker that uses these keys.
    #[must_use]
    pub fn new(keys: impl Into<KeyRing<SymmetricKey>>) -> Self {
        let ring = keys.into();
        Self {
            active: hmac_key(ring.active()),
            name: hs256_name(ring.active()),
            keys: ring.by_name(hs256_name, hmac_key),
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

fn hs256_name(key: &SymmetricKey) -> String {
    name("HS256", &key.thumbprint())
}

pub(super) fn hmac_key(key: &SymmetricKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())
}

/// True if the key has signed the message; takes the same time wherever the signature differs.
pub(super) fn is_signed(key: &hmac::Key, parts: &Parts<'_>) -> bool {
    hmac::verify(key, parts.message.as_bytes(), &parts.signature).is_ok()
}

impl TokenMaker for Hs256 {
    fn issue(&self, claims: &Claims) -> Result<String, IssueError> {
        let json = claims::write::<NumericDate>(claims)?;
        let token = write(&self.name, &json, |message| Ok(hmac::sign(&self.active, message)));
        claims::fit(token.map_err(|never: Infallible| match never {})?)
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
