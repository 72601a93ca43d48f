//! Hearing from the database which logins have ended, whoever has ended them.

use std::{pin::pin, time::Duration};

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{Db, Error};

/// Where the triggers of migration 0016 tell it.
const CHANNEL: &str = "simplebank_logins";

/// How long the server may take to answer; who has no answer by then hears nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// A session of its own, beside the pool, that hears which logins end. Dropped, it is closed.
#[derive(Debug)]
pub struct LoginWatch(PgListener);

impl Db {
    /// Begins to hear which logins end, by one connection beside the pool's: of all that commits from now on nothing is missed,
    /// as long as [`LoginWatch::news`] succeeds.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when the server doesn't answer within a second.
    pub async fn watch_logins(&self) -> Result<LoginWatch, Error> {
        let begin = async {
            let connect = (*self.pool.connect_options()).clone();
            let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(connect);
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        Ok(LoginWatch(patient(begin).await?))
    }
}

impl LoginWatch {
    /// The ids of sessions that have ended since the last call, and of users whose sessions have ended or mean something else.
    /// What had committed when it was called is among them.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]: something may have been missed from now on. The watch is of no use any more.
    pub async fn news(&mut self) -> Result<Vec<Uuid>, Error> {
        let listener = &mut self.0;
        // The server hands over what it has to tell before it is ready for another statement.
        patient(sqlx::raw_sql("select").execute(&mut *listener)).await?;
        let mut news = Vec::new();
        while let Some(notice) = listener.next_buffered() {
            news.push(notice.payload().parse().map_err(|_| {
                Error::NotMigrated(sqlx::Error::Protocol("a notice that is no id".to_owned()))
            })?);
        }
        Ok(news)
    }
}

/// Waits for a second. The connection that is waited for is not used again.
async fn patient<T>(wait: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    let silence = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    let answer = timeout(PATIENCE, pin!(wait)).await.map_err(silence).flatten();
    answer.map_err(Error::Unavailable)
}
