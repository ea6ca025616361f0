//! The currency of all roads: a message, what it says of itself, and how it is routed. Which bytes
//! that becomes is a matter of each road.

use std::borrow::Cow;

use bytes::Bytes;

/// Text that is mostly known beforehand.
pub type Text = Cow<'static, str>;

/// What a road carries: a body, and what is said about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The documents, encoded as `about` says.
    pub body: Bytes,
    /// Type, encoding, routing and id of the body.
    pub about: About,
}

/// Whether somebody vouches for who made documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A shipper, which holds a key, is in the same process, or publishes as a user who may: its ids
    /// are those of the lines of a host.
    #[default]
    Own,
    /// Anybody who may publish, or send a datagram: documents get ids that no line of a host has, and
    /// their names and dates make no more than a few indices.
    Foreign,
}

/// The header of messages for whose senders nobody vouches: a relay's own user would.
const UNVOUCHED: &str = "x-omphalos-unvouched";

/// What a message says of itself. Roads that cannot carry a part of it leave that out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Where it is published: an exchange of AMQP. Senders take the one that they are set up for.
    pub exchange: String,
    /// How it is routed there: `<dataset>.<host>`.
    pub routing_key: String,
    /// Media type of the body.
    pub content_type: Option<Text>,
    /// How the body is compressed.
    pub content_encoding: Option<Text>,
    /// Its own id, which a repeat has too.
    pub id: Option<String>,
    /// When it was made, in seconds since the epoch.
    pub made_at: Option<i64>,
    /// The program that made it.
    pub app: Option<Text>,
    /// The user who published it, where the broker has checked that.
    pub user: Option<String>,
    /// What else is said, as text.
    pub headers: Vec<(Text, String)>,
}

impl About {
    /// A message that is routed by this key, with a body of this media type.
    pub fn new(routing_key: impl Into<String>, content_type: impl Into<Text>) -> Self {
        Self {
            routing_key: routing_key.into(),
            content_type: Some(content_type.into()),
            ..Self::default()
        }
    }

    /// Whether somebody vouches for who sent this: the broker for a user who ships (for all who may publish,
    /// where none is named), unless that is a relay which says that nobody did where it came from.
    pub fn sender(&self, shipper_users: &[String]) -> Origin {
        let is_named = || self.user.as_ref().is_some_and(|user| shipper_users.contains(user));
        let is_marked = || self.headers.iter().any(|(name, _)| name == UNVOUCHED);
        let is_own = (shipper_users.is_empty() || is_named()) && !is_marked();
        if is_own { Origin::Own } else { Origin::Foreign }
    }

    /// The same, of a sender for whom nobody vouches, whoever passes it on.
    #[must_use]
    pub fn unvouched(mut self) -> Self {
        self.headers.push((UNVOUCHED.into(), "1".to_owned()));
        self
    }

    /// The same, with this content encoding.
    #[must_use]
    pub fn encoded(self, content_encoding: impl Into<Text>) -> Self {
        Self { content_encoding: Some(content_encoding.into()), ..self }
    }

    /// Made by this program at that time, in seconds since the epoch.
    #[must_use]
    pub fn made(self, app: impl Into<Text>, at: i64) -> Self {
        Self { app: Some(app.into()), made_at: Some(at), ..self }
    }
}
