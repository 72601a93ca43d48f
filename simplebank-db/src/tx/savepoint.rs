//! A part of a transaction that may fail by itself.

use std::mem;

use sqlx::AssertSqlSafe;

use super::{Body, BodyError, Tx};
use crate::Error;

impl Tx<'_> {
    /// Runs `body` once, in a savepoint: if it fails, what it did is undone, its hooks are forgotten, and the transaction
    /// can go on.
    ///
    /// ```
    /// # use simplebank_db::{Db, Error, TxSpec, testing::TestDatabase};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Error> {
    /// # let database = TestDatabase::new().await;
    /// # let db = Db::from_pool(database.owner().await);
    /// # sqlx::raw_sql("create table orders (id int); create table gifts (id int unique); insert into gifts values (1)")
    /// #     .execute(db.pool())
    /// #     .await?;
    /// db.transact(TxSpec::read_committed("order"), async |tx| {
    ///     sqlx::query("insert into orders values (1)").execute(tx.connection()).await?;
    ///     let gift = tx.savepoint(async |tx| {
    ///         sqlx::query("insert into gifts values (1)").execute(tx.connection()).await?;
    ///         Ok::<_, Error>(())
    ///     });
    ///     match gift.await {
    ///         Err(error) if error.is_retryable() => Err(error), // the whole transaction is to run again
    ///         Err(_) | Ok(()) => Ok(()),                        // no gift: the order stands
    ///     }
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// A serialization failure concerns the whole transaction: give [retryable](Error::is_retryable) errors back from the
    /// outer body rather than going on. A savepoint costs two round trips.
    ///
    /// Whoever drops the future half-way leaves a part of it behind, and the transaction can't be committed any more: it ends
    /// as [`Error::Torn`].
    ///
    /// # Errors
    ///
    /// The body's own; or, through `E::from`, what the database answered to the savepoint or its release: among them
    /// [`Error::Aborted`] when the body swallowed a failure, in which case it is undone as well.
    pub async fn savepoint<T, E, F>(&mut self, body: F) -> Result<T, E>
    where
        T: Send,
        E: BodyError,
        for<'t, 'c> F: AsyncFn(&'t mut Tx<'c>) -> Result<T, E>
            + Body<&'t mut Tx<'c>, Result<T, E>, Fut: Send>
            + Send
            + Sync,
    {
        // Not sqlx's nested `begin`: dropped before the server answers, it rolls back the whole transaction, and what follows
        // commits statement by statement (sqlx 0.9.0). The name tells the depth: what an inner savepoint that was dropped has
        // left open vanishes with the outer one.
        let name = format!("simplebank_{}", self.depth + 1);
        self.run(format!("savepoint {name}")).await?;
        self.is_torn = true;
        let mut inner = Tx { depth: self.depth + 1, ..Tx::new(&mut *self.connection) };
        let outcome = body(&mut inner).await;
        let Tx { after_commit, is_torn, is_in_doubt, .. } = inner;
        self.is_in_doubt |= is_in_doubt;
        let outcome = match outcome {
            Ok(_) if is_torn => Err(Error::Torn.into()),
            // RELEASE is refused in a failed transaction, unlike COMMIT.
            Ok(value) => {
                self.run(format!("release savepoint {name}")).await.map(|()| value).map_err(E::from)
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(_) => self.after_commit.append(after_commit),
            Err(_) => {
                self.run(format!("rollback to savepoint {name}; release savepoint {name}")).await?;
            }
        }
        self.is_torn = false;
        outcome
    }

    async fn run(&mut self, sql: String) -> Result<(), Error> {
        let was_in_doubt = mem::replace(&mut self.is_in_doubt, true);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.connection).await?;
        self.is_in_doubt = was_in_doubt;
        Ok(())
    }
}
