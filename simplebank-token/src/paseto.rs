//! PASETO v4.local: claims encrypted with XChaCha20 and authenticated with keyed BLAKE2b.

use pasetors::{
    keys,
    token::{Local, UntrustedToken},
    version4::{LocalToken, V4},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    Claims, Error, Expected, IssueError, SymmetricKey, TOKEN_BYTES_MAX, TokenMaker, claims,
};

/// Makes PASETO v4.local tokens: nobody without the key can read or alter them.
///
/// Footer and implicit assertion are empty, and a token with a footer is refused. Times are RFC 3339 strings in UTC, as
/// the PASETO registry of claims asks. The nonce comes from the operating system.
#[derive(Clone, Debug)]
pub struct PasetoLocal {
    key: keys::SymmetricKey<V4>,
}

impl PasetoLocal {
    /// A maker that uses this key.
    #[must_use]
    pub fn new(key: &SymmetricKey) -> Self {
        Self { key: key.as_v4_local().clone() }
    }
}

impl TokenMaker for PasetoLocal {
    fn issue(&self, claims: &Claims) -> Result<String, IssueError> {
        let json = claims::write::<Rfc3339>(claims)?;
        let token =
            LocalToken::encrypt(&self.key, &json, None, None).map_err(IssueError::failed)?;
        claims::fit(token)
    }

    fn verify(
        &self,
        token: &str,
        expected: &Expected<'_>,
        now: OffsetDateTime,
    ) -> Result<Claims, Error> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Error::Invalid);
        }
        let body = token.strip_prefix(LocalToken::HEADER).ok_or(Error::Invalid)?;
        // Besides a footer this refuses a bare dot at the end, which pasetors 0.8.1 takes for an empty footer: a second
        // spelling of the same token.
        if body.contains('.') {
            return Err(Error::Invalid);
        }
        let untrusted = UntrustedToken::<Local, V4>::try_from(token).map_err(|_| Error::Invalid)?;
        let trusted =
            LocalToken::decrypt(&self.key, &untrusted, None, None).map_err(|_| Error::Invalid)?;
        claims::accept::<Rfc3339>(trusted.payload().as_bytes(), expected, now)
    }
}

/// An instant as RFC 3339 text.
#[derive(Serialize, Deserialize)]
struct Rfc3339(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

impl From<OffsetDateTime> for Rfc3339 {
    fn from(at: OffsetDateTime) -> Self {
        Self(at)
    }
}

impl From<Rfc3339> for OffsetDateTime {
    fn from(at: Rfc3339) -> Self {
        at.0
    }
}
