//! Verifying the ledger: the invariants I1 to I5, I11 and I12 over every row, in one snapshot and constant memory.
//!
//! 1. Accounts: each agrees with its newest entry (I4), with the open holds on it (I11) and with its limits (I5), and
//!    balances sum to zero by currency (I1).
//! 2. Limits: each account's history has no gap (I5).
//! 3. Entries: each account's chain has no gap (I4) and stays within the limit of its time (I5); none stands alone (I3).
//! 4. Transfers: each has two entries that sum to zero, in the currency of both accounts (I3), and its answer is recorded
//!    (I2). A capture has its hold (I11), and a reversal is counted (I12).
//! 5. Holds: each captured one has its capture (I11), and its answers are recorded (I2).
//! 6. Reversals: each continues the one before, and none goes beyond the whole (I12).
//! 7. Records: each can be read, and each answer points at a transfer or a hold with the content that was asked for by that
//!    user under that key (I2).

mod limits;
mod promises;
mod records;

use std::time::Duration;

use simplebank_core::{
    TransferId,
    ledger::{
        Chain, Invariant, Row, Totals, Violation, check_account, check_held, check_posting,
        check_use,
    },
    transfer::Entry,
};
use simplebank_db::{
    self as db, BodyError, Tx, TxSpec, accounts, entries,
    transfers::{self, Audited},
};

use crate::{Bank, Error};

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
    /// Rows checked: of accounts and their limits, entries, transfers, records, holds and reversals.
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
                limits::verify(tx, &mut counter).await?;
                verify_entries(tx, &mut counter).await?;
                verify_transfers(tx, &mut counter).await?;
                promises::verify_holds(tx, &mut counter).await?;
                promises::verify_reversals(tx, &mut counter).await?;
                records::verify(tx, &mut counter).await?;
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
        limits::check_newest(tx, &page).await?;
        for audited in &page {
            check_account(&audited.account, audited.newest_entry)?;
            check_held(&audited.account, audited.open_holds)?;
            check_use(&audited.account)?;
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
            next.set_floor(audited.floor);
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
        let Some(last) = page.last() else { break };
        after = Some(last.transfer.id);
        let ids: Vec<TransferId> = page.iter().map(|audited| audited.transfer.id).collect();
        let entries = entries::of_transfers(tx, &ids).await?;
        for audited in &page {
            let transfer = &audited.transfer;
            check_posting(transfer, entries_of(&entries, transfer.id))?;
            check_transfer(audited)?;
        }
        counter.add(page.len());
    }
    match transfers::without_one_record(tx).await? {
        None => Ok(()),
        Some(id) => {
            let what = "not exactly one answer is recorded for it";
            broken(Invariant::Acknowledged, Row::Transfer(id), what)
        }
    }
}

fn check_transfer(audited: &Audited) -> Result<(), Stop> {
    let transfer = &audited.transfer;
    let row = Row::Transfer(transfer.id);
    let currency = Some(transfer.currency);
    if audited.from_currency != currency || audited.to_currency != currency {
        let what = format!("is in {}, one of its accounts is not", transfer.currency);
        return broken(Invariant::Balanced, row, what);
    }
    if !audited.has_hold {
        return broken(Invariant::Promised, row, "no hold was captured by it");
    }
    if !audited.is_counted {
        return broken(Invariant::GivenBack, row, "it does not count towards what it reverses");
    }
    Ok(())
}

/// The entries of one transfer among those of a page, which are in ascending order of the transfers' ids.
fn entries_of(entries: &[Entry], id: TransferId) -> &[Entry] {
    let begin = entries.partition_point(|entry| entry.transfer_id < id);
    let end = entries.partition_point(|entry| entry.transfer_id <= id);
    entries.get(begin..end).unwrap_or_default()
}

fn broken<T>(invariant: Invariant, row: Row, what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Violation(Violation { invariant, row, what: what.into() }))
}
