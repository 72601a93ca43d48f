//! What is done with bytes that anybody may send: one function for each parser, for the fuzzer and for the tests.
//!
//! Each of them panics if something is accepted that must not be.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use pasetors::{
    keys,
    version4::{LocalToken, V4},
};
use simplebank_token::{
    EdDsa, Expected, Hs256, PasetoLocal, PasetoPublic, PublicKey, SecretKey, SymmetricKey,
    TokenKind, TokenMaker,
};
use time::{OffsetDateTime, macros::datetime};

const KEY: &[u8; 32] = b"kT3vQ9xZ1mB7nL5rW8dY2hJ6pF4sG0cA";
const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
const EXPECTED: Expected<'_> =
    Expected { kind: TokenKind::Access, issuer: "simplebank", audience: "simplebank" };

/// The makers, and how their tokens begin (a JWT) or end (a PASETO): without that, nothing of a text is looked at.
struct World {
    local: PasetoLocal,
    public: PasetoPublic,
    hs256: Hs256,
    eddsa: EdDsa,
    footers: [String; 2],
    headers: [String; 2],
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let shared = SymmetricKey::from_bytes(KEY).expect("a strong key");
    let pair = SecretKey::from_seed(KEY).expect("a strong key");
    let public = pair.public_key();
    let footer = |id| URL_SAFE_NO_PAD.encode(format!(r#"{{"kid":"{id}"}}"#));
    let header = |algorithm, kid| {
        URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}","typ":"JWT","kid":"{kid}"}}"#))
    };
    World {
        footers: [footer(shared.paserk_id()), footer(public.paserk_id())],
        headers: [header("HS256", shared.thumbprint()), header("EdDSA", public.thumbprint())],
        local: PasetoLocal::new(&shared),
        public: PasetoPublic::new(&pair),
        hs256: Hs256::new(&shared),
        eddsa: EdDsa::new(&pair),
    }
});

fn refuse(maker: &dyn TokenMaker, token: &str) {
    let verdict = maker.verify(token, &EXPECTED, NOW);
    assert!(verdict.is_err(), "{maker:?} accepts what it has not issued: {token:?}");
}

/// A text as a PASETO: alone, and as the body of one with the right header and footer; also the bytes themselves as a body.
pub(crate) fn paseto(bytes: &[u8]) {
    let World { local, public, footers: [lid, pid], .. } = &*WORLD;
    let encoded = URL_SAFE_NO_PAD.encode(bytes);
    for body in [&String::from_utf8_lossy(bytes), encoded.as_str()] {
        for token in [body, &format!("v4.local.{body}.{lid}"), &format!("v4.public.{body}.{pid}")] {
            refuse(local, token);
            refuse(public, token);
        }
    }
}

/// A text as a JWT: alone, and as what follows the right header; also the bytes themselves as payload and signature.
pub(crate) fn jwt(bytes: &[u8]) {
    let World { hs256, eddsa, headers, .. } = &*WORLD;
    let text = String::from_utf8_lossy(bytes);
    let (payload, signature) = bytes.split_at(bytes.len().saturating_sub(64));
    let encoded = [URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(signature)].join(".");
    let whole = headers.each_ref().map(|header| format!("{header}.{encoded}"));
    let after = headers.each_ref().map(|header| format!("{header}.{text}"));
    for token in whole.iter().chain(&after).map(String::as_str).chain([&*text]) {
        refuse(hs256, token);
        refuse(eddsa, token);
    }
}

/// Any payload, genuinely encrypted or signed. What is accepted says what is expected, and is issued again the same.
pub(crate) fn claims(bytes: &[u8]) {
    let World { local, hs256, footers: [lid, _], headers: [header, _], .. } = &*WORLD;
    if bytes.is_empty() {
        return;
    }
    let key = keys::SymmetricKey::<V4>::from(KEY).expect("it has 32 bytes");
    let footer = URL_SAFE_NO_PAD.decode(lid).expect("it was encoded");
    let paseto = LocalToken::encrypt(&key, bytes, Some(&footer), None).expect("it is not empty");
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(bytes));
    let secret = EncodingKey::from_secret(KEY);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &secret, Algorithm::HS256);
    let jwt = format!("{message}.{}", signature.expect("HMAC takes any key"));
    let genuine: [(&dyn TokenMaker, String); 2] = [(local, paseto), (hs256, jwt)];
    for (maker, token) in genuine {
        let Ok(claims) = maker.verify(&token, &EXPECTED, NOW) else { continue };
        assert!(claims.expires_at > NOW && claims.not_before <= NOW && claims.issued_at <= NOW);
        assert_eq!((claims.kind, &*claims.issuer), (EXPECTED.kind, EXPECTED.issuer));
        let again = maker.issue(&claims).expect("they were in a token");
        assert_eq!(maker.verify(&again, &EXPECTED, NOW), Ok(claims));
    }
}

/// A text as a PASERK. What is read is written the same.
pub(crate) fn paserk(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let encoded = URL_SAFE_NO_PAD.encode(bytes);
    for start in ["", "k4.local.", "k4.secret.", "k4.public."] {
        for text in [format!("{start}{text}"), format!("{start}{encoded}")] {
            if !text.starts_with("k4.") {
                continue;
            }
            // 32 characters are a key of their own.
            if text.len() != 32
                && let Ok(key) = text.parse::<SymmetricKey>()
            {
                assert_eq!(*key.to_paserk(), text);
            }
            if let Ok(key) = text.parse::<SecretKey>() {
                assert_eq!(*key.to_paserk(), text);
            }
            if let Ok(key) = text.parse::<PublicKey>() {
                assert_eq!(key.to_paserk(), text);
            }
        }
    }
}

/// A text as a JWK. What is read is the same key after it was written and read again.
pub(crate) fn jwk(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let members = text.trim_start_matches('{');
    for start in ["{", r#"{"kty":"oct","#, r#"{"kty":"OKP","crv":"Ed25519","#] {
        let text = format!("{start}{members}");
        if let Ok(key) = text.parse::<SymmetricKey>() {
            let again = key.to_jwk().parse::<SymmetricKey>().expect("a JWK of ours");
            assert_eq!(again.thumbprint(), key.thumbprint());
        }
        if let Ok(key) = text.parse::<SecretKey>() {
            let again = key.to_jwk().parse::<SecretKey>().expect("a JWK of ours");
            assert_eq!(again.public_key(), key.public_key());
            assert!(text.parse::<PublicKey>().is_err(), "a secret key is no public one");
        }
        if let Ok(key) = text.parse::<PublicKey>() {
            assert_eq!(key.to_jwk().parse(), Ok(key));
        }
    }
}

/// A text as a setting of a shared key in any form.
pub(crate) fn shared_key(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    for text in [&*text, &*hex, &hex.to_uppercase()] {
        let Ok(key) = text.parse::<SymmetricKey>() else { continue };
        let again = key.to_paserk().parse::<SymmetricKey>().expect("a PASERK of ours");
        assert_eq!(again.paserk_id(), key.paserk_id());
    }
    if let Ok(key) = SymmetricKey::from_bytes(bytes) {
        let of_hex = hex.parse::<SymmetricKey>().expect("the same bytes");
        assert_eq!(of_hex.thumbprint(), key.thumbprint());
    }
}
