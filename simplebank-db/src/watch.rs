//! Hearing from the database which logins have ended, whoever has ended them.

use std::{pin::pin, time::Duration};

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    Db, Error,
    tx::{jitter, silence},
};

/// Where the triggers of migration 0016 tell it.
const CHANNEL: &str = "simplebank_logins";

/// How long the server may take to answer; who has no answer by then hears nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a bank says to itself begins so.
const BEAT: &str = "beat ";

/// A session of its own, beside the pool, that hears which logins end or change. Dropped, it is closed.
#[derive(Debug)]
pub struct LoginWatch {
    listener: PgListener,
    /// What it says to itself.
    beat: String,
}

/// What a [`LoginWatch`] has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// These sessions have ended, or those of these users mean something else.
    Of(Vec<Uuid>),
    /// All may have.
    OfAll,
}

impl Db {
    /// Begins to hear which logins end or change, by one connection beside the pool's: of all that commits from now on nothing is
    /// missed, as long as [`LoginWatch::news`] succeeds.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] when the server doesn't answer within a second.
    pub async fn watch_logins(&self) -> Result<LoginWatch, Error> {
        let begin = async {
            let connect = (*self.pool.connect_options()).clone();
            let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(connect);
            let mut listener = PgListener::connect_with(&pool).await?;
            // A beat need not be on disk.
            sqlx::raw_sql("set synchronous_commit = off").execute(&mut listener).await?;
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        let listener = patient(begin).await?;
        Ok(LoginWatch { listener, beat: format!("{BEAT}{:x}", jitter(u64::MAX)) })
    }
}

impl LoginWatch {
    /// What has been told since the last call. What had committed when this was called is among it: the server delivers notices in
    /// the order of their commits, and this notifies itself and hears that too. So a pooler in between that swallows notices is
    /// found out.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]: something may have been missed from now on. The watch is of no use any more.
    pub async fn news(&mut self) -> Result<News, Error> {
        let Self { listener, beat } = self;
        let notify = sqlx::query("select pg_catalog.pg_notify($1, $2)").bind(CHANNEL).bind(&*beat);
        patient(notify.execute(&mut *listener)).await?;
        let (mut ids, mut is_heard, mut is_of_all) = (Vec::new(), false, false);
        while let Some(notice) = listener.next_buffered() {
            match (notice.payload(), notice.payload().parse()) {
                (_, Ok(id)) => ids.push(id),
                (own, _) if own == beat => is_heard = true,
                (others, _) if others.starts_with(BEAT) => {}
                _ => is_of_all = true,
            }
        }
        match (is_heard, is_of_all) {
            (false, _) => Err(Error::Unavailable(silence())),
            (true, true) => Ok(News::OfAll),
            (true, false) => Ok(News::Of(ids)),
        }
    }
}

/// Waits for a second. The connection that is waited for is not used again.
async fn patient<T>(wait: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    let answer = timeout(PATIENCE, pin!(wait)).await.map_err(|_| silence()).flatten();
    answer.map_err(Error::Unavailable)
}
