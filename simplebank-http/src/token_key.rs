//! The token key when no setting names one: drawn once at random, and kept beside the data.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use simplebank::token::{KeyError, SecretKey, SymmetricKey};
use thiserror::Error;
use zeroize::Zeroizing;

/// Nobody but the owner reads or writes it.
const MODE: u32 = 0o600;
/// The longest file that is read, in bytes: a key has some 100, and as JWK some 250.
const FILE_BYTES_MAX: u64 = 1024;

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
    /// No fresh key could be made.
    #[error("no fresh token key")]
    Fresh(#[source] KeyError),
}

/// A key that can be kept in a file.
pub(crate) trait Kept: FromStr<Err = KeyError> {
    /// The file's name in the data directory: one for each type, so that none is taken for the other.
    const FILE_NAME: &str;

    /// A fresh key as the file has it.
    fn draw() -> Result<Zeroizing<String>, KeyError>;
}

impl Kept for SymmetricKey {
    const FILE_NAME: &str = "token.key";

    fn draw() -> Result<Zeroizing<String>, KeyError> {
        Ok(Self::generate()?.to_paserk())
    }
}

impl Kept for SecretKey {
    const FILE_NAME: &str = "token.secret.key";

    fn draw() -> Result<Zeroizing<String>, KeyError> {
        Ok(Self::generate()?.to_paserk())
    }
}

/// The key in `directory`, which is made if there is none.
pub(crate) fn load_or_create<K: Kept>(directory: &Path) -> Result<K, Error> {
    let path = directory.join(K::FILE_NAME);
    if let Some(key) = load(&path)? {
        return Ok(key);
    }
    create::<K>(&path)?;
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    load(&path)?.ok_or_else(|| Error::Io { action: "find", path, source: missing() })
}

fn load<K: Kept>(path: &Path) -> Result<Option<K>, Error> {
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
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(io("read"))?;
    let key = text.trim_end_matches(['\n', '\r']).parse();
    key.map(Some).map_err(|source| Error::Unusable { path: path.to_owned(), source })
}

/// Makes a key and gives it its name when it is complete, unless somebody else was faster: nobody ever reads half a key.
fn create<K: Kept>(path: &Path) -> Result<(), Error> {
    let name = u64::from_ne_bytes(crate::random::bytes().map_err(Error::Randomness)?);
    let draft = path.with_extension(format!("key.{name:016x}"));
    let io = |action| move |source| Error::Io { action, path: path.to_owned(), source };
    let key = K::draw().map_err(Error::Fresh)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&draft)
        .map_err(io("make"))?;
    let written = file.write_all(key.as_bytes()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    let _ = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io("write")(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let directory = tempfile::tempdir().unwrap();
        let first: SymmetricKey = load_or_create(directory.path()).unwrap();
        let second: SymmetricKey = load_or_create(directory.path()).unwrap();
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
                std::thread::spawn(move || {
                    load_or_create::<SymmetricKey>(&path).unwrap().to_paserk().to_string()
                })
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
        let path = directory.path().join(SymmetricKey::FILE_NAME);
        fs::write(&path, "12345678901234567890123456789012\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = load_or_create::<SymmetricKey>(directory.path()).unwrap_err();
        assert!(matches!(error, Error::Open { mode: 0o640, .. }), "{error:?}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = load_or_create::<SymmetricKey>(directory.path()).unwrap_err();
        assert!(matches!(error, Error::Unusable { source: KeyError::WellKnown, .. }), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("1234"));
    }

    #[test]
    fn each_type_of_key_has_a_file_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let shared: SymmetricKey = load_or_create(directory.path()).unwrap();
        let pair: SecretKey = load_or_create(directory.path()).unwrap();
        let again: SymmetricKey = load_or_create(directory.path()).unwrap();
        assert_eq!(*shared.to_paserk(), *again.to_paserk());
        let again: SecretKey = load_or_create(directory.path()).unwrap();
        assert_eq!(*pair.to_paserk(), *again.to_paserk());
    }

    /// PASERK is what the first versions wrote; the others are what people write by hand.
    #[test]
    fn every_form_of_a_key_is_read_from_a_file() {
        let hex = "8d2b1c6f0e93a75448f1be20d7639ac5e01f7b82346da9cf5e10b8d4729f3c6a";
        let key: SymmetricKey = hex.parse().unwrap();
        let (paserk, jwk) = (key.to_paserk(), key.to_jwk());
        for text in [&*paserk, &format!("{}\n", *jwk), &format!("{hex}\r\n")] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("token.key");
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let read: SymmetricKey = load_or_create(directory.path()).unwrap();
            assert_eq!(read.paserk_id(), key.paserk_id());
        }
    }
}
