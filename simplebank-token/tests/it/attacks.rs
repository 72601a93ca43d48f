//! Forgeries that have fooled verifiers of JWTs, each tried on a verifier that is fooled, and on ours.
//!
//! The forger knows what everybody may know, public keys included, and has keys of his own.

use aws_lc_rs::{hmac, signature};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use simplebank_token::{EdDsa, Error, Hs256, KeyRing, TokenMaker};

use crate::forge::{
    Format, NOW, base64, claims, expected, formats, header, hs256_header, key, object, other_key,
};

/// The forger's own secret.
const OWN: &[u8] = b"the forger's own secret, 32 bytes";

/// A verifier that believes what a header says: what many have done, in one.
struct Naive<'k> {
    key: &'k [u8],
}

impl Naive<'_> {
    fn accepts(&self, token: &str) -> bool {
        let mut parts = token.split('.');
        let [Some(header), Some(payload), signature] = [(); 3].map(|()| parts.next()) else {
            return false;
        };
        // Of a member that is there twice, the last one counts.
        let header: Value = serde_json::from_slice(&bytes_of(header)).unwrap_or_default();
        let message = token.rsplit_once('.').map_or("", |(message, _)| message).as_bytes();
        let signature = bytes_of(signature.unwrap_or_default());
        let key = self.key_for(&header);
        let is_signed = match header["alg"].as_str().unwrap_or_default().to_lowercase().as_str() {
            "none" => true,
            "hs256" => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), message, &signature).is_ok()
            }
            "eddsa" => signature::UnparsedPublicKey::new(&signature::ED25519, &key)
                .verify(message, &signature)
                .is_ok(),
            _ => false,
        };
        is_signed && bytes_of(payload).starts_with(b"{")
    }

    /// The key that a header names or brings along.
    fn key_for(&self, header: &Value) -> Vec<u8> {
        let of_jwk = |jwk: &Value| bytes_of(jwk["k"].as_str().or(jwk["x"].as_str()).unwrap_or(""));
        if header["jwk"].is_object() {
            return of_jwk(&header["jwk"]);
        }
        for place in ["jku", "x5u"] {
            if header[place].is_string() {
                return fetch();
            }
        }
        match header["kid"].as_str().unwrap_or_default() {
            path if path.ends_with("/dev/null") => Vec::new(),
            query if query.contains("' union select '") => {
                let (_, rest) = query.split_once("select '").expect("it was found");
                rest.split('\'').next().expect("there is a first").as_bytes().to_vec()
            }
            _ => self.key.to_vec(),
        }
    }
}

/// What is behind the address that the forger has written.
fn fetch() -> Vec<u8> {
    OWN.to_vec()
}

fn bytes_of(encoded: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(encoded).unwrap_or_default()
}

fn payload() -> String {
    let [_, _, Format { members, .. }, _] = formats();
    object(&members)
}

/// A token that is signed with HMAC-SHA-256 under this secret.
fn signed(header: &str, secret: &[u8]) -> String {
    let message = format!("{}.{}", base64(header), base64(payload()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", base64(tag))
}

/// A token that the forger's own pair has signed.
fn signed_by_own_pair(header: &str) -> String {
    let message = format!("{}.{}", base64(header), base64(payload()));
    let pair = own_pair();
    format!("{message}.{}", base64(pair.sign(message.as_bytes())))
}

fn own_pair() -> signature::Ed25519KeyPair {
    signature::Ed25519KeyPair::from_seed_unchecked(&OWN[..32]).expect("a seed is any 32 bytes")
}

fn unsigned(header: &str) -> String {
    format!("{}.{}.", base64(header), base64(payload()))
}

fn public_bytes() -> Vec<u8> {
    bytes_of(&key().pair.public_key().to_paserk()["k4.public.".len()..])
}

/// Each forgery's name and token; the verifier has a public key, which the forger has, too.
fn forgeries() -> Vec<(&'static str, String)> {
    let (kid, shared) = (key().pair.public_key().thumbprint(), key().shared.thumbprint());
    let oct = format!(r#"{{"kty":"oct","k":"{}"}}"#, base64(OWN));
    let own_x = base64(signature::KeyPair::public_key(&own_pair()));
    let okp = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{own_x}"}}"#);
    let with = |more: &str| format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{shared}",{more}}}"#);
    let public = public_bytes();
    vec![
        ("no signature", unsigned(&header("none", &kid))),
        ("no signature, capital", unsigned(&header("None", &kid))),
        ("no signature, capitals", unsigned(&header("NONE", &shared))),
        ("no signature, mixed", unsigned(&header("nOnE", &kid))),
        ("no signature, said twice", unsigned(r#"{"alg":"EdDSA","typ":"JWT","alg":"none"}"#)),
        ("public key as shared secret", signed(&header("HS256", &kid), &public)),
        ("the same, with the shared key's name", signed(&hs256_header(), &public)),
        ("key brought along", signed(&with(&format!(r#""jwk":{oct}"#)), OWN)),
        (
            "pair brought along",
            signed_by_own_pair(&format!(
                r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}","jwk":{okp}}}"#
            )),
        ),
        ("keys at an address", signed(&with(r#""jku":"https://evil.example/jwks.json""#), OWN)),
        ("certificate at an address", signed(&with(r#""x5u":"https://evil.example/cert""#), OWN)),
        ("empty file as key", signed(&header("HS256", "../../../../dev/null"), b"")),
        ("key from a query", signed(&header("HS256", "x' union select 'AAAA' --"), b"AAAA")),
    ]
}

#[test]
fn every_forgery_fools_a_naive_verifier_and_none_of_ours() {
    let (own, other) = (key(), other_key());
    let ring = KeyRing::new(own.pair.clone()).accepting(&other.pair).unwrap();
    let shared = KeyRing::new(own.shared.clone()).accepting(&other.shared).unwrap();
    let makers: [Box<dyn TokenMaker>; 2] =
        [Box::new(EdDsa::new(ring)), Box::new(Hs256::new(shared))];
    let naive = Naive { key: &public_bytes() };
    for (name, token) in forgeries() {
        assert!(naive.accepts(&token), "{name}: the control must be fooled");
        for maker in &makers {
            let verdict = maker.verify(&token, &expected(&claims()), NOW);
            assert_eq!(verdict, Err(Error::Invalid), "{name}");
        }
    }
}

/// So that it is not fooled by just anything.
#[test]
fn the_naive_verifier_accepts_what_is_genuine_and_refuses_what_is_altered() {
    let naive = Naive { key: &public_bytes() };
    let token = EdDsa::new(&key().pair).issue(&claims()).unwrap();
    assert!(naive.accepts(&token));
    assert!(!naive.accepts(&token.replacen('.', ".e", 1)));
    assert!(!naive.accepts(&signed(&hs256_header(), OWN)));
}

/// The public key in every form in which a verifier may hold it.
#[test]
fn no_text_of_a_public_key_is_a_shared_secret() {
    let public = key().pair.public_key();
    let maker = EdDsa::new(&key().pair);
    for secret in [
        public_bytes(),
        base64(public_bytes()).into(),
        public.to_paserk().into(),
        public.to_jwk().into(),
        public.thumbprint().into(),
    ] {
        for header in [header("HS256", &public.thumbprint()), header("EdDSA", &public.thumbprint())]
        {
            let verdict = maker.verify(&signed(&header, &secret), &expected(&claims()), NOW);
            assert_eq!(verdict, Err(Error::Invalid));
        }
    }
}
