//! JWK (RFC 7517): keys as JSON, `oct` for shared ones (RFC 7518 §6.4) and `OKP` for those of Ed25519 (RFC 8037), and their
//! thumbprints (RFC 7638).
//!
//! What says how a key may be used is obeyed: `use` must be `sig`, `alg` the one algorithm, and `key_ops` has to allow what the
//! key does here. A `kid` and unknown members are ignored, as RFC 7517 §4 wants it: a key is named by its thumbprint. Members
//! that are read may not be repeated, and not be written with escapes, so that no copy of a secret has to be made.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{KeyError, TEXT_BYTES_MAX};

/// The members that say anything to us.
#[derive(Deserialize)]
struct Jwk<'a> {
    kty: &'a str,
    #[serde(borrow)]
    crv: Option<&'a str>,
    #[serde(borrow)]
    k: Option<&'a str>,
    #[serde(borrow)]
    x: Option<&'a str>,
    #[serde(borrow)]
    d: Option<&'a str>,
    #[serde(borrow)]
    alg: Option<&'a str>,
    #[serde(borrow, rename = "use")]
    purpose: Option<&'a str>,
    #[serde(borrow)]
    key_ops: Option<Vec<&'a str>>,
}

/// The two halves of a secret key of Ed25519.
pub(super) struct Halves {
    pub(super) seed: Zeroizing<[u8; 32]>,
    pub(super) public: [u8; 32],
}

/// True if a text is to be read as a JWK and as nothing else.
pub(super) fn is_meant(text: &str) -> bool {
    text.starts_with('{')
}

/// The bytes of an `oct` key.
pub(super) fn shared(text: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let jwk = Jwk::read(text, "oct", &["HS256"], &["sign", "verify"])?;
    match (jwk.k, jwk.crv, jwk.x, jwk.d) {
        (Some(k), None, None, None) => bytes_of(k),
        _ => Err(KeyError::Jwk),
    }
}

/// Both halves of an `OKP` key.
pub(super) fn secret(text: &str) -> Result<Halves, KeyError> {
    let jwk = Jwk::read(text, "OKP", &ED25519, &["sign"])?;
    match (jwk.crv, jwk.x, jwk.d, jwk.k) {
        (Some("Ed25519"), Some(x), Some(d), None) => {
            Ok(Halves { seed: bytes_of(d)?, public: *bytes_of(x)? })
        }
        _ => Err(KeyError::Jwk),
    }
}

/// The only half of an `OKP` key; one that has a secret half as well is refused.
pub(super) fn public(text: &str) -> Result<[u8; 32], KeyError> {
    let jwk = Jwk::read(text, "OKP", &ED25519, &["verify"])?;
    match (jwk.crv, jwk.x, jwk.d, jwk.k) {
        (Some("Ed25519"), Some(x), None, None) => Ok(*bytes_of(x)?),
        _ => Err(KeyError::Jwk),
    }
}

/// What RFC 8037 and RFC 9864 call the algorithm.
const ED25519: [&str; 2] = ["EdDSA", "Ed25519"];

impl<'a> Jwk<'a> {
    /// Reads a JWK, unless it is of another type or meant for another use.
    fn read(
        text: &'a str,
        kty: &str,
        algs: &[&str],
        operations: &[&str],
    ) -> Result<Self, KeyError> {
        // A derived struct is also read from an array of its fields.
        if text.len() > TEXT_BYTES_MAX || !is_meant(text) {
            return Err(KeyError::Jwk);
        }
        let jwk: Self = serde_json::from_str(text).map_err(|_| KeyError::Jwk)?;
        let may = |operation| jwk.key_ops.as_ref().is_none_or(|all| all.contains(operation));
        let is_fit = jwk.kty == kty
            && jwk.alg.is_none_or(|alg| algs.contains(&alg))
            && jwk.purpose.is_none_or(|purpose| purpose == "sig")
            && operations.iter().all(may);
        if is_fit { Ok(jwk) } else { Err(KeyError::Jwk) }
    }
}

fn bytes_of(encoded: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    super::paserk::decode(encoded).map_err(|_| KeyError::Jwk)
}

/// A shared key as JWK.
pub(super) fn write_shared(k: &str, id: &str) -> Zeroizing<String> {
    let start = r#"{"kty":"oct","alg":"HS256","use":"sig","kid":""#;
    Zeroizing::new([start, id, r#"","k":""#, k, r#""}"#].concat())
}

/// A public key as JWK.
pub(super) fn write_public(x: &str, id: &str) -> String {
    [OKP_START, id, r#"","x":""#, x, r#""}"#].concat()
}

/// A secret key as JWK.
pub(super) fn write_secret(d: &str, x: &str, id: &str) -> Zeroizing<String> {
    Zeroizing::new([OKP_START, id, r#"","x":""#, x, r#"","d":""#, d, r#""}"#].concat())
}

const OKP_START: &str = r#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":""#;

/// The thumbprint of a shared key.
pub(super) fn thumbprint_of_shared(k: &str) -> String {
    thumbprint(&Zeroizing::new([r#"{"k":""#, k, r#"","kty":"oct"}"#].concat()))
}

/// The thumbprint of an Ed25519 key, which is that of its public half.
pub(super) fn thumbprint_of_public(x: &str) -> String {
    thumbprint(&[r#"{"crv":"Ed25519","kty":"OKP","x":""#, x, r#""}"#].concat())
}

/// SHA-256 of the members that make up a key, in the order and spelling of RFC 7638 §3.
fn thumbprint(members: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()))
}
