//! From logging in to logging out.

use secrecy::{ExposeSecret as _, SecretString};
use simplebank::{
    LogIn, LoggedIn,
    core::{Principal, Role},
};
use time::Duration;

use crate::{PASSWORD, TestBank, code};

pub(crate) async fn log_in(bank: &TestBank, username: &str) -> LoggedIn {
    bank.bank.log_in(credentials(username, PASSWORD)).await.unwrap()
}

fn credentials(username: &str, password: &str) -> LogIn {
    LogIn { username: username.to_owned(), password: password.into(), user_agent: None }
}

pub(crate) fn access(login: &LoggedIn) -> SecretString {
    login.access_token.token.clone()
}

#[tokio::test]
async fn logging_in_gives_tokens_that_say_who_asks() {
    let bank = TestBank::new().await;
    let user = bank.user("alice").await;
    let login = log_in(&bank, "alice").await;
    let caller = bank.bank.authenticate(access(&login)).await.unwrap();
    assert_eq!((&caller.user, caller.session_id), (&user, login.session_id));
    let principal = Principal::User { id: user.id, username: user.username, role: Role::Depositor };
    assert_eq!(caller.principal(), principal);
}

#[tokio::test]
async fn unknown_users_and_wrong_passwords_get_the_same_answer() {
    let bank = TestBank::new().await;
    bank.user("alice").await;
    let too_long = "x".repeat(10_000);
    for (username, password) in [
        ("alice", "wrong horse battery"),
        ("alice", ""),
        ("alice", &too_long),
        ("nobody", PASSWORD),
        ("operator", PASSWORD),
        ("operator", "!"),
        ("Alice", PASSWORD),
        ("a\0", PASSWORD),
        ("", ""),
    ] {
        let answer = bank.bank.log_in(credentials(username, password)).await;
        assert_eq!(code(answer), "wrong_credentials", "{username:?}");
    }
}

#[tokio::test]
async fn access_and_refresh_tokens_are_different_things() {
    let bank = TestBank::new().await;
    bank.user("alice").await;
    let login = log_in(&bank, "alice").await;
    assert_eq!(code(bank.bank.authenticate(login.refresh_token.clone()).await), "unauthenticated");
    assert_eq!(code(bank.bank.renew(access(&login)).await), "unauthenticated");
    let renewed = bank.bank.renew(login.refresh_token.clone()).await.unwrap();
    bank.bank.authenticate(renewed.access_token.token).await.unwrap();
}

#[tokio::test]
async fn tokens_end_by_the_clock() {
    let bank = TestBank::new().await;
    bank.user("alice").await;
    let login = log_in(&bank, "alice").await;
    bank.clock.advance(Duration::minutes(15) - Duration::SECOND);
    bank.bank.authenticate(access(&login)).await.unwrap();
    bank.clock.advance(Duration::SECOND);
    assert_eq!(code(bank.bank.authenticate(access(&login)).await), "unauthenticated");
    let renewed = bank.bank.renew(login.refresh_token.clone()).await.unwrap();
    bank.clock.advance(Duration::days(14));
    assert_eq!(code(bank.bank.renew(renewed.refresh_token).await), "unauthenticated");
}

#[tokio::test]
async fn logging_out_ends_both_tokens_at_once_and_no_other_session() {
    let bank = TestBank::new().await;
    bank.user("alice").await;
    let (login, other) = (log_in(&bank, "alice").await, log_in(&bank, "alice").await);
    for _ in 0..2 {
        bank.bank.log_out(login.session_id).await.unwrap();
        assert_eq!(code(bank.bank.authenticate(access(&login)).await), "unauthenticated");
        assert_eq!(code(bank.bank.renew(login.refresh_token.clone()).await), "unauthenticated");
    }
    bank.bank.authenticate(access(&other)).await.unwrap();
}

#[tokio::test]
async fn a_new_role_counts_from_the_next_request() {
    let bank = TestBank::new().await;
    let user = bank.user("alice").await;
    let login = log_in(&bank, "alice").await;
    for role in [Role::Banker, Role::Depositor] {
        bank.bank.set_role(&Principal::Operator, user.id, role).await.unwrap();
        let caller = bank.bank.authenticate(access(&login)).await.unwrap();
        assert_eq!(caller.user.role, role);
    }
}

#[tokio::test]
async fn the_database_does_not_know_the_refresh_token() {
    let bank = TestBank::new().await;
    bank.user("alice").await;
    let login = log_in(&bank, "alice").await;
    let rows: Vec<String> = sqlx::query_scalar("select s::text from simplebank.sessions s")
        .fetch_all(bank.bank.db().pool())
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].contains(login.refresh_token.expose_secret()));
    let printed = format!("{login:?}");
    assert!(!printed.contains(login.refresh_token.expose_secret()));
    assert!(!printed.contains(login.access_token.token.expose_secret()));
}

#[tokio::test]
async fn another_banks_tokens_are_refused() {
    let (bank, other) = (TestBank::new().await, TestBank::new().await);
    bank.user("alice").await;
    let login = log_in(&bank, "alice").await;
    assert_eq!(code(other.bank.authenticate(access(&login)).await), "unauthenticated");
    for garbage in ["", "v4.local.", "a.b.c", "\0"] {
        assert_eq!(code(bank.bank.authenticate(garbage.into()).await), "unauthenticated");
    }
}

#[tokio::test]
async fn who_pays_is_read_once_a_second_and_forgotten_when_they_log_out() {
    let bank = TestBank::new().await;
    bank.user("alice").await;
    let login = log_in(&bank, "alice").await;
    let token = || access(&login);
    let caller = bank.bank.authenticate_recent(token()).await.unwrap();
    assert_eq!(caller, bank.bank.authenticate(token()).await.unwrap());
    // The bank itself forgets at once what a clone of it has ended.
    bank.bank.authenticate_recent(token()).await.unwrap();
    bank.bank.clone().log_out(caller.session_id).await.unwrap();
    let refused = bank.bank.authenticate_recent(token()).await.unwrap_err();
    assert_eq!(refused.code(), "unauthenticated");
}

#[tokio::test]
async fn callers_who_ask_at_the_same_time_each_get_their_own_session() {
    let bank = TestBank::new().await;
    let mut logins = Vec::new();
    for name in ["alice", "bob", "carol"] {
        bank.user(name).await;
        logins.push((name, log_in(&bank, name).await));
    }
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        for (name, login) in &logins {
            let (bank, name, token) = (bank.bank.clone(), *name, access(login));
            asking.spawn(async move {
                let caller = bank.authenticate(token).await.unwrap();
                assert_eq!(caller.user.username.as_str(), name);
            });
        }
    }
    asking.join_all().await;
}
