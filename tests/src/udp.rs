//! A scene with UDP in it: programs that speak it, addresses for them, keys, and the ledger.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use omphalos_common::event::{SourceId, day_of};
use omphalos_common::ids::{ID_VERSION, IdMaker};
use omphalos_transport::batch::{Batch, Chunk};
use omphalos_transport::udp::{Ledger, LedgerFile, StreamAccount};

use crate::port::free_udp_port;
use crate::program::Program;
use crate::stack::Stack;
use crate::wait::{eventually, holds};

/// A UDP address that nobody listens at now, and that nobody else is given.
pub fn free_address() -> SocketAddr {
    ([127, 0, 0, 1], free_udp_port()).into()
}

/// Sends text as one datagram.
pub fn send_text(to: SocketAddr, text: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.send_to(text.as_bytes(), to).expect("it can be sent");
}

/// A batch of so many numbered documents, as a shipper makes them of a file.
pub fn batch(documents: u64) -> Batch {
    let ids = IdMaker::of_host("test");
    let source = SourceId::from_random(1);
    let mut chunk = Chunk {
        source: Arc::from(source.to_string()),
        id_version: Some(ID_VERSION),
        path: Arc::from("/var/log/test.log"),
        dataset: Arc::from("test"),
        start: 0,
        end: documents,
        ids: Vec::new(),
        days: Vec::new(),
        starts: (0..documents).collect(),
    };
    let mut body = Vec::new();
    let seconds = Timestamp::now().as_second();
    for number in 0..documents {
        let line =
            format!("{{\"@timestamp\":{seconds}000,\"url\":{{\"query\":\"n={number:08}\"}}}}\n");
        chunk.ids.push(ids.document_id(source, number, seconds, line.as_bytes()));
        chunk.days.push(day_of(seconds));
        body.extend_from_slice(line.as_bytes());
    }
    Batch { body, chunks: vec![chunk] }
}

impl Stack {
    /// A shipper of the file `log` with the combined format that sends to `to`.
    pub fn shipper_over_udp(&self, log: &Path, to: SocketAddr) -> Program {
        Program::new("omphalos-shipper", &self.path("shipper.log"))
            .arg(log.display())
            .args(["--parser", "combined", "--host-name", "web1"])
            .option("--state-dir", self.path("state").display())
            .option("--udp", to)
    }

    /// An indexer that takes datagrams at `listen` and knows no broker.
    pub fn indexer_over_udp(&self, listen: SocketAddr) -> Program {
        Program::new("omphalos-indexer", &self.path("indexer.log"))
            .option("--udp", listen)
            .option("--state-dir", self.receiver_dir().display())
            .option("--elasticsearch-url", self.search_url())
            .option("--index-prefix", self.prefix())
            .option("--index-replicas", 0)
    }

    /// The same, taking only what is sealed with the key of [`Self::key_file`].
    pub fn sealed_indexer(&self, listen: SocketAddr) -> Program {
        self.indexer_over_udp(listen).option("--receive-key-file", self.key_file().display())
    }

    /// A relay from datagrams at `listen` to the broker.
    pub fn relay(&self, listen: SocketAddr) -> Program {
        Program::new("omphalos-indexer", &self.path("relay.log"))
            .arg("relay")
            .option("--udp", listen)
            .option("--state-dir", self.receiver_dir().display())
            .option("--amqp-url", self.amqp_url())
    }

    /// The state directory of whoever receives.
    pub fn receiver_dir(&self) -> PathBuf {
        self.path("receiver")
    }

    /// A file with one key.
    pub fn key_file(&self) -> PathBuf {
        self.key_file_with("keys", &format!("1 {}\n", "5a".repeat(32)))
    }

    /// A key file with this text.
    pub fn key_file_with(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a key file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        path
    }

    /// The receiver's ledger as it was saved last; an empty one before that.
    pub fn ledger(&self) -> Ledger {
        LedgerFile::new(&self.receiver_dir()).load().expect("a ledger").unwrap_or_default()
    }

    /// Waits until a ledger is saved that `suits`.
    pub fn wait_for_ledger(&self, what: &str, suits: impl Fn(&Ledger) -> bool) -> Ledger {
        eventually(what, || {
            let ledger = self.ledger();
            holds(suits(&ledger), format!("{ledger:?}")).map(|()| ledger)
        })
    }

    /// The account of the only stream.
    pub fn only_stream(&self) -> StreamAccount {
        let mut streams = self.ledger().streams;
        assert_eq!(streams.len(), 1, "{streams:?}");
        streams.remove(0)
    }
}
