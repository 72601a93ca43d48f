//! Other processes: this test binary, started again with a role to play.

use std::env;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use simplebank_localpg::{Installation, LocalPostgres, ThrowawayCluster};

const ROLE: &str = "LOCALPG_TEST_ROLE";
const DATA_DIR: &str = "LOCALPG_TEST_DATA_DIR";

/// Marks the lines that are for the test, among those of the test harness.
const MARK: &str = "actor: ";

/// A process that plays a role. Dropped, it is killed.
pub(crate) struct Actor {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Actor {
    /// One that holds a lease on the cluster in `data_dir`; its line is the URL.
    pub(crate) fn user(data_dir: &Path) -> Self {
        Self::start("user", |command| command.env(DATA_DIR, data_dir))
    }

    /// One that holds a throw-away cluster in a static; its line is the directory.
    pub(crate) fn throwaway(temporary: &Path) -> Self {
        Self::start("throwaway", |command| command.env("TMPDIR", temporary))
    }

    /// One that looks for an installation; its line is the result.
    pub(crate) fn searcher(named: &Path) -> Self {
        Self::start("searcher", |command| command.env("SIMPLEBANK_PG_BIN", named))
    }

    fn start(role: &str, with: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let mut command = Command::new(env::current_exe().expect("our own path"));
        command.args(["--exact", "roles::play", "--nocapture"]).env(ROLE, role);
        let mut child = with(&mut command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary can be started again");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, lines }
    }

    /// What the actor says next; waits for it.
    pub(crate) fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).expect("a line");
            assert_ne!(read, 0, "the actor has ended without a word");
            // The harness may have begun the line with its own words.
            if let Some((_, text)) = line.split_once(MARK) {
                return text.trim_end().to_owned();
            }
        }
    }

    /// Tells the actor to leave in good order, and waits until it has.
    pub(crate) fn leave(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("it ends").success());
    }

    /// Ends the actor with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: the other process. Without a role there is nothing to do.
#[test]
fn play() {
    let wait_for_the_end = || stdin().read_to_end(&mut Vec::new()).expect("a pipe");
    match env::var(ROLE).as_deref() {
        Ok("user") => {
            let data_dir = env::var_os(DATA_DIR).expect("a data directory");
            let postgres = LocalPostgres::start(Path::new(&data_dir)).expect("it starts");
            eprintln!("\nplaying with {postgres:?}");
            say(postgres.url());
            wait_for_the_end();
            postgres.stop().expect("it can be left");
        }
        Ok("throwaway") => {
            // As a test process does that shares one cluster among its tests: a static is never dropped.
            static CLUSTER: OnceLock<ThrowawayCluster> = OnceLock::new();
            let cluster = CLUSTER.get_or_init(|| ThrowawayCluster::start().expect("it starts"));
            say(&cluster.directory().display().to_string());
            wait_for_the_end();
        }
        Ok("searcher") => match Installation::find() {
            Ok(found) => say(&format!("found {}", found.directory().display())),
            Err(error) => say(&format!("error {error}")),
        },
        _ => {}
    }
}

#[expect(clippy::print_stdout, reason = "standard output is how an actor speaks to its test")]
fn say(text: &str) {
    println!("\n{MARK}{text}");
}
