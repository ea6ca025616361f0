//! What is counted of the lines of one step.

use crate::sketch::{Counts, Figures, Latency, Table, Uniques};

/// Sums over all lines.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// What is counted.
    pub counts: Counts,
    /// Clients.
    pub clients: Uniques,
    /// How long lines took.
    pub latency: Latency,
}

impl Totals {
    /// Adds a line.
    #[inline]
    pub fn take(&mut self, figures: &Figures) {
        self.counts.take(figures);
        if let Some(client) = figures.client {
            self.clients.take(client);
        }
        if let Some(nanos) = figures.latency {
            self.latency.take(nanos);
        }
    }

    /// Adds the lines of another.
    pub fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.clients.add(&other.clients);
        self.latency.add(&other.latency);
    }
}

/// The lines of a step: sums, and a table for each dimension, by its place.
#[derive(Debug)]
pub struct Step {
    /// Its number: how many steps began since 1970.
    pub number: i64,
    /// Sums over all lines.
    pub totals: Totals,
    /// Keys.
    pub tables: Vec<Table>,
}

impl Step {
    /// An empty step with so many dimensions.
    pub fn new(number: i64, dimensions: usize, capacity: usize) -> Self {
        let tables = (0..dimensions).map(|_| Table::new(capacity)).collect();
        Self { number, totals: Totals::default(), tables }
    }

    /// Without any line, for another number, in the same memory.
    pub fn clear(&mut self, number: i64) {
        self.number = number;
        self.totals.counts = Counts::default();
        self.totals.clients.clear();
        self.totals.latency.clear();
        self.tables.iter_mut().for_each(Table::clear);
    }

    /// Makes it small, for being kept and read.
    pub fn seal(&mut self) {
        self.tables.iter_mut().for_each(Table::seal);
    }
}
