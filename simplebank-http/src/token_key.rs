//! The token key when no setting names one: drawn once at random, and kept beside the data.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use simplebank::token::{KeyError, SymmetricKey};
use thiserror::Error;

/// The file in the data directory.
const FILE_NAME: &str = "token.key";
/// Nobody but the owner reads or writes it.
const MODE: u32 = 0o600;
/// The longest file that is read, in bytes: a key has at most 64.
const FILE_BYTES_MAX: u64 = 256;

/// Why there is no token key. The key itself is never part of the message.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// Others could read the key.
    #[error(
        "the token key {} can be read by others (mode {mode:03o}); close it with chmod 600, or remove it to get a new \
         one, which logs everybody out",
        path.display()
    )]
    Open { path: PathBuf, mode: u32 },
    /// The file holds no key, or a weak one.
    #[error("the token key {} is not usable", path.display())]
    Unusable { path: PathBuf, source: KeyError },
    /// The file system refused.
    #[error("cannot {action} the token key {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// The operating system gave no random numbers.
    #[error("no randomness for a token key")]
    Randomness(#[source] getrandom::Error),
}

/// The key in `directory`, which is made if there is none.
pub(crate) fn load_or_create(directory: &Path) -> Result<SymmetricKey, Error> {
    let path = directory.join(FILE_NAME);
    if let Some(key) = load(&path)? {
        return Ok(key);
    }
    create(&path)?;
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    load(&path)?.ok_or_else(|| Error::Io { action: "find", path, source: missing() })
}

fn load(path: &Path) -> Result<Option<SymmetricKey>, Error> {
    let io = |action| move |source| Error::Io { action, path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("open")(error)),
    };
    let mode = file.metadata().map_err(io("look at"))?.mode() & 0o777;
    if mode & !MODE != 0 {
        return Err(Error::Open { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(io("read"))?;
    let key = text.trim_end_matches(['\n', '\r']).parse();
    key.map(Some).map_err(|source| Error::Unusable { path: path.to_owned(), source })
}

/// Makes a key and gives it its name when it is complete, unless somebody else was faster: nobody ever reads half a key.
fn create(path: &Path) -> Result<(), Error> {
    let name = u64::from_ne_bytes(crate::random::bytes().map_err(Error::Randomness)?);
    let draft = path.with_extension(format!("key.{name:016x}"));
    let io = |action| move |source| Error::Io { action, path: path.to_owned(), source };
    let key = draw()?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&draft)
        .map_err(io("make"))?;
    let written = file.write_all(key.to_paserk().as_bytes()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    let _ = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io("write")(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A fresh key. 32 random bytes look weak less than once in 2^80.
fn draw() -> Result<SymmetricKey, Error> {
    loop {
        let bytes = crate::random::bytes::<32>().map_err(Error::Randomness)?;
        if let Ok(key) = SymmetricKey::from_bytes(&bytes) {
            return Ok(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let directory = tempfile::tempdir().unwrap();
        let first = load_or_create(directory.path()).unwrap();
        let second = load_or_create(directory.path()).unwrap();
        assert_eq!(*first.to_paserk(), *second.to_paserk());
        let files: Vec<_> = fs::read_dir(directory.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn many_starters_agree_on_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let starters: Vec<_> = (0..8)
            .map(|_| {
                let path = directory.path().to_owned();
                std::thread::spawn(move || load_or_create(&path).unwrap().to_paserk().to_string())
            })
            .collect();
        let mut keys: Vec<_> =
            starters.into_iter().map(|starter| starter.join().unwrap()).collect();
        keys.dedup();
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn an_open_or_weak_key_is_refused_and_never_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        fs::write(&path, "12345678901234567890123456789012\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = load_or_create(directory.path()).unwrap_err();
        assert!(matches!(error, Error::Open { mode: 0o640, .. }), "{error:?}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = load_or_create(directory.path()).unwrap_err();
        assert!(matches!(error, Error::Unusable { source: KeyError::WellKnown, .. }), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("1234"));
    }
}
