//! What browsers look at: security headers, CORS, request ids; and problems where there is no route.

use reqwest::{Method, header::HeaderMap};
use simplebank_http::{EDGE_CODES, Origin};

use crate::support::{World, send};

pub(crate) fn check_security(headers: &HeaderMap, path: &str) {
    let value = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!(value("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(value("referrer-policy"), "no-referrer", "{path}");
    assert_eq!(value("x-frame-options"), "DENY", "{path}");
    assert!(value("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
    assert!(value("content-security-policy").contains("base-uri 'none'"), "{path}");
    assert!(value("x-request-id").len() >= 36, "{path}");
    assert!(!headers.contains_key("server"), "{path}");
    if path.starts_with("/v1") {
        assert_eq!(value("cache-control"), "no-store", "{path}");
        assert!(value("content-security-policy").starts_with("default-src 'none'"), "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for (method, path, status) in [
        (Method::GET, "/v1/users/me", 200),
        (Method::HEAD, "/v1/users/me", 200),
        (Method::GET, "/v1/accounts/x", 400),
        (Method::POST, "/v1/accounts", 415),
        (Method::DELETE, "/v1/accounts", 405),
        (Method::GET, "/v1/nothing", 404),
        (Method::GET, "/", 404),
        (Method::GET, "/health/live", 200),
        (Method::GET, "/openapi.json", 200),
        (Method::GET, "/docs/", 200),
        (Method::GET, "/docs/nothing.js", 404),
        (Method::OPTIONS, "/v1/accounts", 405),
    ] {
        let answer = send(alice.request(method, path)).await;
        assert_eq!(answer.status, status, "{path}");
        check_security(&answer.headers, path);
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let world = World::new().await;
    let anyone = world.anyone();
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/users",
        "/v1/users/",
        "/v1//users/me",
        "/v1/users/me/",
        "/%00",
        "/metrics",
    ] {
        anyone.get(path).await.is_problem(404, "not_found", &[]);
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/v1/users/me", &["GET", "HEAD"][..]),
        (Method::PUT, "/v1/transfers", &["GET", "HEAD", "POST"]),
        (Method::GET, "/v1/users/login", &["POST"]),
        (Method::from_bytes(b"BREW").unwrap(), "/v1/accounts", &["GET", "HEAD", "POST"]),
    ] {
        let answer = send(anyone.request(method, path)).await;
        answer.is_problem(405, "method_not_allowed", &[]);
        let mut told: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        told.sort_unstable();
        assert_eq!(told, allowed, "{path}");
    }
}

#[tokio::test]
async fn a_request_id_is_echoed_if_it_is_one() {
    let world = World::new().await;
    let ask = async |id: &str| {
        let request =
            world.anyone().request(Method::GET, "/health/live").header("x-request-id", id);
        send(request).await.header("x-request-id").to_owned()
    };
    assert_eq!(ask("my-id_1.2").await, "my-id_1.2");
    for bad in ["", "two words", "a\"b", "{}", &"x".repeat(65), "\u{e9}"] {
        let id = ask(bad).await;
        assert_eq!(id.len(), 36, "{bad}: {id}");
    }
}

#[tokio::test]
async fn pages_of_allowed_origins_may_use_the_bank_and_no_others() {
    let origin: Origin = "https://app.example".parse().unwrap();
    let world = World::with_origins(&[origin]).await;
    let ask =
        async |method: Method, origin: &str| {
            let request = world.anyone().request(method, "/v1/accounts").header("Origin", origin);
            send(request.header("Access-Control-Request-Method", "POST").header(
                "Access-Control-Request-Headers",
                "authorization,content-type,idempotency-key",
            ))
            .await
        };
    let preflight = ask(Method::OPTIONS, "https://app.example").await;
    assert_eq!(preflight.status, 200);
    assert_eq!(preflight.header("access-control-allow-origin"), "https://app.example");
    assert!(preflight.header("access-control-allow-headers").contains("idempotency-key"));
    assert!(!preflight.headers.contains_key("access-control-allow-credentials"));
    check_security(&preflight.headers, "/v1/accounts");
    let refused = ask(Method::GET, "https://app.example").await;
    assert_eq!(refused.header("access-control-allow-origin"), "https://app.example");
    assert!(refused.header("vary").contains("origin"));
    for other in
        ["https://app.example.evil", "http://app.example", "https://app.example:444", "null", "*"]
    {
        for method in [Method::OPTIONS, Method::GET] {
            let answer = ask(method, other).await;
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{other}");
        }
    }
}

#[tokio::test]
async fn without_allowed_origins_there_is_no_cors() {
    let world = World::new().await;
    let request = world.anyone().request(Method::GET, "/health/live");
    let answer = send(request.header("Origin", "https://app.example")).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[test]
fn every_code_of_the_edge_is_named_once_and_in_snake_case() {
    let mut codes = EDGE_CODES.to_vec();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), EDGE_CODES.len());
    for code in codes {
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
    }
}
