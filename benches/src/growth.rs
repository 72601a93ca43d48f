//! The same load on ledgers of several sizes, and what looking something up costs in each.

use std::{fmt::Write as _, fs, time::Instant};

use simplebank::ports::{Clock as _, SystemClock};
use time::Duration;
use tokio::task::spawn_blocking;

use crate::{
    Failure,
    arguments::Growth,
    machine::Machine,
    number::{brief, rounded, thousands},
    plans::{self, Lookup},
    random::{self, Random},
    stage::{BANK, BANK_TEMPLATE, Case, Stage, tell},
    stats,
    system::System,
    verify_process,
    workload::Workload,
};

const PRELOAD: &str = include_str!("preload.sql");
/// How many days the history covers.
const DAYS: u32 = 300;
/// Ledgers up to so many entries are copied for each measurement, so that it finds them as they were; larger ones grow by little.
const COPIED_ENTRIES_MAX: u64 = 2_000_000;

/// A ledger, and what was measured on it.
#[derive(Debug)]
struct Ledger {
    entries: u64,
    database: String,
    rates: Vec<f64>,
    /// What was acknowledged on the database itself, not on a copy.
    acknowledged: u64,
}

/// Fills ledgers, measures and looks things up, and writes the report.
pub(crate) async fn run(options: &Growth) -> Result<(), Failure> {
    let seed = options.common.seed.unwrap_or_else(random::seed);
    println!("seed {seed}");
    let mut random = Random::from_seed(seed);
    let stage =
        Stage::set(&options.common, options.schedule(), &[System::Http], random.split()).await?;
    let machine = Machine::describe(&stage.cluster, seed).await?;
    println!("{}\n", machine.sentence());
    let mut ledgers = Vec::new();
    for entries in &options.entries {
        ledgers.push(fill(&stage, *entries).await?);
    }
    // None comes later: what a page costs that is the first to change after a checkpoint would be told as what its ledger costs.
    stage.cluster.execute("postgres", "checkpoint").await?;
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        for ledger in &mut ledgers {
            measure(&stage, ledger, options, &mut random).await?;
        }
    }
    let mut text = format!(
        "# The same load on ledgers of several sizes\n\n`cargo run --release -p simplebank-benches -- growth --rounds {} --seconds {}`\n\n\
         {}\n\n{}",
        options.rounds,
        options.seconds,
        machine.sentence(),
        throughput(&ledgers, options)
    );
    text.push_str(&look_up(&stage, &ledgers).await?);
    // Verifying takes longest: what is known by now is not to be lost with it.
    write(options, &text)?;
    text.push_str(&verify(&stage, &ledgers).await?);
    println!("\n{text}");
    write(options, &text)?;
    println!("written into {}: growth.md", options.write.display());
    Ok(())
}

fn write(options: &Growth, text: &str) -> Result<(), Failure> {
    fs::create_dir_all(&options.write)?;
    Ok(fs::write(options.write.join("growth.md"), text)?)
}

/// Makes a ledger with so many entries: two for each transfer.
async fn fill(stage: &Stage, entries: u64) -> Result<Ledger, Failure> {
    let begun_at = Instant::now();
    let database = format!("ledger_{entries}");
    stage.renew(BANK_TEMPLATE, &database).await?;
    // A tenth of the accounts pay into the first one; all others are in the ring.
    let payers = stage.accounts / 10;
    let ring = stage.accounts.saturating_sub(payers + 1);
    if payers < 1 || ring < 2 {
        return Err("growth needs at least 10 accounts".into());
    }
    let statements = PRELOAD
        .replace("{transfers}", &(entries / 2).to_string())
        .replace("{payers}", &payers.to_string())
        .replace("{ring}", &ring.to_string())
        .replace("{days}", &DAYS.to_string());
    stage.cluster.execute(&database, &statements).await?;
    stage.cluster.execute(&database, "vacuum analyze").await?;
    println!("  a ledger of {} entries was made in {:.1?}", thousands(entries), begun_at.elapsed());
    Ok(Ledger { entries, database, rates: Vec::new(), acknowledged: 0 })
}

async fn measure(
    stage: &Stage,
    ledger: &mut Ledger,
    options: &Growth,
    random: &mut Random,
) -> Result<(), Failure> {
    let case = Case {
        workload: Workload::Uniform,
        connections: options.connections,
        system: System::Http,
    };
    let is_copied = ledger.entries <= COPIED_ENTRIES_MAX;
    let database = if is_copied {
        stage.renew(&ledger.database, BANK).await?;
        BANK
    } else {
        &ledger.database
    };
    let figures = stage.measure(case, database, random.split()).await?;
    println!("  {} entries:", thousands(ledger.entries));
    tell(case, &figures);
    ledger.rates.push(figures.rate);
    if !is_copied {
        ledger.acknowledged += figures.acknowledged;
    }
    Ok(())
}

fn throughput(ledgers: &[Ledger], options: &Growth) -> String {
    let mut text = format!(
        "## Throughput\n\nTransfers per second over HTTP, {} connections, random accounts; medians of {} rounds of {} s each, \
         interleaved, with the lowest and the highest in brackets.\n\n| Entries | Transfers/s | Of the smallest ledger's |\n|---:|---:|---:|\n",
        options.connections, options.rounds, options.seconds
    );
    let first = ledgers.first().map(|ledger| ledger.rates.clone()).unwrap_or_default();
    for Ledger { entries, rates, .. } in ledgers {
        let Some(stats::Spread { median, min, max }) = stats::spread(rates.iter().copied()) else {
            continue;
        };
        let ratio = stats::median(rates.iter().zip(&first).map(|(rate, first)| rate / first))
            .unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "| {} | {} ({}–{}) | {} |",
            thousands(*entries),
            rounded(median),
            rounded(min),
            rounded(max),
            brief(ratio)
        ); // writing to a String cannot fail
    }
    text
}

/// Looks into the middle of the history of the account 0, which has a tenth of all transfers.
async fn look_up(stage: &Stage, ledgers: &[Ledger]) -> Result<String, Failure> {
    let account = stage.world.customers.first().ok_or("there is no customer")?.account_id;
    let at = SystemClock.now() - Duration::days(i64::from(DAYS / 2));
    let mut table = "\n## Looking something up\n\nIn the middle of the history of the account that has one entry in twenty; pages of \
                     8 KiB that PostgreSQL looked at.\n\n| Entries | Look-up | Statements on entries | Pages | ms |\n|---:|---|---:|---:|---:|\n"
        .to_owned();
    let mut details = String::new();
    for Ledger { entries, database, .. } in ledgers {
        for Lookup { what, plans } in plans::look_up(&stage.cluster, database, account, at).await? {
            let pages: u64 = plans.iter().map(|plan| plan.pages).sum();
            let took_ms: f64 = plans.iter().map(|plan| plan.took_ms).sum();
            let (entries, count) = (thousands(*entries), plans.len());
            let _ =
                writeln!(table, "| {entries} | {what} | {count} | {pages} | {} |", brief(took_ms));
            let _ =
                write!(details, "\n<details><summary>{what}, {entries} entries</summary>\n\n```\n");
            for plan in &plans {
                let _ = writeln!(details, "{}\n", plan.text.trim_end());
            }
            details.push_str("```\n\n</details>\n");
        }
    }
    Ok(table + &details)
}

/// Verifies every ledger, in a process of its own.
async fn verify(stage: &Stage, ledgers: &[Ledger]) -> Result<String, Failure> {
    let mut text =
        "\n## Verifying\n\n| Entries | `verify`, in a process of its own |\n|---:|---|\n"
            .to_owned();
    for Ledger { entries, database, acknowledged, .. } in ledgers {
        let expected = entries / 2 + acknowledged;
        let stored =
            stage.cluster.count(database, "select count(*) from simplebank.transfers").await?;
        if u64::try_from(stored)? != expected {
            return Err(format!("{database} has {stored} transfers, not {expected}").into());
        }
        let url = stage.cluster.url(database);
        let found = spawn_blocking(move || verify_process::run(&url)).await??;
        println!("  {} entries verified: {found}", thousands(*entries));
        let _ = writeln!(text, "| {} | whole: {found} |", thousands(*entries));
    }
    Ok(text)
}
