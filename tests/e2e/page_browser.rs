//! The page in a real browser: what people see and do, by mouse, by keys, on a phone, in the dark, with what
//! axe finds; and a foreign page beside it. `web/test/browser.mjs` is what happens in it.
//!
//! Where there is no Chromium, Node or npm, this says so and passes.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use omphalos_tests::{LogFile, Stack, eventually, holds, repository};

use crate::page::{append, page_of};
use crate::run::Alone;

const RULES: &str = r#"
[[alert]]
name = "errors"
measure = "error_share"
at_least = "20 %"
clear = "5 %"
window = "5s"
"#;

fn chromium() -> Option<String> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let paths = names.map(|name| format!("/usr/bin/{name}"));
    paths.into_iter().find(|path| Path::new(path).exists())
}

/// Whether what drives the browser is there, or can be fetched.
fn has_driver(web: &Path) -> bool {
    let node = Command::new("node")
        .args(["-e", "process.exit(process.versions.node.split('.')[0] >= 20 ? 0 : 1)"])
        .stderr(Stdio::null())
        .status();
    if !node.is_ok_and(|status| status.success()) {
        return false;
    }
    let driver = web.join("node_modules/playwright-core");
    let mut fetch = Command::new("npm");
    fetch.args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(web);
    driver.exists() || fetch.status().is_ok_and(|status| status.success())
}

/// What drives the browser, and the browser; nothing where one of them is not there, which is said.
fn driven() -> Option<Command> {
    let web = repository().join("web");
    let Some(chromium) = chromium() else {
        println!("not tested: there is no Chromium in /usr/bin");
        return None;
    };
    if !has_driver(&web) {
        println!("not tested: Node 20 and npm are needed, and what web/package-lock.json names");
        return None;
    }
    let mut node = Command::new("node");
    node.arg(web.join("test/browser.mjs")).arg(chromium);
    Some(node)
}

/// Starts a process with a page over some lines, and lets the browser do what it does there.
fn in_a_browser(
    alone: &Alone,
    mut node: Command,
    arguments: &[&str],
    count: impl Fn() -> Result<u64, String>,
) {
    let path = alone.directory.path();
    let mut log = LogFile::create(&path.join("access.log"));
    append(&mut log, 0, 290, 200);
    append(&mut log, 290, 10, 404);
    let config = path.join("omphalos.toml");
    fs::write(&config, RULES).expect("a configuration");
    let process = alone
        .with_state("run")
        .arg(log.path().display())
        .args(["--parser", "combined", "--page-listen", "127.0.0.1:0", "--page-allow-actions"])
        .option("--config", config.display())
        .args(arguments)
        .start();
    let page = page_of(&process);
    eventually("all lines are stored", || {
        let count = count()?;
        holds(count == 300, count)
    });
    let begun = Timestamp::now();
    let done = node
        .arg(page)
        .arg(log.path())
        .args(std::env::var_os("OMPHALOS_SCREENSHOTS"))
        .output()
        .expect("node");
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(done.status.success(), "{said}\nafter {}", Timestamp::now().duration_since(begun));
    drop(process);
}

#[test]
fn the_page_does_in_a_real_browser_what_it_is_for() {
    let Some(node) = driven() else { return };
    let alone = Alone::new();
    in_a_browser(&alone, node, &[], || alone.elastic().count());
}

#[test]
fn in_a_real_browser_the_page_shows_what_elasticsearch_has() {
    let Some(mut node) = driven() else { return };
    // What does not look into what is stored has been tried with the store.
    node.env("ONLY", "overview,lines,keys alone,audit,nothing,wrong search");
    let (stack, alone) = (Stack::shared(), Alone::new());
    let url = stack.search_url();
    let arguments =
        ["--elasticsearch-url", &url, "--index-prefix", stack.prefix(), "--index-replicas", "0"];
    in_a_browser(&alone, node, &arguments, || stack.elastic().count());
}
