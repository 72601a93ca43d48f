//! How a transaction ends: by a plain COMMIT if its statements leave no doubt that it is open and whole, and otherwise by one
//! that finds out. Neither reports what was not committed.

use futures_util::TryStreamExt as _;
use simplebank_db::{Error, Tx, TxSpec};
use sqlx::PgPool;

use crate::{database_with_notes, notes};

const SPEC: TxSpec = TxSpec::read_committed("test");

async fn write(tx: &mut Tx<'_>, id: i32) -> Result<(), Error> {
    let insert = "insert into notes values ($1, 'x')";
    sqlx::query(insert).bind(id).execute(tx.connection()).await?;
    Ok(())
}

/// The last thing that the one session of the application said.
async fn last_words(owner: &PgPool) -> String {
    let query = "select query from pg_stat_activity
        where datname = current_database() and application_name = 'simplebank'";
    sqlx::query_scalar(query).fetch_one(owner).await.unwrap()
}

#[tokio::test]
async fn statements_that_leave_no_doubt_are_committed_plainly() {
    let (database, owner) = database_with_notes().await;
    let done = database.db().transact(SPEC, async |tx| {
        write(tx, 1).await?;
        let one: Option<i32> =
            sqlx::query_scalar(" SELECT\n1").fetch_optional(tx.connection()).await?;
        let all: Vec<i32> = sqlx::query_scalar(
            "with two as (select 2) select * from two, notes for no key update of notes",
        )
        .fetch_all(tx.connection())
        .await?;
        tx.savepoint(async |tx| write(tx, 2).await).await?;
        Ok::<_, Error>((one, all))
    });
    assert_eq!(done.await.unwrap(), (Some(1), vec![2]));
    assert_eq!(last_words(&owner).await, "COMMIT");

    // The control: what may have been anything is looked after.
    let done = database.db().transact(SPEC, async |tx| {
        sqlx::raw_sql("select 1").execute(tx.connection()).await?;
        Ok::<_, Error>(())
    });
    done.await.unwrap();
    assert_ne!(last_words(&owner).await, "COMMIT");
    assert_eq!(notes(&owner).await.len(), 2);
}

#[tokio::test]
async fn what_fails_is_noticed_however_it_is_asked_for() {
    let (database, owner) = database_with_notes().await;
    sqlx::raw_sql("insert into notes values (1, 'x')").execute(&owner).await.unwrap();
    const WRONG: &str = "select 1 / (id - 1) from notes";
    for way in 0..9 {
        let done = database.db().transact(SPEC, async |tx| {
            write(tx, 2).await?;
            let query = sqlx::query(WRONG);
            let has_failed = match way {
                0 => query.execute(tx.connection()).await.is_err(),
                1 => query.fetch_optional(tx.connection()).await.is_err(),
                2 => query.fetch_one(tx.connection()).await.is_err(),
                3 => query.fetch_all(tx.connection()).await.is_err(),
                4 => query.fetch(tx.connection()).try_next().await.is_err(),
                5 => sqlx::raw_sql(WRONG).execute(tx.connection()).await.is_err(),
                6 => query.execute(&mut *tx.connection()).await.is_err(),
                7 => sqlx::query("select no_such").execute(tx.connection()).await.is_err(),
                // Whatever came after the failure has failed as well.
                _ => {
                    drop(query.execute(tx.connection()).await);
                    sqlx::query("select 1").execute(tx.connection()).await.is_err()
                }
            };
            assert!(has_failed, "{way}");
            Ok::<_, Error>(())
        });
        let outcome = done.await;
        assert!(matches!(outcome, Err(Error::Aborted(_))), "{way}: {outcome:?}");
        assert_eq!(notes(&owner).await.len(), 1, "{way}");
    }
}

#[tokio::test]
async fn whoever_ends_the_transaction_is_told_however_it_was_done() {
    let (database, owner) = database_with_notes().await;
    for end in ["commit", "rollback", "/* select */ rollback", "end", "abort"] {
        for is_prepared in [true, false] {
            let done = database.db().transact(SPEC, async |tx| {
                match is_prepared {
                    true => sqlx::query(end).execute(tx.connection()).await?,
                    false => sqlx::raw_sql(end).execute(tx.connection()).await?,
                };
                sqlx::query("select 1").execute(tx.connection()).await?;
                Ok::<_, Error>(())
            });
            let outcome = done.await;
            assert!(matches!(outcome, Err(Error::Ended(_))), "{end}, {is_prepared}: {outcome:?}");
        }
    }
    // Several statements in one message may end it behind a harmless word.
    let done = database.db().transact(SPEC, async |tx| {
        write(tx, 1).await?;
        sqlx::raw_sql("select 1; rollback").execute(tx.connection()).await?;
        Ok::<_, Error>(())
    });
    let outcome = done.await;
    assert!(matches!(outcome, Err(Error::Ended(_))), "{outcome:?}");
    assert_eq!(notes(&owner).await, []);
}

#[tokio::test]
async fn an_answer_that_was_read_half_way_stands_in_nobodys_way() {
    let (database, owner) = database_with_notes().await;
    let done = database.db().transact(SPEC, async |tx| {
        write(tx, 1).await?;
        let many = sqlx::query_scalar::<_, i32>("select generate_series(1, 10000)");
        assert_eq!(many.fetch(tx.connection()).try_next().await?, Some(1));
        write(tx, 2).await
    });
    done.await.unwrap();
    assert_eq!(notes(&owner).await.len(), 2);

    // A failure in the part that nobody has read.
    let done = database.db().transact(SPEC, async |tx| {
        write(tx, 3).await?;
        let many =
            sqlx::query_scalar::<_, i32>("select 1 / (10000 - n) from generate_series(1, 10000) n");
        assert_eq!(many.fetch(tx.connection()).try_next().await?, Some(0));
        Ok::<_, Error>(())
    });
    assert!(done.await.is_err());
    assert_eq!(notes(&owner).await.len(), 2);
}

#[tokio::test]
async fn a_failure_inside_a_savepoint_leaves_the_rest_to_be_committed() {
    let (database, owner) = database_with_notes().await;
    let done = database.db().transact(SPEC, async |tx| {
        write(tx, 1).await?;
        assert!(tx.savepoint(async |tx| { write(tx, 1).await }).await.is_err());
        write(tx, 2).await
    });
    done.await.unwrap();
    assert_eq!(notes(&owner).await.len(), 2);
}
