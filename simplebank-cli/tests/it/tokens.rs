//! `token generate-key` and `token show-key`, which need no database.

use serde_json::Value;
use simplebank::token::{PublicKey, SecretKey, SymmetricKey};

use crate::{Answer, answer, answer_to, assert_has, simplebank};

/// A command where no database is to be had.
fn run(arguments: &[&str]) -> Answer {
    answer(simplebank("postgres://nobody@127.0.0.1:1/none").args(arguments))
}

fn show(key: &str) -> Answer {
    answer_to(simplebank("").args(["token", "show-key", "--json"]), key.as_bytes())
}

#[test]
fn a_fresh_key_is_shown_in_every_form() {
    let key = run(&["token", "generate-key", "--json"]).ok().json();
    assert_eq!((&key["kind"], &key["public"]), (&Value::from("shared"), &Value::Null));
    let read: SymmetricKey = key["secret"]["paserk"].as_str().unwrap().parse().unwrap();
    let same: SymmetricKey = key["secret"]["jwk"].to_string().parse().unwrap();
    assert_eq!(read.paserk_id(), key["paserk_id"]);
    assert_eq!(same.thumbprint(), key["thumbprint"]);
    assert_eq!(key["secret"]["jwk"]["kid"], key["thumbprint"]);

    let key = run(&["token", "generate-key", "--kind", "pair", "--json"]).ok().json();
    let read: SecretKey = key["secret"]["jwk"].to_string().parse().unwrap();
    let public: PublicKey = key["public"]["paserk"].as_str().unwrap().parse().unwrap();
    assert_eq!(read.public_key(), public);
    assert_eq!(public.paserk_id(), key["paserk_id"]);
}

#[test]
fn no_two_fresh_keys_are_the_same() {
    let [one, two] = [(); 2].map(|()| run(&["token", "generate-key"]).ok().stdout);
    assert_has(
        &one,
        &["kind           shared\n", "secret key     k4.local.", "id in PASETOs  k4.lid."],
    );
    assert_ne!(one, two);
}

#[test]
fn a_shown_key_tells_its_ids_and_public_half_and_not_the_secret() {
    let (shared, pair) = (SymmetricKey::generate().unwrap(), SecretKey::generate().unwrap());
    let public = pair.public_key();
    let (shared_paserk, pair_paserk) = (shared.to_paserk(), pair.to_paserk());
    for (text, id) in [
        (shared_paserk.to_string(), shared.paserk_id()),
        (format!("{}\n", *shared.to_jwk()), shared.paserk_id()),
        (pair_paserk.to_string(), public.paserk_id()),
        (pair.to_jwk().to_string(), public.paserk_id()),
        (public.to_paserk(), public.paserk_id()),
        (public.to_jwk(), public.paserk_id()),
    ] {
        let shown = show(&text).ok();
        assert_eq!(shown.json()["paserk_id"], id);
        for secret in [&shared_paserk["k4.local.".len()..], &pair_paserk["k4.secret.".len()..50]] {
            assert!(!shown.stdout.contains(secret), "{shown:?}");
        }
    }
}

#[test]
fn what_is_no_key_is_refused_and_not_shown() {
    let weak = "12345678901234567890123456789012";
    for text in ["", "hush", weak, "k4.secret.hush", r#"{"k":"hush"}"#] {
        let refused = show(text);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
        assert_eq!(refused.error()["code"], "invalid_input");
        assert!(text.is_empty() || !refused.stderr.contains(text), "{refused:?}");
    }
}
