//! Keys are never shown, and are the same in each of their forms.

use simplebank_token::{KeyError, PublicKey, SecretKey, SymmetricKey};

use crate::forge::{Keys, NOW, base64, claims, expected, key, makers, other_key};

#[test]
fn neither_a_key_nor_a_maker_shows_the_secret() {
    let key = key();
    let paserk = key.shared.to_paserk();
    let list = format!("{:?}", b"kT3vQ9xZ");
    let shown = makers(&key).map(|maker| format!("{maker:?} {maker:#?}"));
    for shown in [format!("{key:?} {key:#?}")].into_iter().chain(shown) {
        for secret in ["kT3vQ9xZ", "6b543376", list.trim_matches(['[', ']']), &paserk[9..20]] {
            assert!(!shown.to_lowercase().contains(&secret.to_lowercase()), "{shown}");
        }
    }
}

#[test]
fn a_key_written_and_read_is_the_same_key() {
    let key = key();
    for (shared, pair) in
        [(key.shared.to_paserk(), key.pair.to_paserk()), (key.shared.to_jwk(), key.pair.to_jwk())]
    {
        let again = Keys { shared: shared.parse().unwrap(), pair: pair.parse().unwrap() };
        for (maker, other) in makers(&key).iter().zip(makers(&again)) {
            let token = maker.issue(&claims()).unwrap();
            assert_eq!(other.verify(&token, &expected(&claims()), NOW), Ok(claims()));
        }
    }
    let public = key.pair.public_key();
    for text in [public.to_paserk(), public.to_jwk()] {
        assert_eq!(text.parse(), Ok(public.clone()));
    }
}

#[test]
fn fresh_keys_differ() {
    let [one, two] = [(); 2].map(|()| SymmetricKey::generate().unwrap());
    assert!(one.paserk_id() != two.paserk_id() && one.thumbprint() != two.thumbprint());
    let [one, two] = [(); 2].map(|()| SecretKey::generate().unwrap().public_key());
    assert!(one != two && one.paserk_id() != two.paserk_id());
    assert_ne!(one.thumbprint(), two.thumbprint());
}

/// Each of these texts is a key of one type, and never of another.
#[test]
fn no_text_is_two_kinds_of_key() {
    let key = key();
    let public = key.pair.public_key();
    let texts = [
        (key.shared.to_paserk(), 0),
        (key.shared.to_jwk(), 0),
        (key.pair.to_paserk(), 1),
        (key.pair.to_jwk(), 1),
        (public.to_paserk().into(), 2),
        (public.to_jwk().into(), 2),
    ];
    for (text, kind) in texts {
        let read = [
            text.parse::<SymmetricKey>().is_ok(),
            text.parse::<SecretKey>().is_ok(),
            text.parse::<PublicKey>().is_ok(),
        ];
        assert_eq!(read, [0, 1, 2].map(|other| other == kind), "{kind}");
    }
}

#[test]
fn a_paserk_has_one_spelling() {
    let paserk = key().pair.to_paserk();
    let other = other_key().pair.to_paserk();
    let read = |text: &str| text.parse::<SecretKey>().map(|_| ());
    assert_eq!(read(&paserk), Ok(()));
    let public = "k4.secret.".len() + 43;
    for (text, error) in [
        (String::new(), KeyError::NotSecret),
        (paserk.replace("k4", "k3"), KeyError::NotSecret),
        (paserk.to_uppercase(), KeyError::NotSecret),
        (paserk.replace("secret", "public"), KeyError::NotSecret),
        (format!(" {}", *paserk), KeyError::NotSecret),
        (format!("{}\n", *paserk), KeyError::Paserk),
        (format!("{}==", *paserk), KeyError::Paserk),
        (format!("{}A", *paserk), KeyError::Paserk),
        (paserk[..paserk.len() - 1].to_owned(), KeyError::Paserk),
        ("k4.secret.".to_owned(), KeyError::Paserk),
        (format!("{}{}", &paserk[..public], &other[public..]), KeyError::Halves),
    ] {
        assert_eq!(read(&text), Err(error), "{text}");
    }
}

#[test]
fn points_that_verify_what_nobody_signed_are_refused() {
    let order_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let hex = |text: &str| -> [u8; 32] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    };
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut not_canonical = [0xff; 32];
    (not_canonical[0], not_canonical[31]) = (0xed, 0x7f);
    let mut no_point = [0; 32];
    no_point[0] = 2;
    for bytes in [[0; 32], neutral, not_canonical, no_point, [0xff; 32], hex(order_8)] {
        assert_eq!(PublicKey::from_bytes(&bytes), Err(KeyError::Point), "{bytes:?}");
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, base64(bytes));
        assert_eq!(jwk.parse::<PublicKey>(), Err(KeyError::Point), "{jwk}");
    }
}

/// What a JWK says about its use is obeyed.
#[test]
fn a_jwk_is_read_only_as_what_it_is_meant_for() {
    let key = key();
    let (k, x) = (key.shared.to_paserk()[9..].to_owned(), key.pair.public_key().to_paserk());
    let (d, x) = (base64(b"kT3vQ9xZ1mB7nL5rW8dY2hJ6pF4sG0cA"), x[10..].to_owned());
    let shared = |more: &str| format!(r#"{{"kty":"oct","k":"{k}"{more}}}"#).parse::<SymmetricKey>();
    let start = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}""#);
    let secret = |more: &str| format!(r#"{start},"d":"{d}"{more}}}"#).parse::<SecretKey>();
    let public = |more: &str| format!("{start}{more}}}").parse::<PublicKey>();
    let is_read = |more| [shared(more).is_ok(), secret(more).is_ok(), public(more).is_ok()];
    for (more, expected) in [
        ("", [true; 3]),
        (r#","use":"sig""#, [true; 3]),
        (r#","kid":"../../etc/passwd""#, [true; 3]),
        (r#","unknown":{"a":[1,{}]}"#, [true; 3]),
        (r#","key_ops":["verify","sign"]"#, [true; 3]),
        (r#","key_ops":["sign"]"#, [false, true, false]),
        (r#","key_ops":["verify"]"#, [false, false, true]),
        (r#","key_ops":[]"#, [false; 3]),
        (r#","key_ops":"sign""#, [false; 3]),
        (r#","alg":"HS256""#, [true, false, false]),
        (r#","alg":"EdDSA""#, [false, true, true]),
        (r#","alg":"Ed25519""#, [false, true, true]),
        (r#","alg":"none""#, [false; 3]),
        (r#","alg":"A256GCM""#, [false; 3]),
        (r#","alg":"ES256""#, [false; 3]),
        (r#","use":"enc""#, [false; 3]),
        (r#","kty":"oct""#, [false; 3]),
        (r#","x":"AAAA""#, [false; 3]),
        (r#","use":"sig","use":"sig""#, [false; 3]),
        ("}", [false; 3]),
    ] {
        assert_eq!(is_read(more), expected, "{more}");
    }
}

#[test]
fn a_jwk_of_another_type_or_shape_is_refused() {
    let key = key();
    for wrong in [
        key.pair.to_jwk().replace("Ed25519", "X25519"),
        key.pair.to_jwk().replace("Ed25519", "Ed448"),
        key.pair.to_jwk().replace("OKP", "EC"),
        key.pair.to_jwk().replace("OKP", "okp"),
        key.pair.to_jwk().replace("OKP", r"O\u004bP"),
        key.pair.to_jwk().replace(r#""}"#, r#"="}"#),
        format!("[{}]", *key.pair.to_jwk()),
        format!(r#"{{"keys":[{}]}}"#, *key.pair.to_jwk()),
        format!("{}{}", *key.pair.to_jwk(), " ".repeat(2048)),
        "{".to_owned(),
        "{}".to_owned(),
        r#"{"a":"#.repeat(300),
    ] {
        assert!(wrong.parse::<SecretKey>().is_err(), "{wrong}");
        assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
        assert!(wrong.parse::<SymmetricKey>().is_err(), "{wrong}");
    }
    let stranger = other_key().pair.public_key().to_paserk()[10..].to_owned();
    let own = key.pair.public_key().to_paserk()[10..].to_owned();
    let mixed = key.pair.to_jwk().replace(&own, &stranger);
    assert_eq!(mixed.parse::<SecretKey>().unwrap_err(), KeyError::Halves);
}
