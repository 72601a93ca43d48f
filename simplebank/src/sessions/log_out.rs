//! Logging out: of one session, of another, of all.

use secrecy::SecretString;
use simplebank_core::{Principal, SessionId, session::OpenSession};
use simplebank_db::{self as db, Tx, TxSpec, sessions, users};
use simplebank_token::TokenKind;

use super::Caller;
use crate::{Bank, Error};

const LOG_OUT: TxSpec = TxSpec::read_committed("log_out");
const LOG_OUT_EVERYWHERE: TxSpec = TxSpec::read_committed("log_out_everywhere");
const END_SESSION: TxSpec = TxSpec::read_committed("end_session");
const LIST_SESSIONS: TxSpec = TxSpec::read_committed("list_sessions").read_only();

impl Bank {
    /// Ends a session and all its tokens; ending it twice changes nothing.
    ///
    /// # Errors
    ///
    /// Only what befalls the database.
    pub async fn log_out(&self, session: SessionId) -> Result<(), Error> {
        let now = self.now();
        let ended = self
            .db()
            .transact(LOG_OUT, async |tx| sessions::revoke(tx, session, now).await)
            .confirm(async |tx| is_ended(tx, session).await)
            .await;
        self.logins().forget();
        Ok(ended?)
    }

    /// Ends the session of a refresh token, spent or not, as [`log_out`](Self::log_out) does.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthenticated`] if the token is none; not if its session has ended.
    pub async fn log_out_by(&self, refresh_token: SecretString) -> Result<(), Error> {
        let claims = self.claims(&refresh_token, TokenKind::Refresh, self.now())?;
        self.log_out(claims.session).await
    }

    /// Ends all sessions of a user, and all their tokens.
    ///
    /// # Errors
    ///
    /// Only what befalls the database.
    pub async fn log_out_everywhere(&self, by: &Principal) -> Result<(), Error> {
        let now = self.now();
        let ended = self.db().transact(LOG_OUT_EVERYWHERE, async |tx| {
            // Whoever logs in at the same time does so before or after all of it.
            users::lock(tx, by.id()).await?;
            sessions::revoke_all(tx, by.id(), None, now).await
        });
        // Running it again would end what has begun since; asking finds nothing that has not.
        let ended = ended.confirm(async |tx| {
            let open = sessions::open(tx, by.id(), now).await?;
            Ok(open.iter().all(|session| session.created_at > now).then_some(()))
        });
        let ended: Result<(), db::Error> = ended.await;
        self.logins().forget();
        Ok(ended?)
    }

    /// Ends one of the caller's own sessions and all its tokens; ending it twice changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if it is none of theirs, whether there is one or not.
    pub async fn end_session(&self, by: &Principal, session: SessionId) -> Result<(), Error> {
        let now = self.now();
        let ended = self
            .db()
            .transact(END_SESSION, async |tx| sessions::revoke_own(tx, by.id(), session, now).await)
            .confirm(async |tx| Ok(is_ended(tx, session).await?.map(|()| true)))
            .await;
        self.logins().forget();
        if ended? { Ok(()) } else { Err(Error::NotFound { what: "session" }) }
    }

    /// The caller's own sessions that have not ended, in the order in which they were begun.
    ///
    /// # Errors
    ///
    /// Only what befalls the database.
    pub async fn own_sessions(&self, by: &Caller) -> Result<Vec<OpenSession>, Error> {
        let now = self.now();
        let open =
            self.db().transact(LIST_SESSIONS, async |tx| sessions::open(tx, by.user.id, now).await);
        Ok(open.await?)
    }
}

/// Whether a session has ended, or is gone.
async fn is_ended(tx: &mut Tx<'_>, session: SessionId) -> Result<Option<()>, db::Error> {
    let login = sessions::find_all(tx.connection(), &[session]).await?.pop();
    Ok(login.is_none_or(|login| login.session.revoked_at.is_some()).then_some(()))
}
