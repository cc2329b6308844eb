//! A connection that rests: between requests an HTTP/1.1 connection holds two
//! buffers of 8 KiB, which most connections, most of the time, do not need.
//! After a while they are given back, and the connection keeps only its TLS
//! session until the peer says more.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// Bytes that wake a connection, at most; what follows stays with TLS.
const FIRST: usize = 64;

/// What has gone in and out of a stream, for whoever cannot see the stream.
#[derive(Default)]
pub struct Watch {
    /// Bytes came in that belong to no request yet.
    unread: AtomicBool,
    /// Bytes wait to go out.
    unsent: AtomicBool,
    /// A request was answered.
    answered: AtomicBool,
}

impl Watch {
    /// The request that came in is answered: what was read until now was its.
    pub fn answered(&self) {
        self.unread.store(false, Ordering::Relaxed);
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Whether nothing is on its way in either direction. A connection on
    /// which nothing was ever asked is not at rest: it has yet to say what it
    /// is here for.
    pub fn at_rest(&self) -> bool {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        is(&self.answered) && !is(&self.unread) && !is(&self.unsent)
    }
}

/// A stream that is watched, and that gives back first what was read from it
/// before.
pub struct Watched<S> {
    stream: S,
    watch: Arc<Watch>,
    first: Bytes,
}

impl<S> Watched<S> {
    pub fn new(stream: S, watch: Arc<Watch>) -> Self {
        Self {
            stream,
            watch,
            first: Bytes::new(),
        }
    }
}

impl<S: AsyncRead + Unpin> Watched<S> {
    /// Waits until the peer says more than the `first` that it has said
    /// already; false if it has ended the connection.
    pub async fn wakes(&mut self, first: Bytes) -> bool {
        self.first = first;
        if !self.first.is_empty() {
            // Part of a request: whoever reads it now must see its end.
            return true;
        }
        let mut first = [0; FIRST];
        match self.stream.read(&mut first).await {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.first = Bytes::copy_from_slice(first.get(..count).unwrap_or_default());
                // No rest before whoever serves it has read this.
                self.watch.unread.store(true, Ordering::Relaxed);
                true
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Watched<S> {
    /// Ends the stream so that the peer reads the last answer. One that was
    /// given before all of its request was read is lost to a peer that still
    /// writes, if the stream is closed over what came in since: so that is read
    /// and let go, as long as `patience` lasts.
    pub async fn end(mut self, limit: Duration, patience: Duration) {
        let ended = tokio::time::timeout(limit, self.stream.shutdown()).await;
        if !matches!(ended, Ok(Ok(()))) {
            return;
        }
        let mut unread = [0; 4096];
        let all = async { while matches!(self.stream.read(&mut unread).await, Ok(1..)) {} };
        let _ = tokio::time::timeout(patience, all).await;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if this.first.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        } else {
            let taken = this.first.len().min(buffer.remaining());
            buffer.put_slice(&this.first.split_to(taken));
        }
        if buffer.filled().len() > before {
            this.watch.unread.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S> Watched<S> {
    fn sent<T>(&self, outcome: Poll<T>) -> Poll<T> {
        let waits = outcome.is_pending();
        self.watch.unsent.store(waits, Ordering::Relaxed);
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.sent(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.sent(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.sent(flushed)
    }

    /// Sends what there is, and no more: see [`Watched::end`].
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}
