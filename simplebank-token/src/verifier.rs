//! How every maker verifies, once it knows how to open its tokens.

use std::{
    collections::HashMap,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use time::OffsetDateTime;

use crate::{Claims, Error, Expected, Leeway, claims};

/// What a maker was told of how to verify.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verifier {
    leeway: Leeway,
    genuine: Option<Arc<Genuine>>,
}

impl Verifier {
    pub(crate) fn with_leeway(self, leeway: Leeway) -> Self {
        Self { leeway, ..self }
    }

    pub(crate) fn remembering(self, tokens: usize) -> Self {
        let genuine = (tokens > 0).then(|| Arc::new(Genuine::new(tokens)));
        Self { genuine, ..self }
    }

    /// The claims of a token that `open` finds genuine, or has found so before, if they are meant for what is expected and hold at
    /// `now`.
    pub(crate) fn verify(
        &self,
        token: &str,
        expected: &Expected<'_>,
        now: OffsetDateTime,
        open: impl Fn(&str) -> Option<Claims>,
    ) -> Result<Claims, Error> {
        let token = claims::sized(token).ok_or(Error::Invalid)?;
        let claims = match &self.genuine {
            Some(genuine) => genuine.claims(token, open),
            None => open(token),
        };
        claims::accept(claims.ok_or(Error::Invalid)?, expected, now, self.leeway)
    }
}

/// Tokens that were found genuine, and what they say.
///
/// That a token is genuine depends on the token and the keys alone, and a maker's keys don't change: so it stays true. Whether the
/// claims are believed does not, and is not kept. A token is known by its SHA-256, so that the memory holds none.
struct Genuine {
    /// How many are young.
    young_max: usize,
    known: Mutex<Known>,
}

/// Those found or asked for since the last time that there were too many, and those before.
#[derive(Default)]
struct Known {
    young: HashMap<Digest, Claims>,
    old: HashMap<Digest, Claims>,
}

type Digest = [u8; SHA256_OUTPUT_LEN];

impl Genuine {
    fn new(tokens: usize) -> Self {
        Self { young_max: tokens.div_ceil(2), known: Mutex::default() }
    }

    fn claims(&self, token: &str, open: impl Fn(&str) -> Option<Claims>) -> Option<Claims> {
        let name = digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()?;
        if let Some(claims) = self.lock().get(&name, self.young_max) {
            return Some(claims);
        }
        let claims = open(token)?;
        self.lock().put(name, claims.clone(), self.young_max);
        Some(claims)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // No code of others runs while it is held: what a panic left behind would be whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Genuine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Genuine").field("young_max", &self.young_max).finish_non_exhaustive()
    }
}

impl Known {
    fn get(&mut self, name: &Digest, young_max: usize) -> Option<Claims> {
        if let Some(claims) = self.young.get(name) {
            return Some(claims.clone());
        }
        let claims = self.old.remove(name)?;
        self.put(*name, claims.clone(), young_max);
        Some(claims)
    }

    fn put(&mut self, name: Digest, claims: Claims, young_max: usize) {
        if self.young.len() >= young_max {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(name, claims);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::{collection::vec, prelude::*};
    use simplebank_core::{Role, SessionId, TokenId, UserId};

    use super::*;
    use crate::TokenKind;

    fn claims(number: u8) -> Claims {
        Claims {
            id: TokenId::from_parts(0, [number; 10]),
            subject: UserId::from_parts(0, [number; 10]),
            role: Role::Depositor,
            session: SessionId::from_parts(0, [number; 10]),
            kind: TokenKind::Access,
            issuer: String::new(),
            audience: String::new(),
            issued_at: OffsetDateTime::UNIX_EPOCH,
            not_before: OffsetDateTime::UNIX_EPOCH,
            expires_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    proptest! {
        /// Whoever is among the last half that were shown is not opened again, and no more than all are kept.
        #[test]
        fn what_was_shown_lately_is_not_opened_again(
            tokens in 1..12_usize,
            shown in vec(0..16_u8, 0..200),
        ) {
            let genuine = Genuine::new(tokens);
            let mut lately: Vec<u8> = Vec::new();
            for number in shown {
                let opened = Cell::new(false);
                let open = |_: &str| {
                    opened.set(true);
                    Some(claims(number))
                };
                prop_assert_eq!(genuine.claims(&number.to_string(), open), Some(claims(number)));
                let is_known = lately.iter().rev().take(tokens.div_ceil(2)).any(|&one| one == number);
                prop_assert!(!(is_known && opened.get()), "{} was opened again", number);
                lately.retain(|&one| one != number);
                lately.push(number);
                let known = genuine.lock();
                prop_assert!(known.young.len() + known.old.len() <= tokens.next_multiple_of(2));
            }
        }
    }

    #[test]
    fn a_forgery_is_opened_each_time_and_takes_no_place() {
        let genuine = Genuine::new(2);
        let opened = Cell::new(0);
        for _ in 0..3 {
            let open = |_: &str| {
                opened.set(opened.get() + 1);
                None
            };
            assert_eq!(genuine.claims("forged", open), None);
        }
        assert_eq!((opened.get(), genuine.lock().young.len()), (3, 0));
    }
}
