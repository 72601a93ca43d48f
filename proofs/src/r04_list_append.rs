//! R4: histories of transactions on lists, at each level through the helper: no anomaly that the level forbids.
//!
//! Clients append values and read lists in random transactions, the helper runs them again as it must, and everything that
//! any attempt saw is checked: see [`check`]. The weaker levels must show what they allow, or the load was too easy.

mod check;
mod clients;
mod graph;
mod history;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use simplebank::{db::Isolation, testing::TestDatabase};

use self::{
    check::{Anomaly, check},
    clients::{CLIENTS, Lists},
    graph::Cycle,
};
use crate::{
    Control, Proof, Report, bank,
    random::{self, Random},
    thousands,
};

pub(crate) const PROOF: Proof = Proof {
    id: "R4",
    fault: "random transactions on lists at each level, checked for cycles",
    run: |scale| Box::pin(proof(scale.of(1_000, 100_000))),
    control: Some(Control {
        defect: "READ COMMITTED labelled SERIALIZABLE",
        run: |_| Box::pin(control()),
    }),
};

/// Transactions of each client in a round, after which the lists are long enough.
const EACH: u64 = 20;
const ROUND: u64 = CLIENTS * EACH;

/// The levels, and an anomaly that each allows and must therefore show.
const LEVELS: [(Isolation, &str, Option<Anomaly>); 3] = [
    (Isolation::ReadCommitted, "READ COMMITTED", Some(Anomaly::Cycle(Cycle::GSingle))),
    (Isolation::RepeatableRead, "REPEATABLE READ", Some(Anomaly::Cycle(Cycle::G2))),
    (Isolation::Serializable, "SERIALIZABLE", None),
];

async fn proof(transactions: u64) -> Report {
    let mut report = Report::new();
    let stage = Stage::new().await;
    let seed = random::seed();
    let (mut lists, mut random) = (stage.lists, Random::from_seed(seed));
    report.tried(transactions, "transactions per level");
    for (level, name, allowed) in LEVELS {
        let seen = run(&mut lists, level, level, transactions, &mut random, &mut report).await;
        if let Some(anomaly) = allowed {
            report.expect(seen.anomalies.contains_key(&anomaly), || {
                format!("{name}: no {}: the load is too easy", anomaly.name())
            });
        }
        report.note(format!("{name}: {seen}"));
    }
    report.note(format!("seed {seed}"));
    report
}

async fn control() -> Report {
    let mut report = Report::new();
    let stage = Stage::new().await;
    let seed = random::seed();
    let (mut lists, mut random) = (stage.lists, Random::from_seed(seed));
    let (level, judged_as) = (Isolation::ReadCommitted, Isolation::Serializable);
    let seen = run(&mut lists, level, judged_as, ROUND, &mut random, &mut report).await;
    if seen.forbidden_cycles == 0 {
        // Whatever else was found would be found without a graph.
        report = Report::new();
    }
    report.tried(ROUND, "transactions");
    report.note(format!("{} cycles", thousands(seen.forbidden_cycles)));
    report.note(format!("seed {seed}"));
    report
}

struct Stage {
    lists: Lists,
    _database: TestDatabase,
}

impl Stage {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        // Random transactions deadlock all the time, and each waits until it is found out.
        let owner = bank::hurry_deadlocks(&database.url()).await;
        sqlx::raw_sql(clients::TABLE).execute(&owner).await.expect("the owner may make tables");
        let connections = u32::try_from(CLIENTS).expect("a few");
        let db = bank::connect(&database.url(), connections).await;
        Self { lists: Lists::new(db, owner), _database: database }
    }
}

/// What was seen in all rounds at a level.
#[derive(Debug, Default)]
struct Seen {
    attempts: usize,
    edges: usize,
    /// Those that the level allows.
    anomalies: BTreeMap<Anomaly, u64>,
    forbidden_cycles: u64,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: usize| thousands(u64::try_from(count).expect("a count fits"));
        write!(f, "{} attempts, {} dependencies", count(self.attempts), count(self.edges))?;
        for (anomaly, count) in &self.anomalies {
            write!(f, ", {} {} (allowed)", thousands(*count), anomaly.name())?;
        }
        Ok(())
    }
}

/// Runs transactions at `level` and reports what is forbidden at `judged_as`.
async fn run(
    lists: &mut Lists,
    level: Isolation,
    judged_as: Isolation,
    transactions: u64,
    random: &mut Random,
    report: &mut Report,
) -> Seen {
    let mut seen = Seen::default();
    for round in 0..transactions.div_ceil(ROUND) {
        let (history, failures) = lists.round(level, EACH, random).await;
        for failure in failures {
            report.violation(format!("{level:?}, round {round}: {failure}"));
        }
        seen.attempts += history.attempts.len();
        let findings = check(&history);
        seen.edges += findings.edges;
        for (anomaly, place) in findings.anomalies {
            if anomaly.is_forbidden_at(judged_as) {
                report.violation(format!("{level:?}, round {round}: {}: {place}", anomaly.name()));
                seen.forbidden_cycles += u64::from(matches!(anomaly, Anomaly::Cycle(_)));
            } else {
                *seen.anomalies.entry(anomaly).or_default() += 1;
            }
        }
    }
    seen
}
