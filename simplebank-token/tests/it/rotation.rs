//! Keys come and go, and nobody is logged out who need not be.

use simplebank_token::{
    EdDsa, Error, Hs256, KeyRing, PasetoLocal, PasetoPublic, PublicKey, RingFull, SecretKey,
    SymmetricKey, TokenMaker,
};

use crate::forge::{Keys, NOW, claims, expected, key, makers, other_key};

/// The makers whose active key is one and that accept the other's tokens as well.
fn rotated(active: &Keys, old: &Keys) -> [Box<dyn TokenMaker>; 4] {
    let shared = KeyRing::new(active.shared.clone()).accepting(&old.shared).unwrap();
    // Of a pair that signs no more, the public half is enough.
    let old: PublicKey = old.pair.public_key().to_paserk().parse().unwrap();
    let pair = KeyRing::new(active.pair.clone()).accepting(old).unwrap();
    [
        Box::new(PasetoLocal::new(shared.clone())),
        Box::new(PasetoPublic::new(pair.clone())),
        Box::new(Hs256::new(shared)),
        Box::new(EdDsa::new(pair)),
    ]
}

fn verdict(maker: &dyn TokenMaker, token: &str) -> Result<(), Error> {
    maker.verify(token, &expected(&claims()), NOW).map(|_| ())
}

#[test]
fn a_token_of_the_old_key_is_accepted_until_that_key_is_dropped() {
    let (old, new) = (key(), other_key());
    let (before, after) = (makers(&old), makers(&new));
    for (at, during) in rotated(&new, &old).iter().enumerate() {
        let [of_old, of_new] = [&before[at], during].map(|maker| maker.issue(&claims()).unwrap());
        assert_eq!(verdict(&**during, &of_old), Ok(()), "nobody is logged out");
        assert_eq!(verdict(&**during, &of_new), Ok(()));
        assert_eq!(verdict(&*after[at], &of_new), Ok(()), "the new key is the one that signs");
        assert_eq!(verdict(&*after[at], &of_old), Err(Error::Invalid), "dropped");
        assert_eq!(verdict(&*before[at], &of_new), Err(Error::Invalid), "not announced");
    }
}

/// With several servers the new key is announced before anybody signs with it.
#[test]
fn an_announced_key_is_accepted_and_not_used() {
    let (old, new) = (key(), other_key());
    for (at, announced) in rotated(&old, &new).iter().enumerate() {
        let of_new = makers(&new)[at].issue(&claims()).unwrap();
        assert_eq!(verdict(&**announced, &of_new), Ok(()));
        let issued = announced.issue(&claims()).unwrap();
        assert_eq!(verdict(&*makers(&old)[at], &issued), Ok(()));
    }
}

/// A token that one key has made is not accepted under the name of another, though the ring has both.
#[test]
fn a_name_does_not_pass_from_key_to_key() {
    let (one, two) = (key(), other_key());
    for (at, ring) in rotated(&one, &two).iter().enumerate() {
        let [of_one, of_two] = [&one, &two].map(|keys| makers(keys)[at].issue(&claims()).unwrap());
        let is_paseto = of_one.starts_with("v4.");
        // The name is at the end of a PASETO and at the beginning of a JWT.
        let renamed = if is_paseto {
            let ((body, _), (_, name)) =
                (of_one.rsplit_once('.').unwrap(), of_two.rsplit_once('.').unwrap());
            format!("{body}.{name}")
        } else {
            let ((_, body), (name, _)) =
                (of_one.split_once('.').unwrap(), of_two.split_once('.').unwrap());
            format!("{name}.{body}")
        };
        assert_eq!(verdict(&**ring, &of_one), Ok(()));
        assert_eq!(verdict(&**ring, &of_two), Ok(()));
        assert_eq!(verdict(&**ring, &renamed), Err(Error::Invalid), "{renamed}");
    }
}

#[test]
fn the_order_in_a_ring_says_only_who_signs() {
    let keys: Vec<SecretKey> = (0..4).map(|_| SecretKey::generate().unwrap()).collect();
    let ring = |first: usize| {
        let others = keys.iter().enumerate().filter(|(at, _)| *at != first);
        let ring = KeyRing::new(keys[first].clone());
        others.fold(ring, |ring, (_, key)| ring.accepting(key).unwrap())
    };
    let tokens: Vec<_> = (0..4).map(|at| EdDsa::new(ring(at)).issue(&claims()).unwrap()).collect();
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(verdict(&EdDsa::new(key), &tokens[at]), Ok(()));
        for token in &tokens {
            assert_eq!(verdict(&EdDsa::new(ring(at)), token), Ok(()));
        }
    }
}

#[test]
fn a_ring_has_a_largest_size() {
    let key = || SymmetricKey::generate().unwrap();
    let mut ring = KeyRing::new(key());
    for _ in 1..KeyRing::<SymmetricKey>::KEYS_MAX {
        ring = ring.accepting(key()).unwrap();
    }
    assert_eq!(ring.verifying().len(), KeyRing::<SymmetricKey>::KEYS_MAX);
    assert_eq!(ring.verifying()[0].paserk_id(), ring.active().paserk_id());
    assert_eq!(ring.accepting(key()).unwrap_err(), RingFull);
}
