use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::batch::{Batch, Chunk};
use crate::wire::{MAX_DECODED_BYTES, MAX_DOCUMENTS, WireError};
use omphalos_common::event::{DocumentId, SourceId};
use omphalos_common::ids::IdMaker;

/// A batch whose chunks have so many documents each, of these lengths in turn.
fn batch(chunks: &[usize], lengths: &[usize]) -> Batch {
    let maker = IdMaker::of_host("host");
    let mut batch = Batch::default();
    let mut number = 0;
    for (source, documents) in chunks.iter().enumerate() {
        let source = SourceId::from_random(source as u128);
        let mut chunk = Chunk {
            source: Arc::from(source.to_string()),
            id_version: Some(2),
            path: Arc::from("/var/log/x.log"),
            dataset: Arc::from("access"),
            start: 1000,
            end: 1000,
            ids: Vec::new(),
            days: Vec::new(),
            starts: Vec::new(),
        };
        for _ in 0..*documents {
            let filler = "é".repeat(lengths[number % lengths.len()]);
            let line = format!("{{\"n\":{number},\"x\":\"{filler}\"}}\n");
            let seconds =
                1_700_000_000 + (i64::try_from(number).unwrap() * 7919) % 200_000 - 100_000;
            chunk.ids.push(maker.document_id(source, chunk.end, seconds, line.as_bytes()));
            chunk.days.push(omphalos_common::event::day_of(seconds));
            chunk.starts.push(chunk.end + 1);
            chunk.end += 100;
            batch.body.extend_from_slice(line.as_bytes());
            number += 1;
        }
        batch.chunks.push(chunk);
    }
    batch
}

fn packed(batch: &Batch, room: usize) -> Vec<(u16, Vec<u8>)> {
    let mut packer = Packer::new("web1", 1).unwrap();
    let mut messages = Vec::new();
    let emit = |documents: u16, message: &[u8]| {
        messages.push((documents, message.to_vec()));
        Ok(())
    };
    packer.pack(Made { batch, at: 99 }, room, |_| true, emit).unwrap();
    messages
}

fn opened(messages: &[(u16, Vec<u8>)]) -> Vec<Content> {
    let mut opener = Opener::new().unwrap();
    let open = |(documents, message): &(u16, Vec<u8>)| {
        opener.open(usize::from(*documents), message, false).unwrap()
    };
    messages.iter().map(open).collect()
}

fn documents(contents: &[Content]) -> (Vec<u8>, Vec<String>, Vec<i32>) {
    let (mut body, mut ids, mut days) = (Vec::new(), Vec::new(), Vec::new());
    for content in contents {
        for document in &content.parcel.documents {
            let range = document.start as usize..document.end as usize;
            body.extend_from_slice(&content.parcel.text[range]);
            body.push(b'\n');
            ids.push(document.id.to_string());
            days.extend(document.day);
        }
    }
    (body, ids, days)
}

#[test]
fn the_parts_of_all_messages_cover_each_chunk_once_and_without_gaps() {
    let batch = batch(&[300, 1, 500], &[3, 80]);
    let contents = opened(&packed(&batch, 1400));
    assert!(contents.len() > 3);
    for chunk in &batch.chunks {
        let parts = contents.iter().flat_map(|content| &content.parts);
        let parts: Vec<_> = parts.filter(|part| part.source == chunk.source).collect();
        assert_eq!((parts[0].start, parts[parts.len() - 1].end), (chunk.start, chunk.end));
        assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!(parts.iter().map(|part| part.documents).sum::<usize>(), chunk.ids.len());
    }
    assert_eq!((contents[0].host.as_str(), contents[0].parcel.made_at), ("web1", Some(99)));
}

#[test]
fn messages_use_their_room() {
    let messages = packed(&batch(&[20_000], &[3, 80, 17]), 1400);
    let full = &messages[20..messages.len() - 1];
    let used: usize = full.iter().map(|(_, message)| message.len()).sum();
    assert!(used > full.len() * 1400 * 85 / 100, "{} of 1400", used / full.len());
    assert!(messages.iter().all(|(_, message)| message.len() <= 1400));
}

#[test]
fn chunks_can_be_left_out() {
    let batch = batch(&[5, 7, 9], &[10]);
    let mut packer = Packer::new("web1", 1).unwrap();
    let mut documents = 0;
    let select = |chunk: &Chunk| chunk.ids.len() != 7;
    packer
        .pack(Made { batch: &batch, at: 0 }, 60_000, select, |count, _| {
            documents += count;
            Ok(())
        })
        .unwrap();
    assert_eq!(documents, 14);
}

#[test]
fn nothing_is_packed_of_a_batch_whose_body_and_chunks_disagree() {
    let mut packer = Packer::new("web1", 1).unwrap();
    for batch in crate::batch::tests::disagreeing() {
        let packed = packer.pack(
            Made { batch: &batch, at: 0 },
            1400,
            |_| true,
            |_, _| panic!("sent: {batch:?}"),
        );
        assert!(packed.is_err(), "{batch:?}");
    }
}

#[test]
fn a_document_that_does_not_fit_comes_alone() {
    let mut random = 1_u32;
    let mut next = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (random >> 24) as u8 % 26)
    };
    let long: String = (0..5000).map(|_| next()).collect();
    let mut batch = batch(&[3], &[10]);
    let lines: Vec<&[u8]> = batch.body.split_inclusive(|byte| *byte == b'\n').collect();
    let long = format!("{{\"x\":\"{long}\"}}\n");
    batch.body = [lines[0], long.as_bytes(), lines[2]].concat();
    let messages = packed(&batch, 1400);
    assert!(messages.iter().any(|(documents, message)| *documents == 1 && message.len() > 1400));
    assert_eq!(documents(&opened(&messages)).0, batch.body);
}

#[test]
fn the_dictionary_of_a_version_never_changes() {
    assert_eq!(xxhash_rust::xxh3::xxh3_64(DICTIONARY), DICTIONARY_HASH, "release a new version");
}

/// Of version 1.
const DICTIONARY_HASH: u64 = 4_372_763_351_813_875_858;

#[test]
fn a_message_that_unpacks_to_more_than_it_says_is_refused() {
    let (documents, mut message) = packed(&batch(&[100], &[500]), 60_000).remove(0);
    message[1..5].copy_from_slice(&100_u32.to_be_bytes());
    let mut opener = Opener::new().unwrap();
    let error = opener.open(usize::from(documents), &message, false).unwrap_err();
    assert_eq!(error.kind(), "bad_compression");
    message[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
    let error = opener.open(usize::from(documents), &message, true).unwrap_err();
    assert_eq!(error.kind(), "too_large");
}

proptest! {
    #[test]
    fn what_is_packed_is_opened(
        chunks in proptest::collection::vec(1_usize..60, 1..6),
        lengths in proptest::collection::vec(0_usize..400, 1..9),
        room in 600_usize..9000,
    ) {
        let batch = batch(&chunks, &lengths);
        let (body, ids, days) = documents(&opened(&packed(&batch, room)));
        prop_assert_eq!(body, batch.body);
        let expected: Vec<DocumentId> = batch.chunks.iter().flat_map(|c| c.ids.clone()).collect();
        prop_assert_eq!(ids, expected.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>());
        prop_assert_eq!(days, batch.chunks.iter().flat_map(|c| c.days.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_make_it_panic(
        documents in 0_usize..70_000,
        at in 0_usize..3000,
        byte: u8,
        random in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut opener = Opener::new().unwrap();
        drop(opener.open(documents, &random, false));
        let (count, mut message) = packed(&batch(&[30], &[40]), 3000).remove(0);
        let at = at % message.len();
        message[at] = byte;
        drop(opener.open(usize::from(count), &message, true));
    }
}

#[test]
fn a_message_with_more_parts_than_it_may_have_is_refused() {
    let part = r#"{"source":"","path":"","dataset":"d","start":0,"end":0,"count":0}"#;
    let opened = |parts: usize| {
        let parts = vec![part; parts].join(",");
        let text = format!("{{\"v\":1,\"host\":\"h\",\"at\":1,\"parts\":[{parts}]}}\n");
        let mut message = vec![DICTIONARY_VERSION];
        message.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(&zstd::encode_all(text.as_bytes(), 1).unwrap());
        Opener::new().unwrap().open(0, &message, true)
    };
    assert_eq!(opened(MAX_DOCUMENTS).unwrap().parts.len(), MAX_DOCUMENTS);
    assert_eq!(opened(MAX_DOCUMENTS + 1).unwrap_err(), WireError::TooMany { what: "parts" });
}

#[test]
fn the_limit_that_is_told_is_the_one_in_force() {
    let message = [&[DICTIONARY_VERSION][..], &[0xff; 4], &[0; 4]].concat();
    for (in_pieces, limit) in [(false, MAX_TEXT), (true, MAX_DECODED_BYTES)] {
        let refused = Opener::new().unwrap().open(0, &message, in_pieces).unwrap_err();
        assert_eq!(refused, WireError::TooLarge { limit });
    }
}
