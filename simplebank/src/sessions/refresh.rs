//! Refresh tokens: what is kept of them, and how one follows from another (docs/adr/0011-refresh-tokens-rotate.md).
//!
//! What tells a session's refresh tokens from each other is their id, the claim `jti`: 74 random bits. A maker that draws a nonce never
//! makes the same bytes twice, but it makes a token of the same claims, and the id is one of them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use simplebank_core::{SessionId, TokenId};
use time::OffsetDateTime;

/// What is kept of a refresh token: an id is too random to be guessed from its hash, and worth nothing without the bank's key.
pub(super) fn hash(session: SessionId, token: TokenId) -> [u8; 32] {
    Sha256::new()
        .chain_update(session.as_uuid().as_bytes())
        .chain_update(token.as_uuid().as_bytes())
        .finalize()
        .into()
}

/// The id of the token that takes the place of `spent` at `now`. It takes both the salt, which only the database has, and the spent
/// token, which only its holder has, to find it; so the bank can when it is shown that token again, and nobody else can.
pub(super) fn successor(
    salt: &[u8],
    session: SessionId,
    spent: TokenId,
    now: OffsetDateTime,
) -> TokenId {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt).expect("HMAC takes a key of any length");
    mac.update(session.as_uuid().as_bytes());
    mac.update(spent.as_uuid().as_bytes());
    let bytes: [u8; 32] = mac.finalize().into_bytes().into();
    let [random @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = bytes;
    let unix_ms = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    TokenId::from_parts(unix_ms, random)
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    #[test]
    fn a_successor_follows_from_all_that_it_is_made_of_and_from_nothing_less() {
        let now = datetime!(2026-11-20 12:00 UTC);
        let (session, other_session) =
            (SessionId::from_parts(1, [1; 10]), SessionId::from_parts(1, [2; 10]));
        let (spent, other_spent) =
            (TokenId::from_parts(1, [1; 10]), TokenId::from_parts(1, [2; 10]));
        let token = successor(&[1; 32], session, spent, now);
        assert_eq!(token, successor(&[1; 32], session, spent, now));
        for other in [
            successor(&[2; 32], session, spent, now),
            successor(&[1; 32], other_session, spent, now),
            successor(&[1; 32], session, other_spent, now),
            successor(&[1; 32], session, spent, now + Duration::MILLISECOND),
        ] {
            assert_ne!(token, other);
        }
        assert_ne!(hash(session, token), hash(other_session, token));
        assert_ne!(hash(session, token), hash(session, spent));
    }
}
