//! PASETO v4: what both purposes have in common.
//!
//! A token is `v4.<purpose>.<body>.<footer>`. The footer is `{"kid":"…"}` with the PASERK id of the key, so each key has one
//! footer and a token without a footer names none. The implicit assertion is empty.

mod local;
mod public;
#[cfg(test)]
mod vectors;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::{local::PasetoLocal, public::PasetoPublic};

/// The footer of a key with this PASERK id.
fn footer(paserk_id: &str) -> String {
    [r#"{"kid":""#, paserk_id, r#""}"#].concat()
}

/// The name by which tokens call a key: its footer, as it stands at the end of a token.
fn name(paserk_id: &str) -> String {
    URL_SAFE_NO_PAD.encode(footer(paserk_id))
}

/// The name of the key in a token, if it has the form of a token with this header.
fn key_name<'t>(token: &'t str, header: &str) -> Option<&'t str> {
    token.strip_prefix(header)?.split_once('.').map(|(_, footer)| footer)
}

/// An instant as RFC 3339 text, which is what the PASETO registry of claims asks for.
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
