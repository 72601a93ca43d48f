//! The plans of the bank's own statements, as PostgreSQL ran them: its module `auto_explain` writes them into the server's log.

use std::{fs, path::PathBuf};

use simplebank::{
    Bank, Page, Statement,
    core::{AccountId, Instant, Principal},
};
use time::{Duration, OffsetDateTime};

use crate::{Failure, cluster::Cluster, in_process};

/// A look-up, and what its statements cost.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    /// What was looked up.
    pub(crate) what: &'static str,
    /// The statements on the entries, each with its plan.
    pub(crate) plans: Vec<Plan>,
}

/// A statement with its plan.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How long it ran, in milliseconds.
    pub(crate) took_ms: f64,
    /// Pages that it looked at, wherever they were.
    pub(crate) pages: u64,
    /// The plan as PostgreSQL writes it.
    pub(crate) text: String,
}

/// Asks a bank for a balance at an instant and for a statement's page, both in the middle of an account's history.
pub(crate) async fn look_up(
    cluster: &Cluster,
    database: &str,
    account: AccountId,
    at: OffsetDateTime,
) -> Result<Vec<Lookup>, Failure> {
    for (name, value) in [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_analyze", "on"),
        ("auto_explain.log_buffers", "on"),
    ] {
        cluster
            .execute("postgres", &format!("alter database {database} set {name} = '{value}'"))
            .await?;
    }
    let bank = in_process::open(&cluster.url(database)).await?;
    let log = cluster.log();
    let mut lookups = Vec::new();
    for what in ["a balance at an instant", "a page of a statement"] {
        // The first time warms up.
        ask(&bank, what, account, at).await?;
        let before = fs::read_to_string(&log).unwrap_or_default().len();
        ask(&bank, what, account, at).await?;
        lookups.push(Lookup { what, plans: plans(&log, before)? });
    }
    bank.db().close().await;
    cluster.execute("postgres", &format!("alter database {database} reset all")).await?;
    Ok(lookups)
}

async fn ask(
    bank: &Bank,
    what: &str,
    account: AccountId,
    at: OffsetDateTime,
) -> Result<(), Failure> {
    let by = Principal::Operator;
    let instant = |at| Instant::new(at).ok_or("the instant is out of range");
    if what.contains("balance") {
        bank.balance_at(&by, account, instant(at)?).await?;
    } else {
        let period =
            Statement { from: Some(instant(at)?), to: Some(instant(at + Duration::days(30))?) };
        bank.statement(&by, account, period, Page::default()).await?;
    }
    Ok(())
}

/// The plans on the entries that were logged after the first `before` bytes.
fn plans(log: &PathBuf, before: usize) -> Result<Vec<Plan>, Failure> {
    let text = fs::read_to_string(log)
        .map_err(|error| format!("cannot read {}: {error}", log.display()))?;
    let found = parse(text.get(before..).unwrap_or_default());
    let found: Vec<Plan> = found.into_iter().filter(|plan| plan.text.contains("entries")).collect();
    if found.is_empty() {
        return Err("PostgreSQL logged no plan: does its installation have auto_explain?".into());
    }
    Ok(found)
}

/// Reads messages of the form `… LOG:  duration: 0.1 ms  plan:`, the query's text, and the plan, all indented by a tab.
fn parse(log: &str) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((_, duration)) = line.split_once("duration: ") else { continue };
        let Some((took_ms, _)) = duration.split_once(" ms  plan:") else { continue };
        let mut body = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
            body.push(line.strip_prefix('\t').unwrap_or(line));
        }
        // The query's text ends where the first line with costs begins.
        let begin = body.iter().position(|line| line.contains("(cost=")).unwrap_or(0);
        let text = body.get(begin..).unwrap_or_default().join("\n");
        let pages = text.lines().find_map(pages).unwrap_or(0);
        plans.push(Plan { took_ms: took_ms.trim().parse().unwrap_or(f64::NAN), pages, text });
    }
    plans
}

/// The pages of a line `Buffers: shared hit=3 read=1 …`: those of a node include those below it.
fn pages(line: &str) -> Option<u64> {
    let shared = line.trim().strip_prefix("Buffers: shared ")?;
    let count = |part: &str| {
        part.strip_prefix("hit=").or_else(|| part.strip_prefix("read="))?.parse::<u64>().ok()
    };
    Some(shared.split(' ').map_while(count).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read_from_the_log() {
        let log = "2026 UTC [1] LOG:  something else\n\
                   2026 UTC [1] LOG:  duration: 0.125 ms  plan:\n\tQuery Text: select 1\n\tfrom entries\n\
                   \tLimit  (cost=0..1 rows=1 width=8) (actual time=0.1..0.1 rows=1 loops=1)\n\
                   \t  Buffers: shared hit=3 read=2 dirtied=1\n\
                   \t  ->  Index Scan (cost=0..1 rows=1 width=8)\n\t        Buffers: shared hit=3\n\
                   2026 UTC [1] LOG:  end\n";
        let plans = parse(log);
        let [plan] = plans.as_slice() else { panic!("{plans:?}") };
        assert_eq!((plan.took_ms, plan.pages), (0.125, 5));
        assert!(plan.text.starts_with("Limit") && plan.text.ends_with("hit=3"), "{}", plan.text);
    }
}
