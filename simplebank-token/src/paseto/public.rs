//! PASETO v4.public: claims in plain sight, signed with Ed25519.

use pasetors::{
    keys,
    token::{Public, UntrustedToken},
    version4::{PublicToken, V4},
};
use time::OffsetDateTime;

use super::{Rfc3339, footer, key_name, name};
use crate::{
    Claims, Error, Expected, IssueError, KeyRing, Leeway, SecretKey, TokenMaker, claims,
    ring::ByName, verifier::Verifier,
};

/// Makes PASETO v4.public tokens: anybody can read them, whoever has the public key can verify them, and nobody without the
/// secret one can make or alter them.
///
/// The footer names the key and nothing else. Times are RFC 3339 strings in UTC.
#[derive(Clone, Debug)]
pub struct PasetoPublic {
    active: keys::AsymmetricSecretKey<V4>,
    footer: String,
    keys: ByName<keys::AsymmetricPublicKey<V4>>,
    verifier: Verifier,
}

impl PasetoPublic {
    /// A maker that uses these keys.
    #[must_use]
    pub fn new(keys: impl Into<KeyRing<SecretKey>>) -> Self {
        let ring = keys.into();
        Self {
            active: ring.active().as_v4_public().clone(),
            footer: footer(&ring.active().public_key().paserk_id()),
            keys: ring.by_name(|key| name(&key.paserk_id()), |key| key.as_v4_public().clone()),
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
        let key = self.keys.get(key_name(token, PublicToken::HEADER)?)?;
        let token = UntrustedToken::<Public, V4>::try_from(token).ok()?;
        let trusted = PublicToken::verify(key, &token, None, None).ok()?;
        claims::read::<Rfc3339>(trusted.payload().as_bytes())
    }
}

impl TokenMaker for PasetoPublic {
    fn issue(&self, claims: &Claims) -> Result<String, IssueError> {
        let json = claims::write::<Rfc3339>(claims)?;
        let footer = Some(self.footer.as_bytes());
        let token = PublicToken::sign(&self.active, &json, footer, None);
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
