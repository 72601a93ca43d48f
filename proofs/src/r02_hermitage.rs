//! R2: which anomalies each level lets through, tried case by case through the helper.
//!
//! The cases are those of M. Kleppmann's Hermitage, which gives Adya's anomalies as interleavings of statements. What
//! PostgreSQL is known to do stands beside each case; every cell that turns out otherwise is a violation.

mod cases;
mod phenomena;

use simplebank::{
    db::{Db, Isolation, TxSpec},
    testing::TestDatabase,
};

pub(crate) use self::phenomena::LEVELS;
use self::{cases::CASES, phenomena::PHENOMENA};
use crate::{
    Control, Proof, Report, Scale,
    script::{self, Act, Begin, Event, Happened, Row, Step, Who},
};

pub(crate) const PROOF: Proof = Proof {
    id: "R2",
    fault: "the 20 Hermitage cases at each level, and the four phenomena of the SQL standard",
    run: |scale| Box::pin(run(Defect::None, scale)),
    control: Some(Control {
        defect: "the helper ignores the level and runs all at READ COMMITTED",
        run: |scale| Box::pin(run(Defect::LevelIgnored, scale)),
    }),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    LevelIgnored,
    /// Each statement commits by itself: shows that the cases notice what no level of PostgreSQL lets through.
    #[cfg(test)]
    NoTransaction,
}

/// The helper's levels, with their names.
pub(crate) const HELPERS_LEVELS: [(&str, Isolation); 3] = [
    ("read committed", Isolation::ReadCommitted),
    ("repeatable read", Isolation::RepeatableRead),
    ("serializable", Isolation::Serializable),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Happens,
    Prevented,
}

/// An anomaly as an interleaving of statements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// At each of [`HELPERS_LEVELS`].
    expected: [Expected; 3],
    steps: &'static [Step],
    is_observed: fn(&Trace) -> bool,
}

/// What the transactions saw, and what they left.
#[derive(Debug)]
struct Trace {
    events: Vec<Event>,
    rows: Vec<Row>,
}

/// Whether an anomaly happened, and if not, what prevented it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Happened,
    /// A transaction was told to run again.
    SerializationFailure,
    /// A transaction waited for another, and then all was well.
    Waiting,
    /// Nobody waited and nothing failed: what was not to be seen was not seen.
    Snapshot,
}

impl Found {
    /// As the documentation's tables have it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Happened => "**happens**",
            Self::SerializationFailure => "40001",
            Self::Waiting => "waits",
            Self::Snapshot => "snapshot",
        }
    }

    fn fits(self, expected: Expected) -> bool {
        (self == Self::Happened) == (expected == Expected::Happens)
    }
}

/// A row of a table: what was tried and what was found at each level.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) found: Vec<Found>,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) cases: Vec<Line>,
    pub(crate) phenomena: Vec<Line>,
}

async fn run(defect: Defect, scale: Scale) -> Report {
    let mut rounds = 0;
    let mut report = Report::new();
    while rounds < scale.of(1, 25) && report.violations() == 0 {
        rounds += 1;
        match measure(defect).await {
            Ok(tables) => compare(&tables, &mut report),
            Err(stuck) => report.violation(stuck),
        }
    }
    report.tried(u64::try_from(CASES.len() * HELPERS_LEVELS.len()).expect("few"), "cells");
    report.note("16 more of the SQL standard's phenomena");
    if rounds > 1 {
        report.note(format!("all of them {rounds} times"));
    }
    report
}

fn compare(tables: &Tables, report: &mut Report) {
    let mut compare = |line: &Line, expected: &[Expected], levels: &[&str]| {
        for ((found, expected), level) in line.found.iter().zip(expected).zip(levels) {
            report.expect(found.fits(*expected), || {
                format!("{} at {level}: expected {expected:?}, found {found:?}", line.name)
            });
        }
    };
    for (line, case) in tables.cases.iter().zip(CASES) {
        compare(line, &case.expected, &HELPERS_LEVELS.map(|(name, _)| name));
    }
    for (line, phenomenon) in tables.phenomena.iter().zip(PHENOMENA) {
        compare(line, &phenomenon.expected, &LEVELS.map(|(name, _)| name));
    }
}

/// Plays every case at every level; the text of an error says which case could not be played to its end.
pub(crate) async fn measure(defect: Defect) -> Result<Tables, String> {
    let theatre = Theatre::new().await;
    let mut tables = Tables::default();
    for case in CASES {
        let mut found = Vec::new();
        for (_, level) in HELPERS_LEVELS {
            let trace = theatre.play(case.name, begin(defect, level), case.steps).await?;
            found.push(trace.found(case.is_observed));
        }
        tables.cases.push(Line { name: case.name, what: case.what, found });
    }
    for phenomenon in PHENOMENA {
        let mut found = Vec::new();
        for (_, begin) in LEVELS {
            let trace =
                theatre.play(phenomenon.name, Begin::Plain(begin), phenomenon.steps).await?;
            found.push(trace.found(phenomenon.is_observed));
        }
        tables.phenomena.push(Line { name: phenomenon.name, what: "", found });
    }
    Ok(tables)
}

fn begin(defect: Defect, level: Isolation) -> Begin {
    match defect {
        Defect::None => Begin::once(TxSpec::new("hermitage", level)),
        Defect::LevelIgnored => Begin::once(TxSpec::new("hermitage", Isolation::ReadCommitted)),
        #[cfg(test)]
        Defect::NoTransaction => Begin::Never,
    }
}

/// A database with the table of all cases.
struct Theatre {
    database: TestDatabase,
    owner: Db,
}

impl Theatre {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let owner = Db::from_pool(database.owner().await);
        let sql = "create table test (id int primary key, value int not null); grant all on test to simplebank_app";
        sqlx::raw_sql(sql).execute(owner.pool()).await.expect("the owner may");
        Self { database, owner }
    }

    /// Plays a script on fresh rows. Whatever but a serialization failure goes wrong is a mistake in the script.
    async fn play(&self, name: &str, begin: Begin, steps: &[Step]) -> Result<Trace, String> {
        let fresh = "truncate test; insert into test (id, value) values (1, 10), (2, 20)";
        let owner = self.owner.pool();
        sqlx::raw_sql(fresh).execute(owner).await.expect("the owner may");
        let events = script::play(self.database.db(), &self.owner, begin, &[], steps).await;
        let events = events.map_err(|stuck| format!("{name}: {stuck}"))?;
        let rows = sqlx::query_as("select id, value from test order by id").fetch_all(owner);
        let trace = Trace { events, rows: rows.await.expect("the owner may") };
        let unexpected = trace.failures().find(|state| *state != "40001").map(str::to_owned);
        match unexpected {
            Some(state) => Err(format!("{name}: the server said {state}")),
            None => Ok(trace),
        }
    }
}

impl Trace {
    /// What a transaction read, statement by statement.
    fn reads(&self, who: Who) -> Vec<&[Row]> {
        let is_read = |event: &&Event| event.who == who && event.act.sql().starts_with("select");
        self.events.iter().filter(is_read).filter_map(|event| event.happened.rows()).collect()
    }

    fn saw(&self, who: Who, row: Row) -> bool {
        self.reads(who).concat().contains(&row)
    }

    fn committed(&self, all: &[Who]) -> bool {
        all.iter().all(|who| {
            let is_commit = |event: &&Event| event.who == *who && event.act == Act::Commit;
            self.events.iter().find(is_commit).is_some_and(|event| event.happened.rows().is_some())
        })
    }

    fn failures(&self) -> impl Iterator<Item = &str> {
        self.events.iter().filter_map(|event| match &event.happened {
            Happened::Failed(state) => Some(state.as_str()),
            Happened::Done(_) | Happened::Waits(_) | Happened::Skipped => None,
        })
    }

    fn found(&self, is_observed: fn(&Self) -> bool) -> Found {
        if is_observed(self) {
            Found::Happened
        } else if self.failures().next().is_some() {
            Found::SerializationFailure
        } else if self.events.iter().any(|event| matches!(event.happened, Happened::Waits(_))) {
            Found::Waiting
        } else {
            Found::Snapshot
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In these, what would go wrong is one statement of each transaction, so that statements in a row do no harm.
    const SINGLE_STATEMENTS: [&str; 4] =
        ["PMP, write, delete", "PMP, write, update", "G2-item, crosswise", "G2, sums"];

    #[tokio::test(flavor = "multi_thread")]
    async fn without_transactions_every_case_notices_its_anomaly() {
        let tables = measure(Defect::NoTransaction).await.unwrap();
        assert_eq!(tables.cases.len(), 20);
        for line in tables.cases {
            let expected = if SINGLE_STATEMENTS.contains(&line.name) {
                Found::Snapshot
            } else {
                Found::Happened
            };
            assert_eq!(line.found, [expected; 3], "{}", line.name);
        }
    }
}
