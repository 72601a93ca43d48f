//! Wycheproof's vectors of JWS and Ed25519, against the functions that verify below the header, since their headers are not
//! ours: every one of their tokens is refused by a maker.

use aws_lc_rs::{
    hmac,
    signature::{ED25519, UnparsedPublicKey},
};
use ed25519_compact::{PublicKey, Signature};

use super::{Parts, hs256};
use crate::{
    Error, Expected, Hs256, KeyError, SymmetricKey, TokenKind, TokenMaker,
    vectors::{bytes, file, list, text},
};

/// What our functions say of a JWS: its header aside, is it well formed and is its HMAC right?
fn is_signed(key: &hmac::Key, jws: &str) -> bool {
    let Some(parts) = Parts::of(jws) else { return false };
    hs256::is_signed(key, &parts) && parts.trusted_payload().is_some()
}

#[test]
fn the_hs256_signatures_of_wycheproof_are_accepted_or_refused() {
    let Some(file) = file("wycheproof/json_web_signature_test.json") else { return };
    let (mut accepted, mut refused, mut differing) = (0, 0, Vec::new());
    for group in list(&file, "testGroups").iter().filter(|group| group["private"]["kty"] == "oct") {
        let secret = super::decode(text(&group["private"], "k")).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        for test in list(group, "tests") {
            match (is_signed(&key, text(test, "jws")), test["result"] == "valid") {
                (true, true) => accepted += 1,
                (false, false) => refused += 1,
                (true, false) | (false, true) => differing.push(text(test, "comment")),
            }
        }
    }
    eprintln!("Wycheproof JWS with HS256: {accepted} accepted, {refused} refused, {differing:?}");
    assert_eq!((accepted, refused), (8, 26));
    let expected = [
        // Refused by the maker, which compares the header as it stands.
        "spacesInHeader",
        "invalidCharactersInHeader",
        // Their padding was lost when the vectors were made: letter by letter they are the valid one with the number 357.
        "invalidBase64Padding",
        "invalidBase64PaddingInPayload",
        // Called valid, since some readers skip characters that are not base64url. We don't.
        "InvalidCharacterInsertedInHeader",
        "InvalidCharacterInsertedInPayload",
    ];
    assert_eq!(differing, expected);
}

#[test]
fn no_jws_of_wycheproof_passes_a_maker() {
    let now = time::macros::datetime!(2026-11-20 12:00 UTC);
    let expected = Expected { kind: TokenKind::Access, issuer: "", audience: "" };
    for name in ["json_web_signature", "json_web_key"] {
        let Some(file) = file(&format!("wycheproof/{name}_test.json")) else { return };
        for group in list(&file, "testGroups") {
            let key = group["private"].to_string().parse::<SymmetricKey>();
            if matches!(key, Err(KeyError::Jwk | KeyError::Repetition | KeyError::WellKnown)) {
                continue;
            }
            let maker = Hs256::new(key.unwrap());
            for test in list(group, "tests") {
                let verdict = maker.verify(text(test, "jws"), &expected, now);
                assert_eq!(verdict, Err(Error::Invalid), "{test}");
            }
        }
    }
}

/// By both libraries: the one that verifies JWTs and the one below pasetors.
#[test]
fn the_ed25519_signatures_of_wycheproof_are_accepted_or_refused() {
    let Some(file) = file("wycheproof/ed25519_test.json") else { return };
    let mut checked = [0, 0];
    for group in list(&file, "testGroups") {
        let public = bytes(&group["publicKey"], "pk");
        let jwt = UnparsedPublicKey::new(&ED25519, &public);
        let paseto = PublicKey::from_slice(&public).unwrap();
        for test in list(group, "tests") {
            let (message, signature) = (bytes(test, "msg"), bytes(test, "sig"));
            let is_valid = test["result"] == "valid";
            assert_eq!(jwt.verify(&message, &signature).is_ok(), is_valid, "{test}");
            let signature = Signature::from_slice(&signature);
            let is_accepted =
                signature.is_ok_and(|signature| paseto.verify(&message, &signature).is_ok());
            assert_eq!(is_accepted, is_valid, "{test}");
            checked[usize::from(!is_valid)] += 1;
        }
    }
    assert_eq!(checked, [88, 63], "valid and invalid");
    eprintln!("Wycheproof Ed25519: {checked:?} signatures accepted and refused, as they should be");
}
