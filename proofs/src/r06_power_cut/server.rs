//! The servers of a power cut: one that stands still for a moment, and one that wakes up on a copy of its disk.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use simplebank_localpg::Installation;
use sqlx::{Connection as _, PgConnection};

/// How long a server may take to stand still, its writes included.
const STILL_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take to recover.
const RECOVERY_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at a process.
const POLL: Duration = Duration::from_millis(1);

/// A server whose processes stand still until this is dropped.
#[derive(Debug)]
pub(super) struct Frozen {
    processes: Vec<String>,
}

impl Frozen {
    /// Stops every process of the server, the postmaster first so that it starts no others. None of them is inside a
    /// system call afterwards: a sync that had begun is complete, and none begins. Blocks.
    pub(super) fn freeze(data: &Path) -> Self {
        let pid_file = fs::read_to_string(data.join("postmaster.pid")).expect("the server runs");
        let postmaster = pid_file.lines().next().expect("its number is first").to_owned();
        let mut frozen = Self { processes: vec![postmaster] };
        let begun = Instant::now();
        loop {
            frozen.processes.iter().for_each(|process| signal("-STOP", process));
            let all = processes_in(data);
            let is_still =
                all.iter().all(|process| frozen.processes.contains(process) && is_stopped(process));
            frozen.processes.extend(
                all.into_iter()
                    .filter(|process| !frozen.processes.contains(process))
                    .collect::<Vec<_>>(),
            );
            if is_still {
                return frozen;
            }
            assert!(begun.elapsed() < STILL_LIMIT, "the server doesn't stand still");
            thread::sleep(POLL);
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.processes.iter().for_each(|process| signal("-CONT", process));
    }
}

fn signal(signal: &str, process: &str) {
    // A process that is gone needs none.
    let _ = Command::new("kill").args([signal, process]).stderr(Stdio::null()).status();
}

/// The processes of a server: they work in its data directory.
fn processes_in(data: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("the system tells of its processes");
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.chars().all(|c| c.is_ascii_digit()))
        .filter(|name| fs::read_link(format!("/proc/{name}/cwd")).is_ok_and(|cwd| cwd == data))
        .collect()
}

/// True for one that is stopped or gone. The state comes after the name, which may hold anything (proc(5)).
fn is_stopped(process: &str) -> bool {
    let Ok(text) = fs::read_to_string(format!("/proc/{process}/stat")) else { return true };
    text.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['T', 'Z', 'X']))
}

/// A server on a copied data directory, which it recovers first. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Recovered {
    server: Child,
    socket_directory: PathBuf,
    log: PathBuf,
}

impl Recovered {
    /// Starts the server on `data`; its socket and its log go into `directory`.
    pub(super) fn start(data: &Path, directory: &Path) -> Self {
        let owner = fs::metadata(data).expect("the copy holds the data directory");
        // It names a living process: the server that was copied.
        let _ = fs::remove_file(data.join("postmaster.pid"));
        let socket_directory = directory.join("socket");
        fs::create_dir_all(&socket_directory).expect("the directory is ours");
        chown(&socket_directory, Some(owner.uid()), Some(owner.gid())).expect("we are root");
        let log = directory.join("recovery.log");
        let log_file = fs::File::create(&log).expect("the directory is ours");
        let program =
            Installation::find().expect("it was found before").directory().join("postgres");
        let mut command = Command::new(program);
        command.uid(owner.uid()).gid(owner.gid()).env_clear().env("LC_ALL", "C").current_dir("/");
        command.arg("-D").arg(data);
        command.arg("-c").arg(format!("unix_socket_directories={}", socket_directory.display()));
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
        let server = command.spawn().expect("the program is there");
        Self { server, socket_directory, log }
    }

    /// The URL of a database.
    pub(super) fn url(&self, database: &str) -> String {
        let socket_directory = self.socket_directory.display().to_string().replace('/', "%2F");
        format!(
            "postgres://postgres@localhost:5432/{database}?host={socket_directory}&sslmode=disable"
        )
    }

    /// Waits until the server has recovered.
    ///
    /// # Errors
    ///
    /// The end of its log, when it gives up.
    pub(super) async fn ready(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            if let Ok(connection) = PgConnection::connect(&self.url("postgres")).await {
                let _ = connection.close().await; // it has answered
                return Ok(());
            }
            let is_gone = self.server.try_wait().is_ok_and(|status| status.is_some());
            if is_gone || begun.elapsed() > RECOVERY_LIMIT {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                let mut end: Vec<&str> = log.lines().rev().take(5).collect();
                end.reverse();
                return Err(end.join(" / "));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Recovered {
    fn drop(&mut self) {
        // An immediate shutdown, which takes the children along; what it leaves on the copy interests nobody.
        signal("-QUIT", &self.server.id().to_string());
        let _ = self.server.wait(); // it is our child
    }
}
