//! PASETO v4.local: claims encrypted with XChaCha20 and authenticated with keyed BLAKE2b.

use pasetors::{
    keys,
    token::{Local, UntrustedToken},
    version4::{LocalToken, V4},
};
use time::OffsetDateTime;

use super::{Rfc3339, footer, key_name, name};
use crate::{
    Claims, Error, Expected, IssueError, KeyRing, Leeway, SymmetricKey, TokenMaker, claims,
    ring::ByName, verifier::Verifier,
};

/// Makes PASETO v4.local tokens: nobody without the key can read or alter them.
///
/// The footer names the key and nothing else, and it is not encrypted. Times are RFC 3339 strings in UTC. The nonce comes from
/// the operating system.
#[derive(Clone, Debug)]
pub struct PasetoLocal {
    active: keys::SymmetricKey<V4>,
    footer: String,
    keys: ByName<keys::SymmetricKey<V4>>,
    verifier: Verifier,
}

impl PasetoLocal {
    /// A maker that uses these keys.
    #[must_use]
    pub fn new(keys: impl Into<KeyRing<SymmetricKey>>) -> Self {
        let ring = keys.into();
        Self {
            active: ring.active().as_v4_local().clone(),
            footer: footer(&ring.active().paserk_id()),
            keys: ring.by_name(|key| name(&key.paserk_id()), |key| key.as_v4_local().clone()),
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
        let key = self.keys.get(key_name(token, LocalToken::HEADER)?)?;
        let token = UntrustedToken::<Local, V4>::try_from(token).ok()?;
        let trusted = LocalToken::decrypt(key, &token, None, None).ok()?;
        claims::read::<Rfc3339>(trusted.payload().as_bytes())
    }
}

impl TokenMaker for PasetoLocal {
    fn issue(&self, claims: &Claims) -> Result<String, IssueError> {
        let json = claims::write::<Rfc3339>(claims)?;
        let footer = Some(self.footer.as_bytes());
        let token = LocalToken::encrypt(&self.active, &json, footer, None);
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
