//! What is shown while the log is being written.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use omphalos_tests::Program;

/// What is known at one moment.
#[derive(Clone, Copy, Default)]
pub struct Figures {
    /// Lines written to the log.
    pub written: u64,
    /// Lines confirmed by RabbitMQ; one that is sent again counts again.
    pub confirmed: u64,
    /// Documents in Elasticsearch.
    pub documents: u64,
    /// Documents that Elasticsearch had already.
    pub duplicates: u64,
}

/// A counter of a program, summed over its lives.
pub struct Counter {
    name: &'static str,
    former: u64,
    latest: u64,
}

impl Counter {
    /// The counter of this name.
    pub fn new(name: &'static str) -> Self {
        Self { name, former: 0, latest: 0 }
    }

    /// Asks the program; keeps the last answer while it gives none.
    pub fn read(&mut self, program: &Program) -> u64 {
        let value = program.metric(self.name);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of documents"
        )]
        if value > 0.5 {
            self.latest = value as u64;
        }
        self.former + self.latest
    }

    /// The program begins again at 0.
    pub fn restarted(&mut self) {
        self.former += std::mem::take(&mut self.latest);
    }
}

/// One line that is drawn again and again on a terminal, else a new line now and then.
pub struct Progress {
    is_terminal: bool,
    shown: Option<Instant>,
}

impl Progress {
    /// The first figures are due in a moment: now they are all 0.
    pub fn new() -> Self {
        Self { is_terminal: io::stdout().is_terminal(), shown: Some(Instant::now()) }
    }

    /// Whether it is time to show figures.
    pub fn is_due(&self) -> bool {
        let every = Duration::from_secs(if self.is_terminal { 1 } else { 2 });
        self.shown.is_none_or(|shown| shown.elapsed() >= every)
    }

    /// Shows figures.
    pub fn show(&mut self, figures: &Figures) {
        let text = format!(
            "written {:>7}   confirmed {:>7}   in Elasticsearch {:>7}   refused {:>6}",
            number(figures.written),
            number(figures.confirmed),
            number(figures.documents),
            number(figures.duplicates)
        );
        if self.is_terminal {
            print!("\r{text}\x1b[K");
            // A terminal that is gone shows nothing anyway.
            io::stdout().flush().ok();
        } else {
            println!("{text}");
        }
        self.shown = Some(Instant::now());
    }

    /// Says what happened, above the figures.
    pub fn say(&mut self, text: &str) {
        if self.is_terminal {
            println!("\r{text}\x1b[K");
        } else {
            println!("{text}");
        }
        self.shown = None;
    }

    /// Leaves the last figures where they are.
    pub fn finish(&self) {
        if self.is_terminal {
            println!();
        }
    }
}

/// A number with commas between the thousands.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
