//! The doors by which time and randomness enter.

use std::fmt;

use simplebank_core::{
    AccountId, HoldId, JobId, SessionId, TokenId, TransferId, UserId, VerificationId,
};
use time::OffsetDateTime;

use crate::Error;

/// Tells the time, in UTC.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now, in whole microseconds, which is what PostgreSQL keeps.
    fn now(&self) -> OffsetDateTime;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        #[expect(clippy::disallowed_methods, reason = "the door by which time enters")]
        let now = OffsetDateTime::now_utc();
        whole_microseconds(now)
    }
}

/// Cuts off what PostgreSQL doesn't keep, so that a value reads back as it was written.
pub(crate) fn whole_microseconds(time: OffsetDateTime) -> OffsetDateTime {
    // In range: the microsecond of a time is one.
    time.replace_microsecond(time.microsecond()).unwrap_or(time)
}

/// Bytes that nobody can foresee.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    #[expect(clippy::disallowed_methods, reason = "the door by which randomness enters")]
    getrandom::fill(&mut bytes).map_err(Error::Randomness)?;
    Ok(bytes)
}

/// A kind of identifier that is made of a time and random bytes.
pub(crate) trait NewId {
    fn from_parts(unix_ms: u64, random: [u8; 10]) -> Self;
}

macro_rules! new_ids {
    ($($id:ident)+) => {$(
        impl NewId for $id {
            fn from_parts(unix_ms: u64, random: [u8; 10]) -> Self {
                $id::from_parts(unix_ms, random)
            }
        }
    )+};
}

new_ids! { AccountId HoldId JobId SessionId TokenId TransferId UserId VerificationId }

/// A fresh identifier that sorts after those made a millisecond before.
pub(crate) fn new_id<I: NewId>(now: OffsetDateTime) -> Result<I, Error> {
    // Before 1970 ids don't sort; they are unique all the same.
    let unix_ms = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    Ok(I::from_parts(unix_ms, random_bytes()?))
}
