//! For tests of those who embed the bank: a ledger in memory, a clock that stands still, and databases and faults of their own,
//! which [`simplebank_db::testing`] explains.

mod ledger;

use std::sync::{Arc, Mutex};

pub use simplebank_db::testing::{
    Counts, Failure, Fault, Proxy, Strike, TestCluster, TestDatabase, ThrowawayCluster,
    ThrowawayOptions, drop_after, kill_backend, kill_backends,
};
use time::{Duration, OffsetDateTime, macros::datetime};

pub use self::ledger::MemoryLedger;
use crate::ports::{Clock, whole_microseconds};

/// A clock that shows 2026-01-01 12:00 UTC until it is told otherwise. Clones are one clock.
#[derive(Clone, Debug)]
pub struct FixedClock(Arc<Mutex<OffsetDateTime>>);

impl Default for FixedClock {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(datetime!(2026-01-01 12:00 UTC))))
    }
}

impl FixedClock {
    /// Moves the clock on, or back by a negative duration.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = whole_microseconds(now.saturating_add(by));
    }
}

impl Clock for FixedClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
