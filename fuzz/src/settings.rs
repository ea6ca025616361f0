//! What people write: files of settings, flags, queries, filters, rules of alerts.

use clap::Command;
use omphalos::fuzzing::{alerts, line, query};
use omphalos::run;
use omphalos_common::config::{
    HasRows, Setting, add_flags, decoded, from_text, is_on_this_machine, load_with, path_of,
    path_text, without_credentials,
};
use omphalos_common::event::{clean_name, is_clean_name};
use omphalos_common::ids::IdKeys;
use omphalos_common::json::{members_of, without_halves};
use omphalos_common::page::page;
use omphalos_common::time::{Calendar, TimeRule};
use omphalos_indexer::config as indexer;
use omphalos_live::{Filter, Hit, LineReader, Place};
use omphalos_parser::{ParserKind, Time};
use omphalos_shipper::config as shipper;
use omphalos_transport::udp::Keys;
use serde_json::Value;

use super::one_of;

const ALL: [fn(&str); 9] = [file, flags, alert, filter, search, time, names, keys, shipper_file];

/// The first byte says what the rest is.
pub fn run(data: &[u8]) {
    let Some((what, text)) = data.split_first() else { return };
    one_of(&ALL, *what)(&String::from_utf8_lossy(text));
}

/// A file for `omphalos run` and for the indexer.
fn file(text: &str) {
    read::<run::Settings>(text);
    if let Ok(settings) = from_text::<indexer::Settings>(text) {
        told(settings.check());
        settings.receives_amqp();
    }
}

/// A file for the shipper.
fn shipper_file(text: &str) {
    let Ok(settings) = from_text::<shipper::Settings>(text) else { return };
    told(settings.inputs());
    settings.transport();
}

fn read<T: HasRows>(text: &str) {
    told(from_text::<T>(text));
}

/// An error says something, on lines that a terminal can show.
fn told<T, E: std::fmt::Display>(result: Result<T, E>) {
    if let Err(error) = result {
        assert!(!error.to_string().is_empty());
    }
}

/// The flags of the shipper, one on each line.
fn flags(text: &str) {
    let rows: Vec<Setting> = shipper::all_settings();
    let command = add_flags(Command::new("omphalos-shipper"), &rows);
    let arguments = std::iter::once("omphalos-shipper").chain(text.lines());
    let Ok(matches) = command.try_get_matches_from(arguments) else { return };
    let nothing = |_: &str| None::<String>;
    told(load_with::<shipper::Settings, _>(None, &rows, &matches, nothing));
}

/// `[[alert]]` tables.
fn alert(text: &str) {
    told(alerts(text));
}

/// A filter is what it prints, and asks the same of a line when it is read again.
fn filter(text: &str) {
    let (filter, line) = text.split_once('\n').unwrap_or((text, "GET /a 200"));
    let Ok(filter) = Filter::new(filter) else { return };
    let again = Filter::new(&filter.to_string()).expect("a filter that is printed is a filter");
    assert_eq!((filter.text(), filter.fields()), (again.text(), again.fields()));
    for kind in [ParserKind::Json, ParserKind::Combined] {
        let mut reader = LineReader::new(&kind.format());
        let meant = |hit: &Hit<'_>| (filter.matches(hit), again.matches(hit));
        let place = Place { host: None, source: None, dataset: None };
        if let Some((one, other)) =
            reader.read(line.as_bytes(), &place, Time::from_millis(0), meant)
        {
            assert_eq!(one, other);
        }
    }
}

/// A query becomes one that fits into a request.
fn search(text: &str) {
    let (sent, names) = query(text);
    assert!(serde_json::from_str::<Value>(&sent.to_string()).is_ok());
    assert!(names.len() <= text.len());
    let shown = line(&serde_json::json!({ "message": text }), text, Some(80));
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
}

/// A rule of times, and a time: its format, its zone, and what is to be read, on three lines.
fn time(text: &str) {
    let mut lines = text.splitn(3, '\n');
    let [format, zone, text] = [lines.next(), lines.next(), lines.next()];
    let some = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let (format, zone) = (some(format), some(zone));
    let rule = TimeRule::new(None, format.as_deref(), zone.as_deref());
    let Ok(rule) = rule else { return };
    let mut calendar = Calendar::default();
    if let Some(time) = rule.read(&mut calendar, text.unwrap_or_default().as_bytes()) {
        let mut out = Vec::new();
        calendar.write(&mut out, time);
        assert!(
            out.iter().all(|byte| byte.is_ascii_digit() || b"-+:.TZ".contains(byte)),
            "{out:?}"
        );
        let again = TimeRule::default().read(&mut calendar, &out);
        assert_eq!(again.map(Time::as_nanos), Some(time.as_nanos()), "{out:?}");
    }
}

/// Names of datasets, paths and servers, and what stands in JSON and in pages.
fn names(text: &str) {
    assert!(is_clean_name(&clean_name(text)), "{text:?}");
    assert_eq!(path_of(&path_text(text.as_ref())), std::path::Path::new(text));
    drop((decoded(text), without_credentials(text), page(text.as_bytes())));
    if let Ok(url) = text.parse() {
        is_on_this_machine(&url);
    }
    if let Some(members) = members_of(text) {
        assert!(members.len() <= text.len());
    }
    let whole = without_halves(text);
    assert_eq!(without_halves(&whole), whole);
}

/// Files of keys.
fn keys(text: &str) {
    told(Keys::parse(text));
    told(IdKeys::parse(text));
}
