//! doubleentry: an entry of a debit and a credit, recorded one at a time.

use std::sync::atomic::{AtomicU64, Ordering};

use doubleentry::{
    AccountKind, Amount, BalanceQuery, Date, Entry, Ledger, LedgerId,
    currency::EUR,
    date,
    store::{Postgres, SqlOptions, SqlStore},
};

use super::{ATTEMPTS_MAX, SetUp, at, given_up};
use crate::Failure;

const START: Date = date!("2026-01-01");
const BOOKED_ON: Date = date!("2026-06-15");
const CASH: &str = "Assets:Cash";
const OPENING_BATCH: usize = 100;

/// A ledger whose customers are liabilities: a credit is what they own.
pub(crate) struct DoubleEntry {
    ledger: Ledger<SqlStore<Postgres>>,
    cent: Amount,
    accounts: Vec<String>,
    /// For keys.
    made: AtomicU64,
}

impl DoubleEntry {
    pub(super) async fn open(set_up: SetUp<'_>) -> Result<Self, Failure> {
        let options = SqlOptions { max_connections: set_up.connections, ..SqlOptions::default() };
        let store = SqlStore::postgres_with(set_up.url, options).await?;
        let ledger = Ledger::new(store, LedgerId::new("example.org/peers")?).await?;
        ledger.declare_currency(EUR, 2, START).await?;
        ledger.define_months(2026, 1..=12).await?;
        ledger.open(CASH, AccountKind::Asset, START).await?;
        let mut accounts = Vec::with_capacity(set_up.accounts);
        for number in 0..set_up.accounts {
            let path = format!("Liabilities:Customers:customer{number}");
            ledger.open(&path, AccountKind::Liability, START).await?;
            accounts.push(path);
        }
        let opening = Amount::from_minor(i128::from(set_up.opening_cents))?;
        for (batch, paths) in accounts.chunks(OPENING_BATCH).enumerate() {
            let openings = paths.iter().enumerate().map(|(number, path)| {
                Entry::new(format!("opening-{batch}-{number}"), BOOKED_ON)
                    .debit(CASH, opening, EUR)
                    .credit(path.as_str(), opening, EUR)
            });
            ledger.record_batch(openings).await?;
        }
        Ok(Self { ledger, cent: Amount::from_minor(1)?, accounts, made: AtomicU64::new(0) })
    }

    pub(super) async fn transfer(&self, from: usize, to: usize) -> Result<u32, Failure> {
        let key = format!("peers-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let entry = Entry::new(key, BOOKED_ON)
            .debit(at(&self.accounts, from).as_str(), self.cent, EUR)
            .credit(at(&self.accounts, to).as_str(), self.cent, EUR);
        for lost in 0..ATTEMPTS_MAX {
            match self.ledger.record(entry.clone()).await {
                Ok(_) => return Ok(lost),
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(given_up())
    }

    pub(super) async fn balances(&self) -> Result<Vec<i64>, Failure> {
        let trial = self.ledger.trial_balance(&BalanceQuery::all()).await?;
        if !trial.is_balanced() {
            return Err("the trial balance does not balance".into());
        }
        let cents = self.accounts.iter().map(|path| {
            let row = trial.get(&path.parse()?, EUR).ok_or("an account without a balance")?;
            Ok::<_, Failure>(i64::try_from(row.balance.net().negate().to_minor())?)
        });
        cents.collect()
    }

    /// Replays the whole log and compares every table with it.
    pub(super) async fn audit(&self) -> Result<(), Failure> {
        self.ledger.audit().await?;
        Ok(())
    }
}
