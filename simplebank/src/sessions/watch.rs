//! Hearing which logins end, so that those that are kept need not be read again.
//!
//! One task for each bank looks three times a second what it has been told. As long as it hears what it tells itself, what is kept
//! is believed whatever its age; a second after it has last done so, nothing is that was not read within a second. A new connection may have missed something: everything kept is forgotten.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use simplebank_db::{self as db, Db};

use super::logins::Logins;

/// How often the database is asked.
const EVERY: Duration = Duration::from_millis(300);

/// How many questions are asked while nobody asks for a login; then the task ends.
const IDLE_MAX: u32 = 100;

/// Sees to it that somebody listens.
pub(super) fn ensure(logins: &Arc<Logins>, db: &Db) {
    if logins.begin_watch() {
        let watch = Watch { logins: Arc::downgrade(logins), db: db.clone() };
        tokio::spawn(watch.run());
    }
}

struct Watch {
    logins: Weak<Logins>,
    db: Db,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(logins) = self.logins.upgrade() {
            logins.end_watch();
        }
    }
}

impl Watch {
    async fn run(self) {
        while self.is_needed() {
            // Without an answer nothing is kept for longer than a second; that is all there is to do about it.
            let _ = self.listen().await;
            tokio::time::sleep(EVERY).await;
        }
    }

    fn is_needed(&self) -> bool {
        !self.db.pool().is_closed() && self.logins.upgrade().is_some_and(|logins| logins.is_used())
    }

    /// Listens until nobody needs it any more, or nobody answers.
    async fn listen(&self) -> Result<(), db::Error> {
        let mut watch = self.db.watch_logins().await?;
        // What ended before is in nobody's news.
        let Some(logins) = self.logins.upgrade() else { return Ok(()) };
        logins.forget();
        drop(logins);
        let mut idle = 0;
        while idle < IDLE_MAX && !self.db.pool().is_closed() {
            let asked_at = Instant::now();
            let news = watch.news().await?;
            let Some(logins) = self.logins.upgrade() else { return Ok(()) };
            logins.hear(&news, asked_at);
            idle = if logins.is_used() { 0 } else { idle + 1 };
            drop(logins);
            tokio::time::sleep(EVERY).await;
        }
        Ok(())
    }
}
