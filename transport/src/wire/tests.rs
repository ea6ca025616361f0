//! Round trips, and everything a message can be that it should not be.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::batch::{Batch, Chunk};
use omphalos_common::event::SourceId;
use omphalos_common::ids::IdMaker;

const NOW: i64 = 1_795_000_000;

fn batch(lines: &[&str]) -> Batch {
    let maker = IdMaker::of_host("host");
    let source = SourceId::from_random(1);
    let mut batch = Batch::default();
    let mut ids = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        ids.push(maker.document_id(source, number as u64, NOW, line.as_bytes()));
        batch.body.extend_from_slice(line.as_bytes());
        batch.body.push(b'\n');
    }
    let days = vec![20_000; ids.len()];
    batch.chunks.push(Chunk {
        source: Arc::from("00ff"),
        id_version: Some(2),
        path: Arc::from("/var/log/a.log"),
        dataset: Arc::from("access"),
        start: 0,
        end: 10,
        ids,
        days,
        starts: Vec::new(),
    });
    batch
}

fn encode(batch: &Batch) -> Vec<u8> {
    Encoder::new("web1", 1).unwrap().encode(batch, NOW).unwrap().to_vec()
}

fn envelope<'a>(content_type: &'a str, encoding: &'a str) -> Envelope<'a> {
    Envelope {
        content_type: Some(content_type),
        content_encoding: Some(encoding),
        default_dataset: "external",
        now: NOW,
        ..Envelope::default()
    }
}

fn decode_ours(body: &[u8]) -> Result<Parcel, WireError> {
    decode(&envelope(CONTENT_TYPE_BATCH, CONTENT_ENCODING_ZSTD), body)
}

fn decode_plain_batch(text: &str) -> WireError {
    decode(&envelope(CONTENT_TYPE_BATCH, ""), text.as_bytes()).unwrap_err()
}

fn text_of(parcel: &Parcel, number: usize) -> &str {
    let document = &parcel.documents[number];
    std::str::from_utf8(&parcel.text[document.start as usize..document.end as usize]).unwrap()
}

#[test]
fn a_batch_survives_the_journey() {
    let sent = batch(&[r#"{"a":1}"#, r#"{"b":"x"}"#]);
    let parcel = decode_ours(&encode(&sent)).unwrap();
    assert_eq!(parcel.documents.len(), 2);
    assert_eq!(text_of(&parcel, 0), r#"{"a":1}"#);
    assert_eq!(text_of(&parcel, 1), r#"{"b":"x"}"#);
    assert_eq!(&*parcel.documents[1].id, sent.chunks[0].ids[1].as_str());
    assert_eq!(parcel.documents[0].day, Some(20_000));
    assert_eq!(parcel.made_at, Some(NOW));
}

#[test]
fn the_version_of_ids_is_said_and_no_reader_needs_it() {
    let sent = encode(&batch(&[r#"{"a":1}"#]));
    let plain = String::from_utf8(zstd::decode_all(&sent[..]).unwrap()).unwrap();
    assert!(plain.contains(r#""id_version":2,"#), "{plain}");
    // As old shippers write it, and as later ones might.
    for other in ["", r#""id_version":3,"later":{"x":[1]},"#] {
        let text = plain.replace(r#""id_version":2,"#, other);
        let parcel = decode(&envelope(CONTENT_TYPE_BATCH, ""), text.as_bytes()).unwrap();
        assert_eq!(parcel.documents.len(), 1, "{text}");
    }
}

#[test]
fn two_zstd_frames_are_one_message() {
    let sent = encode(&batch(&[r#"{"a":1}"#]));
    let plain = zstd::decode_all(&sent[..]).unwrap();
    let (head, tail) = plain.split_at(20);
    let mut frames = zstd::encode_all(head, 1).unwrap();
    frames.extend(zstd::encode_all(tail, 1).unwrap());
    assert_eq!(decode_ours(&frames).unwrap().documents.len(), 1);
}

#[test]
fn a_document_alone_is_a_batch() {
    let filing = SingleFiling { id: "a-b", dataset: "access", day: -3, made_at: 7 };
    let body = encode_single(&filing, br#"{"a":1}"#);
    let parcel = decode(&envelope(CONTENT_TYPE_BATCH, ""), &body).unwrap();
    assert_eq!((text_of(&parcel, 0), parcel.made_at), (r#"{"a":1}"#, Some(7)));
    assert_eq!((&*parcel.documents[0].id, parcel.documents[0].day), ("a-b", Some(-3)));
}

#[test]
fn hostile_batches_are_refused_by_name() {
    let header = |chunks: &str| format!(r#"{{"v":1,"host":"h","at":1,"chunks":[{chunks}]}}"#);
    let chunk = |ids: &str, days: &str, dataset: &str| {
        header(&format!(
            r#"{{"source":"s","path":"p","dataset":"{dataset}","start":0,"end":1,"ids":[{ids}],"days":[{days}]}}"#
        ))
    };
    let cases = [
        ("no header at all".to_owned(), "bad_header"),
        ("{}\n{}\n".to_owned(), "bad_header"),
        (format!("{}\n", header("").replace("\"v\":1", "\"v\":2")), "bad_header"),
        (format!("{}\n", header("")), "empty"),
        (format!("{}\n{{}}\n", chunk(r#""a","b""#, "1,1", "d")), "bad_count"),
        (format!("{}\n{{}}\n{{}}\n{{}}\n", chunk(r#""a","b""#, "1,1", "d")), "bad_count"),
        (format!("{}\n{{}}\n", chunk(r#""a""#, "", "d")), "bad_count"),
        (format!("{}\n{{}}", chunk(r#""a""#, "1", "d")), "bad_count"),
        (format!("{}\n{{}}\n", chunk(r#""a\"b""#, "1", "d")), "bad_header"),
        (format!("{}\n{{}}\n", chunk(r#""a b""#, "1", "d")), "bad_id"),
        (format!("{}\n{{}}\n", chunk(r#""""#, "1", "d")), "bad_id"),
        (format!("{}\n{{}}\n", chunk(&format!("\"{}\"", "x".repeat(513)), "1", "d")), "bad_id"),
        (format!("{}\n{{}}\n", chunk(r#""a""#, "1", "../x")), "bad_dataset"),
        (format!("{}\n{{}}\n", chunk(r#""a""#, "1", "")), "bad_dataset"),
        (format!("{}\n\n", chunk(r#""a""#, "1", "d")), "bad_document"),
        (format!("{}\n[1]\n", chunk(r#""a""#, "1", "d")), "bad_document"),
    ];
    for (text, kind) in cases {
        assert_eq!(decode_plain_batch(&text).kind(), kind, "{text}");
    }
}

#[test]
fn damaged_and_oversized_messages_are_refused() {
    let mut damaged = encode(&batch(&[r#"{"a":1}"#]));
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let kind = decode_ours(&damaged).unwrap_err().kind();
    assert!(["bad_compression", "bad_header", "bad_count"].contains(&kind), "{kind}");
    assert_eq!(decode_ours(b"not zstd").unwrap_err().kind(), "bad_compression");
    let bomb = zstd::encode_all(&vec![b' '; MAX_DECODED_BYTES + 1][..], 1).unwrap();
    assert_eq!(decode_ours(&bomb).unwrap_err(), WireError::TooLarge { limit: MAX_DECODED_BYTES });
    let brotli = decode(&envelope(CONTENT_TYPE_JSON, "br"), b"{}").unwrap_err();
    assert_eq!(brotli.kind(), "bad_content_encoding");
    let xml = decode(&envelope("text/xml", ""), b"<a/>").unwrap_err();
    assert_eq!(xml.kind(), "bad_content_type");
}

#[test]
fn more_documents_and_chunks_than_a_message_may_have_are_refused_and_so_many_are_read() {
    let refused = |text: &str, what: &'static str| {
        assert_eq!(decode_plain_batch(text), WireError::TooMany { what });
    };
    let header =
        |chunks: &str| format!("{{\"v\":1,\"host\":\"h\",\"at\":1,\"chunks\":[{chunks}]}}\n");
    let chunk = |ids: usize| {
        let (ids, days) = (vec!["\"a\""; ids].join(","), vec!["1"; ids].join(","));
        format!("{{\"dataset\":\"d\",\"ids\":[{ids}],\"days\":[{days}]}}")
    };
    let documents = |count: usize| "{}\n".repeat(count);
    let most = header(&chunk(MAX_DOCUMENTS)) + &documents(MAX_DOCUMENTS);
    let parcel = decode(&envelope(CONTENT_TYPE_BATCH, ""), most.as_bytes()).unwrap();
    assert_eq!(parcel.documents.len(), MAX_DOCUMENTS);
    let one_more = MAX_DOCUMENTS + 1;
    refused(&(header(&chunk(one_more)) + &documents(one_more)), "documents");
    refused(&(header(&chunk(1)) + &documents(one_more)), "documents");
    refused(&(header(&vec![chunk(0); one_more].join(",")) + &documents(1)), "chunks");
    let ids = format!(
        "{{\"dataset\":\"d\",\"ids\":[{}\"\"],\"days\":[]}}",
        "\"\",".repeat(20 * MAX_DOCUMENTS)
    );
    refused(&(header(&ids) + &documents(1)), "ids, days and chunks in its header");
    let lines = |text: String| decode(&envelope(CONTENT_TYPE_NDJSON, ""), text.as_bytes());
    assert_eq!(
        lines("\n".repeat(one_more) + &documents(MAX_DOCUMENTS)).unwrap().documents.len(),
        MAX_DOCUMENTS
    );
    assert_eq!(lines(documents(one_more)).unwrap_err(), WireError::TooMany { what: "lines" });
    assert_eq!(lines("x\n".repeat(one_more)).unwrap_err(), WireError::TooMany { what: "lines" });
}

#[test]
fn foreign_documents_get_an_id_a_day_and_a_time() {
    let pretty = "{\n  \"@timestamp\": \"2026-11-22T01:02:03.5Z\",\n  \"event\": {\"dataset\": \"My.App\"}\n}\n";
    let parcel =
        decode(&envelope("application/json; charset=utf-8", ""), pretty.as_bytes()).unwrap();
    assert!(!text_of(&parcel, 0).contains('\n'));
    assert_eq!(&*parcel.documents[0].dataset, "my_app");
    assert_eq!(parcel.documents[0].day, Some(20_779));

    let ndjson = b"{\"a\":1}\n\n{\"@timestamp\":1795000000123,\"event.dataset\":\"x\"}\r\n{}\n";
    let parcel = decode(&envelope(CONTENT_TYPE_NDJSON, ""), ndjson).unwrap();
    assert_eq!(parcel.documents.len(), 3);
    assert_eq!(
        text_of(&parcel, 0),
        r#"{"@timestamp":"2026-11-18T11:06:40Z","tags":["time_assumed"],"a":1}"#
    );
    assert_eq!(parcel.documents[0].day, None);
    assert_eq!(&*parcel.documents[0].dataset, "external");
    assert_eq!(parcel.documents[1].day, Some(20_775));
    assert_eq!(&*parcel.documents[1].dataset, "x");
    assert_eq!(
        text_of(&parcel, 2),
        r#"{"@timestamp":"2026-11-18T11:06:40Z","tags":["time_assumed"]}"#
    );
}

/// Whatever stands as `@timestamp`, the index and the document say the same, or it is an outlier
/// whose time is marked as not its own.
#[test]
fn index_and_document_of_someone_else_agree_about_the_time() {
    for (own, expected, day) in [
        (r#""2026-11-28T12:30:00Z""#, r#""2026-11-28T12:30:00Z""#, Some(20_785)),
        (r#""2026-11-28 12:30:00""#, r#""2026-11-28T12:30:00Z""#, Some(20_785)),
        ("1795869000000", "1795869000000", Some(20_785)),
        ("1795869000", r#""2026-11-28T12:30:00Z""#, Some(20_785)),
        (r#""1795869000""#, r#""2026-11-28T12:30:00Z""#, Some(20_785)),
    ] {
        let body = format!(r#"{{"@timestamp":{own},"a":1}}"#);
        let parcel = decode(&envelope(CONTENT_TYPE_JSON, ""), body.as_bytes()).unwrap();
        assert_eq!(parcel.documents[0].day, day, "{own}");
        assert_eq!(text_of(&parcel, 0), format!(r#"{{"@timestamp":{expected},"a":1}}"#));
    }
    for (own, kept) in [
        ("null", ""),
        ("7", r#","unmerged":{"@timestamp":7}"#),
        (r#""noon""#, r#","unmerged":{"@timestamp":"noon"}"#),
        (r#"["2026-11-28"]"#, r#","unmerged":{"@timestamp":["2026-11-28"]}"#),
    ] {
        let body = format!(r#"{{"@timestamp":{own},"times":"2026-11-28T12:30:00Z","tags":["x"]}}"#);
        let parcel = decode(&envelope(CONTENT_TYPE_JSON, ""), body.as_bytes()).unwrap();
        assert_eq!(parcel.documents[0].day, None, "{own}");
        assert_eq!(
            text_of(&parcel, 0),
            format!(
                r#"{{"@timestamp":"2026-11-18T11:06:40Z","tags":["time_assumed","x"]{kept},"times":"2026-11-28T12:30:00Z"}}"#
            )
        );
    }
}

/// The kind of fault: a member that says the time of a line says none in a message, because there are two
/// lists of names, or two readers of values.
#[test]
fn a_message_of_someone_else_is_asked_for_its_time_as_a_line_is() {
    let named = |name: &str| format!(r#""{name}":"2026-11-28T12:30:00Z""#);
    let names = "timestamp time ts t @t datetime date asctime eventTime timeMillis instant __REALTIME_TIMESTAMP time_iso8601 time_local requestReceivedTimestamp event_time Timestamp";
    let mut members: Vec<String> = names.split(' ').map(named).collect();
    members.extend(
        [
            r#""t":{"$date":"2026-11-28T12:30:00Z"}"#,
            r#""t":{"$date":{"$numberLong":"1795869000000"}}"#,
            r#""instant":{"epochSecond":1795869000,"nanoOfSecond":0}"#,
            r#""__REALTIME_TIMESTAMP":"1795869000000000""#,
            r#""ts":1795869000.0"#,
            r#""time":"28/Nov/2026:13:30:00 +0100""#,
            r#""time":"2026-11-28 12:30:00,000""#,
            r#""time":0.005,"ts":1795869000"#,
        ]
        .map(str::to_owned),
    );
    for member in members {
        for (own, kept) in
            [("", ""), (r#","@timestamp":"noon""#, r#","unmerged":{"@timestamp":"noon"}"#)]
        {
            let body = format!(r#"{{{member},"tags":["x"]{own}}}"#);
            let parcel = decode(&envelope(CONTENT_TYPE_JSON, ""), body.as_bytes()).unwrap();
            // A time without a zone is said to be one.
            let (assumed, tags) = if member.contains(",000") {
                (r#","tags":["time_assumed","x"]"#, "")
            } else {
                ("", r#","tags":["x"]"#)
            };
            let expected =
                format!(r#"{{"@timestamp":"2026-11-28T12:30:00Z"{assumed}{kept},{member}{tags}}}"#);
            assert_eq!((text_of(&parcel, 0), parcel.documents[0].day), (&*expected, Some(20_785)));
        }
    }
    for leap in [r#""@timestamp":"2016-12-31T23:59:60Z""#, r#""time":"2016-12-31 23:59:60""#] {
        let parcel =
            decode(&envelope(CONTENT_TYPE_JSON, ""), format!("{{{leap}}}").as_bytes()).unwrap();
        let text = text_of(&parcel, 0);
        assert!(
            text.starts_with(r#"{"@timestamp":"2016-12-31T23:59:59Z","tags":["time_assumed"]"#),
            "{text}"
        );
        assert!(text.contains(":60"), "{text}");
    }
}

/// Some who read documents take halves of characters, and some do not; so it is with our own lines.
#[test]
fn halves_of_characters_in_foreign_documents_are_replaced() {
    for time in [r#""@timestamp":"2026-11-22T01:02:03Z","#, r#""ts":1795869000,"#, ""] {
        let body = format!(
            r#"{{{time}"a\ud83d":"x\udc00","event":{{"dataset":"shop\ud800"}},"pair":"\ud83d\ude00","n":{{"\ud800":[1]}}}}"#
        );
        for content_type in [CONTENT_TYPE_JSON, CONTENT_TYPE_NDJSON] {
            let parcel = decode(&envelope(content_type, ""), body.as_bytes()).unwrap();
            assert!(parcel.refused.is_empty(), "{body}");
            let read: serde_json::Value = serde_json::from_str(text_of(&parcel, 0)).unwrap();
            assert_eq!(read["a\u{fffd}"], "x\u{fffd}");
            assert_eq!((&read["pair"], &read["n"]["\u{fffd}"][0]), (&"😀".into(), &1.into()));
            assert_eq!(&*parcel.documents[0].dataset, "shop_");
        }
    }
    // As deep as this, lists are left to the server.
    let deep = format!(r#"{{"ts":1795869000,"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    assert!(decode(&envelope(CONTENT_TYPE_JSON, ""), deep.as_bytes()).is_ok());
}

#[test]
fn a_foreign_document_gets_no_time_that_its_message_cannot_have() {
    // Milliseconds, where AMQP has seconds.
    let late = Envelope { timestamp: Some(1_795_000_000_123), ..envelope(CONTENT_TYPE_JSON, "") };
    let error = decode(&late, b"{\"a\":1}").unwrap_err();
    assert_eq!(error.kind(), "bad_document");
    assert!(error.to_string().contains("that of its message, 1795000000123"), "{error}");
    assert!(decode(&late, b"{\"@timestamp\":\"2026-11-22T01:02:03Z\"}").is_ok());
}

#[test]
fn what_nobody_vouches_for_has_other_ids_than_the_lines_of_a_host() {
    let batch = batch(&["{\"a\":1}", "{\"a\":2}"]);
    let ours = envelope(CONTENT_TYPE_BATCH, CONTENT_ENCODING_ZSTD);
    let read = |origin, body: &[u8]| decode(&Envelope { origin, ..ours }, body).unwrap();
    let ids = |parcel: &Parcel| -> Vec<String> {
        parcel.documents.iter().map(|document| document.id.to_string()).collect()
    };
    let expected: Vec<String> =
        batch.chunks[0].ids.iter().map(|id| id.as_str().to_owned()).collect();
    let own = read(Origin::Own, &encode(&batch));
    assert_eq!((own.origin, ids(&own)), (Origin::Own, expected.clone()));
    let foreign = read(Origin::Foreign, &encode(&batch));
    assert_eq!(foreign.origin, Origin::Foreign);
    assert!(ids(&foreign).iter().all(|id| !expected.contains(id)));
    assert_eq!(ids(&foreign), ids(&read(Origin::Foreign, &encode(&batch))));
    // A relay has given them their ids, and says what it does not vouch for.
    let relayed =
        Encoder::new("relay", 1).unwrap().encode_of(Origin::Foreign, &batch, NOW).unwrap();
    let relayed = read(Origin::Own, &relayed);
    assert_eq!((relayed.origin, ids(&relayed)), (Origin::Foreign, expected));
    // Whoever publishes plain JSON may be a shipper's user, and the document is anybody's.
    let plain = Envelope { origin: Origin::Own, ..envelope(CONTENT_TYPE_JSON, "") };
    assert_eq!(decode(&plain, b"{}").unwrap().origin, Origin::Foreign);
}

#[test]
fn foreign_ids_repeat_with_the_message_and_differ_with_the_content() {
    let id = |message_id, body: &[u8]| {
        let envelope = Envelope { message_id, ..envelope(CONTENT_TYPE_JSON, "") };
        decode(&envelope, body).unwrap().documents[0].id.clone()
    };
    assert_eq!(id(Some("1"), b"{\"a\":1}"), id(Some("1"), b"{\"a\":1}"));
    assert_ne!(id(Some("1"), b"{\"a\":1}"), id(Some("2"), b"{\"a\":1}"));
    assert_ne!(id(Some("1"), b"{\"a\":1}"), id(Some("1"), b"{\"a\":2}"));
    // Without a message id each delivery is on its own.
    let unnamed = |nonce| {
        let envelope = Envelope { nonce, ..envelope(CONTENT_TYPE_JSON, "") };
        decode(&envelope, b"{\"a\":1}").unwrap().documents[0].id.clone()
    };
    assert_ne!(unnamed(1), unnamed(2));
    let lines = decode(&envelope(CONTENT_TYPE_NDJSON, ""), b"{}\n{}\n").unwrap();
    assert_ne!(lines.documents[0].id, lines.documents[1].id);
}

#[test]
fn a_bad_line_does_not_take_its_neighbours_with_it() {
    let text = b"\xef\xbb\xbf{\"n\":1}\r\n\r\nnot json\n{\"n\":2}\n{\"n\":\n";
    let parcel = decode(&envelope("Application/X-NDJSON", "IDENTITY"), text).unwrap();
    assert_eq!(parcel.documents.len(), 2);
    let refused: Vec<(String, &[u8])> =
        parcel.refused.iter().map(|(error, line)| (error.to_string(), &line[..])).collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].0.starts_with("line 3 is not a JSON object") && refused[0].1 == b"not json");
    assert!(refused[1].0.starts_with("line 5 is") && refused[1].1 == b"{\"n\":");
}

#[test]
fn a_message_of_bad_lines_is_one_dead_letter_and_not_thousands() {
    let bad = |lines: usize| b"{}\n".iter().chain(b"x\n".repeat(lines).iter()).copied().collect();
    let decoded = |text: Vec<u8>| decode(&envelope(CONTENT_TYPE_NDJSON, ""), &text);
    assert_eq!(decoded(bad(100)).unwrap().refused.len(), 100);
    assert_eq!(decoded(bad(101)).unwrap_err().kind(), "bad_document");
}

#[test]
fn an_array_is_no_event_with_a_dataset() {
    let parcel = decode(&envelope(CONTENT_TYPE_JSON, ""), br#"{"event":["login"]}"#).unwrap();
    assert_eq!(&*parcel.documents[0].dataset, "external");
}

#[test]
fn media_types_have_no_case_and_marks_are_skipped() {
    for content_type in ["Application/JSON; Charset=UTF-8", "", "application/json"] {
        let parcel = decode(&envelope(content_type, ""), b"\xef\xbb\xbf {\"a\":1}").unwrap();
        assert!(text_of(&parcel, 0).ends_with("\"a\":1}"), "{content_type}");
    }
}

#[test]
fn foreign_documents_that_are_not_json_objects_are_refused() {
    for body in ["[1]", "{\"a\":", "{\"a\":1} x", "", "{\"a\":\"\u{1}\"}", "{\"a\":1}{\"b\":2}"] {
        let error = decode(&envelope(CONTENT_TYPE_JSON, ""), body.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), "bad_document", "{body}");
    }
    let invalid_utf8 = decode(&envelope(CONTENT_TYPE_JSON, ""), b"{\"a\":\"\xff\"}").unwrap_err();
    assert_eq!(invalid_utf8.kind(), "bad_document");
    assert_eq!(decode(&envelope(CONTENT_TYPE_NDJSON, ""), b"\n\n").unwrap_err(), WireError::Empty);
}

/// What must hold for every parcel: its documents can be spliced into a `_bulk` body.
fn assert_safe(parcel: &Parcel) {
    for document in &parcel.documents {
        let text = &parcel.text[document.start as usize..document.end as usize];
        assert!(text.starts_with(b"{") && text.ends_with(b"}") && !text.contains(&b'\n'));
        assert!(document.id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)));
        assert!(omphalos_common::event::is_clean_name(&document.dataset));
    }
}

proptest! {
    #[test]
    fn no_message_makes_the_decoder_panic(
        body in proptest::collection::vec(any::<u8>(), 0..400),
        content_type in prop_oneof![
            Just(CONTENT_TYPE_BATCH), Just(CONTENT_TYPE_JSON), Just(CONTENT_TYPE_NDJSON), Just("")
        ],
        encoding in prop_oneof![Just("zstd"), Just("gzip"), Just("")],
    ) {
        if let Ok(parcel) = decode(&envelope(content_type, encoding), &body) {
            assert_safe(&parcel);
        }
    }

    #[test]
    fn no_edit_of_a_good_batch_makes_the_decoder_panic(
        position in 0usize..400, value in any::<u8>(), cut in 0usize..400,
    ) {
        let sent = encode(&batch(&[r#"{"a":1}"#, r#"{"b":2}"#]));
        let mut plain = zstd::decode_all(&sent[..]).unwrap();
        let length = plain.len();
        plain[position % length] = value;
        plain.truncate(length - cut % length);
        if let Ok(parcel) = decode(&envelope(CONTENT_TYPE_BATCH, ""), &plain) {
            assert_safe(&parcel);
        }
    }

    #[test]
    fn no_edit_of_foreign_json_makes_the_decoder_panic(text in "[{}\\[\\]\",:a@1\\\\\n ]{0,80}") {
        for content_type in [CONTENT_TYPE_JSON, CONTENT_TYPE_NDJSON] {
            if let Ok(parcel) = decode(&envelope(content_type, ""), text.as_bytes()) {
                assert_safe(&parcel);
            }
        }
    }
}

#[test]
fn all_kinds_of_errors_are_listed() {
    let text = || "x".to_owned();
    let errors = [
        WireError::ContentType { found: text() },
        WireError::ContentEncoding { found: text() },
        WireError::Compression { encoding: "zstd", reason: text() },
        WireError::TooMany { what: "documents" },
        WireError::Deadly { deaths: 2 },
        WireError::Header { reason: text() },
        WireError::Count { what: "ids", announced: 1, found: 2 },
        WireError::Id { id: text() },
        WireError::Dataset { dataset: text() },
        WireError::Document { line: 1, reason: text() },
        WireError::Empty,
    ];
    assert_eq!(errors.map(|error| error.kind()), WireError::KINDS);
}
