//! Waiting no longer than until a moment, with one timer for several waits.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A moment after which nobody waits any more.
pub(super) struct Deadline {
    at: Instant,
    /// Registered with the first wait that has to wait, and then for all.
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    pub(super) fn new(at: Instant) -> Self {
        Self { at, timer: Box::pin(sleep_until(at)) }
    }

    pub(super) fn time_left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// What `future` returns, or `None` if it is not ready in time. It is pinned where it is: moved in here it would be there twice.
    pub(super) async fn wait_for<F: Future + Unpin>(&mut self, mut future: F) -> Option<F::Output> {
        poll_fn(|context| match Pin::new(&mut future).poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.timer.as_mut().poll(context).map(|()| None),
        })
        .await
    }
}
