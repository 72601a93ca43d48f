//! What the tests share: waiting, a data directory, and the least client that can ask PostgreSQL something.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use simplebank_localpg::LocalPostgres;
use tempfile::TempDir;

/// The longest that anything in these tests may take, on a machine that does many other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `condition` holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited too long for: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A directory for one test, whose server is stopped when the test ends, however it ends.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::with_prefix("localpg-").expect("a temporary directory") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A path in PostgreSQL's own data directory.
    pub(crate) fn in_cluster(&self, name: &str) -> PathBuf {
        self.path().join("postgres/cluster").join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = LocalPostgres::stop_server(self.path());
    }
}

pub(crate) fn is_root() -> bool {
    let probe = TempDir::new().expect("a temporary directory");
    fs::metadata(probe.path()).expect("its metadata").uid() == 0
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("the mode can be set");
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").mode() & 0o777
}

pub(crate) fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.expect("kill runs").success(), "kill -9 {pid}");
}

/// The socket directory and the database that a URL names.
pub(crate) fn parts(url: &str) -> (PathBuf, String) {
    let (base, query) = url.split_once('?').expect("a query");
    let host = query.split('&').find_map(|pair| pair.strip_prefix("host=")).expect("a host");
    let database = base.rsplit('/').next().expect("a database").to_owned();
    (PathBuf::from(host.replace("%2F", "/")), database)
}

/// What a server says first to somebody who wants to log in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// Come in, no password needed.
    Welcome,
    /// A scram exchange, please.
    Scram,
    /// An error, or nothing at all.
    Refused,
}

pub(crate) fn greeting(url: &str) -> Greeting {
    match log_in(url) {
        Some((_, b'R', body)) if body.starts_with(&[0, 0, 0, 0]) => Greeting::Welcome,
        Some((_, b'R', body)) if body.starts_with(&[0, 0, 0, 10]) => Greeting::Scram,
        _ => Greeting::Refused,
    }
}

/// The first column of the rows that `sql` yields, for a server that asks for no password.
pub(crate) fn query(url: &str, sql: &str) -> Vec<String> {
    let (mut stream, ..) = log_in(url).expect("the server answers");
    while message(&mut stream).expect("a login without a password").0 != b'Z' {}
    stream.write_all(&framed(Some(b'Q'), &[sql.as_bytes(), &[0]].concat())).expect("a query");
    let mut rows = Vec::new();
    loop {
        match message(&mut stream).expect("an answer") {
            (b'D', body) => {
                // Number of columns (2 bytes), length of the first (4 bytes), its text.
                let length = u32::from_be_bytes(body[2..6].try_into().unwrap());
                let end = 6 + usize::try_from(length).unwrap();
                rows.push(String::from_utf8(body[6..end].to_vec()).unwrap());
            }
            (b'E', body) => panic!("{sql}: {}", String::from_utf8_lossy(&body)),
            (b'Z', _) => return rows,
            _ => {}
        }
    }
}

pub(crate) fn query_one(url: &str, sql: &str) -> String {
    let mut rows = query(url, sql);
    assert_eq!(rows.len(), 1, "{sql}");
    rows.remove(0)
}

fn log_in(url: &str) -> Option<(UnixStream, u8, Vec<u8>)> {
    let (socket_dir, database) = parts(url);
    let mut stream = UnixStream::connect(socket_dir.join(".s.PGSQL.5432")).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let startup = format!("\0\x03\0\0user\0postgres\0database\0{database}\0\0");
    stream.write_all(&framed(None, startup.as_bytes())).ok()?;
    let (kind, body) = message(&mut stream)?;
    Some((stream, kind, body))
}

fn framed(kind: Option<u8>, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [kind.as_slice(), &length, body].concat()
}

fn message(stream: &mut UnixStream) -> Option<(u8, Vec<u8>)> {
    let mut header = [0_u8; 5];
    stream.read_exact(&mut header).ok()?;
    let length = u32::from_be_bytes(header[1..].try_into().unwrap()) - 4;
    let mut body = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some((header[0], body))
}
