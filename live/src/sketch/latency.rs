//! How long all lines took: a histogram of two digits, so within 1 %.

use hdrhistogram::Histogram;

/// From a microsecond to a day, in nanoseconds; what is beyond counts as one of these.
const LEAST: u64 = 1_000;
const MOST: u64 = 86_400_000_000_000;
/// What is read from it is at most so far off, relative.
pub const WITHIN: f64 = 0.01;

/// Times that lines took; without memory until there is one.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    histogram: Option<Box<Histogram<u64>>>,
    most: u64,
}

impl Latency {
    fn histogram(&mut self) -> Option<&mut Histogram<u64>> {
        if self.histogram.is_none() {
            self.histogram = Histogram::new_with_bounds(LEAST, MOST, 2).ok().map(Box::new);
        }
        self.histogram.as_deref_mut()
    }

    /// Adds a line that took so many nanoseconds.
    pub fn take(&mut self, nanos: u64) {
        self.most = self.most.max(nanos);
        if let Some(histogram) = self.histogram() {
            histogram.saturating_record(nanos);
        }
    }

    /// Adds the lines of another.
    pub fn add(&mut self, other: &Self) {
        self.most = self.most.max(other.most);
        if let Some(theirs) = &other.histogram
            && let Some(ours) = self.histogram()
        {
            // Both have the same bounds, so that nothing can be out of them.
            let added = ours.add(&**theirs);
            debug_assert!(added.is_ok(), "{added:?}");
        }
    }

    /// How many lines there are.
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, |histogram| histogram.len())
    }

    /// The longest, in nanoseconds: exact.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// What so many of a thousand lines took at most, in nanoseconds.
    #[expect(clippy::cast_precision_loss, reason = "at most 1000")]
    pub fn at(&self, of_thousand: u64) -> u64 {
        let Some(histogram) = &self.histogram else { return 0 };
        histogram.value_at_quantile(of_thousand as f64 / 1000.0).min(self.most)
    }

    /// Without any, in the same memory.
    pub fn clear(&mut self) {
        self.most = 0;
        if let Some(histogram) = &mut self.histogram {
            histogram.reset();
        }
    }
}
