//! Passwords: Argon2id, as many at a time as there are cores.

use std::{fmt, str::FromStr, sync::Arc, thread::available_parallelism};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use secrecy::{ExposeSecret as _, SecretString};
use simplebank_core::{
    text::InvalidText,
    user::{PASSWORD_CHARACTERS_MAX, check_new_password},
};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::{Error, ports};

/// How many callers may wait for each core: at about 30 ms a hash, the last one waits about two seconds.
const WAITING_PER_CORE: usize = 64;

/// A password that somebody wants to have: 15 to 128 characters. It does not print and is wiped.
#[derive(Clone)]
pub struct NewPassword(SecretString);

impl FromStr for NewPassword {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        check_new_password(text)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword([redacted])")
    }
}

/// Hashes and compares passwords.
///
/// A hash takes 19 MiB for its time (OWASP's parameters, which are [`Argon2::default`]'s: m = 19 MiB, t = 2, p = 1), so
/// only one per core runs at a time; callers beyond a bounded queue are turned away.
#[derive(Debug)]
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    /// The hash of a password that nobody knows, for users who don't exist: refusing them takes as long. It is made with
    /// the first comparison, whoever that is for.
    nobodys_hash: OnceCell<String>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            running: Arc::new(Semaphore::new(cores)),
            admitted: Arc::new(Semaphore::new(cores * WAITING_PER_CORE)),
            nobodys_hash: OnceCell::new(),
        }
    }

    /// The hash of a new password, a PHC string.
    pub(crate) async fn hash(&self, password: &NewPassword) -> Result<String, Error> {
        let password = password.0.clone();
        self.run(move || hash(password.expose_secret().as_bytes())).await?
    }

    /// True when the password fits the hash; with no hash it takes as long and never does.
    pub(crate) async fn verify(
        &self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        if password.expose_secret().chars().count() > PASSWORD_CHARACTERS_MAX {
            return Ok(false);
        }
        let nobodys =
            self.nobodys_hash.get_or_try_init(async || self.new_nobodys_hash().await).await?;
        // The operator's hash is none, and fits no password either.
        let hash = hash.filter(|hash| PasswordHash::new(hash).is_ok());
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| nobodys.clone());
        let fits = self
            .run(move || {
                let Ok(hash) = PasswordHash::new(&hash) else { return false };
                Argon2::default()
                    .verify_password(password.expose_secret().as_bytes(), &hash)
                    .is_ok()
            })
            .await?;
        Ok(fits && is_somebody)
    }

    async fn new_nobodys_hash(&self) -> Result<String, Error> {
        let password = ports::random_bytes::<32>()?;
        self.run(move || hash(&password)).await?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _admitted = self.admit()?;
        let Ok(running) = Arc::clone(&self.running).acquire_owned().await else {
            return Err(Error::TooMany);
        };
        // The permit goes along: if the caller leaves, the hash still runs to its end and counts until then.
        let work = move || {
            let _running = running;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::Stopped)
    }

    fn admit(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.admitted).try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits | TryAcquireError::Closed => Error::TooMany,
        })
    }
}

fn hash(password: &[u8]) -> Result<String, Error> {
    let salt = ports::random_bytes::<16>()?;
    let hash: PasswordHash =
        Argon2::default().hash_password_with_salt(password, &salt).map_err(Error::Password)?;
    Ok(hash.to_string())
}
