//! Settings files with every setting in them, explained and commented out: what a package puts into
//! `/etc/omphalos`. As it stands, a file says where the service has its state, and nothing else that is
//! not the default.

use omphalos_common::config::{Kind, Setting};

/// So long is a line at most, where its words allow.
const WIDTH: usize = 100;
/// Tables that say something, or are refused, where they are empty.
const NEVER_EMPTY: [&str; 3] = ["store", "spool", "dead_letters"];

/// A file of settings.
#[derive(Debug)]
pub struct SettingsFile {
    /// What it is called in `/etc/omphalos`.
    pub name: &'static str,
    /// The package that has it.
    pub package: &'static str,
    /// The settings that may stand in it.
    pub settings: Vec<Setting>,
    about: &'static str,
}

const SHIPPER: &str = r#"Settings of omphalos-shipper, which reads log files and ships their lines.
The least that it has to be told is what to read, and where the broker is (the # taken away):

[[monitor]]
paths = ["/var/log/nginx/*access.log"]

[amqp]
url = ["amqp://shipper:secret@mq1.example.com:5672/%2f"]
"#;

const INDEXER: &str = r#"Settings of omphalos-indexer, which writes what shippers send to Elasticsearch.
The least that it has to be told is where servers are that are not on this machine (the # taken away):

[amqp]
url = ["amqp://indexer:secret@mq1.example.com:5672/%2f"]

[elasticsearch]
url = ["http://es1.example.com:9200"]
"#;

const RELAY: &str = r#"Settings of omphalos-relay, which publishes what shippers send over UDP to RabbitMQ.
The least that it has to be told is where it listens, and where the broker is (the # taken away):

[[receive]]
kind = "udp"
listen = "192.0.2.1:5140"

[amqp]
url = ["amqp://relay:secret@mq1.example.com:5672/%2f"]
"#;

const RUN: &str = r#"Settings of omphalos-run, which reads log files and keeps their lines in a store of its own.
The least that it has to be told is what to read (the # taken away):

[[monitor]]
paths = ["/var/log/nginx/*access.log"]

Rules of alerts and who is told of them can stand here as well: omphalos watch --help.
"#;

/// The files of all packages.
pub fn settings_files() -> [SettingsFile; 4] {
    let indexer = omphalos_indexer::config::all_settings();
    let mut relay = indexer.clone();
    relay.retain(|row| !row.key.contains('.') || ["receive", "spool", "amqp"].contains(&row.top()));
    [
        SettingsFile {
            name: "shipper.toml",
            package: "omphalos-shipper",
            settings: omphalos_shipper::config::all_settings(),
            about: SHIPPER,
        },
        SettingsFile {
            name: "indexer.toml",
            package: "omphalos-indexer",
            settings: indexer,
            about: INDEXER,
        },
        SettingsFile {
            name: "relay.toml",
            package: "omphalos-indexer",
            settings: relay,
            about: RELAY,
        },
        SettingsFile {
            name: "run.toml",
            package: "omphalos",
            settings: omphalos::run::all_settings(),
            about: RUN,
        },
    ]
}

impl SettingsFile {
    /// What it says of the state: what the service is told by a flag, so that other commands that are
    /// given the file find the same.
    pub fn state_line(&self) -> String {
        let service = self.name.trim_end_matches(".toml");
        format!("state_dir = \"/var/lib/omphalos-{service}\"")
    }

    /// What is in it.
    pub fn text(&self) -> String {
        let mut text =
            format!("#:schema file:///usr/share/{}/omphalos.schema.json\n", self.package);
        for line in self.about.lines() {
            comment(&mut text, line);
        }
        comment(&mut text, "");
        comment(
            &mut text,
            "Below is every setting: what it means, then its name and its default. Take the # before the name away to change it, and the one before its [table], where there is one. A table in [[double brackets]] may be there several times.",
        );
        let mut table = "";
        for setting in &self.settings {
            text.push('\n');
            let (within, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
            if within != table {
                table = within;
                text.push_str(&header(setting));
                text.push('\n');
            }
            comment(&mut text, setting.help);
            if let Kind::Choice(words) = setting.kind {
                comment(&mut text, &format!("One of {}.", words.join(", ")));
            }
            let line = match name {
                "state_dir" => self.state_line(),
                _ => format!("#{name} = {}", value(setting)),
            };
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// How the table of a setting begins.
fn header(setting: &Setting) -> String {
    match setting.top() {
        table if setting.is_repeated() => format!("#[[{table}]]\n"),
        table if NEVER_EMPTY.contains(&table) => format!("#[{table}]\n"),
        table => format!("[{table}]\n"),
    }
}

/// The default, as TOML; nothing where there is none.
fn value(setting: &Setting) -> String {
    let default = setting.default;
    let quoted = |text: &str| format!("\"{text}\"");
    match setting.kind {
        _ if default.is_empty() => String::new(),
        Kind::Integer | Kind::Switch => default.to_owned(),
        Kind::List => {
            format!("[{}]", default.split(',').map(quoted).collect::<Vec<_>>().join(", "))
        }
        _ => quoted(default),
    }
}

/// Adds a text as lines of comments.
fn comment(text: &mut String, said: &str) {
    let mut line = String::from("#");
    for word in said.split(' ').filter(|word| !word.is_empty()) {
        if line.len() + word.len() >= WIDTH && line != "#" {
            text.push_str(&line);
            text.push('\n');
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
