//! Deleting old indices by the dates in their names, for servers without a lifecycle of their own.

use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::{Span, ToSpan};
use omphalos_indexer::elasticsearch::{Client, Fault};
use serde_json::Value;

use super::steps::{Intent, say};

/// Deletes the indices of `prefix` of which the last day is more than `days` days ago; returns how many.
///
/// # Errors
/// [`Fault`] like all requests, and when nothing can be printed.
pub async fn sweep(
    client: &Client,
    prefix: &str,
    days: u64,
    today: Date,
    intent: Intent,
) -> anyhow::Result<usize> {
    let mut swept = 0;
    for (name, end) in names(client, prefix).await? {
        if !is_old(end, days, today) {
            continue;
        }
        if intent == Intent::Do {
            // By its name alone: a pattern would delete what has come to match meanwhile.
            client.delete(&name).await?;
        }
        swept += 1;
        say("index", &name, &intent.done("deleted"))?;
    }
    Ok(swept)
}

/// The indices of `prefix` that have a date, each with the first day that it has nothing of.
async fn names(client: &Client, prefix: &str) -> Result<Vec<(String, Date)>, Fault> {
    let listed = client.get(&format!("_cat/indices/{prefix}-*?format=json&h=index")).await?;
    let rows = listed.as_ref().and_then(Value::as_array).into_iter().flatten();
    let names = rows.filter_map(|row| row.get("index")?.as_str());
    let mut names: Vec<(String, Date)> =
        names.filter_map(|name| Some((name.to_owned(), end_of(name, prefix)?))).collect();
    names.sort();
    Ok(names)
}

fn is_old(end: Date, days: u64, today: Date) -> bool {
    let kept = i64::try_from(days).ok().and_then(|days| Span::new().try_days(days).ok());
    // What no calendar has is kept for ever.
    kept.and_then(|kept| end.checked_add(kept).ok()).is_some_and(|until| until <= today)
}

/// The day after the last one that the index `name` covers; `None` where its name has no date.
fn end_of(name: &str, prefix: &str) -> Option<Date> {
    let (_, date) = name.strip_prefix(prefix)?.strip_prefix('-')?.rsplit_once('-')?;
    let parts: Vec<&str> = date.split('.').collect();
    let number = |text: &str, width: usize| {
        let is_number = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i16>().ok().filter(|_| is_number)
    };
    let two = |text: &str| number(text, 2).and_then(|number| i8::try_from(number).ok());
    let (last, next) = match parts[..] {
        [year, month, day] => (Date::new(number(year, 4)?, two(month)?, two(day)?).ok()?, 1.day()),
        [year, part] => match part.strip_prefix('w') {
            Some(week) => {
                let week = ISOWeekDate::new(number(year, 4)?, two(week)?, Weekday::Sunday).ok()?;
                (week.date(), 1.day())
            }
            None => (Date::new(number(year, 4)?, two(part)?, 1).ok()?, 1.month()),
        },
        _ => return None,
    };
    last.checked_add(next).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn an_index_ends_with_the_last_day_of_its_period_and_only_those_with_a_date_end() {
        for (name, expected) in [
            ("omphalos-access-2026.11.22", Some("2026-11-23")),
            ("omphalos-a-b-2026.12.31", Some("2027-01-01")),
            ("omphalos-access-2026.w53", Some("2027-01-04")),
            ("omphalos-access-2026.02", Some("2026-03-01")),
            ("omphalos-access-outlier", None),
            ("omphalos-access", None),
            ("omphalos-2026.11.22", None),
            ("omphalos-access-2026.13", None),
            ("omphalos-access-2026.w54", None),
            ("omphalos-access-2026.2.30", None),
            ("omphalos-access-2026.11.22.1", None),
            ("other-access-2026.11.22", None),
        ] {
            assert_eq!(end_of(name, "omphalos"), expected.map(date), "{name}");
        }
    }

    #[test]
    fn an_index_is_old_when_its_last_day_is_longer_ago_than_the_retention() {
        let end = date("2026-11-23");
        assert!(!is_old(end, 7, date("2026-11-29")));
        assert!(is_old(end, 7, date("2026-11-30")));
        assert!(!is_old(end, u64::MAX, date("2026-11-30")));
    }
}
