//! Tokens that say who somebody is: issued, and verified so strictly that one set of claims has one maker, one purpose
//! and one lifetime.
//!
//! - [`TokenMaker`]: issues and verifies; object safe, so a server picks its maker at start.
//! - [`PasetoLocal`]: PASETO v4.local tokens, encrypted and authenticated. The one to choose.
//! - [`Hs256`]: JWTs signed with HMAC-SHA-256, for those who must. Anybody can read their claims.
//! - [`Claims`] and [`Expected`]: what a token says, and what the verifier insists on.
//! - [`SymmetricKey`]: the key of either maker, read from one setting; weak ones are refused.
//! - [`Error`]: expired or invalid, and no word more. [`IssueError`]: a token could not be made.
//!
//! Nothing here reads a clock: `now` is an argument. A token is believed from the very second it begins to the second
//! before it expires, without leeway, so the clocks of servers that share a key must agree.
//!
//! ```
//! use simplebank_core::{Role, SessionId, TokenId, UserId};
//! use simplebank_token::{Claims, Error, Expected, PasetoLocal, SymmetricKey, TokenKind, TokenMaker};
//! use time::{Duration, macros::datetime};
//!
//! // Read it from TOKEN_SYMMETRIC_KEY; make one with `openssl rand -hex 32`.
//! let key: SymmetricKey = "8d2b1c6f0e93a75448f1be20d7639ac5e01f7b82346da9cf5e10b8d4729f3c6a".parse()?;
//! let maker: Box<dyn TokenMaker> = Box::new(PasetoLocal::new(&key));
//!
//! let now = datetime!(2026-11-20 12:00 UTC);
//! let claims = Claims {
//!     id: TokenId::from_parts(1_795_176_000_000, [1; 10]),
//!     subject: UserId::from_parts(1_795_176_000_000, [2; 10]),
//!     role: Role::Depositor,
//!     session: SessionId::from_parts(1_795_176_000_000, [3; 10]),
//!     kind: TokenKind::Access,
//!     issuer: "https://bank.example".to_owned(),
//!     audience: "https://bank.example/v1".to_owned(),
//!     issued_at: now,
//!     not_before: now,
//!     expires_at: now + Duration::minutes(15),
//! };
//! let token = maker.issue(&claims)?;
//!
//! let expected = Expected {
//!     kind: TokenKind::Access,
//!     issuer: "https://bank.example",
//!     audience: "https://bank.example/v1",
//! };
//! assert_eq!(maker.verify(&token, &expected, now)?, claims);
//!
//! let late = now + Duration::minutes(15);
//! assert_eq!(maker.verify(&token, &expected, late), Err(Error::Expired));
//!
//! let refresh = Expected { kind: TokenKind::Refresh, ..expected };
//! assert_eq!(maker.verify(&token, &refresh, now), Err(Error::Invalid));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Sources: [PASETO v4](https://github.com/paseto-standard/paseto-spec/blob/master/docs/01-Protocol-Versions/Version4.md),
//! [PASERK](https://github.com/paseto-standard/paserk), [RFC 7519](https://www.rfc-editor.org/rfc/rfc7519) (JWT),
//! [RFC 7515](https://www.rfc-editor.org/rfc/rfc7515) (JWS) and
//! [RFC 8725](https://www.rfc-editor.org/rfc/rfc8725) (how JWTs go wrong).

mod claims;
mod error;
mod jwt;
mod key;
mod leeway;
mod paseto;
mod random;
mod ring;
#[cfg(test)]
mod vectors;

use std::fmt::Debug;

use time::OffsetDateTime;

pub use claims::{Claims, Expected, TokenKind};
pub use error::{Error, IssueError};
pub use jwt::{EdDsa, Hs256};
pub use key::{KeyError, PublicKey, SecretKey, SymmetricKey};
pub use leeway::Leeway;
pub use paseto::{PasetoLocal, PasetoPublic};
pub use ring::{ActiveKey, KeyRing, RingFull};

/// The longest token, in bytes: a longer one is neither issued nor looked at.
///
/// The fixed claims take about 400 bytes of JSON, base64 a third more, nonce, tag and header about 140: with 650 bytes
/// spent, some 2,500 are left for the names of issuer and audience, and all of it fits the 8 KiB that proxies give to a
/// header.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// Issues tokens, and says which ones it has issued.
pub trait TokenMaker: Debug + Send + Sync {
    /// A token that carries the claims, with times cut to whole seconds; see [`Claims::whole_seconds`].
    ///
    /// # Errors
    ///
    /// None of these is the fault of whoever asked for a token.
    ///
    /// - [`IssueError::Times`]: the claims expire before they begin, or a year is outside 0 to 9999.
    /// - [`IssueError::TooLong`]: the token would exceed [`TOKEN_BYTES_MAX`].
    /// - [`IssueError::Failed`]: the operating system gave no randomness for the nonce (PASETO only).
    fn issue(&self, claims: &Claims) -> Result<String, IssueError>;

    /// The claims of a token that this maker's key has made, that is meant for what is expected and that holds at `now`.
    ///
    /// # Errors
    ///
    /// - [`Error::Expired`]: the token would have been accepted before it expired, but `now` is not before that.
    /// - [`Error::Invalid`]: anything else.
    fn verify(
        &self,
        token: &str,
        expected: &Expected<'_>,
        now: OffsetDateTime,
    ) -> Result<Claims, Error>;
}
