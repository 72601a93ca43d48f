//! Opens a bank, two users and one transfer, and prints both statements.
//!
//! `cargo run -p simplebank-examples --example quickstart`
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;

use simplebank::{
    Bank, Deposit, OpenAccount, Page, Register, Transfer,
    core::{Account, Amount, Memo, Principal, user::User},
    db::{Db, Migrations, PoolOptions},
};
use simplebank_localpg::ThrowawayCluster;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A PostgreSQL that vanishes with this program. Yours is a URL.
    let postgres = ThrowawayCluster::start()?;
    let url = postgres.url("postgres");
    Migrations::connect(&url).await?.up().await?;
    let bank = Bank::new(Db::connect(&url, PoolOptions::default()).await?)?;

    let (alice, alices) = customer(&bank, "alice").await?;
    let (bob, bobs) = customer(&bank, "bob").await?;

    let currency = alices.currency;
    let amount = Amount::parse("100", currency)?;
    let paid_in = Deposit { account_id: alices.id, amount, currency, memo: Memo::NONE };
    bank.deposit(&Principal::Operator, "cash-1".parse()?, paid_in).await?;

    let amount = Amount::parse("12.50", currency)?;
    let memo = Memo { description: Some("lunch".parse()?), ..Memo::NONE };
    let lunch =
        Transfer { from_account_id: alices.id, to_account_id: bobs.id, amount, currency, memo };
    bank.transfer(&alice.principal(), "lunch".parse()?, lunch.clone()).await?;
    // The network failed, and nobody knows? Send it again: the same key moves money once.
    bank.transfer(&alice.principal(), "lunch".parse()?, lunch).await?;

    for (user, account) in [(alice, alices), (bob, bobs)] {
        print_statement(&bank, &user, &account).await?;
    }
    Ok(())
}

async fn customer(bank: &Bank, name: &str) -> Result<(User, Account), Box<dyn Error>> {
    let user = bank
        .register(Register {
            username: name.parse()?,
            password: "correct horse battery".parse()?,
            full_name: name.parse()?,
            email: format!("{name}@example.org").parse()?,
        })
        .await?;
    let command = OpenAccount { owner: user.id, currency: "EUR".parse()? };
    let account = bank.open_account(&user.principal(), command).await?;
    Ok((user, account))
}

async fn print_statement(
    bank: &Bank,
    user: &User,
    account: &Account,
) -> Result<(), Box<dyn Error>> {
    let (account, entries) = bank.entries(&user.principal(), account.id, Page::default()).await?;
    let money = |balance: simplebank::core::Balance| balance.to_decimal(account.currency);
    println!("{}, {} {}", user.username, money(account.balance), account.currency);
    for entry in entries.items.iter().rev() {
        println!(
            "{:>4} {:>10} {:>10}",
            entry.version,
            money(entry.amount),
            money(entry.balance_after)
        );
    }
    Ok(())
}
