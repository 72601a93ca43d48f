//! The door: the only place where a transaction begins and ends.
//!
//! [`Db::transact`](crate::Db::transact) runs a body in a transaction and commits it. It works on any
//! [`PgPool`](sqlx::PgPool) (through [`Db::from_pool`](crate::Db::from_pool)) and needs none of the bank's tables. This page is
//! what one should have read before writing transactions for PostgreSQL.
//!
//! ```
//! # use sqlx::PgPool;
//! # use simplebank_db::{Db, Error, TxSpec, testing::TestDatabase};
//! const SELL: TxSpec = TxSpec::serializable("sell");
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let database = TestDatabase::new().await;
//! # let pool = database.owner().await;
//! # sqlx::raw_sql("create table items (id int primary key, stock int); insert into items values (7, 3)").execute(&pool).await?;
//! let db = Db::from_pool(pool);
//! let (item, count) = (7, 2);
//! let left: i32 = db
//!     .transact(SELL, async |tx| {
//!         let update = "update items set stock = stock - $2 where id = $1 returning stock";
//!         let row = sqlx::query_scalar(update).bind(item).bind(count).fetch_one(tx.connection());
//!         Ok::<_, Error>(row.await?)
//!     })
//!     .await?;
//! assert_eq!(left, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What a call does
//!
//! 1. It takes a connection from the pool and sends BEGIN with the settings of the [`TxSpec`]: one round trip.
//! 2. The body runs. An error rolls the transaction back, explicitly, so that its locks are free before anything else happens.
//! 3. COMMIT is sent: one round trip. Where a statement has failed, was not awaited to its end, or may have been anything,
//!    it is sent together with a statement that a failed transaction refuses.
//! 4. 40001 and 40P01, from a statement or from COMMIT, and a connection lost before COMMIT run the body again, after a pause
//!    of random length that grows with the attempts and with the crowd: at most [`attempts_max`](TxSpec::attempts_max) times and
//!    not beyond the [`deadline`](TxSpec::deadline). Nothing else is run again.
//!
//! # Which level for what
//!
//! What transactions at the three levels of PostgreSQL may do to each other (its READ UNCOMMITTED is READ COMMITTED).
//! `docs/isolation.md` has the long table, measured.
//!
//! | | READ COMMITTED | REPEATABLE READ | SERIALIZABLE |
//! |---|---|---|---|
//! | reads what was never committed | no | no | no |
//! | reads the same row twice and sees two values | **yes** | no | no |
//! | asks twice and finds other rows | **yes** | no | no |
//! | overwrites a change that it hasn't seen (lost update) | **yes** | no: 40001 | no: 40001 |
//! | two keep a rule each by itself and break it together (write skew) | **yes** | **yes** | no: 40001 |
//!
//! - **READ COMMITTED with rows locked first**, in ascending order of their ids and in one statement (`… order by id for no key
//!   update`), for whatever is decided by a few known rows: balances, stocks, counters. Those who meet wait for each other
//!   instead of failing. It is what the bank uses for money.
//! - **REPEATABLE READ, read only** ([`TxSpec::snapshot`]) for reports: all statements see one moment. It never fails.
//! - **SERIALIZABLE** where the rule spans rows that one can't lock, since they don't exist yet or are too many. It fails often
//!   when many meet, and every transaction that takes part must run at it.
//!
//! Whatever the level, put the rule into a constraint where it fits into one. SERIALIZABLE is not the last word: the server
//! remembers who has read what only for so many. If one half of a write skew stays open while some 1,200 other serializable
//! transactions commit (with default settings), both halves commit without a word (the proof R3 shows it). A CHECK forgets
//! nothing.
//!
//! # What must not be in a body
//!
//! The body may run several times, and only what it does through [`Tx`] is undone. So outside of it, before or after:
//!
//! - ids, times and random numbers, which must be the same in each attempt: otherwise nobody can ask later what became of them;
//! - mail, queues, other services, other databases, files: use [`Tx::after_commit`], and for what must not be lost a row that
//!   a worker reads;
//! - whatever takes long: locks are held meanwhile. Hash passwords before;
//! - settings of the session: they outlive the transaction, and the next one meets them. Use `set local`.
//!
//! That the body can't use something up is checked by the compiler. A capture that is moved out would be missing in the second
//! attempt:
//!
//! ```compile_fail,E0525
//! # async fn example(db: simplebank_db::Db) -> Result<(), simplebank_db::Error> {
//! let receipt = String::from("…");
//! db.transact(simplebank_db::TxSpec::serializable("sell"), async |_| {
//!     let receipt = receipt; // moved
//!     Ok::<_, simplebank_db::Error>(drop(receipt))
//! })
//! .await
//! # }
//! ```
//!
//! Borrowed it is fine:
//!
//! ```
//! # async fn example(db: simplebank_db::Db) -> Result<(), simplebank_db::Error> {
//! let receipt = String::from("…");
//! db.transact(simplebank_db::TxSpec::serializable("sell"), async |_| {
//!     let receipt = &receipt;
//!     Ok::<_, simplebank_db::Error>(drop(receipt.clone()))
//! })
//! .await
//! # }
//! ```
//!
//! # An error that was swallowed
//!
//! After a failed statement PostgreSQL refuses all others until the end, and answers COMMIT with success although it rolls
//! back; sqlx reports that success. A body that ignores an error and returns `Ok` would be told that all is well. Here it gets
//! [`Error::Aborted`]. For a part that may fail there is [`Tx::savepoint`].
//!
//! # An unknown outcome
//!
//! The connection breaks while COMMIT is under way. Did it happen? The client can't know: the message or its answer was
//! lost. To report failure is wrong (the caller does it again: twice), to report success is wrong, to retry blindly is
//! wrong. What can be done is to ask, and to ask at the right time: the old session may still be about to commit. Give the
//! question with [`confirm`](Transact::confirm), and choose before the body what can be asked for:
//!
//! ```
//! # use simplebank_db::{Db, Error, TxSpec, testing::{Fault, Proxy, Strike, TestDatabase}};
//! # use sqlx::PgPool;
//! const PAY: TxSpec = TxSpec::read_committed("pay");
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let database = TestDatabase::new().await;
//! # sqlx::raw_sql("create table payments (id bigint primary key)").execute(&database.owner().await).await?;
//! # let proxy = Proxy::start(&database.url()).await;
//! # let db = Db::from_pool(PgPool::connect(&proxy.url()).await?);
//! let id = 4711_i64; // the customer's key, or a fresh id: the same for all attempts
//! # proxy.arm(Fault::AfterCommit(Strike::Cut));
//! db.transact(PAY, async |tx| {
//!     sqlx::query("insert into payments values ($1)").bind(id).execute(tx.connection()).await?;
//!     Ok::<_, Error>(())
//! })
//! .confirm(async |tx| {
//!     let find = sqlx::query("select from payments where id = $1").bind(id);
//!     Ok(find.fetch_optional(tx.connection()).await?.map(|_| ()))
//! })
//! .await?;
//! # assert_eq!(proxy.hits(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! The question is asked on a new connection once the old transaction has certainly ended, which costs nothing until then but
//! one statement. If it took, the call returns what the question found; if not, the body runs again; if there is no answer
//! before the deadline, the caller gets [`Error::CommitUnknown`] and knows as much as there is to know. A transaction whose
//! spec is read-only is simply read again.
//!
//! The statement is sent along with BEGIN at READ COMMITTED. At the other levels it would take their snapshot before the body
//! can lock anything, so it is sent by itself right before COMMIT, and costs a round trip.
//!
//! After a failover to a standby that had not received the commit, the question answers for the new server: what was
//! acknowledged by the old one may be gone. That is for `synchronous_standby_names` to prevent.
//!
//! # Going away
//!
//! The future may be dropped at any moment, by a timeout, a `select!`, a client that hangs up: its connection is closed, and the
//! server rolls back. It costs a new connection, and is the only way to be sure what the old one is doing. (sqlx's own `begin`
//! may not be dropped: while BEGIN is on its way, it leaves an open transaction in the pool, and the next borrower's statements
//! are acknowledged and lost.) Only a future that is dropped while COMMIT is under way leaves it open what became of it.
//!
//! # Joining
//!
//! [`Tx::join`] puts functions that take a [`Tx`] into a transaction that you have begun with sqlx; retrying is then yours.
//! [`Tx::connection`] is the other way round: your statements in a transaction of ours.
//!
//! # Seen from outside
//!
//! Each call is a `tracing` span called `transaction`, with its name; [`observe`](crate::observe) lists the metrics.

mod after_commit;
mod alone;
mod connection;
mod deadline;
mod open;
mod savepoint;
mod transact;
mod unknown;

use std::{fmt, future::Future};

use sqlx::{PgConnection, Postgres, Transaction};

pub use self::{
    after_commit::AfterCommit,
    alone::{Alone, Doubt, NotWritten},
    connection::TxConnection,
    transact::{Confirmed, Question, Transact, Unconfirmed},
};
pub(crate) use self::{alone::Shelf, open::silence, transact::Settled};
use crate::Error;
#[cfg(doc)]
use crate::TxSpec;

/// An open transaction: [`Db::transact`](crate::Db::transact)'s own, or a caller's.
pub struct Tx<'c> {
    connection: &'c mut PgConnection,
    /// It may have failed, or been ended, without our knowing.
    is_in_doubt: bool,
    after_commit: AfterCommit,
    /// A savepoint is under way, or was dropped under way.
    is_torn: bool,
    /// How many savepoints are around it.
    depth: u32,
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("after_commit", &self.after_commit).finish_non_exhaustive()
    }
}

impl<'c> Tx<'c> {
    fn new(connection: &'c mut PgConnection) -> Self {
        Self {
            connection,
            is_in_doubt: false,
            after_commit: AfterCommit::default(),
            is_torn: false,
            depth: 0,
        }
    }

    /// Joins a transaction that the caller has begun with sqlx and will end: what is done through the result commits or
    /// vanishes with it. Retrying after a serialization failure is then the caller's, and so is not swallowing errors.
    ///
    /// Whoever registers hooks or uses savepoints on the result asks [`leave`](Self::leave) before committing.
    #[must_use]
    pub fn join(transaction: &'c mut Transaction<'_, Postgres>) -> Self {
        Self::new(transaction)
    }

    /// The connection inside the transaction, for the caller's own statements: `query.execute(tx.connection())`. A function
    /// that wants a `&mut PgConnection` is given `&mut tx.connection()`, which costs the end of the transaction a little more:
    /// see [`TxConnection`].
    ///
    /// Don't begin, commit or roll back on it: not with SQL of your own, which ends in [`Error::Ended`] with your changes
    /// committed or not, and rather not with sqlx's nested `begin`, which is a savepoint but, dropped before the server has
    /// answered, rolls back the whole transaction and lets what follows commit by itself (sqlx 0.9.0). For a part that may fail
    /// there is [`savepoint`](Self::savepoint).
    pub fn connection(&mut self) -> TxConnection<'_> {
        TxConnection::new(self.connection, &mut self.is_in_doubt)
    }

    /// Registers what is to happen once, after the commit that counts: `hook` runs when the server has acknowledged it, or when
    /// the [question](Transact::confirm) has found that what the call is about is there; in the order of registration, and
    /// never for an attempt that is run again or a savepoint that was undone.
    ///
    /// It can't wait and must not panic, which would end the call and take the later hooks with it: let it send to a channel or
    /// spawn a task. It isn't durable either: a process that dies right after the commit, or a caller who drops the future
    /// while COMMIT is under way, doesn't run it. What must not be lost belongs in a row.
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
