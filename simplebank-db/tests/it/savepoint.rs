//! Savepoints and after-commit hooks.

use std::sync::{Arc, Mutex};

use simplebank_db::{Error, Tx, TxSpec, testing::drop_after};

use crate::{database_with_notes, notes};

const SPEC: TxSpec = TxSpec::read_committed("test");

async fn write(tx: &mut Tx<'_>, id: i32) -> Result<(), Error> {
    let insert = "insert into notes values ($1, 'x')";
    sqlx::query(insert).bind(id).execute(tx.connection()).await?;
    Ok(())
}

/// Remembers which hooks ran, in order.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<Vec<i32>>>);

impl Ran {
    fn hook(&self, id: i32) -> impl FnOnce() + Send + 'static {
        let ran = self.clone();
        move || ran.0.lock().unwrap().push(id)
    }

    fn ids(&self) -> Vec<i32> {
        self.0.lock().unwrap().clone()
    }
}

async fn ids(owner: &sqlx::PgPool) -> Vec<i32> {
    notes(owner).await.into_iter().map(|(id, _)| id).collect()
}

#[tokio::test]
async fn what_fails_in_a_savepoint_is_undone_and_the_rest_goes_on() {
    let (database, owner) = database_with_notes().await;
    let ran = Ran::default();
    database
        .db()
        .transact(SPEC, async |tx| {
            write(tx, 1).await?;
            tx.after_commit(ran.hook(1));
            let failed = tx
                .savepoint(async |tx| {
                    write(tx, 2).await?;
                    tx.after_commit(ran.hook(2));
                    write(tx, 1).await
                })
                .await;
            assert_eq!(failed.unwrap_err().sqlstate().as_deref(), Some("23505"));
            tx.savepoint(async |tx| {
                write(tx, 3).await?;
                tx.after_commit(ran.hook(3));
                // Savepoints nest.
                let failed = tx.savepoint(async |tx| write(tx, 3).await).await;
                assert!(failed.is_err());
                Ok::<_, Error>(())
            })
            .await?;
            assert_eq!(ran.ids(), [0; 0], "no hook runs before the commit");
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    assert_eq!(ids(&owner).await, [1, 3]);
    assert_eq!(ran.ids(), [1, 3]);
}

#[tokio::test]
async fn an_error_that_was_swallowed_in_a_savepoint_is_no_success() {
    let (database, owner) = database_with_notes().await;
    database
        .db()
        .transact(SPEC, async |tx| {
            write(tx, 1).await?;
            let swallowed = tx
                .savepoint(async |tx| {
                    write(tx, 2).await?;
                    let _ = write(tx, 2).await;
                    Ok::<_, Error>(())
                })
                .await;
            assert!(matches!(swallowed, Err(Error::Aborted(_))), "{swallowed:?}");
            write(tx, 3).await
        })
        .await
        .unwrap();
    assert_eq!(ids(&owner).await, [1, 3]);
}

/// The control of the test above: without the savepoint the same body loses everything, and says so.
#[tokio::test]
async fn without_a_savepoint_a_swallowed_error_ends_the_whole_transaction() {
    let (database, owner) = database_with_notes().await;
    let ran = Ran::default();
    let swallowed = database.db().transact(SPEC, async |tx| {
        tx.after_commit(ran.hook(1));
        write(tx, 1).await?;
        let _ = write(tx, 1).await;
        Ok::<_, Error>(())
    });
    let swallowed = swallowed.await;
    assert!(matches!(swallowed, Err(Error::Aborted(_))), "{swallowed:?}");
    assert_eq!((ids(&owner).await, ran.ids()), (vec![], vec![]));
}

#[tokio::test]
async fn a_savepoint_that_is_dropped_half_way_can_not_be_committed() {
    let (database, owner) = database_with_notes().await;
    let mut torn = 0;
    for (id, polls) in (1..).zip((1..=8).cycle().take(80)) {
        let outcome = database
            .db()
            .transact(SPEC, async |tx| {
                write(tx, id).await?;
                let part = tx.savepoint(async |tx| {
                    write(tx, 1000 + id).await?;
                    write(tx, 2000 + id).await
                });
                let is_whole = drop_after(polls, part).await.is_some();
                write(tx, 3000 + id).await?;
                Ok(is_whole)
            })
            .await;
        let expected = match outcome {
            Ok(true) => vec![id, 1000 + id, 2000 + id, 3000 + id],
            // Dropped before its body began.
            Ok(false) => vec![id, 3000 + id],
            Err(Error::Torn) => {
                torn += 1;
                vec![]
            }
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(ids(&owner).await, expected, "{polls} polls");
        sqlx::raw_sql("delete from notes").execute(&owner).await.unwrap();
    }
    assert!(torn > 0);
}

#[tokio::test]
async fn hooks_of_a_joined_transaction_are_the_callers_to_run() {
    let (_database, owner) = database_with_notes().await;
    let ran = Ran::default();
    #[expect(clippy::disallowed_methods, reason = "an embedder's own transaction")]
    let mut theirs = owner.begin().await.unwrap();
    let mut tx = Tx::join(&mut theirs);
    tx.savepoint(async |tx| {
        tx.after_commit(ran.hook(1));
        write(tx, 1).await
    })
    .await
    .unwrap();
    assert!(tx.savepoint(async |tx| write(tx, 1).await).await.is_err());
    let after_commit = tx.leave().unwrap();
    theirs.commit().await.unwrap();
    assert_eq!(ran.ids(), [0; 0]);
    after_commit.run();
    assert_eq!((ids(&owner).await, ran.ids()), (vec![1], vec![1]));
}
