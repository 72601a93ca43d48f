//! Every wait ends, and tells why.

use std::time::Duration;

use simplebank_db::{
    Db, Error, PoolOptions, TxSpec,
    testing::{Fault, Proxy, Strike, TestDatabase},
};
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_millis(600);
const SPEC: TxSpec = TxSpec::read_committed("test").deadline(DEADLINE);

async fn narrow(url: &str) -> Db {
    let options = PoolOptions { connections_max: 1, acquire_timeout: Duration::from_millis(200) };
    Db::connect(url, options).await.unwrap()
}

async fn ask(db: &Db) -> Result<i32, Error> {
    db.transact(SPEC, async |tx| {
        Ok::<_, Error>(sqlx::query_scalar("select 1").fetch_one(tx.connection()).await?)
    })
    .await
}

#[tokio::test]
async fn a_pool_that_others_have_taken_is_an_overload() {
    let database = TestDatabase::new().await;
    let db = narrow(&database.url()).await;
    let began_at = Instant::now();
    let outer = db.transact(SPEC.deadline(Duration::from_secs(10)), async |_| {
        let inner = ask(&db).await;
        assert!(matches!(inner, Err(Error::Overload(_))), "{inner:?}");
        Ok::<_, Error>(())
    });
    outer.await.unwrap();
    assert!(began_at.elapsed() < Duration::from_secs(2));
}

/// The control of the test above: the same pool, which gives no connection because there is no server, is no overload. It is
/// tried again until the deadline.
#[tokio::test]
async fn a_server_that_is_away_is_unavailable() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::start(&database.url()).await;
    let db = narrow(&proxy.url()).await;
    assert_eq!(ask(&db).await.unwrap(), 1);
    proxy.refuse_connections();
    proxy.cut_all().await;
    let began_at = Instant::now();
    let away = ask(&db).await.unwrap_err();
    let Error::DeadlinePassed { last: Some(last), attempts } = away else { panic!("{away:?}") };
    assert!(matches!(*last, Error::Unavailable(_)), "{last:?}");
    assert!(attempts > 1 && began_at.elapsed() < 2 * DEADLINE);
    proxy.accept_connections();
    assert_eq!(ask(&db).await.unwrap(), 1);
}

#[tokio::test]
async fn a_network_that_swallows_everything_ends_at_the_deadline() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::start(&database.url()).await;
    let db = narrow(&proxy.url()).await;
    proxy.arm(Fault::Statement(1, Strike::Hang));
    let began_at = Instant::now();
    let swallowed = ask(&db).await;
    assert!(matches!(swallowed, Err(Error::DeadlinePassed { last: None, .. })), "{swallowed:?}");
    assert!(began_at.elapsed() >= DEADLINE && began_at.elapsed() < 2 * DEADLINE);
    // Nobody gets the silent connection again.
    assert_eq!(ask(&db).await.unwrap(), 1);
}

#[tokio::test]
async fn a_body_that_does_something_else_for_too_long_ends_at_the_deadline() {
    let database = TestDatabase::new().await;
    let db = narrow(&database.url()).await;
    let late = db.transact(SPEC, async |_| {
        std::future::pending::<()>().await;
        Ok::<_, Error>(())
    });
    let late = late.await;
    assert!(matches!(late, Err(Error::DeadlinePassed { attempts: 1, last: None })), "{late:?}");
    assert_eq!(ask(&db).await.unwrap(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_at_any_statement_runs_the_body_again() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::start(&database.url()).await;
    let db = narrow(&proxy.url()).await;
    for nth in 1..=2 {
        proxy.arm(Fault::Statement(nth, Strike::Cut));
        let sum = db.transact(SPEC.deadline(Duration::from_secs(5)), async |tx| {
            let one: i32 = sqlx::query_scalar("select 1").fetch_one(tx.connection()).await?;
            let two: i32 = sqlx::query_scalar("select 2").fetch_one(tx.connection()).await?;
            Ok::<_, Error>(one + two)
        });
        assert_eq!(sum.await.unwrap(), 3);
    }
    assert_eq!(proxy.hits(), 2);
}

/// Somebody else's pool: its connections know nothing of our timeouts, which are sent with BEGIN.
#[tokio::test]
async fn the_timeouts_hold_on_any_pool() {
    let database = TestDatabase::new().await;
    let read = "select current_setting('statement_timeout'), current_setting('lock_timeout')";
    for db in [Db::from_pool(database.owner().await), database.db().clone()] {
        let found: (String, String) = db
            .transact(TxSpec::read_committed("test"), async |tx| {
                Ok::<_, Error>(sqlx::query_as(read).fetch_one(tx.connection()).await?)
            })
            .await
            .unwrap();
        assert_eq!((&*found.0, &*found.1), ("5s", "1s"));
    }
}
