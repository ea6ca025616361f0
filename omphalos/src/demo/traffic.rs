//! The traffic of a small web shop that never was: a day in two minutes, and what goes wrong on it.
//! The same seed makes the same lines but for their times.

use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// How long a day of the shop takes.
const DAY: f64 = 120.0;
/// Lines a second at the quietest and at the busiest time.
const QUIET: f64 = 150.0;
const BUSY: f64 = 600.0;

/// What happens, and when in each day, in seconds: from, to.
const STORY: [(Happening, f64, f64); 4] = [
    (Happening::Burst, 15.0, 24.0),
    (Happening::Attack, 38.0, 50.0),
    (Happening::Deploy, 64.0, 67.0),
    (Happening::Outage, 86.0, 96.0),
];

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
];
const PAGES: [&str; 8] =
    ["/", "/shop", "/shop/new", "/blog", "/about", "/contact", "/help", "/shop/sale"];
const WANTED_BY_ATTACKERS: [&str; 6] =
    ["/wp-login.php", "/.env", "/admin/login", "/phpmyadmin/", "/api/v1/login", "/.git/config"];

/// What happens beside the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// Nothing unusual.
    Usual,
    /// A page is in the news.
    Burst,
    /// Somebody tries doors.
    Attack,
    /// A new version is put in place.
    Deploy,
    /// The payment service is gone.
    Outage,
}

impl Happening {
    /// What happens so long after the beginning.
    pub fn at(elapsed: Duration) -> Self {
        let second = elapsed.as_secs_f64() % DAY;
        let now = STORY.iter().find(|(_, from, to)| (*from..*to).contains(&second));
        now.map_or(Self::Usual, |(happening, ..)| *happening)
    }

    /// What is said of it on the screen.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Usual => "visitors come and go",
            Self::Burst => "burst: /blog/we-are-in-the-news is in the news",
            Self::Attack => "attack: 198.51.100.0/24 tries doors",
            Self::Deploy => "deploy: the servers restart, 502 meanwhile",
            Self::Outage => "outage: the payment service is gone, /api/checkout fails",
        }
    }
}

/// Lines a second, so long after the beginning.
pub fn rate(elapsed: Duration) -> f64 {
    let angle = elapsed.as_secs_f64() / DAY * std::f64::consts::TAU;
    let usual = QUIET + (BUSY - QUIET) * (1.0 - (angle + 1.0).cos()) / 2.0;
    match Happening::at(elapsed) {
        Happening::Burst => usual * 2.5,
        Happening::Attack => usual + 400.0,
        Happening::Usual | Happening::Deploy | Happening::Outage => usual,
    }
}

/// One request.
struct Request {
    client: String,
    method: &'static str,
    target: String,
    status: u16,
    bytes: u32,
    agent: &'static str,
}

/// Draws lines.
pub struct Traffic {
    random: SmallRng,
    deploys: u32,
    before: Happening,
}

impl Traffic {
    /// The traffic of a seed.
    pub fn new(seed: u64) -> Self {
        let random = SmallRng::seed_from_u64(seed);
        Self { random, deploys: 0, before: Happening::Usual }
    }

    /// Appends a line of the combined format, so long after the beginning, dated `now`.
    pub fn line(&mut self, text: &mut String, elapsed: Duration, now: Timestamp) {
        let happening = Happening::at(elapsed);
        if happening == Happening::Deploy && self.before != Happening::Deploy {
            self.deploys += 1;
        }
        self.before = happening;
        let Request { client, method, target, status, bytes, agent } = self.request(happening);
        let time = now.strftime("%d/%b/%Y:%H:%M:%S +0000");
        for part in [&client, " - - [", &time.to_string(), "] \"", method, " ", &target] {
            text.push_str(part);
        }
        let end = format!(" HTTP/1.1\" {status} {bytes} \"-\" \"{agent}\"\n");
        text.push_str(&end);
    }

    fn request(&mut self, happening: Happening) -> Request {
        match happening {
            Happening::Attack if self.random.random_ratio(2, 5) => self.attack(),
            Happening::Burst if self.random.random_ratio(3, 5) => {
                self.visit("GET", "/blog/we-are-in-the-news".to_owned(), 200)
            }
            Happening::Deploy if self.random.random_ratio(1, 2) => {
                let page = self.page();
                self.visit("GET", page, 502)
            }
            _ => self.usual(happening),
        }
    }

    fn attack(&mut self) -> Request {
        let target = WANTED_BY_ATTACKERS.choose(&mut self.random).copied().unwrap_or("/");
        let status = *[401, 403, 404, 404].choose(&mut self.random).unwrap_or(&404);
        Request {
            client: format!("198.51.100.{}", self.random.random_range(1..255)),
            method: if target.contains("login") { "POST" } else { "GET" },
            target: target.to_owned(),
            status,
            bytes: self.random.random_range(150..600),
            agent: "python-requests/2.32.3",
        }
    }

    fn usual(&mut self, happening: Happening) -> Request {
        match self.random.random_range(0..100) {
            0..30 => {
                let page = self.page();
                self.visit("GET", page, 200)
            }
            30..55 => {
                let version = self.deploys + 1;
                let file = ["app.js", "app.css", "logo.svg"].choose(&mut self.random);
                let target = format!("/static/1.{version}/{}", file.unwrap_or(&"app.js"));
                let status = if self.random.random_ratio(1, 3) { 304 } else { 200 };
                self.visit("GET", target, status)
            }
            55..75 => {
                let item = self.random.random_range(1..400);
                self.visit("GET", format!("/api/items/{item}"), 200)
            }
            75..85 => {
                let word = ["shoes", "lamp", "tea", "chair", "book"].choose(&mut self.random);
                self.visit("GET", format!("/search?q={}", word.unwrap_or(&"tea")), 200)
            }
            85..92 => self.visit("POST", "/api/cart".to_owned(), 201),
            92..96 => {
                let is_broken = happening == Happening::Outage;
                let failure = if self.random.random_ratio(1, 4) { 504 } else { 503 };
                let status = if is_broken { failure } else { 200 };
                self.visit("POST", "/api/checkout".to_owned(), status)
            }
            96..99 => {
                let old = self.random.random_range(1..90);
                self.visit("GET", format!("/old/{old}.html"), 404)
            }
            _ => {
                let item = self.random.random_range(1..400);
                self.visit("GET", format!("/api/items/{item}/reviews"), 500)
            }
        }
    }

    fn page(&mut self) -> String {
        PAGES.choose(&mut self.random).copied().unwrap_or("/").to_owned()
    }

    fn visit(&mut self, method: &'static str, target: String, status: u16) -> Request {
        let random = &mut self.random;
        let bytes = match status {
            304 => 0,
            200 => random.random_range(400..60_000),
            _ => random.random_range(120..900),
        };
        let part = |random: &mut SmallRng| random.random_range(1..255u8);
        Request {
            client: format!("203.0.{}.{}", part(random) % 114, part(random)),
            method,
            target,
            status,
            bytes,
            agent: AGENTS.choose(random).copied().unwrap_or("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seed: u64, at: u64) -> String {
        let mut traffic = Traffic::new(seed);
        let mut text = String::new();
        for _ in 0..1000 {
            traffic.line(&mut text, Duration::from_secs(at), Timestamp::UNIX_EPOCH);
        }
        text
    }

    #[test]
    fn a_seed_makes_the_same_lines_again() {
        assert_eq!(lines(7, 1), lines(7, 1));
        assert_ne!(lines(7, 1), lines(8, 1));
    }

    #[test]
    fn what_happens_is_in_the_lines() {
        assert!(lines(7, 40).matches("198.51.100.").count() > 200);
        assert!(lines(7, 65).matches("\" 502 ").count() > 200);
        assert!(lines(7, 90).contains("POST /api/checkout HTTP/1.1\" 503"));
        assert!(lines(7, 20).matches("/blog/we-are-in-the-news").count() > 400);
        assert_eq!(lines(7, 1).matches("\" 503 ").count(), 0);
        assert!(rate(Duration::from_secs(20)) > 2.0 * rate(Duration::from_secs(14)));
    }
}
