//! `simplebank token`: keys for the tokens of a server. No database is touched.

use std::io::{self, Read as _};

use serde::Serialize;
use serde_json::Value;
use simplebank::token::{KeyError, PublicKey, SecretKey, SymmetricKey};

use crate::{
    args::{KeyKind, Token},
    exit::{Code, Failure},
    output::{self, Document, Format},
};

/// The longest key that is read, in bytes: more than any form of it has.
const KEY_BYTES_MAX: u64 = 4096;

pub(super) fn run(command: Token, format: Format) -> Result<Code, Failure> {
    let key = match command {
        Token::GenerateKey { kind: KeyKind::Shared } => {
            let key = SymmetricKey::generate().map_err(unusable)?;
            let secret = Some(Forms::of(&key.to_paserk(), &key.to_jwk()));
            Key { secret, ..Key::from(&key) }
        }
        Token::GenerateKey { kind: KeyKind::Pair } => {
            let key = SecretKey::generate().map_err(unusable)?;
            let secret = Some(Forms::of(&key.to_paserk(), &key.to_jwk()));
            Key { secret, ..Key::from(&key.public_key()) }
        }
        Token::ShowKey => known(read()?.trim()).map_err(unusable)?,
    };
    output::document(format, &key)?;
    Ok(Code::Done)
}

/// A key in the two forms that others read.
#[derive(Serialize)]
struct Forms {
    paserk: String,
    jwk: Value,
}

impl Forms {
    fn of(paserk: &str, jwk: &str) -> Self {
        Self { paserk: paserk.to_owned(), jwk: serde_json::from_str(jwk).unwrap_or_default() }
    }
}

/// What is told of a key.
#[derive(Serialize)]
struct Key {
    kind: &'static str,
    /// Of a fresh key only: whoever has one shown has it already.
    secret: Option<Forms>,
    public: Option<Forms>,
    paserk_id: String,
    thumbprint: String,
}

impl From<&SymmetricKey> for Key {
    fn from(key: &SymmetricKey) -> Self {
        let (paserk_id, thumbprint) = (key.paserk_id(), key.thumbprint());
        Self { kind: "shared", secret: None, public: None, paserk_id, thumbprint }
    }
}

impl From<&PublicKey> for Key {
    fn from(key: &PublicKey) -> Self {
        let (paserk_id, thumbprint) = (key.paserk_id(), key.thumbprint());
        let public = Some(Forms::of(&key.to_paserk(), &key.to_jwk()));
        Self { kind: "pair", secret: None, public, paserk_id, thumbprint }
    }
}

impl Document for Key {
    fn text(&self) -> String {
        let paserk = |forms: &Option<Forms>| forms.as_ref().map(|forms| forms.paserk.clone());
        [
            ("kind", Some(self.kind.to_owned())),
            ("secret key", paserk(&self.secret)),
            ("public key", paserk(&self.public)),
            ("id in PASETOs", Some(self.paserk_id.clone())),
            ("id in JWTs", Some(self.thumbprint.clone())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name:<15}{}\n", value?)))
        .collect()
    }
}

/// What a text is the key of: a half of a pair, or a shared key.
fn known(text: &str) -> Result<Key, KeyError> {
    match text.parse::<SecretKey>() {
        Ok(key) => return Ok(Key::from(&key.public_key())),
        // It may still be a key of another type.
        Err(KeyError::NotSecret | KeyError::Jwk) => {}
        Err(error) => return Err(error),
    }
    match text.parse::<PublicKey>() {
        Ok(key) => return Ok(Key::from(&key)),
        Err(KeyError::NotPublic | KeyError::Jwk) => {}
        Err(error) => return Err(error),
    }
    text.parse::<SymmetricKey>().map(|key| Key::from(&key))
}

fn read() -> Result<String, Failure> {
    let mut text = String::new();
    let read = io::stdin().lock().take(KEY_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| Failure::TokenKey(format!("cannot read it: {error}")))?;
    Ok(text)
}

/// Says what is wrong with a key, and never shows it.
fn unusable(error: KeyError) -> Failure {
    Failure::TokenKey(error.to_string())
}
