//! R27: random operations get the same answers in memory and on PostgreSQL.
//!
//! Anybody orders anything: transfers, deposits, withdrawals, holds and what becomes of them, reversals, batches of either mode,
//! under fresh keys and under keys that were used before; accounts are opened, frozen, limited and closed, and time goes by.
//! Each history is played on a [`MemoryLedger`], which is watched by an [`Oracle`] of its own arithmetic and by the auditor;
//! some are played on PostgreSQL as well, where each answer must be the same, and in the end each balance, version, entry and
//! statement.

mod operation;
mod oracle;
mod side;

use std::collections::BTreeMap;

use simplebank::{
    Bank,
    testing::{FixedClock, MemoryLedger, TestDatabase},
};
use tokio::task::JoinSet;

use self::{
    operation::Plan,
    oracle::{Arithmetic, Oracle},
    side::{Keys, Side},
};
use crate::{
    Control, Proof, Report, Scale, bank,
    random::{self, Random},
};

pub(crate) const PROOF: Proof = Proof {
    id: "R27",
    fault: "random operations in memory and on PostgreSQL",
    run: |scale| Box::pin(trial(scale)),
    control: Some(Control {
        defect: "a model that adds with wrapping; one that forgets refusals",
        run: |scale| Box::pin(control(scale)),
    }),
};

/// Operations of a history that is played in memory only.
const PURE_LENGTH: u64 = 1_000;
/// How many operations there are between two audits of what is in memory.
const AUDIT_EVERY: u64 = 100;
/// Histories that are played on PostgreSQL at a time.
const AT_A_TIME: u64 = 4;
/// What must have been answered for the histories to have meant anything.
const ANSWERS: [&str; 12] = [
    "transfer: ok",
    "deposit: ok",
    "withdraw: ok",
    "hold: ok",
    "capture: ok",
    "void: ok",
    "reverse: ok",
    "batch: ok",
    "batch: a member refused",
    "transfer: idempotency_key_reused",
    "transfer: insufficient_funds",
    "deposit: balance_out_of_range",
];

/// How often what was answered to what.
type Tally = BTreeMap<String, u64>;

async fn trial(scale: Scale) -> Report {
    let mut report = Report::new();
    let mut random = seeded(&mut report);
    let mut tally = Tally::new();
    let histories = scale.of(20, 1_000);
    for _ in 0..histories {
        let found = pure(random.split(), Arithmetic::Exact, &mut tally).await;
        found.into_iter().for_each(|found| report.violation(found));
    }
    report.tried(histories * PURE_LENGTH, "operations in memory");
    let (mut histories, length) = (scale.of(4, 50), scale.of(300, 10_000));
    report.tried(histories * length, "operations on both");
    while histories > 0 {
        let mut played = JoinSet::new();
        for _ in 0..histories.min(AT_A_TIME) {
            played.spawn(compared(random.split(), Keys::Sticky, length));
            histories -= 1;
        }
        let found = played.join_all().await;
        found.into_iter().flatten().for_each(|found| report.violation(found));
    }
    report.note(format!("{} kinds of answers", tally.len()));
    for answer in ANSWERS {
        report.expect(tally.contains_key(answer), || format!("nobody got {answer}: {tally:?}"));
    }
    report
}

/// Both defects must be told apart, or the report has nothing to show.
async fn control(scale: Scale) -> Report {
    let mut report = Report::new();
    let mut random = seeded(&mut report);
    let mut wrapping = None;
    for _ in 0..20 {
        let found = pure(random.split(), Arithmetic::Wrapping, &mut Tally::new()).await;
        wrapping = wrapping.or(found);
    }
    let length = scale.of(300, 1_000);
    let forgetful = compared(random.split(), Keys::Forgetful, length).await;
    match (wrapping, forgetful) {
        (Some(wrapping), Some(forgetful)) => {
            report.violation(format!("wrapping: {wrapping}"));
            report.violation(format!("forgetful: {forgetful}"));
        }
        (wrapping, forgetful) => {
            report.note(format!("wrapping: {wrapping:?}, forgetful: {forgetful:?}"));
        }
    }
    report
}

fn seeded(report: &mut Report) -> Random {
    let seed = random::seed();
    report.note(format!("seed {seed}"));
    Random::from_seed(seed)
}

/// Plays a history in memory, where the oracle and the auditor look on; what they find first.
async fn pure(random: Random, arithmetic: Arithmetic, tally: &mut Tally) -> Option<String> {
    let clock = FixedClock::default();
    let mut memory = Side::in_memory(MemoryLedger::new(clock.clone()), Keys::Sticky);
    let (mut plan, mut oracle) = (Plan::new(random), Oracle::new(arithmetic));
    for number in 1..=PURE_LENGTH {
        let operation = plan.next();
        let answer = memory.perform(&operation, &clock).await;
        *tally.entry(format!("{}: {}", operation.kind(), answer.code())).or_default() += 1;
        if let Some(objection) = oracle.see(&operation, &answer) {
            let text = &answer.text;
            return Some(format!("operation {number}, {operation:?}: {text}: {objection}"));
        }
        if number % AUDIT_EVERY == 0
            && let Some(violation) = memory.ledger.verify().violation
        {
            return Some(format!("operation {number}: {violation}"));
        }
    }
    None
}

/// Plays a history in memory and on PostgreSQL; the first difference.
async fn compared(random: Random, keys: Keys, length: u64) -> Option<String> {
    let (clock, database) = (FixedClock::default(), TestDatabase::new().await);
    let db = bank::connect(&database.url(), 4).await;
    let bank = Bank::builder(db).clock(clock.clone()).build();
    let mut stored = Side::stored(bank.expect("the system gives random numbers")).await;
    let mut memory = Side::in_memory(MemoryLedger::new(clock.clone()), keys);
    let mut plan = Plan::new(random);
    // Both have one clock, which the second moves on.
    let other_clock = FixedClock::default();
    for number in 1..=length {
        let operation = plan.next();
        let expected = memory.perform(&operation, &other_clock).await.text;
        let found = stored.perform(&operation, &clock).await.text;
        if found != expected {
            let mut lines = expected.lines().zip(found.lines());
            let (expected, found) =
                lines.find(|(one, other)| one != other).unwrap_or((&expected, &found));
            return Some(format!(
                "operation {number}, {operation:?}: in memory {expected}, stored {found}"
            ));
        }
    }
    let (expected, found) = (memory.picture().await, stored.picture().await);
    if let Some((expected, found)) = expected.iter().zip(&found).find(|(one, other)| one != other) {
        return Some(format!("in the end: in memory {expected}, stored {found}"));
    }
    if expected.len() != found.len() {
        return Some(format!("{} parts in memory, {} stored", expected.len(), found.len()));
    }
    let whole = stored.ledger.verify(|_| ()).await.expect("the database answers");
    let violation = whole.violation.or(memory.ledger.verify().violation);
    violation.map(|violation| violation.to_string())
}
