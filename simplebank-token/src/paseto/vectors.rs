//! The official vectors of PASETO v4, against the library's functions that the makers are made of.

use pasetors::{
    keys,
    token::{Local, Public, UntrustedToken},
    version4::{LocalToken, PublicToken, V4},
};
use serde_json::Value;

use crate::vectors::{bytes, file, list, text};

fn footer(test: &Value) -> Option<&[u8]> {
    Some(text(test, "footer").as_bytes()).filter(|footer| !footer.is_empty())
}

fn assertion(test: &Value) -> Option<&[u8]> {
    Some(text(test, "implicit-assertion").as_bytes())
}

/// The payload of a vector's token, if it is decrypted.
fn decrypt(test: &Value) -> Option<String> {
    let key = keys::SymmetricKey::<V4>::from(&bytes(test, "key")).ok()?;
    let token = UntrustedToken::<Local, V4>::try_from(text(test, "token")).ok()?;
    let trusted = LocalToken::decrypt(&key, &token, footer(test), assertion(test));
    trusted.ok().map(|trusted| trusted.payload().to_owned())
}

/// The payload of a vector's token, if its signature is good.
fn verify(test: &Value) -> Option<String> {
    let key = keys::AsymmetricPublicKey::<V4>::from(&bytes(test, "public-key")).ok()?;
    let token = UntrustedToken::<Public, V4>::try_from(text(test, "token")).ok()?;
    let trusted = PublicToken::verify(&key, &token, footer(test), assertion(test));
    trusted.ok().map(|trusted| trusted.payload().to_owned())
}

#[test]
fn the_tokens_of_paseto_v4_are_accepted_or_refused() {
    let Some(file) = file("paseto/v4.json") else { return };
    let mut checked = [0; 3];
    for test in list(&file, "tests") {
        let must_fail = test["expect-fail"] == true;
        let expected = test["payload"].as_str().map(str::to_owned);
        let (local, public) = (decrypt(test), verify(test));
        assert_eq!(expected.is_none(), must_fail, "{}", test["name"]);
        assert!(local.is_none() || public.is_none(), "{}", test["name"]);
        checked[match (&local, &public) {
            (Some(_), _) => 0,
            (None, Some(_)) => 1,
            (None, None) => 2,
        }] += 1;
        assert_eq!(local.or(public), expected, "{}", test["name"]);
    }
    assert_eq!(checked, [9, 3, 5], "local, public, refused");
    eprintln!("PASETO v4: {checked:?} local, public and refused tokens, as they should be");
}

/// Ed25519 is deterministic, so that there is one right token.
#[test]
fn the_public_tokens_of_paseto_v4_are_made_the_same() {
    let Some(file) = file("paseto/v4.json") else { return };
    let is_ours = |test: &&Value| text(test, "name").starts_with("4-S");
    for test in list(&file, "tests").iter().filter(is_ours) {
        let key = keys::AsymmetricSecretKey::<V4>::from(&bytes(test, "secret-key")).unwrap();
        let payload = text(test, "payload").as_bytes();
        let token = PublicToken::sign(&key, payload, footer(test), assertion(test));
        assert_eq!(token.unwrap(), text(test, "token"), "{}", test["name"]);
    }
}
