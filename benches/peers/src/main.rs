//! The same load on `simplebank` and on the Rust ledgers from crates.io, side by side on one durable PostgreSQL.
//!
//! 1. A throw-away cluster with durable settings starts. For uniform load and for one hot account, each ledger gets a database
//!    of its own there, the same number of accounts and the same opening balances, all through its own interface.
//! 2. Each round runs every ledger with each load, one after the other, so that a slow minute of the machine befalls all.
//! 3. After each ledger's turn its balances, as it tells them itself, are compared with what the tasks were told, account by
//!    account.
//! 4. A table is printed, and written to `docs/performance/peers.md` if asked for.
//!
//! The README says what each of them does and doesn't do for a transfer.

mod load;
mod machine;
mod report;
mod subject;

use std::{error::Error as StdError, path::Path, sync::Arc, time::Duration};

use clap::Parser;
use simplebank::ports::{Clock as _, SystemClock};
use simplebank_localpg::ThrowawayCluster;
use sqlx::{Connection as _, PgConnection};

use load::{Measured, Shape, Size};
use report::{Line, Report};
use subject::{Name, SetUp, Subject};

type Failure = Box<dyn StdError + Send + Sync>;

/// Enough for a million payments of a cent from each account.
const OPENING_CENTS: i64 = 1_000_000;

/// Connections beside those of the pools.
const CONNECTIONS_SPARE: u32 = 50;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance/peers.md");

/// Runs the same load on simplebank and on the Rust ledgers from crates.io.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// How many tasks transfer at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    tasks: u32,
    /// How many accounts each ledger has.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(2..=10_000))]
    accounts: u16,
    /// How often every ledger has its turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// For how long each turn is measured, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,
    /// How many connections each ledger has; several numbers are tried side by side. By default 10 for ours; 2, 16 and 64 for
    /// the others.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(2..=128))]
    connections: Vec<u32>,
    /// The ledgers to run; all by default.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Name>,
    /// Where the choice of accounts begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the table to docs/performance/peers.md.
    #[arg(long)]
    write: bool,
}

impl Options {
    /// What is measured, load by load.
    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for shape in Shape::ALL {
            for name in Name::ALL {
                if self.only.is_empty() || self.only.contains(&name) {
                    let given = &self.connections[..];
                    let sizes = if given.is_empty() { name.connections() } else { given };
                    lines.extend(sizes.iter().map(|size| Line::new(name, shape, *size)));
                }
            }
        }
        lines
    }

    fn size(&self) -> Size {
        Size {
            tasks: self.tasks,
            accounts: usize::from(self.accounts),
            duration: Duration::from_secs(u64::from(self.seconds)),
        }
    }
}

/// A ledger in a database of its own, and what its balances must be.
struct Contender {
    line: Line,
    subject: Arc<Subject>,
    balances: Vec<i64>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let lines = options.lines();
    let pooled: u32 = lines.iter().map(|line| line.connections).sum();
    let cluster = ThrowawayCluster::options()
        .durable()
        .setting("max_connections", (pooled + CONNECTIONS_SPARE).to_string())
        .start()?;
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await?;
    let lines = run(&options, lines, &cluster, &mut admin).await?;
    let report = Report {
        lines,
        machine: machine::describe(&mut admin).await?,
        written_at: SystemClock.now(),
        tasks: options.tasks,
        accounts: options.accounts,
        rounds: options.rounds,
        seconds: options.seconds,
        seed: options.seed,
    };
    println!("\n{}", report.to_tables()?);
    if options.write {
        let path = Path::new(DOCUMENT);
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(path, report.to_document()?)?;
        println!("written to {}", path.display());
    }
    Ok(())
}

/// All rounds of all ledgers.
async fn run(
    options: &Options,
    lines: Vec<Line>,
    cluster: &ThrowawayCluster,
    admin: &mut PgConnection,
) -> Result<Vec<Line>, Failure> {
    let mut contenders = Vec::new();
    for (number, line) in lines.into_iter().enumerate() {
        println!("setting up: {line}");
        let told = line.to_string();
        let database = format!("peer_{number}");
        let opened = open(options, line, &database, cluster, admin).await;
        contenders.push(opened.map_err(|error| format!("{told}: {error}"))?);
    }
    for round in 0..options.rounds {
        for contender in &mut contenders {
            let seed = options.seed.wrapping_add(u64::from(round) << 16);
            let measured = turn(contender, options.size(), seed, admin).await;
            let line = &mut contender.line;
            let measured = measured.map_err(|error| format!("{line}: {error}"))?;
            let Measured { rate, lost } = measured;
            println!("round {}: {line}: {rate:.0}/s, {lost:.2} lost", round + 1);
            line.measured.push(measured);
        }
    }
    for Contender { line, subject, .. } in &contenders {
        subject.audit().await.map_err(|error| format!("{line}: {error}"))?;
    }
    Ok(contenders.into_iter().map(|contender| contender.line).collect())
}

async fn open(
    options: &Options,
    line: Line,
    database: &str,
    cluster: &ThrowawayCluster,
    admin: &mut PgConnection,
) -> Result<Contender, Failure> {
    sqlx::raw_sql(&format!("create database {database}")).execute(&mut *admin).await?;
    let set_up = SetUp {
        url: &cluster.url(database),
        connections: line.connections,
        accounts: usize::from(options.accounts),
        opening_cents: OPENING_CENTS,
    };
    let subject = Arc::new(Subject::open(line.name, set_up).await?);
    let balances = vec![OPENING_CENTS; set_up.accounts];
    check(&subject, &balances).await?;
    Ok(Contender { line, subject, balances })
}

/// One ledger's turn, and the check after it.
async fn turn(
    contender: &mut Contender,
    size: Size,
    seed: u64,
    admin: &mut PgConnection,
) -> Result<Measured, Failure> {
    // Nobody pays for the dirty pages of who came before.
    sqlx::raw_sql("checkpoint").execute(admin).await?;
    let Contender { line, subject, balances } = contender;
    let measured = load::round(subject, line.shape, size, seed, balances).await?;
    check(subject, balances).await?;
    Ok(measured)
}

/// Money is where the answers said, to the cent.
async fn check(subject: &Subject, expected: &[i64]) -> Result<(), Failure> {
    let found = subject.balances().await?;
    if found.len() != expected.len() {
        return Err(format!("{} balances instead of {}", found.len(), expected.len()).into());
    }
    for (account, (found, expected)) in found.iter().zip(expected).enumerate() {
        if found != expected {
            let told = format!("account {account} has {found} cents, and {expected} were told");
            return Err(told.into());
        }
    }
    Ok(())
}
