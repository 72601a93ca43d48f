//! A proxy between a client and a server that reads what they say and strikes when it is told to.

mod fault;
mod flight;
mod plan;
mod session;
mod statement;
mod upstream;
mod wire;

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::postgres::PgConnectOptions;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

pub use self::{
    fault::{Fault, Strike},
    plan::Counts,
};
use self::{plan::Plan, upstream::Upstream, wire::Wire};
use crate::testing::Failure;

/// A proxy in front of a PostgreSQL server, on a port of the loopback interface.
///
/// It reads the messages of both sides and passes them on, until a [`Fault`] that has been [armed](Self::arm) meets its
/// occasion. With nothing armed it changes nothing. Faults form a queue: the first strikes once, on whichever connection
/// meets its occasion first; then the second waits for its own, and so on.
///
/// Any number of connections goes through one proxy; each runs in a task of the runtime that started it. Dropping the value
/// closes all of them. A message, and what a client sends before it waits for an answer, may have 64 MiB.
///
/// It must read what it passes on, so it refuses encryption, as a server without TLS does. It knows simple queries and the
/// extended protocol up to a Sync, as sqlx uses them; what a client sends with a Flush instead is passed on, and no fault
/// strikes it. Client and server take turns: a client that doesn't wait for its answers is served as one that does.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    plan: Arc<Plan>,
    sessions: Sessions,
    listening: AbortHandle,
}

/// How long to wait when no connection could be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// The tasks of all connections; dropping the last reference ends them.
type Sessions = Arc<Mutex<JoinSet<()>>>;

impl Proxy {
    /// A proxy for the server in `upstream_url`, which may name a host or the directory of a socket.
    ///
    /// # Panics
    ///
    /// When the URL can't be read or demands TLS, or no port is free: a test without its faults must not seem to pass.
    pub async fn start(upstream_url: &str) -> Self {
        match Self::open(upstream_url).await {
            Ok(proxy) => proxy,
            Err(error) => panic!("no proxy for tests: {error}"),
        }
    }

    async fn open(upstream_url: &str) -> Result<Self, Failure> {
        let options: PgConnectOptions = upstream_url.parse()?;
        let upstream = Upstream::of(&options)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = upstream::url_through(&options, listener.local_addr()?.port())?;
        let (plan, sessions) = (Arc::new(Plan::default()), Sessions::default());
        let listen = listen(listener, upstream, Arc::clone(&plan), Arc::clone(&sessions));
        let listening = tokio::spawn(listen).abort_handle();
        Ok(Self { url, plan, sessions, listening })
    }

    /// The URL of the same database through the proxy: same user, password, database and options, without TLS.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Puts a fault at the end of the queue.
    ///
    /// # Panics
    ///
    /// When it could never strike: a statement number 0, or an SQLSTATE that isn't five digits or capital letters.
    pub fn arm(&self, fault: Fault) {
        if let Some(defect) = fault.defect() {
            panic!("this fault could never strike: {defect}");
        }
        self.plan.arm(fault);
    }

    /// Empties the queue.
    pub fn disarm(&self) {
        self.plan.disarm();
    }

    /// How many faults have struck since the proxy began.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.plan.hits()
    }

    /// Waits until every armed fault has struck. From then on the state that the fault promises is there: the connection cut,
    /// the transaction committed, the client waiting in vain.
    pub async fn struck(&self) {
        self.plan.struck().await;
    }

    /// Waits until every armed fault has struck, and whatever one of them delays or delivers late has arrived: after a
    /// [`Fault::LateCommit`], until the server has answered or the late COMMIT has met a transaction that was gone.
    pub async fn settled(&self) {
        self.plan.settled().await;
    }

    /// How often a client has sent something and waited for the answer, since the proxy began.
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.counts().round_trips
    }

    /// What has passed through since the proxy began.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.plan.counts()
    }

    /// Closes new connections before the server hears of them, until [`accept_connections`](Self::accept_connections).
    /// Those that are open stay open: see [`cut_all`](Self::cut_all).
    pub fn refuse_connections(&self) {
        self.plan.refuse(true);
    }

    /// Lets new connections in again.
    pub fn accept_connections(&self) {
        self.plan.refuse(false);
    }

    /// Cuts every connection that is open, wherever it is, and waits until both of its sides are closed; a late COMMIT that
    /// hasn't been delivered never is.
    pub async fn cut_all(&self) {
        let mut sessions = std::mem::take(&mut *lock(&self.sessions));
        sessions.shutdown().await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        lock(&self.sessions).abort_all();
    }
}

fn lock(sessions: &Sessions) -> MutexGuard<'_, JoinSet<()>> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(listener: TcpListener, upstream: Upstream, plan: Arc<Plan>, sessions: Sessions) {
    let upstream = Arc::new(upstream);
    loop {
        let accepted = listener.accept().await;
        let Ok((client, _)) = accepted else {
            // A client that has gone already, or no descriptor left: the next try may succeed.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if plan.is_refusing() {
            continue;
        }
        let mut sessions = lock(&sessions);
        while sessions.try_join_next().is_some() {}
        sessions.spawn(connection(client, Arc::clone(&upstream), Arc::clone(&plan)));
    }
}

async fn connection(client: TcpStream, upstream: Arc<Upstream>, plan: Arc<Plan>) {
    let served = async { session::serve(Wire::tcp(client)?, &upstream, plan).await };
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection through the proxy broke");
    }
}
