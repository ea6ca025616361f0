//! Lines that are longer than the read buffer, and lines that are longer than allowed.

use super::*;

/// `count` bytes that are one word.
fn word(letter: char, count: usize) -> String {
    std::iter::repeat_n(letter, count).collect()
}

#[test]
fn a_line_longer_than_allowed_is_cut_and_the_next_is_whole() {
    let content = format!("first\n{}\r\nthird\n", word('x', 5000));
    let mut log = Log::raw(&content);
    let mut tail = log.open();
    let shipped = log.read(&mut tail);
    assert_eq!(shipped.lines(), ["first", &word('x', 1000), "third"]);
    assert_eq!(shipped.offsets(), [0, 6, 5008]);
    let cut: Vec<_> = shipped.documents.iter().map(|document| document.is_cut).collect();
    assert_eq!((cut, tail.counts().cut), (vec![false, true, false], 1));
}

#[test]
fn a_line_exactly_as_long_as_allowed_is_whole_however_its_end_arrives() {
    for ends in [&["\n"][..], &["\r\n"], &["\r", "\n"], &["", "\r\n"]] {
        let mut log = Log::raw(word('x', 1000));
        let mut tail = log.open();
        let mut documents = log.read(&mut tail).documents;
        for end in ends {
            log.append(end);
            documents.extend(log.read(&mut tail).documents);
        }
        assert_eq!(documents.len(), 1, "{ends:?}");
        assert_eq!((&documents[0].line, documents[0].is_cut), (&word('x', 1000), false));
        assert!(log.ship_unfinished_line(&mut tail).documents.is_empty());
    }
}

#[test]
fn one_byte_more_than_allowed_is_cut() {
    for end in ["\n", "\r\n", ""] {
        let mut log = Log::raw(format!("{}{end}", word('x', 1001)));
        let mut tail = log.open();
        let shipped = log.read(&mut tail);
        assert_eq!(shipped.lines(), [word('x', 1000)], "{end:?}");
        assert!(shipped.documents[0].is_cut, "{end:?}");
    }
}

#[test]
fn a_line_longer_than_the_read_buffer_is_whole_and_the_buffer_small_again() {
    let long = word('x', READ_BYTES * 2);
    let mut log = Log::raw(format!("first\n{long}\nthird\n"));
    log.max_line_bytes = READ_BYTES * 3;
    let mut tail = log.open();
    assert_eq!(log.look(&mut tail).lines(), ["first"]);
    let shipped = log.look(&mut tail);
    assert_eq!(shipped.lines(), [&long, "third"]);
    assert!(!shipped.documents[0].is_cut);
    assert_eq!(shipped.buffer_bytes, READ_BYTES);
}

#[test]
fn a_line_longer_than_buffer_and_allowance_is_cut_and_skipped_in_several_reads() {
    let mut log = Log::raw(format!("first\n{}\nthird\n", word('x', READ_BYTES * 5)));
    log.max_line_bytes = READ_BYTES * 2;
    let mut tail = log.open();
    let shipped = log.read(&mut tail);
    assert_eq!(shipped.lines(), ["first", &word('x', READ_BYTES * 2), "third"]);
    assert_eq!(shipped.offsets()[2], READ_BYTES as u64 * 5 + 7);
    assert!(shipped.documents[1].is_cut);
}

#[test]
fn a_line_that_is_cut_before_it_ends_has_the_same_document_as_when_it_is_read_whole() {
    let mut log = Log::raw(format!("first\n{}", word('x', 1500)));
    let mut tail = log.open();
    let shipped = log.read(&mut tail);
    assert_eq!(shipped.lines(), ["first", &word('x', 1000)]);
    // More of it makes nothing more, until it ends.
    log.append(word('y', 3000));
    assert!(log.read(&mut tail).chunks.is_empty());
    assert_eq!(tail.offset(), 6);
    log.append("\nthird\n");
    assert_eq!(log.read(&mut tail).lines(), ["third"]);
    assert_eq!((tail.counts().bytes, tail.counts().lines), (6 + 4501 + 6, 3));

    log.now_millis += 86_400_000;
    let mut again = log.reopen(&tail.entry(0));
    assert_eq!(log.read(&mut again).documents[..2], shipped.documents);
}

#[test]
fn the_checkpoint_stays_before_a_cut_line_until_its_end_is_found() {
    let mut log = Log::raw(format!("first\n{}", word('x', 1500)));
    let mut tail = log.open();
    let shipped = log.read(&mut tail);
    shipped.confirm(&mut tail);
    assert_eq!((tail.entry(0).offset, tail.progress.is_settled()), (6, true));
    // A restart now ships it again, as the same document, and so does another one.
    let mut again = log.reopen(&tail.entry(0));
    let second = log.read(&mut again);
    assert_eq!(second.documents, shipped.documents[1..]);
    second.confirm(&mut again);
    let mut third = log.reopen(&again.entry(0));
    assert_eq!(log.read(&mut third).documents, second.documents);
    log.append("\n");
    log.read(&mut again);
    assert_eq!(again.entry(0).offset, 1507);
    assert!(again.entry(0).marks.is_empty());
    // Nothing before is skipped for that: in `third` the line is not confirmed.
    log.read(&mut third);
    assert_eq!((third.offset(), third.entry(0).offset), (1507, 6));
}

#[test]
fn a_cut_line_is_not_shipped_again_as_unfinished() {
    let mut log = Log::raw(word('x', 1500));
    let mut tail = log.open();
    log.read(&mut tail);
    assert!(log.ship_unfinished_line(&mut tail).chunks.is_empty());
}

#[test]
fn a_rewritten_file_is_noticed_in_the_middle_of_a_cut_line() {
    for other in ["", "short\n", &format!("{}\nsecond\n", word('y', 5000)), &word('y', 1500)] {
        for before in ["", "first\n"] {
            let mut log = Log::raw(format!("{before}{}", word('x', 1500)));
            let mut tail = log.open();
            log.read(&mut tail);
            log.rewrite(format!("{before}{other}"));
            assert_eq!(log.look(&mut tail).look, Look::Rewritten, "{before:?} {other:.9?}");
        }
    }
}

#[test]
fn what_a_long_line_begins_with_proves_which_file_it_is() {
    for rest in ["", "\n"] {
        let mut log = Log::raw(word('x', 1500));
        let mut tail = log.open();
        log.read(&mut tail);
        log.append(rest);
        log.read(&mut tail);
        let entry = tail.entry(0);
        assert_eq!(entry.prefix.length, 1024, "{rest:?}");
        assert!(log.fits(&entry));
        // Nor is it forgotten by a restart.
        assert_eq!(log.reopen(&entry).entry(0), entry);
        log.rewrite(word('y', 1501));
        assert!(!log.fits(&entry));
    }
}

#[test]
fn long_lines_without_content_are_skipped_whole() {
    let mut log = Log::new(
        ParserKind::W3c,
        format!(
            "#Remark: {}\n{}\n#Fields: x-a\none\n{}",
            word('x', 3000),
            word(' ', 3000),
            word(' ', 3000)
        ),
    );
    let mut tail = log.open();
    let shipped = log.read(&mut tail);
    assert_eq!(shipped.lines(), ["one"]);
    shipped.confirm(&mut tail);
    log.append("\ntwo\n");
    assert_eq!(log.read(&mut tail).lines(), ["two"]);
    assert_eq!((tail.counts().directives, tail.counts().empty), (2, 2));
}
