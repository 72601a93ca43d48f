//! What a history shows that must not be, after K. Kingsbury and P. Alvaro, "Elle: Inferring Isolation Anomalies from
//! Experimental Observations" (2020): a list tells in which order its values were appended, so every read tells which version
//! it saw, and who comes before whom follows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use simplebank::db::Isolation;

use super::{
    graph::{Cycle, Dependency, Graph},
    history::{Attempt, Fate, History, Key, Operation, Value},
};

/// Something that a serial history has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Anomaly {
    /// A value was seen that nobody has appended.
    Unwritten,
    /// A value is in a list twice.
    Doubled,
    /// A value was committed and is not in the list at the end.
    Lost,
    /// G1a: a value was seen whose transaction was rolled back.
    G1a,
    /// G1b: a list was seen in the middle of somebody else's transaction.
    G1b,
    /// A list was seen that the one at the end does not begin with: two orders of the same values.
    Order,
    /// A transaction did not see at the end of a list what it had appended itself.
    OwnWrite,
    /// A transaction saw a list change between two reads other than by itself.
    Unrepeatable,
    /// Transactions depend on each other in a circle.
    Cycle(Cycle),
}

impl Anomaly {
    /// True when PostgreSQL promises that it never happens at `level`.
    pub(super) const fn is_forbidden_at(self, level: Isolation) -> bool {
        let is_weakest = matches!(level, Isolation::ReadCommitted);
        let is_strongest = matches!(level, Isolation::Serializable);
        match self {
            Self::Unwritten | Self::Doubled | Self::Lost | Self::G1a | Self::G1b => true,
            Self::Order | Self::OwnWrite | Self::Cycle(Cycle::G0 | Cycle::G1c) => true,
            Self::Unrepeatable | Self::Cycle(Cycle::GSingle | Cycle::GNonadjacent) => !is_weakest,
            Self::Cycle(Cycle::G2) => is_strongest,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unwritten => "unwritten value",
            Self::Doubled => "doubled value",
            Self::Lost => "lost append",
            Self::G1a => "G1a",
            Self::G1b => "G1b",
            Self::Order => "two orders",
            Self::OwnWrite => "own write not seen",
            Self::Unrepeatable => "unrepeatable read",
            Self::Cycle(Cycle::G0) => "G0",
            Self::Cycle(Cycle::G1c) => "G1c",
            Self::Cycle(Cycle::GSingle) => "G-single",
            Self::Cycle(Cycle::GNonadjacent) => "G-nonadjacent",
            Self::Cycle(Cycle::G2) => "G2",
        }
    }
}

/// What was found in a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// How many dependencies there are.
    pub(super) edges: usize,
    /// Each anomaly, and where it is.
    pub(super) anomalies: Vec<(Anomaly, String)>,
}

/// Everything that is wrong with a history, whatever its level.
pub(super) fn check(history: &History) -> Findings {
    let checker = Checker { history, writers: Writers::of(history) };
    let mut findings = Findings::default();
    checker.check_lists(&mut findings);
    for (number, attempt) in history.attempts.iter().enumerate() {
        checker.check_reads(number, attempt, &mut findings);
        check_own(number, attempt, &mut findings);
    }
    let graph = checker.graph();
    findings.edges = graph.edges_count();
    for (cycle, nodes) in graph.knots() {
        findings.add(Anomaly::Cycle(cycle), checker.describe(&nodes));
    }
    findings
}

impl Findings {
    fn add(&mut self, anomaly: Anomaly, place: String) {
        self.anomalies.push((anomaly, place));
    }
}

/// Who appended what.
struct Writers {
    /// The attempt that appended a value.
    of_value: HashMap<(Key, Value), usize>,
    /// The last value that an attempt appended to a list.
    last_of: HashMap<(Key, usize), Value>,
}

impl Writers {
    fn of(history: &History) -> Self {
        let mut writers = Self { of_value: HashMap::new(), last_of: HashMap::new() };
        for (number, attempt) in history.attempts.iter().enumerate() {
            for operation in &attempt.operations {
                if let Operation::Append(key, value) = operation {
                    writers.of_value.insert((*key, *value), number);
                    writers.last_of.insert((*key, number), *value);
                }
            }
        }
        writers
    }
}

struct Checker<'a> {
    history: &'a History,
    writers: Writers,
}

impl Checker<'_> {
    fn writer(&self, key: Key, value: Value) -> Option<usize> {
        self.writers.of_value.get(&(key, value)).copied()
    }

    fn fate(&self, number: usize) -> Fate {
        self.history.attempts.get(number).expect("an attempt of the history").fate
    }

    fn list(&self, key: Key) -> &[Value] {
        self.history.lists.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Each committed value must be in the lists at the end, once, and nothing else.
    fn check_lists(&self, findings: &mut Findings) {
        let mut kept = BTreeSet::new();
        for (key, list) in &self.history.lists {
            for value in list {
                if !kept.insert((*key, *value)) {
                    findings.add(Anomaly::Doubled, format!("{value} in list {key}"));
                }
                self.check_value(None, *key, *value, findings);
            }
        }
        for (number, operations) in self.history.committed() {
            for operation in operations {
                if let Operation::Append(key, value) = operation
                    && !kept.contains(&(*key, *value))
                {
                    let place = format!("transaction {number}: {value} in list {key}");
                    findings.add(Anomaly::Lost, place);
                }
            }
        }
    }

    /// Somebody must have appended and committed a value that `reader` has seen; what is one's own need not be committed.
    fn check_value(&self, reader: Option<usize>, key: Key, value: Value, findings: &mut Findings) {
        let place = || match reader {
            Some(reader) => format!("transaction {reader}: {value} in list {key}"),
            None => format!("at the end: {value} in list {key}"),
        };
        match self.writer(key, value) {
            None => findings.add(Anomaly::Unwritten, place()),
            Some(writer) if Some(writer) != reader && self.fate(writer) == Fate::Aborted => {
                findings.add(Anomaly::G1a, place());
            }
            Some(_) => {}
        }
    }

    fn check_reads(&self, reader: usize, attempt: &Attempt, findings: &mut Findings) {
        for operation in &attempt.operations {
            let Operation::Read(key, list) = operation else { continue };
            for value in list {
                self.check_value(Some(reader), *key, *value, findings);
            }
            let is_own = |value: &&Value| self.writer(*key, **value) == Some(reader);
            if let Some(last) = list.iter().rev().find(|value| !is_own(value))
                && let Some(writer) = self.writer(*key, *last)
                && self.writers.last_of.get(&(*key, writer)) != Some(last)
            {
                let place = format!("transaction {reader}: {last} last in list {key}");
                findings.add(Anomaly::G1b, place);
            }
            // What was rolled back is not in the list at the end.
            let lasting: Vec<Value> = match attempt.fate {
                Fate::Committed => list.clone(),
                Fate::Aborted => list.iter().filter(|value| !is_own(value)).copied().collect(),
            };
            if !self.list(*key).starts_with(&lasting) {
                findings.add(Anomaly::Order, format!("transaction {reader}: list {key}"));
            }
        }
    }

    /// Who comes before whom, of those who have committed.
    fn graph(&self) -> Graph {
        let mut graph = Graph::new(self.history.attempts.len());
        let mut add = |from: Option<usize>, dependency, to: Option<usize>| {
            if let (Some(from), Some(to)) = (from, to) {
                graph.add(from, dependency, to);
            }
        };
        let committed = |key, value| {
            self.writer(key, value).filter(|writer| self.fate(*writer) == Fate::Committed)
        };
        for (key, list) in &self.history.lists {
            for (earlier, later) in list.iter().zip(list.iter().skip(1)) {
                let (earlier, later) = (committed(*key, *earlier), committed(*key, *later));
                add(earlier, Dependency::WriteWrite, later);
            }
        }
        for (reader, operations) in self.history.committed() {
            for operation in operations {
                let Operation::Read(key, list) = operation else { continue };
                let last = list.last().and_then(|value| committed(*key, *value));
                // Who sees their own value at the end is placed by having appended it.
                if last == Some(reader) || !self.list(*key).starts_with(list) {
                    continue;
                }
                let next = self.list(*key).get(list.len());
                let next = next.and_then(|value| committed(*key, *value));
                add(last, Dependency::WriteRead, Some(reader));
                add(Some(reader), Dependency::ReadWrite, next);
            }
        }
        graph
    }

    /// The first transactions of a knot.
    fn describe(&self, nodes: &[usize]) -> String {
        const SHOWN: usize = 3;
        let shown = nodes.iter().take(SHOWN).map(|number| {
            let attempt = self.history.attempts.get(*number).expect("an attempt of the history");
            let operations: Vec<String> = attempt.operations.iter().map(shown).collect();
            format!("{number} [{}]", operations.join(" "))
        });
        let shown: Vec<String> = shown.collect();
        format!("{} transactions: {}", nodes.len(), shown.join(", "))
    }
}

/// `x3+17` for an append of 17 to list 3, `x3=…17` for a list that was seen to end so.
fn shown(operation: &Operation) -> String {
    match operation {
        Operation::Append(key, value) => format!("x{key}+{value}"),
        Operation::Read(key, list) => {
            list.last().map_or_else(|| format!("x{key}=[]"), |last| format!("x{key}=…{last}"))
        }
    }
}

/// What a transaction sees of itself, and whether what it has seen stays.
fn check_own(number: usize, attempt: &Attempt, findings: &mut Findings) {
    let mut own: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    // What the next read of a list should be.
    let mut expected: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    for operation in &attempt.operations {
        match operation {
            Operation::Append(key, value) => {
                own.entry(*key).or_default().push(*value);
                if let Some(list) = expected.get_mut(key) {
                    list.push(*value);
                }
            }
            Operation::Read(key, list) => {
                let own = own.get(key).map_or(&[][..], Vec::as_slice);
                let place = || format!("transaction {number}: list {key}");
                if !list.ends_with(own) {
                    findings.add(Anomaly::OwnWrite, place());
                }
                if expected.insert(*key, list.clone()).is_some_and(|expected| expected != *list) {
                    findings.add(Anomaly::Unrepeatable, place());
                }
            }
        }
    }
}
