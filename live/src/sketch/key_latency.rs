//! How long the lines of one key took: logarithmic buckets of an eighth to a sixteenth of their value,
//! so that what is read from them is at most 6.25 % off. The largest is known exactly.

/// How many buckets there are; the last one has all that took more than four hours.
const BUCKETS: usize = 256;
/// So many are kept one by one.
const FEW: usize = 64;
/// Bits of nanoseconds that make no difference: about a microsecond.
const UNIT: u32 = 10;
/// Half the width of a bucket, relative to its values.
pub const WITHIN: f64 = 0.0625;

/// The bucket of so many nanoseconds.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "at most 255")]
pub fn bucket(nanos: u64) -> u8 {
    let value = nanos >> UNIT;
    if value < 8 {
        return value as u8;
    }
    let exponent = value.ilog2();
    let part = (value >> (exponent - 3)) & 7;
    (u64::from(exponent - 2) * 8 + part).min(255) as u8
}

/// The middle of a bucket, in nanoseconds.
fn middle(bucket: u8) -> u64 {
    let (row, part) = (u32::from(bucket) / 8, u64::from(bucket) % 8);
    let (start, width) = match row {
        0 => (part, 1),
        row => ((8 + part) << (row - 1), 1 << (row - 1)),
    };
    (start << UNIT) + (width << UNIT) / 2
}

/// Times that are as large as they must be: most keys have one line.
#[derive(Debug, Clone, Default)]
pub enum KeyLatency {
    /// No line.
    #[default]
    None,
    /// One, which took so many nanoseconds.
    One(u64),
    /// Several.
    Several(Box<Histogram>),
}

impl KeyLatency {
    /// Adds a line that took so many nanoseconds, which are in this bucket.
    #[inline]
    pub fn take(&mut self, nanos: u64, bucket: u8) {
        match self {
            Self::None => *self = Self::One(nanos),
            Self::Several(histogram) => histogram.take(nanos, bucket),
            Self::One(_) => self.change(|histogram| histogram.take(nanos, bucket)),
        }
    }

    /// Does something with all lines as a histogram.
    fn change(&mut self, change: impl FnOnce(&mut Histogram)) {
        let mut histogram = match std::mem::take(self) {
            Self::Several(histogram) => histogram,
            Self::None => Box::default(),
            Self::One(nanos) => {
                let mut histogram = Box::<Histogram>::default();
                histogram.take(nanos, bucket(nanos));
                histogram
            }
        };
        change(&mut histogram);
        *self = Self::Several(histogram);
    }

    /// Adds the lines of another.
    pub fn add(&mut self, other: &Self) {
        match other {
            Self::None => {}
            Self::One(nanos) => self.take(*nanos, bucket(*nanos)),
            Self::Several(theirs) => self.change(|histogram| histogram.add(theirs)),
        }
    }

    /// How many lines there are.
    pub fn count(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Several(histogram) => histogram.count(),
        }
    }

    /// The longest, in nanoseconds.
    pub fn most(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::One(nanos) => *nanos,
            Self::Several(histogram) => histogram.most,
        }
    }

    /// What so many of a thousand lines took at most, in nanoseconds.
    pub fn at(&self, of_thousand: u64) -> u64 {
        match self {
            Self::None => 0,
            Self::One(nanos) => *nanos,
            Self::Several(histogram) => histogram.at(of_thousand),
        }
    }

    /// In no more memory than needed.
    pub fn shrink(&mut self) {
        if let Self::Several(histogram) = self {
            histogram.shrink();
        }
    }
}

/// The lines of a key that has several.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    most: u64,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    /// The bucket of each.
    Few(Vec<u8>),
    /// How many in each bucket.
    All(Box<[u32; BUCKETS]>),
    /// The same without the empty ones, in order.
    Filled(Box<[(u8, u32)]>),
}

impl Default for Shape {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Histogram {
    fn take(&mut self, nanos: u64, bucket: u8) {
        self.most = self.most.max(nanos);
        match &mut self.shape {
            Shape::Few(few) if few.len() < FEW => few.push(bucket),
            _ => count(self.spread(), bucket, 1),
        }
    }

    fn spread(&mut self) -> &mut [u32] {
        if !matches!(self.shape, Shape::All(_)) {
            let mut counts = Box::new([0; BUCKETS]);
            self.each(|bucket, more| count(&mut counts[..], bucket, more));
            self.shape = Shape::All(counts);
        }
        match &mut self.shape {
            Shape::All(counts) => &mut counts[..],
            Shape::Few(_) | Shape::Filled(_) => &mut [],
        }
    }

    fn each(&self, mut then: impl FnMut(u8, u32)) {
        match &self.shape {
            Shape::Few(few) => {
                for bucket in few {
                    then(*bucket, 1);
                }
            }
            Shape::Filled(counts) => {
                for (bucket, count) in counts {
                    then(*bucket, *count);
                }
            }
            Shape::All(counts) => {
                for (bucket, count) in (0..=u8::MAX).zip(counts.iter()) {
                    if *count > 0 {
                        then(bucket, *count);
                    }
                }
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.most = self.most.max(other.most);
        if let (Shape::Few(ours), Shape::Few(theirs)) = (&mut self.shape, &other.shape)
            && ours.len() + theirs.len() <= FEW
        {
            return ours.extend_from_slice(theirs);
        }
        let counts = self.spread();
        other.each(|bucket, more| count(counts, bucket, more));
    }

    fn count(&self) -> u64 {
        let mut sum = 0;
        self.each(|_, count| sum += u64::from(count));
        sum
    }

    fn at(&self, of_thousand: u64) -> u64 {
        let mut counts = [0_u64; BUCKETS];
        self.each(|bucket, more| {
            if let Some(count) = counts.get_mut(usize::from(bucket)) {
                *count += u64::from(more);
            }
        });
        let wanted = (counts.iter().sum::<u64>() * of_thousand).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, count) in (0..=u8::MAX).zip(counts) {
            seen += count;
            if seen >= wanted {
                return middle(bucket).min(self.most);
            }
        }
        self.most
    }

    fn shrink(&mut self) {
        if let Shape::Few(few) = &mut self.shape {
            few.shrink_to_fit();
            return;
        }
        let mut filled = Vec::new();
        self.each(|bucket, count| filled.push((bucket, count)));
        self.shape = Shape::Filled(filled.into_boxed_slice());
    }
}

fn count(counts: &mut [u32], bucket: u8, more: u32) {
    if let Some(count) = counts.get_mut(usize::from(bucket)) {
        *count = count.saturating_add(more);
    }
}
