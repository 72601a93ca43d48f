//! Authenticating: an access token against who is asking.

use secrecy::{ExposeSecret as _, SecretString};
use simplebank_core::{Principal, SessionId, user::User};
use simplebank_db::{
    TxSpec,
    sessions::{self, Login},
};
use simplebank_token::{Expected, TokenKind};
use time::OffsetDateTime;

use crate::{Bank, Error};

const FIND_SESSION: TxSpec = TxSpec::read_committed("find_session").read_only();

/// Who is asking, as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user: User,
    /// By which session.
    pub session_id: SessionId,
}

impl Caller {
    /// The user as one who asks.
    #[must_use]
    pub fn principal(&self) -> Principal {
        self.user.principal()
    }
}

impl Bank {
    /// Who is asking with an access token.
    ///
    /// Session and role are read anew each time: whoever logs out or loses a role does so at once.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthenticated`], whatever is wrong with the token or its session.
    pub async fn authenticate(&self, access_token: SecretString) -> Result<Caller, Error> {
        let login = self.live_login(&access_token, TokenKind::Access, self.now()).await?;
        Ok(Caller { user: login.user, session_id: login.session.id })
    }

    /// The session of a token, if both are good at `now`.
    pub(super) async fn live_login(
        &self,
        token: &SecretString,
        kind: TokenKind,
        now: OffsetDateTime,
    ) -> Result<Login, Error> {
        let settings = self.token_settings();
        let expected = Expected { kind, issuer: &settings.issuer, audience: &settings.audience };
        let claims = self
            .tokens()
            .verify(token.expose_secret(), &expected, now)
            .map_err(|_| Error::Unauthenticated)?;
        let login = self
            .db()
            .transact(FIND_SESSION, async |tx| sessions::find(tx, claims.session).await)
            .await?;
        match login {
            Some(login) if login.session.is_live(now) && login.user.id == claims.subject => {
                Ok(login)
            }
            Some(_) | None => Err(Error::Unauthenticated),
        }
    }
}
