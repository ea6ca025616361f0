use super::*;
use crate::config::TableError;
use serde::Deserialize;

#[derive(Deserialize, Debug, PartialEq, Default)]
#[serde(deny_unknown_fields, default)]
struct Sample {
    name: Option<String>,
    amqp: Amqp,
    monitor: Vec<Monitor>,
}

#[derive(Deserialize, Debug, PartialEq, Default)]
#[serde(deny_unknown_fields, default)]
struct Amqp {
    url: Vec<String>,
    url_file: Option<String>,
    password: Option<String>,
    in_flight: Option<u32>,
    passive: bool,
}

#[derive(Deserialize, Debug, PartialEq, Default)]
#[serde(deny_unknown_fields, default)]
struct Monitor {
    paths: Vec<String>,
    parser: Option<String>,
}

impl HasRows for Sample {
    fn rows() -> Vec<Setting> {
        SETTINGS.to_vec()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        tables.part(SETTINGS)
    }
}

const SETTINGS: &[Setting] = &[
    Setting::new("name", Kind::Text, "A name."),
    Setting::new("amqp.url", Kind::List, "Where to.").alias("amqp"),
    Setting::new("amqp.url_file", Kind::Text, "Where that stands."),
    Setting::new("amqp.password", Kind::Text, "Of whom."),
    Setting::new("amqp.in_flight", Kind::Integer, "How many."),
    Setting::new("amqp.passive", Kind::Switch, "Whether."),
    Setting::new("monitor.paths", Kind::List, "What.").positional("FILE").repeated(),
    Setting::new("monitor.parser", Kind::Choice(&["raw", "json"]), "How.")
        .flag("parser")
        .repeated(),
];

fn run(
    file: Option<&str>,
    environment: &[(&str, &str)],
    flags: &[&str],
) -> Result<Loaded<Sample>, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.toml");
    let mut arguments = vec!["test".to_owned()];
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
        arguments.push(format!("--config={}", path.display()));
    }
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let matches = add_flags(Command::new("test"), SETTINGS).get_matches_from(arguments);
    let read = |name: &str| {
        environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    };
    let names = environment.iter().map(|(key, _)| (*key).to_owned());
    load(SETTINGS, &matches, read, names)
        .map_err(|error| error.to_string().replace(&path.display().to_string(), "x.toml"))
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "name = \"f\"\n[amqp]\nurl = [\"f\"]\nin_flight = 1\n";
    let environment = [("OMPHALOS_NAME", "e"), ("OMPHALOS_AMQP_URL", "e1, e2")];
    let loaded = run(Some(file), &environment, &["--amqp", "a", "--amqp-url", "b"]).unwrap();
    assert_eq!(loaded.settings.name.as_deref(), Some("e"));
    assert_eq!(loaded.settings.amqp.url, ["a", "b"]);
    assert_eq!(loaded.settings.amqp.in_flight, Some(1));
    let loaded = run(None, &environment, &["--amqp-passive"]).unwrap();
    assert_eq!(loaded.settings.amqp.url, ["e1", "e2"]);
    assert!(loaded.settings.amqp.passive);
}

#[test]
fn a_value_replaces_the_file_of_it_that_was_named_before_and_the_other_way_round() {
    let both = |file, environment: &[(&str, &str)], flags: &[&str]| {
        let amqp = run(Some(file), environment, flags).unwrap().settings.amqp;
        (amqp.url, amqp.url_file)
    };
    let url = || (vec!["u".to_owned()], None);
    let of_file = || (Vec::new(), Some("f".to_owned()));
    let (named, given) = ("[amqp]\nurl_file = \"old\"\n", "[amqp]\nurl = [\"old\"]\n");
    assert_eq!(both(named, &[], &["--amqp-url", "u"]), url());
    assert_eq!(both(named, &[("OMPHALOS_AMQP_URL", "u")], &[]), url());
    assert_eq!(both(given, &[], &["--amqp-url-file", "f"]), of_file());
    assert_eq!(both("", &[("OMPHALOS_AMQP_URL", "old")], &["--amqp-url-file", "f"]), of_file());
    // Both in one place is for the reader to refuse.
    let twice = both("", &[], &["--amqp-url", "u", "--amqp-url-file", "f"]);
    assert_eq!(twice, (url().0, of_file().1));
}

#[test]
fn a_password_on_the_command_line_is_said_to_be_in_sight() {
    let said =
        |flags: &[&str]| run(None, &[("OMPHALOS_AMQP_PASSWORD", "p")], flags).unwrap().warnings;
    let of_url = "--amqp-url: a password on the command line is in sight of everybody on this machine (ps); give it by --amqp-url-file or OMPHALOS_AMQP_URL";
    assert_eq!(said(&["--amqp-url", "amqp://h,amqp://u:secret@h"]), [of_url]);
    let of_password = said(&["--amqp-password", "secret"]);
    assert!(of_password[0].ends_with("(ps); give it by OMPHALOS_AMQP_PASSWORD"), "{of_password:?}");
    for harmless in ["amqp://guest:guest@localhost/", "amqp://u@h", "amqp://h"] {
        assert_eq!(said(&["--amqp-url", harmless]), [""; 0]);
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let error = run(Some("[amqp]\nurll = [\"x\"]\n"), &[], &[]).unwrap_err();
    assert_eq!(
        error,
        "x.toml: line 2, column 1: unknown setting `urll` in [amqp]; did you mean `url`?"
    );
    let error = run(Some("zzz = 1\n"), &[], &[]).unwrap_err();
    assert_eq!(
        error,
        "x.toml: line 1, column 1: unknown setting `zzz`; expected one of `name`, `amqp`, `monitor`"
    );
}

/// The kind of fault: a setting in the wrong place is answered with all that there are in this place.
#[test]
fn a_setting_in_the_wrong_place_is_told_where_it_belongs() {
    for (text, expected) in [
        (
            "url = \"amqp://u:hunter2@h\"\n",
            "1, column 1: unknown setting `url`; it belongs in [amqp]",
        ),
        ("in_flight = 5\n", "1, column 1: unknown setting `in_flight`; it belongs in [amqp]"),
        ("parser = \"raw\"\n", "1, column 1: unknown setting `parser`; it belongs in [[monitor]]"),
        (
            "[amqp]\nname = \"x\"\n",
            "2, column 1: unknown setting `name` in [amqp]; it belongs above the first table",
        ),
        (
            "[amqp]\npaths = [\"x\"]\n",
            "2, column 1: unknown setting `paths` in [amqp]; it belongs in [[monitor]]",
        ),
    ] {
        let error = run(Some(text), &[], &[]).unwrap_err();
        assert_eq!(error, format!("x.toml: line {expected}"), "{text}");
    }
}

/// How to get into a server, said in several ways.
const WAYS_IN: &[Setting] = &[
    Setting::new("e.url", Kind::Text, "").carries(&[
        "e.user",
        "e.password",
        "e.password_file",
        "e.key",
        "e.key_file",
    ]),
    Setting::new("e.user", Kind::Text, "").replaces(&["e.key", "e.key_file"]),
    Setting::new("e.password", Kind::Text, "").replaces(&["e.key", "e.key_file"]),
    Setting::new("e.password_file", Kind::Text, "").replaces(&["e.key", "e.key_file"]),
    Setting::new("e.key", Kind::Text, "").replaces(&["e.user", "e.password", "e.password_file"]),
    Setting::new("e.key_file", Kind::Text, "").replaces(&[
        "e.user",
        "e.password",
        "e.password_file",
    ]),
];

/// The kind of fault: of a group of settings that say one thing together, one replaces only its own twin,
/// and what is left of the group speaks against it.
#[test]
fn another_way_to_say_the_same_replaces_all_of_the_way_before() {
    #[derive(Debug, Deserialize)]
    struct Whole {
        #[serde(default)]
        e: std::collections::BTreeMap<String, String>,
    }
    impl HasRows for Whole {
        fn rows() -> Vec<Setting> {
            WAYS_IN.to_vec()
        }

        fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
            tables.part(WAYS_IN)
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.toml");
    let of_user = "[e]\nuser = \"u\"\npassword_file = \"f\"\n";
    let of_key = "[e]\nkey = \"k\"\n";
    for (text, variable, flags, expected) in [
        (of_user, None, &["--e-key=K"][..], &["key=K"][..]),
        (of_user, Some(("OMPHALOS_E_KEY_FILE", "F")), &[], &["key_file=F"]),
        (of_user, Some(("OMPHALOS_E_KEY", "K")), &["--e-key-file=F"], &["key_file=F"]),
        (of_user, None, &["--e-password=P"], &["password=P", "user=u"]),
        (of_key, None, &["--e-user=U", "--e-password=P"], &["password=P", "user=U"]),
        (of_key, Some(("OMPHALOS_E_USER", "U")), &["--e-key=K"], &["key=K"]),
        // An URL has both in it, or nothing.
        (of_user, None, &["--e-url=http://v:q@h"], &["url=http://v:q@h"]),
        (of_user, None, &["--e-url=http://g,http://v:q@h"], &["url=http://g,http://v:q@h"]),
        (of_key, Some(("OMPHALOS_E_URL", "http://v:q@h")), &[], &["url=http://v:q@h"]),
        (of_key, None, &["--e-url=http://h"], &["key=k", "url=http://h"]),
        (
            of_key,
            Some(("OMPHALOS_E_URL", "http://v:q@h")),
            &["--e-key=K"],
            &["key=K", "url=http://v:q@h"],
        ),
        // Both in one place is for the reader to refuse.
        (of_user, None, &["--e-key=K", "--e-user=U"], &["key=K", "user=U"]),
    ] {
        std::fs::write(&file, text).unwrap();
        let arguments = ["test"].iter().chain(flags);
        let matches = add_flags(Command::new("test"), WAYS_IN).get_matches_from(arguments);
        let read = |name: &str| variable.filter(|(key, _)| *key == name).map(|(_, value)| value);
        let whole: Whole = load_with(Some(&file), WAYS_IN, &matches, read).unwrap();
        let found: Vec<_> = whole.e.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(found, expected, "{flags:?} {variable:?} {text}");
    }
}

#[test]
fn what_is_another_programs_is_passed_over_and_what_is_nobodys_is_refused() {
    let file = "host_name = 7\n[elasticsearch]\nuser = \"u\"\n[amqp]\nin_flight = 3\n[[receive]]\n";
    let loaded = run(Some(file), &[], &[]).unwrap();
    assert_eq!(loaded.settings.amqp.in_flight, Some(3));
    let error = run(Some("[store]\n[elasticserch]\nuser = \"u\"\n"), &[], &[]).unwrap_err();
    assert_eq!(
        error,
        "x.toml: line 2, column 2: unknown setting `elasticserch`; did you mean `elasticsearch`?"
    );
}

#[test]
fn a_value_of_the_wrong_kind_in_a_file_names_line_and_setting() {
    const LIST: &str = "expected a list of texts, such as [\"a\", \"b\"], found";
    for (text, expected) in [
        (
            "[store]\n[[monitor]]\npaths = 5\n",
            format!("line 3, column 9: `monitor.paths`: {LIST} the number 5"),
        ),
        (
            "[amqp]\nurl = \"amqp://u:hunter2@h\"\n",
            format!(
                "line 2, column 7: `amqp.url`: {LIST} a text; put it in brackets: url = [\"…\"]"
            ),
        ),
        (
            "[amqp]\nurl = [5]\n",
            format!("line 2, column 8: `amqp.url`: {LIST} a list of something else"),
        ),
        (
            "name = 5\n",
            "line 1, column 8: `name`: expected a text in quotes, found the number 5".to_owned(),
        ),
        (
            "[amqp]\npassive = \"yes\"\n",
            "line 2, column 11: `amqp.passive`: expected true or false, found \"yes\"".to_owned(),
        ),
        (
            "[monitor]\npaths = []\n",
            "line 1, column 2: [monitor] must be written [[monitor]], because it may be there \
             several times"
                .to_owned(),
        ),
        (
            "[[amqp]]\n",
            "line 1, column 3: [[amqp]] must be written [amqp], because it can be there only \
             once"
                .to_owned(),
        ),
        (
            "amqp = \"amqp://u:hunter2@h\"\n",
            "line 1, column 1: `amqp`: expected a table, [amqp], with settings below it".to_owned(),
        ),
    ] {
        let error = run(Some(text), &[], &[]).unwrap_err();
        assert_eq!(error, format!("x.toml: {expected}"), "{text}");
    }
}

/// There are passwords in files, and a slip may stand beside one.
#[test]
fn no_error_repeats_a_line_of_the_file() {
    for text in [
        "[amqp]\nurl = \"hunter2\n",
        "[amqp]\nurl = [\"hunter2\"\nx = 1\n",
        "[amqp]\npasword = \"hunter2\"\n",
        "[amqp]\nurl = hunter2\n",
        "name = [\"hunter2\"]\n",
        "[amqp]\nurl = [\"hunter2\"]\nurl = [\"hunter2\"]\n",
        "[amqp]\nurl = [\"hunter2\\q\"]\n",
    ] {
        let error = run(Some(text), &[], &[]).unwrap_err();
        assert!(error.starts_with("x.toml: line "), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{text}: {error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_gives_its_reason_once() {
    let matches = add_flags(Command::new("test"), SETTINGS).get_matches_from(["test"]);
    let path = Path::new("/nowhere/x.toml");
    let error = load_with::<Sample, String>(Some(path), SETTINGS, &matches, |_| None).unwrap_err();
    assert_eq!(
        format!("{:#}", anyhow::Error::from(error)),
        "cannot read the configuration file /nowhere/x.toml: No such file or directory (os \
         error 2)"
    );
}

#[test]
fn a_value_of_the_wrong_kind_names_where_it_came_from() {
    let error = run(Some("[amqp]\nin_flight = \"many\"\n"), &[], &[]).unwrap_err();
    let expected = "`amqp.in_flight`: expected a whole number, found \"many\"";
    assert_eq!(error, format!("x.toml: line 2, column 13: {expected}"));
    let error = run(None, &[("OMPHALOS_AMQP_IN_FLIGHT", "many")], &[]).unwrap_err();
    assert_eq!(error, "OMPHALOS_AMQP_IN_FLIGHT: expected a whole number, found \"many\"");
    let error = run(None, &[], &["--amqp-in-flight=-1"]).unwrap_err();
    assert_eq!(error, "--amqp-in-flight: expected a whole number, found \"-1\"");
}

#[test]
fn files_are_named_on_the_command_line_or_in_the_file() {
    let loaded = run(None, &[], &["a,b", "c", "--parser", "json"]).unwrap();
    assert_eq!(loaded.settings.monitor.len(), 1);
    assert_eq!(loaded.settings.monitor[0].paths, ["a,b", "c"]);
    assert_eq!(loaded.settings.monitor[0].parser.as_deref(), Some("json"));
    let file = "[[monitor]]\npaths = [\"x\"]\n[[monitor]]\nparser = \"raw\"\n";
    let loaded = run(Some(file), &[("OMPHALOS_PARSER", "json")], &[]).unwrap();
    let parsers: Vec<_> = loaded.settings.monitor.iter().map(|m| m.parser.clone()).collect();
    assert_eq!(parsers, [Some("json".to_owned()), Some("json".to_owned())]);
    assert_eq!(
        run(Some(file), &[], &["a"]).unwrap_err(),
        "FILE is given on the command line, and monitor.paths in the configuration file or in \
         OMPHALOS_MONITOR_PATHS; keep one"
    );
    let error = run(None, &[], &["--parser", "xml"]).unwrap_err();
    assert_eq!(error, "--parser: expected one of raw, json, found \"xml\"");
}

#[test]
fn a_variable_that_is_almost_a_setting_is_wondered_about() {
    let loaded = run(None, &[("OMPHALOS_AMPQ_URL", "x"), ("OMPHALOS_OTHER", "y")], &[]).unwrap();
    assert_eq!(
        loaded.warnings,
        ["the environment variable OMPHALOS_AMPQ_URL is not a setting; did you mean \
          OMPHALOS_AMQP_URL?"]
    );
}
