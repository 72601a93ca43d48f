//! Logging in: a name and a password against a session and its two tokens.

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use simplebank_core::{
    SessionId,
    audit::{Action, Object},
    session::Session,
    user::{User, Username},
};
use simplebank_db::{self as db, TxSpec, audit, sessions, users};
use simplebank_token::{Claims, TokenKind};
use time::OffsetDateTime;

use super::renew::AccessToken;
use crate::{Bank, Error, ports::new_id};

const FIND_PASSWORD: TxSpec = TxSpec::read_committed("find_password").read_only();
const LOG_IN: TxSpec = TxSpec::read_committed("log_in");

/// Who wants to log in. Neither field needs to have the form of a name or a password: what has it not, fits nobody.
#[derive(Clone, Debug)]
pub struct LogIn {
    /// The login name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// A new session with its tokens. The refresh token is told this once; the database keeps its hash.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// The session.
    pub session_id: SessionId,
    /// Opens the bank for a short time.
    pub access_token: AccessToken,
    /// Gets new access tokens.
    pub refresh_token: SecretString,
    /// When the refresh token, and with it the session, ends.
    pub refresh_token_expires_at: OffsetDateTime,
    /// Who logged in.
    pub user: User,
}

impl Bank {
    /// Begins a session.
    ///
    /// # Errors
    ///
    /// [`Error::WrongCredentials`], which looks and takes the same for unknown users and wrong passwords;
    /// [`Error::UserFrozen`], which only who knows the password is told;
    /// [`Error::TooMany`] when too many passwords are being compared.
    pub async fn log_in(&self, command: LogIn) -> Result<LoggedIn, Error> {
        let username: Option<Username> = command.username.parse().ok();
        let found = self
            .db()
            .transact(FIND_PASSWORD, async |tx| {
                let Some(username) = &username else { return Ok(None) };
                let Some(user) = users::find_by_username(tx, username).await? else {
                    return Ok(None);
                };
                let hash = users::password_hash(tx, user.id).await?;
                Ok::<_, Error>(hash.map(|hash| (user, hash)))
            })
            .await?;
        let (user, hash) = found.unzip();
        let fits = self.passwords().verify(command.password, hash).await?;
        match user {
            Some(user) if fits => self.begin_session(user).await,
            // A name that nobody has may be a password in the wrong field: it is not written down.
            Some(_) | None => {
                let object = user.map(|user| Object::User(user.id));
                self.refuse_login(object, Error::WrongCredentials).await
            }
        }
    }

    async fn refuse_login<T>(&self, object: Option<Object>, error: Error) -> Result<T, Error> {
        self.note_refusal(None, Action::LoginRefused, object, error.code()).await;
        Err(error)
    }

    async fn begin_session(&self, user: User) -> Result<LoggedIn, Error> {
        let now = self.now();
        let session_id = new_id(now)?;
        let refresh = self.issue(&user, session_id, TokenKind::Refresh, now)?;
        let access_token = self.issue(&user, session_id, TokenKind::Access, now)?;
        let session = Session {
            id: session_id,
            user_id: user.id,
            revoked_at: None,
            expires_at: refresh.expires_at,
            created_at: now,
        };
        let hash = hash_token(&refresh.token);
        let object = Object::User(user.id);
        let line = self.line(user.id, Action::LoggedIn, object);
        let begun = self.db().transact(LOG_IN, async |tx| {
            // Whoever freezes the user changes this row: they end this session, or it does not begin.
            let is_frozen =
                users::share(tx, user.id).await?.is_none_or(|user| user.frozen_at.is_some());
            if !is_frozen {
                sessions::insert(tx, &session, &hash).await?;
                audit::insert(tx, &line).await?;
            }
            Ok::<_, db::Error>(!is_frozen)
        });
        if !begun.await? {
            return self.refuse_login(Some(object), Error::UserFrozen).await;
        }
        Ok(LoggedIn {
            session_id,
            access_token,
            refresh_token: refresh.token,
            refresh_token_expires_at: refresh.expires_at,
            user,
        })
    }

    /// A token for a user's session, by the bank's settings.
    pub(super) fn issue(
        &self,
        user: &User,
        session: SessionId,
        kind: TokenKind,
        now: OffsetDateTime,
    ) -> Result<AccessToken, Error> {
        let settings = self.token_settings();
        let duration = match kind {
            TokenKind::Access => settings.access_duration,
            TokenKind::Refresh => settings.refresh_duration,
        };
        let claims = Claims {
            id: new_id(now)?,
            subject: user.id,
            role: user.role,
            session,
            kind,
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            issued_at: now,
            not_before: now,
            expires_at: now.saturating_add(duration),
        }
        .whole_seconds();
        let token = self.tokens().issue(&claims)?;
        Ok(AccessToken { token: token.into(), expires_at: claims.expires_at })
    }
}

/// SHA-256: a refresh token is too random to be guessed from its hash.
pub(super) fn hash_token(token: &SecretString) -> [u8; 32] {
    use secrecy::ExposeSecret as _;
    Sha256::digest(token.expose_secret()).into()
}
