//! The tables, and the page that holds them.

use std::fmt::{self, Write as _};

use time::{OffsetDateTime, macros::format_description};

use crate::{
    load::{Measured, Shape},
    subject::Name,
};

/// What is locked here is what ran.
const LOCK_FILE: &str = include_str!("../Cargo.lock");

const HEAD: &str = "\
| Ledger | Load | Connections | Transfers/s | Lowest to highest | Lost | Ours / theirs |
|---|---|---:|---:|---:|---:|---:|
";

/// A ledger under one load, round by round.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: Name,
    pub(crate) shape: Shape,
    pub(crate) connections: u32,
    pub(crate) measured: Vec<Measured>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, shape, connections, .. } = self;
        write!(f, "{}, {}, {connections} connections", name.label(), shape.name())
    }
}

impl Line {
    pub(crate) const fn new(name: Name, shape: Shape, connections: u32) -> Self {
        Self { name, shape, connections, measured: Vec::new() }
    }

    /// Whether only the number of connections may differ.
    fn is_alike(&self, other: &Self) -> bool {
        self.name == other.name && self.shape == other.shape
    }

    fn rates(&self) -> Vec<f64> {
        self.measured.iter().map(|measured| measured.rate).collect()
    }

    fn lost(&self) -> Vec<f64> {
        self.measured.iter().map(|measured| measured.lost).collect()
    }
}

/// All lines, and how they came about.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) lines: Vec<Line>,
    pub(crate) machine: String,
    pub(crate) written_at: OffsetDateTime,
    pub(crate) tasks: u32,
    pub(crate) accounts: u16,
    pub(crate) rounds: u16,
    pub(crate) seconds: u16,
    pub(crate) seed: u64,
}

impl Report {
    /// Each ledger at its best, and below that everything.
    pub(crate) fn to_tables(&self) -> Result<String, fmt::Error> {
        let best: Vec<_> = self.lines.iter().filter(|line| self.is_best(line)).collect();
        let all: Vec<_> = self.lines.iter().collect();
        let mut tables = self.table(&best)?;
        if all.len() > best.len() {
            tables.push_str("\nWith every number of connections that was tried:\n\n");
            tables.push_str(&self.table(&all)?);
        }
        Ok(tables)
    }

    /// The whole page of the documentation.
    pub(crate) fn to_document(&self) -> Result<String, fmt::Error> {
        let day = format_description!("[year]-[month]-[day]");
        let written_on = self.written_at.format(day).map_err(|_| fmt::Error)?;
        let Self { machine, tasks, accounts, rounds, seconds, seed, .. } = self;
        let tables = self.to_tables()?;
        Ok(format!(
            "\
# Beside the Rust ledgers from crates.io

Written by `cargo run --release --manifest-path benches/peers/Cargo.toml -- --write`, {written_on}.
Machine: {machine}.

{tasks} tasks, {accounts} accounts, {rounds} interleaved rounds of {seconds} s, seed {seed}. Medians, each ledger with the
number of connections that suited it best. *Lost* is how many attempts a ledger gave up in favour of others for each transfer
that it made; the ratio is the median of the rounds' ratios. After each turn every balance was right to the cent.

{tables}
What each ledger does for a transfer, and how it was set up: [benches/peers](../../benches/peers/README.md).
"
        ))
    }

    fn table(&self, lines: &[&Line]) -> Result<String, fmt::Error> {
        let mut table = HEAD.to_owned();
        for line in lines {
            let rates = line.rates();
            let (lowest, highest) = extremes(&rates);
            writeln!(
                table,
                "| {} {} | {} | {} | {:.0} | {lowest:.0} to {highest:.0} | {:.2} | {} |",
                line.name.label(),
                version(line.name),
                line.shape.name(),
                line.connections,
                median(&rates),
                median(&line.lost()),
                self.ratio(line).map_or_else(String::new, |ratio| format!("{ratio:.1}")),
            )?;
        }
        Ok(table)
    }

    /// Whether the ledger was no faster under this load with another number of connections.
    fn is_best(&self, line: &Line) -> bool {
        let mut rivals = self.lines.iter().filter(|other| other.is_alike(line));
        rivals.all(|other| median(&other.rates()) <= median(&line.rates()))
    }

    /// How many times as fast ours was, at its best, in the same rounds.
    fn ratio(&self, line: &Line) -> Option<f64> {
        if line.name == Name::Simplebank {
            return None;
        }
        let is_ours = |other: &&Line| other.name == Name::Simplebank && other.shape == line.shape;
        let ours = self.lines.iter().filter(is_ours).find(|ours| self.is_best(ours))?;
        let pairs = ours.rates().into_iter().zip(line.rates());
        Some(median(&pairs.map(|(ours, theirs)| ours / theirs).collect::<Vec<_>>()))
    }
}

/// The version that the lock file names.
fn version(name: Name) -> &'static str {
    let package = format!("name = \"{}\"", name.package());
    let mut lines = LOCK_FILE.lines().skip_while(|line| *line != package);
    let found = lines.nth(1).and_then(|line| line.strip_prefix("version = "));
    found.map_or("", |version| version.trim_matches('"'))
}

fn extremes(values: &[f64]) -> (f64, f64) {
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    (lowest, values.iter().copied().fold(0.0, f64::max))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
