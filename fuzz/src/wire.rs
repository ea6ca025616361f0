//! Bodies of messages: ours, damaged or invented, and those of foreign producers.

use std::sync::Arc;

use omphalos_common::event::{SourceId, is_clean_name};
use omphalos_common::ids::IdMaker;
use omphalos_indexer::collector::{BulkBuilder, Filing};
use omphalos_transport::Origin;
use omphalos_transport::batch::{Batch, Chunk};
use omphalos_transport::wire::{
    CONTENT_ENCODING_ZSTD, CONTENT_TYPE_BATCH, Document, Encoder, Envelope, Parcel, SingleFiling,
    decode, encode_single,
};

use super::{check_document, one_of};

const NOW: i64 = 1_795_000_000;
const TYPES: [Option<&str>; 6] = [
    Some(CONTENT_TYPE_BATCH),
    Some("application/json"),
    Some("application/x-ndjson; charset=utf-8"),
    None,
    Some("Application/JSON"),
    Some("text/plain"),
];
const ENCODINGS: [Option<&str>; 5] =
    [None, Some("zstd"), Some("gzip"), Some("identity"), Some("br")];

/// The first bytes are the content type, the encoding, and whether the text is to be compressed first.
pub fn run(data: &[u8]) {
    let Some((&[content_type, content_encoding, how], body)) = data.split_first_chunk() else {
        return;
    };
    if how % 4 == 3 {
        return travel(body);
    }
    let content_type = one_of(&TYPES, content_type);
    let mut envelope = Envelope {
        content_type,
        content_encoding: one_of(&ENCODINGS, content_encoding),
        message_id: (how & 0x10 != 0).then_some("m-1"),
        timestamp: (how & 0x08 != 0).then_some(NOW),
        default_dataset: "external",
        nonce: 7,
        origin: if how & 0x20 == 0 { Origin::Own } else { Origin::Foreign },
        now: NOW,
    };
    // Nobody finds checksums by chance.
    let packed = (how % 4 == 1).then(|| packed(body));
    if packed.is_some() {
        envelope.content_encoding = Some(CONTENT_ENCODING_ZSTD);
    }
    if let Ok(parcel) = decode(&envelope, packed.as_deref().unwrap_or(body)) {
        check(&parcel, content_type != Some(CONTENT_TYPE_BATCH));
    }
}

/// A frame that only holds: what zstd makes of data that it cannot make smaller.
fn packed(text: &[u8]) -> Vec<u8> {
    const MOST: usize = 128 << 10;
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58];
    let mut blocks = text.chunks(MOST).peekable();
    if blocks.peek().is_none() {
        frame.extend([1, 0, 0]);
    }
    while let Some(block) = blocks.next() {
        let head = (block.len() << 3) | usize::from(blocks.peek().is_none());
        frame.extend_from_slice(&head.to_le_bytes()[..3]);
        frame.extend_from_slice(block);
    }
    frame
}

/// What may be spliced into a bulk.
pub fn check(parcel: &Parcel, is_foreign: bool) {
    let mut bulk = BulkBuilder::default();
    let mut end = 0;
    for document in &parcel.documents {
        let Document { id, dataset, day, start, end: behind } = document;
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        assert!(!id.is_empty() && id.len() <= 512 && id.bytes().all(safe), "{id}");
        assert!(is_clean_name(dataset), "{dataset}");
        assert!(*start >= end, "documents follow one another");
        end = *behind;
        let text = &parcel.text[*start as usize..*behind as usize];
        if is_foreign {
            check_document(text);
        }
        let filing = Filing {
            index: "i".into(),
            dataset: dataset.clone(),
            day: *day,
            made_at: parcel.made_at,
        };
        bulk.push(&filing, id, text, 1);
    }
    let body = bulk.finish().body();
    let lines = body.split(|byte| *byte == b'\n').count() - 1;
    assert_eq!(lines, 2 * parcel.documents.len());
}

/// A batch of these lines arrives as it was sent; so does each of them alone.
fn travel(lines: &[u8]) {
    let maker = IdMaker::of_host("host");
    let mut batch = Batch::default();
    let mut chunk = Chunk {
        source: Arc::from("00ff"),
        id_version: Some(2),
        path: Arc::from(String::from_utf8_lossy(lines.get(..20).unwrap_or_default())),
        dataset: Arc::from("access"),
        start: 0,
        end: lines.len() as u64,
        ids: Vec::new(),
        days: Vec::new(),
        starts: Vec::new(),
    };
    for (number, line) in lines.split(|byte| *byte == b'\n').enumerate() {
        let id = maker.document_id(SourceId::from_random(1), number as u64, NOW, line);
        chunk.ids.push(id);
        chunk.days.push(i32::from(line.first().copied().unwrap_or_default()) - 100);
        chunk.starts.push(number as u64);
        batch.body.push(b'{');
        batch.body.extend_from_slice(line);
        batch.body.extend_from_slice(b"}\n");
    }
    batch.chunks.push(chunk);
    batch.check().expect("body and chunks agree");
    let body = Encoder::new("web1", 1).and_then(|mut encoder| encoder.encode(&batch, NOW));
    let envelope = Envelope {
        content_type: Some(CONTENT_TYPE_BATCH),
        content_encoding: Some(CONTENT_ENCODING_ZSTD),
        default_dataset: "external",
        ..Envelope::default()
    };
    let parcel = decode(&envelope, &body.expect("it is encoded")).expect("it is decoded");
    check(&parcel, false);
    let texts: Vec<&[u8]> = batch.body.split_inclusive(|byte| *byte == b'\n').collect();
    let chunk = &batch.chunks[0];
    assert_eq!(parcel.documents.len(), texts.len());
    for (place, document) in parcel.documents.iter().enumerate() {
        let text = &parcel.text[document.start as usize..document.end as usize];
        assert_eq!(text, texts[place].strip_suffix(b"\n").expect("it ends"));
        assert_eq!(
            (&*document.id, document.day),
            (chunk.ids[place].as_str(), Some(chunk.days[place]))
        );
        let filing = SingleFiling {
            id: &document.id,
            dataset: &document.dataset,
            day: chunk.days[place],
            made_at: NOW,
        };
        let alone = Envelope { content_encoding: None, ..envelope };
        let alone = decode(&alone, &encode_single(&filing, text)).expect("one is decoded");
        let [found] = &alone.documents[..] else { panic!("one is one") };
        assert_eq!(
            (&*found.id, &*found.dataset, found.day),
            (filing.id, filing.dataset, Some(filing.day))
        );
        assert_eq!(&alone.text[found.start as usize..found.end as usize], text);
    }
}
