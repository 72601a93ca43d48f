//! `simplebank doctor --locks`.

use serde_json::Value;
use simplebank_localpg::ThrowawayCluster;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{Bank, answer, assert_has, fields, simplebank};

/// Enough for a statement to reach the lock that it will wait for; each look takes a round trip.
const LOOKS_MAX: u32 = 20_000;

async fn session(url: &str, name: &str) -> (PgConnection, i64) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let name = format!("set application_name = '{name}'");
    sqlx::raw_sql(AssertSqlSafe(name)).execute(&mut connection).await.unwrap();
    let pid: i32 =
        sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
    (connection, i64::from(pid))
}

/// Returns once the server says that `pid` waits for a lock.
async fn until_it_waits(url: &str, pid: i64) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let sql = "select cardinality(pg_blocking_pids($1::int)) > 0";
    for _ in 0..LOOKS_MAX {
        if sqlx::query_scalar(sql).bind(pid).fetch_one(&mut connection).await.unwrap() {
            return connection.close().await.unwrap();
        }
    }
    panic!("process {pid} does not wait");
}

#[track_caller]
fn item(answer: &Value, pid: i64) -> &Value {
    let items = answer["items"].as_array().unwrap();
    items.iter().find(|item| item["pid"] == pid).unwrap_or_else(|| panic!("no {pid} in {answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_blocks_whom_is_shown_with_both_processes_until_it_is_over() {
    let (bank, account, _) = Bank::with_two_accounts().await;
    let url = bank.database.url();
    let (mut holder, holder_pid) = session(&url, "holder").await;
    let (mut waiter, waiter_pid) = session(&url, "waiter").await;
    let hold = format!("begin; select from simplebank.accounts where id = '{account}' for update");
    sqlx::raw_sql(AssertSqlSafe(hold)).execute(&mut holder).await.unwrap();
    let wait = tokio::spawn(async move {
        // A statement with its value apart, as ours are, and too long to be shown in full.
        let sql = "update simplebank.accounts\n set balance = balance where id = $1::uuid and \
                   'this is beyond the eightieth character' <> ''";
        sqlx::query(sql).bind(account).execute(&mut waiter).await.unwrap();
    });
    until_it_waits(&url, waiter_pid).await;

    let answer = bank.json(&["doctor", "--locks"]);
    assert_eq!(fields(&answer), ["hidden_count", "items"]);
    assert_eq!(answer["items"].as_array().unwrap().len(), 2, "{answer}");
    assert_eq!(answer["hidden_count"], 0);
    let held_by = item(&answer, holder_pid);
    assert_eq!(held_by["blocked_by"], Value::Array(Vec::new()));
    assert_eq!(held_by["state"], "idle in transaction");
    assert_eq!(held_by["application_name"], "holder");
    let waits = item(&answer, waiter_pid);
    assert_eq!(waits["blocked_by"], Value::Array(vec![holder_pid.into()]));
    assert_eq!(
        (&waits["lock"], &waits["relation"]),
        (&"transactionid".into(), &"simplebank.accounts".into())
    );
    assert!(waits["waiting_ms"].as_i64().is_some_and(|ms| ms >= 0), "{waits}");
    let query = waits["query"].as_str().unwrap();
    assert_eq!(query.chars().count(), 80, "{query}");
    assert!(
        query.starts_with("update simplebank.accounts set balance = balance where id = $1"),
        "{query}"
    );

    let table = bank.run(&["doctor", "--locks"]).ok().stdout;
    let pids = [holder_pid, waiter_pid].map(|pid| pid.to_string());
    assert_has(&table, &["blocked_by", "simplebank.accounts", "waiter", &pids[0], &pids[1]]);
    assert!(!table.contains("eightieth character") && !table.contains("hidden"), "{table}");

    holder.close().await.unwrap();
    wait.await.unwrap();
    assert_eq!(bank.json(&["doctor", "--locks"])["items"], Value::Array(Vec::new()));
}

#[test]
fn the_help_says_who_sees_what() {
    let help = answer(simplebank("").args(["doctor", "--help"])).ok().stdout;
    assert_has(
        &help,
        &["--locks", "who waits for whose lock", "pg_read_all_stats", "80 characters"],
    );
}

#[tokio::test]
async fn where_nothing_is_blocked_it_says_so() {
    let bank = Bank::new().await;
    assert_eq!(bank.run(&["doctor", "--locks"]).ok().stdout, "nobody waits for a lock\n");
    let answer = bank.json(&["doctor", "--locks"]);
    assert_eq!(answer.to_string(), r#"{"hidden_count":0,"items":[]}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_others_are_told_by_process_and_the_rest_is_said_to_be_hidden() {
    // A server of its own, on which anybody may log in.
    let cluster = tokio::task::spawn_blocking(ThrowawayCluster::start).await.unwrap().unwrap();
    let url = cluster.url("postgres");
    let (mut holder, holder_pid) = session(&url, "holder").await;
    let (mut waiter, waiter_pid) = session(&url, "waiter").await;
    for sql in ["create role stranger login; create table t ()", "begin; lock table t"] {
        sqlx::raw_sql(sql).execute(&mut holder).await.unwrap();
    }
    let wait = tokio::spawn(async move {
        sqlx::raw_sql("select 'secret' from t").execute(&mut waiter).await.unwrap();
    });
    until_it_waits(&url, waiter_pid).await;

    let strangers = url.replacen("://postgres@", "://stranger@", 1);
    assert_ne!(strangers, url);
    let table = answer(simplebank(&strangers).args(["doctor", "--locks"])).ok().stdout;
    let told = answer(simplebank(&strangers).args(["doctor", "--locks", "--json"])).ok().json();
    holder.close().await.unwrap();
    wait.await.unwrap();

    let pids = [holder_pid, waiter_pid].map(|pid| pid.to_string());
    assert_has(
        &table,
        &[&pids[0], &pids[1], "(hidden)", "hidden: 2 of these", "pg_read_all_stats"],
    );
    assert_eq!(told["hidden_count"], 2);
    assert_eq!(item(&told, waiter_pid)["blocked_by"], Value::Array(vec![holder_pid.into()]));
    assert!(!format!("{table}{told}").contains("secret"), "{told}");
}
