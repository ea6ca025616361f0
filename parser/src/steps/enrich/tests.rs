//! What the steps `user_agent` and `geoip` add, and what they leave.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use maxminddb::Reader;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::places::Record;
use super::{Database, not_reread};
use crate::settings::RecipeSettings;
use crate::steps::settings::{FieldTable, FieldValue, StepSettings};
use crate::steps::tests::documents;
use crate::{ModuleKind, ParserKind};

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.109 Safari/537.36";

/// A database of `tests/data`.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/places").join(name)
}

/// Both steps, behind `first`.
fn steps(first: &[Value]) -> Vec<Value> {
    let own = [
        json!({"step": "user_agent"}),
        json!({"step": "geoip", "database": [data("places.mmdb"), data("networks.mmdb")]}),
    ];
    first.iter().cloned().chain(own).collect()
}

fn settings(parser: ParserKind, steps: &[Value]) -> RecipeSettings {
    let steps: Vec<StepSettings> = serde_json::from_value(json!(steps)).unwrap();
    RecipeSettings { parser, steps: steps.into(), ..RecipeSettings::default() }
}

fn line(address: &str, agent: &str) -> String {
    format!(
        r#"{address} - ann [26/Feb/2026:10:00:00 +0100] "GET /a.html?x HTTP/1.1" 200 7 "-" "{agent}""#
    )
}

fn of_agent(agent: &str) -> Value {
    let settings = settings(ParserKind::Combined, &[json!({"step": "user_agent"})]);
    let mut document = documents(&settings, &[&line("10.0.0.1", agent)]).remove(0);
    document["user_agent"].as_object_mut().unwrap().remove("original").expect("it stays");
    document["user_agent"].take()
}

#[test]
fn an_agent_tells_what_elastics_processor_says_of_it() {
    for (agent, expected) in [
        (
            CHROME,
            json!({"name": "Chrome", "version": "120.0.6099.109",
                "os": {"name": "Windows", "version": "10", "full": "Windows 10"}, "device": {"name": "Other"}}),
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1",
            json!({"name": "Mobile Safari", "version": "17.1",
                "os": {"name": "iOS", "version": "17.1.2", "full": "iOS 17.1.2"}, "device": {"name": "iPhone"}}),
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
            json!({"name": "Firefox", "version": "115.0", "os": {"name": "Linux"}, "device": {"name": "Other"}}),
        ),
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            json!({"name": "Googlebot", "version": "2.1", "device": {"name": "Spider"}}),
        ),
        ("curl/8.5.0", json!({"name": "curl", "version": "8.5.0", "device": {"name": "Other"}})),
        ("nothing that is known", json!({"name": "Other", "device": {"name": "Other"}})),
    ] {
        // The second time it is remembered.
        for _ in 0..2 {
            assert_eq!(of_agent(agent), expected, "{agent}");
        }
    }
    assert_eq!(of_agent(&"x".repeat(100_000)), of_agent("nothing that is known"));
    let late = format!("{}{CHROME}", "x".repeat(2000));
    assert_eq!(of_agent(&late)["name"], "Other", "so far nobody looks");
}

#[test]
fn an_address_has_a_place_and_a_network_if_they_are_known() {
    let steps = steps(&[]);
    let settings = settings(ParserKind::Combined, &steps);
    for (address, geo, network) in [
        (
            "203.0.113.7",
            json!({"continent_name": "Europe", "continent_code": "EU", "country_name": "Germany",
                "country_iso_code": "DE", "region_name": "Land Berlin", "region_iso_code": "DE-BE", "city_name": "Berlin",
                "timezone": "Europe/Berlin", "postal_code": "10115", "location": {"lat": 52.52, "lon": 13.405}}),
            json!({"number": 64496, "organization": {"name": "Example Networks"}}),
        ),
        (
            "198.51.100.1",
            json!({"continent_name": "North America", "continent_code": "NA", "country_name": "United States",
                "country_iso_code": "US", "region_name": "Massachusetts", "region_iso_code": "US-MA",
                "city_name": "Boston \"Common\"", "timezone": "America/New_York", "postal_code": "02108",
                "location": {"lat": 42.3601, "lon": -71.0589}}),
            json!({"number": 4_294_967_295_u32}),
        ),
        // A longitude of 200 is nowhere.
        (
            "2001:db8::7",
            json!({"continent_name": "Asia", "continent_code": "AS", "country_name": "Japan", "country_iso_code": "JP"}),
            json!({"number": 64496, "organization": {"name": "Example Networks"}}),
        ),
        ("10.0.0.1", Value::Null, Value::Null),
        ("::1", Value::Null, Value::Null),
        ("client.example", Value::Null, Value::Null),
    ] {
        let document = documents(&settings, &[&line(address, "curl/8")]).remove(0);
        assert_eq!(document["source"]["address"], address);
        assert_eq!(document["source"]["geo"], geo, "{address}");
        assert_eq!(document["source"]["as"], network, "{address}");
        assert_eq!(document.get("tags"), None);
    }
    // The smallest of several areas.
    let document = documents(&settings, &[&line("203.0.113.200", "curl/8")]).remove(0);
    assert_eq!(document["source"]["geo"]["region_iso_code"], "GB-LDS");
}

#[test]
fn what_the_line_says_itself_stands() {
    let settings = settings(
        ParserKind::Json,
        &[
            json!({"step": "user_agent", "field": "agent"}),
            json!({"step": "geoip", "database": data("places.mmdb")}),
            json!({"step": "geoip", "database": data("networks.mmdb"), "field": "peer", "to": "server"}),
        ],
    );
    let line = json!({
        "agent": CHROME, "user_agent": {"version": "7", "os": {"name": "mine"}}, "peer": "203.0.113.7",
        "source": {"ip": "203.0.113.7", "geo": {"city_name": "Atlantis"}},
    });
    let document = documents(&settings, &[&line.to_string()]).remove(0);
    assert_eq!(
        document["user_agent"],
        json!({"version": "7", "os": {"name": "mine"}, "device": {"name": "Other"}})
    );
    assert_eq!(document["source"], line["source"]);
    assert_eq!(
        document["server"],
        json!({"as": {"number": 64496, "organization": {"name": "Example Networks"}}})
    );
    let line = r#"{"agent":["curl/8","wget"],"source":"203.0.113.7","user_agent":"x","peer":7,"server":{"as":null}}"#;
    let document = documents(&settings, &[line]).remove(0);
    assert_eq!(document["user_agent"]["name"], "curl");
    assert_eq!(document["source"], json!({"address": "203.0.113.7"}), "no address is in source.ip");
    assert_eq!(document["server"], json!({"as": null}));
}

#[test]
fn databases_that_are_not_there_or_something_else_are_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let whole = fs::read(data("places.mmdb")).unwrap();
    for (path, expected) in [
        (directory.path().join("none.mmdb"), "cannot read it: No such file or directory"),
        (directory.path().to_owned(), "expected a file, found something else"),
        (file("empty.mmdb", b""), "expected a database in MaxMind's format"),
        (
            file("half.mmdb", &whole[..whole.len() / 2]),
            "found a file that is none, or not all of one",
        ),
        (
            data("proxies.mmdb"),
            "such as GeoLite2-City or GeoLite2-ASN, found one of type \"GeoIP2-Anonymous-IP\"",
        ),
    ] {
        let steps = [json!({"step": "geoip", "database": path})];
        let problem = settings(ParserKind::Combined, &steps).recipe().unwrap_err().to_string();
        let name = path.file_name().unwrap().to_str().unwrap();
        let start = "monitor.step, number 1 (geoip): database: ";
        assert!(problem.starts_with(start) && problem.contains(name), "{problem}");
        assert!(problem.contains(expected), "{problem}");
    }
    for (step, expected) in [
        (json!({"step": "geoip"}), "expected `database`, found none"),
        (json!({"step": "geoip", "database": []}), "expected one to 8 files, found 0"),
        (
            json!({"step": "geoip", "database": data("places.mmdb"), "field": "ip"}),
            "to: expected the name of the object",
        ),
        (
            json!({"step": "geoip", "database": data("places.mmdb"), "to": "message"}),
            "to: message.geo is no object in the index",
        ),
        (
            json!({"step": "geoip", "database": data("places.mmdb"), "to": "host.name"}),
            "what the document says of itself",
        ),
        (json!({"step": "user_agent", "to": "x"}), "expected no `to`"),
    ] {
        let problem = settings(ParserKind::Combined, &[step]).recipe().unwrap_err().to_string();
        assert!(problem.contains(expected), "{expected}: {problem}");
    }
}

#[test]
fn another_database_in_place_of_the_first_is_read_and_a_broken_one_is_not_used() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("city.mmdb");
    let replace = |bytes: &[u8]| {
        let new = directory.path().join("new");
        fs::write(&new, bytes).unwrap();
        fs::rename(new, &path).unwrap();
        Database::open(&path).unwrap().look_now();
    };
    fs::copy(data("places.mmdb"), &path).unwrap();
    let settings = settings(ParserKind::Combined, &[json!({"step": "geoip", "database": path})]);
    let recipe = settings.recipe().unwrap();
    // More lines than there are between two looks.
    let city = || {
        let lines = vec![line("203.0.113.7", "curl/8"); 65];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let found = crate::steps::tests::documents_of(&recipe, &lines);
        found.last().unwrap()["source"]["geo"]["city_name"].clone()
    };
    assert_eq!(city(), "Berlin");
    replace(&fs::read(data("later.mmdb")).unwrap());
    assert_eq!(city(), "Boston \"Common\"");
    let before = not_reread();
    for broken in [&b"broken"[..], &fs::read(data("proxies.mmdb")).unwrap()] {
        replace(broken);
        assert_eq!(city(), "Boston \"Common\"");
    }
    fs::remove_file(&path).unwrap();
    Database::open(&path).unwrap().look_now();
    assert_eq!(city(), "Boston \"Common\"");
    assert_eq!(not_reread() - before, 3);
    fs::copy(data("places.mmdb"), &path).unwrap();
    Database::open(&path).unwrap().look_now();
    assert_eq!(city(), "Berlin");
}

/// Texts that may be agents.
fn agents() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,60}",
        proptest::collection::vec(
            proptest::sample::select(vec![
                "Mozilla/5.0 ",
                "(Windows NT 10.0",
                "; ",
                "Chrome/",
                "12",
                ".",
                "99999999999999999999",
                "Safari",
                "é",
                "\\\"",
                "\\x22",
                "\\",
                "Android 9",
                "; SM-G960F Build/",
                ") ",
                "Googlebot",
                "\u{0}",
                "$1",
                "iPhone",
                "CPU OS 1_2_3 like Mac OS X",
                "\u{202e}",
                "MSIE 7.0b",
                "Opera Mini/",
            ]),
            0..24
        )
        .prop_map(|parts| parts.concat()),
    ]
}

fn addresses() -> impl Strategy<Value = String> {
    prop_oneof![
        (0u8..=255).prop_map(|last| format!("203.0.113.{last}")),
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).to_string()),
        "[0-9a-f:.%]{1,20}",
        Just("2001:db8::7".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is put into the text of a document is what is added to one that is taken apart.
    #[test]
    fn both_ways_of_adding_add_the_same(
        address in addresses(),
        agent in agents(),
        is_module in any::<bool>(),
        own in proptest::option::of(proptest::sample::select(vec!["labels", "user_agent", "source"])),
    ) {
        let agent = agent.replace(['\n', '\r'], " ");
        let line = line(&address, &agent);
        let of = |steps: &[Value]| {
            let mut settings = settings(ParserKind::Combined, steps);
            settings.module = is_module.then_some(ModuleKind::Nginx);
            if let Some(own) = own {
                let table = FieldTable::from([("own".to_owned(), FieldValue::Text("x".to_owned()))]);
                settings.fields.insert(own.to_owned(), FieldValue::Table(table));
            }
            documents(&settings, &[&line]).remove(0)
        };
        let mut inserted = of(&steps(&[]));
        let behind_another = steps(&[json!({"step": "drop", "field": "not.there"})]);
        prop_assert_eq!(&inserted, &of(&behind_another));
        // Nothing else is another than without the steps.
        for (object, names) in [("user_agent", &["name", "version", "os", "device"][..]), ("source", &["geo", "as"])] {
            if let Some(members) = inserted.get_mut(object).and_then(Value::as_object_mut) {
                for name in names {
                    drop(members.remove(*name));
                }
            }
        }
        prop_assert_eq!(inserted, of(&[]));
    }

    #[test]
    fn whatever_is_broken_in_a_database_nothing_panics(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..20),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
        address in any::<IpAddr>(),
    ) {
        let mut bytes = fs::read(data("places.mmdb")).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.drain(..cut.index(bytes.len()));
        }
        if let Ok(reader) = Reader::from_source(bytes) {
            let known: IpAddr = [203, 0, 113, 7].into();
            for address in [address, known] {
                drop(reader.lookup(address).and_then(|found| found.decode::<Record<'_>>()));
            }
        }
    }
}
