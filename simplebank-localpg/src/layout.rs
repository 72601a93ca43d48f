//! Where the parts of a persistent cluster are.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::account;
use crate::postmaster;

/// The longest path a socket can have: `sun_path` has 108 bytes on Linux and 104 elsewhere, with the closing zero.
pub(crate) const SOCKET_PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// What the names of unfinished clusters begin with.
const UNFINISHED: &str = "initialising-";

/// The directory `<data_dir>/postgres` and the names in it.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    base: PathBuf,
}

impl Layout {
    /// Makes the directory if need be; the path in it is absolute and without links.
    pub(crate) fn create(data_dir: &Path) -> Result<Self, Error> {
        let data_dir = account::real_directory(data_dir)?;
        let base = data_dir.join("postgres");
        account::make_directories(&base)?;
        account::open_to_pass(&data_dir)?;
        account::open_to_pass(&base)?;
        Ok(Self { base })
    }

    /// The layout of a data directory in which a cluster has been before; `None` where none has.
    pub(crate) fn existing(data_dir: &Path) -> Option<Self> {
        let base = fs::canonicalize(data_dir.join("postgres")).ok()?;
        let layout = Self { base };
        layout.cluster().is_dir().then_some(layout)
    }

    /// The directory of all the others.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    /// PostgreSQL's own data directory. It appears complete or not at all.
    pub(crate) fn cluster(&self) -> PathBuf {
        self.base.join("cluster")
    }

    /// A name for a cluster that is being made.
    pub(crate) fn unfinished(&self, distinction: &str) -> PathBuf {
        self.base.join(format!("{UNFINISHED}{distinction}"))
    }

    /// The clusters whose making was cut short.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.base) else { return Vec::new() };
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED))
            .map(|entry| entry.path())
            .collect()
    }

    /// The superuser's password; readable for us only.
    pub(crate) fn password(&self) -> PathBuf {
        self.base.join("password")
    }

    /// What the programs and the server write.
    pub(crate) fn log(&self) -> PathBuf {
        self.base.join("server.log")
    }

    /// Held alone by whoever starts or stops the server.
    pub(crate) fn start_lock(&self) -> PathBuf {
        self.base.join("start.lock")
    }

    /// Held together by all who use the server.
    pub(crate) fn users_lock(&self) -> PathBuf {
        self.base.join("users.lock")
    }

    /// While this file exists, the last user leaves the server running.
    pub(crate) fn kept(&self) -> PathBuf {
        self.base.join("kept")
    }

    /// The directory of the socket: beside the cluster when the path is short and plain enough, otherwise under `/tmp`
    /// with a name that follows from the path.
    pub(crate) fn socket_dir(&self) -> PathBuf {
        let beside = self.base.join("socket");
        if fits(&beside) {
            return beside;
        }
        PathBuf::from(format!("/tmp/simplebank-{:016x}", hash(self.base.as_os_str().as_bytes())))
    }
}

/// Whether a directory can hold the socket, and can be written in PostgreSQL's list of socket directories without a
/// second thought about quotes.
pub(crate) fn fits(socket_dir: &Path) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let socket = postmaster::socket(socket_dir);
    let bytes = socket.as_os_str().as_bytes();
    bytes.len() <= SOCKET_PATH_BYTES_MAX && bytes.iter().all(plain)
}

/// FNV-1a with 64 bits: the same in every version of this crate, unlike the standard library's hasher. It need not
/// resist an attacker, because a directory that somebody else made is refused.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket_dir_of(base: &str) -> PathBuf {
        Layout { base: PathBuf::from(base) }.socket_dir()
    }

    #[test]
    fn a_short_and_plain_path_keeps_its_socket() {
        assert_eq!(
            socket_dir_of("/var/lib/simplebank/postgres"),
            Path::new("/var/lib/simplebank/postgres/socket")
        );
    }

    #[test]
    fn the_socket_of_a_long_or_odd_path_moves_to_a_short_one() {
        let longest = "/socket/.s.PGSQL.5432".len();
        let fitting = format!("/{}", "a".repeat(SOCKET_PATH_BYTES_MAX - longest - 1));
        assert!(socket_dir_of(&fitting).starts_with(&fitting));
        for odd in [format!("{fitting}a"), "/with, comma".to_owned(), "/with'quote".to_owned()] {
            let moved = socket_dir_of(&odd);
            assert!(moved.starts_with("/tmp") && fits(&moved), "{moved:?}");
            assert_eq!(moved, socket_dir_of(&odd));
            assert_ne!(moved, socket_dir_of(&format!("{odd}b")));
        }
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
