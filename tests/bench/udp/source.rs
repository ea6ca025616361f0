//! Batches as the shipper makes them, and the shipper's sender in the calling thread: it can be
//! faster than a shipper, because nothing is read and parsed meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;

use omphalos_common::clock::now_seconds;
use omphalos_common::config::Size;
use omphalos_common::event::{DocumentId, SourceId, day_of};
use omphalos_common::ids::{ID_VERSION, IdMaker};
use omphalos_common::shutdown::Shutdown;
use omphalos_common::telemetry::Health;
use omphalos_parser::scribe::Origin;
use omphalos_parser::{Documents, Event, Frame, List, Parsed, ParserKind, Shape};
use omphalos_tests::generate::Generator;
use omphalos_transport::batch::{Batch, Chunk};
use omphalos_transport::udp::{UdpSender, UdpSenderMetrics, UdpSettings};

/// The shipper's defaults.
const BATCH_BYTES: usize = 1024 * 1024;
const LEVEL: i32 = 1;
/// Different batches, sent over and over.
const BATCHES: usize = 48;

/// Ready-made batches of lines like those of the bench log.
pub struct Source {
    batches: Vec<Batch>,
}

impl Source {
    /// Draws the lines and parses them.
    pub fn new() -> Self {
        let mut generator = Generator::new(1);
        let mut documents = Documents::default();
        let (host_name, host_id) = ("web1", "bench");
        let origin = Origin { host_name, host_id, path: b"/var/log/access.log" };
        let frame = Frame::new("access", origin, false);
        let mut offset = 0;
        let mut next = || batch(&mut generator, &mut documents, &frame, &mut offset);
        Self { batches: (0..BATCHES).map(|_| next()).collect() }
    }

    /// Sends whole batches as one stream until that is so many documents, and ends the stream;
    /// returns how many it was.
    pub fn send(&self, settings: &UdpSettings, documents: u64) -> u64 {
        let options = settings.options("web1", LEVEL).expect("settings that can be used");
        let mut sender = UdpSender::open(options, &UdpSenderMetrics::default(), Health::default())
            .expect("a sender");
        let give_up = Shutdown::new();
        let mut sent = 0;
        for batch in self.batches.iter().cycle() {
            if sent >= documents {
                break;
            }
            let all = sender.send(batch, now_seconds(), &give_up).expect("zstd works");
            assert!(all, "nobody told the sender to give up");
            sent += batch.documents() as u64;
        }
        sender.finish(&give_up);
        sent
    }
}

/// The settings of a sender; `rate` in bytes a second.
pub fn settings(to: SocketAddr, mtu: &str, rate: u64) -> UdpSettings {
    let to = vec![to.to_string()];
    UdpSettings { to, mtu: mtu.to_owned(), rate: Size(rate), ..UdpSettings::default() }
}

/// The next lines as one batch with one chunk.
fn batch(
    generator: &mut Generator,
    documents: &mut Documents,
    frame: &Frame,
    offset: &mut u64,
) -> Batch {
    let source = SourceId::from_random(1);
    let ids = IdMaker::of_host("bench");
    let mut parser = ParserKind::Combined.format().parser();
    let mut chunk = Chunk {
        source: Arc::from(source.to_string()),
        id_version: Some(ID_VERSION),
        path: Arc::from("/var/log/access.log"),
        dataset: Arc::from("access"),
        start: *offset,
        end: *offset,
        ids: Vec::new(),
        days: Vec::new(),
        starts: Vec::new(),
    };
    let mut body = Vec::new();
    let mut text = String::new();
    while body.len() < BATCH_BYTES {
        text.clear();
        generator.line(&mut text);
        let line = text.trim_end().as_bytes();
        let mut others = List::default();
        let parsed = parser.parse(documents.calendar(), line, &mut others);
        let Parsed::Event { time: Some(time), fields, problem, .. } = parsed else {
            panic!("not a line in the combined format: {text}");
        };
        let (shape, stream) = (Shape::Whole, None);
        let event = Event {
            offset: *offset,
            time,
            is_time_assumed: false,
            line,
            fields: &fields,
            others: &others,
            problem,
            shape,
            stream,
        };
        documents.write(&mut body, frame, &event, DocumentId::from_bytes([0; 16]));
        chunk.ids.push(ids.document_id(source, *offset, time.seconds, line));
        chunk.days.push(day_of(time.seconds));
        chunk.starts.push(*offset);
        *offset += text.len() as u64;
    }
    chunk.end = *offset;
    Batch { body, chunks: vec![chunk] }
}
