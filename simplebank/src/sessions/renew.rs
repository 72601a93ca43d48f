//! Renewing: a refresh token against a new access token.

use secrecy::SecretString;
use simplebank_token::TokenKind;
use time::OffsetDateTime;

use super::log_in::hash_token;
use crate::{Bank, Error};

/// A token and its end.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: SecretString,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

impl Bank {
    /// A new access token for the session of a refresh token.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthenticated`], whatever is wrong with the token or its session.
    pub async fn renew(&self, refresh_token: SecretString) -> Result<AccessToken, Error> {
        let now = self.now();
        let login = self.live_login(&refresh_token, TokenKind::Refresh, now).await?;
        // A hash, not a secret: comparing it tells nothing that helps to find the token.
        if login.refresh_token_hash != hash_token(&refresh_token) {
            return Err(Error::Unauthenticated);
        }
        self.issue(&login.user, login.session.id, TokenKind::Access, now)
    }
}
