//! The bytes of a connection, between the socket and hyper.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

/// Stops reading while the peer does not take what was written.
///
/// hyper goes on reading pipelined requests while answers wait to be sent; a peer that only sends would make it keep
/// answers without bound. (HTTP/2 has flow control of its own, and must be read to learn of it.)
pub(crate) struct Backpressure<T> {
    inner: T,
    stuck: bool,
    reader_waits: bool,
}

impl<T> Backpressure<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, stuck: false, reader_waits: false }
    }

    fn wrote<R>(&mut self, cx: &mut Context<'_>, outcome: Poll<R>) -> Poll<R> {
        self.stuck = outcome.is_pending();
        if !self.stuck && self.reader_waits {
            self.reader_waits = false;
            cx.waker().wake_by_ref();
        }
        outcome
    }
}

impl<T: Read + Unpin> Read for Backpressure<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stuck {
            // The writer has registered for the socket to take more, and wakes us then.
            self.reader_waits = true;
            return Poll::Pending;
        }
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: Write + Unpin> Write for Backpressure<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.wrote(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(cx);
        self.wrote(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.wrote(cx, outcome)
    }
}
