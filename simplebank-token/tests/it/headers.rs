//! Genuine JWTs whose header is not exactly ours: under the right key, so that only the header is left to refuse them.

use jsonwebtoken::Algorithm;
use simplebank_token::{EdDsa, Error, Hs256, TokenMaker};

use crate::forge::{
    Format, NOW, base64, claims, eddsa_header, expected, formats, header, hs256_header,
    jwt_signature, jwt_signed, key, object,
};

fn payload() -> String {
    let [_, _, Format { members, .. }, _] = formats();
    object(&members)
}

/// What the makers of JWTs say of a payload under a header, each signed by its own algorithm.
fn verdicts(header: &str) -> [Result<(), Error>; 2] {
    [Algorithm::HS256, Algorithm::EdDSA].map(|algorithm| {
        let token = jwt_signed(header, &payload(), algorithm);
        verdict(algorithm, &token)
    })
}

/// What the maker of this algorithm says of a token.
fn verdict(algorithm: Algorithm, token: &str) -> Result<(), Error> {
    let keys = key();
    let maker: Box<dyn TokenMaker> = if algorithm == Algorithm::EdDSA {
        Box::new(EdDsa::new(&keys.pair))
    } else {
        Box::new(Hs256::new(&keys.shared))
    };
    maker.verify(token, &expected(&claims()), NOW).map(|_| ())
}

const REFUSED: [Result<(), Error>; 2] = [Err(Error::Invalid); 2];

#[test]
fn each_maker_has_one_header() {
    assert_eq!(verdicts(&hs256_header()), [Ok(()), Err(Error::Invalid)]);
    assert_eq!(verdicts(&eddsa_header()), [Err(Error::Invalid), Ok(())]);
}

#[test]
fn only_the_makers_algorithm_is_accepted_whatever_the_header_says() {
    let kids = [key().shared.thumbprint(), key().pair.public_key().thumbprint()];
    for kid in &kids {
        for alg in [
            "none", "None", "NONE", "nOnE", "none ", "", "hs256", "HS256 ", "HS384", "HS512",
            "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "eddsa", "Ed25519", "Ed448",
            "dir", "A128KW",
        ] {
            let header = header(alg, kid);
            assert_eq!(verdicts(&header), REFUSED, "{header}");
            let unsigned = format!("{}.{}.", base64(&header), base64(payload()));
            for token in [&*unsigned, unsigned.trim_end_matches('.')] {
                for algorithm in [Algorithm::HS256, Algorithm::EdDSA] {
                    assert_eq!(verdict(algorithm, token), Err(Error::Invalid), "{header}");
                }
            }
        }
    }
}

#[test]
fn other_hmacs_with_the_same_key_are_refused() {
    let own = hs256_header();
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let honest = own.replace("HS256", &format!("{algorithm:?}"));
        for header in [&honest, &own] {
            let token = jwt_signed(header, &payload(), algorithm);
            assert_eq!(verdict(algorithm, &token), Err(Error::Invalid), "{header}");
        }
    }
    let token = jwt_signed(&own, &payload(), Algorithm::HS256);
    assert_eq!(verdict(Algorithm::HS256, &token), Ok(()));
}

#[test]
fn a_header_with_anything_more_is_refused() {
    for own in [hs256_header(), eddsa_header()] {
        for more in [
            r#""kid":null"#,
            r#""kid":"1""#,
            r#""jku":"https://evil.example/jwks.json""#,
            r#""jwk":{"kty":"oct","k":"AAAA"}"#,
            r#""x5u":"https://evil.example/cert.pem""#,
            r#""x5c":[]"#,
            r#""x5t":"AAAA""#,
            r#""x5t#S256":"AAAA""#,
            r#""crit":["exp"]"#,
            r#""crit":[]"#,
            r#""crit":["b64"],"b64":false"#,
            r#""b64":true"#,
            r#""zip":"DEF""#,
            r#""cty":"JWT""#,
            r#""unknown":1"#,
            r#""alg":"none""#,
            r#""alg":"HS256""#,
            r#""typ":"JWT""#,
        ] {
            let members = own.trim_matches(['{', '}']);
            for header in [format!("{{{members},{more}}}"), format!("{{{more},{members}}}")] {
                assert_eq!(verdicts(&header), REFUSED, "{header}");
            }
        }
    }
}

#[test]
fn a_header_with_anything_less_or_else_is_refused() {
    for (alg, kid) in
        [("HS256", key().shared.thumbprint()), ("EdDSA", key().pair.public_key().thumbprint())]
    {
        for header in [
            // As it was before keys had names.
            format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#),
            format!(r#"{{"typ":"JWT","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"{kid}"}}"#),
            format!(r#"{{"alg":["{alg}"],"typ":"JWT","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"{alg}","typ":"JWT","kid":["{kid}"]}}"#),
            format!(r#"["{alg}","JWT","{kid}"]"#),
            "{}".to_owned(),
            "null".to_owned(),
            String::new(),
        ] {
            assert_eq!(verdicts(&header), REFUSED, "{header}");
        }
    }
}

#[test]
fn a_kid_is_looked_up_in_the_ring_and_nowhere_else() {
    for alg in ["HS256", "EdDSA"] {
        for kid in [
            "",
            "0",
            "/dev/null",
            "../../../../../../dev/null",
            "file:///dev/null",
            "/proc/sys/kernel/randomize_va_space",
            "https://evil.example/key",
            "' or '1'='1",
            "x' union select 'AAAA' -- ",
            "key; rm -rf /",
            "$(id)",
            "| cat /etc/passwd",
            "\\u0000",
            "\\\\..\\\\..\\\\key",
            "%00",
            "{{7*7}}",
            "*",
        ] {
            assert_eq!(verdicts(&header(alg, kid)), REFUSED, "{kid}");
        }
        let long = header(alg, &"A".repeat(2000));
        assert_eq!(verdicts(&long), REFUSED);
    }
}

#[test]
fn a_header_has_one_spelling() {
    for own in [hs256_header(), eddsa_header()] {
        let (start, kid) = own.trim_end_matches('}').rsplit_once(',').unwrap();
        for header in [
            format!("{{{kid},{}}}", &start[1..]),
            own.replacen('{', "{ ", 1),
            own.replacen(':', " : ", 1),
            format!("{own} "),
            format!(" {own}"),
            format!("{own}\n"),
            format!("{own}\0"),
            format!("\u{feff}{own}"),
            own.replacen("JWT", r"JW\u0054", 1),
            own.replacen("alg", r"\u0061lg", 1),
            own.replacen("JWT", "jwt", 1),
        ] {
            assert_eq!(verdicts(&header), REFUSED, "{header}");
        }
    }
}

/// The signature is right for the encoded text, so that only the encoding is left to refuse it.
#[test]
fn a_signed_part_in_a_wrong_encoding_is_refused() {
    for (algorithm, header) in
        [(Algorithm::HS256, hs256_header()), (Algorithm::EdDSA, eddsa_header())]
    {
        let signed = |header: &str, payload: &str| {
            let message = format!("{header}.{payload}");
            let token = format!("{message}.{}", jwt_signature(&message, algorithm));
            verdict(algorithm, &token)
        };
        let (header, encoded) = (base64(header), base64(payload()));
        assert_eq!(signed(&header, &encoded), Ok(()));
        for wrong in [
            format!("{encoded}="),
            format!("{encoded}=="),
            format!("{encoded}\n"),
            format!(" {encoded}"),
            format!("{encoded}.{encoded}"),
            payload(),
            String::new(),
        ] {
            assert_eq!(signed(&header, &wrong), Err(Error::Invalid), "{wrong:?}");
        }
        for wrong in [format!("{header}="), format!(" {header}"), format!("{header}\n")] {
            assert_eq!(signed(&wrong, &encoded), Err(Error::Invalid), "{wrong:?}");
        }
    }
}
