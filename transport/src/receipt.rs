//! What a sender gives for a message: word, later, of what became of it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::sync::oneshot;

/// How much may be on its way: given to a road, and not delivered.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// At most so many messages.
    pub messages: usize,
    /// At most so many bytes of bodies; a single larger message passes alone.
    pub bytes: usize,
}

/// Resolves to `true` when the message is delivered, in the sense of its transport, and to `false`
/// when that was given up, so that nothing is known of it.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<()>);

impl Receipt {
    /// A receipt, and what makes it true; dropping that makes it false.
    pub(crate) fn new() -> (oneshot::Sender<()>, Self) {
        let (done, receipt) = oneshot::channel();
        (done, Self(receipt))
    }
}

impl Future for Receipt {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        self.0.poll_unpin(context).map(|result| result.is_ok())
    }
}
