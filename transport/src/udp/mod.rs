//! UDP: for hosts where the shipper must be tiny and must never wait for an answer. It may lose by
//! nature, so both ends know exactly how much.
//!
//! A datagram stands alone (`datagram`): a header with the stream it belongs to and its number in
//! it, and as many documents as fit the path, compressed with a dictionary that both ends carry
//! (`message`). With a key it is sealed (`keys`). What is lost can be restored from parity
//! datagrams (`parity`) or asked for again (`control`).
//!
//! [`UdpSender`] is one end. At the other, workers ([`Receivers`]) read sockets, keep the account of
//! each stream ([`Ledger`]), and append what they accept to a spool on disk as [`Record`]s; whoever
//! is behind reads the spool, and acknowledges what is safe.

mod control;
mod data;
mod datagram;
mod feed;
#[doc(hidden)]
pub mod fuzzing;
mod intake;
mod keys;
mod ledger;
mod message;
mod metrics;
mod pace;
mod parity;
mod receiver;
mod record;
mod records;
mod road;
mod sender;
mod settings;
mod socket;
mod stream;
mod streams;
mod window;

pub use control::Mark;
pub use datagram::{Datagram, DatagramKind, Refusal};
pub use feed::{Feed, UdpAnswer};
pub use intake::UdpIntake;
pub use keys::{KeyFile, Keys};
pub use ledger::{Ledger, LedgerError, LedgerFile, StreamAccount, Totals};
pub use message::{Content, Made, Opener, Packer, Part};
pub use metrics::UdpReceiverMetrics;
pub use parity::ParityShare;
pub use receiver::{Accountant, ReceiveOptions, Receivers};
pub use record::{How, Payload, Record};
pub use records::RecordReader;
pub use road::UdpPlan;
pub use sender::{Probe, UdpSender, UdpSenderMetrics, UdpSenderOptions, probe};
pub use settings::{Spread, UDP_SETTINGS, UdpEncoding, UdpSettings};
