//! Genuine tokens whose payload is not exactly what we write: under the right key, so that only the reader of claims
//! is left to refuse them.

use simplebank_token::Error;

use crate::forge::{NOW, claims, expected, formats, local_of, object};

#[test]
fn each_claim_is_required() {
    for format in formats() {
        assert_eq!(format.verdict(&object(&format.members)), Ok(claims()));
        for missing in 0..format.members.len() {
            let mut members = format.members.clone();
            let (name, _) = members.remove(missing);
            assert_eq!(format.verdict(&object(&members)), Err(Error::Invalid), "{name}");
        }
    }
}

#[test]
fn each_claim_has_its_type() {
    for format in formats() {
        for (name, right) in &format.members {
            let text_of_number = format!("{right:?}");
            for wrong in [
                "null",
                "true",
                "1795176000.0",
                "1.7951760e9",
                "1e400",
                "{}",
                "[]",
                "\"\"",
                "\"x\"",
                "99999999999999999999",
                "9223372036854775807",
                "-9223372036854775808",
                &text_of_number,
                &format!("[{right}]"),
                &format!("{{{right}:null}}"),
                "\"2026-11-20T12:00:00\"",
                "\"2026-11-20\"",
            ] {
                let payload = format.with(name, wrong);
                assert_eq!(format.verdict(&payload), Err(Error::Invalid), "{payload}");
            }
            assert_eq!(format.verdict(&format.with(name, right)), Ok(claims()));
        }
    }
}

#[test]
fn names_have_one_spelling() {
    for format in formats() {
        for (name, wrong) in [
            ("role", "Banker"),
            ("role", "admin"),
            ("role", "depositor "),
            ("typ", "Access"),
            ("typ", "JWT"),
            ("typ", "refresh"),
            ("sub", "018cc251f4007000800000000000000a"),
            ("sub", "{018cc251-f400-7000-8000-00000000000a}"),
            ("jti", "1"),
            ("sid", ""),
        ] {
            let payload = format.with(name, &format!("{wrong:?}"));
            assert_eq!(format.verdict(&payload), Err(Error::Invalid), "{payload}");
        }
    }
}

#[test]
fn a_paseto_time_is_whole_seconds_in_utc() {
    let [paseto, ..] = formats();
    for right in ["2026-11-20T12:00:00Z", "2026-11-20T12:00:00+00:00", "2026-11-20T12:00:00.000Z"] {
        assert_eq!(paseto.verdict(&paseto.with("iat", &format!("{right:?}"))), Ok(claims()));
    }
    for wrong in [
        "2026-11-20T11:59:59.5Z",
        "2026-11-20T13:00:00+01:00",
        "2016-12-31T23:59:60Z",
        "2026-11-20T12:00:00",
        "2026-11-20T12:00:00Z ",
        "9999-12-31T23:59:59-23:59",
        "0000-01-01T00:00:00+23:59",
        "2026-02-30T12:00:00Z",
        "+2026-11-20T12:00:00Z",
        "1795176000",
    ] {
        for name in ["iat", "nbf", "exp"] {
            let payload = paseto.with(name, &format!("{wrong:?}"));
            assert_eq!(paseto.verdict(&payload), Err(Error::Invalid), "{payload}");
        }
    }
}

#[test]
fn a_claim_may_not_be_there_twice() {
    for format in formats() {
        for member in &format.members {
            let mut members = format.members.clone();
            members.push(member.clone());
            assert_eq!(format.verdict(&object(&members)), Err(Error::Invalid), "{}", member.0);
        }
    }
}

#[test]
fn an_unknown_claim_is_refused() {
    for format in formats() {
        for (name, json) in
            [("admin", "true"), ("scope", "\"*\""), ("ROLE", "\"banker\""), ("", "null")]
        {
            let mut members = format.members.clone();
            members.push((name, json.to_owned()));
            assert_eq!(format.verdict(&object(&members)), Err(Error::Invalid), "{name}");
        }
    }
}

#[test]
fn the_order_of_claims_is_free() {
    for mut format in formats() {
        format.members.reverse();
        assert_eq!(format.verdict(&object(&format.members)), Ok(claims()));
    }
}

/// In the order of the declaration, so that a derived reader would take it.
#[test]
fn an_array_of_the_claims_is_refused() {
    for format in formats() {
        let names = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "role", "sid", "typ"];
        let value = |name| format.members.iter().find(|member| member.0 == name).unwrap().1.clone();
        let array = format!("[{}]", names.map(value).join(","));
        assert_eq!(format.verdict(&array), Err(Error::Invalid), "{array}");
    }
}

#[test]
fn a_payload_is_one_object_and_nothing_else() {
    for format in formats() {
        let object = object(&format.members);
        for payload in [
            "null",
            "{}",
            "[]",
            "\"\"",
            "1",
            "true",
            "{",
            " ",
            "\0",
            "\u{feff}{}",
            &format!(" {object}"),
            &format!("{object}{object}"),
            &format!("{object},"),
            &format!("[{object}]"),
            &format!("{{\"claims\":{object}}}"),
            &format!("{object}\0"),
            &format!("\u{feff}{object}"),
            &object.replace('}', ",}"),
            &object.replace('"', "'"),
            &"[".repeat(1000),
            &"{\"a\":".repeat(500),
        ] {
            assert_eq!(format.verdict(payload), Err(Error::Invalid), "{payload:?}");
        }
    }
}

/// The payload of one format under the other's protection is not taken either.
#[test]
fn the_formats_do_not_mix() {
    let formats = formats();
    for (at, format) in formats.iter().enumerate() {
        for (other_at, other) in formats.iter().enumerate() {
            let is_like = at / 2 == other_at / 2;
            assert_eq!(format.verdict(&object(&other.members)).is_ok(), is_like);
        }
    }
    let [local, _, hs256, _] = formats;
    let nested = local_of(&(hs256.forge)(&object(&hs256.members)));
    assert_eq!(local.maker.verify(&nested, &expected(&claims()), NOW), Err(Error::Invalid));
}
