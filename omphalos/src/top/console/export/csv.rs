//! Rows as CSV (RFC 4180), which a spreadsheet may open: a cell that it would take for a formula is
//! made a text.

use omphalos_live::Row;

use crate::top::text::clean;

const NAMES: [&str; 21] = [
    "key",
    "is_cut",
    "hits",
    "hits_at_most_over",
    "bytes",
    "bytes_at_most_over",
    "errors",
    "errors_at_most_over",
    "clients",
    "clients_error",
    "status_none",
    "status_1xx",
    "status_2xx",
    "status_3xx",
    "status_4xx",
    "status_5xx",
    "p50_ns",
    "p95_ns",
    "p99_ns",
    "max_ns",
    "clients_at_most_missed",
];

/// Rows under a line of names.
pub fn csv(rows: &[Row]) -> String {
    let mut text = NAMES.join(",");
    text.push_str("\r\n");
    for row in rows {
        text.push_str(&line(row));
        text.push_str("\r\n");
    }
    text
}

fn line(row: &Row) -> String {
    let key = row.key.as_ref();
    let mut cells = vec![
        cell(&key.map(|key| clean(&key.text)).unwrap_or_default()),
        key.is_some_and(|key| key.is_cut).to_string(),
    ];
    for sum in [row.hits, row.bytes, row.errors] {
        cells.extend([sum.value.to_string(), sum.at_most_over.to_string()]);
    }
    cells.extend([row.clients.count.to_string(), row.clients.error.to_string()]);
    let classes = &row.classes;
    let classes = [
        classes.none,
        classes.informational,
        classes.success,
        classes.redirection,
        classes.client_error,
        classes.server_error,
    ];
    cells.extend(classes.map(|count| count.to_string()));
    match row.latency {
        Some(took) => {
            cells.extend([took.p50, took.p95, took.p99, took.max].map(|nanos| nanos.to_string()));
        }
        None => cells.extend(std::iter::repeat_n(String::new(), 4)),
    }
    // Behind the others, whose places may be known to somebody.
    cells.push(row.clients.at_most_missed.to_string());
    cells.join(",")
}

/// A cell that means nothing but its text.
fn cell(text: &str) -> String {
    let first = text.trim_start().chars().next();
    let is_formula =
        first.is_some_and(|first| "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(first));
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r', ' ', '\'']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_and_no_formula() {
        for (text, expected) in [
            ("/a", "/a"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("  =cmd|' /C calc'!A0", "\"'  =cmd|' /C calc'!A0\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("-1", "\"'-1\""),
            ("+1", "\"'+1\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("a=b", "a=b"),
        ] {
            assert_eq!(cell(text), expected);
        }
        // A tabulator or a line feed before it is a sign by then, and no blank.
        assert_eq!(cell(&clean("\t=1")), "␉=1");
    }
}
