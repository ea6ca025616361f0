//! The ways to a receiver, and how fast each may be used.

use std::time::Duration;

use omphalos_common::config::ConfigError;
use omphalos_live::alert::Event;

use super::active::Again;
use super::alertmanager::{Alertmanager, MOST_AT_ONCE};
use super::command::Command;
use super::documents::{self, Documents};
use super::failure::Failure;
use super::mail::Mail;
use super::slack::Slack;
use super::webhook::Webhook;
use super::{Receiver, ReceiverKind};

/// The way to a receiver.
#[derive(Debug)]
pub(super) enum Road {
    Command(Command),
    Webhook(Webhook),
    Slack(Slack),
    Alertmanager(Alertmanager),
    Mail(Box<Mail>),
    Documents(Documents),
}

/// How fast a road may be used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// So many events go at once.
    pub most: usize,
    /// From the first event on, others are waited for so long.
    pub gather: Duration,
    /// From one delivery to the next.
    pub apart: Duration,
    /// Whether events that are refused together are told one by one, because one of them may be to blame.
    pub is_split: bool,
}

/// Slack takes one message a second.
const SLACK_APART: Duration = Duration::from_secs(1);

impl Road {
    pub fn new(receiver: &Receiver) -> Result<Self, ConfigError> {
        Ok(match receiver.checked_kind()? {
            ReceiverKind::Command => Self::Command(Command::new(receiver)?),
            ReceiverKind::Webhook => Self::Webhook(Webhook::new(receiver)?),
            ReceiverKind::Slack => Self::Slack(Slack::new(receiver)?),
            ReceiverKind::Alertmanager => Self::Alertmanager(Alertmanager::new(receiver)?),
            ReceiverKind::Mail => Self::Mail(Box::new(Mail::new(receiver)?)),
        })
    }

    pub fn pace(&self) -> Pace {
        let one = Pace { most: 1, gather: Duration::ZERO, apart: Duration::ZERO, is_split: false };
        match self {
            Self::Command(_) | Self::Webhook(_) => one,
            Self::Slack(_) => Pace { apart: SLACK_APART, ..one },
            Self::Alertmanager(_) => Pace { most: MOST_AT_ONCE, is_split: true, ..one },
            Self::Mail(mail) => mail.pace(),
            Self::Documents(_) => Pace { most: documents::MOST_AT_ONCE, is_split: true, ..one },
        }
    }

    /// How often what is raised is told again; `None` where telling it once is enough.
    pub fn resend(&self) -> Option<Duration> {
        match self {
            Self::Alertmanager(alertmanager) => Some(alertmanager.resend),
            _ => None,
        }
    }

    /// Tells events, at most [`Pace::most`] of them: all or none.
    pub async fn deliver(&self, events: &[Event]) -> Result<(), Failure> {
        match self {
            Self::Alertmanager(alertmanager) => return alertmanager.deliver(events).await,
            Self::Mail(mail) => return mail.deliver(events).await,
            Self::Documents(documents) => return documents.deliver(events).await,
            Self::Command(_) | Self::Webhook(_) | Self::Slack(_) => {}
        }
        for event in events {
            match self {
                Self::Command(command) => command.deliver(event).await?,
                Self::Webhook(webhook) => webhook.deliver(event).await?,
                Self::Slack(slack) => slack.deliver(event).await?,
                Self::Alertmanager(_) | Self::Mail(_) | Self::Documents(_) => {}
            }
        }
        Ok(())
    }

    /// Tells again what is raised, at most [`MOST_AT_ONCE`].
    pub async fn tell_again(&self, alerts: &[Again]) -> Result<(), Failure> {
        match self {
            Self::Alertmanager(alertmanager) => alertmanager.tell_again(alerts).await,
            _ => Ok(()),
        }
    }
}
