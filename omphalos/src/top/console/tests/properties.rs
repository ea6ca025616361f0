//! Whatever is typed, in whatever order, at whatever size, about whatever lines: nothing panics, and
//! nothing that a stranger wrote reaches the terminal as a command.

use proptest::collection::vec;
use proptest::prelude::*;
use ratatui::buffer::Buffer;

use super::{Bench, Fake};
use crate::top::console::key::Key;
use crate::top::console::model::Form;
use crate::top::console::theme::{Depth, Theme};
use crate::top::console::thresholds::{Thresholds, Watch};

/// Keys that lead to each view and box.
const VIEWS: [&str; 12] = ["", "\n", "v", "vv", "i", "?", "d", "df", "x", "/", "/a:[", "p"];

fn any_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        4 => prop::sample::select("qhbelctnsSwpfvixdyYjkgG/? 123456789tcjs[]()*:\"\\".chars().collect::<Vec<_>>())
            .prop_map(Key::Char),
        1 => any::<char>().prop_map(Key::Char),
        1 => ".{0,20}".prop_map(Key::Paste),
        4 => prop::sample::select(vec![
            Key::Up, Key::Down, Key::Left, Key::Right, Key::PageUp, Key::PageDown, Key::Home, Key::End,
            Key::Enter, Key::Escape, Key::Tab, Key::BackTab, Key::Backspace, Key::Delete, Key::EraseAll,
            Key::EraseWord, Key::Redraw,
        ]),
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\u{0}-\u{9f}\u{202a}-\u{202e}\u{2066}-\u{2069}]{0,12}",
        "(\u{1b}\\[[0-9;]{0,5}[mHJ]|漢|e\u{301}{0,9}|👩\u{200d}👩|\u{fe0f}|/){0,12}",
        "/[a-z]{1,3}/[a-z]{200,300}",
    ]
}

/// Nothing on the screen is a command, whole or in parts. What is one stands here once more: asked of
/// the code itself, whatever it forgets would be allowed.
fn is_harmless(screen: &Buffer) -> bool {
    let is_command = |next: char| {
        next.is_control()
            || matches!(next, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || matches!(next, '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
    };
    let mut all = screen.content().iter().flat_map(|cell| cell.symbol().chars());
    !all.any(is_command)
}

fn themed(bench: &mut Bench, number: usize) {
    let depths = [Depth::None, Depth::Of16, Depth::Of256, Depth::True];
    bench.theme = Theme::new(
        depths[number % 4],
        (number / 4).is_multiple_of(2),
        (number / 8).is_multiple_of(2),
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_keys_at_any_size_on_any_lines(
        texts in vec(any_text(), 0..12),
        steps in vec((any_key(), 0..=200_u16, 0..=60_u16), 1..24),
        (theme, is_classic) in (0..16_usize, any::<bool>()),
    ) {
        let mut bench = Bench::new(Fake::hostile(&texts));
        themed(&mut bench, theme);
        bench.model.form = if is_classic { Form::Classic } else { Form::Full };
        bench.model.has_thresholds = true;
        let least = Some(1);
        bench.watch = Watch::new(Thresholds { hits: least, size: least, total_hits: least, total_size: least });
        for (key, width, height) in steps {
            bench.press(&key);
            let effects = bench.model.use_typed();
            bench.follow(&effects);
            let screen = bench.draw(width, height);
            prop_assert!(is_harmless(&screen));
            prop_assert!(bench.model.selection.at() <= bench.data.rows().len());
        }
    }
}

#[test]
fn every_key_from_every_view() {
    let keys = "qhbelctnsSwpfvixdyYjkgG/? 123456789".chars().map(Key::Char);
    let others = [
        Key::Up,
        Key::Down,
        Key::Left,
        Key::Right,
        Key::PageUp,
        Key::PageDown,
        Key::Home,
        Key::End,
        Key::Enter,
        Key::Escape,
        Key::Tab,
        Key::BackTab,
        Key::Backspace,
        Key::Delete,
        Key::EraseAll,
        Key::EraseWord,
        Key::Redraw,
        Key::Interrupt,
        Key::Paste("a\u{1b}b".to_owned()),
    ];
    let figures = || Fake::hostile(&["/a\u{1b}[2J".to_owned(), "漢字".repeat(90), String::new()]);
    for view in VIEWS {
        for key in keys.clone().chain(others.clone()) {
            let mut bench = Bench::new(figures());
            go(&mut bench, view);
            bench.press(&key);
            for (width, height) in [(0, 0), (40, 10), (80, 24)] {
                assert!(is_harmless(&bench.draw(width, height)), "{view:?} {key:?}");
            }
        }
    }
}

#[test]
fn every_view_at_every_size() {
    for view in VIEWS {
        let mut bench = Bench::new(Fake::hostile(&["/a".repeat(40), "漢字".repeat(90)]));
        go(&mut bench, view);
        // All that is small, where things go wrong, and some of what is large.
        let widths = (0..=46).chain([59, 60, 61, 71, 72, 73, 97, 98, 99, 150, 200]);
        for width in widths {
            for height in (0..=26).chain([39, 40, 41, 60]) {
                assert!(is_harmless(&bench.draw(width, height)), "{view:?} {width}×{height}");
            }
        }
    }
}

fn go(bench: &mut Bench, keys: &str) {
    for letter in keys.chars() {
        bench.press(&if letter == '\n' { Key::Enter } else { Key::Char(letter) });
    }
}
