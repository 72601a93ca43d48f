//! A thousand transfers both ways over a few accounts from fifty tasks; then the whole ledger is verified.
//!
//! `cargo run -p simplebank-examples --example concurrent_transfers`
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::{error::Error, sync::Arc, time::Instant};

use simplebank::{
    Bank, Transfer,
    core::{Account, Amount, Memo, user::User},
    db::{Db, Migrations, PoolOptions},
};
use simplebank_examples::customer;
use simplebank_localpg::ThrowawayCluster;
use tokio::task::JoinSet;

const TASKS: usize = 50;
const TRANSFERS_PER_TASK: usize = 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let postgres = ThrowawayCluster::start()?;
    let url = postgres.url("postgres");
    Migrations::connect(&url).await?.up().await?;
    let bank = Bank::new(Db::connect(&url, PoolOptions::default()).await?)?;

    let mut customers = Vec::new();
    for name in ["alice", "bob", "carol"] {
        customers.push(customer(&bank, name, "1000").await?);
    }
    let customers = Arc::new(customers);

    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(pay_around(bank.clone(), Arc::clone(&customers), task));
    }
    let (mut posted, mut refused) = (0, 0);
    while let Some(counts) = tasks.join_next().await {
        let (task_posted, task_refused) = counts??;
        posted += task_posted;
        refused += task_refused;
    }
    println!(
        "{posted} transfers posted and {refused} refused in {:.1} s",
        start.elapsed().as_secs_f64()
    );

    for (user, account) in customers.iter() {
        let account = bank.account(&user.principal(), account.id).await?;
        let balance = account.balance.to_decimal(account.currency);
        println!(
            "{:>6} {balance:>8} {} after {} entries",
            user.username, account.currency, account.version
        );
    }
    let report = bank.verify(|_| ()).await?;
    match report.violation {
        None => println!("the ledger is whole: {} rows verified", report.rows),
        Some(violation) => return Err(violation.into()),
    }
    Ok(())
}

/// Half of the tasks pay to the right, half to the left.
async fn pay_around(
    bank: Bank,
    customers: Arc<Vec<(User, Account)>>,
    task: usize,
) -> Result<(u32, u32), simplebank::Error> {
    let (mut posted, mut refused) = (0, 0);
    for n in 0..TRANSFERS_PER_TASK {
        let mut around = customers.iter().cycle().skip(n);
        let (Some(one), Some(other)) = (around.next(), around.next()) else { break };
        let ((payer, from), (_, to)) =
            if task.is_multiple_of(2) { (one, other) } else { (other, one) };
        let amount = Amount::from_minor(100).expect("100 is at least 1");
        let command = Transfer {
            from_account_id: from.id,
            to_account_id: to.id,
            amount,
            currency: from.currency,
            memo: Memo::NONE,
        };
        let key = format!("{task}-{n}").parse().expect("a short key of visible characters");
        match bank.transfer(&payer.principal(), key, command).await {
            Ok(_) => posted += 1,
            Err(simplebank::Error::Rejected(_)) => refused += 1,
            Err(error) => return Err(error),
        }
    }
    Ok((posted, refused))
}
