//! What a sender gives for a message: it tells later whether the message was delivered.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{JoinAll, join_all};
use tokio::sync::oneshot;

/// How much may be on its way: given to a road, and not delivered.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// At most so many messages.
    pub messages: usize,
    /// At most so many bytes of bodies; a single larger message passes alone.
    pub bytes: usize,
}

/// Resolves to `true` when what was sent is delivered, in the sense of its road, and to `false` when
/// that was given up, so that nothing is known of it.
#[derive(Debug)]
pub struct Receipt(Awaited);

#[derive(Debug)]
enum Awaited {
    Nothing,
    One(oneshot::Receiver<()>),
    All(JoinAll<Receipt>),
}

impl Receipt {
    /// A receipt, and what makes it true; dropping that makes it false.
    pub(crate) fn new() -> (oneshot::Sender<()>, Self) {
        let (done, receipt) = oneshot::channel();
        (done, Self(Awaited::One(receipt)))
    }

    /// For what is delivered already.
    pub fn kept() -> Self {
        Self(Awaited::Nothing)
    }

    /// For what is delivered when all of these say so.
    pub fn of_all(mut receipts: Vec<Self>) -> Self {
        match receipts.pop() {
            None => Self::kept(),
            Some(only) if receipts.is_empty() => only,
            Some(last) => {
                receipts.push(last);
                Self(Awaited::All(join_all(receipts)))
            }
        }
    }
}

impl Future for Receipt {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        match &mut self.0 {
            Awaited::Nothing => Poll::Ready(true),
            Awaited::One(receipt) => receipt.poll_unpin(context).map(|result| result.is_ok()),
            Awaited::All(receipts) => {
                receipts.poll_unpin(context).map(|kept| kept.into_iter().all(|kept| kept))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn several_are_kept_when_each_is() {
        assert!(Receipt::of_all(Vec::new()).await);
        for kept in [[true, true, true], [true, false, true]] {
            let (done, receipts): (Vec<_>, Vec<_>) =
                kept.map(|_| Receipt::new()).into_iter().unzip();
            for (done, kept) in done.into_iter().zip(kept).filter(|(_, kept)| *kept) {
                assert!(kept && done.send(()).is_ok());
            }
            assert_eq!(Receipt::of_all(receipts).await, kept.iter().all(|kept| *kept));
        }
    }
}
