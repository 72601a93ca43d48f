//! File locks that processes agree by. The system releases them when a process dies, in whatever way.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// How long a process waits for another that starts or stops the same cluster: the limits of `initdb`, of the first
/// command, of a start and a stop, in this order 120 + 60 + 60 + 60 s.
const WAIT_LIMIT: Duration = Duration::from_secs(300);

/// Starting takes tenths of a second; a poll of 10 ms adds little to it.
const POLL: Duration = Duration::from_millis(10);

/// A held lock. It is released in so many words: closing the file would not do while a child that is just being forked
/// still has a copy of it.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock for this process alone, waiting for others.
    pub(crate) fn exclusive(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file }),
                Err(TryLockError::WouldBlock) if begun.elapsed() > WAIT_LIMIT => {
                    return Err(Error::Locked { path: path.to_owned(), limit: WAIT_LIMIT });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(POLL),
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
            }
        }
    }

    /// Takes the lock together with others. Nobody holds this one alone except while holding the start lock, so there
    /// is nothing to wait for.
    pub(crate) fn shared(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => {
                Err(Error::Locked { path: path.to_owned(), limit: Duration::ZERO })
            }
            Err(TryLockError::Error(source)) => Err(Error::io("lock", path)(source)),
        }
    }

    /// Whether somebody holds the lock at `path`; asked while holding the start lock, so that the answer stays true.
    pub(crate) fn is_held(path: &Path) -> Result<bool, Error> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => {
                drop(Self { file });
                Ok(false)
            }
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(Error::io("lock", path)(source)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.unlock(); // closing the file does it too, only perhaps later
    }
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::io("open", path))
}
