//! Others read our tokens, and write such as we read: the library `jsonwebtoken`, by the JWKs that we give away.

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, jwk::Jwk,
};
use serde_json::Value;
use simplebank_token::{EdDsa, Error, Hs256, TokenMaker};

use crate::forge::{NOW, claims, expected, key};

/// What a stranger reads in a token, by a JWK and nothing else.
fn read(token: &str, jwk: &str, algorithm: Algorithm) -> (Header, Value) {
    let jwk: Jwk = serde_json::from_str(jwk).expect("it is a JWK to others, too");
    assert_eq!(jwk.common.key_id.as_deref().map(str::len), Some(43));
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[claims().audience]);
    // Its clock is the real one.
    (validation.validate_exp, validation.validate_nbf) = (false, false);
    let data = decode(token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation).unwrap();
    assert_eq!(data.header.kid, jwk.common.key_id);
    (data.header, data.claims)
}

#[test]
fn our_jwts_are_read_by_others_who_have_the_jwk() {
    let key = key();
    let hs256 = Hs256::new(&key.shared).issue(&claims()).unwrap();
    let eddsa = EdDsa::new(&key.pair).issue(&claims()).unwrap();
    for (_, read) in [
        read(&hs256, &key.shared.to_jwk(), Algorithm::HS256),
        read(&eddsa, &key.pair.public_key().to_jwk(), Algorithm::EdDSA),
    ] {
        assert_eq!(read["sub"], claims().subject.to_string());
        assert_eq!(read["exp"], claims().expires_at.unix_timestamp());
        assert_eq!(read.as_object().unwrap().len(), 10);
    }
}

/// Their header has our members in another order, which is all that there is against it.
#[test]
fn a_jwt_that_others_write_with_our_key_has_another_spelling_and_is_refused() {
    let key = key();
    let maker = Hs256::new(&key.shared);
    let ours = maker.issue(&claims()).unwrap();
    let (header, claimed) = read(&ours, &key.shared.to_jwk(), Algorithm::HS256);
    let secret = EncodingKey::from_secret(b"kT3vQ9xZ1mB7nL5rW8dY2hJ6pF4sG0cA");
    let theirs = encode(&header, &claimed, &secret).unwrap();
    read(&theirs, &key.shared.to_jwk(), Algorithm::HS256);
    let verdict = maker.verify(&theirs, &expected(&claims()), NOW);
    assert_eq!(verdict, Err(Error::Invalid));
}
