//! Keys are never shown.

use simplebank_token::SymmetricKey;

use crate::forge::{NOW, claims, expected, key, makers};

#[test]
fn neither_a_key_nor_a_maker_shows_the_key() {
    let key = key();
    let paserk = key.to_paserk();
    let list = format!("{:?}", b"kT3vQ9xZ");
    let shown = makers(&key).map(|maker| format!("{maker:?} {maker:#?}"));
    for shown in [format!("{key:?} {key:#?}")].into_iter().chain(shown) {
        for secret in ["kT3vQ9xZ", "6b543376", list.trim_matches(['[', ']']), &paserk[9..20]] {
            assert!(!shown.to_lowercase().contains(&secret.to_lowercase()), "{shown}");
        }
    }
}

#[test]
fn a_key_written_as_paserk_is_the_same_key() {
    let again: SymmetricKey = key().to_paserk().parse().unwrap();
    for (maker, other) in makers(&key()).iter().zip(makers(&again)) {
        let token = maker.issue(&claims()).unwrap();
        assert_eq!(other.verify(&token, &expected(&claims()), NOW), Ok(claims()));
    }
}
