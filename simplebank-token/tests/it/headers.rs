//! JWTs whose header tries to say how they are to be verified, and PASETOs with a footer.

use jsonwebtoken::Algorithm;
use simplebank_token::{Error, Hs256, TokenMaker};

use crate::forge::{
    HEADER, NOW, base64, claims, expected, formats, jwt_of, jwt_signature, jwt_signed, key, object,
    paseto_with,
};

fn payload() -> String {
    let [_, hs256] = formats();
    object(&hs256.members)
}

fn verdict(token: &str) -> Result<(), Error> {
    Hs256::new(&key()).verify(token, &expected(&claims()), NOW).map(|_| ())
}

#[test]
fn only_hs256_is_accepted_whatever_the_header_says() {
    assert_eq!(verdict(&jwt_of(HEADER, &payload())), Ok(()));
    for alg in [
        "none", "None", "NONE", "nOnE", "none ", "", "hs256", "HS256 ", "HS384", "HS512", "RS256",
        "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "dir", "A128KW",
    ] {
        let header = format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
        assert_eq!(verdict(&jwt_of(&header, &payload())), Err(Error::Invalid), "{header}");
        let unsigned = format!("{}.{}.", base64(&header), base64(&payload()));
        assert_eq!(verdict(&unsigned), Err(Error::Invalid), "{header}");
        assert_eq!(verdict(unsigned.trim_end_matches('.')), Err(Error::Invalid), "{header}");
    }
}

#[test]
fn other_hmacs_with_the_same_key_are_refused() {
    for (name, algorithm) in [("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
        let header = format!(r#"{{"alg":"{name}","typ":"JWT"}}"#);
        for header in [header.as_str(), HEADER] {
            let token = jwt_signed(header, &payload(), algorithm);
            assert_eq!(verdict(&token), Err(Error::Invalid), "{name} under {header}");
        }
    }
    assert_eq!(verdict(&jwt_signed(HEADER, &payload(), Algorithm::HS256)), Ok(()));
}

#[test]
fn a_header_with_anything_else_is_refused() {
    for header in [
        r#"{"alg":"HS256","typ":"JWT","kid":"1"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"../../dev/null"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":null}"#,
        r#"{"alg":"HS256","typ":"JWT","jku":"https://evil.example/jwks.json"}"#,
        r#"{"alg":"HS256","typ":"JWT","jwk":{"kty":"oct","k":"AAAA"}}"#,
        r#"{"alg":"HS256","typ":"JWT","x5u":"https://evil.example/cert.pem"}"#,
        r#"{"alg":"HS256","typ":"JWT","x5c":[]}"#,
        r#"{"alg":"HS256","typ":"JWT","x5t":"AAAA"}"#,
        r#"{"alg":"HS256","typ":"JWT","crit":["exp"]}"#,
        r#"{"alg":"HS256","typ":"JWT","crit":[]}"#,
        r#"{"alg":"HS256","typ":"JWT","b64":false,"crit":["b64"]}"#,
        r#"{"alg":"HS256","typ":"JWT","zip":"DEF"}"#,
        r#"{"alg":"HS256","typ":"JWT","cty":"JWT"}"#,
        r#"{"alg":"HS256","typ":"JWT","unknown":1}"#,
        r#"{"alg":"HS256","alg":"none","typ":"JWT"}"#,
        r#"{"alg":"none","alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"typ":"JWT"}"#,
        r#"["HS256","JWT"]"#,
        r#"{"alg":["HS256"],"typ":"JWT"}"#,
        "{}",
        "null",
        "",
    ] {
        assert_eq!(verdict(&jwt_of(header, &payload())), Err(Error::Invalid), "{header}");
    }
    assert_eq!(verdict(&jwt_of(HEADER, &payload())), Ok(()));
}

#[test]
fn a_header_has_one_spelling() {
    for header in [
        r#"{"typ":"JWT","alg":"HS256"}"#,
        r#"{ "alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"JWT"} "#,
        r#"{"alg":"\u0048S256","typ":"JWT"}"#,
        "\u{feff}{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
    ] {
        assert_eq!(verdict(&jwt_of(header, &payload())), Err(Error::Invalid), "{header}");
    }
}

/// The signature is right for the encoded text, so that only the encoding is left to refuse it.
#[test]
fn a_signed_payload_in_a_wrong_encoding_is_refused() {
    let signed = |payload: &str| {
        let message = format!("{}.{payload}", base64(HEADER));
        format!("{message}.{}", jwt_signature(&message, Algorithm::HS256))
    };
    let encoded = base64(&payload());
    assert_eq!(verdict(&signed(&encoded)), Ok(()));
    for wrong in [
        format!("{encoded}="),
        format!("{encoded}=="),
        format!("{encoded}\n"),
        format!(" {encoded}"),
        format!("{encoded}.{encoded}"),
        payload(),
        String::new(),
    ] {
        assert_eq!(verdict(&signed(&wrong)), Err(Error::Invalid), "{wrong:?}");
    }
}

#[test]
fn a_footer_or_an_implicit_assertion_is_refused() {
    let [paseto, _] = formats();
    let payload = object(&paseto.members);
    let verdict = |footer, assertion| {
        let token = paseto_with(&payload, footer, assertion);
        paseto.maker.verify(&token, &expected(&claims()), NOW).map(|_| ())
    };
    assert_eq!(verdict(None, None), Ok(()));
    assert_eq!(verdict(Some(br#"{"kid":"1"}"#), None), Err(Error::Invalid));
    assert_eq!(verdict(None, Some(b"assertion")), Err(Error::Invalid));
}
