//! Renewing: a refresh token against a new access token and the refresh token that takes its place.
//!
//! 1. The token is verified, and the successor that it would get is worked out.
//! 2. The session is locked, and `core` decides by what is kept of its newest token and the one before: one transaction.
//! 3. The two tokens are made.
//!
//! Whoever loses the answer, at whatever moment, shows the same token again within the grace and gets the same successor.

use secrecy::SecretString;
use simplebank_core::{SessionId, TokenId, session::Renewal};
use simplebank_db::{
    self as db, Tx, TxSpec,
    sessions::{self, Login, Refresh, Rotation},
};
use simplebank_token::{Claims, TokenKind};
use time::OffsetDateTime;

use super::{SessionSettings, authenticate::live, refresh};
use crate::{Bank, Error, ports::random_bytes};

const RENEW: TxSpec = TxSpec::read_committed("renew");

/// A token and its end.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: SecretString,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// A session that goes on.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// The session.
    pub session_id: SessionId,
    /// Opens the bank for a short time.
    pub access_token: AccessToken,
    /// Renews the session the next time; the one that was shown is spent.
    pub refresh_token: SecretString,
    /// When the refresh token, and with it the session, ends unless it is renewed.
    pub refresh_token_expires_at: OffsetDateTime,
}

/// A token that was shown, and what is to take its place: worked out before the transaction, which may run again.
struct Wish {
    claims: Claims,
    now: OffsetDateTime,
    shown_hash: [u8; 32],
    salt: [u8; 32],
}

/// What came of it.
enum Outcome {
    /// The session goes on.
    Goes(Box<Newest>),
    /// A spent token was shown, so the session has ended.
    Ends,
    /// There is no such session, or not any more.
    Nothing,
}

/// A session and its newest refresh token: its id, when it was made, and until when it is good.
struct Newest {
    login: Login,
    token: TokenId,
    from: OffsetDateTime,
    until: OffsetDateTime,
}

impl Bank {
    /// A new access token and a new refresh token for the session of a refresh token, which is spent thereby.
    ///
    /// A token that was spent before is known to two, so the session ends at once, with all its tokens: unless it is the last one
    /// before the newest, shown again within [`SessionSettings::grace`] and before anybody has shown the newest. That happens to
    /// whoever has lost the answer or asks twice at once, and gets the same refresh token again: of the same claims, that is,
    /// since a maker that draws a nonce writes them in other bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthenticated`], whatever is wrong with the token or its session.
    pub async fn renew(&self, refresh_token: SecretString) -> Result<Renewed, Error> {
        let now = self.now();
        let claims = self.claims(&refresh_token, TokenKind::Refresh, now)?;
        let shown_hash = refresh::hash(claims.session, claims.id);
        let wish = Wish { claims, now, shown_hash, salt: random_bytes()? };
        let outcome = self
            .db()
            .transact(RENEW, async |tx| self.renew_in(tx, &wish).await)
            .confirm(async |tx| renewed_in(tx, &wish).await)
            .await?;
        match outcome {
            Outcome::Goes(newest) => self.renewed(&newest),
            Outcome::Ends => {
                self.logins().forget();
                let session = wish.claims.session;
                tracing::warn!(%session, "a spent refresh token was shown, so its session has ended");
                Err(Error::Unauthenticated)
            }
            Outcome::Nothing => Err(Error::Unauthenticated),
        }
    }

    async fn renew_in(&self, tx: &mut Tx<'_>, wish: &Wish) -> Result<Outcome, db::Error> {
        let Wish { claims, now, shown_hash, salt } = wish;
        let Some((login, kept)) = sessions::lock(tx, claims.session).await? else {
            return Ok(Outcome::Nothing);
        };
        let Ok(login) = live(login, claims, *now) else { return Ok(Outcome::Nothing) };
        let SessionSettings { grace, .. } = *self.session_settings();
        match Renewal::judge(kept.shown(shown_hash), kept.renewed_at, *now, grace) {
            Renewal::Rotate => {
                let token = refresh::successor(salt, claims.session, claims.id, *now);
                let until = self.idle_ends_at(*now, login.session.expires_at);
                let rotation = Rotation {
                    token_hash: refresh::hash(claims.session, token),
                    salt: *salt,
                    renewed_at: *now,
                    idle_ends_at: until,
                };
                sessions::rotate(tx, claims.session, &rotation).await?;
                Ok(Outcome::Goes(Box::new(Newest { login, token, from: *now, until })))
            }
            Renewal::Repeat => Ok(repeated(login, &kept, claims)),
            Renewal::End => {
                sessions::revoke(tx, claims.session, *now).await?;
                Ok(Outcome::Ends)
            }
        }
    }

    fn renewed(&self, newest: &Newest) -> Result<Renewed, Error> {
        let Newest { login: Login { session, user }, token, from, until } = newest;
        let access_token = self.access_token(user, session.id, self.now(), *until)?;
        let refresh = self.refresh_token(user, session.id, *token, *from, *until)?;
        Ok(Renewed {
            session_id: session.id,
            access_token,
            refresh_token: refresh.token,
            refresh_token_expires_at: refresh.expires_at,
        })
    }

    /// When a session that is renewed at `now` ends unless it is renewed again.
    pub(super) fn idle_ends_at(
        &self,
        now: OffsetDateTime,
        expires_at: OffsetDateTime,
    ) -> OffsetDateTime {
        now.saturating_add(self.token_settings().refresh_duration).min(expires_at)
    }
}

/// The successor of a token that is the session's previous one.
fn repeated(login: Login, kept: &Refresh, claims: &Claims) -> Outcome {
    let token = refresh::successor(&kept.salt, claims.session, claims.id, kept.renewed_at);
    let newest = Newest { login, token, from: kept.renewed_at, until: kept.idle_ends_at };
    Outcome::Goes(Box::new(newest))
}

/// What has come of it, if the token was taken and nothing else has happened since.
async fn renewed_in(tx: &mut Tx<'_>, wish: &Wish) -> Result<Option<Outcome>, db::Error> {
    let Some((login, kept)) = sessions::lock(tx, wish.claims.session).await? else {
        return Ok(Some(Outcome::Nothing));
    };
    // Nobody else has drawn this salt.
    Ok((kept.salt == wish.salt).then(|| repeated(login, &kept, &wish.claims)))
}
