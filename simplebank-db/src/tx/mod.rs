//! The door.

mod after_commit;
mod deadline;
mod open;
mod savepoint;
mod transact;
mod unknown;

use std::{fmt, future::Future};

use sqlx::{PgConnection, Postgres, Transaction};

pub(crate) use self::transact::Settled;
pub use self::{
    after_commit::AfterCommit,
    transact::{Confirmed, Question, Transact, Unconfirmed},
};
use crate::Error;

/// An open transaction: [`Db::transact`](crate::Db::transact)'s own, or a caller's.
pub struct Tx<'c> {
    connection: &'c mut PgConnection,
    after_commit: AfterCommit,
    /// A savepoint is under way, or was dropped under way.
    is_torn: bool,
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("after_commit", &self.after_commit).finish_non_exhaustive()
    }
}

impl<'c> Tx<'c> {
    fn new(connection: &'c mut PgConnection) -> Self {
        Self { connection, after_commit: AfterCommit::default(), is_torn: false }
    }

    /// Joins a transaction that the caller has begun with sqlx and will end: what is done through the result commits or
    /// vanishes with it. Retrying after a serialization failure is then the caller's, and so is not swallowing errors.
    ///
    /// Whoever registers hooks or uses savepoints on the result asks [`leave`](Self::leave) before committing.
    #[must_use]
    pub fn join(transaction: &'c mut Transaction<'_, Postgres>) -> Self {
        Self::new(transaction)
    }

    /// The connection inside the transaction, for the caller's own statements.
    ///
    /// Don't begin or commit on it with SQL of your own. For a part that may fail by itself there is
    /// [`savepoint`](Self::savepoint).
    pub fn connection(&mut self) -> &mut PgConnection {
        self.connection
    }

    /// Registers what is to happen once, after the commit that counts: `hook` runs when the transaction has certainly been
    /// committed, in the order of registration, and never for an attempt or a savepoint that was rolled back.
    ///
    /// It can't wait and can't fail: let it send to a channel or spawn a task. It isn't durable either: a process that dies
    /// right after the commit doesn't run it. What must not be lost belongs in a row.
    pub fn after_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.after_commit.push(hook);
    }

    /// Ends the part in a [joined](Self::join) transaction: the caller may commit it now, and then run the hooks.
    ///
    /// # Errors
    ///
    /// [`Error::Torn`]: the caller must roll back.
    pub fn leave(self) -> Result<AfterCommit, Error> {
        if self.is_torn { Err(Error::Torn) } else { Ok(self.after_commit) }
    }
}

/// The error of a transaction's body: one's own type, which can hold a database error and give it back.
///
/// ```
/// use simplebank_db::{BodyError, Error};
///
/// enum Refused {
///     SoldOut,
///     Db(Error),
/// }
///
/// impl From<Error> for Refused {
///     fn from(error: Error) -> Self {
///         Self::Db(error)
///     }
/// }
///
/// impl BodyError for Refused {
///     fn into_db(self) -> Result<Error, Self> {
///         match self {
///             Self::Db(error) => Ok(error),
///             other => Err(other),
///         }
///     }
/// }
/// ```
pub trait BodyError: From<Error> + Send {
    /// The database error inside, or `self` if it holds none.
    ///
    /// # Errors
    ///
    /// `self`, unchanged.
    fn into_db(self) -> Result<Error, Self>;
}

impl BodyError for Error {
    fn into_db(self) -> Result<Error, Self> {
        Ok(self)
    }
}

/// An async closure that can run again and whose future is `Send`.
///
/// `AsyncFn` alone can't promise `Send` on stable Rust; naming the future through `Fn` can. It is implemented for every
/// closure that fits; nobody implements it by hand.
pub trait Body<A, R>: AsyncFn(A) -> R + Fn(A) -> <Self as Body<A, R>>::Fut {
    /// The closure's future.
    type Fut: Future<Output = R>;
}

impl<A, R, F, Fut> Body<A, R> for F
where
    F: AsyncFn(A) -> R + Fn(A) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// A random number from 0 to `most`.
pub(crate) fn jitter(most: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the crate's only randomness")]
    let random = getrandom::u64();
    // Without randomness, numbers are still numbers: nothing here is a secret, and equal ones only wait for each other.
    random.map_or(most, |random| random.checked_rem(most.saturating_add(1)).unwrap_or(0))
}
