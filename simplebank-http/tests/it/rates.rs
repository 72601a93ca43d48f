//! Who asks too often is turned away, and nobody else with them.

use reqwest::Method;
use serde_json::json;
use simplebank_http::{Edge, ForwardedHeader, Proxies, RateLimits};

use crate::support::{Answer, PASSWORD, World, send};

fn limits(entries_per_minute: u32, requests_per_second: u32) -> Option<RateLimits> {
    let [entries_per_minute, requests_per_second] =
        [entries_per_minute, requests_per_second].map(|number| number.try_into().unwrap());
    Some(RateLimits { entries_per_minute, requests_per_second })
}

/// The proxy is this machine, where the tests' clients are.
fn behind_a_proxy(header: ForwardedHeader) -> Proxies {
    Proxies { trusted: vec!["127.0.0.0/8".parse().unwrap()], header }
}

/// A try to renew with a token that is none: it costs the server nothing.
async fn enter(world: &World, headers: &[(&str, &str)]) -> Answer {
    let mut request = world.anyone().request(Method::POST, "/v1/tokens/renew_access");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request.json(&json!({"refresh_token": "x"}))).await
}

/// How many of so many tries are let in.
async fn let_in(
    world: &World,
    tries: u32,
    headers: impl Fn(u32) -> Vec<(&'static str, String)>,
) -> u32 {
    let mut count = 0;
    for number in 0..tries {
        let headers = headers(number);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = enter(world, &headers).await;
        if answer.status == 401 {
            count += 1;
        } else {
            answer.is_problem(429, "rate_limited", &[]);
            let wait_s: u64 = answer.header("retry-after").parse().unwrap();
            assert!((1..=61).contains(&wait_s), "{answer:?}");
            assert_eq!(answer.header("x-frame-options"), "DENY");
            assert!(!answer.header("x-request-id").is_empty());
        }
    }
    count
}

#[tokio::test]
async fn who_tries_too_often_is_told_to_wait_and_can_do_everything_else() {
    let world = World::with_edge(Edge { rate_limits: limits(12, 10_000), ..Edge::default() }).await;
    let alice = world.user("alice").await;
    // Two of the twelve registered her and logged her in; another may come back while this runs.
    let let_in = let_in(&world, 40, |_| Vec::new()).await;
    assert!((10..=14).contains(&let_in), "{let_in}");
    alice.get("/v1/users/me").await.is(200);
    world.anyone().get("/v1/verify-email").await.is_problem(400, "malformed_request", &["id"]);
}

/// The control: it is the limit that turns them away.
#[tokio::test]
async fn without_limits_nobody_is_turned_away() {
    let world = World::new().await;
    assert_eq!(let_in(&world, 40, |_| Vec::new()).await, 40);
}

#[tokio::test]
async fn a_forged_header_resets_nothing() {
    let forged = |number: u32| {
        vec![
            ("X-Forwarded-For", format!("198.51.100.{number}")),
            ("Forwarded", format!("for=198.51.100.{number}")),
        ]
    };
    let rate_limits = limits(12, 10_000);
    // Nobody is trusted.
    let world = World::with_edge(Edge { rate_limits, ..Edge::default() }).await;
    let count = let_in(&world, 40, forged).await;
    assert!((12..=16).contains(&count), "{count}");
    // The proxy appends whom it speaks for: what the client wrote stands to the left, or in the other header.
    let proxies = behind_a_proxy(ForwardedHeader::XForwardedFor);
    let world = World::with_edge(Edge { rate_limits, proxies, ..Edge::default() }).await;
    let appended = |number: u32| {
        vec![
            ("X-Forwarded-For", format!("198.51.100.{number}, 203.0.113.7")),
            ("Forwarded", format!("for=198.51.100.{number}")),
        ]
    };
    let count = let_in(&world, 40, appended).await;
    assert!((12..=16).contains(&count), "{count}");
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_a_limit_of_its_own() {
    let rate_limits = limits(12, 10_000);
    for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
        let proxies = behind_a_proxy(header);
        let world = World::with_edge(Edge { rate_limits, proxies, ..Edge::default() }).await;
        let from = |address: String| match header {
            ForwardedHeader::XForwardedFor => vec![("X-Forwarded-For", address)],
            ForwardedHeader::Forwarded => vec![("Forwarded", format!("for=\"[{address}]\""))],
        };
        // Whoever has one of these addresses has all of them.
        let count = let_in(&world, 40, |n| from(format!("2001:db8::{n:x}"))).await;
        assert!((12..=16).contains(&count), "{count}");
        let count = let_in(&world, 40, |n| from(format!("2001:db8:0:{:x}::1", n + 1))).await;
        assert_eq!(count, 40);
    }
}

#[tokio::test]
async fn one_name_is_tried_a_few_times_and_its_owner_still_gets_in() {
    let proxies = behind_a_proxy(ForwardedHeader::XForwardedFor);
    let world =
        World::with_edge(Edge { rate_limits: limits(30, 10_000), proxies, ..Edge::default() })
            .await;
    let log_in = async |address: &str, username: &str, password: &str| {
        let request = world.anyone().request(Method::POST, "/v1/users/login");
        let request = request.header("X-Forwarded-For", address);
        send(request.json(&json!({"username": username, "password": password}))).await
    };
    world.user("alice").await;
    log_in("203.0.113.1", "alice", PASSWORD).await.is(200);
    // From one network a name has five tries.
    let mut codes = Vec::new();
    for _ in 0..6 {
        let answer = log_in("203.0.113.2", "alice", "a wrong passphrase").await;
        codes.push(answer.json()["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(codes[..5], ["wrong_credentials"; 5]);
    assert_eq!(codes[5], "rate_limited");
    // Whether the name exists makes no difference, and another name has tries of its own.
    for _ in 0..5 {
        let answer = log_in("203.0.113.2", "nobody", PASSWORD).await;
        answer.is_problem(401, "wrong_credentials", &[]);
    }
    log_in("203.0.113.2", "nobody", PASSWORD).await.is_problem(429, "rate_limited", &[]);
    // From everywhere together it has thirty, but where its owner has been before they are not counted.
    let mut refused = 0;
    for number in 0..30 {
        let answer = log_in(&format!("198.51.100.{number}"), "alice", "wrong").await;
        refused += u32::from(answer.status == 429);
    }
    assert!(refused > 0);
    log_in("203.0.113.1", "alice", PASSWORD).await.is(200);
}

#[tokio::test]
async fn a_user_who_asks_too_often_is_told_to_wait_and_others_are_not() {
    let world = World::with_edge(Edge { rate_limits: limits(600, 1), ..Edge::default() }).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut refused = None;
    for _ in 0..20 {
        let answer = alice.get("/v1/users/me").await;
        if answer.status != 200 {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("more than one request in a second");
    refused.is_problem(429, "rate_limited", &[]);
    assert!(["1", "2"].contains(&refused.header("retry-after")), "{refused:?}");
    bob.get("/v1/users/me").await.is(200);
}
