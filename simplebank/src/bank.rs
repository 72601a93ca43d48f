//! The bank: a database, a clock, a token maker and a password hasher.

use std::sync::Arc;

use simplebank_db::Db;
use simplebank_token::{PasetoLocal, SymmetricKey, TokenMaker};
use time::{Duration, OffsetDateTime};

use crate::{
    Error,
    password::Passwords,
    ports::{self, Clock, SystemClock},
};

/// A bank on a database. Clones share everything.
#[derive(Clone, Debug)]
pub struct Bank(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    db: Db,
    clock: Arc<dyn Clock>,
    tokens: Arc<dyn TokenMaker>,
    token_settings: TokenSettings,
    passwords: Passwords,
}

/// How long tokens live and whom they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// How long an access token lives: 15 minutes by default.
    pub access_duration: Duration,
    /// How long a refresh token, and with it the session, lives: 24 hours by default.
    pub refresh_duration: Duration,
    /// Who issues tokens and alone accepts them: `simplebank` by default.
    pub issuer: String,
    /// For whom tokens are: `simplebank` by default.
    pub audience: String,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            access_duration: Duration::minutes(15),
            refresh_duration: Duration::hours(24),
            issuer: "simplebank".to_owned(),
            audience: "simplebank".to_owned(),
        }
    }
}

/// Makes a [`Bank`] that differs from the default in some of its parts.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    db: Db,
    clock: Arc<dyn Clock>,
    tokens: Option<Arc<dyn TokenMaker>>,
    token_settings: TokenSettings,
}

impl Builder {
    /// Takes the time from `clock` rather than from the system.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Makes and reads tokens with `tokens`, rather than with a key that is drawn at random and dies with the bank.
    pub fn tokens(self, tokens: impl TokenMaker + 'static) -> Self {
        Self { tokens: Some(Arc::new(tokens)), ..self }
    }

    /// Makes tokens by `token_settings`.
    pub fn token_settings(self, token_settings: TokenSettings) -> Self {
        Self { token_settings, ..self }
    }

    /// The bank.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`] when the operating system gives none.
    pub fn build(self) -> Result<Bank, Error> {
        let tokens = match self.tokens {
            Some(tokens) => tokens,
            None => Arc::new(PasetoLocal::new(&random_key()?)),
        };
        let passwords = Passwords::new();
        let Self { db, clock, token_settings, .. } = self;
        Ok(Bank(Arc::new(Parts { db, clock, tokens, token_settings, passwords })))
    }
}

/// A fresh key. 32 random bytes look weak so rarely (less than once in 2^80) that drawing them again is no loop to speak of.
fn random_key() -> Result<SymmetricKey, Error> {
    loop {
        if let Ok(key) = SymmetricKey::from_bytes(&ports::random_bytes::<32>()?) {
            return Ok(key);
        }
    }
}

impl Bank {
    /// A bank on a migrated database, with defaults for everything else.
    ///
    /// # Errors
    ///
    /// [`Error::Randomness`] when the operating system gives none.
    pub fn new(db: Db) -> Result<Self, Error> {
        Self::builder(db).build()
    }

    /// Begins a bank on a migrated database.
    pub fn builder(db: Db) -> Builder {
        Builder {
            db,
            clock: Arc::new(SystemClock),
            tokens: None,
            token_settings: TokenSettings::default(),
        }
    }

    /// The database, for transactions of your own.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.0.clock.now()
    }

    pub(crate) fn tokens(&self) -> &dyn TokenMaker {
        &*self.0.tokens
    }

    pub(crate) fn token_settings(&self) -> &TokenSettings {
        &self.0.token_settings
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }
}
