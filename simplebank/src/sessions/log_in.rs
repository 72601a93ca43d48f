//! Logging in: a name and a password against a session and its two tokens.

use secrecy::SecretString;
use simplebank_core::{
    SessionId, TokenId, UserId,
    audit::{Action, Object},
    session::{Session, UserAgent},
    user::{User, Username},
};
use simplebank_db::{
    self as db, TxSpec, audit,
    sessions::{self, NewSession},
    users,
};
use simplebank_token::{Claims, TokenKind};
use time::OffsetDateTime;

use super::{SessionSettings, refresh, renew::AccessToken};
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
    /// What the user logs in with, to be told from their other sessions.
    pub user_agent: Option<UserAgent>,
}

/// A new session with its tokens. The refresh token is told this once; the database keeps its hash.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// The session.
    pub session_id: SessionId,
    /// Opens the bank for a short time.
    pub access_token: AccessToken,
    /// Renews the session, once.
    pub refresh_token: SecretString,
    /// When the refresh token, and with it the session, ends unless it is renewed.
    pub refresh_token_expires_at: OffsetDateTime,
    /// Who logged in.
    pub user: User,
}

/// The hash that a password was shown to fit, and the one that takes its place if that was too cheap.
struct Hashes {
    shown: String,
    rehashed: Option<String>,
}

impl Bank {
    /// Begins a session. If the user has too many then, the oldest ends.
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
                let user = match &username {
                    Some(username) => users::find_by_username(tx, username).await?,
                    None => None,
                };
                // Nobody takes as many statements as somebody; the operator has no password.
                let id = user.as_ref().map_or(UserId::OPERATOR, |user| user.id);
                let hash = users::password_hash(tx, id).await?;
                Ok::<_, Error>(user.zip(hash))
            })
            .await?;
        let hash = found.as_ref().map(|(_, hash)| hash.clone());
        let fits = self.passwords().verify(command.password.clone(), hash).await?;
        let (user, hash) = match found {
            Some(found) if fits => found,
            // A name that nobody has may be a password in the wrong field: it is not written down.
            found => {
                let object = found.map(|(user, _)| Object::User(user.id));
                return self.refuse_login(object, Error::WrongCredentials).await;
            }
        };
        // When too many passwords are being hashed, this one is another time.
        let rehashed = self.passwords().rehash(command.password, &hash).await.ok().flatten();
        self.begin_session(user, &Hashes { shown: hash, rehashed }, command.user_agent).await
    }

    async fn refuse_login<T>(&self, object: Option<Object>, error: Error) -> Result<T, Error> {
        self.note_refusal(None, Action::LoginRefused, object, error.code()).await;
        Err(error)
    }

    async fn begin_session(
        &self,
        user: User,
        hashes: &Hashes,
        user_agent: Option<UserAgent>,
    ) -> Result<LoggedIn, Error> {
        let now = self.now();
        let (session_id, token_id) = (new_id(now)?, new_id(now)?);
        let SessionSettings { duration, per_user_max, .. } = *self.session_settings();
        let expires_at = now.saturating_add(duration);
        let idle_ends_at = self.idle_ends_at(now, expires_at);
        let refresh = self.refresh_token(&user, session_id, token_id, now, idle_ends_at)?;
        let access_token = self.access_token(&user, session_id, now, idle_ends_at)?;
        let session = Session {
            id: session_id,
            user_id: user.id,
            revoked_at: None,
            expires_at,
            created_at: now,
        };
        let token_hash = refresh::hash(session_id, token_id);
        let new = NewSession { session, token_hash, idle_ends_at, user_agent };
        let object = Object::User(user.id);
        let line = self.line(user.id, Action::LoggedIn, object);
        let began = self.db().transact(LOG_IN, async |tx| {
            // Locked, so that of several who log in at once each is counted, and none with a password that is no more. Whoever
            // freezes the user changes this row: they end this session, or it does not begin.
            let user = users::lock(tx, new.session.user_id).await?;
            let Some(user) = user else { return Ok(Err(Error::WrongCredentials)) };
            if users::password_hash(tx, user.id).await?.as_ref() != Some(&hashes.shown) {
                return Ok(Err(Error::WrongCredentials));
            }
            if user.frozen_at.is_some() {
                return Ok(Err(Error::UserFrozen));
            }
            if let Some(hash) = &hashes.rehashed {
                users::set_password_hash(tx, user.id, hash).await?;
            }
            sessions::clear_ended(tx, user.id, now).await?;
            let others_max = per_user_max.saturating_sub(1);
            let ended = sessions::keep_newest(tx, user.id, others_max, now).await?;
            sessions::insert(tx, &new).await?;
            audit::insert(tx, &line).await?;
            Ok::<_, db::Error>(Ok(ended))
        });
        let began = began.confirm(async |tx| {
            let found = sessions::find_all(tx.connection(), &[session_id]).await?;
            // It may have ended others.
            Ok((!found.is_empty()).then_some(Ok(1)))
        });
        let ended = match began.await? {
            Ok(ended) => ended,
            Err(error) => return self.refuse_login(Some(object), error).await,
        };
        if ended > 0 {
            self.logins().forget();
        }
        Ok(LoggedIn {
            session_id,
            access_token,
            refresh_token: refresh.token,
            refresh_token_expires_at: refresh.expires_at,
            user,
        })
    }

    /// A fresh access token for a session that ends at `until` unless it is renewed.
    pub(super) fn access_token(
        &self,
        user: &User,
        session: SessionId,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<AccessToken, Error> {
        let until = now.saturating_add(self.token_settings().access_duration).min(until);
        self.issue(user, session, TokenKind::Access, new_id(now)?, now, until)
    }

    /// The refresh token of a session with an id.
    pub(super) fn refresh_token(
        &self,
        user: &User,
        session: SessionId,
        id: TokenId,
        from: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<AccessToken, Error> {
        self.issue(user, session, TokenKind::Refresh, id, from, until)
    }

    fn issue(
        &self,
        user: &User,
        session: SessionId,
        kind: TokenKind,
        id: TokenId,
        from: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<AccessToken, Error> {
        let settings = self.token_settings();
        let claims = Claims {
            id,
            subject: user.id,
            role: user.role,
            session,
            kind,
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            issued_at: from,
            not_before: from,
            expires_at: until,
        }
        .whole_seconds();
        let token = self.tokens().issue(&claims)?;
        Ok(AccessToken { token: token.into(), expires_at: claims.expires_at })
    }
}
