//! The bank: a database, a clock, a token maker and a password hasher.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use simplebank_core::{AccountId, Currency};
use simplebank_db::{Db, Tx, TxSpec, cash};
use simplebank_token::{PasetoLocal, SymmetricKey, TokenMaker};
use time::{Duration, OffsetDateTime};

use crate::{
    Error,
    password::{HashCost, Passwords},
    ports::{self, Clock, SystemClock, new_id},
    road::committer::{Committer, CommitterOptions},
    sessions::{Logins, SessionSettings},
    users::{EmailVerification, Verified},
};

const FIND_CASH: TxSpec = TxSpec::read_committed("find_cash");

/// A bank on a database. Clones share everything.
#[derive(Clone, Debug)]
pub struct Bank {
    parts: Arc<Parts>,
    writes: Writes,
}

/// Whether what is ordered happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writes {
    Everything,
    /// Orders are only judged.
    Nothing,
}

#[derive(Debug)]
struct Parts {
    db: Db,
    clock: Arc<dyn Clock>,
    tokens: Arc<dyn TokenMaker>,
    token_settings: TokenSettings,
    session_settings: SessionSettings,
    passwords: Passwords,
    committer: Committer,
    logins: Arc<Logins>,
    email_verification: EmailVerification,
    verified: Verified,
    cash: Mutex<HashMap<Currency, AccountId>>,
}

/// How long tokens live and whom they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// How long an access token lives: 15 minutes by default.
    pub access_duration: Duration,
    /// How long a refresh token lives, and with it a session that is not renewed: 14 days by default.
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
            refresh_duration: Duration::days(14),
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
    session_settings: SessionSettings,
    hash_cost: HashCost,
    committer: CommitterOptions,
    email_verification: EmailVerification,
}

impl Builder {
    /// Lets users pay before their e-mail address is verified, or not.
    pub fn email_verification(self, email_verification: EmailVerification) -> Self {
        Self { email_verification, ..self }
    }

    /// Gathers orders by `options`.
    pub fn committer(self, options: CommitterOptions) -> Self {
        Self { committer: options, ..self }
    }

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

    /// Lets sessions live by `session_settings`.
    pub fn session_settings(self, session_settings: SessionSettings) -> Self {
        Self { session_settings, ..self }
    }

    /// Lets a password's hash cost `hash_cost`. One that has cost less is made anew when its user logs in.
    pub fn hash_cost(self, hash_cost: HashCost) -> Self {
        Self { hash_cost, ..self }
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
        let passwords = Passwords::new(self.hash_cost);
        let Self {
            db, clock, token_settings, session_settings, committer, email_verification, ..
        } = self;
        let committer = Committer::new(committer);
        let parts = Parts {
            db,
            clock,
            tokens,
            token_settings,
            session_settings,
            passwords,
            committer,
            logins: Arc::default(),
            email_verification,
            verified: Verified::default(),
            cash: Mutex::default(),
        };
        Ok(Bank { parts: Arc::new(parts), writes: Writes::Everything })
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
            session_settings: SessionSettings::default(),
            hash_cost: HashCost::default(),
            committer: CommitterOptions::default(),
            email_verification: EmailVerification::default(),
        }
    }

    /// The database, for transactions of your own.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.parts.db
    }

    /// The same bank, in which whatever moves money is only tried out: the answer is the one that it would have got, and
    /// nothing is written, not even the answer under its key.
    #[must_use]
    pub fn dry_run(&self) -> Self {
        Self { writes: Writes::Nothing, ..self.clone() }
    }

    pub(crate) fn is_dry(&self) -> bool {
        self.writes == Writes::Nothing
    }

    pub(crate) fn logins(&self) -> &Arc<Logins> {
        &self.parts.logins
    }

    pub(crate) fn email_verification(&self) -> EmailVerification {
        self.parts.email_verification
    }

    pub(crate) fn verified(&self) -> &Verified {
        &self.parts.verified
    }

    pub(crate) fn committer(&self) -> &Committer {
        &self.parts.committer
    }

    /// The cash account of a currency; it is opened if there is none, and remembered, since it stays for ever.
    pub(crate) async fn cash(&self, currency: Currency) -> Result<AccountId, Error> {
        let lock = || self.parts.cash.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = lock().get(&currency) {
            return Ok(*id);
        }
        let found = self.db().transact(FIND_CASH, async |tx| self.cash_in(tx, currency).await);
        let id = found.await?;
        if self.is_dry() {
            return Ok(id);
        }
        lock().insert(currency, id);
        Ok(id)
    }

    /// [`cash`](Self::cash) in a transaction that somebody else commits.
    pub(crate) async fn cash_in(
        &self,
        tx: &mut Tx<'_>,
        currency: Currency,
    ) -> Result<AccountId, Error> {
        if let Some(id) = cash::find(tx, currency).await? {
            return Ok(id);
        }
        let new = new_id(self.now())?;
        if self.is_dry() {
            return Ok(new);
        }
        cash::ensure(tx, new, currency, self.now()).await?;
        Ok(cash::find(tx, currency).await?.unwrap_or(new))
    }

    /// What the bank's clock shows.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.parts.clock.now()
    }

    pub(crate) fn tokens(&self) -> &dyn TokenMaker {
        &*self.parts.tokens
    }

    pub(crate) fn token_settings(&self) -> &TokenSettings {
        &self.parts.token_settings
    }

    pub(crate) fn session_settings(&self) -> &SessionSettings {
        &self.parts.session_settings
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.parts.passwords
    }
}
