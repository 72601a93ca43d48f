//! Reading logins: those that several callers ask for at a time by one statement, and none that was read a moment ago.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use simplebank_core::SessionId;
use simplebank_db::{
    self as db, TxSpec,
    sessions::{self, Login},
};
use tokio::sync::oneshot;

use crate::{Bank, Error};

const FIND_SESSIONS: TxSpec = TxSpec::read_committed("find_sessions").read_only();

/// Most sessions that are read by one statement.
const READ_MAX: usize = 1_000;

/// How long a login may be relied on that another process may have ended meanwhile.
pub(crate) const RECENT: Duration = Duration::from_secs(1);

/// Most logins that are kept. Beyond that all are forgotten, and read anew as they come.
const LOGINS_MAX: usize = 10_000;

/// Keeps logins for [`RECENT`]; what this process ends is forgotten at once. Gathers those that are asked for while others are
/// read, so that each is read after it was asked for.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    kept: Mutex<Kept>,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Kept {
    logins: HashMap<SessionId, (Instant, Login)>,
    /// How often something was ended.
    endings: u64,
}

/// When a login was begun to be read: what is ended after that makes it worthless.
pub(crate) struct Reading {
    began_at: Instant,
    endings: u64,
}

impl Logins {
    pub(super) fn get(&self, session: SessionId) -> Option<Login> {
        let kept = self.lock();
        let (read_at, login) = kept.logins.get(&session)?;
        (read_at.elapsed() < RECENT).then(|| login.clone())
    }

    /// To be called before a login is read that is to be [`put`](Self::put).
    pub(super) fn reading(&self) -> Reading {
        Reading { began_at: Instant::now(), endings: self.lock().endings }
    }

    pub(super) fn put(&self, reading: &Reading, login: Login) {
        let mut kept = self.lock();
        if kept.endings != reading.endings {
            return;
        }
        if kept.logins.len() >= LOGINS_MAX {
            kept.logins.clear();
        }
        kept.logins.insert(login.session.id, (reading.began_at, login));
    }

    /// Forgets everything, after a session has ended or somebody's role has changed.
    pub(crate) fn forget(&self) {
        let mut kept = self.lock();
        kept.endings = kept.endings.wrapping_add(1);
        kept.logins.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Each change is one call of the map's: what a panic left behind is whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Answer = Result<Option<Login>, Error>;

#[derive(Debug, Default)]
struct Asked {
    waiting: Vec<(SessionId, oneshot::Sender<Answer>)>,
    is_read: bool,
}

impl Bank {
    /// The login of a session as it is now, or `None`.
    pub(super) async fn login(&self, session: SessionId) -> Answer {
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut asked = self.logins().lock_asked();
            asked.waiting.push((session, answer));
            !std::mem::replace(&mut asked.is_read, true)
        };
        if is_first {
            tokio::spawn(Reader { bank: self.clone(), is_done: false }.read());
        }
        answered.await.unwrap_or(Err(Error::Unanswered))
    }
}

/// Reads what is asked for until there is nothing; dropped before that, it leaves nobody waiting.
struct Reader {
    bank: Bank,
    is_done: bool,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.is_done {
            *self.bank.logins().lock_asked() = Asked::default();
        }
    }
}

impl Reader {
    async fn read(mut self) {
        while let Some(waiting) = self.bank.logins().next_asked() {
            let ids: Vec<SessionId> = waiting.iter().map(|(id, _)| *id).collect();
            let found: Result<Vec<Login>, db::Error> = self
                .bank
                .db()
                .transact(FIND_SESSIONS, async |tx| sessions::find_all(tx, &ids).await)
                .await;
            match found {
                Ok(logins) => {
                    let logins: HashMap<SessionId, Login> =
                        logins.into_iter().map(|login| (login.session.id, login)).collect();
                    for (id, answer) in waiting {
                        // Who has gone away misses nothing.
                        let _gone = answer.send(Ok(logins.get(&id).cloned()));
                    }
                }
                Err(error) => {
                    let errors = Error::from(error).for_each_of(waiting.len());
                    for ((_, answer), error) in waiting.into_iter().zip(errors) {
                        let _gone = answer.send(Err(error));
                    }
                }
            }
        }
        // Whoever asks from now on has a reader of their own.
        self.is_done = true;
    }
}

impl Logins {
    /// What is to be read next. When there is nothing, whoever asks next must read.
    fn next_asked(&self) -> Option<Vec<(SessionId, oneshot::Sender<Answer>)>> {
        let mut asked = self.lock_asked();
        let count = asked.waiting.len().min(READ_MAX);
        asked.is_read = count > 0;
        asked.is_read.then(|| asked.waiting.drain(..count).collect())
    }

    fn lock_asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
