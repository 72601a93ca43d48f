//! Much at once: what it costs us is bounded, and others are served meanwhile.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use serde_json::json;
use simplebank::testing::TestDatabase;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    binary::{Running, binary, home},
    support::{Answer, PASSWORD, World, client, send, transfer_body},
};

/// What an Argon2id hash of ours takes for its time, in KiB.
const HASH_KIB: u64 = 19 * 1024;
/// What everything else may take for so many requests at once, in KiB: connections, buffers, the allocator's reserve.
const REST_KIB: u64 = 96 * 1024;
const LOGINS: usize = 500;

/// The most memory that a process has had, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Five hundred logins at once take as much memory as one hash for each core, the server says that it lives, and whom it
/// turns away it tells when to come back.
#[tokio::test]
async fn five_hundred_logins_at_once_are_bounded() {
    let (home, database) = (home(), TestDatabase::new().await);
    let mut command = binary(&home);
    command.env("DATABASE_URL", database.url()).env("ALLOW_UNSAFE_DURABILITY", "true");
    // What bounds them is to be seen, not who is let in.
    command.env("LOGIN_RATE_LIMIT", "100000").env("RUST_LOG", "warn");
    let server = Running::start(&mut command);
    let client = client();
    let registration = json!({
        "username": "alice", "password": PASSWORD, "full_name": "A", "email": "alice@example.org",
    });
    send(client.post(format!("{}/v1/users", server.base)).json(&registration)).await.is(201);
    let before_kib = peak_kib(server.child.id());
    let logins: Vec<_> = (0..LOGINS)
        .map(|number| {
            // Half of them are somebody's.
            let username =
                if number % 2 == 0 { "alice".to_owned() } else { format!("nobody{number}") };
            let body = json!({"username": username, "password": "not the password"});
            tokio::spawn(send(client.post(format!("{}/v1/users/login", server.base)).json(&body)))
        })
        .collect();
    let lives = look_while(&server.base, || !logins.iter().all(|login| login.is_finished())).await;
    let (mut wrong, mut refused) = (0, 0);
    for login in logins {
        let answer = login.await.unwrap();
        match answer.status.as_u16() {
            401 => wrong += 1,
            _ => {
                check_turned_away(&answer);
                refused += 1;
            }
        }
    }
    let taken_kib = peak_kib(server.child.id()) - before_kib;
    let cores = u64::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    #[expect(clippy::print_stdout, reason = "a figure, for whoever asks for it with --nocapture")]
    {
        println!(
            "{LOGINS} logins at once: {wrong} judged, {refused} turned away, {} MiB more; {} looks at /health/live, the slowest {:?}",
            taken_kib / 1024,
            lives.len(),
            lives.iter().max().unwrap(),
        );
    }
    assert!(wrong > 0 && wrong + refused == LOGINS);
    // Without the bound it would be 500 hashes: more than 9 GiB.
    assert!(taken_kib <= cores * HASH_KIB + REST_KIB, "{taken_kib} KiB");
    let (code, _, logs) = server.stop();
    assert_eq!(code, Some(0), "{logs}");
}

/// Asks whether the server lives as long as something goes on; returns how long each answer took.
async fn look_while(base: &str, goes_on: impl Fn() -> bool) -> Vec<Duration> {
    let client = Client::builder().no_proxy().build().unwrap();
    let mut took = Vec::new();
    loop {
        let begun = Instant::now();
        let answer = client.get(format!("{base}/health/live")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        took.push(begun.elapsed());
        if !goes_on() {
            return took;
        }
    }
}

fn check_turned_away(answer: &Answer) {
    // Too many of them, or too many who wait for the database.
    match answer.status.as_u16() {
        503 => answer.is_problem(503, "overloaded", &[]),
        _ => answer.is_problem(429, "too_many_requests", &[]),
    };
    let seconds: u32 = answer.header("retry-after").parse().unwrap();
    assert!(seconds >= 1, "{answer:?}");
}

/// Clients that begin a payment and never finish it have no connection to the database: there are only ten.
#[tokio::test]
async fn slow_clients_hold_no_database_connection() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "10").await.is(201);
    let token = alice.token.clone().unwrap();
    let mut slow = Vec::new();
    for number in 0..64 {
        let mut stream =
            TcpStream::connect(world.base.strip_prefix("http://").unwrap()).await.unwrap();
        let head = format!(
            "POST /v1/transfers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: slow{number}\r\n\
             Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for number in 0..3 {
        alice.transfer(&format!("t{number}"), &from, &to, "1").await.is(201);
        alice.get("/v1/accounts").await.is(200);
    }
    drop(slow);
    assert_eq!(alice.balance(&from).await, "7.00");
    world.state().await;
}

/// More at once than there are connections to the database: each is served or told when to come back, and none is lost.
#[tokio::test]
async fn more_requests_than_connections_are_served_or_told_to_come_back() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let banker = world.banker("banker").await;
    let (from, to) = (alice.account("EUR").await, bob.account("EUR").await);
    banker.deposit("start", &from, "1000").await.is(201);
    let requests: Vec<_> = (0..300)
        .map(|number| {
            let key = format!("crowd{number}");
            let request = match number % 3 {
                0 => alice.request(Method::GET, "/v1/accounts"),
                1 => alice.request(Method::GET, &format!("/v1/accounts/{from}/entries")),
                _ => alice
                    .request(Method::POST, "/v1/transfers")
                    .header("Idempotency-Key", key)
                    .json(&transfer_body(&from, &to, "1")),
            };
            tokio::spawn(send(request))
        })
        .collect();
    let mut moved = 0;
    for (number, request) in requests.into_iter().enumerate() {
        let answer = request.await.unwrap();
        match answer.status.as_u16() {
            200 => {}
            201 => moved += 1,
            503 => assert_ne!(answer.header("retry-after"), "", "{answer:?}"),
            _ => panic!("{number}: {answer:?}"),
        }
    }
    assert_eq!(alice.balance(&from).await, format!("{}.00", 1000 - moved));
    world.state().await;
}
