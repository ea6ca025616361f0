//! The receiver as an indexer has it, short of Elasticsearch: workers, ledger, spool, and a thread
//! that reads the spool, opens each record and acknowledges it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use omphalos_common::telemetry::Health;
use omphalos_tests::rest;
use omphalos_transport::spool::{Spool, SpoolOptions, SpoolReader};
use omphalos_transport::udp::{
    KeyFile, Ledger, LedgerFile, Opener, Payload, ReceiveOptions, Receivers, Record, UdpEncoding,
};
use tempfile::TempDir;

use super::ETHERNET;
use super::sending::udp_shipper;
use crate::measure::{cost, own_seconds, thread_seconds};
use crate::table::Table;

/// The indexer's defaults.
const BUFFER: usize = 4 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);
const SPOOL_BYTES: u64 = 1024 * 1024 * 1024;
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
/// Between two looks at the ledger, for which the workers have to wait.
const LOOK: Duration = Duration::from_millis(20);
/// After so long everything is here or given up, unless the last marks were lost.
const LONGEST: Duration = Duration::from_secs(15);
/// How often each side of a comparison is measured.
const RUNS: usize = 3;

/// A running receiver.
pub struct Receiving {
    receivers: Receivers,
    spool: Spool,
    opened: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    consumer: JoinHandle<f64>,
    _directory: TempDir,
}

impl Receiving {
    /// A receiver with so many workers; with keys it takes sealed datagrams only.
    pub fn start(directory: &Path, workers: usize, keys: Option<&Path>) -> Self {
        let own = TempDir::new_in(directory).expect("a directory");
        let (spool, reader) = Spool::open(SpoolOptions {
            directory: own.path().join("spool"),
            max_bytes: SPOOL_BYTES,
            segment_bytes: SEGMENT_BYTES,
        })
        .expect("a spool");
        let options = ReceiveOptions {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            encoding: UdpEncoding::Omphalos,
            keys: keys.map(|path| KeyFile::open("receive.key_file", path).expect("keys")),
            workers,
            buffer: BUFFER,
            patience: PATIENCE,
        };
        let file = LedgerFile::new(own.path());
        let receivers =
            Receivers::start(vec![options], spool.clone(), file, Health::default()).expect("it");
        let (opened, stopped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (its_spool, count, stop) = (spool.clone(), Arc::clone(&opened), Arc::clone(&stopped));
        let consumer = thread::spawn(move || consume(&its_spool, reader, &count, &stop));
        Self { receivers, spool, opened, stopped, consumer, _directory: own }
    }

    /// Where it takes datagrams.
    pub fn address(&self) -> SocketAddr {
        self.receivers.addresses()[0]
    }

    /// Waits until so many documents are accounted for: here, or given up. Returns the account.
    pub fn wait(&self, documents: u64) -> Ledger {
        let begun = Instant::now();
        loop {
            let ledger = self.receivers.ledger();
            let known: u64 = ledger.streams.iter().map(|stream| stream.documents_sent).sum();
            let missing: u64 = ledger.streams.iter().map(|stream| stream.missing).sum();
            if (known >= documents && missing == 0) || begun.elapsed() > LONGEST {
                return ledger;
            }
            rest(LOOK);
        }
    }

    /// Waits until all that is spooled is opened; returns how many documents were opened by now.
    pub fn wait_for_consumer(&self) -> u64 {
        while self.spool.backlog() > 0 {
            rest(LOOK);
        }
        self.opened.load(Ordering::Acquire)
    }

    /// Ends it; returns the processor seconds of the thread that opened the records.
    pub fn stop(self) -> f64 {
        self.receivers.stop();
        self.stopped.store(true, Ordering::Relaxed);
        self.spool.wake();
        self.consumer.join().expect("the consumer does not panic")
    }
}

/// Opens all records until told to stop; returns its processor seconds.
fn consume(spool: &Spool, mut reader: SpoolReader, opened: &AtomicU64, stop: &AtomicBool) -> f64 {
    let mut opener = Opener::new().expect("an opener");
    while !stop.load(Ordering::Relaxed) {
        let Some(record) = reader.next(Duration::from_millis(100)).expect("a spool") else {
            continue;
        };
        let payload = Record::read(&record.body).expect("a record").payload;
        let (pieces, documents, message) = match payload {
            Payload::Message { pieces, documents, message, .. } => (pieces, documents, message),
            Payload::Mark { .. } | Payload::Heartbeat { .. } => {
                spool.acknowledge(record.number);
                continue;
            }
            Payload::Lines(_) => panic!("nobody sends plain lines here"),
        };
        let content = opener.open(usize::from(documents), message, pieces > 0);
        let documents = content.expect("our own documents").parcel.documents.len();
        // Before the acknowledgement, which is what others wait for.
        opened.fetch_add(documents as u64, Ordering::Release);
        spool.acknowledge(record.number);
    }
    thread_seconds()
}

/// The receiver's cost with and without seals, and how the log fits into datagrams.
pub fn compare(directory: &Path, log: &Path, keys: &Path, table: &mut Table) {
    let (mut plain, mut sealed) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        plain.push(receive(directory, log, None));
        sealed.push(receive(directory, log, Some(keys)));
    }
    let best =
        |runs: &[(f64, Ledger)]| runs.iter().map(|(cpu, _)| *cpu).fold(f64::INFINITY, f64::min);
    let (ours, theirs) = (best(&sealed), best(&plain));
    table.ratio(
        "the receiver, CPU, sealed against not sealed",
        ours / theirs,
        "≤ 1.3 ×",
        &format!(
            "{ours:.2} s against {theirs:.2} s for 1,000,000 documents, from the socket through the spool to open records"
        ),
    );
    let [plain, sealed] = [&plain, &sealed].map(|runs| density(&runs[0].1));
    table.row(
        "documents in a datagram of at most 1,472 bytes",
        &format!("{:.1}", plain.0),
        "≥ 12",
        &format!(
            "{:.1} bytes a document; sealed {:.1} documents and {:.1} bytes",
            plain.1, sealed.0, sealed.1
        ),
    );
}

/// Takes the datagrams of a whole shipper at the default rate; returns processor seconds, and the
/// account.
fn receive(directory: &Path, log: &Path, keys: Option<&Path>) -> (f64, Ledger) {
    let receiving = Receiving::start(directory, 1, keys);
    let mut command = udp_shipper(directory, log, receiving.address(), keys);
    let before = own_seconds();
    cost(command.args(["--udp-mtu", ETHERNET]));
    let ledger = receiving.wait(1_000_000);
    let opened = receiving.wait_for_consumer();
    let cpu = own_seconds() - before;
    if opened != 1_000_000 {
        println!("{opened} of 1,000,000 documents came: {:?}", ledger.totals);
    }
    receiving.stop();
    (cpu, ledger)
}

/// Documents in a datagram, and bytes of datagrams for a document.
fn density(ledger: &Ledger) -> (f64, f64) {
    let documents = ledger.totals.documents as f64;
    (documents / ledger.totals.received as f64, ledger.totals.bytes as f64 / documents)
}
