//! The connection inside a transaction, with a note of what its statements may have done to it.

use std::{
    mem,
    ops::{Deref, DerefMut},
    task::Poll,
};

use futures_util::{
    future::BoxFuture,
    stream::{self, BoxStream, StreamExt as _},
};
use sqlx::{
    Describe, Either, Execute, Executor, PgConnection, Postgres, SqlStr,
    error::BoxDynError,
    postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};

/// With these words begins what reads and writes rows: it leaves the transaction open, and whole if it succeeds.
const HARMLESS: [&str; 6] = ["select", "insert", "update", "delete", "with", "merge"];

/// The connection inside a transaction: an [`Executor`] for the caller's statements. See [`Tx::connection`](super::Tx::connection).
///
/// It notes whether the transaction is in doubt. It isn't as long as there were but single statements that read and write rows
/// and were answered to the end without an error: then it ends with a plain COMMIT. Whatever else happened, among it all that
/// is done with the [`PgConnection`] below, is found out at the end, in the same round trip but for a little more work.
#[derive(Debug)]
pub struct TxConnection<'c> {
    connection: &'c mut PgConnection,
    is_in_doubt: &'c mut bool,
}

impl<'c> TxConnection<'c> {
    pub(super) fn new(connection: &'c mut PgConnection, is_in_doubt: &'c mut bool) -> Self {
        Self { connection, is_in_doubt }
    }

    /// Whether `sql` has left no doubt, once it has succeeded, where there was none before. From here to there, there is.
    fn begin(is_in_doubt: &mut bool, query: &Statement) -> bool {
        let was_in_doubt = mem::replace(is_in_doubt, true);
        !was_in_doubt && query.is_harmless()
    }
}

impl Deref for TxConnection<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection
    }
}

impl DerefMut for TxConnection<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        *self.is_in_doubt = true;
        self.connection
    }
}

impl<'c> Executor<'c> for TxConnection<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Self { connection, is_in_doubt } = self;
        let query = Statement::new(query);
        let mut leaves_no_doubt = Self::begin(is_in_doubt, &query);
        let mut answers = connection.fetch_many(query);
        let noted = stream::poll_fn(move |context| {
            let answer = answers.poll_next_unpin(context);
            match &answer {
                Poll::Ready(Some(Err(_))) => leaves_no_doubt = false,
                Poll::Ready(None) if leaves_no_doubt => *is_in_doubt = false,
                Poll::Ready(_) | Poll::Pending => {}
            }
            answer
        });
        noted.boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Self { connection, is_in_doubt } = self;
        let query = Statement::new(query);
        let leaves_no_doubt = Self::begin(is_in_doubt, &query);
        let answer = connection.fetch_optional(query);
        Box::pin(async move {
            let row = answer.await?;
            if leaves_no_doubt {
                *is_in_doubt = false;
            }
            Ok(row)
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        *self.is_in_doubt = true;
        self.connection.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        *self.is_in_doubt = true;
        self.connection.describe(sql)
    }
}

/// A statement that was looked at, which [`Execute`] allows but once.
struct Statement {
    sql: SqlStr,
    /// `None` for what is sent as it is: that may be several statements.
    arguments: Result<Option<PgArguments>, BoxDynError>,
    is_persistent: bool,
}

impl Statement {
    fn new<'q>(mut query: impl Execute<'q, Postgres>) -> Self {
        let arguments = query.take_arguments();
        Self { arguments, is_persistent: query.persistent(), sql: query.sql() }
    }

    fn is_harmless(&self) -> bool {
        let begins_with = |word: &&str| {
            let sql = self.sql.as_str().trim_ascii_start().as_bytes();
            sql.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
                && sql.get(word.len()).is_some_and(u8::is_ascii_whitespace)
        };
        matches!(self.arguments, Ok(Some(_))) && HARMLESS.iter().any(begins_with)
    }
}

impl Execute<'_, Postgres> for Statement {
    fn sql(self) -> SqlStr {
        self.sql
    }

    // It is found by its text.
    fn statement(&self) -> Option<&PgStatement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        mem::replace(&mut self.arguments, Ok(None))
    }

    fn persistent(&self) -> bool {
        self.is_persistent
    }
}
