//! What the collectors cost: `cargo run --release -p omphalos-live --example figures [speed|memory|hostile|recall]`.
//!
//! - `speed`: CPU time of a million combined lines through parser and collectors, and of questions.
//! - `memory`: the process after ten million lines, each with a path and a client of its own.
//! - `hostile`: the process after two million lines of which every field is long and its own.
//! - `recall`: the heaviest of a million keys, against all of them counted.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a tool for developers")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::time::Instant;

use omphalos_live::{
    Answer, By, Dimension, Hit, LineReader, Live, Pace, Place, Question, Scope, Settings,
};
use omphalos_parser::{ParserKind, Time};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_795_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted = std::env::args().nth(1);
    let is_wanted = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    if is_wanted("speed") {
        speed()?;
    }
    if is_wanted("recall") {
        recall()?;
    }
    if is_wanted("memory") {
        memory()?;
    }
    if is_wanted("hostile") {
        hostile()?;
    }
    Ok(())
}

/// Numbers without an order, always the same ones.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a random number")]
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Numbers below `weights.len()`, of which the n-th is as frequent as n to the power of `-exponent`.
struct Zipf(Vec<f64>);

impl Zipf {
    #[expect(clippy::cast_precision_loss, reason = "a rank")]
    fn new(keys: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weight = |rank: usize| {
            sum += (rank as f64).powf(-exponent);
            sum
        };
        let mut sums: Vec<f64> = (1..=keys).map(weight).collect();
        for part in &mut sums {
            *part /= sum;
        }
        Self(sums)
    }

    fn next(&self, random: &mut Random) -> usize {
        let share = random.share();
        self.0.partition_point(|sum| *sum < share).min(self.0.len() - 1)
    }
}

/// CPU time of this process, in seconds.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of some minutes")]
fn cpu() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos: u64 = text.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
    nanos as f64 / 1e9
}

/// Lines of the combined format, `a_second` of them each second.
fn combined(count: usize, a_second: usize) -> Vec<String> {
    let mut random = Random(1);
    let (paths, clients) = (Zipf::new(5_000, 1.0), Zipf::new(20_000, 0.8));
    let (agents, referrers) = (Zipf::new(60, 0.8), Zipf::new(300, 1.0));
    let statuses = [500, 404, 302, 304];
    let methods = ["POST", "HEAD"];
    let mut line = |number: usize| {
        let second = number / a_second;
        let (path, client) = (paths.next(&mut random), clients.next(&mut random));
        let status = statuses.get(number * 7 % 10).unwrap_or(&200);
        format!(
            "203.0.{}.{} - {} [18/Nov/2026:11:{:02}:{:02} +0000] \"{} /section{}/items/{path}?page={} HTTP/1.1\" {status} {} \"https://shop.example/page/{}\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36\"",
            client / 250,
            client % 250,
            if number.is_multiple_of(10) { "alice" } else { "-" },
            second / 60 % 60,
            second % 60,
            methods.get(number % 7).unwrap_or(&"GET"),
            path % 20,
            random.below(50),
            random.below(60_000),
            referrers.next(&mut random),
            60 + agents.next(&mut random),
        )
    };
    (0..count).map(&mut line).collect()
}

/// Gives each line to `then`.
fn read(lines: &[String], mut then: impl FnMut(&Hit<'_>)) {
    let place = Place { host: Some(b"web1"), source: Some(b"/log"), dataset: Some(b"access") };
    let mut reader = LineReader::new(&ParserKind::Combined.format());
    for line in lines {
        reader.read(line.as_bytes(), &place, Time::from_seconds(START), &mut then);
    }
}

fn live(settings: Settings) -> Result<Live, Box<dyn std::error::Error>> {
    Ok(Live::new(Settings { pace: Pace::Lines, ..settings })?)
}

fn speed() -> Result<(), Box<dyn std::error::Error>> {
    let lines = combined(1_000_000, 10_000);
    for round in 1..=3 {
        let start = cpu();
        read(&lines, |hit| {
            black_box(hit);
        });
        let parsed = cpu() - start;
        let mut live = live(Settings::default())?;
        let start = cpu();
        read(&lines, |hit| {
            live.take(hit);
        });
        let all = cpu() - start;
        println!(
            "speed {round}: hits {parsed:.3} s, with both collectors {all:.3} s; {:.0} ns a line for the collectors",
            (all - parsed) * 1000.0
        );
        if round == 3 {
            ask(&live);
        }
    }
    Ok(())
}

/// How long questions take: in the middle of nine times, because others use the machine too.
fn ask(live: &Live) {
    let time = |question: &Question| {
        let mut times = [0.0; 9];
        for time in &mut times {
            let start = Instant::now();
            black_box(live.ask(question));
            *time = start.elapsed().as_secs_f64() * 1000.0;
        }
        times.sort_by(f64::total_cmp);
        times.get(4).copied().unwrap_or_default()
    };
    for scope in [Scope::Start, Scope::Window] {
        let mut text = format!("questions {scope:?}:");
        for by in [By::Hits, By::Bytes, By::Latency, By::Clients] {
            let top = |dimension| Question::Top { dimension, by, most: 20, least_hits: 0, scope };
            let most = Dimension::USUAL.map(|dimension| time(&top(dimension)));
            let most = most.into_iter().fold(0.0, f64::max);
            // A text can always be written to.
            write!(text, " {by:?} {most:.2} ms,").unwrap_or_default();
        }
        let summary = time(&Question::Summary { scope });
        let key = live.key_id(b"/section1/items/1");
        let detail = time(&Question::Key { dimension: Dimension::Path, key, lines: 20, scope });
        println!("{text} summary {summary:.2} ms, key {detail:.2} ms");
    }
}

/// A line of a status file, in MiB.
fn status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Ten million lines in as much time as the window has.
fn memory() -> Result<(), Box<dyn std::error::Error>> {
    let mut live = live(Settings::default())?;
    let start = cpu();
    let (mut path, mut client, mut referrer) = (String::new(), String::new(), String::new());
    for number in 0..10_000_000_u64 {
        path.clear();
        client.clear();
        referrer.clear();
        // Texts can always be written to.
        write!(path, "/shop/{}/articles/item-{number}.html", number % 100)?;
        write!(client, "2001:db8:{:x}::{:x}", number >> 16, number & 0xffff)?;
        write!(referrer, "https://www.example.com/search/{number}")?;
        live.take(&Hit {
            time: START * SECOND + i64::try_from(number)? * 30_000,
            path: Some(path.as_bytes()),
            client: Some(client.as_bytes()),
            referrer: Some(referrer.as_bytes()),
            agent: Some(b"curl/8.1"),
            status: Some(if number % 50 == 0 { 500 } else { 200 }),
            bytes: Some(number % 10_000),
            latency: Some(number % 1_000_003 * 1_000),
            method: Some(b"GET"),
            line: path.as_bytes(),
            ..Hit::default()
        });
    }
    let cpu = cpu() - start;
    println!(
        "memory: {} MiB after 10,000,000 lines with three distinct keys each, {cpu:.1} s of CPU",
        status("VmRSS")
    );
    ask(&live);
    println!("memory: {} MiB at the most, questions included", status("VmHWM"));
    Ok(())
}

/// The most that somebody can do who writes all fields of all lines.
fn hostile() -> Result<(), Box<dyn std::error::Error>> {
    let mut live = live(Settings::default())?;
    let start = cpu();
    let mut text = String::new();
    for number in 0..2_000_000_u64 {
        text.clear();
        // A text can always be written to.
        write!(text, "/{number}{}", "x".repeat(300))?;
        let value = Some(text.as_bytes());
        live.take(&Hit {
            time: START * SECOND + i64::try_from(number)? * 150_000,
            path: value,
            client: value,
            user: value,
            referrer: value,
            agent: value,
            method: value,
            virtual_host: value,
            status: u16::try_from(number % 60_000).ok(),
            bytes: Some(number * 7919 % 1_000_003),
            latency: Some(number * 7919 % 1_000_003 * 1_000),
            line: text.as_bytes(),
            ..Hit::default()
        });
    }
    let cpu = cpu() - start;
    println!("hostile: {} MiB after 2,000,000 lines, {cpu:.1} s of CPU", status("VmRSS"));
    ask(&live);
    println!("hostile: {} MiB at the most, questions included", status("VmHWM"));
    Ok(())
}

/// How many of the heaviest 12 are found, and whether all is within the bound.
fn recall() -> Result<(), Box<dyn std::error::Error>> {
    for exponent in [0.8, 1.0, 1.2] {
        let zipf = Zipf::new(1_000_000, exponent);
        let (mut found, mut wanted, mut beyond) = (0, 0, 0);
        for seed in 0..10 {
            let mut random = Random(seed);
            let dimensions = vec![Dimension::Path];
            let mut live = live(Settings { dimensions, ..Settings::default() })?;
            let mut counts: HashMap<usize, u64> = HashMap::new();
            for number in 0..2_000_000_i64 {
                let key = zipf.next(&mut random);
                *counts.entry(key).or_default() += 1;
                let path = format!("/{key}");
                let time = START * SECOND + number * 100_000;
                live.take(&Hit { time, path: Some(path.as_bytes()), ..Hit::default() });
            }
            for scope in [Scope::Start, Scope::Window] {
                let question = Question::Top {
                    dimension: Dimension::Path,
                    by: By::Hits,
                    most: 12,
                    least_hits: 0,
                    scope,
                };
                let Answer::Top(top) = live.ask(&question) else { continue };
                let mut truth: Vec<u64> = counts.values().copied().collect();
                truth.sort_unstable_by(|one, other| other.cmp(one));
                let least = truth.get(11).copied().unwrap_or(0);
                for row in &top.rows {
                    let text = row.key.as_ref().map_or("", |key| &key.text);
                    let key = text.trim_start_matches('/').parse()?;
                    let real = counts.get(&key).copied().unwrap_or(0);
                    wanted += 1;
                    found += usize::from(real >= least);
                    let sum = row.hits;
                    let is_within = sum.value >= real && sum.value - sum.at_most_over <= real;
                    beyond += usize::from(!is_within);
                }
            }
        }
        println!(
            "recall, Zipf {exponent}: {found} of {wanted} of the 12 heaviest; {beyond} beyond the bound"
        );
    }
    Ok(())
}
