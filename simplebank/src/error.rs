//! What can go wrong, as callers see it: a [`Kind`] to act on, a stable code to tell others, a text for people.

use std::sync::Arc;

use simplebank_core::Rejection;
use simplebank_db::{self as db, BodyError, Constraint};
use simplebank_token as token;
use thiserror::Error;

/// A value that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Which field of the command.
    pub field: String,
    /// What is allowed there.
    pub message: String,
}

impl FieldError {
    /// Says that `field` is wrong because of `reason`.
    pub fn new(field: impl Into<String>, reason: impl ToString) -> Self {
        Self { field: field.into(), message: reason.to_string() }
    }
}

/// Why the bank did not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The request itself is wrong.
    #[error("invalid input: {}", fields.iter().map(|field| format!("{} {}", field.field, field.message)).collect::<Vec<_>>().join("; "))]
    Invalid {
        /// What is wrong, field by field.
        fields: Vec<FieldError>,
    },
    /// The token proves nothing, or no longer.
    #[error("the token is not valid")]
    Unauthenticated,
    /// No user has this name and password.
    #[error("wrong username or password")]
    WrongCredentials,
    /// The caller has shown who they are, and not their password.
    #[error("wrong password")]
    WrongPassword,
    /// The caller may not do this.
    #[error("not allowed")]
    Forbidden,
    /// The caller has not shown yet that their e-mail address is theirs, and may only look.
    #[error("the e-mail address is not verified")]
    EmailNotVerified,
    /// No code of now is this one: it is another, or too old, or used up.
    #[error("the code is not valid")]
    WrongCode,
    /// So many codes were sent that no other one is, for now.
    #[error("too many codes were sent")]
    TooManyCodes,
    /// There is no such thing, or it is none of the caller's business: both look alike.
    #[error("{what} not found")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// The bank says no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The idempotency key was used before, for something else.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Too many callers wait for the same thing.
    #[error("too many requests at a time")]
    TooMany,
    /// One of several orders that were to happen together, so none did.
    #[error("order {index} of the batch: {error}")]
    Member {
        /// Which one, counted from 0.
        index: usize,
        /// Why.
        #[source]
        error: Box<Error>,
    },
    /// Too many orders wait to be done; nothing has happened.
    #[error("too many orders wait")]
    Overloaded,
    /// Whoever was doing it has stopped, as when the runtime shuts down: it may have happened or not.
    #[error("nobody answered")]
    Unanswered,
    /// What befell a whole batch, told to each of its callers.
    #[error(transparent)]
    Shared(Arc<Error>),
    /// The database.
    #[error("database: {0}")]
    Db(#[source] db::Error),
    /// A token could not be made.
    #[error("token not issued")]
    Token(#[from] token::IssueError),
    /// A password could not be hashed.
    #[error("password not hashed")]
    Password(#[source] argon2::password_hash::Error),
    /// The operating system gave no random numbers.
    #[error("no randomness")]
    Randomness(#[source] getrandom::Error),
    /// A task of the bank's was stopped, as when the runtime shuts down.
    #[error("stopped")]
    Stopped(#[source] tokio::task::JoinError),
}

/// What kind of failure an [`enum@Error`] is: what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Correct the request.
    Invalid,
    /// Log in.
    Unauthenticated,
    /// Ask somebody else.
    Forbidden,
    /// Nothing to be had.
    NotFound,
    /// Something else is there already.
    Conflict,
    /// The bank says no, and will say so again.
    Rejected,
    /// Try later: you, or everybody, asks too often.
    TooMany,
    /// Try later: the database is away or too busy, or what became of the request is unknown. With an idempotency key,
    /// sending it again is safe.
    Unavailable,
    /// A defect.
    Internal,
}

impl Error {
    /// One wrong field.
    pub fn invalid(field: impl Into<String>, reason: impl ToString) -> Self {
        Self::Invalid { fields: vec![FieldError::new(field, reason)] }
    }

    /// This error for each of so many callers.
    pub(crate) fn for_each_of(self, callers: usize) -> impl Iterator<Item = Self> {
        let (mut only, mut shared) = (None, None);
        if callers == 1 {
            only = Some(self);
        } else {
            shared = Some(Arc::new(self));
        }
        (0..callers).filter_map(move |_| {
            only.take().or_else(|| shared.as_ref().map(|error| Self::Shared(Arc::clone(error))))
        })
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid { .. } => Kind::Invalid,
            Self::Unauthenticated | Self::WrongCredentials => Kind::Unauthenticated,
            Self::Forbidden | Self::EmailNotVerified => Kind::Forbidden,
            Self::NotFound { .. } => Kind::NotFound,
            Self::Rejected(rejection) => kind_of_rejection(rejection),
            Self::KeyReused | Self::WrongCode | Self::WrongPassword => Kind::Rejected,
            Self::TooMany | Self::TooManyCodes => Kind::TooMany,
            Self::Member { error, .. } => error.kind(),
            Self::Shared(error) => error.kind(),
            Self::Overloaded | Self::Unanswered => Kind::Unavailable,
            Self::Db(error) => match code_of_db(error) {
                INTERNAL => Kind::Internal,
                KEY_IN_USE => Kind::Conflict,
                _ => Kind::Unavailable,
            },
            Self::Stopped(_) => Kind::Unavailable,
            Self::Token(_) | Self::Password(_) | Self::Randomness(_) => Kind::Internal,
        }
    }

    /// The stable code, in `snake_case`; `docs/errors.md` lists all of them.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid_input",
            Self::Unauthenticated => "unauthenticated",
            Self::WrongCredentials => "wrong_credentials",
            Self::WrongPassword => "wrong_password",
            Self::Forbidden => "forbidden",
            Self::EmailNotVerified => "email_not_verified",
            Self::WrongCode => "wrong_code",
            Self::TooManyCodes => "too_many_codes",
            Self::NotFound { .. } => "not_found",
            Self::Rejected(rejection) => rejection.code(),
            Self::KeyReused => "idempotency_key_reused",
            Self::TooMany => "too_many_requests",
            Self::Member { error, .. } => error.code(),
            Self::Shared(error) => error.code(),
            Self::Overloaded => OVERLOADED,
            Self::Unanswered => OUTCOME_UNKNOWN,
            Self::Db(error) => code_of_db(error),
            Self::Stopped(_) => UNAVAILABLE,
            Self::Token(_) | Self::Password(_) | Self::Randomness(_) => INTERNAL,
        }
    }

    /// Every code of the bank's own; those of [`Rejection`] come on top.
    pub const CODES: [&str; 16] = [
        "invalid_input",
        "unauthenticated",
        "wrong_credentials",
        "wrong_password",
        "forbidden",
        "email_not_verified",
        "wrong_code",
        "too_many_codes",
        "not_found",
        "idempotency_key_reused",
        KEY_IN_USE,
        "too_many_requests",
        OVERLOADED,
        UNAVAILABLE,
        OUTCOME_UNKNOWN,
        INTERNAL,
    ];
}

const INTERNAL: &str = "internal";
const UNAVAILABLE: &str = "unavailable";
const OVERLOADED: &str = "overloaded";
const OUTCOME_UNKNOWN: &str = "outcome_unknown";
const KEY_IN_USE: &str = "idempotency_key_in_use";

const fn kind_of_rejection(rejection: &Rejection) -> Kind {
    match rejection {
        Rejection::AccountNotFound { .. }
        | Rejection::HoldNotFound { .. }
        | Rejection::TransferNotFound { .. } => Kind::NotFound,
        Rejection::UsernameTaken { .. } | Rejection::AccountExists { .. } => Kind::Conflict,
        Rejection::SameAccount
        | Rejection::AccountFrozen { .. }
        | Rejection::AccountClosed { .. }
        | Rejection::CurrencyMismatch { .. }
        | Rejection::InsufficientFunds { .. }
        | Rejection::TransferLimitExceeded { .. }
        | Rejection::DailyLimitExceeded { .. }
        | Rejection::HoldResolved { .. }
        | Rejection::HoldExpired { .. }
        | Rejection::CaptureExceedsHold { .. }
        | Rejection::HoldBindsPayer { .. }
        | Rejection::NotReversible { .. }
        | Rejection::ReversalExceedsTransfer { .. }
        | Rejection::AccountNotEmpty { .. }
        | Rejection::AccountHasHolds { .. }
        | Rejection::LimitBelowUse { .. }
        | Rejection::BalanceOutOfRange { .. } => Kind::Rejected,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "db's enum is non-exhaustive; whatever is new is a defect until named"
)]
const fn code_of_db(error: &db::Error) -> &'static str {
    match error {
        db::Error::Overload(_) | db::Error::Serialization(_) | db::Error::Deadlock(_) => OVERLOADED,
        db::Error::Exhausted { last, .. } | db::Error::DeadlinePassed { last: Some(last), .. } => {
            code_of_db(last)
        }
        db::Error::DeadlinePassed { last: None, .. } => OVERLOADED,
        db::Error::Unavailable(_) | db::Error::NotMigrated(_) => UNAVAILABLE,
        db::Error::CommitUnknown(_) => OUTCOME_UNKNOWN,
        db::Error::Constraint { constraint: Constraint::IdempotencyKey, .. } => KEY_IN_USE,
        _ => INTERNAL,
    }
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self::Db(error)
    }
}

impl BodyError for Error {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other variant is handed back unchanged"
    )]
    fn into_db(self) -> Result<db::Error, Self> {
        match self {
            Self::Db(error) => Ok(error),
            other => Err(other),
        }
    }
}
