//! Fact D2: whoever goes away in the middle leaves no open transaction in the pool.

use simplebank_db::{Db, Error, PoolOptions, TxSpec, testing::drop_after};
use sqlx::PgPool;

use crate::{database_with_notes, execute, notes};

/// One connection, so that whatever is left behind meets the next borrower.
async fn narrow(url: &str) -> Db {
    Db::connect(url, PoolOptions { connections_max: 1, ..PoolOptions::default() }).await.unwrap()
}

/// Writes a note by itself and tells whether somebody else can see it.
async fn is_seen_by_others(db: &Db, owner: &PgPool) -> bool {
    execute(db, "insert into notes values (7, 'acknowledged') on conflict (id) do update set text = excluded.text").await.unwrap();
    let seen = notes(owner).await.iter().any(|(id, _)| *id == 7);
    sqlx::raw_sql("delete from notes").execute(owner).await.unwrap();
    seen
}

/// How often each of the tests below drops a future. How far one gets in a number of polls depends on how fast the server
/// answers, so every number is tried often.
const DROPS: usize = 400;
/// BEGIN, two statements and COMMIT seldom need more polls.
const POLLS_MAX: usize = 8;

#[tokio::test]
async fn dropping_the_future_at_any_await_leaves_nothing_behind() {
    let (database, owner) = database_with_notes().await;
    let db = narrow(&database.url()).await;
    let mut interrupted = 0;
    for polls in (1..=POLLS_MAX).cycle().take(DROPS) {
        let transaction = db.transact(TxSpec::read_committed("test"), async |tx| {
            sqlx::raw_sql("insert into notes values (1, 'ours')").execute(tx.connection()).await?;
            sqlx::raw_sql("insert into notes values (2, 'ours')").execute(tx.connection()).await?;
            Ok::<_, Error>(())
        });
        if drop_after(polls, transaction).await.is_none() {
            interrupted += 1;
        }
        // The next borrower waits for what was dropped to be rolled back.
        execute(&db, "select 1").await.unwrap();
        let left = notes(&owner).await.len();
        assert!(left == 0 || left == 2, "half of a transaction was left after {polls} polls");
        assert!(
            is_seen_by_others(&db, &owner).await,
            "an acknowledged write was lost after {polls} polls"
        );
    }
    assert!(interrupted > 0, "no transaction was ever interrupted");
}

/// The control of the test above: sqlx's own begin, dropped while BEGIN is on its way, loses the next borrower's write.
#[tokio::test]
async fn a_plain_begin_that_is_dropped_loses_acknowledged_writes() {
    let (database, owner) = database_with_notes().await;
    let db = narrow(&database.url()).await;
    for polls in (1..=POLLS_MAX).cycle().take(10 * DROPS) {
        #[expect(clippy::disallowed_methods, reason = "the control goes round the door")]
        let begin = db.pool().begin();
        drop_after(polls, begin).await;
        if !is_seen_by_others(&db, &owner).await {
            return;
        }
    }
    panic!("sqlx has mended this: begin without a task");
}
