//! kill -9 of the server in the middle of transfers: the ledger is whole, and what was acknowledged is there.

use std::{path::Path, process::Command, sync::Arc};

use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};

use crate::server::{LeftOver, Server, own_settings};

const TASKS: usize = 8;
/// So many answers each task has when the server is killed, at least.
const BEFORE: usize = 10;
/// Tasks stop by themselves, should the server not die.
const TRANSFERS_MAX: usize = 100_000;

fn operator(home: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simplebank"));
    command.args(arguments).arg("--json").env("SIMPLEBANK_PASSWORD", "correct horse battery");
    let output = own_settings(&mut command, home).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// Registers somebody with an account and some money; returns the account's id and an access token.
async fn customer(
    http: &reqwest::Client,
    server: &Server,
    home: &Path,
    name: &str,
) -> (String, String) {
    let url = |path: &str| format!("http://{}/v1/{path}", server.address());
    let registration = json!({"username": name, "password": "correct horse battery", "full_name": name, "email": format!("{name}@example.org")});
    http.post(url("users")).json(&registration).send().await.unwrap().error_for_status().unwrap();
    let credentials = json!({"username": name, "password": "correct horse battery"});
    let login: Value = http
        .post(url("users/login"))
        .json(&credentials)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let account = operator(home, &["account", "open", "--owner", name, "--currency", "EUR"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    operator(home, &["deposit", &account, "100000", "EUR", "--key", &format!("cash-{name}")]);
    (account, login["access_token"].as_str().unwrap().to_owned())
}

/// One transfer of a cent; its answer, or `None` if there was none.
async fn transfer(
    http: &reqwest::Client,
    address: &str,
    token: &str,
    from: &str,
    to: &str,
    key: &str,
) -> Option<String> {
    let body =
        json!({"from_account_id": from, "to_account_id": to, "amount": "0.01", "currency": "EUR"});
    let request = http
        .post(format!("http://{address}/v1/transfers"))
        .bearer_auth(token)
        .header("Idempotency-Key", key)
        .json(&body);
    let response = request.send().await.ok()?;
    let status = response.status();
    let text = response.text().await.ok()?;
    assert_eq!(status, 201, "{text}");
    Some(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_leaves_a_whole_ledger_with_everything_acknowledged() {
    let home = tempfile::tempdir().unwrap();
    let _left_over = LeftOver(home.path());
    let http = reqwest::Client::new();
    let server = Server::start(home.path());
    let (alice, token) = customer(&http, &server, home.path(), "alice").await;
    let (bob, _) = customer(&http, &server, home.path(), "bob").await;

    // Each task transfers until the server no longer answers; the last key of each has an unknown outcome.
    let under_way = Arc::new(Barrier::new(TASKS + 1));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (http, address, token) = (http.clone(), server.address().to_owned(), token.clone());
        let (alice, bob, under_way) = (alice.clone(), bob.clone(), Arc::clone(&under_way));
        tasks.spawn(async move {
            let mut answers = Vec::new();
            for n in 0..TRANSFERS_MAX {
                let key = format!("{task}-{n}");
                let answer = transfer(&http, &address, &token, &alice, &bob, &key).await;
                let is_over = answer.is_none();
                answers.push((key, answer));
                if is_over {
                    return answers;
                }
                if n == BEFORE {
                    under_way.wait().await;
                }
            }
            panic!("the server outlived its kill");
        });
    }
    under_way.wait().await;
    server.kill();
    let answers: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(answers.iter().filter(|(_, answer)| answer.is_none()).count(), TASKS);

    let server = Server::start(home.path());
    operator(home.path(), &["verify"]);
    for (key, acknowledged) in &answers {
        let again = transfer(&http, server.address(), &token, &alice, &bob, key).await;
        assert!(again.is_some(), "no answer to {key}");
        assert!(
            acknowledged.is_none() || *acknowledged == again,
            "{key}: {acknowledged:?}, then {again:?}"
        );
    }
    let account = operator(home.path(), &["account", "show", &bob]);
    let cents = i64::try_from(answers.len()).unwrap();
    assert_eq!(
        account["balance"].as_str(),
        Some(&*format!("{}.{:02}", 100_000 + cents / 100, cents % 100))
    );
    operator(home.path(), &["verify"]);
}
