//! Reading logins: those that several callers ask for at a time by one statement, and none that was read a moment ago.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use simplebank_core::SessionId;
use simplebank_db::{
    self as db, News, TxSpec,
    sessions::{self, Login},
};
use tokio::sync::oneshot;

use crate::{Bank, Error};

const FIND_SESSIONS: TxSpec = TxSpec::read_committed("find_sessions").read_only();

/// Most sessions that are read by one statement.
const READ_MAX: usize = 1_000;

/// How long a login may be relied on that another process may have ended meanwhile, if nobody has told.
pub(crate) const RECENT: Duration = Duration::from_secs(1);

/// Most logins that are kept. Beyond that all are forgotten, and read anew as they come.
const LOGINS_MAX: usize = 50_000;

/// Keeps logins for [`RECENT`], or for as long as the [watch](super::watch) hears what ends; what this process ends is forgotten at once. Gathers those that are asked for while others are
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
    /// When the last question that was answered was asked: what had ended by then is not kept any more.
    heard_at: Option<Instant>,
    is_watched: bool,
    /// Somebody has asked for a login since the watch last looked.
    is_used: bool,
}

/// When a login was begun to be read: what is ended after that makes it worthless.
pub(crate) struct Reading {
    began_at: Instant,
    endings: u64,
}

impl Logins {
    pub(super) fn get(&self, session: SessionId) -> Option<Login> {
        let mut kept = self.lock();
        kept.is_used = true;
        let is_recent = |at: Instant| at.elapsed() < RECENT;
        let (read_at, login) = kept.logins.get(&session)?;
        (is_recent(*read_at) || kept.heard_at.is_some_and(is_recent)).then(|| login.clone())
    }

    /// Whether nobody watches yet: then the caller does.
    pub(super) fn begin_watch(&self) -> bool {
        !std::mem::replace(&mut self.lock().is_watched, true)
    }

    pub(super) fn end_watch(&self) {
        let mut kept = self.lock();
        (kept.is_watched, kept.heard_at) = (false, None);
    }

    /// Whether somebody has asked for a login since the last call.
    pub(super) fn is_used(&self) -> bool {
        std::mem::take(&mut self.lock().is_used)
    }

    /// Forgets what has ended, by the answer to a question that was asked at `asked_at`.
    pub(super) fn hear(&self, news: &News, asked_at: Instant) {
        let mut kept = self.lock();
        kept.heard_at = Some(asked_at);
        match news {
            News::Of(ids) if ids.is_empty() => return,
            News::Of(ids) => kept.logins.retain(|session, (_, login)| {
                !ids.contains(&session.as_uuid()) && !ids.contains(&login.user.id.as_uuid())
            }),
            News::OfAll => kept.logins.clear(),
        }
        kept.endings = kept.endings.wrapping_add(1);
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
            match self.find(&ids).await {
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

    async fn find(&self, ids: &[SessionId]) -> Result<Vec<Login>, db::Error> {
        let db = self.bank.db();
        if let Ok(mut alone) = db.alone(FIND_SESSIONS.name()).await
            && let Ok(found) = alone.find_logins(ids.to_vec()).await
        {
            return Ok(found);
        }
        // A session may not open, or have died since it was last used; this finds out whether that is all.
        db.transact(FIND_SESSIONS, async |tx| sessions::find_all(tx.connection(), ids).await).await
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
