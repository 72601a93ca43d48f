//! The accept loop: so many connections, each with deadlines, and an orderly end.
//!
//! `axum::serve` has no limit for the time that a request's head may take, hence this one (design D7). Bodies have theirs in
//! [`BODY_READ_TIMEOUT`](crate::BODY_READ_TIMEOUT). Nothing limits the time of a handler: the database's own timeouts do,
//! because dropping a statement's future in the middle would break its connection (design D2).

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, http::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};

use tower::ServiceExt as _;

use crate::stream::Stream;

/// The most headers of a request; the longest useful ones have about ten.
const HEADERS_MAX: usize = 64;
/// The longest head of a request, in bytes: a token has at most 4 KiB.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// [`HEAD_BYTES_MAX`] for HTTP/2.
const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;
/// The most requests of an HTTP/2 connection at a time: with bodies of 64 KiB they take 1 MiB, and those of 1,024
/// connections 1 GiB. The longer bodies of batches have a limit of their own.
const STREAMS_MAX: u32 = 16;
/// How often an HTTP/2 client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long to wait when the process has no file descriptor left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the server allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connections at a time: 1 or more. Further ones wait to be accepted. 1,024 by default.
    pub connections_max: usize,
    /// How long a client may take to send a request's head, from connecting or from the last answer. 10 s by default.
    pub head_timeout: Duration,
    /// How long a client may take nothing of an answer. 30 s by default.
    pub write_timeout: Duration,
    /// How long requests may go on once the server is stopped. 10 s by default.
    pub shutdown_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            head_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            shutdown_deadline: Duration::from_secs(10),
        }
    }
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All requests were answered.
    Drained,
    /// Some were still running at the deadline; their connections were closed.
    CutOff,
}

/// Serves `app` on `listener` until `stop` is ready, then finishes the requests that run.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
) -> End {
    let builder = builder(limits);
    let room = Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    // Dropping the set ends what it holds.
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, peer, permit) = select! {
            biased;
            () = &mut stop => break,
            accepted = accept(&listener, &room) => accepted,
        };
        while connections.try_join_next().is_some() {}
        let io = TokioIo::new(Stream::new(stream, limits.head_timeout, limits.write_timeout));
        // Who is at the other end, for limits and for the audit record.
        let named = app.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        });
        let service = TowerToHyperService::new(named);
        let connection = builder.serve_connection_with_upgrades(io, service).into_owned();
        let watched = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "connection failed");
            }
            drop(permit);
        });
    }
    drop(listener);
    match timeout(limits.shutdown_deadline, graceful.shutdown()).await {
        Ok(()) => End::Drained,
        Err(_) => End::CutOff,
    }
}

fn builder(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(limits.head_timeout)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX);
    builder
}

/// The next connection, as soon as there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // It is never closed, so there is a permit.
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are written whole: waiting for more to send would only delay them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY not set");
                }
                return (stream, peer, permit);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection accepted; trying again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// True when the client went away before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Ready when the process is asked to end, by SIGTERM or SIGINT.
///
/// # Errors
///
/// When the operating system lets nobody wait for signals.
pub fn signals() -> io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
