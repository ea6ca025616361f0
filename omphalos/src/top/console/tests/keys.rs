//! What keys do.

use std::time::Duration;

use omphalos_live::{Dimension, Filter, Scope};

use super::{Bench, Fake, names};
use crate::top::console::export::Kind;
use crate::top::console::key::Key;
use crate::top::console::model::{Form, Message, Mode, View};
use crate::top::console::sort::Column;

#[test]
fn the_selection_stays_with_its_row_when_the_order_changes() {
    let mut bench = Bench::new(Fake::busy());
    assert_eq!(bench.model.selection.at(), 0);
    let second = names(&bench)[1].to_owned();
    bench.press(&Key::Down);
    let chosen = |bench: &Bench| {
        let row = bench.model.selection.row(bench.data.rows()).unwrap();
        row.key.as_ref().unwrap().text.clone()
    };
    for key in ['n', 'n', 'b', 'e', 'l', 'c', 't', 'h', 'S', 's'] {
        bench.press(&Key::Char(key));
        assert_eq!(chosen(&bench), second, "{key}");
    }
    // Nobody chose the first one: it is whichever is the first.
    bench.press(&Key::Home);
    bench.press(&Key::Char('n'));
    assert_eq!(bench.model.selection.at(), 0);
    // Nor does it leave the rows when it is gone.
    bench.press(&Key::End);
    bench.press(&Key::Char('/'));
    bench.type_keys("path:/login");
    bench.press(&Key::Enter);
    (0..500).for_each(|number| bench.figures.take(number));
    bench.ask();
    assert_eq!(names(&bench), ["/login"]);
    assert_eq!(bench.model.selection.at(), 0);
}

#[test]
fn each_column_can_be_sorted_by_and_turned() {
    let mut bench = Bench::new(Fake::busy());
    let hits: Vec<u64> = bench.data.rows().iter().map(|row| row.hits.value).collect();
    assert!(hits.is_sorted_by(|one, other| one >= other), "{hits:?}");
    bench.press(&Key::Char('h'));
    let turned: Vec<u64> = bench.data.rows().iter().map(|row| row.hits.value).collect();
    assert!(turned.is_sorted(), "{turned:?}");
    let mut seen = Vec::new();
    for _ in Column::SORTABLE {
        bench.press(&Key::Char('s'));
        seen.push(bench.model.sort.column);
    }
    assert!(Column::SORTABLE.iter().all(|column| seen.contains(column)), "{seen:?}");
    bench.press(&Key::Char('n'));
    assert!(names(&bench).is_sorted());
    bench.press(&Key::Char('b'));
    let bytes: Vec<u64> = bench.data.rows().iter().map(|row| row.bytes.value).collect();
    assert!(bytes.is_sorted_by(|one, other| one >= other), "{bytes:?}");
}

#[test]
fn dimensions_are_gone_to_and_any_field_is_counted() {
    let mut bench = Bench::new(Fake::busy());
    bench.press(&Key::Tab);
    assert_eq!(bench.model.dimension, Dimension::Path);
    bench.press(&Key::BackTab);
    bench.press(&Key::BackTab);
    assert_eq!(bench.model.dimension, Dimension::VirtualHost);
    bench.press(&Key::Char('7'));
    assert_eq!(bench.model.dimension, Dimension::Status);
    bench.press(&Key::Char('d'));
    bench.press(&Key::End);
    bench.press(&Key::Enter);
    bench.press(&Key::Paste("log.level".to_owned()));
    bench.press(&Key::Enter);
    assert_eq!(bench.model.dimension, Dimension::named("level"));
    assert_eq!(bench.model.mode, Mode::Browse);
    assert!(bench.data.top.is_some(), "it is counted from now on");
    // Too many at a time are refused, and it is said why.
    for number in 0..16 {
        bench.press(&Key::Char('d'));
        bench.press(&Key::Char('f'));
        bench.type_keys(&format!("field.{number}"));
        bench.press(&Key::Enter);
    }
    assert!(bench.data.problem.is_some());
    assert!(bench.text(100, 24).contains("cannot be counted"));
}

#[test]
fn windows_are_gone_through_and_then_all_since_the_start() {
    let mut bench = Bench::new(Fake::busy());
    let mut windows = Vec::new();
    for _ in 0..6 {
        let effects = bench.press(&Key::Char('w'));
        windows.push((effects.window.map(|window| window.as_secs() / 60), bench.model.scope));
    }
    assert_eq!(
        windows,
        [
            (Some(15), Scope::Window),
            (Some(60), Scope::Window),
            (None, Scope::Start),
            (Some(1), Scope::Window),
            (Some(5), Scope::Window),
            (Some(15), Scope::Window),
        ]
    );
    assert_eq!(bench.model.window, Duration::from_mins(15));
}

#[test]
fn a_filter_is_used_as_it_is_typed_and_taken_back() {
    let mut bench = Bench::new(Fake::busy());
    bench.press(&Key::Char('/'));
    let soon: Vec<bool> =
        "path:(4".chars().map(|letter| bench.press(&Key::Char(letter)).filter_soon).collect();
    assert!(soon[0], "a word is a filter already");
    assert!(!soon.last().unwrap(), "what is not closed is none");
    assert_eq!(bench.model.use_typed().filter, None);
    assert_eq!(bench.model.filter, "");
    // `q`, `?` and blanks are letters here.
    bench.type_keys("04 q?)");
    let effects = bench.model.use_typed();
    assert_eq!(effects.filter.as_deref(), Some("path:(404 q?)"));
    assert_eq!(bench.model.use_typed().filter, None, "it is used already");
    let effects = bench.press(&Key::Escape);
    assert_eq!(effects.filter.as_deref(), Some(""), "the one before");
    assert_eq!((bench.model.filter.as_str(), &bench.model.mode), ("", &Mode::Browse));

    for text in ["status:404", "status:500"] {
        bench.press(&Key::Char('/'));
        bench.press(&Key::EraseAll);
        bench.type_keys(text);
        assert_eq!(bench.press(&Key::Enter).filter.as_deref(), Some(text));
    }
    bench.press(&Key::Char('/'));
    bench.press(&Key::Up);
    bench.press(&Key::Up);
    assert_eq!(bench.press(&Key::Enter).filter.as_deref(), Some("status:404"));
    // One step back takes the filter away.
    assert_eq!(bench.press(&Key::Escape).filter.as_deref(), Some(""));
    assert_eq!(bench.press(&Key::Escape).filter, None);
    // What cannot be used stays to be mended.
    bench.press(&Key::Char('/'));
    bench.type_keys("status:[1");
    assert_eq!(bench.press(&Key::Enter).filter, None);
    assert!(matches!(&bench.model.mode, Mode::Filter { problem: Some(_), .. }));
}

#[test]
fn a_row_is_drilled_into_and_filtered_by() {
    let mut bench = Bench::new(Fake::busy());
    let first = names(&bench)[0].to_owned();
    bench.press(&Key::Enter);
    assert!(matches!(&bench.model.view, View::Key(name) if name.text == first));
    assert_eq!(bench.data.detail.as_ref().unwrap().row.key.as_ref().unwrap().text, first);
    let effects = bench.press(&Key::Char('f'));
    let filter = format!("path:({first} OR {first}/*)");
    assert_eq!(effects.filter, Some(filter.clone()));
    assert_eq!(bench.model.view, View::Table);
    (0..500).for_each(|number| bench.figures.take(number));
    bench.press(&Key::Char('7'));
    let statuses: Vec<&str> = names(&bench);
    assert!(statuses.contains(&"404"), "{statuses:?}");
    let at = statuses.iter().position(|name| *name == "404").unwrap();
    (0..at).for_each(|_| drop(bench.press(&Key::Down)));
    let effects = bench.press(&Key::Char('f'));
    assert_eq!(effects.filter, Some(format!("({filter}) status:404")));
}

#[test]
fn a_row_is_entered_as_soon_as_it_is_there() {
    let mut bench = Bench::new(Fake::busy());
    bench.ask();
    for key in [Key::Char('7'), Key::Enter] {
        bench.model.on(&key, &bench.data);
    }
    assert_eq!(bench.model.view, View::Table, "statuses are not known yet");
    bench.ask();
    let View::Key(name) = &bench.model.view else { panic!("{:?}", bench.model.view) };
    assert_eq!(name.text, "200");
    // Whoever does something else meanwhile does not want it any more.
    bench.press(&Key::Escape);
    for key in [Key::Char('8'), Key::Enter, Key::Char('p')] {
        bench.model.on(&key, &bench.data);
    }
    bench.ask();
    assert_eq!(bench.model.view, View::Table);
}

#[test]
fn the_filter_of_any_row_means_its_lines() {
    use omphalos_live::Hit;
    let texts = [
        "/",
        "/a",
        "/a b",
        "a\"b",
        "a\\",
        "OR",
        "NOT",
        "-",
        "*",
        "/*",
        "a?c",
        "(x",
        "[1 TO 2]",
        "~",
        ">=5",
        "10.0.0.1",
        "fe80::1",
        "",
        "Mozilla/5.0 (X11; ä) ~2^3",
        "&&",
        "a:b",
        "+1",
        "!x",
    ];
    for text in texts {
        let hit = Hit {
            path: Some(text.as_bytes()),
            user: Some(text.as_bytes()),
            agent: Some(text.as_bytes()),
            ..Hit::default()
        };
        for dimension in [Dimension::User, Dimension::Path, Dimension::Agent, Dimension::Section] {
            let mut bench = Bench::new(Fake::new());
            let mut lived = bench.figures.live.lock().unwrap();
            lived.take(&hit);
            drop(lived);
            bench.model.dimension = dimension.clone();
            bench.ask();
            // Where it has no words, nothing can be said of it that a text means.
            let is_empty = text.is_empty() || dimension == Dimension::Agent && text == "~";
            let effects = bench.press(&Key::Char('f'));
            let Some(filter) = effects.filter else {
                assert!(is_empty || bench.data.rows().is_empty(), "{dimension} {text:?}");
                continue;
            };
            let read = Filter::new(&filter).unwrap();
            assert!(is_empty || read.matches(&hit), "{dimension} {text:?}: {filter}");
            let other = Hit { path: Some(b"/other"), user: Some(b"eve"), ..Hit::default() };
            assert!(!read.matches(&other), "{dimension} {text:?}: {filter}");
        }
    }
}

#[test]
fn rows_are_copied_and_views_exported() {
    let mut bench = Bench::new(Fake::hostile(&["/a\u{1b}]52;c;eA==\u{7}\n".to_owned()]));
    let effects = bench.press(&Key::Char('y'));
    assert_eq!(effects.copy.as_deref(), Some("/a␛]52;c;eA==␇␊"));
    assert!(matches!(&bench.model.message, Some(Message::Done(_))));
    let whole = bench.press(&Key::Char('Y')).copy.unwrap();
    assert!(whole.starts_with("/a␛]52;c;eA==␇␊\t1 hits\t"), "{whole}");
    for (key, kind) in [('t', Kind::Text), ('c', Kind::Csv), ('j', Kind::Json), ('s', Kind::Svg)] {
        assert_eq!(bench.press(&Key::Char('x')).export, None);
        assert_eq!(bench.press(&Key::Char(key)).export, Some(kind));
        assert_eq!(bench.model.mode, Mode::Browse);
    }
    bench.press(&Key::Char('x'));
    assert_eq!(bench.press(&Key::Escape).export, None);
    let mut empty = Bench::new(Fake::new());
    assert_eq!(empty.press(&Key::Char('y')).copy, None);
    assert!(matches!(&empty.model.message, Some(Message::Failed(_))));
}

#[test]
fn any_way_out_is_a_way_out() {
    for keys in ["", "?", "d", "x", "/", "i", "v", "df", "/status:["] {
        let mut bench = Bench::new(Fake::busy());
        bench.type_keys(keys);
        assert!(bench.press(&Key::Interrupt).quit, "{keys}");
    }
    let mut bench = Bench::new(Fake::busy());
    assert!(bench.press(&Key::Char('q')).quit);
    assert!(!bench.press(&Key::Paste("q".to_owned())).quit, "what is pasted is no command");
}

#[test]
fn the_old_console_has_its_own_keys() {
    let mut bench = Bench::with(Fake::busy(), |bench| bench.model.form = Form::Classic);
    for (key, column, dimension) in [
        ('b', Column::Bytes, Dimension::Section),
        ('b', Column::Bytes, Dimension::Section),
        ('h', Column::Hits, Dimension::Section),
        ('r', Column::Hits, Dimension::Referrer),
        ('u', Column::Hits, Dimension::User),
        ('u', Column::Hits, Dimension::Section),
        ('/', Column::Hits, Dimension::Section),
        ('x', Column::Hits, Dimension::Section),
    ] {
        bench.press(&Key::Char(key));
        assert_eq!(
            (bench.model.sort.column, &bench.model.dimension),
            (column, &dimension),
            "{key}"
        );
        assert_eq!(bench.model.mode, Mode::Browse);
    }
    assert!(bench.press(&Key::Char(' ')).redraw);
    assert!(bench.press(&Key::Char('q')).quit);
}

#[test]
fn a_pause_and_the_lines_are_turned_on_and_off() {
    let mut bench = Bench::new(Fake::busy());
    bench.press(&Key::Char('p'));
    assert!(bench.model.is_paused && bench.text(80, 24).contains("paused"));
    bench.press(&Key::Char(' '));
    assert!(!bench.model.is_paused);
    assert!(bench.model.wanted().lines > 0);
    bench.press(&Key::Char('v'));
    assert_eq!(bench.model.view, View::Lines);
    let first = bench.data.lines[0].text.clone();
    assert_eq!(bench.press(&Key::Char('y')).copy, Some(first));
    bench.press(&Key::Char('v'));
    assert_eq!((&bench.model.view, bench.model.wanted().lines), (&View::Table, 0));
    bench.press(&Key::Char('v'));
    assert!(bench.model.wanted().lines > 0);
}
