//! Our own: `Bank::transfer` in process, by the account's owner, with an idempotency key each.

use std::sync::atomic::{AtomicU64, Ordering};

use simplebank::{
    Bank, Deposit, OpenAccount, Register, Transfer,
    core::{AccountId, Amount, Currency, Memo, Principal},
    db::{Db, Migrations, PoolOptions},
    password::NewPassword,
};

use super::{SetUp, at};
use crate::Failure;

const PASSWORD: &str = "correct horse battery";

/// A bank and its customers.
pub(crate) struct Ours {
    bank: Bank,
    euro: Currency,
    customers: Vec<(Principal, AccountId)>,
    /// For keys.
    made: AtomicU64,
}

impl Ours {
    pub(super) async fn open(set_up: SetUp<'_>) -> Result<Self, Failure> {
        let mut migrations = Migrations::connect(set_up.url).await?;
        migrations.up().await?;
        migrations.close().await?;
        let options = PoolOptions { connections_max: set_up.connections, ..PoolOptions::default() };
        let bank = Bank::new(Db::connect(set_up.url, options).await?)?;
        let euro = "EUR".parse()?;
        let opening = Amount::from_minor(set_up.opening_cents).ok_or("no amount to begin with")?;
        let mut customers = Vec::with_capacity(set_up.accounts);
        for number in 0..set_up.accounts {
            let (principal, account_id) = customer(&bank, number, euro).await?;
            let command = Deposit { account_id, amount: opening, currency: euro, memo: Memo::NONE };
            let key = format!("opening-{number}").parse()?;
            bank.deposit(&Principal::Operator, key, command).await?;
            customers.push((principal, account_id));
        }
        Ok(Self { bank, euro, customers, made: AtomicU64::new(0) })
    }

    pub(super) async fn transfer(&self, from: usize, to: usize) -> Result<u32, Failure> {
        let (payer, from_account_id) = at(&self.customers, from);
        let (_, to_account_id) = at(&self.customers, to);
        let command = Transfer {
            from_account_id: *from_account_id,
            to_account_id: *to_account_id,
            amount: Amount::MIN,
            currency: self.euro,
            memo: Memo::NONE,
        };
        let key = format!("peers-{}", self.made.fetch_add(1, Ordering::Relaxed)).parse()?;
        self.bank.transfer(payer, key, command).await?;
        Ok(0)
    }

    pub(super) async fn balances(&self) -> Result<Vec<i64>, Failure> {
        if let Some(violation) = self.bank.verify(|_| ()).await?.violation {
            return Err(format!("the ledger is broken: {violation:?}").into());
        }
        let mut balances = Vec::with_capacity(self.customers.len());
        for (_, account_id) in &self.customers {
            let account = self.bank.account(&Principal::Operator, *account_id).await?;
            balances.push(account.balance.minor());
        }
        Ok(balances)
    }
}

async fn customer(
    bank: &Bank,
    number: usize,
    euro: Currency,
) -> Result<(Principal, AccountId), Failure> {
    let username = format!("customer{number}");
    let registration = Register {
        email: format!("{username}@example.org").parse()?,
        username: username.parse()?,
        password: PASSWORD.parse::<NewPassword>()?,
        full_name: "Some Body".parse()?,
    };
    let user = bank.register(registration).await?;
    let principal = user.principal();
    let command = OpenAccount { owner: user.id, currency: euro };
    let account = bank.open_account(&principal, command).await?;
    Ok((principal, account.id))
}
