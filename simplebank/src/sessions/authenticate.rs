//! Authenticating: an access token against who is asking.

use secrecy::{ExposeSecret as _, SecretString};
use simplebank_core::{Principal, SessionId, user::User};
use simplebank_db::sessions::Login;
use simplebank_token::{Claims, Expected, TokenKind};
use time::OffsetDateTime;

use super::watch;
use crate::{Bank, Error};

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
        let now = self.now();
        let claims = self.claims(&access_token, TokenKind::Access, now)?;
        let login = self.login_of(&claims, now).await?;
        Ok(Caller { user: login.user, session_id: login.session.id })
    }

    /// Who is asking with an access token, as they were at most a second ago: for requests in which nothing but their own
    /// accounts is at stake, and which come too often to read the session each time.
    ///
    /// Whoever logs out or loses a role by this bank, or a clone of it, does so at once; by another process, within a second.
    /// The first call begins to listen for that, with one connection beside the pool's, until nobody has called for half a minute.
    ///
    /// # Errors
    ///
    /// As [`authenticate`](Self::authenticate).
    pub async fn authenticate_recent(&self, access_token: SecretString) -> Result<Caller, Error> {
        let now = self.now();
        let claims = self.claims(&access_token, TokenKind::Access, now)?;
        let recent = self.logins();
        let login = match recent.get(claims.session) {
            Some(login) => live(login, &claims, now)?,
            None => {
                watch::ensure(recent, self.db());
                let reading = recent.reading();
                let login = self.login_of(&claims, now).await?;
                recent.put(&reading, login.clone());
                login
            }
        };
        Ok(Caller { user: login.user, session_id: login.session.id })
    }

    /// What a token says, if it is good at `now`.
    pub(super) fn claims(
        &self,
        token: &SecretString,
        kind: TokenKind,
        now: OffsetDateTime,
    ) -> Result<Claims, Error> {
        let settings = self.token_settings();
        let expected = Expected { kind, issuer: &settings.issuer, audience: &settings.audience };
        let claims = self.tokens().verify(token.expose_secret(), &expected, now);
        claims.map_err(|_| Error::Unauthenticated)
    }

    async fn login_of(&self, claims: &Claims, now: OffsetDateTime) -> Result<Login, Error> {
        let login = self.login(claims.session).await?;
        live(login.ok_or(Error::Unauthenticated)?, claims, now)
    }
}

/// The login, if it is the one of a token's and still lives.
pub(super) fn live(login: Login, claims: &Claims, now: OffsetDateTime) -> Result<Login, Error> {
    if login.session.is_live(now) && login.user.id == claims.subject {
        Ok(login)
    } else {
        Err(Error::Unauthenticated)
    }
}
