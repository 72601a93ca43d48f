//! A TCP stream that waits neither for a client that never begins nor for one that never reads.
//!
//! Hyper limits the time for a request's head, but only once it knows which protocol is spoken. To know that, hyper-util
//! reads until the bytes differ from HTTP/2's preface, or are all of it, and has no limit for that (hyper-util 0.1.21). Nor
//! has anybody one for a client that doesn't take its answer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream with two deadlines.
#[derive(Debug)]
pub(crate) struct Stream<T> {
    inner: T,
    /// Runs until the protocol is known.
    begin: Option<Pin<Box<Sleep>>>,
    /// How much of the preface has been read.
    matched: usize,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    write_timeout: Duration,
}

impl<T> Stream<T> {
    /// Gives the client `begin_timeout` to say which protocol it speaks, and `write_timeout` for each step of reading.
    pub(crate) fn new(inner: T, begin_timeout: Duration, write_timeout: Duration) -> Self {
        let begin = Some(Box::pin(sleep(begin_timeout)));
        Self { inner, begin, matched: 0, stalled: None, write_timeout }
    }

    /// Looks at what was read until the protocol is known.
    fn look_at(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if PREFACE.get(self.matched) != Some(byte) {
                self.begin = None;
                return;
            }
            self.matched += 1;
            if self.matched == PREFACE.len() {
                self.begin = None;
                return;
            }
        }
    }

    /// Makes a write that waits fail when it has waited too long.
    fn limit<R>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if Pin::new(&mut self.inner).poll_read(context, buffer)?.is_ready() {
            if self.begin.is_some() {
                self.look_at(buffer.filled().get(before..).unwrap_or_default());
            }
            return Poll::Ready(Ok(()));
        }
        match &mut self.begin {
            Some(begin) => {
                ready!(begin.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            None => Poll::Pending,
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.limit(context, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.limit(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(context);
        self.limit(context, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_shutdown(context);
        self.limit(context, poll)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const SHORT: Duration = Duration::from_secs(5);

    // The clock is paused: time passes when nobody has anything else to do.

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_begin_is_cut_off() {
        for sent in ["", "P", "PRI * HTTP/2.0\r\n"] {
            let (mut client, server) = duplex(64);
            let mut server = Stream::new(server, SHORT, SHORT);
            client.write_all(sent.as_bytes()).await.unwrap();
            let mut taken = Vec::new();
            let error = server.read_to_end(&mut taken).await.unwrap_err();
            assert_eq!(
                (error.kind(), taken.as_slice()),
                (io::ErrorKind::TimedOut, sent.as_bytes())
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_begun_has_time() {
        for sent in [b"PO".as_slice(), b"GET", PREFACE] {
            let (mut client, server) = duplex(64);
            let mut server = Stream::new(server, SHORT, SHORT);
            client.write_all(sent).await.unwrap();
            let mut taken = vec![0; sent.len()];
            server.read_exact(&mut taken).await.unwrap();
            let waited = tokio::time::timeout(SHORT * 3, server.read_u8()).await;
            assert!(waited.is_err(), "{sent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_cut_off() {
        let (_client, server) = duplex(8);
        let mut server = Stream::new(server, SHORT, SHORT);
        let error = server.write_all(&[0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
