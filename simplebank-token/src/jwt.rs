//! JWT with HS256: claims in plain sight, authenticated with HMAC-SHA-256.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto::aws_lc::DEFAULT_PROVIDER};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    Claims, Error, Expected, IssueError, SymmetricKey, TOKEN_BYTES_MAX, TokenMaker, claims,
};

/// `{"alg":"HS256","typ":"JWT"}` in base64url, and the dot after it.
///
/// This is the only header there is. It is compared, never parsed, so that a token has no say in how it is verified
/// (RFC 8725 §3.1): no `none`, no other algorithm, no `jwk`, `jku`, `x5u`, `kid` or `crit`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.";

/// Makes JWTs signed with HMAC-SHA-256 (RFC 7515, RFC 7519): anybody can read them, nobody without the key can alter
/// them.
///
/// The algorithm is part of the maker and not of the token. Times are `NumericDate` integers, seconds since 1970.
#[derive(Clone, Debug)]
pub struct Hs256 {
    signing: EncodingKey,
    verifying: DecodingKey,
}

impl Hs256 {
    /// A maker that uses this key.
    #[must_use]
    pub fn new(key: &SymmetricKey) -> Self {
        Self {
            signing: EncodingKey::from_secret(key.as_bytes()),
            verifying: DecodingKey::from_secret(key.as_bytes()),
        }
    }

    // Both name the backend instead of asking for the process-wide default, because that one is anybody's to replace,
    // and panics when some other crate turns on the feature `rust_crypto` of jsonwebtoken.

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, IssueError> {
        let signer = (DEFAULT_PROVIDER.signer_factory)(&Algorithm::HS256, &self.signing)
            .map_err(IssueError::failed)?;
        signer.try_sign(message).map_err(IssueError::failed)
    }

    fn check(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&Algorithm::HS256, &self.verifying)
            .map_err(|_| Error::Invalid)?;
        verifier.verify(message, signature).map_err(|_| Error::Invalid)
    }
}

impl TokenMaker for Hs256 {
    fn issue(&self, claims: &Claims) -> Result<String, IssueError> {
        let json = claims::write::<NumericDate>(claims)?;
        let message = format!("{HEADER}{}", URL_SAFE_NO_PAD.encode(json));
        let signature = self.sign(message.as_bytes())?;
        claims::fit(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
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
        let (message, signature) = token.rsplit_once('.').ok_or(Error::Invalid)?;
        let payload = message.strip_prefix(HEADER).ok_or(Error::Invalid)?;
        // This engine refuses padding, white space and a last character whose unused bits are set.
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Error::Invalid)?;
        self.check(message.as_bytes(), &signature)?;
        let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Error::Invalid)?;
        claims::accept::<NumericDate>(&json, expected, now)
    }
}

/// An instant as seconds since 1970: an integer, though RFC 7519 §2 would allow fractions.
#[derive(Serialize, Deserialize)]
struct NumericDate(#[serde(with = "time::serde::timestamp")] OffsetDateTime);

impl From<OffsetDateTime> for NumericDate {
    fn from(at: OffsetDateTime) -> Self {
        Self(at)
    }
}

impl From<NumericDate> for OffsetDateTime {
    fn from(at: NumericDate) -> Self {
        at.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_the_comment_says() {
        let header = URL_SAFE_NO_PAD.decode(HEADER.trim_end_matches('.')).unwrap();
        assert_eq!(header, br#"{"alg":"HS256","typ":"JWT"}"#);
    }
}
