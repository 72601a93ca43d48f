//! What is issued is accepted, and says the same.

use proptest::prelude::*;
use simplebank_core::{Role, SessionId, TokenId, UserId};
use simplebank_token::{Claims, IssueError, TOKEN_BYTES_MAX, TokenKind};
use time::{Duration, OffsetDateTime, UtcOffset, macros::datetime};

use crate::forge::{NOW, claims, expected, formats, key, makers, object};

prop_compose! {
    fn any_claims()(
        ids in any::<[(u32, [u8; 10]); 3]>(),
        role in prop::sample::select(&Role::ALL[..]),
        kind in prop::sample::select(&TokenKind::ALL[..]),
        issuer in "\\PC{0,100}",
        audience in any::<String>(),
        // The year 9999 ends at second 253,402,300,799; room is left for offsets and lifetimes.
        issued_at in -60_000_000_000_i64..253_000_000_000,
        nanosecond in 0..1_000_000_000_i64,
        offset in -12..=14_i8,
        (begins_after, lasts) in (0..1_000_000_i64, 1..10_000_000_i64),
    ) -> Claims {
        let [(token_ms, token), (user_ms, user), (session_ms, session)] = ids;
        let offset = UtcOffset::from_hms(offset, 0, 0).expect("within 14 hours");
        let issued_at = OffsetDateTime::from_unix_timestamp(issued_at).expect("within the years 0 to 9999");
        let issued_at = issued_at.to_offset(offset) + Duration::nanoseconds(nanosecond);
        let not_before = issued_at + Duration::milliseconds(begins_after);
        Claims {
            id: TokenId::from_parts(token_ms.into(), token),
            subject: UserId::from_parts(user_ms.into(), user),
            role,
            session: SessionId::from_parts(session_ms.into(), session),
            kind,
            issuer,
            audience,
            issued_at,
            not_before,
            expires_at: not_before + Duration::seconds(lasts),
        }
    }
}

proptest! {
    #[test]
    fn what_is_issued_is_accepted_and_says_the_same(claims in any_claims()) {
        for maker in makers(&key()) {
            let token = maker.issue(&claims).unwrap();
            let verified = maker.verify(&token, &expected(&claims), claims.not_before);
            prop_assert_eq!(verified, Ok(claims.clone().whole_seconds()), "{:?}", maker);
        }
    }

    #[test]
    fn any_genuine_payload_is_judged_without_a_panic(text in any::<String>()) {
        prop_assume!(!text.is_empty());
        for format in formats() {
            prop_assert!(format.verdict(&text).is_err());
        }
    }
}

#[test]
fn the_claims_go_by_their_registered_names() {
    for format in formats() {
        assert_eq!(format.verdict(&object(&format.members)), Ok(claims()), "{:?}", format.maker);
    }
}

#[test]
fn claims_that_no_verifier_would_accept_are_not_issued() {
    let start = claims();
    for maker in makers(&key()) {
        assert!(maker.issue(&start).is_ok());
        for claims in [
            Claims { expires_at: NOW - Duration::SECOND, ..start.clone() },
            Claims { issued_at: start.expires_at + Duration::SECOND, ..start.clone() },
            Claims { not_before: start.expires_at + Duration::SECOND, ..start.clone() },
            Claims { issued_at: datetime!(-0001-12-31 23:59:59 UTC), ..start.clone() },
            Claims { expires_at: datetime!(9999-12-31 23:59:59 -1), ..start.clone() },
        ] {
            let issued = maker.issue(&claims);
            assert!(matches!(issued, Err(IssueError::Times)), "{claims:?}");
        }
    }
}

/// The longest token is found by trying; it is accepted, and one byte more of it is neither issued nor looked at.
#[test]
fn a_token_has_a_longest_length() {
    for format in formats() {
        let maker = &format.maker;
        let with = |length| Claims { issuer: "i".repeat(length), ..claims() };
        let fits = |length: &usize| maker.issue(&with(*length)).is_ok();
        let longest = (0..TOKEN_BYTES_MAX).rev().find(fits).unwrap();
        assert!(longest > 2000, "{longest}");
        let token = maker.issue(&with(longest)).unwrap();
        assert!(token.len() <= TOKEN_BYTES_MAX && token.len() > TOKEN_BYTES_MAX - 2);
        assert!(maker.verify(&token, &expected(&with(longest)), NOW).is_ok());

        let refused = maker.issue(&with(longest + 1));
        assert!(matches!(refused, Err(IssueError::TooLong { bytes }) if bytes > TOKEN_BYTES_MAX));
        let longer = with(longest + 1);
        let payload = format.with("iss", &format!("{:?}", longer.issuer));
        let token = (format.forge)(&payload);
        assert!(maker.verify(&token, &expected(&longer), NOW).is_err());
    }
}
