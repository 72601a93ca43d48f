//! The command line.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{measure::Schedule, system::System, workload::Workload};

/// What a transfer costs, measured on this machine.
///
/// Each command starts a durable PostgreSQL of its own, which vanishes at the end.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compares the bank with the Go course's transaction and with the best single statement, both by pgbench; checks all ledgers
    /// after every round.
    Compare(Compare),
    /// The same load on ledgers of several sizes; a balance at an instant and a statement's page in each, with plans; and how long
    /// `verify` takes.
    Growth(Growth),
    /// Watches the server's memory over many transfers, and what is left of its throughput when too much is asked of it.
    Memory(Memory),
    /// How long a login is refused with a wrong password, and with a name that nobody has.
    Login(Login),
}

#[derive(Args, Debug)]
pub(crate) struct Login {
    /// How many logins of each kind.
    #[arg(long, value_name = "NUMBER", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) pairs: u32,
    /// Where random numbers begin; a fresh one is drawn and told.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Where PostgreSQL keeps its data [default: the temporary directory].
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Common {
    /// How many accounts there are.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) accounts: u32,
    /// Where random numbers begin; a fresh one is drawn and told.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Where PostgreSQL keeps its data: on the disk that is to be measured [default: the temporary directory].
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
    /// Flags for the HTTP server, after `--`; it has its defaults otherwise, and logs warnings only.
    #[arg(last = true, value_name = "FLAGS")]
    pub(crate) server: Vec<OsString>,
}

#[derive(Args, Debug)]
pub(crate) struct Compare {
    /// How many rounds; the tables show medians.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rounds: u32,
    /// How long each measurement counts.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) seconds: u64,
    /// How long each measurement runs before it counts.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub(crate) warm_up: u64,
    /// Only these; `batch-…` needs 1 or 8 connections.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_enum)]
    pub(crate) only: Vec<System>,
    /// Only these workloads.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_enum)]
    pub(crate) workloads: Vec<Workload>,
    /// How many connections, or callers.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_values_t = [1, 8, 64, 256],
        value_parser = clap::value_parser!(u32).range(1..=350))]
    pub(crate) connections: Vec<u32>,
    /// Where to write compare.md, compare.svg and compare.csv; for publishing, docs/performance.
    #[arg(long, value_name = "DIRECTORY", default_value = "target/compare")]
    pub(crate) write: PathBuf,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args, Debug)]
pub(crate) struct Growth {
    /// How many rounds; the table shows medians.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rounds: u32,
    /// How long each measurement counts.
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) seconds: u64,
    /// How long each measurement runs before it counts: long enough to touch every account, so that the pages of a large ledger
    /// have been read and logged once.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub(crate) warm_up: u64,
    /// How many entries the ledgers have to begin with, two for each transfer; the first is what others are compared with.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_values_t = [10_000, 1_000_000, 10_000_000],
        value_parser = clap::value_parser!(u64).range(1_000..=1_000_000_000))]
    pub(crate) entries: Vec<u64>,
    /// How many connections.
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=350))]
    pub(crate) connections: u32,
    /// Where to write growth.md; for publishing, docs/performance.
    #[arg(long, value_name = "DIRECTORY", default_value = "target/compare")]
    pub(crate) write: PathBuf,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args, Debug)]
pub(crate) struct Memory {
    /// How many transfers one server makes, at least.
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) transfers: u64,
    /// How long each measurement counts, after a second to warm up; and how long between two figures of memory.
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) seconds: u64,
    /// By how many connections the transfers come whose memory is watched.
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) connections: u32,
    /// Where to write memory.md; for publishing, docs/performance.
    #[arg(long, value_name = "DIRECTORY", default_value = "target/compare")]
    pub(crate) write: PathBuf,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// How long loads warm up where that is no setting.
const WARM_UP_SECONDS: u64 = 1;

impl Compare {
    /// How long a measurement takes.
    pub(crate) const fn schedule(&self) -> Schedule {
        schedule(self.warm_up, self.seconds)
    }
}

impl Growth {
    /// How long a measurement takes.
    pub(crate) const fn schedule(&self) -> Schedule {
        schedule(self.warm_up, self.seconds)
    }
}

impl Memory {
    /// How long a measurement takes.
    pub(crate) const fn schedule(&self) -> Schedule {
        schedule(WARM_UP_SECONDS, self.seconds)
    }
}

const fn schedule(warm_up: u64, counted: u64) -> Schedule {
    Schedule { warm_up: Duration::from_secs(warm_up), counted: Duration::from_secs(counted) }
}
