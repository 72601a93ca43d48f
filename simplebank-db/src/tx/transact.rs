//! Running a body until it counts.

use std::{
    fmt,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::{Pin, pin},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::{
    AfterCommit, Body, BodyError, Tx,
    alone::Doubt,
    deadline::Deadline,
    open::{Lease, Open},
    unknown::Marker,
};
use crate::{
    Db, Error, TxSpec,
    counter::Counted,
    error::NotCommitted,
    observe::{self, Observed},
};

/// A transaction to be run: await it. See [`Db::transact`].
///
/// It is not a future yet but becomes one. Where a future is wanted (`join!`, `select!`, a timeout), hand over
/// `async { call.await }`.
#[must_use = "nothing happens until it is awaited"]
pub struct Transact<'a, T, E, F, Q = Unconfirmed> {
    db: &'a Db,
    doubt: Option<Doubt>,
    spec: TxSpec,
    body: F,
    question: Q,
    output: PhantomData<fn() -> Result<T, E>>,
}

impl<T, E, F, Q> fmt::Debug for Transact<'_, T, E, F, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transact").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// The question of a [`Transact`] that has none: a commit whose outcome is unknown is [`Error::CommitUnknown`].
#[derive(Clone, Copy, Debug)]
pub struct Unconfirmed;

/// The question that [`Transact::confirm`] has been given.
#[derive(Clone, Copy, Debug)]
pub struct Confirmed<Q>(Q);

impl Db {
    /// Runs `body` in a transaction and commits it; awaiting the result gives what the body returned.
    ///
    /// `body` may run several times, up to the spec's attempts: see [the module](crate::tx). Dropping the future at any moment
    /// leaves no open transaction behind.
    ///
    /// # Errors
    ///
    /// The body's own error, after a rollback; or, through `E::from`:
    ///
    /// - [`Error::Exhausted`] when all attempts failed for a reason that another could have cured,
    /// - [`Error::DeadlinePassed`] when the spec's deadline came first,
    /// - [`Error::Aborted`] when the body swallowed a failure: nothing was committed,
    /// - [`Error::CommitUnknown`] when the connection broke while COMMIT was in flight and no question was
    ///   [given](Transact::confirm), or it could not be answered before the deadline,
    /// - whatever else the database answered: a violated constraint, [`Error::Overload`] when a wait ran out.
    pub fn transact<T, E, F>(&self, spec: TxSpec, body: F) -> Transact<'_, T, E, F>
    where
        T: Send,
        E: BodyError,
        for<'t, 'c> F: AsyncFn(&'t mut Tx<'c>) -> Result<T, E>
            + Body<&'t mut Tx<'c>, Result<T, E>, Fut: Send>
            + Send
            + Sync,
    {
        let question = Unconfirmed;
        Transact { db: self, doubt: None, spec, body, question, output: PhantomData }
    }
}

impl<'a, T, E, F> Transact<'a, T, E, F> {
    /// Resolves a commit whose outcome is unknown by asking the database, on a new connection, once the old transaction has
    /// certainly ended.
    ///
    /// `question` looks for what the transaction would have written, under an id or key that was chosen before the body, and
    /// returns what the whole call is to return; or `None` if it isn't there, whereupon the body runs again. It only reads:
    /// whatever it writes is rolled back.
    ///
    /// Each attempt is given half of the time that is left until the deadline, and ends as [`Error::DeadlinePassed`] if it takes
    /// longer; the rest is for asking, and for another one.
    ///
    /// An error of the database's that the question swallows is noticed: it is asked again.
    pub fn confirm<Q>(self, question: Q) -> Transact<'a, T, E, F, Confirmed<Q>>
    where
        T: Send,
        E: BodyError,
        for<'t, 'c> Q: AsyncFn(&'t mut Tx<'c>) -> Result<Option<T>, E>
            + Body<&'t mut Tx<'c>, Result<Option<T>, E>, Fut: Send>
            + Send
            + Sync,
    {
        let Self { db, doubt, spec, body, output, .. } = self;
        Transact { db, doubt, spec, body, question: Confirmed(question), output }
    }
}

impl<T, E, F, Q> Transact<'_, T, E, F, Q> {
    /// Takes up what has been tried on a session that was [`Alone`](super::Alone), and whose outcome is unknown: the
    /// [question](Self::confirm) is asked first, and the body runs only if that did not happen.
    pub fn settling(self, doubt: Option<Doubt>) -> Self {
        Self { doubt, ..self }
    }
}

/// Where the answer to an unknown outcome comes from. Sealed: [`Unconfirmed`] and [`Confirmed`] are all there is.
pub trait Question<T, E>: Send + Sync {
    /// Under what the transaction can be waited for, if it is to be asked about.
    fn marker(&self) -> Option<Marker>;
    /// What the question says in `tx`.
    fn ask(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Option<T>, E>> + Send;
}

impl<T: Send, E: Send> Question<T, E> for Unconfirmed {
    fn marker(&self) -> Option<Marker> {
        None
    }

    async fn ask(&self, _: &mut Tx<'_>) -> Result<Option<T>, E> {
        Ok(None)
    }
}

impl<T, E, Q> Question<T, E> for Confirmed<Q>
where
    for<'t, 'c> Q: AsyncFn(&'t mut Tx<'c>) -> Result<Option<T>, E>
        + Body<&'t mut Tx<'c>, Result<Option<T>, E>, Fut: Send>
        + Send
        + Sync,
{
    fn marker(&self) -> Option<Marker> {
        Some(Marker::random())
    }

    fn ask(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Option<T>, E>> + Send {
        (self.0)(tx)
    }
}

impl<'a, T, E, F, Q> IntoFuture for Transact<'a, T, E, F, Q>
where
    T: Send + 'a,
    E: BodyError + 'a,
    for<'t, 'c> F: AsyncFn(&'t mut Tx<'c>) -> Result<T, E>
        + Body<&'t mut Tx<'c>, Result<T, E>, Fut: Send>
        + Send
        + Sync
        + 'a,
    Q: Question<T, E> + 'a,
{
    type Output = Result<T, E>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        let span = observe::span(self.spec.name());
        Box::pin(self.run(span.clone()).instrument(span))
    }
}

/// What became of a commit whose outcome was unknown.
pub(crate) enum Settled<T> {
    Committed(T),
    NotCommitted(sqlx::Error),
    Unknown(sqlx::Error),
}

/// How an attempt ended that has no result.
enum Ended<E> {
    /// With the body's own error, which is not ours to judge.
    Refused(E),
    /// Nothing was committed.
    Failed(Error),
    /// The body was not ready in time.
    Late,
    /// Nobody answered COMMIT.
    Unknown(Unknown),
}

/// What is left of an attempt whose COMMIT nobody answered.
struct Unknown {
    marker: Option<Marker>,
    cause: sqlx::Error,
    after_commit: AfterCommit,
}

impl From<Doubt> for Unknown {
    fn from(Doubt { marker, cause }: Doubt) -> Self {
        Self { marker: Some(marker), cause, after_commit: AfterCommit::default() }
    }
}

impl<E> From<Error> for Ended<E> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<T, E, F, Q> Transact<'_, T, E, F, Q>
where
    T: Send,
    E: BodyError,
    for<'t, 'c> F: AsyncFn(&'t mut Tx<'c>) -> Result<T, E>
        + Body<&'t mut Tx<'c>, Result<T, E>, Fut: Send>
        + Send
        + Sync,
    Q: Question<T, E>,
{
    async fn run(mut self, span: Span) -> Result<T, E> {
        let mut observed = Observed::new(self.spec.name(), span);
        let doubt = self.doubt.take();
        let outcome = self.until_it_counts(doubt, &mut observed).await;
        observed.end(&outcome);
        outcome
    }

    async fn until_it_counts(&self, doubt: Option<Doubt>, observed: &mut Observed) -> Result<T, E> {
        let give_up_at = after(self.spec.patience());
        let (mut attempts, mut last, mut pauses, mut crowd) = (0, None, None, None);
        let mut unknown = doubt.map(Unknown::from);
        loop {
            if unknown.is_none() {
                attempts += 1;
                observed.attempt();
            }
            let ended = match unknown.take() {
                Some(unknown) => Ended::Unknown(unknown),
                None => match self.attempt(give_up_at).await {
                    Ok(value) => return Ok(value),
                    Err(ended) => ended,
                },
            };
            let error = match ended {
                Ended::Refused(error) => return Err(error),
                Ended::Late => return Err(Error::DeadlinePassed { attempts, last }.into()),
                Ended::Failed(error) => error,
                Ended::Unknown(unknown) => {
                    // Boxed, so that a call is not as large as what it hardly ever does.
                    let settled = Box::pin(self.settle(unknown, give_up_at)).await;
                    observed.unknown(&settled);
                    match settled {
                        Settled::Committed(value) => return Ok(value),
                        Settled::NotCommitted(cause) => Error::Unavailable(cause),
                        Settled::Unknown(cause) => return Err(Error::CommitUnknown(cause).into()),
                    }
                }
            };
            if !error.is_retryable() {
                return Err(error.into());
            }
            let crowd = crowd.get_or_insert_with(|| Counted::one_more(&self.db.running_again));
            let pauses = pauses.get_or_insert_with(|| self.spec.pauses());
            let pause = pauses.next(crowd.number());
            let is_last = attempts >= self.spec.attempts();
            if is_last || after(pause) >= give_up_at {
                tracing::warn!(transaction = self.spec.name(), attempts, %error, "giving up");
                let last = Box::new(error);
                return Err(match is_last {
                    true => Error::Exhausted { attempts, last },
                    false => Error::DeadlinePassed { attempts, last: Some(last) },
                }
                .into());
            }
            observed.retry(&error);
            tracing::debug!(transaction = self.spec.name(), attempts, %error, "running again");
            last = Some(Box::new(error));
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, give_up_at: Instant) -> Result<T, Ended<E>> {
        let marker = if self.spec.is_read_only() { None } else { self.question.marker() };
        let mut deadline = Deadline::new(match marker {
            None => give_up_at,
            // The other half is for asking what became of it, and for running it again.
            Some(_) => Instant::now() + time_left(give_up_at) / 2,
        });
        let mut begin = self.spec.begin_sql(self.db.session, time_left(give_up_at));
        let (mark_first, mark_last) =
            if self.spec.has_one_snapshot() { (None, marker) } else { (marker, None) };
        if let Some(marker) = mark_first {
            begin.push_str(&marker.sql());
        }
        let name = self.spec.name();
        let mut lease = Lease::acquire(self.db, name, &mut deadline).await?;
        loop {
            let is_tested = lease.is_tested();
            match lease.begin(begin.clone(), &mut deadline).await {
                Ok(open) => return self.in_transaction(open, marker, mark_last, deadline).await,
                // It was dead already, and nothing has been tried yet.
                Err(Error::Unavailable(_)) if !is_tested && !deadline.time_left().is_zero() => {}
                Err(error) => return Err(error.into()),
            }
            drop(lease);
            lease = Lease::tested(self.db, name, &mut deadline).await?;
        }
    }

    async fn in_transaction(
        &self,
        mut open: Open<'_>,
        marker: Option<Marker>,
        mark_last: Option<Marker>,
        mut deadline: Deadline,
    ) -> Result<T, Ended<E>> {
        let mut tx = Tx::new(open.connection());
        let Some(outcome) = deadline.wait_for(pin!((self.body)(&mut tx))).await else {
            return Err(Ended::Late);
        };
        let is_in_doubt = tx.is_in_doubt;
        let left = tx.leave();
        let (value, after_commit) = match outcome.and_then(|value| Ok((value, left?))) {
            Ok(done) => done,
            Err(error) => {
                open.roll_back(&mut deadline).await;
                return Err(error.into_db().map_or_else(Ended::Refused, Ended::Failed));
            }
        };
        if deadline.time_left().is_zero() {
            return Err(Ended::Late); // a body that never waits is not interrupted
        }
        if let Some(marker) = mark_last
            && let Err(error) = marker.set(&mut open, &mut deadline).await
        {
            open.roll_back(&mut deadline).await;
            return Err(Ended::Failed(error));
        }
        let committed = match is_in_doubt {
            false => open.commit(&mut deadline).await,
            true => open.commit_if_whole(&mut deadline).await,
        };
        match committed {
            Ok(()) => {
                after_commit.run();
                Ok(value)
            }
            Err(NotCommitted::Failed(error)) => Err(Ended::Failed(error)),
            Err(NotCommitted::Unknown(cause)) => {
                Err(Ended::Unknown(Unknown { marker, cause, after_commit }))
            }
        }
    }

    /// Asks until there is an answer or no time.
    async fn settle(&self, unknown: Unknown, give_up_at: Instant) -> Settled<T> {
        let Unknown { marker, cause, after_commit } = unknown;
        if self.spec.is_read_only() {
            return Settled::NotCommitted(cause);
        }
        let Some(marker) = marker else { return Settled::Unknown(cause) };
        let mut pauses = self.spec.pauses();
        loop {
            // Half of the time for each try: a network that swallows one is not to swallow all.
            let mut deadline = Deadline::new(Instant::now() + time_left(give_up_at) / 2);
            let asked = marker.ask(self.db, self.spec, &self.question, &mut deadline).await;
            let error = match asked {
                Ok(Some(value)) => {
                    after_commit.run();
                    return Settled::Committed(value);
                }
                Ok(None) => return Settled::NotCommitted(cause),
                Err(error) => error.into_db(),
            };
            let pause = pauses.next(1);
            let can_ask_again = error.as_ref().is_ok_and(|error| {
                error.is_retryable()
                    || matches!(error, Error::Overload(_) | Error::Aborted(_) | Error::Torn)
            });
            if !can_ask_again || after(pause) >= give_up_at {
                let error = error.ok();
                tracing::error!(transaction = self.spec.name(), ?error, "a commit stays unknown");
                return Settled::Unknown(cause);
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// So much later than now; a hundred years where the clock doesn't reach that far.
pub(super) fn after(duration: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    Instant::now() + duration.min(FAR)
}

fn time_left(give_up_at: Instant) -> Duration {
    give_up_at.saturating_duration_since(Instant::now())
}
