//! The binary itself: its settings, its refusals, and one whole life.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use serde_json::json;
use simplebank::testing::TestDatabase;
use tempfile::TempDir;

use crate::support::{PASSWORD, client};

/// The binary with no settings but a data directory and a port of its own.
pub(crate) fn binary(home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simplebank-http"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .env("SIMPLEBANK_DATA_DIR", home.path())
        .env("HTTP_SERVER_ADDRESS", "127.0.0.1:0")
        .stdin(Stdio::null());
    command
}

pub(crate) fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// What the binary says when it doesn't start.
#[track_caller]
fn refusal(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{text}");
    assert!(stdout.is_empty(), "{stdout:?}");
    text
}

#[test]
fn help_names_every_setting() {
    let help = binary(&home()).arg("--help").output().unwrap();
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    for name in [
        "--database-url",
        "DATABASE_URL",
        "--db-source",
        "DB_SOURCE",
        "--data-dir",
        "SIMPLEBANK_DATA_DIR",
        "--database-connections-max",
        "DATABASE_CONNECTIONS_MAX",
        "--no-migrate",
        "NO_MIGRATE",
        "--allow-unsafe-durability",
        "ALLOW_UNSAFE_DURABILITY",
        "--http-server-address",
        "HTTP_SERVER_ADDRESS",
        "--connections-max",
        "CONNECTIONS_MAX",
        "--shutdown-deadline",
        "SHUTDOWN_DEADLINE",
        "DATABASE_WAIT",
        "--allowed-origins",
        "ALLOWED_ORIGINS",
        "--token-symmetric-key",
        "TOKEN_SYMMETRIC_KEY",
        "--token-secret-key",
        "TOKEN_SECRET_KEY",
        "--token-verifying-keys",
        "TOKEN_VERIFYING_KEYS",
        "--token-kind",
        "TOKEN_KIND",
        "--token-leeway",
        "TOKEN_LEEWAY",
        "--access-token-duration",
        "ACCESS_TOKEN_DURATION",
        "--refresh-token-duration",
        "REFRESH_TOKEN_DURATION",
        "--refresh-grace",
        "REFRESH_GRACE",
        "--session-duration",
        "SESSION_DURATION",
        "--sessions-max",
        "SESSIONS_MAX",
        "--password-memory",
        "PASSWORD_MEMORY",
        "--password-passes",
        "PASSWORD_PASSES",
        "--password-lanes",
        "PASSWORD_LANES",
        "--smtp-url",
        "SMTP_URL",
        "--mail-from",
        "MAIL_FROM",
        "--public-url",
        "PUBLIC_URL",
        "--email-verification",
        "EMAIL_VERIFICATION",
        "--no-worker",
        "NO_WORKER",
        "--environment",
        "ENVIRONMENT",
        "--log-format",
        "LOG_FORMAT",
        "--log-level",
        "RUST_LOG",
    ] {
        assert!(help.contains(name), "{name}");
    }
}

#[test]
fn secrets_in_the_environment_are_not_in_the_help() {
    let mut command = binary(&home());
    for name in ["TOKEN_SYMMETRIC_KEY", "TOKEN_SECRET_KEY", "TOKEN_VERIFYING_KEYS"] {
        command.env(name, "hush");
    }
    command.env("DATABASE_URL", "postgres://u:hush@h/d");
    let help = command.arg("--help").output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("hush"));
}

#[test]
fn wrong_settings_are_refused_by_name() {
    let home = home();
    for (variable, value) in [
        ("HTTP_SERVER_ADDRESS", "8080"),
        ("TOKEN_KIND", "none"),
        ("ACCESS_TOKEN_DURATION", "soon"),
        ("ACCESS_TOKEN_DURATION", "0s"),
        ("ACCESS_TOKEN_DURATION", "15d"),
        ("REFRESH_TOKEN_DURATION", "1m"),
        ("REFRESH_GRACE", "2m"),
        ("SESSION_DURATION", "1d"),
        ("SESSIONS_MAX", "0"),
        ("PASSWORD_MEMORY", "18"),
        ("PASSWORD_PASSES", "1"),
        ("PASSWORD_LANES", "0"),
        ("ALLOWED_ORIGINS", "https://a.example,*"),
        ("ENVIRONMENT", "staging"),
        ("LOG_FORMAT", "xml"),
        ("RUST_LOG", "a=b=c"),
        ("CONNECTIONS_MAX", "0"),
        ("SERVER_THREADS", "0"),
        ("DATABASE_CONNECTIONS_MAX", "many"),
        ("SHUTDOWN_DEADLINE", "-1s"),
        ("DATABASE_WAIT", "1ms"),
        ("NO_MIGRATE", "perhaps"),
        ("TOKEN_SYMMETRIC_KEY", "short"),
        ("TOKEN_SECRET_KEY", "k4.secret.AAAA"),
        ("TOKEN_VERIFYING_KEYS", "short"),
        ("TOKEN_LEEWAY", "2m"),
    ] {
        let text = refusal(binary(&home).env(variable, value));
        assert!(text.contains(variable), "{variable}={value}: {text}");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing was started");
}

#[test]
fn a_weak_key_is_refused_and_not_shown() {
    let key = "12345678901234567890123456789012";
    let text = refusal(binary(&home()).env("TOKEN_SYMMETRIC_KEY", key));
    assert!(text.contains("published example") && text.contains("openssl rand"), "{text}");
    assert!(!text.contains(key), "{text}");
}

#[test]
fn an_unreachable_database_is_told_with_ways_out_and_without_its_password() {
    // Nobody listens on a port that was just given back.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for variable in ["DATABASE_URL", "DB_SOURCE"] {
        let url = format!("postgres://bank:hush@127.0.0.1:{port}/ledger");
        let text = refusal(binary(&home()).env(variable, url));
        for part in [&format!("127.0.0.1:{port}"), "ledger", "DATABASE_URL", "local PostgreSQL"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("hush"), "{text}");
    }
    let text = refusal(binary(&home()).env("DATABASE_URL", "mysql://bank:hush@localhost/ledger"));
    assert!(text.contains("postgres://") && !text.contains("hush"), "{text}");
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = home();
    let text = refusal(binary(&home).env("HTTP_SERVER_ADDRESS", &address));
    assert!(text.contains(&address) && text.contains("another program"), "{text}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing was started");
}

#[tokio::test]
async fn a_database_that_can_lose_money_is_refused() {
    let database = TestDatabase::new().await;
    if database.db().server().await.unwrap().unsafe_settings().is_empty() {
        return; // the server of these tests is a durable one
    }
    let text = refusal(binary(&home()).env("DATABASE_URL", database.url()));
    assert!(text.contains("fsync") && text.contains("ALLOW_UNSAFE_DURABILITY"), "{text}");
}

#[tokio::test]
async fn an_unmigrated_database_is_refused_if_nobody_may_migrate_it() {
    let database = TestDatabase::new().await;
    let mut migrations = simplebank::db::Migrations::connect(&database.url()).await.unwrap();
    migrations.down(0).await.unwrap();
    migrations.close().await.unwrap();
    let text =
        refusal(binary(&home()).env("DATABASE_URL", database.url()).env("NO_MIGRATE", "true"));
    assert!(text.contains("not migrated") && text.contains("--no-migrate"), "{text}");
}

/// A running server; it is killed if the test fails.
pub(crate) struct Running {
    pub(crate) child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) base: String,
}

impl Running {
    /// Starts, and waits for the message that says where.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Some((_, base)) = line.trim_end().split_once(" listens on ") else {
            let mut text = String::new();
            child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
            panic!("{line}{text}");
        };
        let base = base.to_owned();
        Self { child, stdout, base }
    }

    /// Asks it to end; returns what it has written.
    pub(crate) fn stop(mut self) -> (Option<i32>, String, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code(), stdout, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `stop` there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn without_settings_it_serves_from_a_local_database_and_leaves_nothing_running() {
    let home = home();
    // As root, PostgreSQL runs as another user, who must be able to get to its data.
    std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))
        .unwrap();
    let server =
        Running::start(binary(&home).env("DATABASE_URL", "").env("TOKEN_SYMMETRIC_KEY", ""));
    let client = client();
    let ready = client.get(format!("{}/health/ready", server.base)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let body = json!({
        "username": "alice", "password": PASSWORD, "full_name": "Alice", "email": "alice@example.org",
    });
    let url = format!("{}/v1/users", server.base);
    let made = client.post(&url).header("x-request-id", "mine").json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201);
    // The mail to her becomes a file; 60 s are more than any worker takes.
    let give_up_at = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let mail = loop {
        let mails = std::fs::read_dir(home.path().join("mail")).into_iter().flatten();
        let mut written = mails.filter_map(|file| Some(file.ok()?.path()));
        if let Some(path) = written.find(|path| path.extension().is_some_and(|end| end == "eml")) {
            break std::fs::read_to_string(path).unwrap();
        }
        assert!(std::time::Instant::now() < give_up_at, "no mail was written");
    };
    assert!(mail.contains("To: alice@example.org") && mail.contains(&server.base), "{mail}");
    let (code, message, logs) = server.stop();
    assert_eq!(code, Some(0), "{logs}");
    assert!(message.contains("/docs") && message.contains("curl"), "{message}");
    assert!(logs.contains("request_id=\"mine\"") && logs.contains("path=\"/v1/users\""), "{logs}");
    assert!(!logs.contains(PASSWORD) && !logs.contains("alice"), "{logs}");
    let postgres = simplebank_localpg::LocalPostgres::status(home.path()).unwrap();
    assert_eq!(postgres, simplebank_localpg::Status::Stopped);

    // The second life finds the data and the key of the first one.
    let server = Running::start(&mut binary(&home));
    let again = client.post(format!("{}/v1/users", server.base)).json(&body).send().await.unwrap();
    assert_eq!(again.status(), 409);
    assert_eq!(server.stop().0, Some(0));
}

#[tokio::test]
async fn a_local_database_that_dies_is_started_again() {
    let home = home();
    std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))
        .unwrap();
    let server = Running::start(&mut binary(&home));
    let status = || simplebank_localpg::LocalPostgres::status(home.path()).unwrap();
    let pid = || match status() {
        simplebank_localpg::Status::Running { pid, .. } => Some(pid),
        simplebank_localpg::Status::NoCluster | simplebank_localpg::Status::Stopped => None,
    };
    let killed = pid().unwrap();
    assert!(Command::new("kill").args(["-KILL", &killed.to_string()]).status().unwrap().success());
    // 60 s are more than any start takes.
    let give_up_at = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let url = format!("{}/health/ready", server.base);
    loop {
        let is_ready = client().get(&url).send().await.unwrap().status() == 200;
        // A connection may outlive its server by a moment.
        if is_ready && pid().is_some_and(|pid| pid != killed) {
            break;
        }
        assert!(std::time::Instant::now() < give_up_at, "it never came back");
    }
    let (code, _, logs) = server.stop();
    assert_eq!(code, Some(0), "{logs}");
    assert_eq!(status(), simplebank_localpg::Status::Stopped);
}

#[tokio::test]
async fn in_production_it_logs_for_machines() {
    let home = home();
    let database = TestDatabase::new().await;
    let mut command = binary(&home);
    command
        .env("DATABASE_URL", database.url())
        .env("ALLOW_UNSAFE_DURABILITY", "true")
        .env("TOKEN_KIND", "jwt")
        .env("ENVIRONMENT", "production")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "{lines:?}");
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        let is_up = record["message"] == "listening";
        lines.push(record);
        if is_up {
            break;
        }
    }
    let (stdout, base) = (BufReader::new(child.stdout.take().unwrap()), String::new());
    child.stderr = Some(stderr.into_inner());
    let (code, message, _) = Running { child, stdout, base }.stop();
    assert_eq!((code, message.as_str()), (Some(0), ""));
    assert!(lines.last().unwrap()["address"].as_str().unwrap().starts_with("127.0.0.1:"));
}
