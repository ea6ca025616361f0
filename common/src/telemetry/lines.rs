//! Who is connected, and since when silent: where all connections are taken, those that have been silent for
//! longest make way.

use std::cmp::Reverse;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// For so long is nobody sent away who is silent: a request may be on its way.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many make way at once: others may come as quickly.
const AT_ONCE: usize = 16;

/// The same for who has sent a part of a request: the rest may be slow.
const PATIENCE_WITH_PARTS: Duration = Duration::from_secs(2);

/// A connection.
#[derive(Debug)]
pub struct Line {
    /// Requests whose answers are not sent yet.
    requests: AtomicUsize,
    /// Whether the other side is waited for in the middle of a request, or of an answer.
    is_partial: AtomicBool,
    /// When the last answer was sent, a part of a request came, or the connection began.
    since: Mutex<Instant>,
    /// It is to make way.
    pub leave: Notify,
}

impl Line {
    /// One that begins.
    pub fn new() -> Arc<Self> {
        let since = Mutex::new(Instant::now());
        let (requests, is_partial) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { requests, is_partial, since, leave: Notify::new() })
    }

    /// The body of a request, while whose parts are waited for the line is silent.
    pub fn receiving<B>(self: &Arc<Self>, body: B) -> Receiving<B> {
        Receiving { body, line: Arc::clone(self) }
    }

    /// The connection, while whose other side does not take an answer the line is silent.
    pub fn sending<S>(self: &Arc<Self>, stream: S) -> Outgoing<S> {
        Outgoing { stream, line: Arc::clone(self) }
    }

    /// A part of a request or an answer has gone through, or is waited for.
    fn note(&self, is_waiting: bool) {
        if self.is_partial.swap(is_waiting, Ordering::SeqCst) != is_waiting || !is_waiting {
            *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// A request has come; it is being answered until this is dropped.
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.requests.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(self))
    }

    /// How long it has been silent, where it has been for so long that it may be sent away.
    fn silence(&self) -> Option<Duration> {
        let is_busy = self.requests.load(Ordering::SeqCst) > 0;
        let is_partial = self.is_partial.load(Ordering::SeqCst);
        if is_busy && !is_partial {
            return None;
        }
        let patience = if is_busy || is_partial { PATIENCE_WITH_PARTS } else { PATIENCE };
        let silence = self.since.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        (silence >= patience).then_some(silence)
    }
}

/// An answer that is not sent yet.
#[derive(Debug)]
pub struct Busy(Arc<Line>);

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.requests.fetch_sub(1, Ordering::SeqCst);
    }
}

/// All that are connected.
#[derive(Debug, Default)]
pub struct Lines(Vec<Weak<Line>>);

impl Lines {
    /// Adds one, until it is dropped.
    pub fn add(&mut self, line: &Arc<Line>) {
        self.0.retain(|line| line.strong_count() > 0);
        self.0.push(Arc::downgrade(line));
    }

    /// Has some leave that have been silent for longest, of those that have been for a while.
    pub fn make_way(&self) {
        let lines = self.0.iter().filter_map(Weak::upgrade);
        let mut silent: Vec<_> = lines.filter_map(|line| Some((line.silence()?, line))).collect();
        silent.sort_by_key(|(silence, _)| Reverse(*silence));
        for (_, line) in silent.into_iter().take(AT_ONCE) {
            line.leave.notify_one();
        }
    }
}

/// The body of a request.
#[derive(Debug)]
pub struct Receiving<B> {
    body: B,
    line: Arc<Line>,
}

impl<B: hyper::body::Body + Unpin> hyper::body::Body for Receiving<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.line.note(polled.is_pending());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose line knows when the other side takes nothing.
#[derive(Debug)]
pub struct Outgoing<S> {
    stream: S,
    line: Arc<Line>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Outgoing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Outgoing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.line.note(polled.is_pending());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.line.note(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The body of an answer, whose line is busy until it is sent.
#[derive(Debug)]
pub struct Sending {
    body: Body,
    _busy: Busy,
}

impl Sending {
    /// The same body.
    pub fn around(body: Body, busy: Busy) -> Body {
        Body::new(Self { body, _busy: busy })
    }
}

impl hyper::body::Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
