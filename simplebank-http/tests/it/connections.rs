//! The accept loop: clients that are slow, silent, too many or strange, and an orderly end.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use simplebank_http::server::{End, Limits};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
};

use crate::support::{Server, World, client};

/// Short enough to be waited for; nothing depends on how much longer it takes.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_millis(200);

fn app() -> Router {
    Router::new().route("/", get(async || "here"))
}

/// A client that speaks for itself.
async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Everything until the server closes the connection.
pub(crate) async fn read_to_end(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is reset has ended as well.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_head_that_does_not_arrive_is_not_waited_for() {
    let limits = Limits { head_timeout: HEAD_TIMEOUT, ..Limits::default() };
    let server = Server::start(app(), limits).await;
    for sent in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "]
    {
        let mut stream = connect(&server).await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = read_to_end(stream).await;
        assert!(!answer.contains("200 OK"), "{sent:?}: {answer}");
    }
    // The same holds for a second request on a connection.
    let mut stream = connect(&server).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT").await.unwrap();
    let answer = read_to_end(stream).await;
    assert_eq!(answer.matches("200 OK").count(), 1, "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let limits = Limits { connections_max: 1, head_timeout: HEAD_TIMEOUT, ..Limits::default() };
    let server = Server::start(app(), limits).await;
    // The first says nothing, and the second is served when the first is cut off.
    let silent = connect(&server).await;
    let mut second = connect(&server).await;
    second.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let answer = read_to_end(second).await;
    assert!(answer.contains("200 OK"), "{answer}");
    assert_eq!(read_to_end(silent).await, "");
}

#[tokio::test]
async fn heads_that_are_too_long_or_malformed_are_refused() {
    let server = Server::start(app(), Limits::default()).await;
    let many: String = (0..100).map(|number| format!("X-{number}: y\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "y".repeat(20_000));
    for head in [
        format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
        format!("GET / HTTP/1.1\r\nHost: x\r\n{long}\r\n"),
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n".to_owned(),
        "GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
    ] {
        let mut stream = connect(&server).await;
        // The server may have answered and closed before everything was sent.
        let _ = stream.write_all(head.as_bytes()).await;
        let answer = read_to_end(stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{head:.60}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_grows_without_a_length_is_cut_off() {
    let world = World::new().await;
    let address = world.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let _ = stream.write_all(chunk.as_bytes()).await;
    let _ = stream.write_all(b"1\r\n \r\n").await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

/// Sends bytes to a whole bank; returns everything until it closes the connection.
pub(crate) async fn say(world: &World, bytes: impl AsRef<[u8]>) -> String {
    let address = world.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have answered and closed before everything was sent.
    let _ = stream.write_all(bytes.as_ref()).await;
    read_to_end(stream).await
}

/// The statuses of the answers, in order.
pub(crate) fn statuses(answers: &str) -> Vec<&str> {
    let lines = answers.match_indices("HTTP/1.1 ");
    lines.filter_map(|(at, _)| answers.get(at + 9..at + 12)).collect()
}

#[tokio::test]
async fn requests_that_can_be_read_in_two_ways_end_their_connection() {
    let world = World::new().await;
    let hidden = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    for (head, statuses) in [
        ("Host: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked", &["415"][..]),
        ("Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 6", &["415"]),
        ("Host: x\r\nTransfer-Encoding: identity, chunked", &["400"]),
        ("Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", &["400"]),
        ("Host: x\r\nTransfer-Encoding: xchunked", &["400"]),
        ("Host: x\r\nTransfer-Encoding : chunked", &["400"]),
        ("Host: x\r\nHost: y\r\nContent-Length: 0", &["400"]),
        ("Content-Length: 0", &["400"]),
    ] {
        let answer =
            say(&world, &format!("POST /v1/users HTTP/1.1\r\n{head}\r\n\r\n0\r\n\r\n{hidden}"))
                .await;
        assert_eq!(self::statuses(&answer), statuses, "{head}: {answer}");
    }
}

#[tokio::test]
async fn an_unread_body_is_never_taken_for_a_request() {
    let world = World::new().await;
    let hidden = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    let close = "GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for path in ["/v1/accounts", "/nothing", "/health/live"] {
        let length = hidden.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{hidden}{close}"
        );
        let answer = say(&world, &request).await;
        assert!(!answer.contains("live"), "{answer}");
    }
}

/// A server with one request that waits to be let go, and the request.
async fn waiting_request(
    limits: Limits,
) -> (Server, Arc<Notify>, tokio::task::JoinHandle<reqwest::Result<String>>) {
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&started), Arc::clone(&release));
    let app = Router::new().route(
        "/",
        get(async move || {
            tell.notify_one();
            wait.notified().await;
            "finished"
        }),
    );
    let server = Server::start(app, limits).await;
    let url = format!("http://{}/", server.address);
    let request = tokio::spawn(async move { client().get(url).send().await?.text().await });
    started.notified().await;
    (server, release, request)
}

#[tokio::test]
async fn stopping_finishes_the_requests_that_run_and_takes_no_others() {
    let (mut server, release, request) = waiting_request(Limits::default()).await;
    // An idle connection does not hold the server up.
    let idle = connect(&server).await;
    server.stop.take().unwrap().send(()).unwrap();
    assert_eq!(read_to_end(idle).await, "");
    assert!(!server.ended.is_finished());
    assert!(TcpStream::connect(server.address).await.is_err());
    release.notify_one();
    assert_eq!(request.await.unwrap().unwrap(), "finished");
    assert_eq!(server.ended.await.unwrap(), End::Drained);
}

#[tokio::test]
async fn stopping_does_not_wait_beyond_the_deadline() {
    let limits = Limits { shutdown_deadline: Duration::from_millis(50), ..Limits::default() };
    let (mut server, _release, request) = waiting_request(limits).await;
    server.stop.take().unwrap().send(()).unwrap();
    assert_eq!(server.ended.await.unwrap(), End::CutOff);
    assert!(request.await.unwrap().is_err());
}
