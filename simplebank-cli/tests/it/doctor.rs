//! `simplebank doctor`.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::Value;
use simplebank_localpg::{LocalPostgres, Status, ThrowawayCluster};
use sqlx::AssertSqlSafe;

use crate::{Answer, Bank, answer, assert_has, simplebank};

fn doctor(url: &str, arguments: &[&str]) -> Answer {
    answer(simplebank(url).arg("doctor").args(arguments))
}

#[track_caller]
fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[track_caller]
fn verdicts(report: &Value, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| check(report, name)["verdict"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_server_that_is_not_durable_is_flagged_setting_by_setting() {
    let bank = Bank::new().await;
    // Where the tests run on a durable server, it is made to look unsafe for this database.
    let owner = bank.owner().await;
    let name: String =
        sqlx::query_scalar("select current_database()::text").fetch_one(&owner).await.unwrap();
    let unsafe_commit = format!("alter database {name} set synchronous_commit = off");
    sqlx::raw_sql(AssertSqlSafe(unsafe_commit)).execute(&owner).await.unwrap();

    let found = bank.run(&["doctor"]);
    assert_eq!(found.code, 1, "{found:?}");
    assert_has(&found.stdout, &["UNSAFE", "To do:", "alter system set synchronous_commit = on"]);
    let report = bank.run(&["doctor", "--json"]);
    assert_eq!((report.code, report.stderr.as_str()), (1, ""));
    let report = report.json();
    assert_eq!(report["ok"], false);
    assert_eq!(check(&report, "synchronous_commit")["verdict"], "UNSAFE");
    assert_eq!(check(&report, "synchronous_commit")["found"], "off");
    for name in ["fsync", "full_page_writes"] {
        let check = check(&report, name);
        let expected = if check["found"] == "off" { "UNSAFE" } else { "ok" };
        assert_eq!(check["verdict"], expected, "{check}");
    }
    let rest = ["connection", "server", "login", "role", "superuser", "can_rewrite", "migrations"];
    assert_eq!(verdicts(&report, &rest), ["ok"; 7]);
    assert_eq!(check(&report, "role")["found"], "simplebank_app");
    assert_has(check(&report, "local")["found"].as_str().unwrap(), &["no"]);
}

#[tokio::test]
async fn a_new_server_needs_migrations_and_with_them_all_is_well() {
    let cluster =
        tokio::task::spawn_blocking(|| ThrowawayCluster::options().durable().start()).await;
    let url = cluster.as_ref().unwrap().as_ref().unwrap().url("postgres");
    let report = doctor(&url, &["--json"]);
    assert_eq!(report.code, 1, "{report:?}");
    let report = report.json();
    assert_eq!(verdicts(&report, &["role", "migrations"]), ["WRONG", "WRONG"]);
    assert_eq!(verdicts(&report, &["connection", "fsync", "synchronous_commit"]), ["ok"; 3]);
    assert_has(&doctor(&url, &[]).stdout, &["0 of", "To do:", "`simplebank migrate up`"]);

    answer(simplebank(&url).args(["migrate", "up"])).ok();
    let found = doctor(&url, &[]).ok();
    assert!(!found.stdout.contains("To do"), "{found:?}");
    let report = doctor(&url, &["--json"]).ok().json();
    assert_eq!(report["ok"], true);
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["verdict"] == "ok"), "{report}");

    // Back to nothing, the schema is there but closed to the application.
    answer(simplebank(&url).args(["migrate", "down", "--to", "0", "--yes"])).ok();
    let report = doctor(&url, &["--json"]);
    assert_eq!(report.code, 1);
    assert_eq!(verdicts(&report.json(), &["role", "migrations"]), ["ok", "WRONG"]);
}

#[tokio::test]
async fn rights_to_rewrite_the_ledger_are_flagged() {
    let bank = Bank::new().await;
    bank.tamper("grant update on simplebank.entries to simplebank_app").await;
    let report = bank.run(&["doctor", "--json"]).json();
    let check = check(&report, "can_rewrite");
    assert_eq!([&check["verdict"], &check["found"]], ["UNSAFE", "entries"]);
    assert_has(check["advice"].as_str().unwrap(), &["revoke", "simplebank.entries"]);
}

#[tokio::test]
async fn a_login_that_may_not_act_for_the_bank_is_told_what_it_lacks() {
    let cluster = tokio::task::spawn_blocking(ThrowawayCluster::start).await.unwrap().unwrap();
    let url = cluster.url("postgres");
    answer(simplebank(&url).args(["migrate", "up"])).ok();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    sqlx::raw_sql("create role stranger login").execute(&pool).await.unwrap();
    let strangers = url.replacen("postgres://postgres@", "postgres://stranger@", 1);
    assert_ne!(strangers, url);

    let report = doctor(&strangers, &["--json"]);
    assert_eq!(report.code, 1, "{report:?}");
    let report = report.json();
    assert_eq!(check(&report, "login")["found"], "stranger");
    let role = check(&report, "role");
    assert_eq!(role["verdict"], "WRONG");
    assert_has(role["advice"].as_str().unwrap(), &["grant simplebank_app to stranger"]);

    let refused = answer(simplebank(&strangers).args(["user", "list"]));
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert_has(&refused.stderr, &["permission denied", "hint: ", "simplebank doctor"]);
    sqlx::raw_sql("grant simplebank_app to stranger").execute(&pool).await.unwrap();
    answer(simplebank(&strangers).args(["user", "list"])).ok();
}

#[test]
fn a_database_that_does_not_answer_exits_with_2_and_says_what_was_tried() {
    let url = "postgres://teller:secret@127.0.0.1:1/bank";
    let found = doctor(url, &[]);
    assert_eq!(found.code, 2, "{found:?}");
    assert_has(&found.stdout, &["postgres://127.0.0.1:1/bank", "UNREACHABLE", "refused", "To do:"]);
    let report = doctor(url, &["--json"]);
    assert_eq!(report.code, 2);
    assert_eq!(check(&report.json(), "connection")["verdict"], "UNREACHABLE");
    for answer in [found, report, answer(simplebank(url).args(["verify"]))] {
        assert!(!format!("{answer:?}").contains("secret"), "{answer:?}");
    }
}

#[test]
fn nothing_that_is_no_database_panics_or_shows_a_password() {
    for url in [
        "nonsense",
        "postgres://u:secret@[/x",
        "http://u:secret@localhost/x",
        "postgres://u:secret@h/x?port=secret",
    ] {
        for command in [["doctor"].as_slice(), &["user", "list"], &["migrate", "status"]] {
            let refused = answer(simplebank(url).args(command));
            assert_eq!(refused.code, 2, "{url} {refused:?}");
            assert!(!format!("{refused:?}").contains("secret"), "{url} {refused:?}");
        }
    }
}

#[test]
fn two_databases_at_once_are_refused() {
    let mut command = simplebank("postgres://one/x");
    let refused = answer(command.env("DB_SOURCE", "postgres://two/x").args(["user", "list"]));
    assert_eq!(refused.code, 2);
    assert_has(&refused.stderr, &["DATABASE_URL", "DB_SOURCE"]);
    let mut command = simplebank("postgres://one/x");
    let found = answer(command.env("DB_SOURCE", "postgres://two/x").arg("doctor"));
    assert_eq!(found.code, 2);
    assert_has(&found.stdout, &["UNREACHABLE", "DB_SOURCE"]);
}

#[test]
fn without_any_url_the_local_database_of_the_data_directory_is_used_and_stopped_again() {
    let directory = tempfile::tempdir().unwrap();
    // The server may run as another user, who has to get there.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = directory.path().to_str().unwrap();
    let local =
        |arguments: &[&str]| answer(simplebank("").args(["--data-dir", path]).args(arguments));
    let found = local(&["doctor"]);
    assert_eq!(found.code, 1, "{found:?}");
    assert_has(&found.stdout, &[path, "yes, in the data directory", "0 of"]);
    let refused = local(&["user", "list"]);
    assert_eq!(refused.code, 2);
    assert_has(&refused.stderr, &["not migrated", "hint: run `simplebank migrate up`"]);
    local(&["migrate", "up"]).ok();
    local(&["user", "list"]).ok();
    let found = local(&["doctor", "--json"]).ok().json();
    assert_eq!(found["ok"], true);
    assert_eq!(LocalPostgres::status(directory.path()).unwrap(), Status::Stopped);
}
