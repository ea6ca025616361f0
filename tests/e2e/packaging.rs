//! What packages have beside the programs, and whether their lists of files are whole. That they can be
//! installed and removed, `make test-packages` tells, which takes minutes.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::process::Command;

use omphalos_common::config::{HasRows, from_text, load_shown_defaults};
use omphalos_packaging::{commands, pages, settings_files, write};
use omphalos_tests::repository;

use crate::circumstances::directory;

#[test]
fn every_flag_of_every_command_is_in_its_manual_page() {
    let mut seen = Vec::new();
    for (_, command) in commands() {
        for page in pages(command).expect("pages") {
            let text = String::from_utf8(page.text).expect("text");
            let text = text.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "");
            for arg in page.command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                let long = arg.get_long_and_visible_aliases().unwrap_or_default();
                let names = long.iter().map(|name| format!("--{name}"));
                let names = names.chain(arg.get_short().map(|name| format!("-{name}")));
                for name in names {
                    let is_told = text.split([' ', '\n', ',', '[', ']']).any(|word| word == name);
                    assert!(is_told, "{name} is not in {}(1):\n{text}", page.name);
                }
            }
            seen.push(page.name);
        }
    }
    for name in
        ["omphalos-search", "omphalos-dead-list", "omphalos-shipper", "omphalos-indexer-relay"]
    {
        assert!(seen.iter().any(|page| page == name), "{name}(1) is not among {seen:?}");
    }
}

#[test]
fn completions_load_in_bash_and_know_subcommands() {
    let directory = directory();
    write(directory.path()).expect("files");
    for (program, begun, wanted) in [
        ("omphalos", "sea", "search"),
        ("omphalos-shipper", "hea", "health"),
        ("omphalos-indexer", "--elasticsearch-u", "--elasticsearch-url"),
    ] {
        let file = directory.path().join(format!("completions/{program}.bash"));
        let script = format!(
            "bash -n {file} && source {file} && complete -p {program} >&2 || exit 1
             COMP_WORDS=({program} {begun}) COMP_CWORD=1
             function=$(complete -p {program} | sed 's/.*-F \\([^ ]*\\).*/\\1/')
             $function {program} {begun} {program}
             echo \"${{COMPREPLY[@]}}\"",
            file = file.display()
        );
        let ran = Command::new("bash").args(["-c", &script]).output().expect("bash");
        let told = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert!(told.split_whitespace().any(|word| word == wanted), "{program} {begun}: {told}");
    }
}

/// Reads a settings file as it is shipped, and with all that it has commented out.
fn check_settings<T: HasRows + Default + PartialEq + Debug>(name: &str) {
    let file = settings_files().into_iter().find(|file| file.name == name).expect("the file");
    let text = file.text();
    assert!(text.contains(&format!("\n{}\n", file.state_line())), "{name}: {text}");
    let text = text.replace(&file.state_line(), "#state_dir = \"/var/lib/other\"");
    let shipped: T = from_text(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(shipped, T::default(), "{name} as it is shipped");

    let state_dir = file.settings.iter().find(|setting| setting.key == "state_dir");
    let state_dir = state_dir.expect("the setting");
    let is_told = |line: &&str| {
        let line = line.trim_start_matches('#');
        line.starts_with('[') || line.split(" = ").nth(1).is_some_and(|value| !value.is_empty())
    };
    // The example at the top is indented, as all comments are.
    let told = text.lines().filter(|line| !line.starts_with("# ")).filter(is_told);
    let told: Vec<&str> = told.map(|line| line.trim_start_matches('#')).collect();
    let told = told.join("\n").replace("[[monitor]]", "[[monitor]]\npaths = [\"/a\"]");
    let told = told.replace("/var/lib/other", state_dir.default);
    let told: T = from_text(&told).unwrap_or_else(|error| panic!("{name}: {error}\n{told}"));
    let has_files = file.settings.iter().any(|setting| setting.key == "monitor.paths");
    let arguments: &[&str] = if has_files { &["/a"] } else { &[] };
    let defaults: T = load_shown_defaults(&file.settings, arguments).expect("defaults");
    assert_eq!(told, defaults, "{name} with everything that it has commented out");

    for setting in &file.settings {
        let leaf = setting.key.rsplit('.').next().expect("a name");
        assert!(text.contains(&format!("\n#{leaf} =")), "{} is not in {name}", setting.key);
    }
}

#[test]
fn settings_files_of_packages_say_nothing_but_the_defaults() {
    check_settings::<omphalos_shipper::config::Settings>("shipper.toml");
    check_settings::<omphalos_indexer::config::Settings>("indexer.toml");
    check_settings::<omphalos_indexer::config::Settings>("relay.toml");
    check_settings::<omphalos::run::Settings>("run.toml");
}

/// Files of a package by their places, each with its mode and where it comes from.
type Files = BTreeMap<String, (String, String)>;

/// The place of a file, of which distributions have their own idea in one case.
fn place(destination: &str, source: &str) -> String {
    let destination = destination.trim_start_matches('/');
    let destination = destination.replace("vendor-completions", "site-functions");
    let name = source.rsplit('/').next().unwrap_or_default();
    if destination.ends_with('/') { format!("{destination}{name}") } else { destination }
}

/// What the packages of a crate have, the Debian one first.
fn files(manifest: &str) -> [Files; 2] {
    let text = fs::read_to_string(repository().join(manifest)).expect("a manifest");
    let manifest: toml::Table = text.parse().expect("TOML");
    let metadata = &manifest["package"]["metadata"];
    let word = |value: &toml::Value| value.as_str().expect("a text").to_owned();
    let [mut debian, mut rpm] = [Files::new(), Files::new()];
    for asset in metadata["deb"]["assets"].as_array().expect("a list") {
        let source = word(&asset[0]).trim_start_matches("../").to_owned();
        debian.insert(place(&word(&asset[1]), &source), (word(&asset[2]), source));
    }
    for asset in metadata["generate-rpm"]["assets"].as_array().expect("a list") {
        let source = word(&asset["source"]);
        rpm.insert(place(&word(&asset["dest"]), &source), (word(&asset["mode"]), source));
    }
    [debian, rpm]
}

#[test]
fn packages_of_both_kinds_have_the_same_files_and_all_of_them() {
    let manifests = ["shipper/Cargo.toml", "indexer/Cargo.toml", "omphalos/Cargo.toml"];
    let mut all = Vec::new();
    for manifest in manifests {
        let [mut debian, mut rpm] = files(manifest);
        for (_, source) in debian.values().chain(rpm.values()) {
            let is_there = source.starts_with("target/") || repository().join(source).is_file();
            assert!(is_there, "{manifest}: there is no {source}");
        }
        all.extend(debian.values().map(|(_, source)| source.clone()));
        // Only Debian has hosts without systemd; it makes a file of the licence itself.
        debian.retain(|place, _| {
            !place.starts_with("etc/init.d") && !place.starts_with("etc/logrotate.d")
        });
        rpm.retain(|place, _| !place.starts_with("usr/share/licenses"));
        assert_eq!(debian, rpm, "{manifest}");
    }
    let units = fs::read_dir(repository().join("packaging/systemd")).expect("units");
    let units = units.map(|unit| unit.expect("a unit").file_name().into_string().expect("a name"));
    let units = units.map(|unit| format!("packaging/systemd/{unit}"));
    let settings = settings_files().map(|file| format!("target/packaging/etc/{}", file.name));
    for file in units.chain(settings) {
        let count = all.iter().filter(|source| **source == file).count();
        assert_eq!(count, 1, "{file} is in {count} packages");
    }
}

/// What `sh` says of scripts that run as root on other people's machines; `make lint` says more.
#[test]
fn scripts_of_packages_can_be_read_by_sh() {
    let mut count = 0;
    for folder in ["debian", "rpm", "sysv"] {
        let scripts = fs::read_dir(repository().join("packaging").join(folder)).expect("scripts");
        for script in scripts.map(|script| script.expect("a script").path()) {
            if script.ends_with("logrotate") {
                continue;
            }
            let read = Command::new("sh").arg("-n").arg(&script).status().expect("sh");
            assert!(read.success(), "{}", script.display());
            count += 1;
        }
    }
    assert_eq!(count, 8, "three of Debian's, four of rpm's, the init script");
}
