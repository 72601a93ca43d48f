//! Programs run with a time limit, their output kept in a log file.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::account::Account;

/// How often a condition is looked at while waiting for it.
pub(crate) const POLL: Duration = Duration::from_millis(5);

/// Beyond this size a log is set aside before the next start; with the one set aside, twice this is kept.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How much of the end of a log goes into an error.
const TAIL_BYTES_MAX: u64 = 8 * 1024;
const TAIL_LINES_MAX: usize = 20;

/// The file that the programs write to. They inherit it open, so it may lie where their user has no rights.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    /// Where this run's part begins.
    begin: u64,
}

impl Log {
    /// The log at `path`, for what is written from now on.
    pub(crate) fn at(path: PathBuf) -> Self {
        let length = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
        if length(&path) > LOG_BYTES_MAX {
            let _ = fs::rename(&path, path.with_extension("log.old")); // or else it stays one long file
        }
        let begin = length(&path);
        Self { path, begin }
    }

    fn open(&self) -> Result<File, Error> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(Error::io("open", &self.path))
    }

    /// The last lines written in this run; empty when the log can't be read.
    pub(crate) fn tail(&self) -> String {
        let mut bytes = Vec::new();
        let _ = File::open(&self.path).and_then(|mut file| {
            let end = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(self.begin.max(end.saturating_sub(TAIL_BYTES_MAX))))?;
            file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)
        });
        last_lines(&String::from_utf8_lossy(&bytes))
    }
}

/// At most [`TAIL_LINES_MAX`] lines from the end of `text`.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(TAIL_LINES_MAX);
    lines.into_iter().skip(first).collect::<Vec<_>>().join("\n")
}

/// Runs `command` as `account` to its end, with `input` on its standard input and its output in `log`.
///
/// # Errors
///
/// [`Error::Spawn`], [`Error::Failed`], or [`Error::TooSlow`] after `limit`; then the program has been killed.
pub(crate) fn run(
    account: &Account,
    command: &mut Command,
    input: &str,
    log: &Log,
    limit: Duration,
) -> Result<(), Error> {
    let program = PathBuf::from(command.get_program());
    let file = log.open()?;
    let second = file.try_clone().map_err(Error::io("open", &log.path))?;
    command.stdout(file).stderr(second);
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().map_err(|source| account.spawn_error(&program, source))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading it says why in its log.
        let _ = stdin.write_all(input.as_bytes());
    }
    let begun = Instant::now();
    loop {
        let ended = child.try_wait().map_err(|source| account.spawn_error(&program, source))?;
        match ended {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(Error::Failed { program, status, log: log.tail() }),
            None if begun.elapsed() > limit => {
                let _ = child.kill(); // it may have ended meanwhile
                let _ = child.wait();
                let what = program.display().to_string();
                return Err(Error::TooSlow { what, limit, log: log.tail() });
            }
            None => thread::sleep(POLL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<(), Error> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // As root this is another user, who writes to a log he could not open.
        let account = Account::for_new_cluster()?;
        let mut command = account.command(Path::new("/bin/sh"));
        let log = Log::at(directory.path().join("log"));
        run(&account, command.args(["-c", script]), "", &log, limit)
    }

    #[test]
    fn a_failure_shows_the_last_lines_of_the_log() {
        let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do echo line $i; done; exit 3";
        let error = sh(script, Duration::from_secs(30)).unwrap_err().to_string();
        assert!(error.contains("exit status: 3"), "{error}");
        assert!(error.contains("line 21"), "{error}");
        assert!(!error.contains("line 1\n"), "{error}");
    }

    #[test]
    fn a_program_over_its_limit_is_killed_and_named() {
        let error = sh("echo stuck; exec sleep 600", Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, Error::TooSlow { .. }), "{error}");
    }
}
