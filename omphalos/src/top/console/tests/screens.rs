//! What the screen looks like, as text in `screens/`. After a change that is meant, have them written
//! anew with `OMPHALOS_UPDATE_SCREENS=1`, and look at what changed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use omphalos_live::{Dimension, Filter};

use super::{Bench, Fake, LINES, source};
use crate::top::console::key::Key;
use crate::top::console::model::{Form, Mode};
use crate::top::console::theme::{Depth, Theme};
use crate::top::console::thresholds::{Thresholds, Watch};
use crate::top::figures::{Feed, Figures, Reading, SourceState};

/// Compares a screen with the one in the file of this name.
fn check(name: &str, bench: &mut Bench, (width, height): (u16, u16)) {
    // Once more for what the first frame found that there is room for.
    bench.draw(width, height);
    bench.ask();
    let text = bench.text(width, height);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/top/console/tests/screens");
    let path = folder.join(format!("{name}.txt"));
    if std::env::var_os("OMPHALOS_UPDATE_SCREENS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{} is another one:\n{text}", path.display());
}

const SMALL: (u16, u16) = (40, 10);
const USUAL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (200, 60);

#[test]
fn the_table_from_the_smallest_to_a_large_screen() {
    for (name, size) in [("table-40x10", SMALL), ("table-80x24", USUAL), ("table-200x60", LARGE)] {
        check(name, &mut Bench::new(Fake::busy()), size);
    }
    let mut bench = Bench::new(Fake::busy());
    bench.theme = Theme::new(Depth::None, false, false);
    check("table-ascii", &mut bench, USUAL);
}

#[test]
fn a_key_lines_and_sources_have_the_screen_one_after_the_other() {
    let mut bench = Bench::new(Fake::busy());
    bench.press(&Key::Down);
    bench.press(&Key::Enter);
    check("key-80x24", &mut bench, USUAL);
    check("key-40x10", &mut bench, SMALL);
    bench.press(&Key::Escape);
    bench.press(&Key::Char('v'));
    bench.press(&Key::Down);
    check("lines-80x24", &mut bench, USUAL);
    let mut feed = bench.figures.feed.lock().unwrap();
    let all = vec![
        source("/var/log/nginx/access.log"),
        SourceState {
            silent_for: Duration::from_mins(7),
            in_blocks: true,
            ..source("/var/log/nginx/shop.log")
        },
        SourceState {
            state: Reading::CatchingUp,
            behind: Some(123_456_789),
            failures: 12,
            dropped: 1_234,
            ..source("/var/log/nginx/old.log")
        },
        SourceState {
            state: Reading::Failed("permission denied".to_owned()),
            ..source("/var/log/private.log")
        },
    ];
    *feed = Feed { sources: all, notice: None };
    drop(feed);
    bench.press(&Key::Char('i'));
    check("sources-80x24", &mut bench, USUAL);
    bench.press(&Key::Escape);
    check("notices-80x24", &mut bench, USUAL);
    check("notices-40x10", &mut bench, SMALL);
}

#[test]
fn boxes_stand_over_the_table() {
    let mut bench = Bench::new(Fake::busy());
    bench.press(&Key::Char('?'));
    check("help-80x24", &mut bench, USUAL);
    check("help-200x60", &mut bench, LARGE);
    bench.press(&Key::Escape);
    bench.press(&Key::Char('d'));
    check("dimensions-80x24", &mut bench, USUAL);
    bench.press(&Key::End);
    check("dimensions-40x10", &mut bench, SMALL);
    bench.press(&Key::Enter);
    bench.type_keys("log.level");
    check("field-80x24", &mut bench, USUAL);
    bench.press(&Key::Escape);
    bench.press(&Key::Char('x'));
    check("export-80x24", &mut bench, USUAL);
}

#[test]
fn a_filter_that_is_none_says_why_where_it_is_typed() {
    let mut bench = Bench::new(Fake::busy());
    bench.press(&Key::Char('/'));
    bench.type_keys("status:[500 TO");
    assert!(matches!(&bench.model.mode, Mode::Filter { problem: Some(_), .. }));
    check("filter-80x24", &mut bench, USUAL);
    let text = bench.text(80, 24);
    let why = "at character 15: expected an end of a range, or *, found its end";
    assert!(text.contains(why) && text.contains("/ status:[500 TO"), "{text}");
}

#[test]
fn the_old_console_looks_as_it_did() {
    let mut bench = Bench::with(Fake::busy(), |bench| {
        bench.model.form = Form::Classic;
        bench.model.has_thresholds = true;
        let thresholds = Thresholds { hits: Some(1_500), ..Thresholds::default() };
        bench.watch = Watch::new(thresholds);
    });
    check("classic-80x24", &mut bench, USUAL);
    check("classic-40x10", &mut bench, SMALL);
    bench.press(&Key::Char('u'));
    assert_eq!(bench.model.dimension, Dimension::User);
    check("classic-users-80x24", &mut bench, USUAL);
}

#[test]
fn thresholds_have_their_room() {
    let mut bench = Bench::with(Fake::busy(), |bench| {
        bench.model.has_thresholds = true;
        let thresholds =
            Thresholds { hits: Some(2_000), total_size: Some(1_000_000), ..Thresholds::default() };
        bench.watch = Watch::new(thresholds);
    });
    check("alerts-80x24", &mut bench, USUAL);
    bench.figures.set_filter(Some(Filter::new("status:599").unwrap())).unwrap();
    bench.ask();
    let text = bench.text(80, 24);
    assert!(text.contains("● clear  /api"), "{text}");
    assert!(text.contains("● clear  all traffic"), "{text}");
}

#[test]
fn a_small_terminal_is_told_so() {
    let mut bench = Bench::new(Fake::busy());
    for (width, height) in [(39, 10), (40, 9), (20, 3)] {
        let text = bench.text(width, height);
        assert!(text.contains("at least 40×10"), "{text}");
        assert!(text.contains(&format!("{width}×{height}")), "{text}");
    }
}

#[test]
fn no_data_says_why() {
    let ended = |lines, failures| SourceState { lines, failures, ..source("a.log") };
    let with = |source: SourceState| {
        let fake = Fake::new();
        fake.feed.lock().unwrap().sources.push(source);
        fake
    };
    let reason = |fake: Fake, change: fn(&mut Bench)| {
        let mut bench = Bench::with(fake, change);
        bench.text(80, 24)
    };
    let nothing: fn(&mut Bench) = |_| {};
    let left_out: fn(&mut Bench) = |bench| {
        bench.model.filter = "status:599".to_owned();
        bench.figures.set_filter(Some(Filter::new("status:599").unwrap())).unwrap();
        (LINES..LINES + 10).for_each(|number| bench.figures.take(number));
    };
    let no_value: fn(&mut Bench) = |bench| bench.model.dimension = Dimension::Agent;
    let failed = SourceState {
        state: Reading::Failed("permission denied".to_owned()),
        lines: 0,
        ..source("a.log")
    };
    for (text, expected) in [
        (reason(with(ended(0, 0)), nothing), "no line yet from 1 source"),
        (reason(with(ended(9, 9)), nothing), "none of 9 lines was understood"),
        (reason(Fake::busy(), left_out), "the filter leaves out all 10 lines"),
        (
            reason(Fake::new(), |bench| bench.model.filter = "status:599".to_owned()),
            "no line yet that the filter means",
        ),
        (reason(Fake::busy(), no_value), "no line of the last 5 min has a value for agent"),
        (reason(with(failed), nothing), "nothing can be read"),
    ] {
        assert!(text.contains(expected), "{expected}:\n{text}");
    }
    let fake = Fake::busy();
    fake.feed.lock().unwrap().notice = Some("the broker does not answer".to_owned());
    let text = Bench::new(fake).text(80, 24);
    assert!(text.contains("● the broker does not answer"), "{text}");
}

#[test]
fn columns_vanish_as_it_gets_narrower_but_not_the_one_that_is_sorted_by() {
    let mut bench = Bench::new(Fake::busy());
    let head = |bench: &mut Bench, width| {
        let text = bench.text(width, 24);
        text.lines().find(|line| line.contains("SECTION")).unwrap().to_owned()
    };
    let mut before = usize::MAX;
    for width in (40..=200).rev() {
        let count = head(&mut bench, width).split_whitespace().count();
        assert!(count <= before, "at {width}");
        before = count;
    }
    assert_eq!(before, 3, "{}", head(&mut bench, 40));
    bench.press(&Key::Char('c'));
    assert!(head(&mut bench, 40).contains("▼CLIENTS"), "{}", head(&mut bench, 40));
    bench.press(&Key::Char('n'));
    assert!(head(&mut bench, 40).contains("SECTION ▲"), "{}", head(&mut bench, 40));
}
