//! The table of a fleet.

use crate::top::text::columns;

/// What is above the columns.
pub const TITLES: [&str; 8] =
    ["HOST", "PROGRAM", "VERSION", "LAST", "LAG", "LINES/S", "UPTIME", "STATE"];

/// How wide columns are where rows are printed as they come.
const WIDTHS: [usize; 8] = [24, 8, 10, 7, 20, 9, 7, 0];

/// A row in columns of these widths; the last one has none.
fn line(row: &[String; 8], widths: &[usize; 8]) -> String {
    let mut line = String::new();
    for (text, width) in row.iter().zip(widths) {
        line.push_str(text);
        let missing = width.saturating_sub(columns(text));
        line.extend(std::iter::repeat_n(' ', missing + 2));
    }
    line.trim_end().to_owned()
}

/// A row where nobody knows the next one yet.
pub fn in_columns(row: &[String; 8]) -> String {
    line(row, &WIDTHS)
}

/// All rows, with their titles.
pub fn aligned(rows: Vec<[String; 8]>) -> Vec<String> {
    let mut all = vec![TITLES.map(str::to_owned)];
    all.extend(rows);
    let mut widths = [0; 8];
    for row in &all {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = columns(text).max(*width);
        }
    }
    all.iter().map(|row| line(row, &widths)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_titles() {
        let row = ["web-1-ü", "shipper", "0.1.0", "3 s", "0 B, 0 s", "1.0", "5 min", "ok"];
        let lines = aligned(vec![row.map(str::to_owned)]);
        assert_eq!(
            lines,
            [
                "HOST     PROGRAM  VERSION  LAST  LAG       LINES/S  UPTIME  STATE",
                "web-1-ü  shipper  0.1.0    3 s   0 B, 0 s  1.0      5 min   ok"
            ]
        );
    }
}
