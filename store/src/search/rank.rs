//! Where a hit stands among others: sort fields as numbers of which the smaller is first.
//!
//! Within a segment the value of a document is a number of 128 bits for any kind of field: numbers,
//! dates and booleans as tantivy orders them, addresses as they are, strings as their place among
//! the segment's. Only hits that are kept get the strings themselves.

use std::cmp::Ordering;
use std::net::Ipv6Addr;

use serde_json::{Number, Value, json};
use tantivy::columnar::{Column, ColumnType, MonotonicallyMappableToU64, StrColumn};
use tantivy::{DateTime, DocId, Score, SegmentReader};

use crate::query::Dates;

/// What the values of a sort field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Whole numbers.
    Long,
    /// Whole numbers of 32 bits.
    Integer,
    /// Numbers.
    Double,
    /// Numbers of 32 bits.
    Float,
    /// True or false.
    Boolean,
    /// Moments, told in milliseconds.
    Date,
    /// Moments, told in nanoseconds.
    DateNanos,
    /// Strings.
    Text,
    /// Addresses.
    Ip,
    /// Scores.
    Score,
    /// Places in the index.
    Document,
    /// Places among all that is searched: no two are equal.
    ShardDocument,
}

impl Class {
    /// Whether its values are numbers, which can be compared with those of another such class.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Long | Self::Integer | Self::Double | Self::Float)
    }
}

/// A sort field, for all indices.
#[derive(Debug, Clone)]
pub struct Criterion {
    /// What its values are.
    pub class: Class,
    /// Whether the largest is first.
    pub is_descending: bool,
    /// What documents without a value have.
    pub missing: Rank,
    /// How dates are printed.
    pub format: Option<Dates>,
}

/// Where a hit stands by one field, across segments and indices.
#[derive(Debug, Clone, PartialEq)]
pub enum Rank {
    /// A number, or anything that is one.
    Number(u128),
    /// A string; `None` where there is none.
    Text(Option<Box<str>>),
}

/// What a document has no string for.
const NO_TEXT: Rank = Rank::Text(None);

impl Criterion {
    /// What stands before all or after all.
    pub fn extreme(class: Class, is_first: bool, is_descending: bool) -> Rank {
        match class {
            Class::Text => NO_TEXT,
            Class::Ip => Rank::Number(if is_first == is_descending { u128::MAX } else { 0 }),
            // There is nothing before 1970.
            Class::DateNanos if is_first != is_descending => {
                Rank::Number(u128::from(0_i64.to_u64()))
            }
            Class::Integer => {
                let extreme = if is_first == is_descending { i32::MAX } else { i32::MIN };
                Rank::Number(u128::from(i64::from(extreme).to_u64()))
            }
            _ => Rank::Number(if is_first == is_descending { u128::from(u64::MAX) } else { 0 }),
        }
    }

    /// The order of two ranks. Strings that are not there are last, or first where `missing_first`.
    pub fn compare(&self, one: &Rank, other: &Rank, missing_first: bool) -> Ordering {
        let turned = |order: Ordering| if self.is_descending { order.reverse() } else { order };
        match (one, other) {
            (Rank::Number(one), Rank::Number(other)) => turned(one.cmp(other)),
            (Rank::Text(Some(one)), Rank::Text(Some(other))) => turned(one.cmp(other)),
            (Rank::Text(None), Rank::Text(None)) => Ordering::Equal,
            (Rank::Text(None) | Rank::Number(_), Rank::Text(_)) => {
                if missing_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (Rank::Text(_), _) => {
                if missing_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
        }
    }

    /// As Elasticsearch prints it among the sort values of a hit.
    pub fn print(&self, rank: &Rank) -> Value {
        let number = match rank {
            Rank::Text(text) => return text.as_deref().map_or(Value::Null, Value::from),
            Rank::Number(number) => *number,
        };
        let bits = u64::try_from(number).unwrap_or(u64::MAX);
        match self.class {
            Class::Long | Class::Integer => json!(i64::from_u64(bits)),
            Class::Boolean if bits == 0 => json!(i64::MIN),
            Class::Boolean if bits > 2 => json!(i64::MAX),
            Class::Boolean => json!(bits - 1),
            Class::Document | Class::ShardDocument => json!(bits),
            Class::Double | Class::Float if bits == u64::MAX => json!("Infinity"),
            Class::Double | Class::Float if bits == 0 => json!("-Infinity"),
            Class::Double => double(f64::from_u64(bits)),
            #[expect(clippy::cast_possible_truncation, reason = "it was one")]
            Class::Score | Class::Float => float(f64::from_u64(bits) as f32),
            Class::Date | Class::DateNanos if bits == u64::MAX || bits == 0 => {
                let extreme = json!(i64::from_u64(bits));
                if self.format.is_some() { Value::Null } else { extreme }
            }
            Class::Date | Class::DateNanos => self.print_date(i64::from_u64(bits)),
            Class::Ip if *rank == self.missing => Value::Null,
            Class::Ip => Value::from(print_address(Ipv6Addr::from(number))),
            Class::Text => Value::Null,
        }
    }

    fn print_date(&self, nanoseconds: i64) -> Value {
        let moment = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default();
        match &self.format {
            Some(format) => Value::from(format.print(moment)),
            None if self.class == Class::DateNanos => json!(nanoseconds),
            None => json!(moment.as_millisecond()),
        }
    }
}

/// A score, with the digits of its own precision.
pub fn float(score: f32) -> Value {
    let shortest = score.to_string().parse().ok();
    double(shortest.unwrap_or_else(|| f64::from(score)))
}

fn double(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// IPv4 addresses as such.
pub fn print_address(address: Ipv6Addr) -> String {
    address.to_ipv4_mapped().map_or_else(|| address.to_string(), |address| address.to_string())
}

/// Where a segment is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The number of its index among those that are searched.
    pub index: usize,
    /// How many documents are in the segments before it.
    pub first: u64,
}

/// So many bits of a place among all that is searched are the place in the index.
const BITS_OF_PLACES: u32 = 32;

/// A sort field, for one segment.
pub struct Ranker {
    values: Values,
    is_descending: bool,
    missing: u128,
    /// Whether values are strings.
    is_text: bool,
    /// The string that stands for missing ones.
    missing_text: Option<Box<str>>,
}

enum Values {
    Score,
    /// The first document of the segment has this place.
    Document(u64),
    Absent,
    Bits(Column<u64>, Conversion),
    Text(StrColumn),
    Ip(Column<Ipv6Addr>),
}

/// How a column's bits become those of the class.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Conversion {
    None,
    LongToDouble,
    UnsignedToDouble,
    DoubleToLong,
    UnsignedToLong,
    /// Booleans leave 0 to what is before all others.
    AfterNone,
}

impl Ranker {
    /// For the column `name` of a segment.
    ///
    /// # Errors
    /// When the segment cannot be read.
    pub fn new(
        criterion: &Criterion,
        name: Option<&str>,
        missing_first: bool,
        (segment, place): (&SegmentReader, Place),
    ) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        let values = match (criterion.class, name) {
            (Class::Score, _) => Values::Score,
            (Class::Document, _) => Values::Document(place.first),
            (Class::ShardDocument, _) => {
                Values::Document(((place.index as u64) << BITS_OF_PLACES) | place.first)
            }
            (_, None) => Values::Absent,
            (Class::Text, Some(name)) => columns.str(name)?.map_or(Values::Absent, Values::Text),
            (Class::Ip, Some(name)) => columns.column_opt(name)?.map_or(Values::Absent, Values::Ip),
            (class, Some(name)) => match columns.u64_lenient(name)? {
                Some((column, kind)) => Values::Bits(column, conversion(class, kind)),
                None => Values::Absent,
            },
        };
        let mut ranker = Self {
            values,
            is_descending: criterion.is_descending,
            is_text: criterion.class == Class::Text,
            missing: 0,
            missing_text: match &criterion.missing {
                Rank::Text(text) => text.clone(),
                Rank::Number(_) => None,
            },
        };
        ranker.missing = match &criterion.missing {
            Rank::Text(None) if missing_first == criterion.is_descending => u128::MAX,
            Rank::Text(None) => 0,
            rank => ranker.bits(rank, missing_first)?,
        };
        Ok(ranker)
    }

    /// The number of a rank that comes from elsewhere, before it is turned for descending order.
    fn bits(&self, rank: &Rank, missing_first: bool) -> tantivy::Result<u128> {
        Ok(match rank {
            Rank::Number(number) => *number,
            Rank::Text(None) if missing_first == self.is_descending => u128::MAX,
            Rank::Text(None) => 0,
            Rank::Text(Some(text)) => match &self.values {
                Values::Text(column) => place_of(column, text, self.missing_text.as_deref())?,
                // All are missing here.
                _ => between(text, self.missing_text.as_deref()),
            },
        })
    }

    /// The number of a rank that comes from elsewhere; smaller ones are before it.
    ///
    /// # Errors
    /// When the segment cannot be read.
    pub fn key_of(&self, rank: &Rank, missing_first: bool) -> tantivy::Result<u128> {
        self.bits(rank, missing_first).map(|bits| self.turned(bits))
    }

    fn turned(&self, bits: u128) -> u128 {
        if self.is_descending { !bits } else { bits }
    }

    /// The number of a document; smaller ones are before it.
    pub fn key(&self, document: DocId, score: Score) -> u128 {
        let best = |values: &mut dyn Iterator<Item = u128>| {
            if self.is_descending { values.max() } else { values.min() }
        };
        let bits = match &self.values {
            Values::Score => Some(u128::from(f64::from(score).to_u64())),
            Values::Document(first) => Some(u128::from(first + u64::from(document))),
            Values::Absent => None,
            Values::Bits(column, conversion) => best(
                &mut column
                    .values_for_doc(document)
                    .map(|value| u128::from(conversion.apply(value))),
            ),
            Values::Text(column) => {
                best(&mut column.term_ords(document).map(|place| u128::from(place) * 4 + 3))
            }
            Values::Ip(column) => best(&mut column.values_for_doc(document).map(u128::from)),
        };
        self.turned(bits.unwrap_or(self.missing))
    }

    /// What a number of this segment is everywhere.
    ///
    /// # Errors
    /// When the segment cannot be read.
    pub fn rank(&self, key: u128) -> tantivy::Result<Rank> {
        let bits = self.turned(key);
        Ok(match &self.values {
            Values::Text(column) if bits % 4 == 3 && bits != u128::MAX => {
                let mut text = String::new();
                column.ord_to_str(u64::try_from(bits / 4).unwrap_or(u64::MAX), &mut text)?;
                Rank::Text(Some(text.into()))
            }
            Values::Text(_) => Rank::Text(self.missing_text.clone()),
            Values::Absent if self.is_text => Rank::Text(self.missing_text.clone()),
            _ => Rank::Number(bits),
        })
    }

    /// Whether the largest is first.
    pub fn is_turned(&self) -> bool {
        self.is_descending
    }

    /// The column, where all documents have one number.
    pub fn plain_column(&self) -> Option<&Column<u64>> {
        match &self.values {
            Values::Bits(column, Conversion::None)
                if column.get_cardinality() == tantivy::columnar::Cardinality::Full =>
            {
                Some(column)
            }
            _ => None,
        }
    }
}

/// Where a string is among those of a segment: these are at every fourth number, and others between them.
fn place_of(column: &StrColumn, text: &str, missing: Option<&str>) -> tantivy::Result<u128> {
    let dictionary = column.dictionary();
    if let Some(place) = dictionary.term_ord(text.as_bytes())? {
        return Ok(u128::from(place) * 4 + 3);
    }
    let mut after = dictionary.range().ge(text.as_bytes()).into_stream()?;
    let next = if after.advance() { after.term_ord() } else { dictionary.num_terms() as u64 };
    Ok(u128::from(next) * 4 + between(text, missing))
}

/// Where a string is that is between two of a segment, before or behind the one that stands for missing
/// ones: that may be there, too.
fn between(text: &str, missing: Option<&str>) -> u128 {
    match missing.map(|missing| text.cmp(missing)) {
        Some(Ordering::Less) => 0,
        Some(Ordering::Equal) | None => 1,
        Some(Ordering::Greater) => 2,
    }
}

fn conversion(class: Class, kind: ColumnType) -> Conversion {
    match (class, kind) {
        (Class::Boolean, _) => Conversion::AfterNone,
        (Class::Double | Class::Float, ColumnType::I64) => Conversion::LongToDouble,
        (Class::Double | Class::Float, ColumnType::U64) => Conversion::UnsignedToDouble,
        (Class::Long | Class::Integer, ColumnType::F64) => Conversion::DoubleToLong,
        (Class::Long | Class::Integer, ColumnType::U64) => Conversion::UnsignedToLong,
        _ => Conversion::None,
    }
}

impl Conversion {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a number of one kind is asked for as one of another"
    )]
    fn apply(self, bits: u64) -> u64 {
        match self {
            Self::None => bits,
            Self::AfterNone => bits.saturating_add(1),
            Self::LongToDouble => (i64::from_u64(bits) as f64).to_u64(),
            Self::UnsignedToDouble => (bits as f64).to_u64(),
            Self::DoubleToLong => (f64::from_u64(bits) as i64).to_u64(),
            Self::UnsignedToLong => i64::try_from(bits).unwrap_or(i64::MAX).to_u64(),
        }
    }
}

/// The rank of a moment.
pub fn date_rank(moment: jiff::Timestamp) -> Rank {
    let count = moment.as_nanosecond();
    let nanoseconds = i64::try_from(count).unwrap_or(if count < 0 { i64::MIN } else { i64::MAX });
    Rank::Number(u128::from(DateTime::from_timestamp_nanos(nanoseconds).to_u64()))
}
