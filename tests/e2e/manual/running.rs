//! The commands of the manual, run as they stand there: a command that is read without complaint may
//! still not do what the page says. Those that need other servers are left out; paths and addresses are
//! replaced by those of a scene of our own.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use omphalos_tests::free_port;
use omphalos_tests::program::binary;

use super::pages;
use crate::run::Alone;

const PROGRAMS: [&str; 3] = ["omphalos", "omphalos-shipper", "omphalos-indexer"];

/// Each with its page: what is written over several lines joined, without comments, and with what our
/// machine may not have cut off.
fn commands() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (page, text) in pages() {
        let text = text.replace("\\\n", " ");
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("    "));
        while let Some(line) = lines.next() {
            let line =
                line.trim_start().trim_start_matches("$ ").trim_start_matches("target/quick/");
            let is_ours = PROGRAMS
                .iter()
                .chain(&["curl"])
                .any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
            if !is_ours {
                continue;
            }
            let mut command = line.to_owned();
            while command.matches('\'').count() % 2 == 1 {
                command.push('\n');
                command.push_str(lines.next().expect("the other quotation mark"));
            }
            let command = command.split(" # ").next().unwrap_or_default();
            let command = command.split(" | jq").next().unwrap_or_default();
            found.push((page.clone(), command.trim().to_owned()));
        }
    }
    found
}

/// Whether a command needs nothing but files and a store.
fn is_runnable(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let has = |word: &str| words.contains(&word);
    // What reads standard input stands behind what gives it.
    if command.contains("amqp") || command.contains('…') || command.ends_with(" -") {
        return false;
    }
    match (words.first().copied(), words.get(1).copied()) {
        // Here is no pod whose lines could be found.
        (Some("omphalos"), Some("search")) => !command.contains("kubernetes."),
        (Some("omphalos"), Some("import" | "parse")) => true,
        // Without these it draws on a terminal.
        (Some("omphalos"), Some("top")) => has("--once") || has("--json"),
        (Some("omphalos"), Some("dead")) => has("--config"),
        // What changes something needs what is there to be changed.
        (Some("curl"), _) => !has("DELETE") && !has("POST") || command.contains("_search"),
        _ => false,
    }
}

struct Scene {
    alone: Alone,
    shell: String,
    /// Where the page is.
    page: String,
}

impl Scene {
    /// A host with access logs of the last minutes, and settings as the manual has them.
    fn new() -> Self {
        let alone = Alone::new();
        let root = alone.directory.path();
        for directory in ["log/nginx", "log/app", "etc"] {
            fs::create_dir_all(root.join(directory)).expect("a directory");
        }
        let now = Timestamp::now();
        let lines: Vec<String> = (0..60)
            .map(|number| {
                let time = now - Duration::from_secs(60 - number);
                let time = time.to_zoned_datetime(TimeZone::UTC).strftime("%d/%b/%Y:%H:%M:%S %z");
                let (request, status) = match number % 4 {
                    0 => ("GET /api/items/7", 500),
                    1 => ("POST /login", 200),
                    2 => ("POST /api/checkout", 201),
                    _ => ("GET /health", 200),
                };
                format!(
                    "198.51.100.{number} - - [{time}] \"{request} HTTP/1.1\" {status} 512 \"-\" \"curl/8\"\n"
                )
            })
            .collect();
        for name in ["access.log", "access.log.1", "log/nginx/access.log", "log/nginx/access.log.1"]
        {
            fs::write(root.join(name), lines.concat()).expect("a log");
        }
        let archive = fs::File::create(root.join("log/app/app.log.3.gz")).expect("a file");
        let mut archive = flate2::write::GzEncoder::new(archive, flate2::Compression::fast());
        std::io::Write::write_all(&mut archive, b"{\"message\":\"a\"}\n").expect("written");
        archive.finish().expect("finished");
        for name in ["omphalos.toml", "etc/shipper.toml"] {
            let state = root.join("state");
            let settings = format!(
                "state_dir = {:?}\n[[monitor]]\npaths = [{:?}]\nparser = \"json\"\n",
                state.display().to_string(),
                root.join("log/app/*").display().to_string()
            );
            fs::write(root.join(name), settings).expect("settings");
        }
        let programs = PROGRAMS.map(|name| {
            format!("{name}() {{ timeout $patience {} \"$@\"; }}\n", binary(name).display())
        });
        let shell = format!(
            "set -o pipefail\nexport OMPHALOS_STORE_LISTEN={} OMPHALOS_STATE_DIR={}\n{}",
            alone.url.trim_start_matches("http://"),
            root.join("state").display(),
            programs.concat()
        );
        Self { alone, shell, page: format!("127.0.0.1:{}", free_port()) }
    }

    fn placed(&self, command: &str) -> String {
        let root = self.alone.directory.path().display();
        let address = self.alone.url.trim_start_matches("http://");
        command
            .replace("/var/log", &format!("{root}/log"))
            .replace("/var/lib/omphalos", &format!("{root}/state"))
            .replace("/etc/omphalos", &format!("{root}/etc"))
            .replace("127.0.0.1:9200", address)
            .replace("localhost:9200", address)
            .replace("127.0.0.1:9180", &self.page)
            .replace("curl ", "curl --silent --show-error --fail ")
    }

    fn run(&self, command: &str) -> Output {
        // What goes on for ever shows in a moment what it prints.
        let (patience, end) =
            if command.contains("--follow") { (1, "[ $? = 124 ]") } else { (10, "") };
        let script = format!("patience={patience}\n{}{}\n{end}", self.shell, self.placed(command));
        let bash = Command::new("bash")
            .args(["-c", &script])
            .current_dir(self.alone.directory.path())
            .output();
        bash.expect("bash")
    }
}

#[test]
fn every_command_of_the_manual_that_needs_no_server_does_something() {
    let scene = Scene::new();
    let commands = commands();
    let (_, run) = commands
        .iter()
        .find(|(_, command)| command.starts_with("omphalos run /"))
        .expect("the command with which everything begins");
    let words = scene.placed(run);
    let words = words.split_whitespace().skip(2);
    let running = scene.alone.omphalos("run").args(words);
    let mut running = running.option("--page-listen", &scene.page).start();
    scene.alone.elastic().wait_for_count(60);
    let mut ran = 0;
    for (page, command) in commands.iter().filter(|(_, command)| is_runnable(command)) {
        let output = scene.run(command);
        let [said, told] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        assert!(output.status.success(), "{page}: {command}\n{said}{told}");
        assert!(!said.is_empty() || !told.is_empty(), "{page}: {command} says nothing");
        ran += 1;
    }
    assert!(ran >= 20, "{ran} commands were run");
    assert_eq!(running.terminate(), Some(0));
}
