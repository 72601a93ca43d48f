//! One's own table, one's own error: a transaction that retries, and survives a connection cut in COMMIT.
//!
//! `cargo run -p simplebank-examples --example transact`
#![expect(clippy::print_stdout, reason = "an example prints")]

use simplebank::{
    db::{BodyError, Db, Error, TxSpec},
    testing::{Fault, Proxy, Strike, TestDatabase},
};

/// Why a seat is not booked.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the seat is taken")]
    Taken,
    #[error(transparent)]
    Db(#[from] Error),
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

impl BodyError for Refused {
    fn into_db(self) -> Result<Error, Self> {
        match self {
            Self::Db(error) => Ok(error),
            Self::Taken => Err(self),
        }
    }
}

const BOOK: TxSpec = TxSpec::serializable("book");

/// Books a seat under an id that the caller has chosen.
async fn book(db: &Db, id: i64, seat: i32) -> Result<(), Refused> {
    db.transact(BOOK, async |tx| {
        let find = sqlx::query("select from bookings where seat = $1").bind(seat);
        if find.fetch_optional(tx.connection()).await?.is_some() {
            return Err(Refused::Taken);
        }
        let insert = sqlx::query("insert into bookings values ($1, $2)").bind(id).bind(seat);
        insert.execute(tx.connection()).await?;
        tx.after_commit(move || println!("seat {seat} is booked"));
        Ok(())
    })
    .confirm(async |tx| {
        let find = sqlx::query("select from bookings where id = $1").bind(id);
        Ok(find.fetch_optional(tx.connection()).await?.map(|_| ()))
    })
    .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A PostgreSQL that vanishes with this program, and a proxy that makes trouble.
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let table = "create table bookings (id bigint primary key, seat int not null)";
    sqlx::raw_sql(table).execute(&owner).await?;
    let proxy = Proxy::start(&database.url()).await;
    let db = Db::from_pool(sqlx::PgPool::connect(&proxy.url()).await?);

    proxy.arm(Fault::CommitFails("40001"));
    book(&db, 1, 12).await?;
    println!("a serialization failure at COMMIT: booked at the second attempt");
    proxy.arm(Fault::AfterCommit(Strike::Cut));
    book(&db, 2, 13).await?;
    println!("the answer to COMMIT was lost: asked, and it had been booked");
    proxy.arm(Fault::BeforeCommit(Strike::Cut));
    book(&db, 3, 14).await?;
    println!("COMMIT itself was lost: asked, and booked at the second attempt");
    println!("once more: {:?}", book(&db, 4, 14).await);

    let booked: i64 = sqlx::query_scalar("select count(*) from bookings").fetch_one(&owner).await?;
    println!("{booked} bookings; trouble made {} times", proxy.hits());
    Ok(())
}
