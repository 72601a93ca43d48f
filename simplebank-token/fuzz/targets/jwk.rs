//! Fuzzes `entries::jwk`.

#![no_main]

#[path = "../entries.rs"]
#[allow(dead_code, reason = "each target runs one of the functions")]
mod entries;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entries::jwk(bytes));
