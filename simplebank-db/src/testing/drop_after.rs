//! Cancelling a future at every await point.

use std::{
    future::{IntoFuture, poll_fn},
    pin::pin,
    task::Poll,
};

/// Polls a future at most `polls` times, each time when it asked for it, and then drops it: what it returned, or `None` if it
/// hadn't ended.
///
/// That is what a timeout, a `select!` or a client that hangs up does to a future. With 1, 2, 3, … polls it is dropped at each
/// of its await points in turn. How far it gets in a number of polls depends on how fast others answer it, so try each number
/// often.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use simplebank_db::testing::drop_after;
///
/// let two_polls = async {
///     tokio::task::yield_now().await;
///     7
/// };
/// assert_eq!(drop_after(2, two_polls).await, Some(7));
/// assert_eq!(drop_after(1, tokio::task::yield_now()).await, None);
/// # }
/// ```
pub async fn drop_after<F: IntoFuture>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future.into_future());
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}
