//! The clients' own log: what was asked under which key, and what came back.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use uuid::Uuid;

use super::Findings;
use crate::{Report, thousands};

/// What every key of the load begins with; the rest is the number of its line.
const KEY_PREFIX: &str = "load-";

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Transfer,
    /// That money be held.
    Hold,
    /// What a hold holds, or a part of it.
    Capture,
    /// That a hold be let go of.
    Void,
    /// That a transfer be given back, or a part of it; who pays is who was paid.
    Reversal,
}

/// One order, as its client knows it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What is asked for.
    pub(crate) what: What,
    /// Who asked.
    pub(crate) owner: Uuid,
    /// Who is to pay.
    pub(crate) from: Uuid,
    /// Who is to be paid.
    pub(crate) to: Uuid,
    /// Cents of a euro.
    pub(crate) amount: i64,
    /// What the client was told.
    pub(crate) told: Told,
}

impl Line {
    /// True when the client was told that it has happened.
    pub(crate) const fn is_acknowledged(&self) -> bool {
        matches!(self.told, Told::Acknowledged { .. })
    }
}

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing yet, or that the outcome is unknown.
    Nothing,
    /// It has happened.
    Acknowledged {
        /// Which transfer it is.
        transfer: Uuid,
        /// The version of the account that the receipt shows: the payer's, or for a capture the payee's.
        version: i64,
        /// Its balance.
        balance_after: i64,
    },
    /// The hold is placed, or let go of.
    Held {
        /// Which hold it is.
        hold: Uuid,
    },
    /// The bank said no, for the reason of this code.
    Refused(&'static str),
    /// It has not happened, and never will: the client hasn't sent it again.
    Failed(&'static str),
}

/// All lines, and what was noticed on the way.
#[derive(Debug)]
pub(crate) struct Log {
    parts: Mutex<Parts>,
    acknowledged: watch::Sender<u64>,
    /// How often a client was told that something has failed, or that nobody knows.
    let_down: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Parts {
    lines: Vec<Line>,
    /// Acknowledged since somebody last asked.
    fresh: Vec<Uuid>,
    findings: Findings,
    counts: BTreeMap<&'static str, u64>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            parts: Mutex::default(),
            acknowledged: watch::Sender::new(0),
            let_down: watch::Sender::new(0),
        }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what is about to be asked; returns the line's number.
    pub(crate) fn ask(&self, line: Line) -> usize {
        let lines = &mut self.parts().lines;
        lines.push(line);
        lines.len() - 1
    }

    /// Notes what the client was told. Acknowledgements count from here on.
    pub(crate) fn tell(&self, number: usize, told: Told) {
        let mut parts = self.parts();
        let line = parts.lines.get_mut(number).expect("the line was asked for");
        line.told = told;
        match told {
            Told::Acknowledged { transfer, .. } => {
                parts.fresh.push(transfer);
                self.acknowledged.send_modify(|count| *count = count.saturating_add(1));
            }
            Told::Held { .. } => {
                self.acknowledged.send_modify(|count| *count = count.saturating_add(1));
            }
            Told::Failed(_) => self.let_down.send_modify(|count| *count = count.saturating_add(1)),
            Told::Nothing | Told::Refused(_) => {}
        }
    }

    /// Notes that a client was told that the outcome is unknown.
    pub(super) fn doubt(&self) {
        self.count("unknown outcomes");
        self.let_down.send_modify(|count| *count = count.saturating_add(1));
    }

    /// The transfers that were acknowledged since the last call.
    pub(super) fn take_fresh(&self) -> Vec<Uuid> {
        mem::take(&mut self.parts().fresh)
    }

    /// Counts something for the report.
    pub(crate) fn count(&self, what: &'static str) {
        let mut parts = self.parts();
        let count = parts.counts.entry(what).or_default();
        *count = count.saturating_add(1);
    }

    /// Notes a broken promise.
    pub(crate) fn found(&self, invariant: &'static str, text: impl Into<String>) {
        self.parts().findings.add(invariant, text);
    }

    /// Every broken promise that was noted since the last call.
    pub(super) fn take_findings(&self) -> Findings {
        mem::take(&mut self.parts().findings)
    }

    /// All lines as they are now.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.parts().lines.clone()
    }

    /// How many transfers are acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        *self.acknowledged.borrow()
    }

    /// Waits until so many are.
    pub(super) async fn wait_for(&self, target: u64) {
        reaches(&self.acknowledged, target).await;
    }

    /// Waits until a client is let down once more.
    pub(super) async fn wait_for_let_down(&self) {
        let target = self.let_down.borrow().saturating_add(1);
        reaches(&self.let_down, target).await;
    }

    /// Says how many transfers there were and how they ended.
    pub(super) fn describe(&self, lines: &[Line], report: &mut Report) {
        let mut told: BTreeMap<String, u64> = BTreeMap::new();
        for line in lines {
            let what = match line.told {
                Told::Acknowledged { .. } => "transfers acknowledged".to_owned(),
                Told::Held { .. } => "holds placed and let go of".to_owned(),
                Told::Refused(_) => "refused".to_owned(),
                Told::Failed(code) => format!("failed as {code}"),
                Told::Nothing => "without an answer".to_owned(),
            };
            let count = told.entry(what).or_default();
            *count = count.saturating_add(1);
        }
        report.tried(told.remove("transfers acknowledged").unwrap_or(0), "transfers acknowledged");
        let counts = self.parts().counts.clone();
        let counts = counts.into_iter().map(|(what, count)| (what.to_owned(), count));
        for (what, count) in told.into_iter().chain(counts) {
            report.note(format!("{} {what}", thousands(count)));
        }
    }
}

async fn reaches(count: &watch::Sender<u64>, target: u64) {
    let reached = count.subscribe().wait_for(|count| *count >= target).await.is_ok();
    assert!(reached, "the log outlives who waits for it");
}

/// The key of a line.
pub(crate) fn key_of(number: usize) -> String {
    format!("{KEY_PREFIX}{number}")
}

/// The line of a key, if it is one of the load's.
pub(super) fn number_of(key: &str) -> Option<usize> {
    key.strip_prefix(KEY_PREFIX)?.parse().ok()
}
