//! A maker that remembers tokens says of each what one says that doesn't.

use std::cell::OnceCell;

use proptest::{collection::vec, prelude::*, sample::select};
use simplebank_token::{
    Claims, EdDsa, Expected, Hs256, PasetoLocal, PasetoPublic, TokenKind, TokenMaker,
};
use time::Duration;

use crate::forge::{Keys, NOW, claims, expected, key, makers, other_key};

/// The makers of [`makers`], with so little room that what is shown is forgotten and known again.
fn remembering(keys: &Keys) -> [Box<dyn TokenMaker>; 4] {
    [
        Box::new(PasetoLocal::new(&keys.shared).remembering(4)),
        Box::new(PasetoPublic::new(&keys.pair).remembering(4)),
        Box::new(Hs256::new(&keys.shared).remembering(4)),
        Box::new(EdDsa::new(&keys.pair).remembering(4)),
    ]
}

/// Tokens of a maker for several purposes and times, and what others made of them.
fn tokens(maker: &dyn TokenMaker, other: &dyn TokenMaker) -> Vec<String> {
    let later = Claims { not_before: NOW + Duration::MINUTE, ..claims() };
    let longer = Claims { expires_at: NOW + Duration::HOUR, ..claims() };
    let refresh = Claims { kind: TokenKind::Refresh, ..claims() };
    let genuine = [claims(), later, longer, refresh].map(|claims| maker.issue(&claims).unwrap());
    let stranger = other.issue(&claims()).unwrap();
    let altered = genuine[0].replacen('A', "B", 1);
    let longer = format!("{}A", genuine[0]);
    genuine.into_iter().chain([stranger, altered, longer]).collect()
}

proptest! {
    #[test]
    fn what_is_remembered_is_judged_anew(
        shown in vec((0..7_usize, -90..4_000_i64, select(&TokenKind::ALL), any::<bool>()), 1..60),
    ) {
        let pairs = makers(&key()).into_iter().zip(remembering(&key())).zip(makers(&other_key()));
        for ((plain, remembering), other) in pairs {
            let tokens = tokens(&*plain, &*other);
            for &(number, seconds, kind, is_ours) in &shown {
                let (claims, now) = (claims(), NOW + Duration::seconds(seconds));
                let audience = if is_ours { &claims.audience } else { "another" };
                let expected = Expected { kind, audience, ..expected(&claims) };
                let verdicts = [&plain, &remembering].map(|maker| maker.verify(&tokens[number], &expected, now));
                prop_assert_eq!(&verdicts[0], &verdicts[1]);
            }
        }
    }
}

/// The control: who remembers that a token was believed, rather than what it says, goes on believing it.
#[test]
fn a_verdict_that_is_remembered_outlives_the_token() {
    let claims = claims();
    for (plain, remembering) in makers(&key()).into_iter().zip(remembering(&key())) {
        let token = plain.issue(&claims).unwrap();
        let verdicts = |maker: &dyn TokenMaker| {
            [NOW, claims.expires_at]
                .map(|now| maker.verify(&token, &expected(&claims), now).is_ok())
        };
        let believed = OnceCell::new();
        let naive = [NOW, claims.expires_at].map(|now| {
            *believed.get_or_init(|| plain.verify(&token, &expected(&claims), now).is_ok())
        });
        assert_eq!(verdicts(&*remembering), [true, false]);
        assert_eq!(naive, [true, true]);
    }
}

#[test]
fn a_clone_and_one_told_to_forget_say_the_same_of_a_token() {
    let claims = claims();
    let remembering = PasetoLocal::new(&key().shared).remembering(4);
    let (clone, forgetful) = (remembering.clone(), remembering.clone().remembering(0));
    let token = remembering.issue(&claims).unwrap();
    for maker in [&remembering, &clone, &forgetful, &remembering] {
        assert_eq!(maker.verify(&token, &expected(&claims), NOW), Ok(claims.clone()));
    }
}
