//! The fault kit: backends and servers that are killed.

use futures_util::future::join_all;
use simplebank_db::{
    Error, PoolOptions, TxSpec,
    testing::{Proxy, TestCluster, TestDatabase, ThrowawayCluster, kill_backend, kill_backends},
};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::Barrier;

use crate::{database_with_notes, notes};

#[tokio::test]
async fn a_killed_backend_is_gone_and_the_others_are_not() {
    let (database, owner) = database_with_notes().await;
    let mut killed = PgConnection::connect(&database.url()).await.unwrap();
    let mut spared = PgConnection::connect(&database.url()).await.unwrap();
    let pid: i32 =
        sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut killed).await.unwrap();
    assert!(kill_backend(&owner, pid).await.unwrap());
    assert!(!kill_backend(&owner, pid).await.unwrap());
    assert!(killed.ping().await.is_err());
    spared.ping().await.unwrap();
}

#[tokio::test]
async fn all_backends_are_killed_but_those_of_the_pool_and_of_other_databases() {
    let (database, owner) = database_with_notes().await;
    let elsewhere = TestDatabase::new().await;
    let mut spared = PgConnection::connect(&elsewhere.url()).await.unwrap();
    let mut owners = owner.acquire().await.unwrap();
    let mut killed = PgConnection::connect(&database.url()).await.unwrap();
    sqlx::raw_sql("begin; insert into notes values (1, 'x')").execute(&mut killed).await.unwrap();
    assert!(kill_backends(&owner).await.unwrap() >= 1);
    assert!(sqlx::raw_sql("commit").execute(&mut killed).await.is_err());
    assert_eq!(notes(&owner).await, []);
    owners.ping().await.unwrap();
    spared.ping().await.unwrap();
}

#[tokio::test]
async fn a_killed_cluster_rises_again_with_what_was_committed_and_no_more() {
    let cluster = TestCluster::start(ThrowawayCluster::options().durable()).await;
    let owner = cluster.owner().await;
    let proxy = Proxy::start(&cluster.url()).await;
    sqlx::raw_sql("create table notes (id int primary key, text text not null)")
        .execute(&owner)
        .await
        .unwrap();
    let mut client = PgConnection::connect(&proxy.url()).await.unwrap();
    for sql in ["insert into notes values (1, 'x')", "begin", "insert into notes values (2, 'y')"] {
        sqlx::raw_sql(sql).execute(&mut client).await.unwrap();
    }

    cluster.crash().await;
    assert!(sqlx::raw_sql("commit").execute(&mut client).await.is_err());
    assert!(PgConnection::connect(&proxy.url()).await.is_err());
    cluster.resume().await;

    assert_eq!(notes(&owner).await, [(1, "x".to_owned())]);
    sqlx::raw_sql("select 1").execute(cluster.db().pool()).await.unwrap();
    let again = cluster.connect(PoolOptions::default()).await;
    sqlx::raw_sql("select 1").execute(again.pool()).await.unwrap();
    let log = std::fs::read_to_string(cluster.cluster().directory().join("log")).unwrap();
    assert!(log.contains("automatic recovery in progress"), "{log}");
    assert!(!log.contains("shutdown request"), "the server was asked, not killed: {log}");
}

/// A transaction takes a connection as it is, without the pool's test of it: its BEGIN is the test, and a connection that is
/// dead is not an attempt that has failed.
#[tokio::test]
async fn connections_that_died_while_nobody_had_them_cost_no_attempt() {
    let (database, owner) = database_with_notes().await;
    let db = database.db();
    let spec = TxSpec::read_committed("test").attempts_max(1);
    for round in 0..3 {
        let meet = Barrier::new(4);
        let warm = (0..4).map(|_| async {
            db.transact(spec, async |_| {
                meet.wait().await;
                Ok::<_, Error>(())
            })
            .await
        });
        join_all(warm).await.into_iter().collect::<Result<(), _>>().unwrap();
        kill_backends(&owner).await.unwrap();
        for id in 0..4 {
            let id = round * 4 + id;
            db.transact(spec, async |tx| {
                sqlx::query("insert into notes values ($1, 'x')")
                    .bind(id)
                    .execute(tx.connection())
                    .await?;
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
        }
    }
    assert_eq!(notes(&owner).await.len(), 12);
}
