//! Overdraft limits of the bank's accounts.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use futures_util::future;
use simplebank::{
    Bank, Error,
    core::Rejection,
    db::{self, TxSpec},
};
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::gate::Gate;
use crate::{
    Report,
    bank::{self, Customer},
};

/// Accounts of each kind.
const COUNT: usize = 8;
const OPENING_CENTS: i64 = 50;
const OVERDRAFT_CENTS: i64 = 50;
/// All that an account can pay, the overdraft included.
const PRICE_CENTS: i64 = OPENING_CENTS + OVERDRAFT_CENTS;
/// How many try at once to have it from an account of the crowd.
const CROWD: usize = 3;

/// Accounts that can pay once, and where the money goes.
#[derive(Clone, Debug)]
pub(super) struct Accounts {
    bank: Bank,
    /// One is slow, another quick.
    pairs: Vec<Customer>,
    /// Many at once.
    crowds: Vec<Customer>,
    /// Whoever is slow pays to somebody else: had the payee changed meanwhile, that alone would stop them.
    payee_of_slow: Customer,
    payee: Customer,
}

/// Keys that were never used.
static NEXT_KEY: AtomicU64 = AtomicU64::new(0);

impl Accounts {
    /// Contests for an account's money in a round.
    pub(super) const ATTEMPTS: usize = 2 * COUNT;

    /// Opens the accounts, each with an overdraft limit.
    pub(super) async fn open(bank: &Bank, owner: &PgPool) -> Self {
        let mut customers = bank::customers(bank, 2 * COUNT + 2, OPENING_CENTS).await;
        let limit = "update simplebank.accounts set overdraft_limit = $1 where kind = 'customer'";
        sqlx::query(limit).bind(OVERDRAFT_CENTS).execute(owner).await.expect("the owner may");
        let payee = customers.pop().expect("enough were opened");
        let payee_of_slow = customers.pop().expect("enough were opened");
        let crowds = customers.split_off(COUNT);
        Self { bank: bank.clone(), pairs: customers, crowds, payee_of_slow, payee }
    }

    /// Lets all the pairs' slow ones begin. A task returns what went wrong, if anything did.
    pub(super) fn spawn_slow(&self, gate: &Gate, slow: &mut JoinSet<Option<String>>) {
        for payer in self.pairs.iter().cloned() {
            let account = payer.account;
            let paid = self.clone().pay_slowly(payer, gate.clone());
            slow.spawn(async move {
                let paid = paid.await;
                let is_refused = matches!(paid, Ok(false));
                (!is_refused).then(|| format!("account {account}: who was slow got {paid:?}"))
            });
        }
    }

    /// Reads the balance at SERIALIZABLE, waits at the gate and transfers in the same transaction; true if it was paid.
    async fn pay_slowly(self, payer: Customer, gate: Gate) -> Result<bool, Error> {
        const SLOW: TxSpec = TxSpec::serializable("pay_slowly")
            .idle_timeout(Duration::from_secs(60))
            .deadline(Duration::from_secs(60))
            .attempts_max(100);
        let (key, has_waited) = (next_key(), AtomicBool::new(false));
        let command = bank::transfer(&payer, &self.payee_of_slow, PRICE_CENTS);
        let read = "select balance from simplebank.accounts where id = $1";
        let paid = self.bank.db().transact(SLOW, async |tx| {
            let balance = sqlx::query_scalar::<_, i64>(read).bind(payer.account.as_uuid());
            balance.fetch_one(tx.connection()).await.map_err(db::Error::from)?;
            if !has_waited.swap(true, Ordering::Relaxed) {
                gate.pass().await;
            }
            self.bank.transfer_in(tx, &payer.principal, key.clone(), command.clone()).await
        });
        is_paid(paid.await)
    }

    /// Each of the pairs pays at once, through the bank.
    pub(super) async fn pay_quickly(&self, report: &mut Report) {
        let paid = future::join_all(self.pairs.iter().map(|payer| self.pay(payer))).await;
        for paid in paid {
            report.expect(matches!(paid, Ok(true)), || format!("who was first got {paid:?}"));
        }
    }

    /// Many at once want all that an account has, through the bank; one may have it.
    pub(super) async fn pay_in_crowds(&self, report: &mut Report) {
        let crowds = self.crowds.iter().map(|payer| {
            future::join_all(std::iter::repeat_n(payer, CROWD).map(|payer| self.pay(payer)))
        });
        for answers in future::join_all(crowds).await {
            let paid = answers.iter().filter(|answer| matches!(answer, Ok(true))).count();
            let refused = answers.iter().filter(|answer| matches!(answer, Ok(false))).count();
            report.expect((paid, refused) == (1, CROWD - 1), || {
                format!("of {CROWD} at once, {paid} were paid: {answers:?}")
            });
        }
    }

    async fn pay(&self, payer: &Customer) -> Result<bool, Error> {
        let command = bank::transfer(payer, &self.payee, PRICE_CENTS);
        let by = &payer.principal;
        is_paid(bank::transfer_until_settled(&self.bank, by, next_key(), command).await.0)
    }

    /// Each account must have paid once and stand at its limit. Then everybody gets the money back.
    pub(super) async fn check(&self, report: &mut Report) {
        for customer in self.pairs.iter().chain(&self.crowds) {
            let (balance, _) = bank::state(&self.bank, customer.account).await;
            report.expect(balance == -OVERDRAFT_CENTS, || {
                format!("account {} has {balance} cents, not -{OVERDRAFT_CENTS}", customer.account)
            });
            let missing = OPENING_CENTS - balance;
            if missing > 0 {
                bank::deposit(&self.bank, customer.account, next_key(), missing).await;
            }
        }
    }
}

fn next_key() -> simplebank::core::IdempotencyKey {
    bank::key(&format!("r03-{}", NEXT_KEY.fetch_add(1, Ordering::Relaxed)))
}

/// True for a receipt, false for insufficient funds.
fn is_paid<T>(answer: Result<T, Error>) -> Result<bool, Error> {
    match answer {
        Ok(_) => Ok(true),
        Err(Error::Rejected(Rejection::InsufficientFunds { .. })) => Ok(false),
        Err(error) => Err(error),
    }
}
