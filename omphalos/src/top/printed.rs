//! Figures as plain text or JSON, for scripts and for terminals that can do nothing.

use std::fmt::Write;

use jiff::Timestamp;
use omphalos_live::alert::{Alert, Event, LeftOut};
use omphalos_live::{Answer, By, Dimension, Quantiles, Question, Row, Scope, Sum, Summary, Top};
use serde::Serialize;

use super::alarms::Told;
use super::figures::{Feed, Figures};
use super::number;
use super::text::{clean, columns};
use crate::search::grouped;

/// What is printed.
pub struct Wanted<'a> {
    /// Which lines.
    pub scope: Scope,
    /// What is counted.
    pub dimension: &'a Dimension,
    /// The order.
    pub by: By,
    /// So many rows.
    pub rows: usize,
}

/// The figures of a moment.
#[derive(Debug, Serialize)]
pub struct Figured {
    summary: Option<Summary>,
    statuses: Option<Top>,
    methods: Option<Top>,
    top: Option<Top>,
    /// Lines that were not understood.
    failures: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
    /// Alerts that are not ok.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alerts: Vec<Alert>,
    /// What was raised and cleared, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Event>,
    /// How many events there were before these.
    #[serde(skip_serializing_if = "is_none")]
    earlier_events: u64,
    /// Lines that no alert counted, because they came too late.
    #[serde(skip_serializing_if = "is_none")]
    late_for_alerts: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// So many events are printed.
const MOST_EVENTS: usize = 10_000;

impl Figured {
    /// Asks for them.
    pub fn ask(figures: &dyn Figures, wanted: &Wanted<'_>) -> Self {
        let summary = match figures.ask(&Question::Summary { scope: wanted.scope }) {
            Answer::Summary(summary) => Some(*summary),
            _ => None,
        };
        let top = |dimension: &Dimension, by, most| {
            let (dimension, scope) = (dimension.clone(), wanted.scope);
            let question = Question::Top { dimension, by, most, least_hits: 0, scope };
            match figures.ask(&question) {
                Answer::Top(top) => Some(top),
                _ => None,
            }
        };
        let statuses = top(&Dimension::Status, By::Hits, 5);
        let methods = top(&Dimension::Method, By::Hits, 5);
        let top = top(wanted.dimension, wanted.by, wanted.rows);
        // Behind the questions: they show how the sources are.
        let Feed { sources, notice } = figures.feed();
        let refused = top.is_none().then(|| figures.count(wanted.dimension.clone()).err());
        let notice = refused.flatten().or(notice);
        let Told { alerts, events, earlier, left_out: LeftOut { late, .. } } =
            figures.alerts(MOST_EVENTS);
        Self {
            alerts,
            events,
            earlier_events: earlier,
            late_for_alerts: late,
            summary,
            statuses,
            methods,
            top,
            failures: sources.iter().map(|source| source.failures).sum(),
            notice,
        }
    }

    /// One line of JSON.
    ///
    /// # Errors
    /// When they cannot be written as JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn has_lines(&self) -> bool {
        self.summary.as_ref().is_some_and(|summary| summary.hits > 0)
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if let Some(summary) = &self.summary {
            write_summary(&mut out, summary, self.failures);
        }
        let rows = [("status", &self.statuses), ("method", &self.methods)];
        for (name, top) in rows {
            if let Some(top) = top.as_ref().filter(|top| !top.rows.is_empty()) {
                let parts: Vec<String> = top.rows.iter().map(brief).collect();
                line(&mut out, name, &parts.join("   "));
            }
        }
        if let Some(notice) = &self.notice {
            line(&mut out, "note", notice);
        }
        if self.late_for_alerts > 0 {
            let lines = grouped(self.late_for_alerts);
            let said = "lines are older than the lines before them, so that no alert counts them: sort what you give, by time, and where it is in several files, into one";
            line(&mut out, "note", &format!("{lines} {said}"));
        }
        if self.earlier_events > 0 {
            let earlier = grouped(self.earlier_events);
            line(&mut out, "note", &format!("{earlier} earlier events are not shown"));
        }
        for event in self.events.iter().rev() {
            let name = if event.change.is_raised() { "raised" } else { "cleared" };
            line(&mut out, name, &format!("{} {}", shown_time(event.at), clean(&event.alert.text)));
        }
        if let Some(top) = self.top.as_ref().filter(|top| !top.rows.is_empty()) {
            out.push('\n');
            write_table(&mut out, top);
        } else if let Some(top) = self.top.as_ref().filter(|_| self.has_lines()) {
            line(&mut out, "note", &format!("no line has a value of {}", top.dimension.name()));
        }
        out
    }
}

fn line(out: &mut String, name: &str, text: &str) {
    // Writing to a string cannot fail.
    writeln!(out, "{name:<9}{}", clean(text)).unwrap_or_default();
}

fn write_summary(out: &mut String, summary: &Summary, failures: u64) {
    if let (Some(from), Some(to)) = (summary.from, summary.to) {
        line(out, "time", &format!("{} to {}", shown_time(from), shown_time(to)));
    }
    let per_second = format!("{} a second", number::rate(summary.rate.hits));
    line(out, "hits", &format!("{} ({per_second})", grouped(summary.hits)));
    line(out, "bytes", &number::bytes(summary.bytes));
    line(out, "clients", &number::about(summary.clients, ABOUT, usize::MAX));
    let share = number::percent(summary.errors, summary.hits);
    line(out, "errors", &format!("{} ({share})", grouped(summary.errors)));
    if let Some(latency) = &summary.latency {
        let Quantiles { p50, p95, p99, max, .. } = latency;
        let [p50, p95, p99, max] = [p50, p95, p99, max].map(|nanos| number::took(*nanos, MICRO));
        line(out, "latency", &format!("half {p50}, 95 % {p95}, 99 % {p99}, at most {max}"));
    }
    let apart = [
        (summary.late, "late"),
        (summary.ahead, "ahead of the clock"),
        (summary.left_out, "left out by the filter"),
        (failures, "not understood"),
    ];
    let apart: Vec<String> = apart
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", grouped(count)))
        .collect();
    if !apart.is_empty() {
        line(out, "lines", &apart.join(", "));
    }
}

fn shown_time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| time.to_string())
}

fn key(row: &Row) -> String {
    let Some(key) = &row.key else { return "?".to_owned() };
    let text = clean(&key.text);
    if key.is_cut { text + "…" } else { text }
}

fn brief(row: &Row) -> String {
    format!("{} {}", key(row), sum(row.hits))
}

/// What stands before a number that may be too large, and what a thousandth of a thousandth is called.
const ABOUT: &str = "≈";
const MICRO: &str = "µ";

fn sum(sum: Sum) -> String {
    number::sum(sum, ABOUT, usize::MAX)
}

const HEADS: [&str; 5] = ["hits", "bytes", "errors", "clients", "95 %"];

fn write_table(out: &mut String, top: &Top) {
    let cells: Vec<[String; 5]> = top.rows.iter().map(cells).collect();
    let mut widths = HEADS.map(columns);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = columns(cell).max(*width);
        }
    }
    let mut write = |cells: &[String; 5], name: &str| {
        for (cell, width) in cells.iter().zip(widths) {
            let blanks = " ".repeat(width.saturating_sub(columns(cell)));
            write!(out, "{blanks}{cell}  ").unwrap_or_default();
        }
        writeln!(out, "{name}").unwrap_or_default();
    };
    write(&HEADS.map(str::to_owned), &clean(top.dimension.name()));
    for (row, cells) in top.rows.iter().zip(&cells) {
        write(cells, &key(row));
    }
}

fn cells(row: &Row) -> [String; 5] {
    let bytes = number::byte_sum(row.bytes, ABOUT);
    let clients = number::about(row.clients, ABOUT, usize::MAX);
    let latency = row.latency.map_or_else(String::new, |latency| number::took(latency.p95, MICRO));
    [sum(row.hits), bytes, sum(row.errors), clients, latency]
}
