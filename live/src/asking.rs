//! Answers: what is needed is merged, and nothing is changed.

use std::collections::HashSet;

use crate::answer::{
    About, Answer, Counted, Detail, KeyName, Line, Missing, Point, Quantiles, Rate, Row, Series,
    Sum, Summary, Top,
};
use crate::dimension::Dimension;
use crate::live::Live;
use crate::question::{By, KeyId, Question, Scope};
use crate::sketch::{
    Clients, Counts, Depth, KEY_LATENCY_WITHIN, Key, KeyLatency, LATENCY_WITHIN, Latency, Merged,
    Merger, Over, Table, Uniques,
};
use crate::step::{Step, Totals};

/// Rows that an answer can have.
const MOST_ROWS: usize = 10_000;
/// Lines that an answer can have.
const MOST_LINES: usize = 1_000;

/// From one step to another, both included.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: i64,
    last: i64,
}

/// What is wanted of a dimension.
#[derive(Debug, Clone, Copy)]
struct Order {
    by: By,
    most: usize,
    least_hits: u64,
}

impl Live {
    /// Answers a question.
    pub fn ask(&self, question: &Question) -> Answer {
        match question {
            Question::Summary { scope } => Answer::Summary(Box::new(self.summary(*scope))),
            Question::Top { dimension, by, most, least_hits, scope } => {
                let order = Order { by: *by, most: *most, least_hits: *least_hits };
                self.top(dimension, *scope, order).map_or_else(uncounted(dimension), Answer::Top)
            }
            Question::Key { dimension, key, lines, scope } => {
                let detail = self.detail(dimension, *scope, *key, *lines);
                detail.map_or_else(uncounted(dimension), |detail| Answer::Key(Box::new(detail)))
            }
            Question::Series { scope } => Answer::Series(self.series(*scope, |step| {
                let totals = step.map(|step| &step.totals);
                totals.map_or_else(no_point, point_of)
            })),
            Question::Lines { most } => Answer::Lines { lines: self.lines(None, *most) },
            Question::Dimensions => {
                let places = self.places.iter().flatten();
                let counted = places.map(|place| Counted {
                    dimension: place.dimension.clone(),
                    since: place.since.map(millis),
                });
                Answer::Dimensions { dimensions: counted.collect() }
            }
        }
    }

    /// The steps of the window; `None` before the first line.
    fn span(&self, scope: Scope) -> Option<Span> {
        let last = match scope {
            Scope::Window => self.timeline.step_of(self.timeline.newest()?),
            Scope::Ended => self.timeline.first_open()?.saturating_sub(1),
            Scope::Until(end) => {
                self.timeline.newest()?;
                self.timeline.step_of(end.saturating_mul(1_000_000)).saturating_sub(1)
            }
            Scope::Start => {
                let first = self.ended.front().or(self.open.first())?.number;
                let last = self.timeline.step_of(self.timeline.newest()?);
                return Some(Span { first, last });
            }
        };
        Some(Span { first: last.saturating_sub(self.settings.steps() - 1), last })
    }

    /// Steps that are kept.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Step> {
        self.ended.iter().chain(&self.open)
    }

    /// What has the lines of a scope: steps, or what is added up since the start.
    fn parts(&self, scope: Scope) -> Vec<&Step> {
        if scope == Scope::Start {
            return [&self.start, &self.stray].into_iter().chain(&self.open).collect();
        }
        let Some(Span { first, last }) = self.span(scope) else { return Vec::new() };
        self.kept().filter(|step| (first..=last).contains(&step.number)).collect()
    }

    /// Between which times the lines of a scope are.
    fn times(&self, scope: Scope) -> Option<(i64, i64)> {
        let (oldest, newest) = (self.timeline.oldest()?, self.timeline.newest()?);
        let Some(span) = self.span(scope).filter(|_| scope != Scope::Start) else {
            return Some((oldest, newest));
        };
        let begin = self.timeline.start_of(span.first);
        let end = self.timeline.start_of(span.last.saturating_add(1));
        let oldest = match scope {
            Scope::Ended | Scope::Until(_) => self.timeline.start_of(self.timeline.step_of(oldest)),
            Scope::Start | Scope::Window => oldest,
        };
        Some((begin.max(oldest).min(end), end.min(newest)))
    }

    fn summary(&self, scope: Scope) -> Summary {
        let mut totals = Totals::default();
        self.parts(scope).into_iter().for_each(|step| totals.add(&step.totals));
        let times = self.times(scope);
        let counts = &totals.counts;
        Summary {
            scope,
            from: times.map(|(from, _)| millis(from)),
            to: times.map(|(_, to)| millis(to)),
            hits: counts.hits,
            bytes: counts.bytes,
            errors: counts.errors,
            classes: counts.classes.into(),
            rate: self.rate(counts, times),
            now: self.rate_now(scope),
            clients: about_all(&totals.clients),
            latency: quantiles_of_all(&totals.latency),
            late: self.lates,
            ahead: self.aheads,
            left_out: self.left_out,
        }
    }

    /// On average between two times, over a step at least.
    fn rate(&self, counts: &Counts, times: Option<(i64, i64)>) -> Rate {
        let Some((from, to)) = times else { return Rate::default() };
        per_second(counts, to.saturating_sub(from).max(self.timeline.step()))
    }

    /// In the last complete step, or in the first one as long as there is no other.
    fn rate_now(&self, scope: Scope) -> Rate {
        let span = self.span(if scope == Scope::Start { Scope::Window } else { scope });
        let (Some(Span { last, .. }), Some(oldest)) = (span, self.timeline.oldest()) else {
            return Rate::default();
        };
        let is_complete = matches!(scope, Scope::Ended | Scope::Until(_));
        let before = if is_complete { last } else { last.saturating_sub(1) };
        let wanted = before.max(self.timeline.step_of(oldest));
        let step = self.kept().find(|step| step.number == wanted);
        let counts = step.map_or_else(Counts::default, |step| step.totals.counts);
        per_second(&counts, self.timeline.step())
    }

    fn tables(&self, place: usize, scope: Scope) -> Vec<&Table> {
        self.parts(scope).into_iter().filter_map(|step| step.tables.get(place)).collect()
    }

    fn top(&self, dimension: &Dimension, scope: Scope, order: Order) -> Option<Top> {
        let place = self.place(dimension)?;
        let tables = self.tables(place, scope);
        let depth = match order.by {
            By::Hits | By::Bytes | By::Errors => Depth::Sums,
            By::Latency => Depth::Latency,
            By::Clients => Depth::Clients,
        };
        let mut merger = Merger::new(depth);
        for table in &tables {
            merger.add(table, None);
        }
        let (floor, hits) = (merger.floor(), merger.hits());
        let merged = merger.finish();
        let keys = merged.len() as u64;
        let heaviest = heaviest(merged, order);
        // The others are looked at for these alone.
        let only: HashSet<u64> = heaviest.iter().map(|merged| merged.key.hash).collect();
        let mut merger = Merger::new(Depth::All);
        for table in &tables {
            merger.add(table, Some(&only));
        }
        let mut full = merger.finish();
        let rows = heaviest.iter().filter_map(|wanted| {
            let at = full.iter().position(|other| other.key == wanted.key)?;
            Some(row_of(&full.swap_remove(at)))
        });
        Some(Top {
            dimension: dimension.clone(),
            by: order.by,
            scope,
            since: self.since(place),
            rows: rows.collect(),
            keys,
            hits,
            missing: Missing { hits: floor.hits, bytes: floor.bytes, errors: floor.errors },
        })
    }

    fn since(&self, place: usize) -> Option<i64> {
        self.places.get(place)?.as_ref()?.since.map(millis)
    }

    fn detail(
        &self,
        dimension: &Dimension,
        scope: Scope,
        key: KeyId,
        lines: usize,
    ) -> Option<Detail> {
        let place = self.place(dimension)?;
        let only = HashSet::from([key.0]);
        let mut merger = Merger::new(Depth::All);
        self.tables(place, scope).iter().for_each(|table| merger.add(table, Some(&only)));
        let floor = merger.floor();
        let row = merger.finish().first().map_or_else(|| no_row(&floor), row_of);
        let series = self.series(scope, |step| {
            let table = step.and_then(|step| step.tables.get(place));
            table.map_or_else(no_point, |table| point_of_key(table, key))
        });
        let lines = self.lines(Some((place, key.0)), lines);
        let since = self.since(place);
        Some(Detail { dimension: dimension.clone(), scope, since, row, series, lines })
    }

    /// A point for each step of a scope.
    fn series(&self, scope: Scope, point: impl Fn(Option<&Step>) -> Point) -> Series {
        let first_open = self.timeline.first_open().unwrap_or(i64::MAX);
        let oldest = self.timeline.oldest().map_or(i64::MAX, |time| self.timeline.step_of(time));
        let mut points = Vec::new();
        if let Some(Span { first, last }) = self.span(scope) {
            let mut kept = self.kept().peekable();
            for number in first.max(oldest)..=last {
                while kept.next_if(|step| step.number < number).is_some() {}
                let step = kept.next_if(|step| step.number == number);
                let at = millis(self.timeline.start_of(number));
                points.push(Point { at, is_open: number >= first_open, ..point(step) });
            }
        }
        Series { step: millis(self.timeline.step()), points }
    }

    fn lines(&self, key: Option<(usize, u64)>, most: usize) -> Vec<Line> {
        let lines = self.recent.newest(key, most.min(MOST_LINES));
        lines.into_iter().map(|(time, text)| Line { at: millis(time), text }).collect()
    }
}

fn uncounted(dimension: &Dimension) -> impl FnOnce() -> Answer {
    || Answer::Uncounted { dimension: dimension.clone() }
}

/// The heaviest of all keys, in order: those with more lines before others that are as heavy, and then
/// in the order of their texts, so that the same lines give the same answer.
fn heaviest(merged: Vec<Merged<'_>>, order: Order) -> Vec<Merged<'_>> {
    let mut weighed: Vec<(u64, Merged<'_>)> = merged
        .into_iter()
        .filter(|merged| merged.counts.hits >= order.least_hits)
        .map(|merged| {
            let weight = match order.by {
                By::Hits => merged.counts.hits,
                By::Bytes => merged.counts.bytes,
                By::Errors => merged.counts.errors,
                By::Latency => merged.latency.at(950),
                By::Clients => merged.clients.count(),
            };
            (weight, merged)
        })
        .collect();
    let compare = |(weight, one): &(u64, Merged<'_>), (other_weight, other): &(u64, Merged<'_>)| {
        (other_weight, other.counts.hits)
            .cmp(&(weight, one.counts.hits))
            .then_with(|| one.key.text.cmp(other.key.text))
            .then_with(|| (one.key.bytes, one.key.hash).cmp(&(other.key.bytes, other.key.hash)))
    };
    let most = order.most.min(MOST_ROWS);
    if most < weighed.len() {
        weighed.select_nth_unstable_by(most, compare);
        weighed.truncate(most);
    }
    weighed.sort_unstable_by(compare);
    weighed.into_iter().map(|(_, merged)| merged).collect()
}

fn sums(counts: &Counts, over: &Over) -> [Sum; 3] {
    [
        Sum { value: counts.hits, at_most_over: over.hits },
        Sum { value: counts.bytes, at_most_over: over.bytes },
        Sum { value: counts.errors, at_most_over: over.errors },
    ]
}

fn row_of(merged: &Merged<'_>) -> Row {
    let [hits, bytes, errors] = sums(&merged.counts, &merged.over);
    Row {
        key: Some(name_of(merged.key)),
        hits,
        bytes,
        errors,
        classes: merged.counts.classes.into(),
        clients: about(&merged.clients, merged.over.hits),
        latency: quantiles(&merged.latency),
    }
}

/// The row of a key that was not noticed.
fn no_row(floor: &Over) -> Row {
    let mut counts = Counts::default();
    counts.add_over(floor);
    let [hits, bytes, errors] = sums(&counts, floor);
    Row {
        key: None,
        hits,
        bytes,
        errors,
        classes: counts.classes.into(),
        clients: about(&Clients::default(), floor.hits),
        latency: None,
    }
}

fn name_of(key: Key<'_>) -> KeyName {
    KeyName {
        id: KeyId(key.hash),
        text: String::from_utf8_lossy(key.text).into_owned(),
        is_cut: key.bytes as usize > key.text.len(),
    }
}

/// The share of a key in a step; that of one that is not there is at most the floor.
fn point_of_key(table: &Table, key: KeyId) -> Point {
    let Some((_, entry)) = table.by_hash(key.0) else {
        let row = no_row(&table.floor());
        return Point {
            hits: row.hits,
            bytes: row.bytes,
            errors: row.errors,
            clients: row.clients,
            ..point_of(&Totals::default())
        };
    };
    let [hits, bytes, errors] = sums(&entry.counts, &entry.over);
    Point {
        at: 0,
        is_open: false,
        hits,
        bytes,
        errors,
        classes: entry.counts.classes.into(),
        clients: about(&entry.clients, entry.over.hits),
        latency: quantiles(&entry.latency),
    }
}

/// A step without lines.
fn no_point() -> Point {
    point_of(&Totals::default())
}

fn point_of(totals: &Totals) -> Point {
    let [hits, bytes, errors] = sums(&totals.counts, &Over::default());
    Point {
        at: 0,
        is_open: false,
        hits,
        bytes,
        errors,
        classes: totals.counts.classes.into(),
        clients: about_all(&totals.clients),
        latency: quantiles_of_all(&totals.latency),
    }
}

fn about(clients: &Clients, at_most_missed: u64) -> About {
    About { count: clients.count(), error: clients.error(), at_most_missed }
}

fn about_all(clients: &Uniques) -> About {
    About { count: clients.count(), error: clients.error(), at_most_missed: 0 }
}

fn quantiles(latency: &KeyLatency) -> Option<Quantiles> {
    quantiles_by(latency.count(), |rank| latency.at(rank), latency.most(), KEY_LATENCY_WITHIN)
}

fn quantiles_of_all(latency: &Latency) -> Option<Quantiles> {
    quantiles_by(latency.count(), |rank| latency.at(rank), latency.most(), LATENCY_WITHIN)
}

/// What so many lines took, of which `at` says the one that is so many thousandths from the shortest.
fn quantiles_by(lines: u64, at: impl Fn(u64) -> u64, max: u64, error: f64) -> Option<Quantiles> {
    let is_any = lines > 0;
    is_any.then(|| Quantiles { lines, p50: at(500), p95: at(950), p99: at(990), max, error })
}

#[expect(clippy::cast_precision_loss, reason = "a speed for people")]
fn per_second(counts: &Counts, nanos: i64) -> Rate {
    let seconds = nanos as f64 / 1e9;
    Rate { hits: counts.hits as f64 / seconds, bytes: counts.bytes as f64 / seconds }
}

fn millis(nanos: i64) -> i64 {
    nanos.div_euclid(1_000_000)
}
