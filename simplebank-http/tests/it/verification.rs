//! Showing over HTTP that an e-mail address is one's own.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use reqwest::Method;
use serde_json::json;
use simplebank::{
    Tick, Worker,
    core::{VerificationId, verification::Code},
    mail::{Letterhead, Mail, MailError, Mailer},
};

use crate::support::{Answer, PASSWORD, World, send};

const FORM: &str = "application/x-www-form-urlencoded";

/// Keeps mails.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<Mail>>>);

#[async_trait]
impl Mailer for Kept {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        self.0.lock().unwrap().push(mail.clone());
        Ok(())
    }
}

/// Sends all mails; returns the query of the link in the newest, and its code.
async fn newest_link(world: &World) -> (String, String) {
    let kept = Kept::default();
    let from = "bank@example.org".parse().unwrap();
    let letterhead = Letterhead { from, public_url: world.base.clone() };
    let worker = Worker::new(world.bank.clone(), kept.clone(), letterhead);
    while !matches!(worker.tick().await.unwrap(), Tick::Idle(_)) {}
    let text = kept.0.lock().unwrap().last().unwrap().text.clone();
    let link = text.lines().find_map(|line| line.trim().strip_prefix(&world.base)).unwrap();
    let query = link.strip_prefix("/v1/verify-email?").unwrap();
    let (_, code) = query.split_once("&code=").unwrap();
    (query.to_owned(), code.to_owned())
}

async fn click(world: &World, form: &str) -> Answer {
    let request = world.anyone().request(Method::POST, "/v1/verify-email");
    send(request.header("content-type", FORM).body(form.to_owned())).await
}

#[tokio::test]
async fn the_link_asks_for_a_click_and_only_the_click_counts() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (query, _) = newest_link(&world).await;
    let before = world.state().await;
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let page = send(world.anyone().request(method, &format!("/v1/verify-email?{query}"))).await;
        assert_eq!(
            (page.status.as_u16(), page.header("content-type")),
            (200, "text/html; charset=utf-8")
        );
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(
            (page.header("referrer-policy"), page.header("cache-control")),
            ("no-referrer", "no-store")
        );
        assert!(page.text.is_empty() || page.text.contains("<form method=\"post\""), "{page:?}");
    }
    assert_eq!(world.state().await, before, "looking changes nothing");
    assert_eq!(alice.get("/v1/users/me").await.is(200)["email_verified_at"], json!(null));

    let thanks = click(&world, &query).await;
    assert_eq!(thanks.status, 200, "{thanks:?}");
    assert!(thanks.text.contains("is confirmed"), "{thanks:?}");
    let me = alice.get("/v1/users/me").await.is(200);
    assert_eq!(me["email_verified_at"], "2026-01-01T12:00:00Z");
    assert_eq!(click(&world, &query).await.status, 422, "it is used up");
}

#[tokio::test]
async fn whatever_is_wrong_with_a_code_the_page_is_the_same() {
    let world = World::new().await;
    world.user("alice").await;
    let (query, code) = newest_link(&world).await;
    let (request, _) = query.split_once("&code=").unwrap();
    let nobody = VerificationId::from_parts(1, [1; 10]);
    let other = Code::from_bytes([0; 10]);
    let mut answers = Vec::new();
    answers.push(click(&world, &format!("id={nobody}&code={code}")).await);
    answers.push(click(&world, &format!("{request}&code={other}")).await);
    assert_eq!(click(&world, &query).await.status, 200);
    answers.push(click(&world, &query).await);
    for answer in &answers {
        assert_eq!(answer.status, 422);
        assert_eq!(answer.text, answers[0].text);
    }
}

#[tokio::test]
async fn forms_and_links_are_read_strictly() {
    let world = World::new().await;
    let (id, code) = (VerificationId::from_parts(1, [1; 10]), Code::from_bytes([0; 10]));
    for (form, field) in [
        (String::new(), "id"),
        (format!("id={id}"), "code"),
        (format!("id=x&code={code}"), "id"),
        (format!("id={id}&code=x"), "code"),
        (format!("id={id}&code={code}&more=1"), "query"),
        (format!("id={id}&code={code}&code={code}"), "code"),
        (format!("id={id}&code=%22%3E%3Cscript%3E"), "code"),
    ] {
        click(&world, &form).await.is_problem(400, "malformed_request", &[field]);
        let page = world.anyone().get(&format!("/v1/verify-email?{form}")).await;
        page.is_problem(400, "malformed_request", &[field]);
        assert!(!page.text.contains("script"), "{page:?}");
    }
    click(&world, "id=\u{7}").await.is_problem(400, "malformed_request", &[]);
    click(&world, &"x".repeat(1025)).await.is_problem(413, "payload_too_large", &[]);
    let json = world.anyone().post("/v1/verify-email", json!({"id": id.to_string()})).await;
    json.is_problem(415, "unsupported_media_type", &[]);
}

#[tokio::test]
async fn a_program_takes_the_code_and_asks_for_another() {
    let world = World::with_verification().await;
    let (alice, banker) = (world.user("alice").await, world.banker("bob").await);
    let (alices, bobs) = (alice.account("EUR").await, banker.account("EUR").await);
    banker.deposit("1", &alices, "10").await.is(201);
    alice.transfer("2", &alices, &bobs, "1").await.is_problem(403, "email_not_verified", &[]);
    assert_eq!(alice.balance(&alices).await, "10.00");

    let wrong = json!({"code": Code::from_bytes([0; 10]).to_string()});
    world.clock.advance(time::Duration::SECOND);
    let ask = async || send(alice.request(Method::POST, "/v1/users/me/verification_codes")).await;
    for _ in 0..4 {
        assert_eq!(ask().await.status, 202);
        world.clock.advance(time::Duration::SECOND);
    }
    let refused = ask().await;
    refused.is_problem(429, "too_many_codes", &[]);
    let (_, code) = newest_link(&world).await;
    let path = "/v1/users/me/verify_email";
    alice.post(path, wrong).await.is_problem(422, "wrong_code", &[]);
    alice.post(path, json!({"code": "x"})).await.is_problem(422, "invalid_input", &["code"]);
    let typed = json!({"code": code.to_lowercase().replace('-', "")});
    let me = alice.post(path, typed).await.is(200);
    assert!(me["email_verified_at"].is_string(), "{me}");
    assert_eq!(ask().await.status, 202, "nothing more is needed");
    alice.transfer("2", &alices, &bobs, "1").await.is(201);
}

/// Nobody learns by registering whether an address is known here: the answers differ in what was asked for alone.
#[tokio::test]
async fn registering_is_no_oracle_for_addresses() {
    let world = World::new().await;
    world.user("alice").await;
    let (query, _) = newest_link(&world).await;
    click(&world, &query).await;
    let register = async |username: &str, email: &str| {
        let body = json!({"username": username, "password": PASSWORD, "full_name": "Mallory", "email": email});
        world.anyone().post("/v1/users", body).await
    };
    let known = register("mallory1", "alice@example.org").await;
    let unknown = register("mallory2", "nobody@example.org").await;
    let (mut first, mut second) = (known.is(201), unknown.is(201));
    for answer in [&mut first, &mut second] {
        for member in ["id", "username", "email"] {
            answer.as_object_mut().unwrap().remove(member).unwrap();
        }
    }
    assert_eq!(first, second);
    assert_eq!(first["email_verified_at"], json!(null));
}
