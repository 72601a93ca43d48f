//! A server in a process of its own.

use std::{net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{Report, SERVE};

/// How long a server may take to say where it listens, and to end.
const LIMIT: Duration = Duration::from_secs(30);

/// A server that runs the program of `simplebank-http`. Dropping it kills it.
pub(super) struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts a server on a database, with the key of its tokens.
    pub(super) async fn start(url: &str, key: &[u8]) -> Self {
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut child = Command::new(program())
            .env(SERVE, "1")
            .env("DATABASE_URL", url)
            .env("TOKEN_SYMMETRIC_KEY", key)
            .env("HTTP_SERVER_ADDRESS", "127.0.0.1:0")
            .env("ALLOW_UNSAFE_DURABILITY", "true")
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program of the proofs is beside its tests");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let said = timeout(LIMIT, lines.read_line(&mut line)).await;
        said.expect("the server starts in time").expect("the pipe is open");
        let address =
            line.trim().rsplit_once("http://").and_then(|(_, address)| address.parse().ok());
        // What it says after that must not fill the pipe.
        tokio::spawn(async move { lines.read_to_end(&mut Vec::new()).await });
        Self { child, address: address.expect("the server says where it listens") }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it; it must have run until now.
    pub(super) async fn stop(mut self, report: &mut Report) {
        let ended = self.child.try_wait().expect("it is ours");
        report.expect(ended.is_none(), || format!("a server has ended: {ended:?}"));
        self.child.kill().await.expect("it is ours");
    }
}

/// This program, or the one that is built beside its tests.
fn program() -> PathBuf {
    const NAME: &str = env!("CARGO_PKG_NAME");
    let here = std::env::current_exe().expect("the system knows what runs");
    if here.file_stem().is_some_and(|stem| stem == NAME) {
        return here;
    }
    let directory = here.parent().expect("a file is in a directory");
    let is_test = directory.ends_with("deps");
    let directory = if is_test { directory.parent().expect("it has one") } else { directory };
    directory.join(NAME)
}
