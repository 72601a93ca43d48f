//! HTTP/1.1 that two readers could read differently, that never ends, or that nobody reads.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, pause, sleep},
};

use crate::{
    connections::{read_to_end, say, statuses},
    support::World,
};

/// What is to be smuggled in: answered, it says `live`.
const HIDDEN: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

/// Heads whose body has no one length, or whose lines have no one end.
const HEADS: [&str; 34] = [
    "Host: x\r\nContent-Length: 5, 5",
    "Host: x\r\nContent-Length: 5\r\nContent-Length: 6",
    "Host: x\r\nContent-Length: 0x5",
    "Host: x\r\nContent-Length: -1",
    "Host: x\r\nContent-Length: +5",
    "Host: x\r\nContent-Length: 5 5",
    "Host: x\r\nContent-Length:",
    "Host: x\r\nContent-Length: 1e1",
    "Host: x\r\nContent-Length: 99999999999999999999",
    "Host: x\r\nContent-Length : 5",
    "Host: x\r\nContent-Length: \u{b}5",
    "Host: x\r\n Content-Length: 5",
    "Host: x\r\nX: a\r\n Transfer-Encoding: chunked",
    "Host: x\r\nX: a\r\n\tb",
    "Host: x\r\nTransfer-Encoding: chunked\r\n Content-Length: 5",
    "Host: x\r\nTransfer-Encoding: \u{b}chunked",
    "Host: x\r\nTransfer-Encoding: chunked\u{b}",
    "Host: x\r\nTransfer-Encoding: \"chunked\"",
    "Host: x\r\nTransfer-Encoding: chunked;q=1",
    "Host: x\r\nTransfer-Encoding: chunked, chunked",
    "Host: x\r\nTransfer-Encoding: gzip, chunked",
    "Host: x\r\nTransfer-Encoding: chunked, gzip",
    "Host: x\r\nTransfer-Encoding: identity",
    "Host: x\r\nTransfer-Encoding:",
    "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x",
    "Host: x\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked",
    "Host: x\r\nTransfer\rEncoding: chunked",
    "Host: x\r\nTransfer-Encoding\u{0}: chunked",
    "Host: x\r\nX: a\rTransfer-Encoding: chunked",
    "Host: x\r\nX: a\0b",
    "Host: x\r\n: chunked",
    "Host: x\r\nno colon",
    "Host: x\r\nHost: x",
    "Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
];

#[tokio::test]
async fn no_head_hides_a_request() {
    let world = World::new().await;
    let before = world.state().await;
    for head in HEADS {
        // Ends as chunks and, read as text, is followed by a whole request.
        let request = format!("POST /v1/users HTTP/1.1\r\n{head}\r\n\r\n0\r\n\r\n{HIDDEN}");
        let answer = say(&world, request).await;
        assert_eq!(statuses(&answer).len(), 1, "{head:?}: {answer}");
        assert!(answer.starts_with("HTTP/1.1 4"), "{head:?}: {answer}");
        assert!(!answer.contains("\"live\""), "{head:?}: {answer}");
    }
    assert_eq!(world.state().await, before);
}

/// Hyper understands a line feed alone as the end of a line, which RFC 9112 §2.2 allows; what matters is that a request
/// that uses it is one request to us, too.
#[tokio::test]
async fn a_bare_line_feed_hides_no_request_behind_chunks() {
    let world = World::new().await;
    for head in [
        "Host: x\nTransfer-Encoding: chunked",
        "Host: x\r\nX: a\nTransfer-Encoding: chunked",
        "Host: x\r\nContent-Length: 5\nTransfer-Encoding: chunked",
        "Host: x\nTransfer-Encoding: chunked\r\nContent-Length: 5",
    ] {
        let request = format!("POST /v1/users HTTP/1.1\r\n{head}\r\n\r\n0\r\n\r\n{HIDDEN}");
        let answer = say(&world, request).await;
        assert_eq!(statuses(&answer).len(), 1, "{head:?}: {answer}");
        assert!(!answer.contains("\"live\""), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn no_chunk_hides_a_request() {
    let world = World::new().await;
    let before = world.state().await;
    let head = "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    for chunks in [
        "0x2\r\n{}\r\n0\r\n\r\n",
        "-1\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
        "g\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
        "2\r{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2;a=\n\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}xx0\r\n\r\n",
        "2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n",
        "2\r\n{}\r\n0\r\n\r\n",
    ] {
        let answer = say(&world, format!("{head}{chunks}{HIDDEN}")).await;
        assert!(statuses(&answer).len() <= 1, "{chunks:?}: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{chunks:?}: {answer}");
        assert!(!answer.contains("\"live\""), "{chunks:?}: {answer}");
    }
    // An extension that never ends.
    let endless = format!("{head}2;{}", "a".repeat(1 << 20));
    let answer = say(&world, endless).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn strange_request_lines_are_refused() {
    let world = World::new().await;
    for line in [
        "GET /health/live",
        "GET /health/live HTTP/0.9",
        "GET /health/live HTTP/2.0",
        "GET /health/live HTTP/1.2",
        "GET /health/live http/1.1",
        "GET  /health/live HTTP/1.1",
        "GET\t/health/live HTTP/1.1",
        "GET /health/live HTTP/1.1 ",
        "GET /health/live\0 HTTP/1.1",
        "GET /health/l\u{e9}\u{0} HTTP/1.1",
        "GET health/live HTTP/1.1",
        "/health/live HTTP/1.1",
        "CONNECT x:443 HTTP/1.1",
        "TRACE /health/live HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "G\u{1}T /health/live HTTP/1.1",
        &format!("GET /{} HTTP/1.1", "a".repeat(20_000)),
        &format!("{} / HTTP/1.1", "A".repeat(20_000)),
    ] {
        let answer = say(&world, format!("{line}\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{line:.60?}: {answer}");
        assert!(!answer.contains("\"live\""), "{line:.60?}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_was_promised_and_refused_is_not_taken_for_a_request() {
    let world = World::new().await;
    let length = HIDDEN.len();
    for (head, body) in [
        (format!("Expect: 100-continue\r\nContent-Length: {length}"), HIDDEN.to_owned()),
        (
            format!("Content-Length: {length}\r\nUpgrade: h2c\r\nConnection: upgrade"),
            HIDDEN.to_owned(),
        ),
        (format!("Content-Length: {}", length + (1 << 20)), HIDDEN.repeat(1 + (1 << 20) / length)),
        (
            "Expect: 100-continue\r\nTransfer-Encoding: chunked".to_owned(),
            format!("{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n"),
        ),
    ] {
        for path in ["/v1/users", "/v1/transfers", "/v1/accounts/x/freeze", "/nothing"] {
            let close = "GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            let request = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n{body}{close}");
            let answer = say(&world, request).await;
            assert!(!answer.contains("\"live\""), "{path} {head}: {answer}");
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
                "{path} {head}: {answer}"
            );
        }
    }
}

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.base.strip_prefix("http://").unwrap()).await.unwrap()
}

/// A head or a body that comes byte by byte, each in time, has a limit as a whole. The clock is paused: seconds pass when
/// nobody has anything else to do.
#[tokio::test]
async fn who_sends_byte_by_byte_is_cut_off() {
    let world = World::new().await;
    pause();
    let body = "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n";
    let chunks = "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (begin, drop, status) in
        [("GET / HTTP/1.1\r\nX: ", "a", ""), (body, " ", "408"), (chunks, "1\r\n \r\n", "408")]
    {
        let begun = Instant::now();
        let mut stream = connect(&world).await;
        stream.write_all(begin.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let dripping = tokio::spawn(async move {
            while writer.write_all(drop.as_bytes()).await.is_ok() {
                sleep(Duration::from_millis(500)).await;
            }
        });
        let mut bytes = Vec::new();
        // A connection that is reset has ended as well.
        let _ = reader.read_to_end(&mut bytes).await;
        let answer = String::from_utf8(bytes).unwrap();
        assert_eq!(statuses(&answer).first().copied().unwrap_or(""), status, "{begin}: {answer}");
        let waited = begun.elapsed();
        assert!(
            waited >= Duration::from_secs(9) && waited <= Duration::from_secs(25),
            "{waited:?}"
        );
        dripping.abort();
    }
}

/// Whoever asks for much and takes nothing is let go, and what was made for him with him.
#[tokio::test]
async fn who_does_not_read_is_cut_off() {
    const TIMES: usize = 64;
    let world = World::new().await;
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n";
    let close = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let whole = say(&world, close).await.len();
    assert!(whole > 100_000, "{whole}");
    pause();
    let begun = Instant::now();
    let mut stream = connect(&world).await;
    stream.write_all(request.repeat(TIMES).as_bytes()).await.unwrap();
    // The server's patience ends at 30 s.
    sleep(Duration::from_secs(120)).await;
    assert!(begun.elapsed() >= Duration::from_secs(120));
    let taken = read_to_end(stream).await.len();
    assert!(taken < whole * TIMES, "{taken} bytes of {}", whole * TIMES);
}
