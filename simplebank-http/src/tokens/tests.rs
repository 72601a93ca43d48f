use simplebank::{
    core::{Role, SessionId, TokenId, UserId},
    token::{Claims, Expected},
};
use time::{Duration, macros::datetime};

use super::*;

const KINDS: [&str; 4] = ["paseto", "paseto-public", "jwt", "jwt-eddsa"];

fn keys(arguments: &[&str]) -> Result<(Keys, Config), Error> {
    let arguments = std::iter::once(&"simplebank-http").chain(arguments);
    let config = Config::try_from_args(arguments).unwrap();
    Keys::from_settings(&config).map(|keys| (keys, config))
}

/// A maker that finds its keys in the settings.
fn maker(arguments: &[&str]) -> Box<dyn TokenMaker> {
    let (keys, config) = keys(arguments).unwrap();
    assert!(!keys.needs_file());
    let made: Result<_, Error> = keys.maker(&config, || unreachable!("no file is needed"));
    made.unwrap()
}

fn claims() -> Claims {
    let now = datetime!(2026-11-20 12:00 UTC);
    Claims {
        id: TokenId::from_parts(1, [1; 10]),
        subject: UserId::from_parts(1, [2; 10]),
        role: Role::Depositor,
        session: SessionId::from_parts(1, [3; 10]),
        kind: simplebank::token::TokenKind::Access,
        issuer: "i".to_owned(),
        audience: "a".to_owned(),
        issued_at: now,
        not_before: now,
        expires_at: now + Duration::MINUTE,
    }
}

fn accepts(maker: &dyn TokenMaker, token: &str, late: Duration) -> bool {
    let claims = claims();
    let expected = Expected { kind: claims.kind, issuer: "i", audience: "a" };
    maker.verify(token, &expected, claims.issued_at + late).is_ok()
}

/// The flag of the key of a kind, and two such keys: each as the flag takes it, and as what verifies.
fn two(kind: &str) -> (&'static str, [(String, String); 2]) {
    let shared = || {
        let text = SymmetricKey::generate().unwrap().to_paserk().to_string();
        (text.clone(), text)
    };
    let pair = || {
        let key = SecretKey::generate().unwrap();
        (key.to_paserk().to_string(), key.public_key().to_paserk())
    };
    match kind {
        "paseto" | "jwt" => ("--token-symmetric-key", [shared(), shared()]),
        _ => ("--token-secret-key", [pair(), pair()]),
    }
}

#[test]
fn old_tokens_are_accepted_until_their_key_is_taken_out_of_the_settings() {
    for kind in KINDS {
        let (flag, [(old, old_verifying), (new, _)]) = two(kind);
        let before = maker(&["--token-kind", kind, flag, &old]);
        let during =
            maker(&["--token-kind", kind, flag, &new, "--token-verifying-keys", &old_verifying]);
        let after = maker(&["--token-kind", kind, flag, &new]);
        let token = before.issue(&claims()).unwrap();
        let verdicts =
            [&before, &during, &after].map(|maker| accepts(maker, &token, Duration::ZERO));
        assert_eq!(verdicts, [true, true, false], "{kind}");
        let token = during.issue(&claims()).unwrap();
        assert!(accepts(&after, &token, Duration::ZERO), "{kind}");
    }
}

#[test]
fn several_keys_may_be_accepted() {
    let (flag, [(one, _), (two, _)]) = two("jwt");
    let three = "8d2b1c6f0e93a75448f1be20d7639ac5e01f7b82346da9cf5e10b8d4729f3c6a";
    let others = format!("{two}, {three}");
    let all = maker(&["--token-kind", "jwt", flag, &one, "--token-verifying-keys", &others]);
    for key in [one.as_str(), &two, three] {
        let token = maker(&["--token-kind", "jwt", flag, key]).issue(&claims()).unwrap();
        assert!(accepts(&all, &token, Duration::ZERO));
    }
    let many = vec![two; 16].join(",");
    let refused = keys(&[flag, &one, "--token-verifying-keys", &many]);
    assert!(matches!(refused, Err(Error::TooMany(RingFull))));
}

#[test]
fn a_leeway_is_a_setting() {
    let late = Duration::seconds(61);
    for kind in KINDS {
        let (flag, [(key, _), _]) = two(kind);
        let strict = maker(&["--token-kind", kind, flag, &key]);
        let lenient = maker(&["--token-kind", kind, flag, &key, "--token-leeway", "5s"]);
        let token = strict.issue(&claims()).unwrap();
        assert_eq!([&strict, &lenient].map(|maker| accepts(maker, &token, late)), [false, true]);
    }
}

#[test]
fn keys_of_the_wrong_type_are_refused_and_never_shown() {
    let (shared, secret) = (SymmetricKey::generate().unwrap(), SecretKey::generate().unwrap());
    let (shared, secret) = (&*shared.to_paserk(), &*secret.to_paserk());
    let wrong = |arguments: &[&str]| {
        let error = keys(arguments).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(&shared[9..]) && !shown.contains(&secret[10..]), "{shown}");
        error
    };
    let kind = "--token-kind=jwt-eddsa";
    assert!(matches!(wrong(&["--token-secret-key", secret]), Error::NeedsShared));
    assert!(matches!(wrong(&[kind, "--token-symmetric-key", shared]), Error::NeedsSecret));
    assert!(matches!(wrong(&[kind, "--token-secret-key", shared]), Error::Secret(_)));
    assert!(matches!(wrong(&["--token-symmetric-key", secret]), Error::Shared(_)));
    let others = format!("{shared},{secret}");
    let error = wrong(&["--token-symmetric-key", shared, "--token-verifying-keys", &others]);
    assert!(matches!(error, Error::Verifying { number: 2, .. }), "{error:?}");
    // A secret has no business among the keys that only verify.
    let error = wrong(&[kind, "--token-secret-key", secret, "--token-verifying-keys", secret]);
    assert!(matches!(error, Error::Verifying { number: 1, source: KeyError::NotPublic }));
}

#[test]
fn without_a_key_in_the_settings_there_is_one_in_a_file() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let [first, second] = [(); 2].map(|()| {
            let (keys, config) = keys(&["--token-kind", kind]).unwrap();
            assert!(keys.needs_file());
            keys.maker(&config, || Ok::<_, Error>(directory.path().to_owned())).unwrap()
        });
        let token = first.issue(&claims()).unwrap();
        assert!(accepts(&second, &token, Duration::ZERO), "{kind}");
    }
}
