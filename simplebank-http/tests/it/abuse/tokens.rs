//! Tokens of every kind that somebody has made, altered, taken from elsewhere or kept for too long.

use reqwest::{Method, StatusCode, header};
use serde_json::json;
use simplebank::{
    Bank,
    core::{Role, SessionId, TokenId, UserId},
    token::{
        Claims, EdDsa, Hs256, KeyRing, PasetoLocal, PasetoPublic, SecretKey, SymmetricKey,
        TokenKind, TokenMaker,
    },
};
use simplebank_http::{router, server::Limits};
use time::{Duration, OffsetDateTime};

use super::routes::Route;
use crate::support::{Answer, Server, User, World, client, send};

/// One maker of each kind, with these keys.
fn makers(shared: &SymmetricKey, pair: &SecretKey) -> [Box<dyn TokenMaker>; 4] {
    [
        Box::new(PasetoLocal::new(shared)),
        Box::new(PasetoPublic::new(pair)),
        Box::new(Hs256::new(shared)),
        Box::new(EdDsa::new(pair)),
    ]
}

fn keys() -> (SymmetricKey, SecretKey) {
    (SymmetricKey::generate().unwrap(), SecretKey::generate().unwrap())
}

/// What the bank itself would say in an access token of this session.
fn claims(user: &User<'_>, session: &str, now: OffsetDateTime) -> Claims {
    Claims {
        id: TokenId::from_parts(1, [1; 10]),
        subject: UserId::from_uuid(user.id.parse().unwrap()),
        role: Role::Depositor,
        session: SessionId::from_uuid(session.parse().unwrap()),
        kind: TokenKind::Access,
        issuer: "simplebank".to_owned(),
        audience: "simplebank".to_owned(),
        issued_at: now,
        not_before: now,
        expires_at: now + Duration::minutes(15),
    }
}

/// What the holder of the key itself must not get away with: each claim wrong on its own.
fn wrong_claims(good: &Claims, now: OffsetDateTime) -> Vec<(&'static str, Claims)> {
    let other = |text: &str| text.to_owned();
    let with = |change: &dyn Fn(&mut Claims)| {
        let mut claims = good.clone();
        change(&mut claims);
        claims
    };
    vec![
        ("refresh", with(&|claims| claims.kind = TokenKind::Refresh)),
        ("issuer", with(&|claims| claims.issuer = other("otherbank"))),
        ("audience", with(&|claims| claims.audience = other("simplebank.example"))),
        ("no audience", with(&|claims| claims.audience = String::new())),
        ("expired", with(&|claims| claims.expires_at = now)),
        ("not yet", with(&|claims| claims.not_before = now + Duration::SECOND)),
        ("from the future", with(&|claims| claims.issued_at = now + Duration::MINUTE)),
        ("no such session", with(&|claims| claims.session = SessionId::from_parts(1, [9; 10]))),
        ("of nobody", with(&|claims| claims.subject = UserId::from_parts(1, [9; 10]))),
    ]
}

async fn show(world: &World, token: &str) -> Answer {
    let request = world.anyone().request(Method::GET, "/v1/users/me");
    send(request.header(header::AUTHORIZATION, format!("Bearer {token}"))).await
}

async fn session(world: &World, username: &str) -> String {
    let body = json!({"username": username, "password": crate::support::PASSWORD});
    let login = world.anyone().post("/v1/users/login", body).await.is(200);
    login["session_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn no_forged_token_of_any_kind_opens_the_bank() {
    let ((shared, pair), (others_shared, others_pair)) = (keys(), keys());
    for (at, maker) in makers(&shared, &pair).into_iter().enumerate() {
        let world = World::built(&[], |builder| builder.tokens(maker)).await;
        let alice = world.user("alice").await;
        let now = OffsetDateTime::from_unix_timestamp(1_767_268_800).unwrap();
        let good = claims(&alice, &session(&world, "alice").await, now);
        let ours = &makers(&shared, &pair)[at];
        let genuine = ours.issue(&good).unwrap();
        show(&world, &genuine).await.is(200);

        let uniform = world.anyone().get("/v1/users/me").await;
        let mut forged: Vec<(String, String)> = Vec::new();
        for (what, claims) in wrong_claims(&good, now) {
            if let Ok(token) = ours.issue(&claims) {
                forged.push((what.to_owned(), token));
            }
        }
        assert!(forged.len() >= 7, "{forged:?}");
        for (other, maker) in makers(&others_shared, &others_pair).iter().enumerate() {
            forged.push((format!("another's key, {other}"), maker.issue(&good).unwrap()));
        }
        for (other, maker) in makers(&shared, &pair).iter().enumerate() {
            if other != at {
                forged.push((format!("another kind, {other}"), maker.issue(&good).unwrap()));
            }
        }
        for place in (0..genuine.len()).step_by(genuine.len() / 40) {
            let mut bytes = genuine.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            forged.push((format!("byte {place}"), String::from_utf8(bytes).unwrap()));
        }
        for unsigned in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOT05FIiwidHlwIjoiSldUIn0"] {
            let payload = genuine.split('.').nth(1).unwrap();
            forged.push(("unsigned".to_owned(), format!("{unsigned}.{payload}.")));
        }
        for (what, token) in forged {
            let answer = show(&world, &token).await;
            answer.is_problem(401, "unauthenticated", &[]);
            assert_eq!(answer.text, uniform.text, "{what}");
        }
    }
}

#[tokio::test]
async fn no_private_route_answers_to_anything_but_an_access_token() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (access, refresh) = (alice.token.clone().unwrap(), alice.refresh_token.clone());
    let before = world.state().await;
    let uniform = world.anyone().get("/v1/users/me").await.text;
    for route in Route::all(&world).await {
        if !route.is_private {
            continue;
        }
        let ask = || route.request(&world.anyone()).header("Content-Type", "application/json");
        let in_query = format!("{}?access_token={access}", route.path_of("x"));
        for (what, request) in [
            ("nothing", ask()),
            ("a refresh token", ask().bearer_auth(&refresh)),
            ("in a cookie", ask().header(header::COOKIE, format!("access_token={access}"))),
            ("as a password", ask().basic_auth("alice", Some(&access))),
            ("twice", ask().bearer_auth(&access).bearer_auth(&access)),
            ("in the query", world.anyone().request(route.method.clone(), &in_query)),
        ] {
            let answer = send(request.body("{")).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {route:?} {answer:?}");
            assert_eq!(answer.text, uniform, "{what}: {route:?}");
        }
    }
    assert_eq!(world.state().await, before);
}

/// The key changes while somebody is logged in, who notices nothing; the old key is dropped, and its tokens are nothing.
#[tokio::test]
async fn a_new_key_logs_nobody_out() {
    let ((old, _), (new, _)) = (keys(), keys());
    let world = World::built(&[], |builder| builder.tokens(PasetoLocal::new(&old))).await;
    let alice = world.user("alice").await;
    let both = KeyRing::new(new.clone()).accepting(&old).unwrap();
    let rotated = another_server(&world, PasetoLocal::new(both)).await;
    let dropped = another_server(&world, PasetoLocal::new(&new)).await;

    let me = |server: &Server| format!("http://{}/v1/users/me", server.address);
    let access = alice.token.clone().unwrap();
    let ask = async |server: &Server, token: &str| {
        send(client().get(me(server)).bearer_auth(token)).await
    };
    ask(&rotated, &access).await.is(200);
    let renewed = send(
        client()
            .post(format!("http://{}/v1/tokens/renew_access", rotated.address))
            .json(&json!({"refresh_token": alice.refresh_token})),
    )
    .await
    .is(200);
    let renewed = renewed["access_token"].as_str().unwrap();
    for server in [&rotated, &dropped] {
        ask(server, renewed).await.is(200);
    }
    ask(&dropped, &access).await.is_problem(401, "unauthenticated", &[]);
    show(&world, renewed).await.is_problem(401, "unauthenticated", &[]);
}

/// Another server of the same bank.
async fn another_server(world: &World, tokens: impl TokenMaker + 'static) -> Server {
    let builder = Bank::builder(world.database.db().clone()).clock(world.clock.clone());
    Server::start(router(builder.tokens(tokens).build().unwrap(), &[]), Limits::default()).await
}
