//! The bank's HTTP server as a process of its own, so that its processor time and its memory can be told apart.
//!
//! It is this program started again: with [`SERVES`] in its environment it does nothing but run the `main` of `simplebank-http`,
//! with that one's settings and defaults. So one command builds and runs all, and what is measured is what is shipped.

use std::{
    env,
    ffi::OsString,
    io::{self, BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{self, Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;

/// The environment variable that makes this program the server.
const SERVES: &str = "SIMPLEBANK_BENCHES_SERVES";
/// What the server logs: not each request, since pgbench doesn't log any either.
pub(crate) const LOG_LEVEL: &str = "error";
/// Lines before the server says where it listens.
const LINES_MAX: usize = 20;

/// A server that runs. Dropping it ends it at once.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
    /// Open as long as the server is to run; not the child's own, because waiting for it would close that.
    _stdin: Option<ChildStdin>,
    /// Open as long as the server may write to it.
    _stdout: BufReader<ChildStdout>,
    address: SocketAddr,
}

/// Runs the server, if this process is to be one.
pub(crate) fn serve_if_asked() -> Option<ExitCode> {
    env::var_os(SERVES)?;
    // Who started this server holds the other end. When it closes, he is gone, and nobody else would end the server.
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(0);
    });
    Some(simplebank_http::start::main())
}

impl ServerProcess {
    /// Starts a server on a database; returns when it listens. `flags` are more of its flags; blocks.
    pub(crate) fn start(url: &str, token_key: &str, flags: &[OsString]) -> Result<Self, Failure> {
        let mut command = Command::new(this_program()?);
        for (name, _) in env::vars_os().filter(|(name, _)| is_setting(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        let mut child = command
            .env(SERVES, "1")
            .env("DATABASE_URL", url)
            .env("TOKEN_SYMMETRIC_KEY", token_key)
            .env("HTTP_SERVER_ADDRESS", "127.0.0.1:0")
            .env("RUST_LOG", LOG_LEVEL)
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let mut stdout =
            BufReader::new(child.stdout.take().ok_or("the server has no standard output")?);
        match address(&mut stdout) {
            Some(address) => Ok(Self { child, _stdin: stdin, _stdout: stdout, address }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err("the server did not start".into())
            }
        }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits until it has; blocks.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).ok_or("no process")?;
        kill_process(pid, Signal::TERM)?;
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {status}").into())
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a variable of our environment would be a setting of the server's: it shall have none but ours.
fn is_setting(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "DB_SOURCE",
        "NO_MIGRATE",
        "ALLOW_UNSAFE_DURABILITY",
        "CONNECTIONS_MAX",
        "SHUTDOWN_DEADLINE",
        "ALLOWED_ORIGINS",
        "ENVIRONMENT",
        "LOG_FORMAT",
        "TOKEN_KIND",
    ];
    let prefixes = ["DATABASE_", "ACCESS_TOKEN_", "REFRESH_TOKEN_", "TOKEN_", "COMMITTER_"];
    NAMES.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// The address in the line that says where the server listens.
fn address(stdout: &mut BufReader<ChildStdout>) -> Option<SocketAddr> {
    for line in stdout.lines().take(LINES_MAX) {
        let line = line.ok()?;
        if let Some((_, address)) = line.split_once("listens on http://") {
            return address.trim().parse().ok();
        }
    }
    None
}

/// This program, also when its file has been replaced since it was started, as building does.
pub(crate) fn this_program() -> Result<PathBuf, Failure> {
    let linked = Path::new("/proc/self/exe");
    Ok(if linked.exists() { linked.to_owned() } else { env::current_exe()? })
}

/// How long a client waits for the server to do anything.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(30);
