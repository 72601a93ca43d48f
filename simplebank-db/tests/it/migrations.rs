//! The migrations go up and down, several at once, and touch nothing but their own schema.

use simplebank_db::{Db, Error, Migrations, PoolOptions, testing::TestDatabase};
use sqlx::PgPool;

async fn tables(owner: &PgPool) -> Vec<String> {
    let sql = "select schemaname || '.' || tablename from pg_tables
        where schemaname not in ('pg_catalog', 'information_schema') order by 1";
    sqlx::query_scalar(sql).fetch_all(owner).await.unwrap()
}

#[tokio::test]
async fn down_and_up_again_gives_the_same_tables() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let before = tables(&owner).await;
    assert!(before.iter().all(|name| name.starts_with("simplebank.")), "{before:?}");

    let mut migrations = Migrations::connect(&database.url()).await.unwrap();
    assert!(migrations.status().await.unwrap().iter().all(|step| step.is_applied));
    migrations.down(0).await.unwrap();
    assert_eq!(tables(&owner).await, ["simplebank.migrations"]);
    assert!(migrations.status().await.unwrap().iter().all(|step| !step.is_applied));
    migrations.up().await.unwrap();
    assert_eq!(tables(&owner).await, before);
    database.db().ping().await.unwrap();
}

#[tokio::test]
async fn one_step_at_a_time_goes_down_and_up() {
    let database = TestDatabase::new().await;
    let mut migrations = Migrations::connect(&database.url()).await.unwrap();
    let versions: Vec<i64> =
        migrations.status().await.unwrap().iter().map(|step| step.version).collect();
    let below = [0].into_iter().chain(versions.iter().copied());
    for (count, target) in
        below.take(versions.len()).enumerate().collect::<Vec<_>>().into_iter().rev()
    {
        migrations.down(target).await.unwrap();
        let applied =
            migrations.status().await.unwrap().iter().filter(|step| step.is_applied).count();
        assert_eq!(applied, count, "{target}");
    }
    migrations.up().await.unwrap();
}

#[tokio::test]
async fn several_processes_may_migrate_at_once() {
    let database = TestDatabase::new().await;
    let url = database.url();
    Migrations::connect(&url).await.unwrap().down(0).await.unwrap();
    let up = async || Migrations::connect(&url).await?.up().await;
    let (first, second, third) = tokio::join!(up(), up(), up());
    first.and(second).and(third).unwrap();
    assert!(database.db().server().await.unwrap().is_migrated());
}

#[tokio::test]
async fn the_status_of_an_empty_database_is_told_without_changing_it() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    sqlx::raw_sql("drop schema simplebank cascade").execute(&owner).await.unwrap();
    let mut migrations = Migrations::connect(&database.url()).await.unwrap();
    assert!(migrations.status().await.unwrap().iter().all(|step| !step.is_applied));
    assert_eq!(tables(&owner).await, Vec::<String>::new());
    let missing = simplebank_db::TxSpec::read_committed("test");
    let id = simplebank_core::UserId::OPERATOR;
    let db = Db::connect(&database.url(), PoolOptions::default()).await.unwrap();
    let error = db
        .transact(missing, async |tx| simplebank_db::users::find(tx, id).await)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotMigrated(_) | Error::Other(_)), "{error:?}");
}

#[tokio::test]
async fn an_unreachable_server_is_told_at_once() {
    let url = "postgres://nobody@127.0.0.1:1/nothing";
    let error = Db::connect(url, PoolOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn a_url_of_another_database_is_refused() {
    for url in ["mysql://localhost/bank", "localhost/bank", ""] {
        let error = Db::connect(url, PoolOptions::default()).await.unwrap_err();
        assert!(matches!(error, Error::NotPostgres), "{url}: {error:?}");
    }
}

/// A ledger of before batches learns where the entries of its transfers are, and can go back.
#[tokio::test]
async fn a_ledger_with_rows_goes_up_and_down() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let mut migrations = Migrations::connect(&database.url()).await.unwrap();
    migrations.down(7).await.unwrap();
    let rows = crate::schema::ROWS
        .replace(", from_version, to_version)", ")")
        .replace("now(), 1, 1);", "now());");
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows)).execute(&owner).await.unwrap();
    let everything = "select t::text from simplebank.accounts t union all select t::text from simplebank.transfers t
        union all select t::text from simplebank.entries t union all select t::text from simplebank.idempotency t order by 1";
    let everything =
        async || -> Vec<String> { sqlx::query_scalar(everything).fetch_all(&owner).await.unwrap() };
    let before = everything().await;
    migrations.up().await.unwrap();
    let versions = "select from_version, to_version from simplebank.transfers";
    let versions: Vec<(i64, i64)> = sqlx::query_as(versions).fetch_all(&owner).await.unwrap();
    assert_eq!(versions, [(1, 1)]);
    migrations.down(7).await.unwrap();
    assert_eq!(everything().await, before);
    // What held before holds again.
    let orphan = "insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
        values (gen_random_uuid(), 1, gen_random_uuid(), 1, 1, now())";
    let refused = crate::schema::refusal(&owner, orphan).await.map(|(code, _)| code);
    assert_eq!(refused.as_deref(), Some("23503"));
    migrations.up().await.unwrap();
}
