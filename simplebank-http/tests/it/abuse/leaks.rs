//! Secrets are searched for in everything that one run of the real server writes and answers, at the most talkative.

use std::str::FromStr as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use simplebank::testing::TestDatabase;
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use tempfile::TempDir;

use crate::{
    binary::{Running, binary, home},
    support::{Answer, client, nobodys_account, send},
};

/// Nobody would write these by chance.
const PASSWORD: &str = "canary-password-7f3a correct horse";
const WRONG_PASSWORD: &str = "canary-wrong-9b1c correct horse";
const DATABASE_PASSWORD: &str = "canary-database-5d2e";
const KEY: &str = "c0ffee00d15ea5e5facade1234567890abcdef9876543210fedcba0011223344";
const OLD_KEY: &str = "0ddba11c0ffee5a17ed0b0e1234567890fedcba98765432100112233445566aa";
const FULL_NAME: &str = "Canary Fullname-3c4d";
const EMAIL: &str = "canary-address-1a2b@example.org";
const DESCRIPTION: &str = "canary-description-8e9f";

/// A server whose every secret is a canary.
struct Cage {
    home: TempDir,
    database: TestDatabase,
}

impl Cage {
    async fn new() -> Self {
        Self { home: home(), database: TestDatabase::new().await }
    }

    /// Everything that the server, and the libraries in it, have to say.
    fn command(&self, token_kind: &str) -> std::process::Command {
        let mut command = binary(&self.home);
        command
            .env("DATABASE_URL", self.url())
            .env("ALLOW_UNSAFE_DURABILITY", "true")
            .env("TOKEN_KIND", token_kind)
            .env("ENVIRONMENT", "production")
            .env("LOG_FORMAT", "text")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "1");
        if has_key(token_kind) {
            command.env("TOKEN_SYMMETRIC_KEY", KEY).env("TOKEN_VERIFYING_KEYS", OLD_KEY);
        }
        command
    }

    /// The database asks for no password, and so doesn't mind this one.
    fn url(&self) -> String {
        let options = PgConnectOptions::from_str(&self.database.url()).unwrap();
        options.password(DATABASE_PASSWORD).to_url_lossy().to_string()
    }

    /// The key that the server has made for itself.
    fn made_key(&self) -> String {
        let path = self.home.path().join("token.secret.key");
        std::fs::read_to_string(path).unwrap().trim().to_owned()
    }

    /// The code in a mail that has been written.
    fn code(&self) -> String {
        // 60 s are more than any worker takes.
        let give_up_at = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let mails = std::fs::read_dir(self.home.path().join("mail")).into_iter().flatten();
            for mail in mails.flatten().map(|mail| mail.path()) {
                let text = std::fs::read_to_string(mail).unwrap_or_default().replace("=\r\n", "");
                let text = text.replace("=3D", "=");
                if let Some((_, rest)) = text.split_once("&code=") {
                    let is_code = |c: char| c.is_ascii_alphanumeric() || c == '-';
                    let end = rest.find(|c| !is_code(c)).unwrap_or(rest.len());
                    return rest[..end].to_owned();
                }
            }
            assert!(std::time::Instant::now() < give_up_at, "no mail was written");
        }
    }
}

/// True for the kinds that get their keys from the settings here; the others have a file.
fn has_key(token_kind: &str) -> bool {
    ["paseto", "jwt"].contains(&token_kind)
}

/// What must not be found, each with its name.
type Canaries = Vec<(&'static str, String)>;

/// Sends requests to every route, good and bad ones; returns the answers, and what was secret in them.
async fn drive(cage: &Cage, server: &Running, has_key: bool) -> (Vec<Answer>, Canaries) {
    let client = client();
    let ask = |method: Method, path: &str| client.request(method, format!("{}{path}", server.base));
    let mut answers = Vec::new();
    let registration = json!({
        "username": "canary", "password": PASSWORD, "full_name": FULL_NAME, "email": EMAIL,
    });
    for body in
        [registration.clone(), registration, json!({"password": PASSWORD}), json!({"x": PASSWORD})]
    {
        answers.push(send(ask(Method::POST, "/v1/users").json(&body)).await);
    }
    let log_in = |password: &str| json!({"username": "canary", "password": password});
    for body in [log_in(WRONG_PASSWORD), json!({"username": WRONG_PASSWORD, "password": PASSWORD})]
    {
        answers.push(send(ask(Method::POST, "/v1/users/login").json(&body)).await);
    }
    let login = send(ask(Method::POST, "/v1/users/login").json(&log_in(PASSWORD))).await.is(200);
    let text = |name: &str| login[name].as_str().unwrap().to_owned();
    let (access, refresh) = (text("access_token"), text("refresh_token"));
    let renewal = json!({"refresh_token": refresh});
    let renewed = send(ask(Method::POST, "/v1/tokens/renew_access").json(&renewal)).await.is(200);
    let renewed_access = renewed["access_token"].as_str().unwrap().to_owned();
    // A server that has its keys from the settings has no directory to write mails to.
    let (code, made_key) = match has_key {
        true => ("NOCODE".to_owned(), OLD_KEY.to_owned()),
        false => (cage.code(), cage.made_key()),
    };
    let canaries = vec![
        ("a password", PASSWORD.to_owned()),
        ("a password in base64", STANDARD.encode(PASSWORD)),
        ("a wrong password", WRONG_PASSWORD.to_owned()),
        ("the database's password", DATABASE_PASSWORD.to_owned()),
        ("the key", KEY.to_owned()),
        ("the old key", OLD_KEY.to_owned()),
        ("the key in the file", made_key),
        ("an access token", access.clone()),
        ("a part of it", access[access.len() - 30..].to_owned()),
        ("a refresh token", refresh.clone()),
        ("a part of it", refresh[refresh.len() - 30..].to_owned()),
        ("a renewed token", renewed_access.clone()),
        ("a code", code.clone()),
        ("a code without hyphens", code.replace('-', "")),
        ("a hash of a password", "$argon2".to_owned()),
    ];
    for token in [&access, &refresh, &renewed_access] {
        for request in everywhere(&client, &server.base, token) {
            answers.push(send(request).await);
        }
    }
    let codes = json!({"code": code});
    for token in [&refresh, &access] {
        let request = ask(Method::POST, "/v1/users/me/verify_email").bearer_auth(token);
        answers.push(send(request.json(&codes)).await);
    }
    answers.push(send(ask(Method::POST, "/v1/users/logout").bearer_auth(&access)).await);
    answers.push(send(ask(Method::GET, "/v1/users/me").bearer_auth(&access)).await);
    answers.push(send(ask(Method::GET, &format!("/v1/{access}?access_token={access}"))).await);
    answers.push(send(ask(Method::GET, "/metrics")).await);
    (answers, canaries)
}

/// Requests to many routes, well-formed and not, about things that are there and not.
fn everywhere(client: &Client, base: &str, token: &str) -> Vec<RequestBuilder> {
    let nobody = nobodys_account();
    let transfer = json!({
        "from_account_id": nobody, "to_account_id": nobody, "amount": "1", "currency": "EUR", "description": DESCRIPTION,
    });
    let bodies: [(&str, Value); 8] = [
        ("/v1/accounts", json!({"currency": "EUR"})),
        ("/v1/accounts", json!({"currency": PASSWORD})),
        ("/v1/transfers", transfer.clone()),
        ("/v1/holds", transfer.clone()),
        ("/v1/transfers/batch", json!({"transfers": [transfer]})),
        ("/v1/users/me/verification_codes", json!({})),
        ("/v1/users/me/verify_email", json!({"code": PASSWORD})),
        ("/v1/accounts/x/freeze", json!({})),
    ];
    let mut requests = Vec::new();
    for (path, body) in bodies {
        let request = client.post(format!("{base}{path}")).bearer_auth(token);
        requests.push(request.header("Idempotency-Key", "canary").json(&body));
    }
    for path in [
        "/v1/users/me",
        "/v1/accounts",
        "/v1/transfers",
        "/v1/accounts/x",
        "/v1/holds",
        "/v1/nothing",
    ] {
        requests.push(client.get(format!("{base}{path}")).bearer_auth(token));
        requests.push(client.get(format!("{base}{path}?x={token}")).header("Cookie", token));
    }
    requests
}

fn found(canaries: &Canaries, text: &str) -> Vec<&'static str> {
    let is_in = |canary: &&(&str, String)| text.contains(&canary.1);
    canaries.iter().filter(is_in).map(|(name, _)| *name).collect()
}

#[tokio::test]
async fn no_secret_is_in_any_log_or_answer() {
    for token_kind in ["paseto", "paseto-public", "jwt", "jwt-eddsa"] {
        let cage = Cage::new().await;
        let server = Running::start(&mut cage.command(token_kind));
        let (answers, canaries) = drive(&cage, &server, has_key(token_kind)).await;
        let (code, said, logs) = server.stop();
        assert_eq!(code, Some(0), "{logs}");
        assert!(logs.contains("DEBUG") && logs.contains("answered"), "it said little");
        assert_eq!(found(&canaries, &logs), [""; 0], "{token_kind}: in the log");
        assert_eq!(found(&canaries, &said), [""; 0], "{token_kind}: on standard output");
        // Nor is what belongs to a person, or who they are.
        for personal in [FULL_NAME, EMAIL, DESCRIPTION, "username=canary", "\"canary\""] {
            assert!(!logs.contains(personal), "{token_kind}: {personal} is in the log");
        }
        for answer in &answers {
            assert_ne!(answer.status, 500, "{answer:?}");
            let whole = format!("{:?}{}", answer.headers, answer.text);
            assert_eq!(found(&canaries, &whole), [""; 0], "{answer:?}");
            for word in ["select ", "simplebank.", "_check", "_pkey", "postgres", "src/", ".rs:"] {
                assert!(!answer.text.contains(word), "{word}: {answer:?}");
            }
        }
    }
}

/// The control: what is written to the log is found there.
#[tokio::test]
async fn a_secret_that_is_logged_is_found() {
    let cage = Cage::new().await;
    let server = Running::start(&mut cage.command("paseto"));
    // A request id is the one thing that a client can have written into the log.
    let canary = "canary-in-the-log-6a7b";
    let request = client().get(format!("{}/health/live", server.base));
    send(request.header("X-Request-Id", canary)).await.is(200);
    let (_, _, logs) = server.stop();
    let canaries = vec![("the control", canary.to_owned()), ("a password", PASSWORD.to_owned())];
    assert_eq!(found(&canaries, &logs), ["the control"]);
}

/// One request is one line, and nobody writes another: whatever stands in it, each line is a record of the server's own.
#[tokio::test]
async fn nobody_forges_a_line_of_the_log() {
    let cage = Cage::new().await;
    let mut command = cage.command("paseto");
    let server = Running::start(command.env("RUST_LOG", "simplebank_http=trace"));
    let forged = "2026-01-01T00:00:00Z  INFO forged: all is well";
    let client = client();
    for path in ["%0a", "%0d%0a", "%1b%5b2J", "%e2%80%a8", "%00", "v1/accounts/%0a"] {
        let url = format!("{}/{path}{}", server.base, forged.replace(' ', "%20"));
        send(client.get(url)).await;
    }
    for text in [format!("a\n{forged}"), format!("a\r\n{forged}"), format!("\u{1b}[2J{forged}")] {
        let body = json!({"username": text, "password": text});
        send(client.post(format!("{}/v1/users/login", server.base)).json(&body)).await;
        let body = json!({text.clone(): text, "username": "x"});
        send(client.post(format!("{}/v1/users", server.base)).json(&body)).await;
    }
    for id in ["x y", "a=b", "x\tINFO forged", "\u{e9}", "{}", "\"", "a,b", "a/b", "<b>"] {
        let request = client.get(format!("{}/health/live", server.base));
        send(request.header("X-Request-Id", id)).await;
    }
    let (_, _, logs) = server.stop();
    assert!(!logs.contains("forged"), "{logs}");
    assert!(!logs.contains('\u{1b}') && !logs.contains('\r'), "{logs}");
    let is_record = |line: &&str| line.starts_with("20") && line.contains("simplebank_http");
    assert_eq!(logs.lines().filter(|line| !is_record(line)).collect::<Vec<_>>(), [""; 0]);
    // Six paths, six bodies and nine ids.
    assert_eq!(logs.matches(": answered").count(), 21, "{logs}");
}
