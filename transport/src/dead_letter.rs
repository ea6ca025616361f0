//! The headers of a dead letter, which the indexer writes and `omphalos dead` reads. All values are
//! text.

/// The name of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header(pub &'static str);

/// HTTP status of the document's verdict; 0 for a message that could not be read.
pub const STATUS: Header = Header("x-omphalos-status");
/// Elasticsearch's error type, or the kind of a [`super::wire::WireError`].
pub const TYPE: Header = Header("x-omphalos-type");
/// Elasticsearch's reason, or what is wrong with the message.
pub const REASON: Header = Header("x-omphalos-reason");
/// When it was stored, in seconds since the epoch.
pub const AT: Header = Header("x-omphalos-at");
/// Exchange that the message came from.
pub const EXCHANGE: Header = Header("x-omphalos-exchange");
/// Routing key that the message came with.
pub const ROUTING_KEY: Header = Header("x-omphalos-routing-key");
/// Id of the message that it came with.
pub const MESSAGE_ID: Header = Header("x-omphalos-message-id");
/// The document's id.
pub const ID: Header = Header("x-omphalos-id");
/// The index that refused it.
pub const INDEX: Header = Header("x-omphalos-index");
/// Its cleaned dataset.
pub const DATASET: Header = Header("x-omphalos-dataset");
/// Its event day, in days since 1970; absent if it has no time.
pub const DAY: Header = Header("x-omphalos-day");
/// When its message was made, in seconds since the epoch.
pub const MADE_AT: Header = Header("x-omphalos-made-at");
