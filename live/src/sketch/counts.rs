//! What is counted of a line.

/// Status classes: lines without a status, then 1xx to 5xx.
pub const CLASSES: usize = 6;

/// What of one line is added to figures; made once a line, for all of its keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Bytes of the response.
    pub bytes: u64,
    /// The class of its status: 0 without one.
    pub class: u8,
    /// Whether it counts as an error.
    pub is_error: bool,
    /// The hash of its client.
    pub client: Option<u64>,
    /// How long it took, in nanoseconds.
    pub latency: Option<u64>,
    /// The bucket of that.
    pub bucket: u8,
}

/// Sums over lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines.
    pub hits: u64,
    /// Bytes of their responses.
    pub bytes: u64,
    /// Lines that are errors.
    pub errors: u64,
    /// Lines of each class of status: without one, 1xx to 5xx.
    pub classes: [u64; CLASSES],
}

impl Counts {
    /// Adds a line.
    #[inline]
    pub fn take(&mut self, figures: &Figures) {
        self.hits += 1;
        self.bytes = self.bytes.saturating_add(figures.bytes);
        self.errors += u64::from(figures.is_error);
        if let Some(class) = self.classes.get_mut(usize::from(figures.class)) {
            *class += 1;
        }
    }

    /// Adds the lines of another.
    pub fn add(&mut self, other: &Self) {
        self.hits = self.hits.saturating_add(other.hits);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.errors = self.errors.saturating_add(other.errors);
        for (class, more) in self.classes.iter_mut().zip(other.classes) {
            *class = class.saturating_add(more);
        }
    }

    /// Adds what may be too much, so that a sum is never too small.
    pub fn add_over(&mut self, over: &Over) {
        self.hits = self.hits.saturating_add(over.hits);
        self.bytes = self.bytes.saturating_add(over.bytes);
        self.errors = self.errors.saturating_add(over.errors);
    }
}

/// By how much sums may be too large, at most: nothing where they are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Over {
    /// Lines.
    pub hits: u64,
    /// Bytes.
    pub bytes: u64,
    /// Errors.
    pub errors: u64,
}

impl Over {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.hits = self.hits.saturating_add(other.hits);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.errors = self.errors.saturating_add(other.errors);
    }

    /// What is left of it without `part`.
    pub fn without(&self, part: &Self) -> Self {
        Self {
            hits: self.hits.saturating_sub(part.hits),
            bytes: self.bytes.saturating_sub(part.bytes),
            errors: self.errors.saturating_sub(part.errors),
        }
    }

    /// At least as much as `counts`.
    pub fn cover(&mut self, counts: &Counts) {
        self.hits = self.hits.max(counts.hits);
        self.bytes = self.bytes.max(counts.bytes);
        self.errors = self.errors.max(counts.errors);
    }
}
