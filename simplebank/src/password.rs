//! Passwords: Argon2id, as many at a time as there are cores but one, which is left for everything else.

use std::{fmt, str::FromStr, sync::Arc, thread::available_parallelism};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use secrecy::{ExposeSecret as _, SecretString};
use simplebank_core::{
    password::{self as rules, CHARACTERS_MAX},
    text::InvalidText,
    user::{Email, FullName, Username},
};
use thiserror::Error as ThisError;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::{Error, ports};

/// How many callers may wait for each hash that runs: at about 30 ms a hash, the last one waits about two seconds.
const WAITING_PER_HASH: usize = 64;

/// A password that somebody wants to have: 15 to 128 characters that are not easy to guess. It does not print and is wiped.
#[derive(Clone)]
pub struct NewPassword(SecretString);

impl FromStr for NewPassword {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        rules::check(text)?;
        Ok(Self(text.into()))
    }
}

impl NewPassword {
    /// Refuses a password that is easy to guess for who knows its user.
    pub(crate) fn check_for(
        &self,
        username: &Username,
        full_name: &FullName,
        email: &Email,
    ) -> Result<(), InvalidText> {
        rules::check_for(self.0.expose_secret(), username, full_name, email)
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword([redacted])")
    }
}

/// What one hash costs, whoever computes it: the parameters of Argon2id. The least, and the default, is what OWASP's Password Storage
/// Cheat Sheet wants: 19 MiB, two passes, one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A cost is less than the least, or more than Argon2 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error(
    "a password's hash takes {} MiB, {} passes and {} lane at least",
    HashCost::LEAST.memory_kib / 1024,
    HashCost::LEAST.passes,
    HashCost::LEAST.lanes
)]
pub struct InvalidHashCost;

impl HashCost {
    /// Less is not taken.
    pub const LEAST: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    /// A cost of `memory_kib` KiB, filled `passes` times, in `lanes` that could be computed side by side.
    ///
    /// # Errors
    ///
    /// [`InvalidHashCost`].
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, InvalidHashCost> {
        let cost = Self { memory_kib, passes, lanes };
        if cost.is_below(Self::LEAST) || Params::new(memory_kib, passes, lanes, None).is_err() {
            return Err(InvalidHashCost);
        }
        Ok(cost)
    }

    /// True if it is less in anything.
    const fn is_below(self, other: Self) -> bool {
        self.memory_kib < other.memory_kib || self.passes < other.passes || self.lanes < other.lanes
    }

    /// What the hash has cost; `None` if it is not Argon2id of today.
    fn of(hash: &str) -> Option<Self> {
        let hash = PasswordHash::new(hash).ok()?;
        let is_ours = hash.algorithm == Algorithm::Argon2id.ident()
            && hash.version == Some(Version::V0x13.into());
        let params = Params::try_from(&hash).ok().filter(|_| is_ours)?;
        let (memory_kib, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
        Some(Self { memory_kib, passes, lanes })
    }

    fn hasher(self) -> Result<Argon2<'static>, Error> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None);
        let params = params.map_err(|error| Error::Password(error.into()))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    fn hash(self, password: &[u8]) -> Result<String, Error> {
        let salt = ports::random_bytes::<16>()?;
        let hash: PasswordHash =
            self.hasher()?.hash_password_with_salt(password, &salt).map_err(Error::Password)?;
        Ok(hash.to_string())
    }
}

impl Default for HashCost {
    fn default() -> Self {
        Self::LEAST
    }
}

/// Hashes and compares passwords.
///
/// A hash takes 19 MiB or more for its time, so only as many run at a time as there are cores but one, and one where there is one;
/// callers beyond a bounded queue are turned away.
#[derive(Debug)]
pub(crate) struct Passwords {
    cost: HashCost,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    /// The hash of a password that nobody knows, for users who don't exist: refusing them takes as long. It is made with
    /// the first comparison, whoever that is for.
    nobodys_hash: OnceCell<String>,
}

impl Passwords {
    pub(crate) fn new(cost: HashCost) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        // Whoever doesn't log in is not to wait for those who do.
        let running = (cores - 1).max(1);
        Self {
            cost,
            running: Arc::new(Semaphore::new(running)),
            admitted: Arc::new(Semaphore::new(running * WAITING_PER_HASH)),
            nobodys_hash: OnceCell::new(),
        }
    }

    /// The hash of a new password, a PHC string.
    pub(crate) async fn hash(&self, password: &NewPassword) -> Result<String, Error> {
        self.hash_again(password.0.clone()).await
    }

    /// The hash of a password that has just fitted another, if that was cheaper than a hash is today.
    pub(crate) async fn rehash(
        &self,
        password: SecretString,
        hash: &str,
    ) -> Result<Option<String>, Error> {
        if HashCost::of(hash).is_some_and(|cost| !cost.is_below(self.cost)) {
            return Ok(None);
        }
        self.hash_again(password).await.map(Some)
    }

    async fn hash_again(&self, password: SecretString) -> Result<String, Error> {
        let cost = self.cost;
        self.run(move || cost.hash(password.expose_secret().as_bytes())).await?
    }

    /// True when the password fits the hash; with no hash it takes as long and never does.
    pub(crate) async fn verify(
        &self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        if password.expose_secret().chars().count() > CHARACTERS_MAX {
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
        let cost = self.cost;
        self.run(move || cost.hash(&password)).await?
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_the_least_is_refused() {
        let HashCost { memory_kib, passes, lanes } = HashCost::LEAST;
        assert_eq!(HashCost::new(memory_kib, passes, lanes), Ok(HashCost::default()));
        assert!(HashCost::new(memory_kib * 2, passes + 1, lanes + 1).is_ok());
        for (memory_kib, passes, lanes) in [
            (memory_kib - 1, passes, lanes),
            (memory_kib, passes - 1, lanes),
            (memory_kib, passes, lanes - 1),
            (memory_kib * 8, 1, 1),
            (memory_kib, passes, u32::MAX),
        ] {
            assert_eq!(HashCost::new(memory_kib, passes, lanes), Err(InvalidHashCost));
        }
    }

    #[test]
    fn a_hash_says_what_it_has_cost() {
        let hash = HashCost::LEAST.hash(b"correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(HashCost::of(&hash), Some(HashCost::LEAST));
        for other in ["!", "", &hash.replace("argon2id", "argon2i"), &hash.replace("v=19", "v=16")]
        {
            assert_eq!(HashCost::of(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn every_byte_counts() {
        let passwords = Passwords::new(HashCost::LEAST);
        let longest = "🐎".repeat(CHARACTERS_MAX - 1) + "🐍";
        let hash = HashCost::LEAST.hash(longest.as_bytes()).unwrap();
        let fits =
            async |text: String| passwords.verify(text.into(), Some(hash.clone())).await.unwrap();
        assert!(fits(longest.clone()).await);
        // The last byte differs.
        assert!(!fits("🐎".repeat(CHARACTERS_MAX - 1) + "🐌").await);
        assert!(!fits("🐎".repeat(CHARACTERS_MAX - 1)).await);
        assert!(!fits(longest.to_uppercase() + "x").await);
    }

    /// One more than may run and wait is turned away at once; the control is that those before it are not.
    #[tokio::test(flavor = "multi_thread")]
    async fn who_finds_the_queue_full_is_turned_away() {
        let passwords = Passwords::new(HashCost::LEAST);
        let room = passwords.admitted.available_permits();
        let all = u32::try_from(passwords.running.available_permits()).unwrap();
        let busy = Arc::clone(&passwords.running).acquire_many_owned(all).await.unwrap();
        let mut waiting: Vec<_> = (0..room).map(|_| Box::pin(passwords.run(|| ()))).collect();
        for one in &mut waiting {
            assert!(polled_once(one.as_mut()).await.is_none());
        }
        assert!(matches!(passwords.run(|| ()).await, Err(Error::TooMany)));
        drop(busy);
        for one in waiting {
            one.await.unwrap();
        }
        passwords.run(|| ()).await.unwrap();
    }

    /// What one look at a future gives.
    async fn polled_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
