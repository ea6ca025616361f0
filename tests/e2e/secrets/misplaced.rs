//! A URL with a password where nobody looks for one: as the value of any setting, by flag, by variable or
//! in the file, as a file, a subcommand, a table or a key.

use std::fmt::Write;
use std::fs;
use std::thread;

use omphalos_common::config::Setting;
use omphalos_tests::Program;

use super::{HALVES, Scene, assert_silent};

/// URLs with the password in each place that a URL has for one.
fn urls() -> [String; 4] {
    let secret = HALVES.concat();
    [
        format!("amqp://user:{secret}@127.0.0.1:9/v"),
        format!("amqp://user:{secret}"),
        format!("http://127.0.0.1:9/?api_key={secret}"),
        format!("http://127.0.0.1:9/#{secret}"),
    ]
}

/// Each program, with all its settings, and the words that it is asked with.
fn programs() -> Vec<(&'static str, Vec<&'static str>, Vec<Setting>)> {
    let shipper = omphalos_shipper::config::all_settings();
    let indexer = omphalos_indexer::config::all_settings();
    vec![
        ("omphalos-shipper", vec!["check", "FILE"], shipper),
        ("omphalos-indexer", vec!["check"], indexer),
        ("omphalos", vec!["run", "FILE"], omphalos::run::all_settings()),
    ]
}

/// Runs a program that has nothing to do but to refuse; returns all that it said.
fn refused(program: Program, about: &str) -> String {
    let ended = program.run();
    assert_silent(&ended.output, about);
    assert_ne!(ended.code, Some(0), "{about}\n{}", ended.output);
    ended.output
}

/// Whether a URL is what a setting is for.
fn takes_url(setting: &Setting) -> bool {
    matches!(setting.key, "amqp.url" | "elasticsearch.url")
}

/// The kind of fault: a message repeats what was given, which may be a password in a place where it does
/// not belong.
#[test]
fn no_setting_that_is_given_a_url_repeats_it() {
    thread::scope(|scope| {
        for (name, words, settings) in programs() {
            scope.spawn(move || {
                for setting in settings.iter().filter(|setting| !is_secret(setting)) {
                    each_way(name, &words, setting);
                }
            });
        }
    });
}

/// The same where an address is given as if it were a URL.
#[test]
fn no_address_that_is_given_a_password_repeats_it() {
    let secret = HALVES.concat();
    for (name, words, settings) in programs() {
        let is_address = |setting: &&Setting| {
            setting.key == "udp.to" || setting.key.rsplit('.').next() == Some("listen")
        };
        for setting in settings.iter().filter(is_address) {
            for given in [format!("user:{secret}@127.0.0.1:9"), format!("user:{secret}")] {
                let scene = Scene::new();
                let file = scene.file.display().to_string();
                let state = scene.directory.path().join("state").display().to_string();
                let words = words.iter().map(|word| if *word == "FILE" { &file } else { *word });
                let program = scene
                    .program(name, &[])
                    .args(words)
                    .option("--state-dir", state)
                    .option(&format!("--{}", setting.flag_name()), &given);
                let said = refused(program, &format!("{name} {} {given}", setting.key));
                assert!(said.contains("HOST:PORT"), "{said}");
            }
        }
    }
}

/// Whether it may be any text: it is a secret itself, which nobody looks into.
fn is_secret(setting: &Setting) -> bool {
    matches!(
        setting.key,
        "elasticsearch.password" | "elasticsearch.api_key" | "elasticsearch.bearer_token"
    )
}

/// Every way in which a setting can be given.
fn each_way(name: &'static str, words: &[&str], setting: &Setting) {
    let scene = Scene::new();
    let file = scene.file.display().to_string();
    // What is not refused must not remember anything where programs do by themselves.
    let state = format!("--state-dir={}", scene.directory.path().join("state").display());
    let state = Some(state).filter(|_| setting.key != "state_dir");
    let words = || {
        let word = |word: &&str| if *word == "FILE" { file.clone() } else { (*word).to_owned() };
        words.iter().map(word).chain(state.clone())
    };
    for url in urls() {
        if takes_url(setting) && !url.contains("/?") && !url.contains("/#") {
            continue;
        }
        let about = |way: &str| format!("{name} {way} {} {url}", setting.key);
        if setting.positional_name().is_none() {
            let flag = format!("--{}={url}", setting.flag_name());
            let program = scene.program(name, &[]).args(words()).arg(flag);
            let said = refused(program, &about("flag"));
            let leaf = setting.key.rsplit('.').next().unwrap_or_default();
            let is_named = said.contains(&setting.flag_name()) || said.contains(leaf);
            assert!(is_named, "{}: {said}", about("flag"));
        }
        let program = scene.program(name, &[]).args(words()).variable(&setting.variable(), &url);
        refused(program, &about("variable"));
        let path = scene.directory.path().join("settings.toml");
        for value in [format!("{url:?}"), format!("[{url:?}]")] {
            fs::write(&path, of_file(setting, &value)).expect("settings");
            let program = scene.program(name, &[]).args(words()).option("--config", path.display());
            refused(program, &about("file"));
        }
    }
}

/// A file of settings that has this value.
fn of_file(setting: &Setting, value: &str) -> String {
    let mut text = String::new();
    let (table, leaf) = setting.key.split_once('.').unwrap_or(("", setting.key));
    match (table, setting.is_repeated()) {
        ("", _) => {}
        (table, true) => writeln!(text, "[[{table}]]").expect("text"),
        (table, false) => writeln!(text, "[{table}]").expect("text"),
    }
    writeln!(text, "{leaf} = {value}").expect("text");
    text
}

#[test]
fn no_word_that_is_a_url_is_repeated() {
    let scene = Scene::new();
    let file = scene.file.display().to_string();
    for url in urls() {
        for (name, words) in [
            ("omphalos-shipper", vec!["--once", &*url]),
            ("omphalos-shipper", vec!["check", &url]),
            ("omphalos-shipper", vec![&*url]),
            ("omphalos-indexer", vec![&*url]),
            ("omphalos", vec![&*url]),
            ("omphalos", vec!["import", &url]),
            ("omphalos", vec!["parse", &url]),
            ("omphalos", vec!["audit", &url]),
            ("omphalos", vec!["audit", &file, "--as", &url, "--repair-timeout", &url]),
            ("omphalos", vec!["dead", &url]),
            ("omphalos", vec!["dead", "list", "--limit", &url]),
            ("omphalos", vec!["dead", "list", "--dead-file", &url]),
            ("omphalos", vec!["search", "x", "--since", &url]),
            ("omphalos", vec!["search", "x", "--color", &url]),
            ("omphalos", vec!["run", "--config", &url]),
            ("omphalos", vec!["run", "--nonsense", &url]),
        ] {
            let about = format!("{name} {words:?}");
            let mut program = scene.program(name, &words);
            if name == "omphalos-shipper" {
                let state = scene.directory.path().join("state");
                program = program.option("--state-dir", state.display());
            }
            refused(program, &about);
        }
    }
}

#[test]
fn no_key_or_table_that_is_a_secret_is_repeated() {
    let scene = Scene::new();
    let secret = HALVES.concat();
    let path = scene.directory.path().join("settings.toml");
    for (name, words, _) in programs() {
        for text in [
            format!("{secret} = 1\n"),
            format!("[{secret}]\nx = 1\n"),
            format!("[amqp]\n{secret} = 1\n"),
            format!("[amqp]\n\"amqp://u:{secret}@h\" = 1\n"),
            format!("[amqp]\nurl = \"amqp://u:{secret}@h\n"),
            format!("[amqp]\n{secret}\n"),
            format!("[amqp]\nheartbeat = \"{secret} and more that is too long for a time\"\n"),
        ] {
            fs::write(&path, &text).expect("settings");
            let words = words.iter().filter(|word| **word != "FILE").copied();
            let program = scene.program(name, &[]).args(words).option("--config", path.display());
            let said = refused(program, &text);
            assert!(said.contains("settings.toml: line "), "{text}: {said}");
        }
    }
}

#[test]
fn no_secret_that_is_where_it_belongs_is_said() {
    let scene = Scene::new();
    for (flag, more) in
        [("--elasticsearch-password", "--elasticsearch-user=u"), ("--elasticsearch-api-key", "")]
    {
        let asked = [
            ("omphalos", ["search", "x"]),
            ("omphalos-indexer", ["check", "--amqp-url=amqp://127.0.0.1:9"]),
        ];
        for (name, words) in asked {
            let more = Some(more).filter(|more| !more.is_empty());
            let ended = scene
                .program(name, &words)
                .args(more)
                .option(flag, &urls()[0])
                .option("--elasticsearch-url", "http://127.0.0.1:9")
                .run();
            assert_silent(&ended.output, &format!("{name} {flag}"));
            assert_ne!(ended.code, Some(0), "{name} {flag}\n{}", ended.output);
        }
    }
}
