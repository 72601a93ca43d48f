//! From which second to which a token holds.

use simplebank_token::{
    Claims, EdDsa, Error, Hs256, Leeway, PasetoLocal, PasetoPublic, TokenMaker,
};
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::forge::{NOW, claims, expected, formats, key, makers};

/// What each maker says of these claims at an instant.
fn verdicts(claims: &Claims, now: OffsetDateTime) -> [Result<(), Error>; 4] {
    makers(&key()).map(|maker| {
        let token = maker.issue(claims).expect("the claims are in order");
        maker.verify(&token, &expected(claims), now).map(|_| ())
    })
}

#[test]
fn a_token_holds_until_the_instant_it_expires() {
    let claims = claims();
    let end = claims.expires_at;
    assert_eq!(verdicts(&claims, end - Duration::SECOND), [Ok(()); 4]);
    assert_eq!(verdicts(&claims, end - Duration::NANOSECOND), [Ok(()); 4]);
    assert_eq!(verdicts(&claims, end), [Err(Error::Expired); 4]);
    assert_eq!(verdicts(&claims, end + Duration::days(10_000)), [Err(Error::Expired); 4]);
}

#[test]
fn a_token_holds_from_the_instant_it_begins() {
    let claims = Claims { not_before: NOW + Duration::MINUTE, ..claims() };
    assert_eq!(verdicts(&claims, NOW), [Err(Error::Invalid); 4]);
    let begins = claims.not_before;
    assert_eq!(verdicts(&claims, begins - Duration::NANOSECOND), [Err(Error::Invalid); 4]);
    assert_eq!(verdicts(&claims, begins), [Ok(()); 4]);
}

#[test]
fn a_token_from_the_future_is_refused() {
    let claims = Claims { issued_at: NOW + Duration::SECOND, ..claims() };
    assert_eq!(verdicts(&claims, NOW), [Err(Error::Invalid); 4]);
    assert_eq!(verdicts(&claims, NOW + Duration::milliseconds(999)), [Err(Error::Invalid); 4]);
    assert_eq!(verdicts(&claims, NOW + Duration::SECOND), [Ok(()); 4]);
}

/// Otherwise a token would be refused for the rest of the second in which it was issued.
#[test]
fn a_token_issued_within_a_second_holds_at_once() {
    let now = NOW + Duration::milliseconds(700);
    let claims = Claims { issued_at: now, not_before: now, ..claims() };
    assert_eq!(verdicts(&claims, now), [Ok(()); 4]);
}

#[test]
fn an_instant_is_the_same_in_any_offset() {
    let claims = Claims { expires_at: datetime!(2026-11-20 14:00:01 +2), ..claims() };
    assert_eq!(verdicts(&claims, datetime!(2026-11-20 07:00:00.5 -5)), [Ok(()); 4]);
    assert_eq!(verdicts(&claims, datetime!(2026-11-20 07:00:01 -5)), [Err(Error::Expired); 4]);
}

#[test]
fn a_genuine_token_whose_times_make_no_sense_is_invalid_and_not_expired() {
    let befores = [r#""2026-11-20T11:59:59Z""#, "1795175999"];
    for (format, before) in formats().into_iter().zip(befores.map(|before| [before; 2]).concat()) {
        let [exp, iat, nbf] = ["exp", "iat", "nbf"].map(|name| (name, before));
        let verdict = |changes: &[_]| format.verdict(&format.with_all(changes)).map(|_| ());
        assert_eq!(verdict(&[iat, nbf]), Ok(()));
        assert_eq!(verdict(&[exp, iat, nbf]), Err(Error::Expired));
        // It expired before it began, before it was issued, or both.
        assert_eq!(verdict(&[exp, iat]), Err(Error::Invalid));
        assert_eq!(verdict(&[exp, nbf]), Err(Error::Invalid));
        assert_eq!(verdict(&[exp]), Err(Error::Invalid));
    }
}

#[test]
fn a_leeway_reaches_as_far_as_it_says_at_both_ends() {
    let key = key();
    let leeway = Leeway::from_seconds(30).unwrap();
    let makers: [Box<dyn TokenMaker>; 4] = [
        Box::new(PasetoLocal::new(&key.shared).with_leeway(leeway)),
        Box::new(PasetoPublic::new(&key.pair).with_leeway(leeway)),
        Box::new(Hs256::new(&key.shared).with_leeway(leeway)),
        Box::new(EdDsa::new(&key.pair).with_leeway(leeway)),
    ];
    let claims = Claims { not_before: NOW + Duration::MINUTE, ..claims() };
    let seconds = Duration::seconds(30);
    let (begins, ends) = (claims.not_before - seconds, claims.expires_at + seconds);
    for maker in makers {
        let token = maker.issue(&claims).unwrap();
        let verdict = |now| maker.verify(&token, &expected(&claims), now).map(|_| ());
        assert_eq!(verdict(begins - Duration::NANOSECOND), Err(Error::Invalid));
        assert_eq!(verdict(begins), Ok(()));
        assert_eq!(verdict(ends - Duration::NANOSECOND), Ok(()));
        assert_eq!(verdict(ends), Err(Error::Expired));
        // The first and the last instant that there are do no harm.
        assert_eq!(verdict(time::PrimitiveDateTime::MIN.assume_utc()), Err(Error::Invalid));
        assert_eq!(verdict(time::PrimitiveDateTime::MAX.assume_utc()), Err(Error::Expired));
    }
}
