//! A row of a table of your own and a transfer commit or vanish together.
//!
//! `cargo run -p simplebank-examples --example joined_transaction`
#![expect(clippy::print_stdout, reason = "an example prints")]

use simplebank::{
    Bank, Transfer,
    core::{Amount, Memo, user::User},
    db::{self, BodyError, Db, Migrations, PoolOptions, TxSpec},
};
use simplebank_examples::customer;
use simplebank_localpg::ThrowawayCluster;

const BUY: TxSpec = TxSpec::read_committed("buy");

/// Your own error: it can hold the bank's, and through that give a database error back to be tried again.
#[derive(Debug, thiserror::Error)]
enum BuyError {
    #[error("the desk is sold out")]
    SoldOut,
    #[error(transparent)]
    Bank(#[from] simplebank::Error),
}

impl From<db::Error> for BuyError {
    fn from(error: db::Error) -> Self {
        Self::Bank(error.into())
    }
}

impl From<sqlx::Error> for BuyError {
    fn from(error: sqlx::Error) -> Self {
        db::Error::from(error).into()
    }
}

impl BodyError for BuyError {
    fn into_db(self) -> Result<db::Error, Self> {
        match self {
            Self::Bank(error) => error.into_db().map_err(Self::Bank),
            Self::SoldOut => Err(self),
        }
    }
}

/// Takes a desk from the stock, writes the order down and pays for it: all of it or nothing.
async fn buy(bank: &Bank, buyer: &User, number: i32, price: &Transfer) -> Result<(), BuyError> {
    bank.db()
        .transact(BUY, async |tx| {
            let taken = sqlx::query("update shop.stock set left_over = left_over - 1 where item = 'desk' and left_over > 0");
            if taken.execute(tx.connection()).await?.rows_affected() == 0 {
                return Err(BuyError::SoldOut);
            }
            sqlx::query("insert into shop.orders values ($1)").bind(number).execute(tx.connection()).await?;
            let key = format!("order-{number}").parse().expect("a short key of visible characters");
            bank.transfer_in(tx, &buyer.principal(), key, price.clone()).await?;
            Ok(())
        })
        .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let postgres = ThrowawayCluster::start()?;
    let url = postgres.url("postgres");
    Migrations::connect(&url).await?.up().await?;
    let shop = sqlx::PgPool::connect(&url).await?;
    sqlx::raw_sql(
        "create schema shop;
         create table shop.stock (item text primary key, left_over int not null);
         create table shop.orders (number int primary key);
         insert into shop.stock values ('desk', 2);
         grant usage on schema shop to simplebank_app;
         grant select, insert, update on all tables in schema shop to simplebank_app",
    )
    .execute(&shop)
    .await?;
    let bank = Bank::new(Db::connect(&url, PoolOptions::default()).await?)?;
    let (alice, alices) = customer(&bank, "alice", "500").await?;
    let (_, shops) = customer(&bank, "shop", "0.01").await?;
    let currency = alices.currency;

    let amount = Amount::parse("300", currency)?;
    let price = Transfer {
        from_account_id: alices.id,
        to_account_id: shops.id,
        amount,
        currency,
        memo: Memo::NONE,
    };
    for number in [1, 2] {
        match buy(&bank, &alice, number, &price).await {
            Ok(()) => println!("order {number}: paid"),
            Err(error) => println!("order {number}: {error}"),
        }
        let (orders, left): (i64, i32) =
            sqlx::query_as("select (select count(*) from shop.orders), left_over from shop.stock")
                .fetch_one(&shop)
                .await?;
        let balance =
            bank.account(&alice.principal(), alices.id).await?.balance.to_decimal(currency);
        println!(
            "  {orders} order(s) written, {left} desk(s) left, {balance} {currency} on the account"
        );
    }
    Ok(())
}
