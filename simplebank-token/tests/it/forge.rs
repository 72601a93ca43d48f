//! What the tests work with: keys, claims, and tokens that hold whatever a test likes under a genuine key.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use pasetors::{
    keys,
    version4::{LocalToken, PublicToken, V4},
};
use simplebank_core::{Role, SessionId, TokenId, UserId};
use simplebank_token::{
    Claims, EdDsa, Error, Expected, Hs256, PasetoLocal, PasetoPublic, SecretKey, SymmetricKey,
    TokenKind, TokenMaker,
};
use time::{Duration, OffsetDateTime, macros::datetime};

/// The instant of most tests.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

const KEY: [u8; 32] = *b"kT3vQ9xZ1mB7nL5rW8dY2hJ6pF4sG0cA";

/// The keys of all makers, which have the same bytes so that nothing but the format tells tokens apart.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) shared: SymmetricKey,
    pub(crate) pair: SecretKey,
}

impl Keys {
    fn of(bytes: [u8; 32]) -> Self {
        Self {
            shared: SymmetricKey::from_bytes(&bytes).expect("the key is strong"),
            pair: SecretKey::from_seed(&bytes).expect("the key is strong"),
        }
    }
}

pub(crate) fn key() -> Keys {
    Keys::of(KEY)
}

/// The keys of [`key`] with one bit changed.
pub(crate) fn other_key() -> Keys {
    let mut bytes = KEY;
    bytes[31] ^= 1;
    Keys::of(bytes)
}

/// v4.local, v4.public, HS256 and EdDSA, always in this order.
pub(crate) fn makers(keys: &Keys) -> [Box<dyn TokenMaker>; 4] {
    [
        Box::new(PasetoLocal::new(&keys.shared)),
        Box::new(PasetoPublic::new(&keys.pair)),
        Box::new(Hs256::new(&keys.shared)),
        Box::new(EdDsa::new(&keys.pair)),
    ]
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

pub(crate) fn formats() -> [Format; 4] {
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
        common.clone().into_iter().chain(times).collect::<Vec<_>>()
    };
    let rfc3339 = with_times([
        r#""2026-11-20T12:00:00Z""#,
        r#""2026-11-20T12:00:00Z""#,
        r#""2026-11-20T12:15:00Z""#,
    ]);
    let seconds = with_times(["1795176000", "1795176000", "1795176900"]);
    let [local, public, hs256, eddsa] = makers(&key());
    [
        Format { maker: local, forge: local_of, members: rfc3339.clone() },
        Format { maker: public, forge: public_of, members: rfc3339 },
        Format { maker: hs256, forge: hs256_of, members: seconds.clone() },
        Format { maker: eddsa, forge: eddsa_of, members: seconds },
    ]
}

/// A JSON object of these members, in this order.
pub(crate) fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, json)| format!("{name:?}:{json}")).collect();
    format!("{{{}}}", members.join(","))
}

/// The footer with this key id.
pub(crate) fn footer(kid: &str) -> String {
    format!(r#"{{"kid":"{kid}"}}"#)
}

/// A v4.local token that holds this payload.
pub(crate) fn local_of(payload: &str) -> String {
    local_with(payload, Some(footer(&key().shared.paserk_id()).as_bytes()), None)
}

/// A v4.local token that holds this payload, with a footer and an implicit assertion.
pub(crate) fn local_with(payload: &str, footer: Option<&[u8]>, implicit: Option<&[u8]>) -> String {
    let key = keys::SymmetricKey::<V4>::from(&KEY).expect("the key has 32 bytes");
    LocalToken::encrypt(&key, payload.as_bytes(), footer, implicit).expect("it is not empty")
}

/// A v4.public token that holds this payload.
pub(crate) fn public_of(payload: &str) -> String {
    public_with(payload, Some(footer(&key().pair.public_key().paserk_id()).as_bytes()), None)
}

/// A v4.public token that holds this payload, with a footer and an implicit assertion.
pub(crate) fn public_with(payload: &str, footer: Option<&[u8]>, implicit: Option<&[u8]>) -> String {
    let pair = URL_SAFE_NO_PAD.decode(&key().pair.to_paserk()["k4.secret.".len()..]);
    let pair = keys::AsymmetricSecretKey::<V4>::from(&pair.expect("it is base64")).expect("a pair");
    PublicToken::sign(&pair, payload.as_bytes(), footer, implicit).expect("it is not empty")
}

/// The header of an HS256 token.
pub(crate) fn hs256_header() -> String {
    header("HS256", &key().shared.thumbprint())
}

/// The header of an EdDSA token.
pub(crate) fn eddsa_header() -> String {
    header("EdDSA", &key().pair.public_key().thumbprint())
}

/// The header with this algorithm and key id.
pub(crate) fn header(algorithm: &str, kid: &str) -> String {
    format!(r#"{{"alg":"{algorithm}","typ":"JWT","kid":"{kid}"}}"#)
}

fn hs256_of(payload: &str) -> String {
    jwt_signed(&hs256_header(), payload, Algorithm::HS256)
}

fn eddsa_of(payload: &str) -> String {
    jwt_signed(&eddsa_header(), payload, Algorithm::EdDSA)
}

/// A JWT with this header and payload and a right signature by this algorithm, whatever the header says.
pub(crate) fn jwt_signed(header: &str, payload: &str, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", base64(header), base64(payload));
    let signature = jwt_signature(&message, algorithm);
    format!("{message}.{signature}")
}

/// The signature of an encoded header and payload.
pub(crate) fn jwt_signature(message: &str, algorithm: Algorithm) -> String {
    let is_pair = algorithm == Algorithm::EdDSA;
    let key =
        if is_pair { EncodingKey::from_ed_der(&pkcs8()) } else { EncodingKey::from_secret(&KEY) };
    jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).expect("the key is one")
}

/// The secret key as RFC 8410 has it: what comes before it never differs.
fn pkcs8() -> Vec<u8> {
    [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &KEY].concat()
}

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
