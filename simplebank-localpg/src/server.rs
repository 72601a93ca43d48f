//! Starts and stops the server of a persistent cluster. The caller holds the start lock.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::account::Account;
use crate::installation::Installation;
use crate::layout::Layout;
use crate::postmaster::{self, Answer, Presence};
use crate::run::{self, Log};

/// How long a server may take to start, or to recover from a crash. PostgreSQL's own default is the same.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long a fast stop may take: it ends all sessions and writes a checkpoint.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How long processes of a server that was killed may take to notice. Until then PostgreSQL refuses to start another.
const ORPHANS_LIMIT: Duration = Duration::from_secs(10);

/// What `pg_ctl` may take beyond the limit it has been given.
const GRACE: Duration = Duration::from_secs(5);

/// The settings that the promises of this crate rest on. They are given on the command line, so that neither a changed
/// configuration file nor `alter system` can weaken them.
const SETTINGS: [&str; 6] = [
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
];

/// Makes sure that the server runs and takes connections; returns the directory of its socket.
///
/// Looks again after every step, because a server that was left alone can be anywhere: being started, recovering, or
/// on its way down.
pub(crate) fn start_or_adopt(
    layout: &Layout,
    account: &Account,
    log: &Log,
) -> Result<PathBuf, Error> {
    let cluster = layout.cluster();
    let begun = Instant::now();
    let crashed = cluster.join("postmaster.pid").exists();
    loop {
        match postmaster::look(&cluster)? {
            Presence::Running { socket_dir: Some(socket_dir), .. }
                if postmaster::ask(&socket_dir) == Answer::Ready =>
            {
                return Ok(socket_dir);
            }
            Presence::Running { .. } if begun.elapsed() > START_LIMIT => {
                let what = format!("the server of {}", cluster.display());
                return Err(Error::TooSlow { what, limit: START_LIMIT, log: log.tail() });
            }
            Presence::Running { .. } => thread::sleep(run::POLL),
            Presence::Stale => postmaster::remove_stale_pid_file(&cluster)?,
            Presence::Absent => {
                let Err(error) = start(layout, account, log) else { continue };
                // A server whose starter was killed may have appeared first; then there is one to adopt.
                let appeared = matches!(postmaster::look(&cluster)?, Presence::Running { .. });
                let limit = match (appeared, crashed) {
                    (true, _) => START_LIMIT,
                    (false, true) => ORPHANS_LIMIT,
                    (false, false) => Duration::ZERO,
                };
                if begun.elapsed() > limit {
                    return Err(error);
                }
                thread::sleep(run::POLL);
            }
        }
    }
}

/// Starts the server and waits until it takes connections.
fn start(layout: &Layout, account: &Account, log: &Log) -> Result<(), Error> {
    let installation = Installation::find_for(&layout.cluster())?;
    let socket_dir = layout.socket_dir();
    account.private_directory(&socket_dir)?;
    let mut options = format!("-c unix_socket_directories={}", socket_dir.display());
    for setting in SETTINGS {
        options.push_str(" -c ");
        options.push_str(setting);
    }
    let mut command = pg_ctl(&installation, account, &layout.cluster(), START_LIMIT);
    command.arg("-o").arg(options).arg("start");
    run::run(account, &mut command, "", log, START_LIMIT + GRACE)
}

/// Stops the server, if one runs: ends all sessions, and leaves nothing to recover.
pub(crate) fn stop(layout: &Layout, account: &Account, log: &Log) -> Result<(), Error> {
    let cluster = layout.cluster();
    if let Presence::Running { .. } = postmaster::look(&cluster)? {
        let installation = Installation::find_for(&cluster)?;
        let mut command = pg_ctl(&installation, account, &cluster, STOP_LIMIT);
        command.args(["-m", "fast", "stop"]);
        run::run(account, &mut command, "", log, STOP_LIMIT + GRACE)?;
    }
    let socket_dir = layout.socket_dir();
    if !socket_dir.starts_with(layout.base()) {
        let _ = std::fs::remove_dir(socket_dir); // empty now; if not, the next start finds it
    }
    Ok(())
}

/// `pg_ctl` that waits. The data directory goes through the environment and the log through an inherited file, because
/// `pg_ctl` would put both between quotes in a shell command, which not every path survives.
fn pg_ctl(
    installation: &Installation,
    account: &Account,
    cluster: &Path,
    limit: Duration,
) -> Command {
    let mut command = account.command(&installation.program("pg_ctl"));
    command.env("PGDATA", cluster).args(["--silent", "-w", "-t"]).arg(limit.as_secs().to_string());
    command
}
