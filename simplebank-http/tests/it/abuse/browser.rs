//! Pages of other sites that use the browser of somebody who is logged in.

use reqwest::{Method, header};

use super::routes::Route;
use crate::{
    browser::check_security,
    support::{World, send},
};

/// A page can make a browser send these without asking first (Fetch §2.2.2).
const SIMPLE: [&str; 3] =
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"];

#[tokio::test]
async fn every_route_answers_with_the_security_headers_whatever_it_says() {
    let world = World::new().await;
    let banker = world.banker("banker").await;
    for route in Route::all(&world).await {
        for request in [
            route.request(&world.anyone()),
            route.request(&banker),
            route.request(&banker).header("Content-Type", "application/json").body("{"),
            route.request(&banker).header("Origin", "https://evil.example"),
            banker.request(Method::TRACE, &route.path_of("x")),
            banker.request(Method::PUT, &route.path_of("x")),
        ] {
            let answer = send(request).await;
            check_security(&answer.headers, &route.path);
            assert!(answer.status != 500, "{route:?}: {answer:?}");
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{answer:?}");
            let content_type = answer.header("content-type");
            let is_told = content_type.contains("json") || content_type.contains("charset=utf-8");
            assert!(is_told || answer.text.is_empty(), "{route:?}: {answer:?}");
        }
    }
}

/// What a form or a picture on another page can send does nothing: it can't bring the token along.
#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let token = alice.token.clone().unwrap();
    let before = world.state().await;
    for route in Route::all(&world).await {
        for content_type in SIMPLE {
            let request = world.anyone().request(Method::POST, &route.path_of("x"));
            let request = request
                .header(header::ORIGIN, "https://evil.example")
                .header(header::COOKIE, format!("token={token}; session={token}"))
                .header(header::CONTENT_TYPE, content_type);
            let answer = send(request.body("{\"amount\":\"1\"}")).await;
            assert!(answer.status.is_client_error(), "{route:?}: {answer:?}");
        }
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn looking_changes_nothing() {
    let world = World::new().await;
    let banker = world.banker("banker").await;
    let account = banker.account("EUR").await;
    let before = world.state().await;
    for route in Route::all(&world).await {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let answer = send(banker.request(method, &route.path_of(&account))).await;
            assert!(!answer.status.is_server_error(), "{route:?}: {answer:?}");
        }
    }
    assert_eq!(world.state().await, before);
}
