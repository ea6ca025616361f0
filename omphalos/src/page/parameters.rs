//! What is asked for, as it stands in the address: the same parameters everywhere, and none that is not
//! known.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Uri;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use omphalos_live::{By, Dimension};
use url::form_urlencoded;

use super::problem::Problem;
use crate::search;
use crate::top::history::start_of_step;

/// From when to when, of which lines.
pub const RANGE: [&str; 3] = ["since", "until", "filter"];
/// How far back it is looked if nobody says so.
pub const USUAL_SINCE: &str = "15m";
/// The longest address, in bytes.
const LONGEST: usize = 16 * 1024;
/// Dimensions of one answer.
const MOST_DIMENSIONS: usize = 8;

/// The parameters of one request.
#[derive(Debug)]
pub struct Parameters(BTreeMap<String, String>);

/// From when to when, of which lines.
#[derive(Debug, Clone)]
pub struct Range {
    /// The first moment.
    pub since: Timestamp,
    /// The first moment after it; `None` for now.
    pub until: Option<Timestamp>,
    /// How far `since` was back when it was asked, where it was asked so.
    pub ago: Option<Duration>,
    /// Which lines; `None` for all.
    pub filter: Option<String>,
    /// The same as they were asked for, to tell questions apart.
    pub asked: String,
}

impl Range {
    /// The same as of now: what was asked for as a length of time goes on with time. It begins with a whole step, so
    /// that until the next one begins only what is new has to be computed.
    pub fn of_now(&self) -> Self {
        self.as_of(Timestamp::now())
    }

    fn as_of(&self, now: Timestamp) -> Self {
        let Some(ago) = self.ago.filter(|_| self.until.is_none()) else { return self.clone() };
        let since = now.checked_sub(ago).unwrap_or(Timestamp::MIN);
        Self { since: start_of_step(since, now), ..self.clone() }
    }
}

impl Parameters {
    /// Those of an address, which may be of `known` and no others.
    ///
    /// # Errors
    /// When one is not known, is there twice, or all are too long.
    pub fn read(uri: &Uri, known: &[&[&str]]) -> Result<Self, Problem> {
        let query = uri.query().unwrap_or_default();
        let known: Vec<&str> = known.concat();
        let mut found = BTreeMap::new();
        if query.len() > LONGEST {
            let detail =
                format!("the address has {} bytes, expected {LONGEST} at most", query.len());
            return Err(Problem::parameter("filter", &detail));
        }
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let detail =
                    format!("there is no parameter {name:?} here; there are {}", known.join(", "));
                return Err(Problem::parameter(&name, &detail));
            }
            if found.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Problem::parameter(&name, &format!("{name} is there twice")));
            }
        }
        found.retain(|_, value| !value.trim().is_empty());
        Ok(Self(found))
    }

    /// The text of one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number from 1 to `most`.
    ///
    /// # Errors
    /// When it is none.
    pub fn number(&self, name: &str, usual: usize, most: usize) -> Result<usize, Problem> {
        let Some(text) = self.text(name) else { return Ok(usual) };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| {
            let detail = format!("{name}: expected a number from 1 to {most}, found {text:?}");
            Problem::parameter(name, &detail)
        })
    }

    /// One of some words.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn choice<T: Copy>(&self, name: &str, words: &[(&str, T)], usual: T) -> Result<T, Problem> {
        let Some(text) = self.text(name) else { return Ok(usual) };
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let detail = format!("{name}: expected {}, found {text:?}", words.join(", "));
            Problem::parameter(name, &detail)
        })
    }

    /// By what keys are ordered.
    ///
    /// # Errors
    /// When it is no such order.
    pub fn by(&self) -> Result<By, Problem> {
        let words = [
            ("hits", By::Hits),
            ("bytes", By::Bytes),
            ("errors", By::Errors),
            ("latency", By::Latency),
            ("clients", By::Clients),
        ];
        self.choice("by", &words, By::Hits)
    }

    /// Dimensions, with commas between them.
    ///
    /// # Errors
    /// When there are too many.
    pub fn dimensions(&self, usual: &[Dimension]) -> Result<Vec<Dimension>, Problem> {
        let Some(text) = self.text("top") else { return Ok(usual.to_vec()) };
        let names: Vec<&str> =
            text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        if names.len() > MOST_DIMENSIONS {
            let detail =
                format!("top: expected at most {MOST_DIMENSIONS} fields, found {}", names.len());
            return Err(Problem::parameter("top", &detail));
        }
        Ok(names.into_iter().map(Dimension::named).collect())
    }

    /// From when to when, and of which lines.
    ///
    /// # Errors
    /// When a time is none, nothing can be between both, or the filter cannot be read.
    pub fn range(&self) -> Result<Range, Problem> {
        let now = Timestamp::now();
        let zoned = now.to_zoned_datetime(TimeZone::system());
        let time = |name: &str, text: &str| {
            search::time(name, text, &zoned).map_err(|error| {
                Problem::parameter(name, error.to_string().trim_start_matches("--"))
            })
        };
        let typed = self.text("since").unwrap_or(USUAL_SINCE);
        let since = time("since", typed)?;
        let until = self.text("until").map(|text| time("until", text)).transpose()?;
        if until.unwrap_or(now) <= since {
            let detail = format!(
                "since: {since} is not before {}: nothing can be between",
                until.unwrap_or(now)
            );
            return Err(Problem::parameter("since", &detail));
        }
        let filter = self.text("filter").map(str::trim).filter(|filter| *filter != "*");
        if let Some(filter) = filter {
            search::check(filter).map_err(|what| Problem::parameter("filter", &what))?;
        }
        let is_length = typed.trim().parse::<Span>().is_ok();
        let length = Duration::try_from(now.duration_since(since)).ok();
        let asked = format!(
            "{typed}\n{}\n{}",
            self.text("until").unwrap_or_default(),
            filter.unwrap_or_default()
        );
        let filter = filter.map(str::to_owned);
        Ok(Range { since, until, ago: length.filter(|_| is_length), filter, asked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(query: &str) -> Result<Parameters, Problem> {
        let uri = format!("/x?{query}").parse().unwrap();
        Parameters::read(&uri, &[&RANGE, &["n", "by", "top"]])
    }

    fn refused(query: &str) -> String {
        let found = parameters(query).and_then(|found| {
            found.range()?;
            found.by()?;
            found.dimensions(&[])?;
            found.number("n", 1, 10)
        });
        let json = found.unwrap_err().json();
        format!("{}: {}", json["parameter"].as_str().unwrap(), json["detail"].as_str().unwrap())
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_is_expected() {
        for (query, expected) in [
            (
                "m=1",
                "m: there is no parameter \"m\" here; there are since, until, filter, n, by, top",
            ),
            ("n=1&n=2", "n: n is there twice"),
            ("n=0", "n: n: expected a number from 1 to 10, found \"0\""),
            ("n=11", "n: n: expected a number from 1 to 10, found \"11\""),
            ("by=x", "by: by: expected hits, bytes, errors, latency, clients, found \"x\""),
            ("since=yesterday", "since: since: expected a length of time such as 15m"),
            ("until=2020-01-01", "since: since: "),
            ("filter=(a", "filter: ( at character 1 is never closed"),
            ("top=a,b,c,d,e,f,g,h,i", "top: top: expected at most 8 fields, found 9"),
        ] {
            assert!(refused(query).starts_with(expected), "{query}: {}", refused(query));
        }
        let long = format!("filter={}", "x".repeat(20_000));
        assert!(refused(&long).contains("expected 16384 at most"));
    }

    #[test]
    fn a_length_of_time_is_told_from_a_moment() {
        let range = |query: &str| parameters(query).unwrap().range().unwrap();
        assert_eq!(range("").ago.map(|ago| ago.as_secs()), Some(900));
        let later = range("since=1h").as_of("2026-11-30T10:20:59Z".parse().unwrap());
        assert_eq!(later.since.to_string(), "2026-11-30T09:20:30Z", "in steps of 30 s");
        let fixed = range("since=2020-01-01");
        assert_eq!(fixed.of_now().since, fixed.since);
        assert_eq!(range("since=1h&filter=*").filter, None);
        assert_eq!(range("since=2020-01-01").ago, None);
        assert_eq!(range("filter=+a:b+").filter.as_deref(), Some("a:b"));
    }
}
