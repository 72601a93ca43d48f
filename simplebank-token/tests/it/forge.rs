//! What the tests work with: keys, claims, and tokens that hold whatever a test likes under a genuine key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use pasetors::{
    keys,
    version4::{LocalToken, V4},
};
use simplebank_core::{Role, SessionId, TokenId, UserId};
use simplebank_token::{
    Claims, Error, Expected, Hs256, PasetoLocal, SymmetricKey, TokenKind, TokenMaker,
};
use time::{Duration, OffsetDateTime, macros::datetime};

/// The instant of most tests.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

/// The header of an HS256 token.
pub(crate) const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

const KEY: [u8; 32] = *b"kT3vQ9xZ1mB7nL5rW8dY2hJ6pF4sG0cA";

pub(crate) fn key() -> SymmetricKey {
    SymmetricKey::from_bytes(&KEY).expect("the key is strong")
}

/// The key of [`key`] with one bit changed.
pub(crate) fn other_key() -> SymmetricKey {
    let mut bytes = KEY;
    bytes[31] ^= 1;
    SymmetricKey::from_bytes(&bytes).expect("the key is strong")
}

pub(crate) fn makers(key: &SymmetricKey) -> [Box<dyn TokenMaker>; 2] {
    [Box::new(PasetoLocal::new(key)), Box::new(Hs256::new(key))]
}

pub(crate) fn claims() -> Claims {
    Claims {
        id: TokenId::from_parts(1_795_176_000_000, [1; 10]),
        subject: UserId::from_parts(1_795_176_000_000, [2; 10]),
        role: Role::Depositor,
        session: SessionId::from_parts(1_795_176_000_000, [3; 10]),
        kind: TokenKind::Access,
        issuer: "https://bank.example".to_owned(),
        audience: "https://bank.example/v1".to_owned(),
        issued_at: NOW,
        not_before: NOW,
        expires_at: NOW + Duration::minutes(15),
    }
}

/// What exactly these claims fulfil.
pub(crate) fn expected(claims: &Claims) -> Expected<'_> {
    Expected { kind: claims.kind, issuer: &claims.issuer, audience: &claims.audience }
}

/// A maker, a way to put any payload under its key, and its payload for [`claims`], claim by claim as JSON.
pub(crate) struct Format {
    pub(crate) maker: Box<dyn TokenMaker>,
    pub(crate) forge: fn(&str) -> String,
    pub(crate) members: Vec<(&'static str, String)>,
}

impl Format {
    /// What the maker says of this payload at [`NOW`] when [`claims`] are expected.
    pub(crate) fn verdict(&self, payload: &str) -> Result<Claims, Error> {
        self.maker.verify(&(self.forge)(payload), &expected(&claims()), NOW)
    }

    /// The payload with one claim's JSON replaced.
    pub(crate) fn with(&self, name: &str, json: &str) -> String {
        self.with_all(&[(name, json)])
    }

    /// The payload with the JSON of these claims replaced.
    pub(crate) fn with_all(&self, changes: &[(&str, &str)]) -> String {
        let mut members = self.members.clone();
        for (name, json) in &mut members {
            if let Some(change) = changes.iter().find(|change| change.0 == *name) {
                change.1.clone_into(json);
            }
        }
        object(&members)
    }
}

pub(crate) fn formats() -> [Format; 2] {
    let quoted = |text: &dyn ToString| format!("{:?}", text.to_string());
    let claims = claims();
    let common = [
        ("iss", quoted(&claims.issuer)),
        ("sub", quoted(&claims.subject)),
        ("aud", quoted(&claims.audience)),
        ("jti", quoted(&claims.id)),
        ("role", quoted(&claims.role)),
        ("sid", quoted(&claims.session)),
        ("typ", quoted(&claims.kind.as_str())),
    ];
    let with_times = |times: [&str; 3]| {
        let times = ["iat", "nbf", "exp"].into_iter().zip(times.map(str::to_owned));
        common.clone().into_iter().chain(times).collect()
    };
    let [paseto, hs256] = makers(&key());
    let rfc3339 =
        [r#""2026-11-20T12:00:00Z""#, r#""2026-11-20T12:00:00Z""#, r#""2026-11-20T12:15:00Z""#];
    let seconds = ["1795176000", "1795176000", "1795176900"];
    [
        Format { maker: paseto, forge: paseto_of, members: with_times(rfc3339) },
        Format { maker: hs256, forge: |json| jwt_of(HEADER, json), members: with_times(seconds) },
    ]
}

/// A JSON object of these members, in this order.
pub(crate) fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, json)| format!("{name:?}:{json}")).collect();
    format!("{{{}}}", members.join(","))
}

/// A PASETO that holds this payload.
pub(crate) fn paseto_of(payload: &str) -> String {
    paseto_with(payload, None, None)
}

/// A PASETO that holds this payload, with a footer and an implicit assertion.
pub(crate) fn paseto_with(
    payload: &str,
    footer: Option<&[u8]>,
    assertion: Option<&[u8]>,
) -> String {
    let key = keys::SymmetricKey::<V4>::from(&KEY).expect("the key has 32 bytes");
    LocalToken::encrypt(&key, payload.as_bytes(), footer, assertion).expect("it is not empty")
}

/// A JWT with this header and payload, whose HS256 signature is right, whatever the header says.
pub(crate) fn jwt_of(header: &str, payload: &str) -> String {
    jwt_signed(header, payload, Algorithm::HS256)
}

/// A JWT with this header and payload and a right signature of an HMAC algorithm.
pub(crate) fn jwt_signed(header: &str, payload: &str, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", base64(header), base64(payload));
    let signature = jwt_signature(&message, algorithm);
    format!("{message}.{signature}")
}

/// The HMAC of an encoded header and payload.
pub(crate) fn jwt_signature(message: &str, algorithm: Algorithm) -> String {
    let key = EncodingKey::from_secret(&KEY);
    jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).expect("HMAC takes any key")
}

pub(crate) fn base64(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}
