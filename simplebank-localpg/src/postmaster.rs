//! Whether a server runs in a data directory, and whether it answers.
//!
//! The server keeps its process id in `postmaster.pid` and removes the file when it stops, but not when it is killed.
//! So the file alone proves nothing: the process must be there, and it must work in this very directory.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};

use crate::Error;
use crate::url::{PORT, SUPERUSER};

/// What `postmaster.pid` and the system together say about a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// No server runs here.
    Absent,
    /// No server runs here, but its pid file names a process that is alive, and would make PostgreSQL refuse to start.
    Stale,
    /// A server runs here.
    Running {
        /// Its process id.
        pid: i32,
        /// The directory of its socket; `None` while it has not got that far.
        socket_dir: Option<PathBuf>,
    },
}

/// How a server answers to somebody who wants to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It takes connections.
    Ready,
    /// It starts up, recovers from a crash, or shuts down.
    NotNow,
    /// Nobody listens.
    None,
}

/// How long a server may take for its first answer. It forks a process per connection, so a busy machine takes a while.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Looks whether a server runs in the data directory `cluster`, which must be a path without links.
pub(crate) fn look(cluster: &Path) -> Result<Presence, Error> {
    let pid_file = cluster.join("postmaster.pid");
    let text = match fs::read(&pid_file) {
        Ok(text) => text,
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(Presence::Absent),
        Err(source) => return Err(Error::io("read", pid_file)(source)),
    };
    // Lines: pid, data directory, start time, port, socket directory, listen address, shared memory key, status.
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let number = lines.first().and_then(|line| str::from_utf8(line).ok());
    let Some(pid) = number.and_then(|text| text.trim().parse::<i32>().ok()) else {
        return Ok(Presence::Absent);
    };
    let socket_dir = lines
        .get(4)
        .filter(|line| !line.is_empty())
        .map(|line| PathBuf::from(OsStr::from_bytes(line)));
    if pid <= 0 {
        return Ok(Presence::Absent);
    }
    let Some(process) = Pid::from_raw(pid) else { return Ok(Presence::Absent) };
    if test_kill_process(process) == Err(rustix::io::Errno::SRCH) {
        return Ok(Presence::Absent);
    }
    if works_in(pid, cluster, socket_dir.as_deref()) {
        Ok(Presence::Running { pid, socket_dir })
    } else {
        Ok(Presence::Stale)
    }
}

/// Whether the living process `pid` is the server of `cluster`, and not another one that got its number.
fn works_in(pid: i32, cluster: &Path, socket_dir: Option<&Path>) -> bool {
    match fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(directory) => directory == cluster,
        // With /proc mounted, a process without one is a zombie.
        Err(source) if source.kind() == ErrorKind::NotFound && Path::new("/proc/self").exists() => {
            false
        }
        // No /proc, or no right to look: then it is the server if somebody answers on its socket.
        Err(_) => socket_dir.is_some_and(|socket_dir| ask(socket_dir) != Answer::None),
    }
}

/// Removes the pid file of a server that is gone. PostgreSQL still finds out by itself, from the shared memory segment
/// that belongs to the directory, when processes of the old server are left.
pub(crate) fn remove_stale_pid_file(cluster: &Path) -> Result<(), Error> {
    let pid_file = cluster.join("postmaster.pid");
    match fs::remove_file(&pid_file) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(Error::io("remove", pid_file)(source))
        }
        _ => Ok(()),
    }
}

/// The path of the socket in a socket directory.
pub(crate) fn socket(socket_dir: &Path) -> PathBuf {
    socket_dir.join(format!(".s.PGSQL.{PORT}"))
}

/// Asks the server behind a socket whether it takes connections, the way `pg_isready` does: it sends a startup message
/// and looks at the answer, but does not log in.
pub(crate) fn ask(socket_dir: &Path) -> Answer {
    match first_message(&socket(socket_dir)) {
        Ok((b'E', body)) if sqlstate(&body) == Some(b"57P03".as_slice()) => Answer::NotNow,
        Ok(_) => Answer::Ready,
        // It has accepted the connection, but is too busy, or is going down.
        Err(source) if source.kind() == ErrorKind::WouldBlock => Answer::NotNow,
        Err(source) if source.kind() == ErrorKind::UnexpectedEof => Answer::NotNow,
        Err(_) => Answer::None,
    }
}

/// The type and the body of the server's first message.
fn first_message(socket: &Path) -> io::Result<(u8, Vec<u8>)> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    stream.write_all(&startup_message())?;
    let mut header = [0_u8; 5];
    stream.read_exact(&mut header)?;
    let [kind, length @ ..] = header;
    let mut body = Vec::new();
    stream.take(u64::from(u32::from_be_bytes(length)).saturating_sub(4)).read_to_end(&mut body)?;
    Ok((kind, body))
}

/// Length, protocol 3.0, user and database, each with its name.
fn startup_message() -> Vec<u8> {
    let mut body = vec![0, 3, 0, 0];
    for text in ["user", SUPERUSER, "database", "postgres", ""] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    let length = u32::try_from(body.len() + 4).expect("the message has some 40 bytes");
    [length.to_be_bytes().to_vec(), body].concat()
}

/// The field `C` of an error message: fields are a letter and a text that ends with a zero byte.
fn sqlstate(body: &[u8]) -> Option<&[u8]> {
    body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory_with(pid_file: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("postmaster.pid"), pid_file).expect("a file");
        let path = fs::canonicalize(directory.path()).expect("a path");
        (directory, path)
    }

    #[test]
    fn a_pid_file_of_a_living_stranger_is_stale() {
        let own = std::process::id();
        let (_keep, path) = directory_with(&format!("{own}\n/elsewhere\n1\n5432\n/nowhere\n"));
        assert_eq!(look(&path).unwrap(), Presence::Stale);
    }

    #[test]
    fn a_pid_file_without_a_process_means_that_no_server_runs() {
        // 2^22 is the highest number that Linux gives.
        for text in ["4194305\n", "0\n", "-1\n", "", "no number\n"] {
            let (_keep, path) = directory_with(text);
            assert_eq!(look(&path).unwrap(), Presence::Absent, "{text:?}");
        }
    }

    #[test]
    fn the_error_code_is_found_among_the_fields() {
        assert_eq!(sqlstate(b"SFATAL\0VFATAL\0C57P03\0Mnot yet\0\0"), Some(b"57P03".as_slice()));
        assert_eq!(sqlstate(b"SFATAL\0\0"), None);
    }
}
