//! The summary on the terminal: redrawn in place, or a line now and then where that is no terminal.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use omphalos_common::tell;

use super::figures::Figures;
use super::traffic::Happening;
use crate::search::grouped;

const HEAD: Style = Style::new().bold();
const QUIET: Style = Style::new().dimmed();
const CLASSES: [(&str, AnsiColor); 4] = [
    ("2xx", AnsiColor::Green),
    ("3xx", AnsiColor::Cyan),
    ("4xx", AnsiColor::Yellow),
    ("5xx", AnsiColor::Red),
];
/// Between two lines where there is no terminal.
const CALM: Duration = Duration::from_secs(5);

/// All that is shown.
pub struct Scene {
    /// Since the beginning.
    pub elapsed: Duration,
    /// Lines written.
    pub written: u64,
    /// Lines written a second, lately.
    pub rate: u64,
    /// Lines written whose document is not acknowledged.
    pub waiting: u64,
    /// What the store answered.
    pub figures: Figures,
    /// Bytes of memory now and at most.
    pub memory: (u64, u64),
}

/// The summary.
pub struct View {
    bar: ProgressBar,
    colour: bool,
    said: Option<Duration>,
}

impl View {
    /// On standard error.
    pub fn new(colour: bool) -> Self {
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Self { bar, colour, said: None }
    }

    /// Shows how things are.
    pub fn show(&mut self, scene: &Scene) {
        if !self.bar.is_hidden() {
            self.bar.set_message(self.block(scene));
            self.bar.tick();
        } else if self.said.is_none_or(|said| scene.elapsed >= said + CALM) {
            self.said = Some(scene.elapsed);
            tell!("{}", plain(scene));
        }
    }

    /// Takes the summary away, for what is said last.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn block(&self, scene: &Scene) -> String {
        let name = |text: &str| self.painted(QUIET, &format!("{text:<10}"));
        let seconds = scene.elapsed.as_secs();
        let happening = Happening::at(scene.elapsed);
        let style = match happening {
            Happening::Usual => QUIET,
            _ => AnsiColor::Yellow.on_default().bold(),
        };
        let time = self.painted(HEAD, &format!("{:02}:{:02}", seconds / 60, seconds % 60));
        let mut lines = vec![
            String::new(),
            format!("  {time}  {}", self.painted(style, happening.shown())),
            String::new(),
            format!(
                "  {}{} lines, {} a second",
                name("written"),
                grouped(scene.written),
                grouped(scene.rate)
            ),
            format!(
                "  {}{} documents; {} lines on their way ({})",
                name("stored"),
                grouped(scene.figures.documents),
                grouped(scene.waiting),
                lag(scene)
            ),
            format!(
                "  {}{} (at most {})",
                name("memory"),
                HumanBytes(scene.memory.0),
                HumanBytes(scene.memory.1)
            ),
            format!("  {}{}", name("status"), self.classes(scene.figures.classes)),
        ];
        for (number, (path, count)) in scene.figures.paths.iter().enumerate() {
            let label = if number == 0 { "paths" } else { "" };
            lines.push(format!("  {}{:>7}  {path}", name(label), grouped(*count)));
        }
        lines.push(String::new());
        lines.push(
            self.painted(QUIET, "  Status and paths are of the last minute. Ctrl-C ends it."),
        );
        lines.join("\n")
    }

    fn classes(&self, classes: [u64; 4]) -> String {
        let shares = shares(classes);
        let parts = CLASSES.iter().zip(shares).map(|((name, colour), share)| {
            self.painted(colour.on_default(), &format!("{name} {share:>3} %"))
        });
        parts.collect::<Vec<_>>().join("   ")
    }

    fn painted(&self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// How far behind, in time at the present rate.
fn lag(scene: &Scene) -> String {
    if scene.rate == 0 {
        return "…".to_owned();
    }
    let tenths = scene.waiting * 10 / scene.rate;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

fn shares(classes: [u64; 4]) -> [u64; 4] {
    let all = classes.iter().sum::<u64>().max(1);
    classes.map(|count| (count * 100 + all / 2) / all)
}

fn plain(scene: &Scene) -> String {
    let shares = shares(scene.figures.classes);
    let classes = CLASSES.iter().zip(shares).map(|((name, _), share)| format!("{name} {share} %"));
    format!(
        "{:>4} s  {} lines written, {} a second; {} documents, lag {}; {}; memory {}; {}",
        scene.elapsed.as_secs(),
        grouped(scene.written),
        grouped(scene.rate),
        grouped(scene.figures.documents),
        lag(scene),
        classes.collect::<Vec<_>>().join(" "),
        HumanBytes(scene.memory.0),
        Happening::at(scene.elapsed).shown()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_at_a_glance() {
        let scene = Scene {
            elapsed: Duration::from_secs(16),
            written: 12_345,
            rate: 500,
            waiting: 250,
            figures: Figures {
                documents: 12_095,
                classes: [75, 10, 10, 5],
                paths: vec![("/".to_owned(), 7)],
            },
            memory: (64 << 20, 65 << 20),
        };
        assert_eq!(
            plain(&scene),
            "  16 s  12,345 lines written, 500 a second; 12,095 documents, lag 0.5 s; 2xx 75 % 3xx 10 % 4xx 10 % 5xx 5 %; memory 64.00 MiB; burst: /blog/we-are-in-the-news is in the news"
        );
        let block = View::new(false).block(&scene);
        assert!(block.contains("00:16  burst:"), "{block}");
        assert!(
            block.contains("stored    12,095 documents; 250 lines on their way (0.5 s)"),
            "{block}"
        );
    }
}
