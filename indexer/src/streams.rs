//! `omphalos-indexer streams`: the account of what came over UDP, and what did not.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use omphalos_common::clean::clean;
use omphalos_common::config::ConfigError;
use omphalos_common::printed::{Form, printed};
use omphalos_transport::udp::{Ledger, LedgerFile, StreamAccount, Totals};

/// Prints the ledger in the state directory, which a running process saves every second.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn print(state_dir: &Path, as_json: bool) -> anyhow::Result<()> {
    let file = LedgerFile::new(state_dir);
    let ledger = file.load().map_err(|error| ConfigError::invalid(error.to_string()))?;
    let ledger = ledger.ok_or_else(|| {
        ConfigError::invalid(format!(
            "{} is not there: nothing has been received over UDP yet, or state_dir is another directory",
            file.path().display()
        ))
    })?;
    if as_json {
        let text = serde_json::to_string_pretty(&ledger);
        let text = text.map_err(|error| ConfigError::invalid(error.to_string()))?;
        writeln!(printed(Form::Json), "{text}")?;
    } else {
        printed(Form::Plain).write_all(table(&ledger).as_bytes())?;
    }
    Ok(())
}

/// The columns of counts.
const COLUMNS: [&str; 9] =
    ["RECEIVED", "REPAIRED", "LATE", "REPEATED", "MISSING", "LOST", "REFUSED", "DOCUMENTS", "OF"];

/// The ledger for people.
pub fn table(ledger: &Ledger) -> String {
    let mut rows = vec![row(("STREAM", "HOST", "FROM"), &COLUMNS.map(str::to_owned))];
    rows.extend(ledger.streams.iter().map(stream_row));
    // Streams say themselves how much they sent, and may say anything.
    let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0, u64::saturating_add);
    let missing = sum(&mut ledger.streams.iter().map(|stream| stream.missing));
    let of_streams = ledger.streams.iter().map(|stream| stream.documents_sent);
    let of_retired = ledger.retired.iter().map(|retired| retired.documents_sent);
    let sent = sum(&mut of_streams.chain(of_retired));
    rows.push(row(("all", "", ""), &counts(&ledger.totals, missing, sent)));
    let mut text = String::new();
    for columns in &rows {
        let width = |index: usize| {
            rows.iter().map(|row| row.get(index).map_or(0, |text| text.chars().count())).max()
        };
        for (index, column) in columns.iter().enumerate() {
            let width = width(index).unwrap_or_default();
            // Writing to a string does not fail.
            match index {
                0..3 => write!(text, "{column:<width$}  "),
                _ => write!(text, "{column:>width$}  "),
            }
            .ok();
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text + &below(ledger)
}

fn stream_row(stream: &StreamAccount) -> Vec<String> {
    let host = if stream.host.is_empty() { "?" } else { &stream.host };
    let counts = counts(&stream.counts, stream.missing, stream.documents_sent);
    let mut row = row((&stream.stream, host, &stream.source), &counts);
    if stream.ended {
        row.push("ended".to_owned());
    }
    row
}

fn row((stream, host, from): (&str, &str, &str), counts: &[String]) -> Vec<String> {
    [stream, host, from]
        .iter()
        .map(|text| clean(text).into_owned())
        .chain(counts.iter().cloned())
        .collect()
}

fn counts(counts: &Totals, missing: u64, sent: u64) -> [String; 9] {
    [
        counts.received,
        counts.repaired(),
        counts.late,
        counts.repeated,
        missing,
        counts.lost(),
        counts.all_refused(),
        counts.documents,
        sent,
    ]
    .map(|count| count.to_string())
}

/// What is not in the table.
fn below(ledger: &Ledger) -> String {
    let totals = &ledger.totals;
    let refused: Vec<String> =
        totals.refused.iter().map(|(reason, count)| format!("{} {count}", clean(reason))).collect();
    let at = i64::try_from(ledger.at).ok().and_then(|at| Timestamp::from_second(at).ok());
    let lines = [
        (!refused.is_empty()).then(|| format!("refused: {}", refused.join(", "))),
        (totals.lines > 0).then(|| format!("datagrams of plain lines: {}", totals.lines)),
        Some(format!("dropped by the kernel: {}", totals.kernel_drops)),
        at.map(|at| format!("as of {at}")),
    ];
    lines.into_iter().flatten().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_each_stream_and_the_sum() {
        let counts = Totals {
            received: 90,
            restored: 4,
            resent: 1,
            late: 1,
            given_up: 5,
            documents: 950,
            refused: [("bad_seal".to_owned(), 3)].into(),
            kernel_drops: 2,
            ..Totals::default()
        };
        let stream = StreamAccount {
            stream: "00000000000000ff".to_owned(),
            host: "web1".to_owned(),
            source: "10.0.0.7:40000".to_owned(),
            first: 0,
            next: 100,
            settled: 100,
            counts: counts.clone(),
            documents_sent: 1000,
            missing: 0,
            unseen: Vec::new(),
            last_mark: None,
            last_heartbeat: None,
            ended: true,
            pieces: Vec::new(),
            sealed: Some(true),
            answers: false,
            seen_at: 0,
        };
        let stream_of = |documents_sent| StreamAccount { documents_sent, ..stream.clone() };
        let streams = vec![stream_of(u64::MAX), stream_of(1)];
        let boasting = Ledger { streams, ..Ledger::default() };
        let all = table(&boasting);
        let all = all.lines().find(|line| line.starts_with("all")).unwrap();
        assert!(all.ends_with(&format!(" {}", u64::MAX)), "{all}");
        let ledger = Ledger { totals: counts, streams: vec![stream], ..Ledger::default() };
        assert_eq!(
            table(&ledger),
            "\
STREAM            HOST  FROM            RECEIVED  REPAIRED  LATE  REPEATED  MISSING  LOST  REFUSED  DOCUMENTS    OF
00000000000000ff  web1  10.0.0.7:40000        90         5     1         0        0     4        3        950  1000  ended
all                                           90         5     1         0        0     4        3        950  1000
refused: bad_seal 3
dropped by the kernel: 2
as of 1970-01-01T00:00:00Z
"
        );
    }
}
