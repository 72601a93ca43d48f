//! Verifying the ledger: the invariants I1 to I5 over every row, in one snapshot and constant memory.
//!
//! 1. Accounts: each agrees with its newest entry (I4), and balances sum to zero by currency (I1).
//! 2. Entries: each account's chain has no gap (I4) and stays within its limit (I5); none stands alone (I3).
//! 3. Transfers: each has two entries that sum to zero, in the currency of both accounts (I3), and its answer is recorded
//!    (I2).
//! 4. Records: each can be read, and each "posted" points at a transfer with the content that was asked for by that user
//!    under that key (I2).

use std::time::Duration;

use simplebank_core::{
    TransferId,
    ledger::{Chain, Invariant, Row, Totals, Violation, check_account, check_posting},
    transfer::{Entry, Transfer},
};
use simplebank_db::{
    self as db, BodyError, Tx, TxSpec, accounts, entries,
    idempotency::{self, Outcome, Record},
    transfers,
};

use crate::{Bank, Error, road::content_hash};

/// Reading a long ledger takes long, and nobody waits for it: it only reads.
const VERIFY: TxSpec = TxSpec::snapshot("verify")
    .statement_timeout(Duration::from_secs(600))
    .idle_timeout(Duration::from_secs(60))
    .deadline(Duration::from_secs(24 * 60 * 60))
    .attempts_max(1);

/// How many rows are read at a time.
const ROWS: i64 = 5_000;

/// How far verifying has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows checked.
    pub done: u64,
    /// Rows in all.
    pub total: u64,
}

/// What verifying found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Rows checked: of accounts, entries, transfers and records.
    pub rows: u64,
    /// The first row that breaks a promise; `None` when the ledger is whole.
    pub violation: Option<Violation>,
}

enum Stop {
    Violation(Violation),
    Db(db::Error),
}

impl From<db::Error> for Stop {
    fn from(error: db::Error) -> Self {
        Self::Db(error)
    }
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl BodyError for Stop {
    fn into_db(self) -> Result<db::Error, Self> {
        match self {
            Self::Db(error) => Ok(error),
            Self::Violation(_) => Err(self),
        }
    }
}

/// Counts rows and tells the caller.
struct Counter<'a> {
    progress: Progress,
    tell: &'a (dyn Fn(Progress) + Send + Sync),
}

impl Counter<'_> {
    fn add(&mut self, rows: usize) {
        self.progress.done += u64::try_from(rows).unwrap_or(u64::MAX);
        (self.tell)(self.progress);
    }
}

impl Bank {
    /// Checks the whole ledger as it is at one moment, while others go on using it; `tell` hears of the progress.
    ///
    /// # Errors
    ///
    /// Only what befalls the database, or [`Error::Db`] with `Inconsistent` for a row that can't even be read. A broken
    /// promise is no error but the report's [`violation`](Report::violation).
    pub async fn verify(&self, tell: impl Fn(Progress) + Send + Sync) -> Result<Report, Error> {
        let verified = self
            .db()
            .transact(VERIFY, async |tx| {
                let total = u64::try_from(entries::audit_rows(tx).await?).unwrap_or(0);
                let mut counter = Counter { progress: Progress { done: 0, total }, tell: &tell };
                verify_accounts(tx, &mut counter).await?;
                verify_entries(tx, &mut counter).await?;
                verify_transfers(tx, &mut counter).await?;
                verify_records(tx, &mut counter).await?;
                Ok(counter.progress.done)
            })
            .await;
        match verified {
            Ok(rows) => Ok(Report { rows, violation: None }),
            Err(Stop::Violation(violation)) => Ok(Report { rows: 0, violation: Some(violation) }),
            Err(Stop::Db(error)) => Err(error.into()),
        }
    }
}

async fn verify_accounts(tx: &mut Tx<'_>, counter: &mut Counter<'_>) -> Result<(), Stop> {
    let mut totals = Totals::default();
    let mut after = None;
    loop {
        let page = accounts::audit(tx, after, ROWS).await?;
        let Some(last) = page.last() else { return Ok(totals.finish()?) };
        after = Some(last.account.id);
        for audited in &page {
            check_account(&audited.account, audited.newest_entry)?;
            totals.add(&audited.account)?;
        }
        counter.add(page.len());
    }
}

async fn verify_entries(tx: &mut Tx<'_>, counter: &mut Counter<'_>) -> Result<(), Stop> {
    let mut chain: Option<Chain> = None;
    let mut after = None;
    loop {
        let page = entries::audit(tx, after, ROWS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.entry.account_id, last.entry.version));
        for audited in &page {
            let entry = &audited.entry;
            let row = Row::Entry(entry.account_id, entry.version);
            for (exists, what) in
                [(audited.has_account, "account"), (audited.has_transfer, "transfer")]
            {
                if !exists {
                    return broken(Invariant::Balanced, row, format!("its {what} does not exist"));
                }
            }
            let mut next = match chain.take() {
                Some(chain) if chain.account_id() == entry.account_id => chain,
                Some(_) | None => Chain::new(entry.account_id, audited.floor),
            };
            next.take(entry)?;
            chain = Some(next);
        }
        counter.add(page.len());
    }
}

async fn verify_transfers(tx: &mut Tx<'_>, counter: &mut Counter<'_>) -> Result<(), Stop> {
    let mut after = None;
    loop {
        let page = transfers::audit(tx, after, ROWS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.transfer.id);
        let ids: Vec<TransferId> = page.iter().map(|audited| audited.transfer.id).collect();
        let entries = entries::of_transfers(tx, &ids).await?;
        for audited in &page {
            let transfer = &audited.transfer;
            check_posting(transfer, entries_of(&entries, transfer.id))?;
            let row = || Row::Transfer(transfer.id);
            let currency = Some(transfer.currency);
            if audited.from_currency != currency || audited.to_currency != currency {
                let what = format!("is in {}, one of its accounts is not", transfer.currency);
                return broken(Invariant::Balanced, row(), what);
            }
            if !audited.has_record {
                return broken(Invariant::Acknowledged, row(), "no answer is recorded for it");
            }
        }
        counter.add(page.len());
    }
}

/// The entries of one transfer among those of a page, which are in ascending order of the transfers' ids.
fn entries_of(entries: &[Entry], id: TransferId) -> &[Entry] {
    let begin = entries.partition_point(|entry| entry.transfer_id < id);
    let end = entries.partition_point(|entry| entry.transfer_id <= id);
    entries.get(begin..end).unwrap_or_default()
}

async fn verify_records(tx: &mut Tx<'_>, counter: &mut Counter<'_>) -> Result<(), Stop> {
    let mut after = None;
    loop {
        let from = after.as_ref().map(|(owner, key)| (*owner, key));
        let page = idempotency::audit(tx, from, ROWS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.owner, last.key.clone()));
        let posted: Vec<TransferId> = page.iter().filter_map(posted_as).collect();
        let transfers = transfers::find_all(tx, &posted).await?;
        for record in &page {
            // Reading a refusal has shown that it is one.
            let Some(id) = posted_as(record) else { continue };
            let found = transfers.binary_search_by_key(&id, |transfer| transfer.id);
            check_record(record, found.ok().and_then(|index| transfers.get(index)))?;
        }
        counter.add(page.len());
    }
}

/// Compares a record that says "posted" with the transfer that it names, if that exists.
fn check_record(record: &Record, transfer: Option<&Transfer>) -> Result<(), Stop> {
    let wrong = |what: String| {
        let row = Row::Record(record.owner, record.key.clone());
        broken(Invariant::Acknowledged, row, what)
    };
    let Some(transfer) = transfer else { return wrong("its transfer does not exist".to_owned()) };
    if transfer.created_by != record.owner {
        return wrong(format!("transfer {} was asked for by {}", transfer.id, transfer.created_by));
    }
    if content_hash(record.owner, &record.key, &transfer.content()) != record.content_hash {
        return wrong(format!("transfer {} is not what was asked for under this key", transfer.id));
    }
    Ok(())
}

fn posted_as(record: &Record) -> Option<TransferId> {
    match record.outcome {
        Outcome::Posted(id) => Some(id),
        Outcome::Refused(_) => None,
    }
}

fn broken<T>(invariant: Invariant, row: Row, what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Violation(Violation { invariant, row, what: what.into() }))
}
