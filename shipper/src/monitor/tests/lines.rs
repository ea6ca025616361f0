//! Lines of any kind, whole and unfinished, and where reading begins and goes on.

use super::*;

/// The offset and the line of each document.
fn places(shipped: &Shipped) -> Vec<(u64, &str)> {
    shipped.offsets().into_iter().zip(shipped.lines()).collect()
}

#[test]
fn line_ends_are_no_part_of_lines_and_empty_lines_make_no_documents() {
    let mut log = Log::raw(b"one\r\ntwo\n\n\r\n \t \nthree\rthree\r\r\n");
    let mut tail = log.open();
    let shipped = log.read(&mut tail);
    let expected = [(0, "one"), (5, "two"), (16, "three\rthree\r")];
    assert_eq!(places(&shipped), expected);
    assert_eq!((tail.counts().lines, tail.counts().empty, tail.counts().bytes), (6, 3, 30));
    assert_eq!((tail.offset(), shipped.chunks.len()), (30, 1));
}

#[test]
fn bytes_that_are_no_text_do_not_stop_reading() {
    let mut log = Log::raw(b"\0\0\n\xff\xfe x\nlatin \xe9\n\xe2\x82\nlast\n");
    let mut tail = log.open();
    let shipped = log.read(&mut tail);
    let lines = ["\0\0", "\u{fffd}\u{fffd} x", "latin \u{fffd}", "\u{fffd}", "last"];
    assert_eq!(shipped.lines(), lines);
    assert_eq!(shipped.offsets(), [0, 3, 8, 16, 19]);
}

#[test]
fn lines_of_the_same_bytes_have_ids_of_their_own() {
    let mut log = Log::raw("same\nsame\nsame\n");
    let mut tail = log.open();
    let mut ids: Vec<_> = log.read(&mut tail).ids();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_range_without_documents_moves_the_checkpoint_behind_what_is_confirmed() {
    let mut log = Log::raw("\n\n");
    let mut tail = log.open();
    assert!(log.read(&mut tail).chunks.is_empty());
    assert_eq!(tail.entry(0).offset, 2);
    log.append("one\n");
    let one = log.read(&mut tail);
    log.append("\n\n");
    log.read(&mut tail);
    assert_eq!((tail.entry(0).offset, tail.offset()), (2, 8));
    one.confirm(&mut tail);
    assert_eq!(tail.entry(0).offset, 8);
}

#[test]
fn a_line_is_read_when_it_is_finished() {
    let mut log = Log::raw("");
    let mut tail = log.open();
    for part in ["", "fir", "st"] {
        log.append(part);
        let shipped = log.look(&mut tail);
        assert_eq!((shipped.look, shipped.documents.len()), (Look::AtEnd, 0));
        assert_eq!(tail.offset(), 0);
    }
    log.append("\nsec");
    let shipped = log.look(&mut tail);
    assert_eq!((shipped.look, tail.offset()), (Look::More, 6));
    assert_eq!((shipped.chunks[0].range.clone(), tail.known_size()), (0..6, 9));
    assert_eq!(log.look(&mut tail).look, Look::AtEnd);
}

#[test]
fn an_unfinished_line_is_shipped_on_demand_and_read_again_when_it_is_finished() {
    for line_end in ["\n", "\r\n", " more\n"] {
        let mut log = Log::raw("first\nsecond");
        let mut tail = log.open();
        log.read(&mut tail).confirm(&mut tail);
        let unfinished = log.ship_unfinished_line(&mut tail);
        assert_eq!(unfinished.lines(), ["second"]);
        assert_eq!(unfinished.chunks[0].range, 6..12);
        unfinished.confirm(&mut tail);
        assert_eq!((tail.offset(), tail.entry(0).offset), (6, 6));

        log.append(line_end);
        log.now_millis += 86_400_000;
        let mut again = log.reopen(&tail.entry(0));
        let finished = log.read(&mut again);
        assert_eq!((finished.offsets(), finished.times()), (vec![6], unfinished.times()));
        let is_same_line = line_end != " more\n";
        assert_eq!(finished.ids() == unfinished.ids(), is_same_line, "{line_end:?}");
    }
}

/// The kind of fault: what is known of a line when it is shipped, and not the line itself, goes into its
/// id, and one line is two documents. Else they are the same but for what the tag says.
#[test]
fn a_line_whose_end_comes_late_is_one_document_whatever_its_format() {
    let access = "203.0.113.7 - - [22/Nov/2026:12:15:00 +0000] \"GET / HTTP/1.1\" 200 5";
    for (kind, first, line) in [
        (ParserKind::Raw, "", "a text".to_owned()),
        (ParserKind::Json, "", r#"{"ts":1795349700,"message":"m","a":{"b":1}}"#.to_owned()),
        (ParserKind::Json, "", "half".to_owned()),
        (ParserKind::Clf, "", access.to_owned()),
        (ParserKind::Combined, "", format!("{access} \"-\" \"M\"")),
        (ParserKind::W3c, "#Fields: date time cs-method\n", "2026-11-22 12:15:00 GET".to_owned()),
    ] {
        let mut log = Log::new(kind, format!("{first}{line}"));
        let mut tail = log.open();
        log.read(&mut tail).confirm(&mut tail);
        let late = log.ship_unfinished_line(&mut tail);
        late.confirm(&mut tail);
        let entry = tail.entry(0);
        log.append("\n");
        let [here, restarted] = [log.read(&mut tail), log.read(&mut log.reopen(&entry))];
        assert_eq!((here.ids(), late.documents.len()), (late.ids(), 1), "{line}");
        assert_eq!(restarted.documents, here.documents, "{line}");
        let tags = |shipped: &Shipped| shipped.documents[0].whole["tags"].to_string();
        assert!(tags(&late).contains("unfinished"), "{line}");
        assert!(!tags(&here).contains("unfinished"), "{line}");
        assert_eq!((late.lines(), late.times()), (here.lines(), here.times()), "{line}");
    }
}

#[test]
fn half_a_line_end_is_no_part_of_an_unfinished_line() {
    let mut log = Log::raw("first\r");
    let mut tail = log.open();
    log.read(&mut tail);
    let unfinished = log.ship_unfinished_line(&mut tail);
    log.append("\n");
    let finished = log.read(&mut tail);
    assert_eq!((unfinished.lines(), unfinished.ids()), (finished.lines(), finished.ids()));
}

#[test]
fn nothing_is_shipped_as_unfinished_behind_a_last_line_feed() {
    for content in ["", "first\n", "first\n\n"] {
        let mut log = Log::raw(content);
        let mut tail = log.open();
        log.read(&mut tail);
        assert!(log.ship_unfinished_line(&mut tail).chunks.is_empty(), "{content:?}");
    }
}

#[test]
fn a_full_batch_ends_in_the_middle_of_a_buffer_and_reading_goes_on_right_after() {
    let content = (0..100).map(|number| format!("line {number}\n")).collect::<Vec<_>>().concat();
    let mut log = Log::raw(&content);
    log.batch_bytes = 1;
    let mut tail = log.open();
    let first = log.look(&mut tail);
    assert_eq!((first.lines(), &first.look), (vec!["line 0"], &Look::More));
    assert_eq!((tail.offset(), tail.known_size()), (7, length(&content)));
    log.batch_bytes = 1000;
    let second = log.look(&mut tail);
    let several = second.documents.len();
    assert!((2..10).contains(&several), "{several}");
    assert_eq!(second.lines()[0], "line 1");
    log.batch_bytes = usize::MAX;
    let rest = log.read(&mut tail);
    let lines = [first.lines(), second.lines(), rest.lines()].concat();
    assert_eq!(lines, content.lines().collect::<Vec<_>>());
    let ranges = [first.chunks, second.chunks, rest.chunks].concat();
    assert!(ranges.windows(2).all(|pair| pair[0].range.end == pair[1].range.start));
}

#[test]
fn skipping_to_the_end_leaves_the_unfinished_line() {
    let long = "x".repeat(200_000);
    let ends_in_block = |last: usize| format!("{}\n{}", "y".repeat(70_000), "x".repeat(last));
    for (content, offset) in [
        (String::new(), 0),
        ("unfinished".to_owned(), 0),
        (long.clone(), 0),
        ("first\n".to_owned(), 6),
        ("first\nsecond\nunfinished".to_owned(), 13),
        (format!("first\n{long}"), 6),
        (format!("first\n{long}\n"), 200_007),
        (ends_in_block(65_536), 70_001),
        (ends_in_block(65_535), 70_001),
    ] {
        let mut log = Log::raw(&content);
        log.max_line_bytes = 1_000_000;
        let mut tail = log.open();
        tail.skip_to_end().unwrap();
        assert_eq!((tail.offset(), tail.entry(0).offset), (offset, offset));
        assert!(log.fits(&tail.entry(0)));
        assert!(log.read(&mut tail).documents.is_empty());
        log.append(" and more\n");
        let shipped = log.read(&mut tail);
        let last = content.split('\n').next_back().unwrap();
        assert_eq!(shipped.lines(), [format!("{last} and more")]);
        assert_eq!(shipped.offsets(), [offset]);
    }
}
