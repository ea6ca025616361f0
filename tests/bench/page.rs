//! The page and its REST API: how soon a browser shows figures, what watching costs, how soon the overview of
//! many documents is answered.
//!
//! `OMPHALOS_PAGE_DOCUMENTS` and `OMPHALOS_PAGE_MINUTES` make it smaller than the ten million documents and ten
//! minutes that it takes otherwise, which need half an hour and 3 GB below `target/bench`. What happens in a
//! browser is driven by `web/test/measure.mjs`; without Chromium and Node, that is left out, and said.

mod live;
mod stored;
mod watchers;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use omphalos_tests::{Program, free_port, repository};
use reqwest::blocking::Client;
use serde_json::Value;

use crate::table::Table;

/// What the page asks for at once.
const OVERVIEW: &str = "top=section,path,client,status,agent,referrer&by=hits&n=8";

/// Measures all of it.
pub fn measure(directory: &Path, table: &mut Table) {
    let scene = Scene::start(directory);
    first_load(&scene, table);
    scene.write(20_000, "/first");
    paint(&scene, table);
    watchers::measure(&scene, table);
    drop(scene);
    live::measure(directory, table);
    stored::measure(directory, table);
}

/// A number that somebody may make smaller.
fn wanted(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A process with a page, and the log that it reads.
struct Scene {
    log: PathBuf,
    process: Program,
    /// Where the page is.
    page: String,
    /// Where the store is.
    store: String,
}

impl Scene {
    fn start(directory: &Path) -> Self {
        let place = directory.join("page");
        fs::remove_dir_all(&place).ok();
        fs::create_dir_all(&place).expect("a directory");
        let log = place.join("access.log");
        File::create(&log).expect("a log");
        let store = format!("127.0.0.1:{}", free_port());
        let process = Program::new("omphalos", &place.join("run.out"))
            .args(["run", "--parser", "combined", "--page-listen", "127.0.0.1:0"])
            .option("--store-listen", &store)
            .option("--state-dir", place.join("state").display())
            .arg(log.display())
            .start();
        process.wait_for_log("answers at");
        let said = process.log();
        let page = said.split("the page is at ").nth(1).and_then(|text| text.split('/').nth(2));
        let page = format!("http://{}", page.expect("an address"));
        Self { log, process, page, store: format!("http://{store}") }
    }

    /// Appends lines of now with different paths below `section`.
    fn write(&self, lines: u64, section: &str) {
        let mut log = File::options().append(true).open(&self.log).expect("the log");
        let now = jiff::Timestamp::now().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
        let line = |number: u64| {
            let (host, status) = (number % 251, if number.is_multiple_of(40) { 503 } else { 200 });
            format!(
                "10.0.{}.{host} - - [{now}] \"GET {section}/{}?n={number} HTTP/1.1\" {status} {} \"-\" \"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0\"\n",
                number % 17,
                number % 1009,
                number % 40_000
            )
        };
        let text: String = (0..lines).map(line).collect();
        log.write_all(text.as_bytes()).expect("written");
    }

    /// The answer of the REST API.
    fn ask(&self, path: &str) -> Value {
        let answer = Client::new().get(format!("{}/api/v1/{path}", self.page)).send();
        let text = answer.and_then(reqwest::blocking::Response::text).expect("an answer");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// What a browser loads before it shows anything, as it is sent.
fn first_load(scene: &Scene, table: &mut Table) {
    let client = Client::builder().no_gzip().build().expect("a client");
    let bytes = |path: &&str| {
        let request = client.get(format!("{}{path}", scene.page)).header("accept-encoding", "gzip");
        request.send().and_then(reqwest::blocking::Response::bytes).expect("a body").len()
    };
    let sum: usize = ["/", "/page.js", "/page.css", "/icon.svg"].iter().map(bytes).sum();
    let kib = format!("{:.1} KiB", sum as f64 / 1024.0);
    table.row("the page: first load, compressed", &kib, "≤ 80 KiB", "HTML, code, style and icon");
}

/// How soon a browser that knows nothing of the page shows figures.
fn paint(scene: &Scene, table: &mut Table) {
    let Some(times) = browser(&["paint", &scene.page]) else { return };
    let mut times: Vec<f64> =
        times["milliseconds"].as_array().expect("times").iter().filter_map(Value::as_f64).collect();
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let (least, most) = (times[0], times[times.len() - 1]);
    table.row(
        "the page: first paint with figures, nothing in the browser's cache, p50",
        &format!("{median:.0} ms"),
        "≤ 300 ms",
        &format!(
            "{} times: {least:.0} to {most:.0} ms, load {}",
            times.len(),
            crate::measure::load()
        ),
    );
}

/// What `web/test/measure.mjs` says; nothing where it cannot run.
fn browser(arguments: &[&str]) -> Option<Value> {
    let web = repository().join("web");
    if !web.join("node_modules/playwright-core").exists() {
        let mut fetch = Command::new("npm");
        fetch.args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&web);
        fetch.status().ok();
    }
    let run = Command::new("node").arg(web.join("test/measure.mjs")).args(arguments).output();
    match run {
        Ok(done) if done.status.success() => serde_json::from_slice(&done.stdout).ok(),
        Ok(done) => {
            println!("not measured in a browser: {}", String::from_utf8_lossy(&done.stderr));
            None
        }
        Err(error) => {
            println!("not measured in a browser: node: {error}");
            None
        }
    }
}
