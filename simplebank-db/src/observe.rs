//! What transactions tell the outside: metrics through the `metrics` facade, by the name of the [`TxSpec`](crate::TxSpec).
//!
//! | Name | Kind | Labels | Says |
//! |---|---|---|---|
//! | `simplebank_tx_attempts_total` | counter | `name` | how often a body was run |
//! | `simplebank_tx_retries_total` | counter | `name`, `sqlstate` | how often it was run again, and why; `connection` where there is no SQLSTATE |
//! | `simplebank_tx_unknown_total` | counter | `name`, `outcome` | commits that nobody answered: `committed`, `not_committed`, or `unknown` to the end |
//! | `simplebank_tx_seconds` | histogram | `name`, `outcome` | from the call to its result: `ok`, `error`, or `dropped` by the caller |
//! | `simplebank_tx_pool_wait_seconds` | histogram | `name` | how long an attempt waited for a connection |

use std::time::Duration;

use metrics::{counter, histogram};
use tokio::time::Instant;
use tracing::Span;

use crate::{Error, tx::Settled};

/// One call of `transact`, from its beginning to its end or its drop.
pub(crate) struct Observed {
    name: &'static str,
    began_at: Instant,
    attempts: u32,
    outcome: &'static str,
    span: Span,
}

impl Observed {
    pub(crate) fn new(name: &'static str, span: Span) -> Self {
        Self { name, began_at: Instant::now(), attempts: 0, outcome: "dropped", span }
    }

    pub(crate) fn attempt(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
        counter!("simplebank_tx_attempts_total", "name" => self.name).increment(1);
    }

    pub(crate) fn retry(&self, error: &Error) {
        let sqlstate = error.sqlstate().unwrap_or_else(|| "connection".into()).into_owned();
        counter!("simplebank_tx_retries_total", "name" => self.name, "sqlstate" => sqlstate)
            .increment(1);
    }

    pub(crate) fn unknown<T>(&self, settled: &Settled<T>) {
        let outcome = match settled {
            Settled::Committed(_) => "committed",
            Settled::NotCommitted(_) => "not_committed",
            Settled::Unknown(_) => "unknown",
        };
        counter!("simplebank_tx_unknown_total", "name" => self.name, "outcome" => outcome)
            .increment(1);
    }

    pub(crate) fn end<T, E>(&mut self, outcome: &Result<T, E>) {
        self.outcome = if outcome.is_ok() { "ok" } else { "error" };
        self.span.record("attempts", self.attempts);
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        histogram!("simplebank_tx_seconds", "name" => self.name, "outcome" => self.outcome)
            .record(self.began_at.elapsed());
    }
}

/// What a call of this name happens in.
pub(crate) fn span(name: &'static str) -> Span {
    tracing::debug_span!("transaction", name, attempts = tracing::field::Empty)
}

pub(crate) fn pool_wait(name: &'static str, wait: Duration) {
    histogram!("simplebank_tx_pool_wait_seconds", "name" => name).record(wait);
}
