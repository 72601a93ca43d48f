//! The ledgers that are measured, each by its own interface.

mod bank;
mod cala;
mod doubleentry;
mod sqlx_ledger;

use sqlx::PgPool;

use crate::Failure;

use self::{bank::Ours, cala::Cala, doubleentry::DoubleEntry, sqlx_ledger::SqlxLedger};

/// How often a transfer is sent again after the ledger lost it to another one, before the run gives up.
const ATTEMPTS_MAX: u32 = 10_000;

/// Which ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Name {
    /// `simplebank`, `Bank::transfer` in process.
    Simplebank,
    /// `cala-ledger`, `CalaLedger::post_transaction`.
    CalaLedger,
    /// `sqlx-ledger`, `SqlxLedger::post_transaction`.
    SqlxLedger,
    /// `sqlx-ledger` in a schema without its events.
    SqlxLedgerWithoutEvents,
    /// `doubleentry`, `Ledger::record`.
    Doubleentry,
}

impl Name {
    pub(crate) const ALL: [Self; 5] = [
        Self::Simplebank,
        Self::CalaLedger,
        Self::SqlxLedger,
        Self::SqlxLedgerWithoutEvents,
        Self::Doubleentry,
    ];

    /// The name of the crate.
    pub(crate) const fn package(self) -> &'static str {
        match self {
            Self::Simplebank => "simplebank",
            Self::CalaLedger => "cala-ledger",
            Self::SqlxLedger | Self::SqlxLedgerWithoutEvents => "sqlx-ledger",
            Self::Doubleentry => "doubleentry",
        }
    }

    /// What is said of it in a table.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Simplebank | Self::CalaLedger | Self::SqlxLedger | Self::Doubleentry => {
                self.package()
            }
            Self::SqlxLedgerWithoutEvents => "sqlx-ledger, no events",
        }
    }

    /// With how many connections it is tried. Ours shares a few among all tasks by design. For the others it depends on machine
    /// and load what suits them, so they are tried with few and with many; two is the least that they run with.
    pub(crate) const fn connections(self) -> &'static [u32] {
        match self {
            Self::Simplebank => &[10],
            Self::CalaLedger
            | Self::SqlxLedger
            | Self::SqlxLedgerWithoutEvents
            | Self::Doubleentry => &[2, 16, 64],
        }
    }
}

/// How a ledger is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetUp<'a> {
    pub(crate) url: &'a str,
    pub(crate) connections: u32,
    pub(crate) accounts: usize,
    /// What each account begins with.
    pub(crate) opening_cents: i64,
}

impl SetUp<'_> {
    /// A pool of the version of sqlx that the older peers use.
    async fn pool(&self) -> Result<PgPool, sqlx::Error> {
        let options = sqlx::postgres::PgPoolOptions::new().max_connections(self.connections);
        options.connect(self.url).await
    }
}

/// A ledger with its accounts open and paid into, each named by its place.
pub(crate) enum Subject {
    Ours(Ours),
    Cala(Box<Cala>),
    SqlxLedger(SqlxLedger),
    DoubleEntry(DoubleEntry),
}

impl Subject {
    pub(crate) async fn open(name: Name, set_up: SetUp<'_>) -> Result<Self, Failure> {
        Ok(match name {
            Name::Simplebank => Self::Ours(Ours::open(set_up).await?),
            Name::CalaLedger => Self::Cala(Box::new(Cala::open(set_up).await?)),
            Name::SqlxLedger => {
                Self::SqlxLedger(SqlxLedger::open(set_up, sqlx_ledger::WITH_EVENTS).await?)
            }
            Name::SqlxLedgerWithoutEvents => {
                Self::SqlxLedger(SqlxLedger::open(set_up, sqlx_ledger::WITHOUT_EVENTS).await?)
            }
            Name::Doubleentry => Self::DoubleEntry(DoubleEntry::open(set_up).await?),
        })
    }

    /// Moves a cent, and returns when it is committed; says how many attempts were lost on the way.
    pub(crate) async fn transfer(&self, from: usize, to: usize) -> Result<u32, Failure> {
        match self {
            Self::Ours(ours) => ours.transfer(from, to).await,
            Self::Cala(cala) => cala.transfer(from, to).await,
            Self::SqlxLedger(ledger) => ledger.transfer(from, to).await,
            Self::DoubleEntry(ledger) => ledger.transfer(from, to).await,
        }
    }

    /// Every account's balance in cents, by the ledger's own account, after the ledger has checked itself if it can.
    pub(crate) async fn balances(&self) -> Result<Vec<i64>, Failure> {
        match self {
            Self::Ours(ours) => ours.balances().await,
            Self::Cala(cala) => cala.balances().await,
            Self::SqlxLedger(ledger) => ledger.balances().await,
            Self::DoubleEntry(ledger) => ledger.balances().await,
        }
    }

    /// The ledger's most thorough check, once at the end.
    pub(crate) async fn audit(&self) -> Result<(), Failure> {
        match self {
            // Their balances are all that they can be asked.
            Self::Cala(_) | Self::SqlxLedger(_) => Ok(()),
            // It verifies after each round.
            Self::Ours(_) => Ok(()),
            Self::DoubleEntry(ledger) => ledger.audit().await,
        }
    }
}

/// The error of who has sent a transfer again for too long.
fn given_up() -> Failure {
    format!("a transfer was lost {ATTEMPTS_MAX} times").into()
}

fn at<T>(values: &[T], place: usize) -> &T {
    values.get(place).expect("the load names accounts that there are")
}
