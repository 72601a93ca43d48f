//! Sessions over the wire: tokens that rotate, in the body for programs and in a cookie for pages.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use simplebank_http::Origin;

use crate::support::{Answer, PASSWORD, User, World, names, send};

const LOG_IN: &str = "/v1/users/login";
const RENEW: &str = "/v1/tokens/renew_access";
const LOG_OUT: &str = "/v1/users/logout";

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap().to_owned()
}

async fn renew(world: &World, token: &str) -> Answer {
    world.anyone().post(RENEW, json!({"refresh_token": token})).await
}

#[tokio::test]
async fn a_refresh_token_is_good_for_one_renewal() {
    let world = World::new().await;
    let mut alice = world.user("alice").await;
    let first = renew(&world, &alice.refresh_token).await.is(200);
    world.clock.advance(time::Duration::MINUTE);
    let second = renew(&world, &text(&first, "refresh_token")).await.is(200);
    alice.token = Some(text(&second, "access_token"));
    alice.get("/v1/users/me").await.is(200);
    // Shown again, a spent one ends the session, and says no more than any other token that is not valid.
    let reused = renew(&world, &alice.refresh_token).await;
    reused.is_problem(401, "unauthenticated", &[]);
    assert_eq!(reused.text, renew(&world, "x").await.text);
    alice.get("/v1/users/me").await.is_problem(401, "unauthenticated", &[]);
    renew(&world, &text(&second, "refresh_token")).await.is_problem(401, "unauthenticated", &[]);
}

#[tokio::test]
async fn a_lost_answer_may_be_asked_for_again() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    renew(&world, &alice.refresh_token).await.is(200);
    world.clock.advance(time::Duration::seconds(9));
    let again = renew(&world, &alice.refresh_token).await.is(200);
    renew(&world, &text(&again, "refresh_token")).await.is(200);
}

#[tokio::test]
async fn a_renewal_says_where_its_token_is() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let token = &alice.refresh_token;
    let ask = async |body: Value| world.anyone().post(RENEW, body).await;
    ask(json!({})).await.is_problem(400, "malformed_request", &["refresh_token"]);
    let both = json!({"refresh_token": token, "refresh_token_in": "cookie"});
    ask(both).await.is_problem(400, "malformed_request", &["refresh_token"]);
    let nowhere = json!({"refresh_token": token, "refresh_token_in": "header"});
    ask(nowhere).await.is_problem(422, "invalid_input", &["refresh_token_in"]);
    let login = json!({"username": "alice", "password": PASSWORD, "refresh_token_in": ""});
    let answer = world.anyone().post(LOG_IN, login).await;
    answer.is_problem(422, "invalid_input", &["refresh_token_in"]);
    ask(json!({"refresh_token": token, "refresh_token_in": "body"})).await.is(200);
}

#[tokio::test]
async fn a_user_lists_and_ends_their_own_sessions() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let eve = world.user("eve").await;
    world.clock.advance(time::Duration::SECOND);
    let laptop = world.client.post(format!("{}{LOG_IN}", world.base));
    let laptop = laptop.header("User-Agent", "Laptop/1.0");
    let login =
        send(laptop.json(&json!({"username": "alice", "password": PASSWORD}))).await.is(200);
    let id = text(&login, "session_id");

    let list = alice.get("/v1/sessions").await.is(200);
    assert_eq!(names(&list), ["items"]);
    let items = list["items"].as_array().unwrap();
    assert_eq!(
        names(&items[0]),
        [
            "created_at",
            "expires_at",
            "id",
            "idle_ends_at",
            "is_current",
            "renewed_at",
            "user_agent"
        ]
    );
    let told: Vec<_> =
        items.iter().map(|item| (&item["is_current"], &item["user_agent"])).collect();
    assert_eq!(told, [(&json!(true), &Value::Null), (&json!(false), &json!("Laptop/1.0"))]);
    assert_eq!(items[1]["id"], id.as_str());
    assert_eq!(items[0]["idle_ends_at"], "2026-01-15T12:00:00Z");
    assert_eq!(items[0]["expires_at"], "2026-04-01T12:00:00Z");

    // Somebody else's looks like one that is not there, and is left alone.
    let end = async |user: &User<'_>, id: &str| {
        send(user.request(Method::DELETE, &format!("/v1/sessions/{id}"))).await
    };
    let theirs = end(&eve, &id).await;
    theirs.is_problem(404, "not_found", &[]);
    assert_eq!(theirs.text, end(&eve, "019b796d-d600-7b4d-975d-53cb658fa5fb").await.text);
    end(&alice, "x").await.is_problem(400, "malformed_request", &["id"]);
    let mut on_laptop = world.anyone();
    on_laptop.token = Some(text(&login, "access_token"));
    on_laptop.get("/v1/users/me").await.is(200);

    assert_eq!(end(&alice, &id).await.status, 204);
    on_laptop.get("/v1/users/me").await.is_problem(401, "unauthenticated", &[]);
    renew(&world, &text(&login, "refresh_token")).await.is_problem(401, "unauthenticated", &[]);
    alice.get("/v1/users/me").await.is(200);

    let everywhere = send(alice.request(Method::DELETE, "/v1/sessions")).await;
    assert_eq!(everywhere.status, 204);
    alice.get("/v1/users/me").await.is_problem(401, "unauthenticated", &[]);
    eve.get("/v1/users/me").await.is(200);
}

#[tokio::test]
async fn a_user_changes_their_password_by_the_current_one() {
    const NEW: &str = "staple battery horse";
    let world = World::new().await;
    let alice = world.user("alice").await;
    let elsewhere = world.log_in("alice", alice.id.clone()).await;
    let ask = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        alice.post("/v1/users/me/password", body).await
    };
    let before = world.state().await;
    ask("wrong horse battery", NEW).await.is_problem(422, "wrong_password", &[]);
    ask(&"x".repeat(10_000), NEW).await.is_problem(422, "wrong_password", &[]);
    for bad in ["short", &"correct horse ".repeat(10), "passwordpassword", "alice@example.org"] {
        let refused = ask(PASSWORD, bad).await;
        refused.is_problem(422, "invalid_input", &["new_password"]);
        assert!(!refused.text.contains(bad), "{refused:?}");
    }
    assert_eq!(world.state().await, before);
    elsewhere.get("/v1/users/me").await.is(200);

    let changed = ask(PASSWORD, NEW).await;
    assert_eq!((changed.status.as_u16(), changed.text.as_str()), (204, ""));
    elsewhere.get("/v1/users/me").await.is_problem(401, "unauthenticated", &[]);
    renew(&world, &elsewhere.refresh_token).await.is_problem(401, "unauthenticated", &[]);
    alice.get("/v1/users/me").await.is(200);
    let login = |password: &str| json!({"username": "alice", "password": password});
    let old = world.anyone().post(LOG_IN, login(PASSWORD)).await;
    old.is_problem(401, "wrong_credentials", &[]);
    world.anyone().post(LOG_IN, login(NEW)).await.is(200);
}

/// A page in a browser: what it sends along by itself, and what its script adds.
struct Page<'a> {
    world: &'a World,
    headers: Vec<(&'static str, String)>,
    cookie: Option<String>,
}

impl<'a> Page<'a> {
    fn new(world: &'a World, headers: &[(&'static str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { world, headers, cookie: None }
    }

    /// A page of the bank's own origin.
    fn own(world: &'a World) -> Self {
        Self::new(world, &[("sec-fetch-site", "same-origin"), ("x-csrf-protection", "1")])
    }

    fn request(&self, path: &str) -> RequestBuilder {
        let mut request = self.world.client.post(format!("{}{path}", self.world.base));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        match &self.cookie {
            Some(cookie) => request.header("cookie", format!("theme=dark; {cookie}")),
            None => request,
        }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(path).json(&body)).await
    }

    async fn log_in(&self) -> Answer {
        let body = json!({"username": "alice", "password": PASSWORD, "refresh_token_in": "cookie"});
        self.post(LOG_IN, body).await
    }

    async fn renew(&self) -> Answer {
        self.post(RENEW, json!({"refresh_token_in": "cookie"})).await
    }
}

/// The cookie as the browser sends it back, once it has what keeps it from everybody else.
#[track_caller]
fn cookie(answer: &Answer, max_age_s: u32) -> String {
    let line = answer.header("set-cookie");
    let (pair, attributes) = line.split_once("; ").unwrap();
    let wanted = format!("Max-Age={max_age_s}; Path=/; Secure; HttpOnly; SameSite=Strict");
    assert_eq!(attributes, wanted, "{line}");
    assert!(pair.starts_with("__Host-refresh_token="), "{line}");
    pair.to_owned()
}

#[tokio::test]
async fn a_page_has_its_refresh_token_in_a_cookie_and_never_sees_it() {
    const FORTNIGHT_S: u32 = 14 * 24 * 3600;
    let world = World::new().await;
    world.user("alice").await;
    let mut page = Page::own(&world);
    let login = page.log_in().await;
    let body = login.is(200);
    assert!(body.get("refresh_token").is_none(), "{login:?}");
    let first = cookie(&login, FORTNIGHT_S);
    page.cookie = Some(first.clone());

    world.clock.advance(time::Duration::MINUTE);
    let renewed = page.renew().await;
    assert_eq!(
        names(&renewed.is(200)),
        ["access_token", "access_token_expires_at", "refresh_token_expires_at"]
    );
    let second = cookie(&renewed, FORTNIGHT_S);
    assert_ne!(first, second);
    // The lost answer, by cookie.
    let again = page.renew().await.is(200);
    let mut alice = world.anyone();
    alice.token = Some(text(&again, "access_token"));
    alice.get("/v1/users/me").await.is(200);

    page.cookie = Some(second);
    let out = send(page.request(LOG_OUT)).await;
    assert_eq!((out.status.as_u16(), out.text.as_str()), (204, ""));
    assert_eq!(cookie(&out, 0), "__Host-refresh_token=");
    alice.get("/v1/users/me").await.is_problem(401, "unauthenticated", &[]);
    page.renew().await.is_problem(401, "unauthenticated", &[]);
}

#[tokio::test]
async fn a_cookie_opens_nothing_but_its_own_renewal() {
    let world = World::new().await;
    world.user("alice").await;
    let mut page = Page::own(&world);
    let login = page.log_in().await;
    page.cookie = Some(cookie(&login, 14 * 24 * 3600));
    for (method, path) in [
        (Method::GET, "/v1/users/me"),
        (Method::GET, "/v1/sessions"),
        (Method::DELETE, "/v1/sessions"),
        (Method::GET, "/v1/accounts"),
        (Method::POST, "/v1/accounts"),
        (Method::POST, "/v1/transfers"),
    ] {
        let cookie = page.cookie.clone().unwrap();
        let request = world.client.request(method, format!("{}{path}", world.base));
        let request = request.header("cookie", cookie).header("sec-fetch-site", "same-origin");
        let answer = send(request.header("x-csrf-protection", "1").body("{}")).await;
        answer.is_problem(401, "unauthenticated", &[]);
    }
    // Nor is the access token taken from one.
    let token = login.is(200)["access_token"].as_str().unwrap().to_owned();
    page.cookie = Some(format!("__Host-refresh_token={token}"));
    page.renew().await.is_problem(401, "unauthenticated", &[]);
    page.cookie = None;
    page.renew().await.is_problem(401, "unauthenticated", &[]);
    send(page.request(LOG_OUT)).await.is_problem(401, "unauthenticated", &[]);
}

#[tokio::test]
async fn no_page_of_anybody_else_uses_the_cookie() {
    let app: Origin = "https://app.example".parse().unwrap();
    let world = World::with_origins(&[app]).await;
    world.user("alice").await;
    let own = Page::own(&world);
    let mut jar = cookie(&own.log_in().await, 14 * 24 * 3600);
    let csrf = ("x-csrf-protection", "1");
    let host = world.base.as_str();
    for headers in [
        &[][..],
        &[csrf],
        &[("sec-fetch-site", "same-origin")],
        &[csrf, ("sec-fetch-site", "same-site")],
        &[csrf, ("sec-fetch-site", "cross-site")],
        &[csrf, ("sec-fetch-site", "none")],
        &[csrf, ("sec-fetch-site", "cross-site"), ("origin", host)],
        &[csrf, ("origin", "null")],
        &[csrf, ("origin", "https://evil.example")],
        &[csrf, ("origin", "https://app.example.evil")],
        &[("origin", "https://app.example")],
    ] {
        let page = Page { cookie: Some(jar.clone()), ..Page::new(&world, headers) };
        let refused = [page.log_in().await, page.renew().await, send(page.request(LOG_OUT)).await];
        for answer in refused {
            answer.is_problem(403, "cross_site_request", &[]);
            assert_eq!(answer.header("set-cookie"), "");
        }
        // A form can't say that it sends JSON.
        let form = page.request(RENEW).header("content-type", "text/plain");
        let form = send(form.body(r#"{"refresh_token_in":"cookie"}"#)).await;
        form.is_problem(415, "unsupported_media_type", &[]);
    }
    // The controls: the same cookie, from pages that may; it has not been touched before.
    for headers in [
        &[csrf, ("sec-fetch-site", "same-origin")][..],
        &[csrf, ("origin", host)],
        &[csrf, ("sec-fetch-site", "same-site"), ("origin", "https://app.example")],
    ] {
        let page = Page { cookie: Some(jar.clone()), ..Page::new(&world, headers) };
        let renewed = page.renew().await;
        renewed.is(200);
        jar = cookie(&renewed, 14 * 24 * 3600);
    }
}

#[tokio::test]
async fn a_browser_sends_the_cookie_for_an_allowed_origin_and_only_where_it_counts() {
    let app: Origin = "https://app.example".parse().unwrap();
    let world = World::with_origins(&[app]).await;
    let preflight = async |path: &str, method: &str, origin: &str| {
        let request = world.anyone().request(Method::OPTIONS, path).header("Origin", origin);
        let request = request.header("Access-Control-Request-Method", method);
        let headers = "content-type,x-csrf-protection";
        send(request.header("Access-Control-Request-Headers", headers)).await
    };
    for path in [LOG_IN, RENEW, LOG_OUT] {
        let answer = preflight(path, "POST", "https://app.example").await;
        assert_eq!(answer.header("access-control-allow-credentials"), "true", "{path}");
        assert!(answer.header("access-control-allow-headers").contains("x-csrf-protection"));
        let answer = preflight(path, "POST", "https://evil.example").await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
    let answer = preflight("/v1/sessions", "DELETE", "https://app.example").await;
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert!(answer.header("access-control-allow-methods").contains("DELETE"));
}
