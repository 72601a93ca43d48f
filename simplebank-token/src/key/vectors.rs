//! The official vectors of PASERK, Wycheproof's of JWK, and the examples of the RFCs.

use ed25519_compact::{KeyPair, Seed};
use serde_json::Value;

use super::{KeyError, PublicKey, SecretKey, SymmetricKey, jwk, paserk, weak};
use crate::vectors::{bytes, file, list, text};

/// The vectors of a type of PASERK: those that must be read and written, and those that must not.
fn paserks(kind: &str) -> Option<(Vec<Value>, Vec<Value>)> {
    let file = file(&format!("paseto/{kind}.json"))?;
    let (bad, good) =
        list(&file, "tests").iter().cloned().partition(|test| test["expect-fail"] == true);
    let (good, bad): (Vec<Value>, Vec<Value>) = (good, bad);
    assert!(good.len() >= 3 && !bad.is_empty(), "{kind}");
    eprintln!("PASERK {kind}: {} good ones and {} bad ones", good.len(), bad.len());
    Some((good, bad))
}

/// All keys among the vectors are weak; that they are called weak shows that they were read.
#[test]
fn local_keys_are_read_written_or_refused() {
    let Some((good, bad)) = paserks("k4.local") else { return };
    for test in good {
        let (key, text) = (bytes(&test, "key"), text(&test, "paserk"));
        assert_eq!(*paserk::encode("k4.local.", &key), text);
        let read = paserk::decode::<32>(text.strip_prefix("k4.local.").unwrap()).unwrap();
        assert_eq!(read.as_slice(), key);
        let refused = text.parse::<SymmetricKey>().unwrap_err();
        assert!(matches!(refused, KeyError::Repetition | KeyError::Sequence), "{refused:?}");
    }
    for test in bad {
        let refused = text(&test, "paserk").parse::<SymmetricKey>().unwrap_err();
        assert!(
            matches!(refused, KeyError::Paserk | KeyError::Length { bytes: 52 }),
            "{refused:?}"
        );
    }
}

#[test]
fn public_keys_are_read_written_or_refused() {
    let Some((good, bad)) = paserks("k4.public") else { return };
    for test in good {
        let (key, text) = (bytes(&test, "key"), text(&test, "paserk"));
        assert_eq!(*paserk::encode("k4.public.", &key), text);
        let read = paserk::decode::<32>(text.strip_prefix("k4.public.").unwrap()).unwrap();
        assert_eq!(read.as_slice(), key);
        // They are bytes, not points: the first has a small order.
        if let Ok(point) = text.parse::<PublicKey>() {
            assert_eq!(point.as_bytes(), key);
        }
    }
    for test in bad {
        let text = paserk::encode("k4.public.", &bytes(&test, "key"));
        assert_eq!(text.parse::<PublicKey>(), Err(KeyError::Paserk));
    }
}

#[test]
fn secret_keys_are_read_written_or_refused() {
    let Some((good, bad)) = paserks("k4.secret") else { return };
    for test in good {
        let (key, text) = (bytes(&test, "key"), text(&test, "paserk"));
        assert_eq!(*paserk::encode("k4.secret.", &key), text);
        let read = paserk::decode::<64>(text.strip_prefix("k4.secret.").unwrap()).unwrap();
        assert_eq!(read.as_slice(), key);
        let refused = text.parse::<SecretKey>().unwrap_err();
        assert!(matches!(refused, KeyError::Repetition | KeyError::Sequence), "{refused:?}");
    }
    for test in bad {
        let text = paserk::encode("k4.secret.", &bytes(&test, "key"));
        assert!(text.parse::<SecretKey>().is_err(), "{test}");
    }
}

#[test]
fn ids_are_computed_as_they_should_be() {
    for (kind, of) in [("k4.lid", "k4.local."), ("k4.pid", "k4.public."), ("k4.sid", "k4.secret.")]
    {
        let Some((good, _)) = paserks(kind) else { return };
        for test in good {
            let key = paserk::encode(of, &bytes(&test, "key"));
            assert_eq!(paserk::id(&format!("{kind}."), &key), text(&test, "paserk"));
        }
    }
}

/// A shared key of Wycheproof that is fit for HS256 and has our length is read, and no other is.
#[test]
fn the_jwks_of_wycheproof_are_read_or_refused() {
    let mut checked = [0, 0];
    for name in ["json_web_key", "json_web_signature"] {
        let Some(file) = file(&format!("wycheproof/{name}_test.json")) else { return };
        for group in list(&file, "testGroups") {
            let private = &group["private"];
            let keys = private["keys"].as_array().cloned().unwrap_or_else(|| vec![private.clone()]);
            for key in keys {
                let json = key.to_string();
                // One of them has unused bits that are set in its last character, and is refused for that.
                let is_fit = key["kty"] == "oct"
                    && key["alg"] == "HS256"
                    && paserk::decode::<32>(text(&key, "k")).is_ok();
                assert_eq!(jwk::shared(&json).is_ok(), is_fit, "{json}");
                assert!(json.parse::<SecretKey>().is_err() && json.parse::<PublicKey>().is_err());
                checked[usize::from(!is_fit)] += 1;
            }
        }
    }
    assert!(checked[0] >= 8 && checked[1] >= 30, "{checked:?}");
    eprintln!("Wycheproof JWK: {checked:?} keys read and refused, as they should be");
}

/// RFC 8037 A.3 and RFC 7638 §3.1, whose own example is RSA's.
#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    assert_eq!(jwk::thumbprint_of_public(x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn well_known_pairs_are_refused_as_a_whole() {
    let keys = weak::WELL_KNOWN.map(|text| paserk::decode::<32>(text).unwrap());
    for key in &keys {
        assert_eq!(weak::refuse(key), Err(KeyError::WellKnown));
        assert_eq!(SecretKey::from_seed(key).unwrap_err(), KeyError::WellKnown);
        assert_eq!(PublicKey::from_bytes(key), Err(KeyError::WellKnown));
    }
    for pair in keys[2..].chunks(2) {
        assert_eq!(
            *KeyPair::from_seed(Seed::new(*pair[0])).pk,
            *pair[1],
            "the halves belong together"
        );
    }
}
