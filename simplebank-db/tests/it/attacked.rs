//! What an attack on the door has found, so that it stays mended.

use std::{
    future::{IntoFuture as _, poll_fn},
    task::Poll,
    time::Duration,
};

use futures_util::TryStreamExt as _;
use simplebank_db::{
    Db, Error, PoolOptions, Tx, TxSpec,
    testing::{Fault, Proxy, Strike, TestDatabase, drop_after},
};
use sqlx::{Connection as _, PgPool};
use tokio::time::Instant;

use crate::{database_with_notes, notes};

const SPEC: TxSpec = TxSpec::read_committed("test");

async fn write(tx: &mut Tx<'_>, id: i32) -> Result<(), Error> {
    let insert = "insert into notes values ($1, 'x')";
    sqlx::query(insert).bind(id).execute(tx.connection()).await?;
    Ok(())
}

async fn find(tx: &mut Tx<'_>, id: i32) -> Result<Option<()>, Error> {
    let select = "select id from notes where id = $1";
    let found: Option<i32> =
        sqlx::query_scalar(select).bind(id).fetch_optional(tx.connection()).await?;
    Ok(found.map(|_| ()))
}

async fn ids(owner: &PgPool) -> Vec<i32> {
    notes(owner).await.into_iter().map(|(id, _)| id).collect()
}

async fn narrow(url: &str) -> Db {
    let options = PoolOptions { connections_max: 1, ..PoolOptions::default() };
    Db::connect(url, options).await.unwrap()
}

#[tokio::test]
async fn a_savepoint_takes_back_what_an_inner_one_left_when_it_was_dropped() {
    let (database, owner) = database_with_notes().await;
    for polls in (1..=6).cycle().take(60) {
        database
            .db()
            .transact(SPEC, async |tx| {
                write(tx, 1).await?;
                let undone = tx
                    .savepoint(async |tx| {
                        write(tx, 2).await?;
                        drop_after(polls, tx.savepoint(async |tx| write(tx, 3).await)).await;
                        Err::<(), _>(Error::NotPostgres)
                    })
                    .await;
                assert!(undone.is_err());
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
        assert_eq!(ids(&owner).await, [1], "{polls} polls");
        sqlx::raw_sql("delete from notes").execute(&owner).await.unwrap();
    }
}

/// sqlx 0.9.0 loses count of the answers when a COPY is read half-way, and takes another one for that of COMMIT.
#[tokio::test]
async fn the_answer_to_something_else_is_not_taken_for_that_of_commit() {
    let (database, owner) = database_with_notes().await;
    let refuse = "create function refuse() returns trigger language plpgsql as $$
        begin raise exception 'refused at the end' using errcode = '23514'; end $$;
        create constraint trigger refuse after insert on notes deferrable initially deferred
            for each row execute function refuse()";
    sqlx::raw_sql(refuse).execute(&owner).await.unwrap();
    let told = database.db().transact(SPEC, async |tx| {
        write(tx, 1).await?;
        let copy = "copy (select generate_series(1, 100000)) to stdout";
        let mut connection = tx.connection();
        let mut rows = connection.copy_out_raw(copy).await?;
        rows.try_next().await?;
        drop(rows);
        tx.connection().ping().await?;
        Ok::<_, Error>(())
    });
    assert!(told.await.is_err());
    assert_eq!(ids(&owner).await, [0; 0]);
}

#[tokio::test]
async fn a_copy_that_is_dropped_poisons_no_connection() {
    let (database, owner) = database_with_notes().await;
    sqlx::raw_sql("insert into notes values (1, 'taken')").execute(&owner).await.unwrap();
    let db = narrow(&database.url()).await;
    for polls in (1..=8).cycle().take(120) {
        let copying = db.transact(SPEC, async |tx| {
            let mut connection = tx.connection();
            let mut copy = connection.copy_in_raw("copy notes from stdin").await?;
            copy.send(&b"2\\tcopied\\n"[..]).await?;
            copy.abort("enough").await?;
            Ok::<_, Error>(())
        });
        drop_after(polls, copying).await;
        let duplicate = "insert into notes values (1, 'again')";
        let told = sqlx::raw_sql(duplicate).execute(db.pool()).await;
        assert!(told.is_err(), "{polls} polls: a refused row was reported as written");
    }
}

/// At these levels the first statement takes the snapshot, so nothing of ours may come before the body's own lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_does_not_move_the_snapshot_before_the_bodys_lock() {
    let (database, owner) = database_with_notes().await;
    let lock = "grant all on notes to simplebank_app; insert into notes values (0, '')";
    sqlx::raw_sql(lock).execute(&owner).await.unwrap();
    let next = async || {
        let spec = TxSpec::repeatable_read("next").attempts_max(1);
        let id = database
            .db()
            .transact(spec, async |tx| {
                let lock = "lock table notes in share row exclusive mode";
                sqlx::raw_sql(lock).execute(tx.connection()).await?;
                let max: i32 = sqlx::query_scalar("select max(id) from notes")
                    .fetch_one(tx.connection())
                    .await?;
                write(tx, max + 1).await?;
                Ok::<_, Error>(max + 1)
            })
            .confirm(async |_| Ok(None));
        id.await.unwrap()
    };
    let (a, b, c) = tokio::join!(next(), next(), next());
    let mut drawn = [a, b, c];
    drawn.sort_unstable();
    assert_eq!(drawn, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_swallows_an_error_is_no_answer() {
    let (database, owner) = database_with_notes().await;
    sqlx::raw_sql("alter table notes drop constraint notes_pkey").execute(&owner).await.unwrap();
    let proxy = Proxy::start(&database.url()).await;
    let db = Db::connect(&proxy.url(), PoolOptions::default()).await.unwrap();
    for (id, second) in
        [(1, Fault::StatementFails(2, "57014")), (2, Fault::Statement(2, Strike::Cut))]
    {
        proxy.arm(Fault::AfterCommit(Strike::Cut));
        proxy.arm(second);
        db.transact(SPEC, async |tx| write(tx, id).await)
            .confirm(async |tx| Ok(find(tx, id).await.ok().flatten()))
            .await
            .unwrap();
        assert_eq!(ids(&owner).await.iter().filter(|found| **found == id).count(), 1, "{second:?}");
    }
    assert_eq!(proxy.hits(), 4);
}

#[tokio::test]
async fn a_caller_who_leaves_while_the_network_is_silent_takes_no_connection_away() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::start(&database.url()).await;
    let db = narrow(&proxy.url()).await;
    proxy.arm(Fault::Statement(1, Strike::Hang));
    let ask = async || {
        let one = db.transact(SPEC, async |tx| {
            Ok::<i32, Error>(sqlx::query_scalar("select 1").fetch_one(tx.connection()).await?)
        });
        one.await
    };
    tokio::select! {
        biased;
        () = proxy.struck() => {}
        answer = ask() => panic!("the network is not silent: {answer:?}"),
    }
    assert_eq!(ask().await.unwrap(), 1);
}

#[test]
fn a_future_may_be_dropped_where_there_is_no_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (database, db) = runtime.block_on(async {
        let database = TestDatabase::new().await;
        let db = narrow(&database.url()).await;
        (database, db)
    });
    {
        let (entered, has_entered) = std::sync::mpsc::channel();
        let mut waiting = db
            .transact(SPEC, async |_| {
                let _ = entered.send(());
                std::future::pending::<Result<(), Error>>().await
            })
            .into_future();
        runtime.block_on(poll_fn(|context| {
            assert!(waiting.as_mut().poll(context).is_pending());
            if has_entered.try_recv().is_ok() { Poll::Ready(()) } else { Poll::Pending }
        }));
        drop(waiting);
    }
    let one = runtime.block_on(async {
        let one: i32 = sqlx::query_scalar("select 1").fetch_one(db.pool()).await.unwrap();
        drop((database, db));
        one
    });
    assert_eq!(one, 1);
}

/// The connection that waits is the one that ends the old session.
#[tokio::test(flavor = "multi_thread")]
async fn asking_needs_no_more_than_one_connection() {
    let (database, owner) = database_with_notes().await;
    let proxy = Proxy::start(&database.url()).await;
    let db = narrow(&proxy.url()).await;
    proxy.arm(Fault::LateCommit(Duration::from_secs(30)));
    let began_at = Instant::now();
    db.transact(SPEC, async |tx| write(tx, 1).await)
        .confirm(async |tx| find(tx, 1).await)
        .await
        .unwrap();
    assert!(began_at.elapsed() < Duration::from_secs(2));
    assert_eq!(ids(&owner).await, [1]);
}

#[tokio::test]
async fn a_session_that_was_ended_for_idling_has_not_committed() {
    let (database, owner) = database_with_notes().await;
    let spec = SPEC.idle_timeout(Duration::from_millis(20)).attempts_max(2);
    let idle = database.db().transact(spec, async |tx| {
        write(tx, 1).await?;
        // Until the server has ended the session.
        let others = "select count(*) from pg_stat_activity where state = 'idle in transaction'
            and datname = current_database()";
        while sqlx::query_scalar::<_, i64>(others).fetch_one(&owner).await? > 0 {}
        Ok::<_, Error>(())
    });
    // Whether the server's word still arrives or only the broken connection is seen.
    let idle = idle.confirm(async |tx| find(tx, 1).await).await;
    assert!(matches!(idle, Err(Error::Exhausted { attempts: 2, .. })), "{idle:?}");
    assert_eq!(ids(&owner).await, [0; 0]);
}

#[tokio::test]
async fn a_body_that_is_ready_too_late_is_not_committed() {
    let (database, owner) = database_with_notes().await;
    let spec = SPEC.deadline(Duration::from_millis(200));
    let late = database.db().transact(spec, async |tx| {
        write(tx, 1).await?;
        let until = Instant::now() + Duration::from_millis(250);
        while Instant::now() < until {} // a body that computes and never waits
        Ok::<_, Error>(())
    });
    let late = late.await;
    assert!(matches!(late, Err(Error::DeadlinePassed { .. })), "{late:?}");
    assert_eq!(ids(&owner).await, [0; 0]);
}

#[tokio::test]
async fn no_setting_is_too_large_or_too_small() {
    let (database, owner) = database_with_notes().await;
    let (max, tiny) = (Duration::MAX, Duration::from_nanos(1));
    let large = SPEC
        .deadline(max)
        .statement_timeout(max)
        .lock_timeout(max)
        .idle_timeout(max)
        .backoff(max, max)
        .attempts_max(u32::MAX);
    let small = SPEC.idle_timeout(Duration::ZERO).backoff(tiny, tiny).attempts_max(0);
    for (id, spec) in [(1, large), (2, small)] {
        database.db().transact(spec, async |tx| write(tx, id).await).await.unwrap();
    }
    let none = database.db().transact(SPEC.deadline(Duration::ZERO), async |tx| write(tx, 3).await);
    assert!(none.await.is_err());
    assert_eq!(ids(&owner).await, [1, 2]);
}

#[tokio::test]
async fn a_body_that_ends_the_transaction_itself_is_told() {
    let (database, owner) = database_with_notes().await;
    for sql in ["commit", "rollback"] {
        let ended = database.db().transact(SPEC, async |tx| {
            sqlx::raw_sql(sql).execute(tx.connection()).await?;
            Ok::<_, Error>(())
        });
        let ended = ended.await;
        assert!(matches!(ended, Err(Error::Ended(_))), "{ended:?}");
    }
    assert_eq!(ids(&owner).await, [0; 0]);
}
