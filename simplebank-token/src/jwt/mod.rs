//! JWT (RFC 7519): what both algorithms have in common.
//!
//! A token is `<header>.<payload>.<signature>`, a JWS in its compact form (RFC 7515 §7.1). The header is
//! `{"alg":"…","typ":"JWT","kid":"…"}` with the thumbprint of the key, in this order and spelling, so each key has one header.
//! It is compared, never parsed, so that a token has no say in how it is verified (RFC 8725 §3.1): no `none`, no other
//! algorithm, no `jwk`, `jku`, `x5u`, `crit` or `b64`, and no `kid` that is not in the ring.

mod eddsa;
mod hs256;
#[cfg(test)]
mod vectors;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::{eddsa::EdDsa, hs256::Hs256};

/// The name by which tokens call a key: their header, encoded.
fn name(algorithm: &str, thumbprint: &str) -> String {
    let header =
        [r#"{"alg":""#, algorithm, r#"","typ":"JWT","kid":""#, thumbprint, r#""}"#].concat();
    URL_SAFE_NO_PAD.encode(header)
}

/// The token with this name of a key and these claims; `sign` makes the signature.
fn write<S: AsRef<[u8]>, E>(
    name: &str,
    json: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<S, E>,
) -> Result<String, E> {
    let message = [name, ".", &URL_SAFE_NO_PAD.encode(json)].concat();
    let signature = sign(message.as_bytes())?;
    Ok([&message, ".", &URL_SAFE_NO_PAD.encode(signature)].concat())
}

/// A token in its parts, none of which is trusted yet.
struct Parts<'t> {
    /// What is signed: header and payload, encoded.
    message: &'t str,
    header: &'t str,
    payload: &'t str,
    signature: Vec<u8>,
}

impl<'t> Parts<'t> {
    fn of(token: &'t str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        Some(Self { message, header, payload, signature: decode(signature)? })
    }

    /// The payload, to be called once the signature is checked.
    fn trusted_payload(&self) -> Option<Vec<u8>> {
        decode(self.payload)
    }
}

/// The bytes behind base64url. Padding, white space and a last character with unused bits that are set are refused.
fn decode(encoded: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(encoded).ok()
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
