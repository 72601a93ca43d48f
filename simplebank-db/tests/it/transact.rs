//! Laws T1 to T4 and fact D3: what the door promises at each level.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use simplebank_db::{BodyError, Db, Error, Isolation, Tx, TxSpec, testing::TestDatabase};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::sync::Barrier;

use crate::{database_with_notes, notes, state};

const LEVELS: [(Isolation, &str); 3] = [
    (Isolation::ReadCommitted, "read committed"),
    (Isolation::RepeatableRead, "repeatable read"),
    (Isolation::Serializable, "serializable"),
];

/// An embedder's own error.
#[derive(Debug)]
enum Refused {
    SoldOut,
    Db(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Db(error)
    }
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
            Self::SoldOut => Err(self),
        }
    }
}

async fn write(tx: &mut Tx<'_>, id: i32, text: &str) -> Result<(), Error> {
    let upsert =
        "insert into notes values ($1, $2) on conflict (id) do update set text = excluded.text";
    sqlx::query(upsert).bind(id).bind(text).execute(tx.connection()).await?;
    Ok(())
}

#[tokio::test]
async fn a_body_that_succeeds_is_committed_and_one_that_fails_is_not() {
    let (database, owner) = database_with_notes().await;
    for (level, _) in LEVELS {
        let spec = TxSpec::new("test", level);
        let kept = database
            .db()
            .transact(spec, async |tx| {
                write(tx, 1, "kept").await?;
                Ok::<_, Error>(42)
            })
            .await;
        assert_eq!(kept.unwrap(), 42);
        let refused = database
            .db()
            .transact(spec, async |tx| {
                write(tx, 2, "lost").await?;
                Err::<(), _>(Refused::SoldOut)
            })
            .await;
        assert!(matches!(refused, Err(Refused::SoldOut)), "{refused:?}");
        assert_eq!(notes(&owner).await, [(1, "kept".to_owned())]);
    }
}

#[tokio::test]
async fn the_server_runs_at_the_level_and_with_the_settings_of_the_spec() {
    let database = TestDatabase::new().await;
    let settings = "select current_setting('transaction_isolation'), current_setting('transaction_read_only'),
        current_setting('transaction_deferrable'), current_setting('statement_timeout'), current_setting('lock_timeout'),
        current_setting('idle_in_transaction_session_timeout')";
    for (level, name) in LEVELS {
        for (spec, read_only, deferrable) in [
            (TxSpec::new("test", level), "off", "off"),
            (TxSpec::new("test", level).read_only(), "on", "off"),
            (TxSpec::new("test", level).deferrable(), "on", "on"),
        ] {
            let spec = spec
                .statement_timeout(Duration::from_millis(1234))
                .lock_timeout(Duration::from_millis(567))
                .idle_timeout(Duration::from_millis(8900))
                .deadline(Duration::from_secs(60));
            let found: (String, String, String, String, String, String) = database
                .db()
                .transact(spec, async |tx| {
                    Ok::<_, Error>(sqlx::query_as(settings).fetch_one(tx.connection()).await?)
                })
                .await
                .unwrap();
            let expected = (name, read_only, deferrable, "1234ms", "567ms", "8900ms");
            let found = (&*found.0, &*found.1, &*found.2, &*found.3, &*found.4, &*found.5);
            assert_eq!(found, expected);
        }
    }
}

#[tokio::test]
async fn a_read_only_transaction_can_not_write() {
    let (database, owner) = database_with_notes().await;
    let spec = TxSpec::read_committed("test").read_only();
    let error = database.db().transact(spec, async |tx| write(tx, 1, "x").await).await.unwrap_err();
    assert_eq!(state(&error).as_deref(), Some("25006"));
    assert_eq!(notes(&owner).await, []);
}

/// The first run of the body sees somebody else change the row that it has read: at READ COMMITTED that is fine, at the
/// other levels the body runs again and sees the change.
#[tokio::test]
async fn a_serialization_failure_of_a_statement_runs_the_body_again() {
    let (database, owner) = database_with_notes().await;
    for (level, name) in LEVELS {
        sqlx::raw_sql("delete from notes; insert into notes values (1, 'old')")
            .execute(&owner)
            .await
            .unwrap();
        let runs = AtomicU32::new(0);
        let seen = database
            .db()
            .transact(TxSpec::new("test", level), async |tx| {
                let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
                let text: String = sqlx::query_scalar("select text from notes where id = 1")
                    .fetch_one(tx.connection())
                    .await?;
                if run == 1 {
                    sqlx::raw_sql("update notes set text = 'theirs' where id = 1")
                        .execute(&owner)
                        .await?;
                }
                write(tx, 1, "ours").await?;
                Ok::<_, Error>(text)
            })
            .await
            .unwrap();
        let expected = if level == Isolation::ReadCommitted { (1, "old") } else { (2, "theirs") };
        assert_eq!((runs.into_inner(), &*seen), expected, "{name}");
        assert_eq!(notes(&owner).await, [(1, "ours".to_owned())]);
    }
}

/// Hangs a trigger on `notes` that fails at COMMIT with `state` for the first `times` commits.
async fn fail_at_commit(owner: &sqlx::PgPool, state: &str, times: u32) {
    let sql = format!(
        "drop trigger if exists fail on notes; drop sequence if exists failures; create sequence failures;
         grant usage on sequence failures to simplebank_app;
         create or replace function fail() returns trigger language plpgsql as $$
         begin
             if nextval('failures') <= {times} then raise exception 'forced' using errcode = '{state}'; end if;
             return null;
         end $$;
         create constraint trigger fail after insert or update on notes deferrable initially deferred
             for each row execute function fail()"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(owner).await.unwrap();
}

#[tokio::test]
async fn a_serialization_failure_of_commit_runs_the_body_again() {
    let (database, owner) = database_with_notes().await;
    for (level, name) in LEVELS {
        for code in ["40001", "40P01"] {
            fail_at_commit(&owner, code, 2).await;
            let runs = AtomicU32::new(0);
            database
                .db()
                .transact(TxSpec::new("test", level), async |tx| {
                    runs.fetch_add(1, Ordering::SeqCst);
                    write(tx, 1, code).await
                })
                .await
                .unwrap();
            assert_eq!(runs.into_inner(), 3, "{name} {code}");
            assert_eq!(notes(&owner).await, [(1, code.to_owned())]);
        }
    }
}

/// Real write skew, which SERIALIZABLE refuses and the weaker levels let through: the control of the level itself.
#[tokio::test]
async fn write_skew_is_refused_at_serializable_and_only_there() {
    let (database, owner) = database_with_notes().await;
    for (level, name) in LEVELS {
        sqlx::raw_sql("delete from notes; insert into notes values (1, 'on'), (2, 'on')")
            .execute(&owner)
            .await
            .unwrap();
        let (spec, db, meet) = (TxSpec::new("test", level), database.db(), Barrier::new(2));
        // Each switches its own off if the other's is on. Both read before either writes, on their first run.
        let switch_off = async |mine: i32| {
            let runs = AtomicU32::new(0);
            db.transact(spec, async |tx| {
                let run = runs.fetch_add(1, Ordering::SeqCst);
                let count = "select count(*) from notes where text = 'on'";
                let on: i64 = sqlx::query_scalar(count).fetch_one(tx.connection()).await?;
                if run == 0 {
                    meet.wait().await;
                }
                if on == 2 { write(tx, mine, "off").await } else { Ok(()) }
            })
            .await
            .unwrap();
        };
        tokio::join!(switch_off(1), switch_off(2));
        let on = notes(&owner).await.iter().filter(|(_, text)| text == "on").count();
        assert_eq!(on, usize::from(level == Isolation::Serializable), "{name}");
    }
}

#[tokio::test]
async fn attempts_are_bounded() {
    let (database, owner) = database_with_notes().await;
    fail_at_commit(&owner, "40001", u32::MAX).await;
    let runs = AtomicU32::new(0);
    let error = database
        .db()
        .transact(TxSpec::serializable("test").attempts_max(4), async |tx| {
            runs.fetch_add(1, Ordering::SeqCst);
            write(tx, 1, "x").await
        })
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Exhausted { attempts: 4, .. }), "{error:?}");
    assert_eq!(state(&error).as_deref(), Some("40001"));
    assert_eq!(runs.into_inner(), 4);
    assert_eq!(notes(&owner).await, []);
}

#[tokio::test]
async fn no_attempt_outlives_the_deadline() {
    let (database, owner) = database_with_notes().await;
    fail_at_commit(&owner, "40001", u32::MAX).await;
    let spec =
        TxSpec::serializable("test").attempts_max(u32::MAX).deadline(Duration::from_millis(300));
    let error = database.db().transact(spec, async |tx| write(tx, 1, "x").await).await.unwrap_err();
    assert!(matches!(error, Error::DeadlinePassed { last: Some(_), .. }), "{error:?}");
}

#[tokio::test]
async fn nothing_but_serialization_failures_is_run_again() {
    let (database, owner) = database_with_notes().await;
    for code in ["23505", "22003", "P0001", "42501", "55P03", "57014", "53100"] {
        fail_at_commit(&owner, code, 1).await;
        let runs = AtomicU32::new(0);
        let error = database
            .db()
            .transact(TxSpec::serializable("test"), async |tx| {
                runs.fetch_add(1, Ordering::SeqCst);
                write(tx, 1, "x").await
            })
            .await
            .unwrap_err();
        assert_eq!((state(&error).as_deref(), runs.into_inner()), (Some(code), 1));
        assert_eq!(notes(&owner).await, []);
    }
}

/// Two bodies that lock two rows in opposite orders: PostgreSQL ends one of them with 40P01, and it runs again.
#[tokio::test]
async fn a_real_deadlock_is_run_again() {
    let (database, owner) = database_with_notes().await;
    sqlx::raw_sql("insert into notes values (1, ''), (2, '')").execute(&owner).await.unwrap();
    let (db, meet, runs) = (database.db(), Barrier::new(2), AtomicU32::new(0));
    let spec = TxSpec::read_committed("test")
        .lock_timeout(Duration::from_secs(30))
        .statement_timeout(Duration::from_secs(30));
    let lock_both = async |first: i32, second: i32| {
        let own_runs = AtomicU32::new(0);
        db.transact(spec, async |tx| {
            runs.fetch_add(1, Ordering::SeqCst);
            write(tx, first, "locked").await?;
            if own_runs.fetch_add(1, Ordering::SeqCst) == 0 {
                meet.wait().await;
            }
            write(tx, second, "locked").await
        })
        .await
    };
    let (one, other) = tokio::join!(lock_both(1, 2), lock_both(2, 1));
    one.and(other).unwrap();
    assert_eq!(runs.into_inner(), 3);
}

#[tokio::test]
async fn a_swallowed_error_is_never_reported_as_success() {
    let (database, owner) = database_with_notes().await;
    for (level, name) in LEVELS {
        let error = database
            .db()
            .transact(TxSpec::new("test", level), async |tx| {
                write(tx, 1, "half").await?;
                let failed = sqlx::raw_sql("select 1 / 0").execute(tx.connection()).await;
                assert!(failed.is_err());
                Ok::<_, Error>(())
            })
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Aborted(_)), "{name}: {error:?}");
        assert_eq!(notes(&owner).await, []);
    }
}

/// The control of the test above: sqlx's own commit says that a failed transaction has succeeded.
#[tokio::test]
async fn a_plain_commit_reports_a_swallowed_error_as_success() {
    let (_database, owner) = database_with_notes().await;
    #[expect(clippy::disallowed_methods, reason = "the control goes round the door")]
    let mut transaction = owner.begin().await.unwrap();
    sqlx::raw_sql("insert into notes values (1, 'half')").execute(&mut *transaction).await.unwrap();
    assert!(sqlx::raw_sql("select 1 / 0").execute(&mut *transaction).await.is_err());
    assert!(transaction.commit().await.is_ok(), "sqlx has mended this: simplify the door");
    assert_eq!(notes(&owner).await, []);
}

#[tokio::test]
async fn a_savepoint_of_sqlx_inside_the_transaction_ends_only_itself() {
    let (database, owner) = database_with_notes().await;
    let undone = database
        .db()
        .transact(TxSpec::read_committed("test"), async |tx| {
            let mut connection = tx.connection();
            #[expect(clippy::disallowed_methods, reason = "what an embedder may do")]
            let mut savepoint = connection.begin().await?;
            sqlx::raw_sql("insert into notes values (1, 'inner')").execute(&mut *savepoint).await?;
            savepoint.commit().await?;
            Err::<(), _>(Refused::SoldOut)
        })
        .await;
    assert!(matches!(undone, Err(Refused::SoldOut)));
    assert_eq!(notes(&owner).await, [], "the savepoint's commit committed everything");

    database
        .db()
        .transact(TxSpec::read_committed("test"), async |tx| {
            write(tx, 1, "outer").await?;
            let mut connection = tx.connection();
            #[expect(clippy::disallowed_methods, reason = "what an embedder may do")]
            let mut savepoint = connection.begin().await?;
            assert!(sqlx::raw_sql("select 1 / 0").execute(&mut *savepoint).await.is_err());
            savepoint.rollback().await?;
            write(tx, 2, "outer").await
        })
        .await
        .unwrap();
    assert_eq!(notes(&owner).await, [(1, "outer".to_owned()), (2, "outer".to_owned())]);
}

#[tokio::test]
async fn a_joined_transaction_is_the_callers_to_end() {
    let (_database, owner) = database_with_notes().await;
    for is_kept in [false, true] {
        #[expect(clippy::disallowed_methods, reason = "an embedder's own transaction")]
        let mut theirs = owner.begin().await.unwrap();
        write(&mut Tx::join(&mut theirs), 1, "joined").await.unwrap();
        if is_kept {
            theirs.commit().await.unwrap()
        } else {
            theirs.rollback().await.unwrap()
        }
        assert_eq!(notes(&owner).await.len(), usize::from(is_kept));
    }
}

#[tokio::test]
async fn waiting_for_a_lock_or_a_statement_ends_as_overload() {
    let (database, owner) = database_with_notes().await;
    sqlx::raw_sql("insert into notes values (1, '')").execute(&owner).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "somebody else's transaction")]
    let mut theirs = owner.begin().await.unwrap();
    sqlx::raw_sql("update notes set text = 'locked'").execute(&mut *theirs).await.unwrap();
    let short = Duration::from_millis(50);
    for (spec, code) in [
        (TxSpec::read_committed("test").lock_timeout(short), "55P03"),
        (TxSpec::read_committed("test").statement_timeout(short), "57014"),
    ] {
        let error =
            database.db().transact(spec, async |tx| write(tx, 1, "ours").await).await.unwrap_err();
        assert!(matches!(error, Error::Overload(_)), "{error:?}");
        assert_eq!(state(&error).as_deref(), Some(code));
    }
}

/// The server ends the connection while the body runs: nothing has been committed, so a new connection tries again.
#[tokio::test]
async fn a_connection_lost_before_commit_runs_the_body_again() {
    let (database, owner) = database_with_notes().await;
    let runs = AtomicU32::new(0);
    database
        .db()
        .transact(TxSpec::read_committed("test"), async |tx| {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            write(tx, run.cast_signed(), "once").await?;
            if run == 0 {
                let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
                    .fetch_one(tx.connection())
                    .await?;
                sqlx::query("select pg_terminate_backend($1)").bind(pid).execute(&owner).await?;
            }
            write(tx, 9, "once").await
        })
        .await
        .unwrap();
    assert_eq!(runs.into_inner(), 2);
    assert_eq!(notes(&owner).await, [(1, "once".to_owned()), (9, "once".to_owned())]);
}

#[tokio::test]
async fn a_transaction_can_be_spawned_and_borrow() {
    let database = TestDatabase::new().await;
    let db: Db = database.db().clone();
    let text = String::from("borrowed");
    let spawned = tokio::spawn(async move {
        let length = db.transact(TxSpec::read_committed("test"), async |tx| {
            Ok::<i32, Error>(
                sqlx::query_scalar("select length($1)")
                    .bind(&text)
                    .fetch_one(tx.connection())
                    .await?,
            )
        });
        length.await
    });
    assert_eq!(spawned.await.unwrap().unwrap(), 8);
}
