//! Figures: of all lines, of each step, of the heaviest keys, of one key, and what an overview needs of
//! these at once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use futures_util::future::try_join_all;
use omphalos_live::{
    Answer, By, Detail, Dimension, KeyId, Line, Question, Row, Series, Summary, Top,
};
use serde::Serialize;

use super::super::Page;
use super::super::asked::{Asked, Origin, span};
use super::super::parameters::{Parameters, RANGE, Range};
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::{Shown, sent};

/// An answer is the same for so long, and for so much of its range if that is longer.
const FRESH: Duration = Duration::from_millis(900);
const OF_RANGE: u32 = 2000;
const LONGEST_FRESH: Duration = Duration::from_secs(10);
/// Keys of an answer, usually and at most.
const USUAL_KEYS: usize = 10;
const MOST_KEYS: usize = 1000;
/// Points of the course of a key.
const TREND: usize = 30;
/// Last lines of a key.
const LAST_LINES: usize = 20;
/// Keys that a key without an id is looked for among.
const MOST_LOOKED: usize = 512;
/// What an overview has, if nobody says so.
const OVERVIEW: [Dimension; 5] =
    [Dimension::Section, Dimension::Path, Dimension::Client, Dimension::Agent, Dimension::Referrer];

/// What is told with every answer.
#[derive(Serialize)]
struct Frame {
    origin: Origin,
    since: String,
    until: String,
}

/// The heaviest keys, each with its course.
#[derive(Serialize)]
struct Keys {
    #[serde(flatten)]
    top: Top,
    /// Hits of each key over time, the oldest first, in the order of the rows.
    trends: Vec<Vec<u64>>,
}

#[derive(Serialize)]
struct OfSummary {
    #[serde(flatten)]
    frame: Frame,
    summary: Summary,
}

#[derive(Serialize)]
struct OfSeries {
    #[serde(flatten)]
    frame: Frame,
    series: Series,
}

#[derive(Serialize)]
struct OfTop {
    #[serde(flatten)]
    frame: Frame,
    top: Keys,
}

#[derive(Serialize)]
struct OfKey {
    #[serde(flatten)]
    frame: Frame,
    dimension: Dimension,
    row: Row,
    series: Series,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct OfOverview {
    #[serde(flatten)]
    frame: Frame,
    summary: Summary,
    series: Series,
    tops: Vec<Keys>,
}

/// What an overview is of.
#[derive(Clone)]
pub struct Overview {
    /// From when to when.
    pub range: Range,
    /// Of which dimensions the heaviest keys are shown.
    pub dimensions: Vec<Dimension>,
    /// By what they are ordered.
    pub by: By,
    /// How many of each.
    pub most: usize,
}

impl Overview {
    /// What parameters ask for.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn of(parameters: &Parameters) -> Result<Self, Problem> {
        Ok(Self {
            range: parameters.range()?,
            dimensions: parameters.dimensions(&OVERVIEW)?,
            by: parameters.by()?,
            most: parameters.number("n", USUAL_KEYS, MOST_KEYS)?,
        })
    }

    /// How long its answer is good enough.
    pub fn fresh(&self) -> Duration {
        fresh(&self.range)
    }
}

fn fresh(range: &Range) -> Duration {
    let (since, until) = span(range);
    let length = Duration::try_from(until.duration_since(since)).unwrap_or_default();
    (length / OF_RANGE).clamp(FRESH, LONGEST_FRESH)
}

fn frame(asked: &Asked, range: &Range) -> Frame {
    let (since, until) = span(range);
    Frame { origin: asked.origin, since: since.to_string(), until: until.to_string() }
}

pub async fn get_overview(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    let wanted = Parameters::read(&uri, &[&RANGE, &["top", "by", "n"]]);
    let shown = match wanted.and_then(|parameters| Overview::of(&parameters)) {
        Ok(wanted) => overview(&page, &wanted).await,
        Err(problem) => Err(problem),
    };
    sent(shown, &headers)
}

/// Summary, series and the heaviest keys; the parts are asked for at the same time.
pub async fn overview(page: &Arc<Page>, wanted: &Overview) -> Shown {
    let Overview { range, dimensions, by, most } = wanted;
    // A stream asks again with what it was opened with.
    let range = &range.of_now();
    let key = format!("overview {dimensions:?} {by:?} {most} {}", range.asked);
    page.shared
        .answer(key, wanted.fresh(), async {
            let asked = page.whom(range)?;
            let filter = range.filter.clone();
            let whole = asked.clone();
            let both = page.gate.ask(move || {
                let filter = filter.as_deref();
                Ok((summary_of(&whole, filter)?, series_of(&whole, filter)?))
            });
            let tops = dimensions.iter().map(|dimension| {
                let wanted = (dimension.clone(), *by, *most);
                top_of_range(page, range, wanted, &asked)
            });
            let ((summary, series), tops) = futures_util::try_join!(both, try_join_all(tops))?;
            Reply::json(&OfOverview { frame: frame(&asked, range), summary, series, tops })
        })
        .await
}

/// The heaviest keys, from where the other figures come if those are counted there.
async fn top_of_range(
    page: &Arc<Page>,
    range: &Range,
    wanted: (Dimension, By, usize),
    whole: &Asked,
) -> Result<Keys, Problem> {
    let origin = whole.origin;
    // Each asks on its own: what is stored remembers what it was asked last.
    let asked = if origin == Origin::Live { whole.clone() } else { page.stored(range)? };
    let (filter, again) = (range.filter.clone(), wanted.clone());
    let found = page.gate.ask(move || top_of(&asked, &wanted, filter.as_deref())).await;
    match page.stored(range) {
        Ok(stored) if found.is_err() && origin == Origin::Live => {
            let filter = range.filter.clone();
            page.gate.ask(move || top_of(&stored, &again, filter.as_deref())).await
        }
        _ => found,
    }
}

fn summary_of(asked: &Asked, filter: Option<&str>) -> Result<Summary, Problem> {
    match asked.ask(&Question::Summary { scope: asked.scope }, filter)? {
        Answer::Summary(summary) => Ok(*summary),
        _ => Err(odd()),
    }
}

fn series_of(asked: &Asked, filter: Option<&str>) -> Result<Series, Problem> {
    match asked.ask(&Question::Series { scope: asked.scope }, filter)? {
        Answer::Series(series) => Ok(series),
        _ => Err(odd()),
    }
}

fn top_of(
    asked: &Asked,
    (dimension, by, most): &(Dimension, By, usize),
    filter: Option<&str>,
) -> Result<Keys, Problem> {
    let (by, most, scope) = (*by, *most, asked.scope);
    let dimension = dimension.clone();
    let question = Question::Top { dimension, by, most, least_hits: 0, scope };
    let Answer::Top(top) = asked.ask(&question, filter)? else { return Err(odd()) };
    let trend = |row: &Row| {
        let Some(key) = &row.key else { return Ok(Vec::new()) };
        let detail = key_of(asked, &top.dimension, (key.id, 0), filter)?;
        Ok(trend(&detail.series))
    };
    let trends = top.rows.iter().map(trend).collect::<Result<_, Problem>>()?;
    Ok(Keys { top, trends })
}

fn key_of(
    asked: &Asked,
    dimension: &Dimension,
    (key, lines): (KeyId, usize),
    filter: Option<&str>,
) -> Result<Detail, Problem> {
    let (dimension, scope) = (dimension.clone(), asked.scope);
    match asked.ask(&Question::Key { dimension, key, lines, scope }, filter)? {
        Answer::Key(detail) => Ok(*detail),
        _ => Err(odd()),
    }
}

fn odd() -> Problem {
    Problem::behind("the answer is none to what was asked; please report this")
}

/// Hits over time, in so many parts as are drawn.
fn trend(series: &Series) -> Vec<u64> {
    let together = series.points.len().div_ceil(TREND).max(1);
    let sum = |points: &[omphalos_live::Point]| points.iter().map(|point| point.hits.value).sum();
    series.points.chunks(together).map(sum).collect()
}

pub async fn get_summary(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    let make = |asked: &Asked, range: &Range| {
        let summary = summary_of(asked, range.filter.as_deref())?;
        Reply::json(&OfSummary { frame: frame(asked, range), summary })
    };
    sent(of_range(&page, "summary", &uri, make).await, &headers)
}

pub async fn get_series(page: State<Arc<Page>>, uri: Uri, headers: HeaderMap) -> Response {
    let make = |asked: &Asked, range: &Range| {
        let series = series_of(asked, range.filter.as_deref())?;
        Reply::json(&OfSeries { frame: frame(asked, range), series })
    };
    sent(of_range(&page, "series", &uri, make).await, &headers)
}

/// What is made of a range alone.
async fn of_range(
    page: &Arc<Page>,
    name: &str,
    uri: &Uri,
    make: impl FnOnce(&Asked, &Range) -> Shown + Send + 'static,
) -> Shown {
    let range = Parameters::read(uri, &[&RANGE])?.range()?.of_now();
    let key = format!("{name} {}", range.asked);
    page.shared
        .answer(key, fresh(&range), async {
            let asked = page.whom(&range)?;
            let range = range.clone();
            page.gate.ask(move || make(&asked, &range)).await
        })
        .await
}

pub async fn get_top(
    page: State<Arc<Page>>,
    Path(dimension): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    sent(top(&page, &dimension, &uri).await, &headers)
}

async fn top(page: &Arc<Page>, dimension: &str, uri: &Uri) -> Shown {
    let parameters = Parameters::read(uri, &[&RANGE, &["by", "n"]])?;
    let (range, by) = (parameters.range()?.of_now(), parameters.by()?);
    let most = parameters.number("n", USUAL_KEYS, MOST_KEYS)?;
    let key = format!("top {dimension} {by:?} {most} {}", range.asked);
    page.shared
        .answer(key, fresh(&range), async {
            let asked = page.whom(&range)?;
            let wanted = (Dimension::named(dimension), by, most);
            let top = top_of_range(page, &range, wanted, &asked).await?;
            Reply::json(&OfTop { frame: frame(&asked, &range), top })
        })
        .await
}

pub async fn get_key(
    page: State<Arc<Page>>,
    Path((dimension, value)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    sent(key(&page, (Dimension::named(&dimension), value), &uri).await, &headers)
}

async fn key(page: &Arc<Page>, (dimension, value): (Dimension, String), uri: &Uri) -> Shown {
    let parameters = Parameters::read(uri, &[&RANGE, &["n"]])?;
    let range = parameters.range()?.of_now();
    let lines = parameters.number("n", LAST_LINES, 100)?;
    let key = format!("key {dimension} {lines} {}\n{value}", range.asked);
    page.shared
        .answer(key, fresh(&range), async {
            let asked = page.whom(&range)?;
            let frame = frame(&asked, &range);
            let detail = page.gate.ask(move || {
                let filter = range.filter.as_deref();
                let id = id_of(&asked, &dimension, &value, filter)?;
                key_of(&asked, &dimension, (id, lines), filter)
            });
            let Detail { dimension, row, series, lines, .. } = detail.await?;
            Reply::json(&OfKey { frame, dimension, row, series, lines })
        })
        .await
}

/// The id of a key by its text, among the heaviest.
fn id_of(
    asked: &Asked,
    dimension: &Dimension,
    value: &str,
    filter: Option<&str>,
) -> Result<KeyId, Problem> {
    let question = Question::Top {
        dimension: dimension.clone(),
        by: By::Hits,
        most: MOST_LOOKED,
        least_hits: 0,
        scope: asked.scope,
    };
    let Answer::Top(top) = asked.ask(&question, filter)? else { return Err(odd()) };
    let found = top.rows.iter().filter_map(|row| row.key.as_ref()).find(|key| key.text == value);
    found.map(|key| key.id).ok_or_else(|| {
        Problem::missing(&format!(
            "{value:?} is none of the {MOST_LOOKED} most frequent values of {dimension} in this time; ask with a filter for it instead"
        ))
    })
}

#[cfg(test)]
mod tests {
    use omphalos_live::{Point, Sum};

    use super::*;

    #[test]
    fn the_course_of_a_key_has_few_points_and_loses_no_hit() {
        let hits = Sum { value: 3, at_most_over: 0 };
        for steps in [0, 1, 29, 30, 31, 90, 720] {
            let point = |at| Point {
                at,
                is_open: false,
                hits,
                bytes: hits,
                errors: hits,
                classes: [0; 6].into(),
                clients: omphalos_live::About::default(),
                latency: None,
            };
            let series = Series { step: 1, points: (0..steps).map(point).collect() };
            let drawn = trend(&series);
            assert!(drawn.len() <= TREND, "{steps}");
            assert_eq!(drawn.iter().sum::<u64>(), 3 * steps.unsigned_abs(), "{steps}");
        }
    }
}
