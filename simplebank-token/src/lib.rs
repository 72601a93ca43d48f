//! Tokens that say who somebody is: issued, and verified so strictly that one set of claims has one maker, one purpose
//! and one lifetime.
//!
//! - [`TokenMaker`]: issues and verifies; object safe, so a server picks its maker at start.
//! - [`Claims`] and [`Expected`]: what a token says, and what the verifier insists on.
//! - [`KeyRing`]: the key that signs, and others that verify, so that keys rotate and nobody is logged out.
//! - [`Error`]: expired or invalid, and no word more. [`IssueError`]: a token could not be made.
//!
//! | Maker | Makes | Key | Take it |
//! |---|---|---|---|
//! | [`PasetoLocal`] | PASETO v4.local, encrypted and authenticated | [`SymmetricKey`] | when whoever issues also verifies: the one to choose |
//! | [`PasetoPublic`] | PASETO v4.public, signed with Ed25519 | [`SecretKey`] | when others verify who must not be able to issue |
//! | [`Hs256`] | JWT, authenticated with HMAC-SHA-256 | [`SymmetricKey`] | when it has to be a JWT |
//! | [`EdDsa`] | JWT, signed with Ed25519 | [`SecretKey`] | when it has to be a JWT and others verify |
//!
//! Anybody can read the claims in all of them but the first.
//!
//! # What is believed
//!
//! A token has one spelling. What names its key (the footer of a PASETO, the header of a JWT) is compared with what the maker
//! itself writes, and never parsed, so a token has no say in how it is verified. What it says is read only when it is known to
//! be genuine, and then all claims have to be there, once, with their types, and no others.
//!
//! Nothing here reads a clock: `now` is an argument. A token is believed from the very second it begins to the second
//! before it expires; a [`Leeway`] of the maker, none by default, allows for clocks that differ.
//!
//! Secrets don't print and are wiped from memory when dropped; weak and published ones are refused.
//!
//! ```
//! use simplebank_core::{Role, SessionId, TokenId, UserId};
//! use simplebank_token::{Claims, Error, Expected, PasetoLocal, SymmetricKey, TokenKind, TokenMaker};
//! use time::{Duration, macros::datetime};
//!
//! // A server reads it from its settings instead: `text.parse()`.
//! let key = SymmetricKey::generate()?;
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
//! Sources: [PASETO v4](https://github.com/paseto-standard/paseto-spec/blob/master/docs/01-Protocol-Versions/Version4.md) and
//! [PASERK](https://github.com/paseto-standard/paserk); RFC [7519](https://www.rfc-editor.org/rfc/rfc7519) (JWT),
//! [7515](https://www.rfc-editor.org/rfc/rfc7515) (JWS), [7517](https://www.rfc-editor.org/rfc/rfc7517) (JWK),
//! [7638](https://www.rfc-editor.org/rfc/rfc7638) (thumbprints), [8037](https://www.rfc-editor.org/rfc/rfc8037) (EdDSA in them)
//! and [8725](https://www.rfc-editor.org/rfc/rfc8725) (how JWTs go wrong).
//!
//! # Remembering
//!
//! Whoever is shown the same tokens again and again can have a maker know those that it found genuine lately, by
//! `remembering(tokens)`: each then costs its SHA-256 and a look-up instead of being opened. All claims are checked anew each
//! time, against what is expected and `now`.
//!
//! Of all tokens it knows at least the half of so many that were shown last, and no more than so many, made even; clones share
//! them. It keeps digests and claims, some 300 bytes for each, and no token. A forgery is never kept. Without it, or with 0,
//! nothing is.

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
mod verifier;

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
/// The fixed claims take about 400 bytes of JSON, base64 a third more, the key's name, nonce, tag and header about 220: with
/// 750 bytes spent, some 2,500 are left for the names of issuer and audience, and all of it fits the 8 KiB that proxies give
/// to a header.
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
    /// - [`IssueError::Failed`]: the operating system gave no randomness for the nonce (v4.local), or the cryptographic library
    ///   no signature (EdDSA), as for want of memory.
    fn issue(&self, claims: &Claims) -> Result<String, IssueError>;

    /// The claims of a token that one of this maker's keys has made, that is meant for what is expected and that holds at
    /// `now`.
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

/// A maker that was chosen when the program runs.
impl<M: TokenMaker + ?Sized> TokenMaker for Box<M> {
    fn issue(&self, claims: &Claims) -> Result<String, IssueError> {
        (**self).issue(claims)
    }

    fn verify(
        &self,
        token: &str,
        expected: &Expected<'_>,
        now: OffsetDateTime,
    ) -> Result<Claims, Error> {
        (**self).verify(token, expected, now)
    }
}
