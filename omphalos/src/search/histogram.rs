//! How many documents match over time, drawn as bars.

use jiff::Timestamp;
use omphalos_common::numbers::at_most;
use omphalos_indexer::elasticsearch::Fault;

use super::asking::Asker;
use super::lines::Lines;
use super::query::Query;

/// The most bars that are drawn.
const MOST_BARS: i64 = 30;
/// The longest bar, in characters.
const WIDEST: usize = 50;
/// How long a bar's time may be, in seconds: such as people count in.
const STEPS: [i64; 15] =
    [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000];

/// The bars, one a line, and how many there are in all.
///
/// # Errors
/// [`Fault`] like all requests.
pub async fn histogram(
    asker: &Asker,
    query: &Query,
    lines: &Lines,
) -> Result<(Vec<String>, u64), Fault> {
    let Some((first, last)) = asker.span(query).await? else { return Ok((Vec::new(), 0)) };
    let step = step((last - first) / 1000);
    let counts = asker.counts(query, step.unsigned_abs()).await?;
    let total = counts.iter().map(|(_, count)| count).sum();
    Ok((bars(&counts, step, lines), total))
}

/// The shortest step that needs no more bars than there may be.
fn step(seconds: i64) -> i64 {
    let fits = STEPS.into_iter().find(|step| seconds / step < MOST_BARS);
    fits.unwrap_or_else(|| (seconds / MOST_BARS + 86_400) / 86_400 * 86_400)
}

fn bars(counts: &[(i64, u64)], step: i64, lines: &Lines) -> Vec<String> {
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let width = most.to_string().len();
    let beside = |time: &str| time.len() + width + "    ".len();
    let format = if step < 60 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    let bar = |millis: i64, count: u64| {
        // Documents may be dated beyond the years that people write.
        let time = Timestamp::from_millisecond(millis);
        let time = time.map_or_else(|_| format!("{millis} ms"), |time| lines.moment(time, format));
        let widest = match lines.width {
            Some(columns) => columns.saturating_sub(beside(&time)).clamp(1, WIDEST),
            None => WIDEST,
        };
        // Something is never nothing.
        let length = match count {
            0 => 0,
            _ => at_most(count.saturating_mul(widest as u64) / most, widest).max(1),
        };
        let bar = lines.bar(&"█".repeat(length));
        let line = format!("{time}  {count:>width$}  {bar}");
        line.trim_end().to_owned()
    };
    let mut bars = Vec::new();
    let mut expected: Option<i64> = None;
    for (millis, count) in counts {
        // Times without any are shown as well; there are not many, as the step is chosen by the span.
        while let Some(empty) = expected.filter(|empty| empty < millis) {
            bars.push(bar(empty, 0));
            expected = Some(empty + step * 1000);
        }
        bars.push(bar(*millis, *count));
        expected = Some(millis + step * 1000);
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_many_as_fit_and_times_without_any_are_among_them() {
        assert_eq!((step(0), step(29), step(30), step(3600)), (1, 1, 5, 300));
        assert!(step(i64::from(u32::MAX)) * MOST_BARS >= i64::from(u32::MAX));
        let lines = Lines { colour: false, zone: jiff::tz::TimeZone::UTC, width: None };
        assert_eq!(
            bars(&[(0, 100), (120_000, 1)], 60, &lines),
            [
                format!("1970-01-01 00:00Z  100  {}", "█".repeat(50)),
                "1970-01-01 00:01Z    0".to_owned(),
                "1970-01-01 00:02Z    1  █".to_owned()
            ]
        );
        let narrow = Lines { width: Some(40), ..lines };
        let whole = &bars(&[(0, 100)], 60, &narrow)[0];
        assert_eq!(whole.chars().count(), 40, "{whole}");
    }
}
