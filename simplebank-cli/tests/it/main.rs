//! The real binary on a real PostgreSQL.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod accounts;
mod audit;
mod crash;
mod doctor;
mod help;
mod history;
mod holds;
mod import;
mod input;
mod jobs;
mod locks;
mod migrate;
mod money;
mod pipes;
mod readme;
mod server;
mod statements;
mod tokens;
mod users;
mod verify;

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;
use simplebank::testing::TestDatabase;
use sqlx::{AssertSqlSafe, PgPool};

const PASSWORD: &str = "correct horse battery";

/// The binary with the settings of this test and no others.
fn simplebank(database_url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simplebank"));
    for name in ["DB_SOURCE", "SIMPLEBANK_DATA_DIR", "SIMPLEBANK_PASSWORD", "COLUMNS"] {
        command.env_remove(name);
    }
    command.env("DATABASE_URL", database_url).stdin(Stdio::null());
    command
}

/// What a command came to.
#[derive(Debug)]
struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

fn answer(command: &mut Command) -> Answer {
    let output = command.output().unwrap();
    let answer = Answer {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!answer.stderr.contains("panicked"), "{answer:?}");
    answer
}

/// Runs a command and gives it `input` on its standard input.
fn answer_to(command: &mut Command, input: &[u8]) -> Answer {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that doesn't want to read it may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Answer {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Answer {
    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The one document on stdout.
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.stdout.matches('\n').count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The last document on stderr.
    #[track_caller]
    fn error(&self) -> Value {
        serde_json::from_str(self.stderr.lines().last().unwrap()).unwrap()
    }
}

/// A migrated database and the command line on it.
struct Bank {
    database: TestDatabase,
}

impl Bank {
    async fn new() -> Self {
        Self { database: TestDatabase::new().await }
    }

    /// A bank with alice and bob, who have an account in euros each; returns their accounts too.
    async fn with_two_accounts() -> (Self, String, String) {
        let bank = Self::new().await;
        let [alice, bob] = ["alice", "bob"].map(|name| {
            bank.user(name);
            bank.account(name, "EUR")
        });
        (bank, alice, bob)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = simplebank(&self.database.url());
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        answer(&mut self.command(arguments))
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).ok().json()
    }

    #[track_caller]
    fn user(&self, name: &str) -> Value {
        let email = format!("{name}@example.org");
        let create = ["user", "create", "--username", name, "--full-name", name, "--email", &email];
        let mut command = self.command(&[create.as_slice(), &["--json"]].concat());
        answer(command.env("SIMPLEBANK_PASSWORD", PASSWORD)).ok().json()
    }

    #[track_caller]
    fn account(&self, owner: &str, currency: &str) -> String {
        let account = self.json(&["account", "open", "--owner", owner, "--currency", currency]);
        account["id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn balance(&self, account: &str) -> String {
        self.json(&["account", "show", account])["balance"].as_str().unwrap().to_owned()
    }

    async fn owner(&self) -> PgPool {
        self.database.owner().await
    }

    /// Runs statements as a superuser whom neither triggers nor foreign keys stop.
    async fn tamper(&self, sql: &str) {
        let sql = format!("set session_replication_role = replica; {sql}");
        let owner = self.owner().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&owner).await.unwrap();
        owner.close().await;
    }

    /// Everything that the bank remembers, as text.
    async fn everything(&self) -> Vec<String> {
        let owner = self.owner().await;
        let mut everything = Vec::new();
        for table in [
            "users",
            "accounts",
            "transfers",
            "entries",
            "idempotency",
            "holds",
            "reversals",
            "migrations",
        ] {
            let rows = format!("select '{table}' || t::text from simplebank.{table} t order by 1");
            let rows: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&owner).await.unwrap();
            everything.extend(rows);
        }
        owner.close().await;
        everything
    }
}

/// The fields of a JSON object, in alphabetical order.
#[track_caller]
fn fields(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
}
