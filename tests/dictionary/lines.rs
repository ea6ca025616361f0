//! Lines of the usual formats, drawn at random.

use std::fmt::Write;

use jiff::Timestamp;
use omphalos_tests::generate::Generator;
use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

/// A format of lines.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    /// Combined log format.
    Combined,
    /// W3C extended log format, as of IIS.
    W3c,
    /// Application logs in JSON.
    Json,
    /// Lines without a structure that we know.
    Raw,
}

impl Format {
    /// All of them; access logs twice, because they are most of what is shipped.
    pub const ALL: [Self; 5] = [Self::Combined, Self::Combined, Self::W3c, Self::Json, Self::Raw];
}

const SERVICES: [&str; 8] =
    ["checkout", "payments", "search", "auth", "inventory", "mailer", "gateway", "scheduler"];
const MESSAGES: [&str; 12] = [
    "request completed",
    "request failed",
    "connection refused",
    "connection reset by peer",
    "timeout while waiting for upstream",
    "user logged in",
    "user logged out",
    "cache miss",
    "retrying after error",
    "job started",
    "job finished",
    "could not parse the response",
];
const LEVELS: [&str; 5] = ["info", "info", "warn", "error", "debug"];
const METHODS: [&str; 5] = ["GET", "GET", "POST", "PUT", "DELETE"];

/// The path of a file of this format.
pub fn path(format: Format, host: usize) -> String {
    let service = SERVICES[host % SERVICES.len()];
    match format {
        Format::Combined if host.is_multiple_of(2) => "/var/log/nginx/access.log".to_owned(),
        Format::Combined => format!("/var/log/apache2/{service}_access.log"),
        Format::W3c => format!("/srv/logs/W3SVC{host}/u_ex251122.log"),
        Format::Json => format!("/var/log/{service}/{service}.json"),
        Format::Raw if host.is_multiple_of(2) => "/var/log/syslog".to_owned(),
        Format::Raw => format!("/var/log/{service}.log"),
    }
}

/// So many lines.
pub fn draw(format: Format, lines: usize, random: &mut SmallRng) -> String {
    let mut text = String::new();
    let mut generator = Generator::new(random.random());
    let mut seconds = random.random_range(1_700_000_000..1_800_000_000);
    if let Format::W3c = format {
        text.push_str("#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-bytes time-taken\n");
    }
    for _ in 0..lines {
        seconds += random.random_range(0..3);
        let time = Timestamp::from_second(seconds).expect("in range");
        match format {
            Format::Combined => generator.line(&mut text),
            Format::W3c => w3c(&mut text, time, random),
            Format::Json => json(&mut text, time, random),
            Format::Raw => raw(&mut text, time, random),
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

fn ip(random: &mut SmallRng) -> String {
    let [a, b, c, d] = random.random::<[u8; 4]>();
    format!("{a}.{b}.{c}.{d}")
}

fn pick<'a>(words: &[&'a str], random: &mut SmallRng) -> &'a str {
    words.choose(random).expect("words")
}

fn w3c(text: &mut String, time: Timestamp, random: &mut SmallRng) {
    let (method, service) = (pick(&METHODS, random), pick(&SERVICES, random));
    let (client, id) = (ip(random), random.random_range(1..9999));
    let status = pick(&["200", "200", "304", "404", "500"], random);
    let (bytes, taken) = (random.random_range(100..90_000), random.random_range(1..4000));
    writeln!(
        text,
        "{} 10.0.0.5 {method} /{service}/item/{id} page={id} 443 - {client} Mozilla/5.0+(Windows+NT+10.0;+Win64;+x64)+AppleWebKit/537.36 https://www.example.com/{service} {status} {bytes} {taken}",
        time.strftime("%Y-%m-%d %H:%M:%S")
    )
    .expect("memory");
}

fn json(text: &mut String, time: Timestamp, random: &mut SmallRng) {
    let service = pick(&SERVICES, random);
    let mut line = serde_json::json!({
        "@timestamp": time.to_string(),
        "log.level": pick(&LEVELS, random),
        "message": pick(&MESSAGES, random),
        "service": { "name": service },
        "trace": { "id": format!("{:032x}", random.random::<u128>()) },
        "process": { "pid": random.random_range(100..60_000) },
        "http": { "request": { "method": pick(&METHODS, random) }, "response": { "status_code": 200 } },
        "url": { "path": format!("/api/v1/{service}/{}", random.random_range(1..9999)) },
        "event": { "duration": random.random_range(1_000..900_000_000) },
    });
    if random.random_ratio(1, 4) {
        line["error"] =
            serde_json::json!({ "message": pick(&MESSAGES, random), "type": "IOError" });
    }
    writeln!(text, "{line}").expect("memory");
}

fn raw(text: &mut String, time: Timestamp, random: &mut SmallRng) {
    let (service, message) = (pick(&SERVICES, random), pick(&MESSAGES, random));
    let (pid, client) = (random.random_range(100..60_000), ip(random));
    let stamp = time.strftime("%b %e %H:%M:%S");
    writeln!(text, "{stamp} host {service}[{pid}]: {message} from {client}").expect("memory");
}
