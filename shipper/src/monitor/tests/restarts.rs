//! What is read again after a restart makes the same documents.

use super::*;

const DAY_MILLIS: i64 = 86_400_000;

/// A line of JSON with a time of its own.
fn timed(second: u32) -> String {
    format!("{{\"time\":\"2026-11-22T00:00:{second:02}Z\"}}\n")
}

#[test]
fn lines_without_a_time_keep_ids_and_times_because_their_discovery_is_remembered() {
    let mut log = Log::raw("one\ntwo\nthr");
    let mut tail = log.open();
    let mut first = log.read(&mut tail);
    log.append("ee\n");
    log.now_millis += DAY_MILLIS;
    first.documents.extend(log.read(&mut tail).documents);
    log.append("four\n");
    log.now_millis += DAY_MILLIS;
    first.documents.extend(log.read(&mut tail).documents);
    assert_eq!(tail.marks_made(), 3, "that there is such a file, and two times");
    // Of the third line, a part was there on the first day.
    assert_eq!(&first.times()[..3], [first.times()[0]; 3]);
    assert_ne!(first.times()[2], first.times()[3]);

    log.now_millis += DAY_MILLIS;
    let mut again = log.reopen(&tail.entry(0));
    assert_eq!(log.read(&mut again).documents, first.documents);
    assert_eq!(again.marks_made(), 0);
}

#[test]
fn without_its_mark_a_line_would_have_another_id() {
    let mut log = Log::raw("one\n");
    let mut tail = log.open();
    let first = log.read(&mut tail);
    let mut entry = tail.entry(0);
    entry.marks.clear();
    log.now_millis += DAY_MILLIS;
    let mut again = log.reopen(&entry);
    assert_ne!(log.read(&mut again).ids(), first.ids());
}

#[test]
fn marks_are_forgotten_when_their_lines_are_confirmed() {
    let mut log = Log::raw("one\n");
    let mut tail = log.open();
    log.read(&mut tail).confirm(&mut tail);
    assert!(tail.entry(0).marks.is_empty());
    log.append("two\n");
    log.now_millis += DAY_MILLIS;
    let two = log.read(&mut tail);
    assert_eq!(tail.entry(0).marks.len(), 1);
    let mut again = log.reopen(&tail.entry(0));
    assert_eq!(log.read(&mut again).documents, two.documents);
}

#[test]
fn equal_lines_of_two_files_have_different_ids() {
    let content = format!("{}same\n", timed(1));
    for content in ["same\nsame\n", &content] {
        let mut log = Log::new(ParserKind::Json, content);
        let mut tail = log.open();
        let other = log.path.with_file_name("other.log");
        fs::write(&other, content).unwrap();
        let mut other = log.open_at(&other, None);
        let (ids, others) = (log.read(&mut tail).ids(), log.read(&mut other).ids());
        assert!(ids.iter().zip(&others).all(|(id, other)| id != other), "{content:?}");
    }
}

#[test]
fn timed_lines_keep_their_ids_without_a_checkpoint_and_under_a_rotated_name() {
    let mut log = Log::new(ParserKind::Json, format!("\n{}rest\n{}", timed(1), timed(2)));
    let mut tail = log.open();
    let first = log.read(&mut tail);
    assert_eq!(tail.marks_made(), 1, "that there is such a file");
    log.now_millis += DAY_MILLIS;
    let mut again = log.open();
    assert_eq!(log.read(&mut again).documents, first.documents);
    let rotated = log.path.with_file_name("app.log.1");
    fs::rename(&log.path, &rotated).unwrap();
    let mut renamed = log.open_at(&rotated, None);
    assert_eq!(log.read(&mut renamed).ids(), first.ids());
}

#[test]
fn a_line_without_a_time_has_that_of_the_line_before_after_a_restart_too() {
    let mut log = Log::new(ParserKind::Json, timed(7));
    let mut tail = log.open();
    log.read(&mut tail).confirm(&mut tail);
    log.append("continued\n");
    let first = log.read(&mut tail);
    assert_eq!(first.times(), ["2026-11-22T00:00:07Z"]);
    let mut again = log.reopen(&tail.entry(0));
    assert_eq!(log.read(&mut again).documents, first.documents);
}

#[test]
fn a_restart_before_the_first_data_line_is_finished_does_not_change_what_ids_are_made_of() {
    for head in ["\n", "\r\n \n", "\n{\"time\":"] {
        let mut log = Log::new(ParserKind::Json, head);
        let mut tail = log.open();
        log.read(&mut tail);
        let mut again = log.reopen(&tail.entry(0));
        log.rewrite(format!("{}{}", head.trim_end_matches("{\"time\":"), timed(1)));
        let shipped = log.read(&mut again);
        assert_eq!(shipped.documents.len(), 1);
        let mut fresh = log.open();
        assert_eq!(log.read(&mut fresh).ids(), shipped.ids(), "{head:?}");
    }
}

#[test]
fn skipping_to_the_end_and_reading_from_the_beginning_make_the_same_ids() {
    let mut log = Log::new(ParserKind::Json, format!("\n{}", timed(1)));
    let mut late = log.open();
    late.skip_to_end().unwrap();
    log.append(timed(2));
    let mut early = log.open();
    assert_eq!(log.read(&mut late).ids(), log.read(&mut early).ids()[1..]);
}

#[test]
fn directives_are_found_again_in_the_middle_of_a_file() {
    let head = "#Version: 1.0\n#Fields: time cs-method cs-uri-stem\n#Date: 2026-11-22 00:00:00\n";
    let old = "10:00:00 GET /old\n";
    let changed = "#Fields: sc-status time\n# Fields: remark\n#Fields : remark\n";
    let mut log = Log::new(ParserKind::W3c, format!("{head}{old}{changed}"));
    let mut tail = log.open();
    log.read(&mut tail).confirm(&mut tail);
    log.append("404 10:00:01\n");
    let shipped = log.read(&mut tail);
    assert_eq!(shipped.times(), ["2026-11-22T10:00:01Z"]);
    assert_eq!(shipped.documents[0].whole["http"]["response"]["status_code"], 404);
    assert_eq!(tail.entry(0).offset, length(head) + length(old) + length(changed));
    let mut again = log.reopen(&tail.entry(0));
    assert_eq!(log.read(&mut again).documents, shipped.documents);
    // In front of the change, those before it hold.
    let mut whole = log.open();
    let both = log.read(&mut whole);
    assert_eq!(both.documents[0].whole["url"]["path"], "/old");
    assert_eq!(both.documents[1], shipped.documents[0]);
}

/// The kind of fault: what names the columns stands at the beginning of a file, and reading begins elsewhere.
#[test]
fn what_names_the_columns_is_found_again() {
    let zeek = "#separator \\x09\n#path\tconn\n#fields\tts\tproto\n#types\ttime\tenum\n";
    for (kind, head, lines) in [
        (ParserKind::Zeek, zeek, ["1795349700.5\ttcp\n", "1795349701.5\tudp\n"]),
        (
            ParserKind::VpcFlow,
            "\nend protocol srcaddr\n",
            ["1795349700 6 192.0.2.7\n", "1795349701 17 192.0.2.8\n"],
        ),
        // Of version 2, without a line of names.
        (
            ParserKind::VpcFlow,
            "",
            [
                "2 1 eni-1 192.0.2.7 10.0.0.1 1 2 6 1 1 1795349600 1795349700 ACCEPT OK\n",
                "2 1 eni-1 192.0.2.7 10.0.0.1 1 2 17 1 1 1795349600 1795349701 ACCEPT OK\n",
            ],
        ),
    ] {
        let [old, new] = lines;
        let mut log = Log::new(kind, format!("{head}{old}"));
        let mut tail = log.open();
        log.read(&mut tail).confirm(&mut tail);
        let mut late = log.open();
        late.skip_to_end().unwrap();
        log.append(new);
        let shipped = log.read(&mut tail);
        assert_eq!(shipped.documents[0].whole["network"]["transport"], "udp", "{kind:?}");
        let mut again = log.reopen(&tail.entry(0));
        assert_eq!(log.read(&mut again).documents, shipped.documents, "{kind:?}");
        assert_eq!(log.read(&mut late).documents, shipped.documents, "{kind:?}");
    }
}

#[test]
fn nothing_that_is_not_confirmed_is_passed_over() {
    let mut log = Log::raw("one\ntwo\nthree\n");
    log.batch_bytes = 1;
    let mut tail = log.open();
    let shipped = log.read(&mut tail);
    let [first, second, third] = &shipped.chunks[..] else { panic!("not three chunks") };
    let confirms = [(third, 0, true), (first, 4, true), (first, 4, false), (second, 14, true)];
    for (chunk, offset, is_under_way) in confirms {
        assert_eq!(tail.confirm(chunk.number).is_ok(), is_under_way);
        assert_eq!(tail.entry(0).offset, offset);
        let mut again = log.reopen(&tail.entry(0));
        let place = shipped.offsets().iter().position(|start| *start == offset).unwrap_or(3);
        assert_eq!(log.read(&mut again).documents, shipped.documents[place..]);
    }
}
