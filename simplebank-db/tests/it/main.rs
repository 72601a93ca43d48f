//! The transaction door and the schema, on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod attacked;
mod cancel;
mod doubt;
mod faults;
mod jobs;
mod kills;
mod migrations;
mod observe;
mod savepoint;
mod schema;
mod schema_post;
mod schema_post_one;
mod statements;
mod transact;
mod unknown;
mod waits;

use simplebank_db::{Db, Error, testing::TestDatabase};
use sqlx::PgPool;

/// A database with one table of the test's own, `notes`, that the application's role may use.
async fn database_with_notes() -> (TestDatabase, PgPool) {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    sqlx::raw_sql(
        "create table notes (id int primary key, text text not null);
         grant select, insert, update, delete on notes to simplebank_app",
    )
    .execute(&owner)
    .await
    .unwrap();
    (database, owner)
}

/// What the table `notes` holds, as somebody else sees it.
async fn notes(owner: &PgPool) -> Vec<(i32, String)> {
    sqlx::query_as("select id, text from notes order by id").fetch_all(owner).await.unwrap()
}

/// The SQLSTATE inside an error.
fn state(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<sqlx::Error>() {
        return error.as_database_error()?.code().map(|code| code.into_owned());
    }
    error.source().and_then(state)
}

/// Runs one statement by itself, as the application.
async fn execute(db: &Db, sql: &'static str) -> Result<(), Error> {
    sqlx::raw_sql(sql).execute(db.pool()).await?;
    Ok(())
}
