//! `simplebank migrate`.

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

use crate::{Answer, Bank, answer, assert_has, fields, simplebank};

/// An empty database beside the test's own.
struct Scratch {
    bank: Bank,
    owner: PgPool,
    name: String,
    url: String,
}

impl Scratch {
    async fn new() -> Self {
        let bank = Bank::new().await;
        let owner = bank.owner().await;
        let own: String =
            sqlx::query_scalar("select current_database()::text").fetch_one(&owner).await.unwrap();
        let name = format!("{own}_scratch");
        let url = bank.database.url().replacen(&own, &name, 1);
        let scratch = Self { bank, owner, name, url };
        scratch.execute("create database").await;
        scratch
    }

    async fn execute(&self, what: &str) {
        let sql = format!("{what} {}", self.name);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.owner).await.unwrap();
    }

    async fn remove(self) {
        self.execute("drop database").await;
        drop(self.bank);
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        answer(simplebank(&self.url).args(arguments))
    }

    /// For each migration, whether it is applied.
    fn applied(&self) -> Vec<bool> {
        let status = self.run(&["migrate", "status", "--json"]).ok().json();
        let items = status["items"].as_array().unwrap();
        items.iter().map(|step| step["is_applied"].as_bool().unwrap()).collect()
    }
}

#[tokio::test]
async fn an_empty_database_goes_up_down_and_up_again() {
    let scratch = Scratch::new().await;
    assert!(scratch.applied().iter().all(|applied| !applied));
    let up = scratch.run(&["migrate", "up"]).ok();
    assert_has(&up.stdout, &["version", "description", "applied", "users", "entries", "yes"]);
    assert!(scratch.applied().iter().all(|applied| *applied));
    assert_eq!(scratch.run(&["migrate", "up"]).ok().stdout, up.stdout, "a second time: nothing");
    scratch.run(&["user", "list"]).ok();

    let down = scratch.run(&["migrate", "down", "--to", "2", "--yes", "--json"]).ok().json();
    let step = &down["items"][0];
    assert_eq!(fields(step), ["description", "is_applied", "version"]);
    assert_eq!([&step["version"], &step["is_applied"]], [&Value::from(1), &Value::from(true)]);
    assert_eq!(scratch.applied().iter().filter(|applied| **applied).count(), 2);
    scratch.run(&["migrate", "down", "--to", "2"]).ok(); // nothing would be lost

    scratch.run(&["migrate", "down", "--to", "0", "--yes"]).ok();
    assert!(scratch.applied().iter().all(|applied| !applied));
    scratch.run(&["migrate", "up"]).ok();
    scratch.run(&["verify"]).ok();
    scratch.remove().await;
}

#[tokio::test]
async fn without_yes_going_down_says_what_would_be_lost_and_does_nothing() {
    let (bank, alice, _) = Bank::with_two_accounts().await;
    bank.json(&["deposit", &alice, "1", "EUR"]);
    let before = bank.everything().await;
    let refused = bank.run(&["migrate", "down", "--to", "4"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert_has(&refused.stderr, &["5 transfers", "6 entries", "7 idempotency", "hint: add --yes"]);
    assert!(!refused.stderr.contains("4 accounts"));
    let refused = bank.run(&["migrate", "down", "--to", "0", "--json"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    assert_eq!(refused.error()["code"], "confirmation_required");
    assert_eq!(bank.everything().await, before);
}

#[tokio::test]
async fn a_database_that_is_not_migrated_is_refused_with_the_way_out() {
    let scratch = Scratch::new().await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let mut states = vec!["nothing"];
    while let Some(state) = states.pop() {
        for command in [
            vec!["user", "list"],
            vec!["account", "show", id],
            vec!["deposit", id, "1", "EUR", "--key", "k"],
            vec!["entries", id],
            vec!["verify"],
        ] {
            let refused = scratch.run(&command);
            assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{state} {refused:?}");
            assert_has(&refused.stderr, &["not migrated", "hint: run `simplebank migrate up`"]);
            let refused = scratch.run(&[command.as_slice(), &["--json"]].concat());
            assert_eq!(refused.error()["code"], "not_migrated");
        }
        assert_eq!(scratch.run(&["doctor"]).code, 1);
        scratch.run(&["migrate", "up"]).ok();
        if state == "nothing" {
            scratch.run(&["migrate", "down", "--to", "3", "--yes"]).ok();
            states.push("half");
        } else if state == "half" {
            scratch.run(&["migrate", "down", "--to", "0", "--yes"]).ok();
            states.push("taken back");
        }
    }
    scratch.remove().await;
}

#[tokio::test]
async fn a_database_newer_than_the_program_is_served_but_not_migrated() {
    let bank = Bank::new().await;
    bank.tamper(
        "insert into simplebank.migrations (version, description, success, checksum, execution_time)
         values (9999, 'from the future', true, 'x', 0)",
    )
    .await;
    bank.run(&["user", "list"]).ok();
    let refused = bank.run(&["migrate", "up", "--json"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert_eq!(refused.error()["code"], "migration_failed");
    assert_has(refused.error()["message"].as_str().unwrap(), &["9999"]);
    let found = bank.run(&["doctor"]);
    assert_eq!(found.code, 1);
    assert_has(&found.stdout, &["9999 of", "newer than this program"]);
}
