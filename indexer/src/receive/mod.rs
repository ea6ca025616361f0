//! Where deliveries come from: a queue of the broker, the shipper in this process, the spool of the
//! UDP receivers, or several of them; and how the answer to each goes back.

mod feed;

pub use feed::{Feed, UdpAnswer, UdpDelivery};

use futures_util::future::BoxFuture;
use omphalos_transport::amqp::{Answer as AmqpAnswer, Delivery as AmqpDelivery, Receiver};
use omphalos_transport::local::{LocalAnswer, LocalDelivery, LocalReceiver};

/// What came, and waits for an answer.
#[derive(Debug)]
pub enum Delivery {
    /// A message of the queue.
    Amqp(Box<AmqpDelivery>),
    /// A message from this process.
    Local(Box<LocalDelivery>),
    /// A record of the spool.
    Udp(UdpDelivery),
}

impl Delivery {
    /// Whether it comes again without our doing.
    pub fn is_stale(&self) -> bool {
        match self {
            Self::Amqp(delivery) => delivery.is_stale(),
            Self::Local(_) => false,
            Self::Udp(delivery) => delivery.is_stale(),
        }
    }
}

/// The answer that a delivery waits for. Not giving it means: deliver again.
#[derive(Debug)]
pub enum Answer {
    /// To the broker.
    Amqp(AmqpAnswer),
    /// To the shipper in this process.
    Local(LocalAnswer),
    /// To the spool.
    Udp(UdpAnswer),
}

impl Answer {
    /// The delivery is dealt with.
    pub async fn acknowledge(self) {
        match self {
            Self::Amqp(answer) => answer.acknowledge().await,
            Self::Local(answer) => answer.acknowledge(),
            Self::Udp(answer) => answer.acknowledge(),
        }
    }

    /// Whether the broker takes the delivery away when that takes too long.
    pub fn is_timed(&self) -> bool {
        matches!(self, Self::Amqp(_))
    }
}

/// All that deliveries come from.
#[derive(Debug)]
pub struct Inlets {
    /// The queue.
    pub amqp: Option<Receiver>,
    /// The shipper in this process; never beside the queue, which is paused together with it.
    pub local: Option<LocalReceiver>,
    /// The spool.
    pub udp: Option<Feed>,
}

impl Inlets {
    /// The next delivery; `None` when an inlet has ended.
    pub async fn next(&mut self) -> Option<Delivery> {
        let Self { amqp, local, udp } = self;
        tokio::select! {
            delivery = next_message(amqp) => delivery.map(|delivery| Delivery::Amqp(Box::new(delivery))),
            delivery = next_local(local) => Some(Delivery::Local(Box::new(delivery))),
            delivery = next_record(udp) => delivery.map(Delivery::Udp),
        }
    }

    /// Sets how many messages of the queue may be unanswered, and goes on where it was paused.
    pub fn resume(&self, prefetch: u16) {
        if let Some(amqp) = &self.amqp {
            amqp.set_prefetch(prefetch);
        }
        if let Some(udp) = &self.udp {
            udp.resume();
        }
    }

    /// Hands everything back that is not answered; what is still in here becomes stale. That is for
    /// the sake of a broker, so messages of this process need not know it.
    pub fn pause(&self) {
        if let Some(amqp) = &self.amqp {
            amqp.pause();
        }
        if let Some(udp) = &self.udp {
            udp.pause();
        }
    }

    /// Takes nothing more, for good. What was taken can still be answered.
    pub fn stop(&mut self) {
        if let Some(amqp) = &self.amqp {
            amqp.stop();
        }
        if let Some(local) = &mut self.local {
            local.stop();
        }
        if let Some(udp) = &self.udp {
            udp.stop();
        }
    }

    /// Whether nothing is left of what this process itself keeps.
    pub fn is_quiet(&self) -> bool {
        self.udp.as_ref().is_none_or(|udp| udp.backlog() == 0)
            && self.local.as_ref().is_none_or(LocalReceiver::is_finished)
    }

    /// Whether nothing is left in the queue either, at one moment while this is waited for; see
    /// [`Receiver::is_drained`].
    pub fn is_drained(&self) -> BoxFuture<'static, bool> {
        match &self.amqp {
            Some(amqp) => Box::pin(amqp.is_drained()),
            None => Box::pin(std::future::ready(true)),
        }
    }
}

async fn next_message(amqp: &mut Option<Receiver>) -> Option<AmqpDelivery> {
    match amqp {
        Some(amqp) => amqp.next().await,
        None => std::future::pending().await,
    }
}

async fn next_local(local: &mut Option<LocalReceiver>) -> LocalDelivery {
    match local {
        Some(local) => local.next().await,
        None => std::future::pending().await,
    }
}

async fn next_record(udp: &mut Option<Feed>) -> Option<UdpDelivery> {
    match udp {
        Some(udp) => udp.next().await,
        None => std::future::pending().await,
    }
}
