//! The functions of the fuzz targets, with random input that is near to what they read, and with what has the form already.

#[path = "../../fuzz/entries.rs"]
mod entries;

use proptest::{collection::vec, prelude::*};

use crate::forge::{formats, key, object};

/// Arbitrary bytes, arbitrary text, base64url, and JSON of known members.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..300),
        vec(any::<u8>(), 32),
        vec(any::<u8>(), 64),
        vec(any::<u8>(), 4000..5000),
    ];
    let text = prop_oneof!["\\PC{0,100}", "[A-Za-z0-9_.=-]{0,300}", "[0-9a-fA-F]{62,66}"];
    let name = prop::sample::select(&["kty", "crv", "x", "d", "k", "alg", "use", "exp", "typ"][..]);
    let value = prop_oneof![
        "\"[A-Za-z0-9_-]{43}\"",
        "\"(oct|OKP|Ed25519|EdDSA|HS256|sig|access)\"",
        "-?[0-9]{1,20}(\\.[0-9]+)?",
        Just("null".to_owned()),
        Just("[{}]".to_owned()),
    ];
    let json = vec((name, value), 0..8).prop_map(|members| object(&members));
    prop_oneof![bytes, text.prop_map(String::into_bytes), json.prop_map(String::into_bytes)]
}

fn try_all(bytes: &[u8]) {
    entries::paseto(bytes);
    entries::jwt(bytes);
    entries::claims(bytes);
    entries::paserk(bytes);
    entries::jwk(bytes);
    entries::shared_key(bytes);
}

proptest! {
    #[test]
    fn arbitrary_bytes_neither_panic_nor_verify(bytes in input()) {
        try_all(&bytes);
    }
}

/// The functions get as far as the last check.
#[test]
fn what_has_the_form_already_is_tried_too() {
    let key = key();
    for format in formats() {
        let payload = object(&format.members).replace("https://bank.example", "simplebank");
        try_all(payload.replace("simplebank/v1", "simplebank").as_bytes());
        try_all((format.forge)(&payload).as_bytes());
    }
    let texts =
        [key.shared.to_paserk(), key.shared.to_jwk(), key.pair.to_paserk(), key.pair.to_jwk()];
    for text in texts {
        try_all(text.as_bytes());
    }
    try_all(b"kT3vQ9xZ1mB7nL5rW8dY2hJ6pF4sG0cA");
}
