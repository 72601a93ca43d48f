//! Test vectors that others have published: those of PASETO and PASERK
//! (<https://github.com/paseto-standard/test-vectors>, in the folder `paseto`) and Wycheproof's
//! (<https://github.com/C2SP/wycheproof>, in the folder `wycheproof`), both below the folder that `TEST_VECTORS_DIR` names.
//!
//! Many of their keys are weak on purpose or by example, many of their claims and headers are not ours. So they are applied one
//! layer below what is public, where those are not looked at yet, and what is public has to refuse the rest.

use std::{env, fs, path::PathBuf};

use serde_json::Value;

/// A file of vectors, or nothing when there are no vectors here.
pub(crate) fn file(name: &str) -> Option<Value> {
    let Some(folder) = env::var_os("TEST_VECTORS_DIR") else {
        eprintln!("TEST_VECTORS_DIR is not set: nothing of {name} was checked");
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_slice(&text).expect("vectors are JSON"))
}

/// The array of that name.
pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("there is no {name}"))
}

/// The text of that name, empty if there is none.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// The bytes that the text of that name has in hex.
pub(crate) fn bytes(value: &Value, name: &str) -> Vec<u8> {
    let pairs = text(value, name).as_bytes().chunks(2);
    let pairs = pairs.map(|pair| str::from_utf8(pair).expect("hex is ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("these are hex digits")).collect()
}
