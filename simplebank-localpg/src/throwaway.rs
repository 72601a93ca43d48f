//! Throw-away clusters, for tests and trials.

use std::env;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::account::Account;
use crate::installation::Installation;
use crate::layout;
use crate::random;
use crate::run;
use crate::url;

/// The shell program that makes, runs and removes the cluster.
const KEEPER: &str = include_str!("throwaway.sh");

/// How long the keeper may take for an answer: twice `initdb`, which takes a second or two, and a start with its limit
/// of 60 s.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// How long a drop waits for the cluster to be gone. The keeper goes on if we don't.
const REMOVAL_LIMIT: Duration = Duration::from_secs(70);

/// Lines of an answer; a failure shows the last 20 of the log.
const ANSWER_LINES_MAX: usize = 30;

/// Settings of every throw-away cluster: no network, and room for the connections of many tests at once.
const SETTINGS: [(&str, &str); 4] = [
    ("listen_addresses", ""),
    ("port", "5432"),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "200"),
];

/// What makes it fast, and loses data in a power failure. A crash of the server it survives.
const NOT_DURABLE: [(&str, &str); 3] =
    [("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")];

/// A PostgreSQL cluster that exists as long as this value, and no longer than this process.
///
/// It vanishes, server and directory, when the value is dropped and when the process ends in any other way: by
/// `exit`, by a panic, by `kill -9`. The server listens on a Unix socket in a directory that only its user and root
/// can enter, so it asks for no password.
///
/// ```no_run
/// let cluster = simplebank_localpg::ThrowawayCluster::start()?;
/// let url = cluster.url("postgres");
/// // connect, `create database …`, test; then:
/// drop(cluster);
/// # Ok::<(), simplebank_localpg::Error>(())
/// ```
#[derive(Debug)]
pub struct ThrowawayCluster {
    directory: PathBuf,
    keeper: Child,
    /// `None` once the cluster has been told to vanish. The lock makes a request and its answer one step.
    conversation: Mutex<Option<Conversation>>,
}

/// The two pipes to the keeper.
#[derive(Debug)]
struct Conversation {
    requests: ChildStdin,
    answers: Receiver<String>,
}

/// How a throw-away cluster is to be; start with [`ThrowawayCluster::options`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ThrowawayOptions {
    durable: bool,
    parent: Option<PathBuf>,
    settings: Vec<(String, String)>,
}

impl ThrowawayOptions {
    /// Keeps `fsync`, `full_page_writes` and `synchronous_commit` on, for tests that ask what survives.
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Sets a configuration parameter of the server; the last one of a name counts, also against the crate's own.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Makes the cluster's directory in `parent`, on a file system of one's own say, rather than in the temporary directory.
    /// PostgreSQL's user must be able to write there, and the path must be short and plain enough for a socket.
    pub fn directory(mut self, parent: impl Into<PathBuf>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// Makes and starts the cluster.
    ///
    /// # Errors
    ///
    /// As [`ThrowawayCluster::start`], and [`Error::BadSetting`].
    pub fn start(self) -> Result<ThrowawayCluster, Error> {
        let configuration = self.configuration()?;
        let places = match &self.parent {
            Some(parent) => places(&[parent]),
            None => places(&[&env::temp_dir(), Path::new("/tmp")]),
        };
        ThrowawayCluster::start_with(&configuration, places)
    }

    /// The lines for `postgresql.conf`.
    fn configuration(&self) -> Result<String, Error> {
        let mut lines = String::new();
        let fast = if self.durable { [].as_slice() } else { NOT_DURABLE.as_slice() };
        let own = SETTINGS.iter().chain(fast).map(|(name, value)| (*name, *value));
        let given = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(given) {
            let known = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
            if name.is_empty() || !name.chars().all(known) || value.contains(['\n', '\r', '\0']) {
                return Err(Error::BadSetting { name: name.to_owned() });
            }
            let value = value.replace('\\', "\\\\").replace('\'', "''");
            let _ = writeln!(lines, "{name} = '{value}'"); // writing to a String cannot fail
        }
        Ok(lines)
    }
}

impl ThrowawayCluster {
    /// A fast cluster with the default settings; takes about a second.
    ///
    /// # Errors
    ///
    /// [`Error::NotInstalled`] and its like when there is no PostgreSQL, or no user to run it as;
    /// [`Error::Throwaway`] with the end of the log when it does not start; [`Error::TooSlow`].
    pub fn start() -> Result<Self, Error> {
        Self::options().start()
    }

    /// Options for a cluster, the fast ones to begin with.
    pub fn options() -> ThrowawayOptions {
        ThrowawayOptions { durable: false, parent: None, settings: Vec::new() }
    }

    /// The URL of a database in the cluster; `postgres` exists from the start.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url::local(&self.directory, None, database)
    }

    /// The cluster's directory: the socket and the log are in it, PostgreSQL's data directory is `data`.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Kills every process of the server with SIGKILL: at once, without a checkpoint, all sessions cut off. When this returns,
    /// none is alive. What they had written stays written, since the machine lives on.
    ///
    /// # Errors
    ///
    /// [`Error::Throwaway`] when no server runs; [`Error::TooSlow`].
    pub fn crash(&self) -> Result<(), Error> {
        self.request("crash")
    }

    /// Starts the server again after [`ThrowawayCluster::crash`]; it recovers first.
    ///
    /// # Errors
    ///
    /// [`Error::Throwaway`] with the end of the log when it does not start; [`Error::TooSlow`].
    pub fn resume(&self) -> Result<(), Error> {
        self.request("resume")
    }

    fn start_with(configuration: &str, places: Vec<PathBuf>) -> Result<Self, Error> {
        let installation = Installation::find()?;
        let account = Account::for_new_cluster()?;
        let shell = Path::new("/bin/sh");
        let mut command = account.command(shell);
        command.args(["-c", KEEPER, "throwaway"]).arg(installation.directory()).arg(configuration);
        command.args(places).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().map_err(|source| account.spawn_error(shell, source))?;
        let stdin = keeper.stdin.take().expect("the command has a piped standard input");
        let stdout = keeper.stdout.take().expect("the command has a piped standard output");
        let conversation = Conversation { requests: stdin, answers: lines_of(stdout) };
        // From here on, a failure drops the value, and that makes the keeper clean up.
        let conversation = Mutex::new(Some(conversation));
        let mut cluster = Self { directory: PathBuf::new(), keeper, conversation };
        cluster.directory = cluster.answer("start")?;
        Ok(cluster)
    }

    /// Sends a request and waits for its answer.
    fn request(&self, verb: &'static str) -> Result<(), Error> {
        self.converse(verb, |conversation| {
            // A keeper that is gone gives no answer, which is noticed next.
            let _ = writeln!(conversation.requests, "{verb}");
            conversation.answer(verb).map(drop)
        })
    }

    /// Waits for the answer to what the keeper does unasked.
    fn answer(&self, verb: &'static str) -> Result<PathBuf, Error> {
        self.converse(verb, |conversation| conversation.answer(verb))
    }

    fn converse<T>(
        &self,
        verb: &'static str,
        talk: impl FnOnce(&mut Conversation) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut conversation = self.conversation.lock().unwrap_or_else(PoisonError::into_inner);
        match conversation.as_mut() {
            Some(conversation) => talk(conversation),
            None => Err(Error::Throwaway { verb, log: "it has been told to vanish".to_owned() }),
        }
    }
}

impl Drop for ThrowawayCluster {
    fn drop(&mut self) {
        let conversation = self.conversation.get_mut().unwrap_or_else(PoisonError::into_inner);
        *conversation = None;
        let begun = Instant::now();
        while let Ok(None) = self.keeper.try_wait()
            && begun.elapsed() < REMOVAL_LIMIT
        {
            thread::sleep(run::POLL);
        }
    }
}

impl Conversation {
    /// The directory in the keeper's next answer.
    fn answer(&self, verb: &'static str) -> Result<PathBuf, Error> {
        let mut lines: Vec<String> = Vec::new();
        loop {
            let line = match self.answers.recv_timeout(ANSWER_LIMIT) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) if lines.is_empty() => {
                    return Err(Error::Throwaway { verb, log: "its keeper is gone".to_owned() });
                }
                Err(RecvTimeoutError::Disconnected) => ".".to_owned(),
                Err(RecvTimeoutError::Timeout) => {
                    let what = format!("the throw-away cluster's {verb}");
                    return Err(Error::TooSlow {
                        what,
                        limit: ANSWER_LIMIT,
                        log: lines.join("\n"),
                    });
                }
            };
            if let Some(directory) = line.strip_prefix("ok ").filter(|_| lines.is_empty()) {
                return Ok(PathBuf::from(directory));
            }
            if line == "." || lines.len() > ANSWER_LINES_MAX {
                let log = lines.split_off(lines.len().min(1)).join("\n");
                return Err(Error::Throwaway { verb, log });
            }
            lines.push(line);
        }
    }
}

/// The lines of a pipe, read by a thread that ends with it, so that waiting for one can have a limit.
fn lines_of(pipe: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The directories to try, those of `parents` where the path is short and plain enough for a socket: the temporary
/// directory, and `/tmp` in case PostgreSQL's user has no access to the first.
fn places(parents: &[&Path]) -> Vec<PathBuf> {
    let name = format!("simplebank-throwaway-{}", random::hex::<8>());
    let mut places: Vec<PathBuf> = parents.iter().map(|parent| parent.join(&name)).collect();
    places.dedup();
    places.retain(|place| place.is_absolute() && layout::fits(place));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_quoted_and_the_last_one_is_written_last() {
        let options = ThrowawayCluster::options().setting("application_name", "it's \\");
        let lines = options.clone().setting("fsync", "on").configuration().unwrap();
        assert!(lines.contains("application_name = 'it''s \\\\'\n"), "{lines}");
        assert!(lines.find("fsync = 'off'") < lines.find("fsync = 'on'"), "{lines}");
        assert!(!options.durable().configuration().unwrap().contains("fsync"));
    }

    #[test]
    fn what_would_end_a_line_is_no_setting() {
        for (name, value) in [("", "1"), ("a b", "1"), ("work_mem\nx", "1"), ("work_mem", "1\n2")] {
            let options = ThrowawayCluster::options().setting(name, value);
            assert!(matches!(options.start(), Err(Error::BadSetting { .. })), "{name:?}");
        }
    }

    #[test]
    fn a_temporary_directory_that_no_socket_fits_into_is_passed_over() {
        let places = |parent| places(&[Path::new(parent), Path::new("/tmp")]);
        assert_eq!(places("/tmp").len(), 1);
        assert_eq!(places("/var/tmp").len(), 2);
        for odd in ["relative", "/with space", &format!("/{}", "a".repeat(100))] {
            let found = places(odd);
            assert!(found.len() == 1 && found.iter().all(|place| place.starts_with("/tmp")));
        }
    }
}
