//! A token is accepted only for what, by whom and from whom it is meant.

use simplebank_token::{Claims, Error, Expected, TokenKind};
use time::Duration;

use crate::forge::{NOW, claims, expected, key, makers};

#[test]
fn access_and_refresh_are_never_accepted_for_one_another() {
    for maker in makers(&key()) {
        for kind in TokenKind::ALL {
            let claims = Claims { kind, ..claims() };
            let token = maker.issue(&claims).unwrap();
            for asked in TokenKind::ALL {
                let expected = Expected { kind: asked, ..expected(&claims) };
                let is_accepted = maker.verify(&token, &expected, NOW).is_ok();
                assert_eq!(is_accepted, asked == kind, "{kind:?} for {asked:?}");
            }
        }
    }
}

#[test]
fn issuer_and_audience_must_be_exactly_the_expected() {
    let claims = claims();
    let right = expected(&claims);
    for maker in makers(&key()) {
        let token = maker.issue(&claims).unwrap();
        assert!(maker.verify(&token, &right, NOW).is_ok());
        for wrong in [
            Expected { issuer: "", ..right },
            Expected { issuer: "https://bank.example/", ..right },
            Expected { issuer: "https://BANK.example", ..right },
            Expected { issuer: right.audience, audience: right.issuer, ..right },
            Expected { audience: "", ..right },
            Expected { audience: "https://bank.example/v", ..right },
            Expected { audience: "https://bank.example/v1 ", ..right },
        ] {
            assert_eq!(maker.verify(&token, &wrong, NOW), Err(Error::Invalid), "{wrong:?}");
        }
    }
}

/// "Expired" means that the token was fine until then.
#[test]
fn an_expired_token_for_something_else_is_invalid() {
    let claims = claims();
    let late = NOW + Duration::DAY;
    for maker in makers(&key()) {
        let token = maker.issue(&claims).unwrap();
        assert_eq!(maker.verify(&token, &expected(&claims), late), Err(Error::Expired));
        let wrong = Expected { kind: TokenKind::Refresh, ..expected(&claims) };
        assert_eq!(maker.verify(&token, &wrong, late), Err(Error::Invalid));
    }
}
