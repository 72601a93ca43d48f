//! A part of a transaction that may fail by itself.

use sqlx::Connection as _;

use super::{Body, BodyError, Tx};
use crate::Error;

impl Tx<'_> {
    /// Runs `body` once, in a savepoint: if it fails, what it did is undone, its hooks are forgotten, and the transaction
    /// can go on.
    ///
    /// ```no_run
    /// # use simplebank_db::{Db, Error, TxSpec};
    /// # async fn example(db: Db) -> Result<(), Error> {
    /// db.transact(TxSpec::read_committed("order"), async |tx| {
    ///     let gift = tx.savepoint(async |tx| {
    ///         sqlx::query("insert into gifts values (1)").execute(tx.connection()).await?;
    ///         Ok::<_, Error>(())
    ///     });
    ///     if let Err(error) = gift.await
    ///         && error.is_retryable()
    ///     {
    ///         return Err(error); // the whole transaction is to run again
    ///     }
    ///     sqlx::query("insert into orders values (1)").execute(tx.connection()).await?;
    ///     Ok(())
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// A serialization failure concerns the whole transaction: give [retryable](Error::is_retryable) errors back from the
    /// outer body rather than going on. A savepoint costs two round trips.
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
        #[expect(clippy::disallowed_methods, reason = "inside a transaction it is a savepoint")]
        let begun = self.connection.begin().await;
        let mut savepoint = begun.map_err(Error::from)?;
        let mut inner = Tx::new(&mut savepoint);
        let outcome = body(&mut inner).await;
        let after_commit = inner.into_after_commit();
        let error = match outcome {
            // RELEASE is refused in a failed transaction, unlike COMMIT.
            Ok(value) => match savepoint.commit().await {
                Ok(()) => {
                    self.after_commit.append(after_commit);
                    return Ok(value);
                }
                Err(error) => return Err(Error::from(error).into()),
            },
            Err(error) => error,
        };
        savepoint.rollback().await.map_err(Error::from)?;
        Err(error)
    }
}
