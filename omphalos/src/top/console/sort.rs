//! The columns of the table, and the order of its rows.

use std::cmp::Ordering;
use std::collections::HashMap;

use omphalos_live::{By, KeyId, Row, Series};

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The key.
    Name,
    /// Lines.
    Hits,
    /// The share of what is sorted by.
    Share,
    /// Lines each second.
    Rate,
    /// Lines in the course of time.
    Trend,
    /// Bytes.
    Bytes,
    /// Lines that are errors.
    Errors,
    /// Different clients.
    Clients,
    /// What 95 % of lines took at most.
    Latency,
}

impl Column {
    /// Those that can be sorted by, in the order in which they are gone through.
    pub const SORTABLE: [Self; 7] = [
        Self::Hits,
        Self::Trend,
        Self::Bytes,
        Self::Errors,
        Self::Clients,
        Self::Latency,
        Self::Name,
    ];

    /// What the collectors call it, where they know its order.
    pub fn of(by: By) -> Self {
        match by {
            By::Hits => Self::Hits,
            By::Bytes => Self::Bytes,
            By::Errors => Self::Errors,
            By::Latency => Self::Latency,
            By::Clients => Self::Clients,
        }
    }
}

/// An order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By which column.
    pub column: Column,
    /// Whether turned around: the least of the heaviest come first.
    pub is_reversed: bool,
}

impl Sort {
    /// By this column, the heaviest first.
    pub fn new(column: Column) -> Self {
        Self { column, is_reversed: false }
    }

    /// By the next column.
    #[must_use]
    pub fn next(self) -> Self {
        let all = Column::SORTABLE;
        let at = all.iter().position(|column| *column == self.column).map_or(0, |at| at + 1);
        Self::new(all.get(at).copied().unwrap_or(Column::Hits))
    }

    /// The other way around.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { is_reversed: !self.is_reversed, ..self }
    }

    /// Which of the keys are asked for: those that are heaviest by it.
    pub fn by(self) -> By {
        match self.column {
            Column::Bytes => By::Bytes,
            Column::Errors => By::Errors,
            Column::Clients => By::Clients,
            Column::Latency => By::Latency,
            Column::Name | Column::Hits | Column::Share | Column::Rate | Column::Trend => By::Hits,
        }
    }

    /// Whether the course of each row has to be known.
    pub fn is_by_trend(self) -> bool {
        self.column == Column::Trend
    }

    /// Whether its arrow points down: numbers begin with the greatest, names with the first.
    pub fn is_descending(self) -> bool {
        (self.column != Column::Name) != self.is_reversed
    }
}

/// Puts rows in order. Those of which it is not known by what they are sorted come last, whichever way.
pub fn sort_rows(rows: &mut [Row], sort: Sort, trends: &HashMap<KeyId, Series>) {
    let name = |row: &Row| row.key.as_ref().map(|key| key.text.clone()).unwrap_or_default();
    let p95 = |row: &Row| row.latency.map(|latency| latency.p95);
    let trend = |row: &Row| row.key.as_ref().and_then(|key| trends.get(&key.id)).map(growth);
    let turned = |order: Ordering| if sort.is_reversed { order.reverse() } else { order };
    let compare = |one: &Row, other: &Row| match sort.column {
        Column::Name => turned(name(one).cmp(&name(other))),
        Column::Trend => {
            heaviest(trend(one), trend(other), |one, other| turned(other.total_cmp(one)))
        }
        Column::Latency => heaviest(p95(one), p95(other), |one, other| turned(other.cmp(one))),
        Column::Bytes => turned(other.bytes.value.cmp(&one.bytes.value)),
        Column::Errors => turned(other.errors.value.cmp(&one.errors.value)),
        Column::Clients => turned(other.clients.count.cmp(&one.clients.count)),
        Column::Hits | Column::Share | Column::Rate => {
            turned(other.hits.value.cmp(&one.hits.value))
        }
    };
    rows.sort_by(|one, other| {
        // Those with more lines first where there is no difference, and then by name, so that rows
        // keep their places.
        compare(one, other)
            .then_with(|| other.hits.value.cmp(&one.hits.value))
            .then_with(|| name(one).cmp(&name(other)))
    });
}

/// What is known before what is not.
fn heaviest<T>(
    one: Option<T>,
    other: Option<T>,
    compare: impl FnOnce(&T, &T) -> Ordering,
) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => compare(&one, &other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

/// From -1, all lines came in the older half, to 1, all came in the newer one.
#[expect(clippy::cast_precision_loss, reason = "a tendency")]
pub fn growth(series: &Series) -> f64 {
    let hits = || series.points.iter().map(|point| point.hits.value as f64);
    let half = series.points.len() / 2;
    let (older, newer): (f64, f64) = (hits().take(half).sum(), hits().rev().take(half).sum());
    if older + newer > 0.0 { (newer - older) / (newer + older) } else { 0.0 }
}
