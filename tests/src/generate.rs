//! Lines of an access log, drawn from a seed: thousands of paths and clients, several user agents
//! and referrers, about 210 bytes a line.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

const CLIENTS: usize = 5_000;
const PATHS: usize = 4_000;
const REFERRERS: usize = 200;

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
    "curl/8.5.0",
];

const WORDS: [&str; 24] = [
    "shop", "item", "cart", "search", "static", "img", "css", "api", "v1", "v2", "user", "login",
    "orders", "list", "detail", "news", "blog", "post", "archive", "feed", "admin", "help", "docs",
    "download",
];

/// Draws lines.
pub struct Generator {
    random: SmallRng,
    clients: Vec<String>,
    paths: Vec<String>,
    referrers: Vec<String>,
    seconds: i64,
    time: String,
}

impl Generator {
    /// The lines of this seed, beginning now, a hundred or so a second.
    pub fn new(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let clients = (0..CLIENTS).map(|_| client(&mut random)).collect();
        let paths: Vec<String> = (0..PATHS).map(|_| path(&mut random)).collect();
        let referrers = (0..REFERRERS)
            .map(|_| {
                format!("https://www.example.com{}", paths.choose(&mut random).expect("paths"))
            })
            .collect();
        let seconds = Timestamp::now().as_second() - 3600;
        Self { random, clients, paths, referrers, seconds, time: clf_time(seconds) }
    }

    /// Appends a line.
    pub fn line(&mut self, text: &mut String) {
        self.write_line(text, None);
    }

    /// Appends a line with `?n=NUMBER` for its query, so that it can be found again.
    pub fn numbered_line(&mut self, text: &mut String, number: u64) {
        self.write_line(text, Some(number));
    }

    fn write_line(&mut self, text: &mut String, number: Option<u64>) {
        let random = &mut self.random;
        if random.random_ratio(1, 100) {
            self.seconds += 1;
            self.time = clf_time(self.seconds);
        }
        let client = self.clients.choose(random).expect("clients");
        let path = self.paths.choose(random).expect("paths");
        let query = match number {
            Some(number) => format!("?n={number:08}"),
            None if random.random_ratio(1, 4) => format!("?page={}", random.random_range(1..500)),
            None => String::new(),
        };
        let user = if random.random_ratio(1, 20) { "alice" } else { "-" };
        let method =
            ["GET", "GET", "GET", "GET", "GET", "HEAD", "POST"].choose(random).expect("methods");
        let status =
            [200, 200, 200, 200, 200, 200, 301, 304, 404, 500].choose(random).expect("statuses");
        let size = random.random_range(0..60_000);
        let has_referrer = random.random_ratio(1, 2);
        let referrer = self.referrers.choose(random).filter(|_| has_referrer);
        let referrer = referrer.map_or("-", String::as_str);
        let agent = AGENTS.choose(random).expect("agents");
        writeln!(
            text,
            "{client} - {user} [{}] \"{method} {path}{query} HTTP/1.1\" {status} {size} \"{referrer}\" \"{agent}\"",
            self.time
        )
        .expect("strings can be written to");
    }
}

/// Appends a line without any time, with this number.
pub fn untimed_line(text: &mut String, number: u64) {
    writeln!(text, "n={number:08} volume {} is backed up", number % 97).expect("text");
}

fn client(random: &mut SmallRng) -> String {
    let mut part = || random.random_range(1..255);
    format!("{}.{}.{}.{}", part(), part(), part(), part())
}

fn path(random: &mut SmallRng) -> String {
    let parts = random.random_range(1..4);
    let mut path = String::new();
    for _ in 0..parts {
        path.push('/');
        path.push_str(WORDS.choose(random).expect("words"));
    }
    write!(path, "/{}", random.random_range(0..10_000)).expect("strings can be written to");
    path.push_str(["", "", ".html", ".js", ".png"].choose(random).expect("endings"));
    path
}

/// A time as the Common Log Format writes it.
pub fn clf_time(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds).expect("a time").to_zoned_datetime(TimeZone::UTC);
    time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}
