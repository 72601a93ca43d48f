//! The official test vectors of PASETO v4 and PASERK, against the functions that [`PasetoLocal`] is made of.
//!
//! The vectors' keys are sequences, which [`SymmetricKey`] refuses, and their claims are not ours: so what is checked is
//! the library's encryption and our reading of PASERK.
//!
//! `TEST_VECTORS_DIR` names a folder with `paseto/v4.json` and `paseto/k4.local.json`, as in
//! <https://github.com/paseto-standard/test-vectors>.
//!
//! [`PasetoLocal`]: simplebank_token::PasetoLocal

use std::{env, fs, path::PathBuf};

use pasetors::{
    keys,
    token::{Local, UntrustedToken},
    version4::{LocalToken, V4},
};
use serde_json::Value;
use simplebank_token::{KeyError, SymmetricKey};

/// The tests in a file of vectors, or nothing when there are no vectors here.
fn vectors(file: &str) -> Option<Vec<Value>> {
    let Some(folder) = env::var_os("TEST_VECTORS_DIR") else {
        eprintln!("TEST_VECTORS_DIR is not set: nothing of {file} was checked");
        return None;
    };
    let path = PathBuf::from(folder).join("paseto").join(file);
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Value = serde_json::from_slice(&text).expect("vectors are JSON");
    let tests = file.get("tests").and_then(Value::as_array);
    Some(tests.expect("a file of vectors has tests").clone())
}

fn text<'a>(test: &'a Value, name: &str) -> &'a str {
    test[name].as_str().unwrap_or_default()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("hex is ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("these are hex digits")).collect()
}

/// The payload of a vector's token, if the library accepts it.
fn decrypt(test: &Value) -> Option<String> {
    let key = keys::SymmetricKey::<V4>::from(&bytes_of(text(test, "key"))).ok()?;
    let token = UntrustedToken::<Local, V4>::try_from(text(test, "token")).ok()?;
    let footer = Some(text(test, "footer").as_bytes()).filter(|footer| !footer.is_empty());
    let assertion = Some(text(test, "implicit-assertion").as_bytes());
    LocalToken::decrypt(&key, &token, footer, assertion)
        .ok()
        .map(|trusted| trusted.payload().to_owned())
}

#[test]
fn the_local_tokens_of_paseto_v4_are_decrypted_or_refused() {
    let Some(tests) = vectors("v4.json") else { return };
    let mut checked = [0, 0];
    for test in tests {
        let must_fail = test["expect-fail"] == true;
        if !must_fail && !text(&test, "token").starts_with("v4.local.") {
            continue;
        }
        let payload = test["payload"].as_str().map(str::to_owned);
        assert_eq!(decrypt(&test), payload, "{}", test["name"]);
        assert_eq!(payload.is_none(), must_fail, "{}", test["name"]);
        checked[usize::from(must_fail)] += 1;
    }
    assert!(checked[0] >= 9 && checked[1] >= 5, "{checked:?}");
    eprintln!("{} local tokens accepted and {} refused, as they should be", checked[0], checked[1]);
}

/// All valid keys among the vectors are weak; that they are called weak shows that they were read.
#[test]
fn the_local_keys_of_paserk_are_read_or_refused() {
    let Some(tests) = vectors("k4.local.json") else { return };
    assert!(tests.len() >= 5);
    for test in tests {
        let parsed = text(&test, "paserk").parse::<SymmetricKey>().map(|_| ());
        let of_bytes = SymmetricKey::from_bytes(&bytes_of(text(&test, "key"))).map(|_| ());
        if test["expect-fail"] == true {
            let is_refused =
                matches!(parsed, Err(KeyError::Paserk | KeyError::Length { bytes: 52 | 31 }));
            assert!(is_refused, "{}: {parsed:?}", test["name"]);
        } else {
            assert!(
                matches!(parsed, Err(KeyError::Sequence | KeyError::Repetition)),
                "{}: {parsed:?}",
                test["name"]
            );
            assert_eq!(parsed, of_bytes, "{}", test["name"]);
        }
    }
}
