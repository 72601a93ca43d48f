//! What can go wrong with a token: for whoever sends one almost nothing is said, for whoever issues one everything.

use thiserror::Error;

use crate::TOKEN_BYTES_MAX;

/// A token is not accepted.
///
/// There are no details on purpose: they would help nobody but a forger.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// The token is genuine and was meant for this, but its time is over.
    #[error("token has expired")]
    Expired,
    /// The token is malformed, altered, forged, not yet valid, meant for something else, or of a key that is not in the ring.
    #[error("token is invalid")]
    Invalid,
}

/// A token could not be issued.
///
/// A type of its own, so that nobody answers a fault of the server with "you are not logged in".
#[derive(Debug, Error)]
pub enum IssueError {
    /// The claims expire before they are issued or begin, or a year is outside 0 to 9999 and has no RFC 3339 form.
    #[error("claims expire before they begin, or have a year outside 0 to 9999")]
    Times,
    /// The names of issuer and audience make the token too long.
    #[error("token of {bytes} bytes exceeds {max}", max = TOKEN_BYTES_MAX)]
    TooLong {
        /// The length it would have had, in bytes.
        bytes: usize,
    },
    /// The cryptography failed: as far as is known, only because the operating system gave no randomness
    /// or no memory.
    #[error("token could not be made")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl IssueError {
    /// Keeps the cause of a failure of a library.
    pub(crate) fn failed(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Failed(Box::new(cause))
    }
}
