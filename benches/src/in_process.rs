//! `Bank` in this process: one transfer a call from many tasks.

use std::{sync::Arc, time::Instant};

use simplebank::{
    Bank, CommitterOptions, Error, Transfer,
    core::{Amount, Currency, Memo},
    db::{Db, PoolOptions},
};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    Failure, batches,
    measure::{Log, RETRY_AFTER, Running, Schedule},
    number::index,
    system::System,
    workload::{Choice, Chooser},
    world::{CURRENCY, World},
};

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) bank: Bank,
    pub(crate) world: Arc<World>,
    pub(crate) tasks: u32,
    pub(crate) chooser: Chooser,
    /// What all idempotency keys of this load begin with.
    pub(crate) keys: String,
    pub(crate) schedule: Schedule,
}

/// A bank with default settings on a database.
pub(crate) async fn open(url: &str) -> Result<Bank, Failure> {
    Ok(Bank::new(Db::connect(url, PoolOptions::default()).await?)?)
}

/// The same, but room in the queue for `orders` at a time if that is more than usual.
pub(crate) async fn open_for(url: &str, orders: u32) -> Result<Bank, Failure> {
    let usual = CommitterOptions::default();
    let options =
        CommitterOptions { queue_max: usual.queue_max.max(index(orders.into())), ..usual };
    let db = Db::connect(url, PoolOptions::default()).await?;
    Ok(Bank::builder(db).committer(options).build()?)
}

/// Runs a load to its end: single transfers, or batches.
pub(crate) async fn run(load: &Load, system: System) -> Result<Log, Failure> {
    match system {
        System::Batch(size) => batches::run(load, size).await,
        System::Bank => singles(load).await,
        System::Course(_) | System::Http => Err("not in process".into()),
    }
}

async fn singles(load: &Load) -> Result<Log, Failure> {
    let mut chooser = load.chooser.clone();
    let running = Running::begin(load.schedule);
    let mut tasks = JoinSet::new();
    for number in 0..load.tasks {
        let (bank, world) = (load.bank.clone(), Arc::clone(&load.world));
        let keys = format!("{}-{number}", load.keys);
        tasks.spawn(transfer(bank, world, chooser.split(), keys, running));
    }
    let mut log = Log::default();
    while let Some(told) = tasks.join_next().await {
        log.add(told??);
    }
    Ok(log)
}

async fn transfer(
    bank: Bank,
    world: Arc<World>,
    mut chooser: Chooser,
    keys: String,
    running: Running,
) -> Result<Log, Failure> {
    let mut log = Log::default();
    let mut number = 0_u64;
    while !running.is_over() {
        number += 1;
        let choice = chooser.next();
        let payer = world.customers.get(choice.from).ok_or("there is no such customer")?;
        let (key, command) = (format!("{keys}-{number}").parse()?, command(&world, choice)?);
        let asked_at = Instant::now();
        match bank.transfer(&payer.principal, key, command).await {
            Ok(_) => log.acknowledge(1, asked_at, running),
            Err(error) if is_too_much(&error) => {
                log.refused += 1;
                sleep(RETRY_AFTER).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(log)
}

/// The transfer that was chosen.
pub(crate) fn command(world: &World, choice: Choice) -> Result<Transfer, Failure> {
    let account = |number: usize| world.customers.get(number).map(|customer| customer.account_id);
    let currency: Currency = CURRENCY.parse()?;
    Ok(Transfer {
        from_account_id: account(choice.from).ok_or("there is no such customer")?,
        to_account_id: account(choice.to).ok_or("there is no such customer")?,
        amount: Amount::from_minor(choice.amount.into()).ok_or("an amount is 1 or more")?,
        currency,
        memo: Memo::default(),
    })
}

/// Whether the bank said that it has too much to do, which is an answer too.
pub(crate) fn is_too_much(error: &Error) -> bool {
    error.code() == "overloaded"
}
