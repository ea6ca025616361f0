//! Dates as they are written in requests: formats, date math (`now-1h/d`), rounding.
//! <https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options#date-math>
//!
//! The calendar is jiff's. Text is understood to its own precision: `2026-11-27` is a day, of which
//! a range begins at the beginning or at the end, as its edge says; `2026-11` is that month's first day.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp};

/// What fields of dates understand unless a request says otherwise.
const USUAL: &str = "strict_date_optional_time||epoch_millis";
/// Steps of date math.
const MOST_STEPS: usize = 32;

/// A way to write dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateFormat {
    /// ISO 8601, of which the end may be left out.
    Optional,
    /// The same with nanoseconds, in which a time has its seconds.
    OptionalNanos,
    /// Milliseconds since 1970.
    EpochMillis,
    /// Seconds since 1970.
    EpochSecond,
    /// A pattern, in the letters of strftime, with its smallest unit.
    Pattern(String, char),
}

/// Ways to write dates, and what they are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dates {
    formats: Vec<DateFormat>,
    name: String,
}

/// Which moment of a month, say, is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// The first moment.
    Down,
    /// The last moment.
    Up,
}

/// What a date is seen from.
#[derive(Debug, Clone)]
pub struct Viewpoint {
    /// The time of the request.
    pub now: Timestamp,
    /// Where dates without a zone are.
    pub zone: TimeZone,
}

impl Default for Viewpoint {
    fn default() -> Self {
        Self { now: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC }
    }
}

impl Default for Dates {
    fn default() -> Self {
        let formats = vec![DateFormat::Optional, DateFormat::EpochMillis];
        Self { formats, name: USUAL.to_owned() }
    }
}

impl Dates {
    /// Milliseconds since 1970.
    pub fn epoch_millis() -> Self {
        Self { formats: vec![DateFormat::EpochMillis], name: "epoch_millis".to_owned() }
    }

    /// What fields of dates with nanoseconds understand.
    pub fn nanos() -> Self {
        let formats = vec![DateFormat::OptionalNanos, DateFormat::EpochMillis];
        Self { formats, name: "strict_date_optional_time_nanos||epoch_millis".to_owned() }
    }

    /// Reads names of formats, as in `yyyy-MM-dd||epoch_millis`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(name: &str) -> Result<Self, String> {
        let formats: Result<Vec<_>, String> = name.split("||").map(DateFormat::parse).collect();
        Ok(Self { formats: formats?, name: name.to_owned() })
    }

    /// The moment that a text means.
    ///
    /// # Errors
    /// In Elasticsearch's words.
    pub fn read(
        &self,
        text: &str,
        view: &Viewpoint,
        rounding: Rounding,
    ) -> Result<Timestamp, String> {
        let refused = || {
            let reason = format!("failed to parse date field [{text}] with format [{}]", self.name);
            format!("{reason}: [{reason}]")
        };
        let (base, math) = if let Some(math) = text.strip_prefix("now") {
            (view.zone.to_datetime(view.now), math)
        } else {
            let (date, math) = text.split_once("||").unwrap_or((text, ""));
            // What is computed with is the beginning; only the result is rounded.
            let own = if math.is_empty() { rounding } else { Rounding::Down };
            (self.plain(date, view, own).ok_or_else(refused)?, math)
        };
        let moment = compute(base, math, rounding).ok_or_else(refused)?;
        moment
            .to_zoned_datetime(view.zone.clone())
            .map(|zoned| zoned.timestamp())
            .map_err(|_| refused())
    }

    fn plain(&self, text: &str, view: &Viewpoint, rounding: Rounding) -> Option<DateTime> {
        self.formats.iter().find_map(|format| {
            let (moment, unit) = format.read(text, &view.zone)?;
            // As in Elasticsearch, the end of a year or a month is that of its first day.
            let unit = if matches!(unit, 'y' | 'M') { 'd' } else { unit };
            if rounding == Rounding::Up { last_of(moment, unit) } else { Some(moment) }
        })
    }

    /// A moment in the first of the formats.
    pub fn print(&self, moment: Timestamp) -> String {
        self.formats.first().map_or_else(String::new, |format| format.print(moment))
    }
}

impl DateFormat {
    fn parse(name: &str) -> Result<Self, String> {
        match name {
            "strict_date_optional_time" => Ok(Self::Optional),
            "strict_date_optional_time_nanos" => Ok(Self::OptionalNanos),
            "epoch_millis" => Ok(Self::EpochMillis),
            "epoch_second" => Ok(Self::EpochSecond),
            pattern => translate(pattern)
                .map(|(format, unit)| Self::Pattern(format, unit))
                .ok_or_else(|| format!("Invalid format: [{pattern}]: not supported")),
        }
    }

    /// A moment as it is in the zone, and the unit that it is precise to.
    fn read(&self, text: &str, zone: &TimeZone) -> Option<(DateTime, char)> {
        let of_epoch = |moment: Timestamp| zone.to_datetime(moment);
        match self {
            Self::Optional => optional(text, zone),
            Self::OptionalNanos => {
                optional(text, zone).filter(|(_, unit)| !matches!(unit, 'h' | 'm'))
            }
            Self::EpochMillis => {
                let moment = Timestamp::from_millisecond(whole(text)?).ok()?;
                Some((of_epoch(moment), 'f'))
            }
            Self::EpochSecond => {
                let moment = Timestamp::from_second(whole(text)?).ok()?;
                Some((of_epoch(moment), 's'))
            }
            Self::Pattern(format, unit) => {
                let text = exact(format, text)?;
                let mut parts = BrokenDownTime::parse(format, &text).ok()?;
                if parts.year().is_none() {
                    parts.set_year(Some(1970)).ok()?;
                }
                if parts.month().is_none() {
                    parts.set_month(Some(1)).ok()?;
                }
                if parts.day().is_none() {
                    parts.set_day(Some(1)).ok()?;
                }
                let time = parts.to_time().unwrap_or_default();
                let moment = parts.to_date().ok()?.to_datetime(time);
                let moment = match parts.offset() {
                    Some(offset) => zone.to_datetime(offset.to_timestamp(moment).ok()?),
                    None => moment,
                };
                Some((moment, *unit))
            }
        }
    }

    fn print(&self, moment: Timestamp) -> String {
        match self {
            Self::Optional => format!("{moment:.3}"),
            Self::OptionalNanos => iso(moment),
            Self::EpochMillis => epoch_millis(moment),
            Self::EpochSecond => moment.as_second().to_string(),
            Self::Pattern(format, _) => {
                let format = format.replace("%:z", "Z");
                moment.to_zoned_datetime(TimeZone::UTC).strftime(&format).to_string()
            }
        }
    }
}

/// Milliseconds since 1970, with a fraction where there is one.
fn epoch_millis(moment: Timestamp) -> String {
    let nanoseconds = moment.as_nanosecond().rem_euclid(1_000_000);
    let milliseconds = moment.as_nanosecond().div_euclid(1_000_000);
    if nanoseconds == 0 || milliseconds < 0 {
        return moment.as_millisecond().to_string();
    }
    let fraction = format!("{nanoseconds:06}");
    format!("{milliseconds}.{}", fraction.trim_end_matches('0'))
}

/// As Elasticsearch prints dates: three digits after the second, more where they are not 0.
pub fn iso(moment: Timestamp) -> String {
    let (mut fraction, mut digits) = (moment.subsec_nanosecond(), 9);
    while digits > 3 && fraction % 10 == 0 {
        fraction /= 10;
        digits -= 1;
    }
    let text = format!("{moment:.digits$}");
    // A year before 0 has six digits here and four there.
    match text.strip_prefix("-00") {
        Some(rest) => format!("-{rest}"),
        None => text,
    }
}

/// Milliseconds since 1970 as text: also those of years of five digits and more, which sums of dates come
/// to, and for which there are no [`Timestamp`]s.
pub fn iso_of_milliseconds(milliseconds: i64) -> String {
    /// The calendar is the same again after 400 years.
    const YEARS: i64 = 400;
    const CYCLE: i64 = 146_097 * 86_400_000;
    if let Ok(moment) = Timestamp::from_millisecond(milliseconds) {
        return iso(moment);
    }
    let same = Timestamp::from_millisecond(milliseconds.rem_euclid(CYCLE)).unwrap_or_default();
    let text = iso(same);
    let (year, rest) = text.split_once('-').unwrap_or_default();
    let year = year.parse().unwrap_or(0) + milliseconds.div_euclid(CYCLE) * YEARS;
    let sign = match year {
        ..0 => "-",
        0..10_000 => "",
        _ => "+",
    };
    format!("{sign}{:04}-{rest}", year.abs())
}

/// `UTC` or an offset; names of places are not known here.
pub fn time_zone(text: &str) -> Option<TimeZone> {
    if matches!(text, "UTC" | "Z" | "GMT") {
        Some(TimeZone::UTC)
    } else {
        offset(text).map(TimeZone::fixed)
    }
}

/// `+01:00`, `+0100` or `+01`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let is_written_well = matches!((rest.len(), digits.len()), (2, 2) | (4 | 5, 4));
    if !is_written_well || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes: i32 = if minutes.is_empty() { 0 } else { minutes.parse().ok()? };
    let hours: i32 = hours.parse().ok()?;
    let seconds = hours * 3600 + minutes * 60;
    // As in Java.
    if minutes > 59 || seconds > 18 * 3600 {
        return None;
    }
    Offset::from_seconds(sign * seconds).ok()
}

/// Digits of a certain number, and what follows them.
fn digits(text: &str, count: usize) -> Option<(i32, &str)> {
    let (number, rest) = text.split_at_checked(count)?;
    let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
    if is_number { Some((number.parse().ok()?, rest)) } else { None }
}

/// A date of a document, and the unit that it is precise to: `strict_date_optional_time`, of UTC if it
/// does not say otherwise.
pub fn of_document(text: &str) -> Option<(DateTime, char)> {
    optional(text, &TimeZone::UTC)
}

/// `2026-11-27T12:00:00.250+01:00`, or less of it.
fn optional(text: &str, zone: &TimeZone) -> Option<(DateTime, char)> {
    let (year, mut rest) = digits(text, 4)?;
    let mut parts = [1, 1, 0, 0, 0];
    let separators = [('-', 'M'), ('-', 'd'), ('T', 'h'), (':', 'm'), (':', 's')];
    let mut unit = 'y';
    for (part, (separator, own)) in parts.iter_mut().zip(separators) {
        // A `T` may stand alone.
        let Some(after) = rest.strip_prefix(separator).filter(|after| !after.is_empty()) else {
            rest = if separator == 'T' { rest.strip_prefix('T').unwrap_or(rest) } else { rest };
            break;
        };
        (*part, rest) = digits(after, 2)?;
        unit = own;
    }
    let mut nanoseconds = 0;
    if unit == 's'
        && let Some(after) = rest.strip_prefix(['.', ','])
    {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (fraction, after) = after.split_at_checked(end)?;
        if fraction.is_empty() || fraction.len() > 9 {
            return None;
        }
        nanoseconds = format!("{fraction:0<9}").parse().ok()?;
        // However few digits it has, it is meant exactly.
        unit = 'n';
        rest = after;
    }
    let small = |number: i32| i8::try_from(number).ok();
    let [month, day, hour, minute, second] = parts;
    let date = Date::new(i16::try_from(year).ok()?, small(month)?, small(day)?).ok()?;
    let time = jiff::civil::Time::new(small(hour)?, small(minute)?, small(second)?, nanoseconds);
    let moment = date.to_datetime(time.ok()?);
    let own_zone = match rest {
        "" => return Some((moment, unit)),
        // Only times have zones.
        _ if matches!(unit, 'y' | 'M' | 'd') => return None,
        "Z" => Offset::UTC,
        text => offset(text)?,
    };
    Some((zone.to_datetime(own_zone.to_timestamp(moment).ok()?), unit))
}

/// The letters of Java's patterns as those of strftime, and the smallest unit among them.
fn translate(pattern: &str) -> Option<(String, char)> {
    let units = ['y', 'M', 'd', 'h', 'm', 's', 'f'];
    let mut format = String::new();
    let mut smallest = None;
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' {
            let (text, after) = rest.get(1..)?.split_once('\'')?;
            if text.contains('%') {
                return None;
            }
            format.push_str(if text.is_empty() { "'" } else { text });
            rest = after;
            continue;
        }
        let count = rest.chars().take_while(|next| *next == letter).count();
        rest = rest.get(count * letter.len_utf8()..)?;
        let (directive, unit) = match (letter, count) {
            ('y' | 'u', 4) => ("%Y", 0),
            ('y' | 'u', 2) => ("%y", 0),
            ('M', 2) => ("%m", 1),
            ('d', 2) => ("%d", 2),
            ('H', 2) => ("%H", 3),
            ('m', 2) => ("%M", 4),
            ('s', 2) => ("%S", 5),
            ('S', 3) => ("%3f", 6),
            ('X', 3) => ("%:z", 0),
            ('Z', 1..=3) => ("%z", 0),
            ('%', _) => return None,
            (other, _) if other.is_ascii_alphabetic() => return None,
            (other, count) => {
                format.extend(std::iter::repeat_n(other, count));
                continue;
            }
        };
        format.push_str(directive);
        smallest = smallest.max(Some(unit));
    }
    Some((format, *units.get(smallest?)?))
}

/// A number without the sign that is none to Elasticsearch.
fn whole(text: &str) -> Option<i64> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// A text of which each part is as long as in a format that [`translate`] made, and nothing is before,
/// between or behind them: strptime does not ask for that. A `Z` is an offset.
fn exact(format: &str, text: &str) -> Option<String> {
    let mut exact = String::with_capacity(text.len() + 5);
    let (mut rest, mut letters) = (text, format.chars());
    while let Some(letter) = letters.next() {
        if letter != '%' {
            rest = rest.strip_prefix(letter)?;
            exact.push(letter);
            continue;
        }
        let (length, is_number) = match letters.next()? {
            'Y' => (4, true),
            '3' => (letters.next().map(|_| 3)?, true),
            'z' => (5, false),
            ':' => (letters.next().map(|_| 6)?, false),
            _ => (2, true),
        };
        if let (6, Some(after)) = (length, rest.strip_prefix('Z')) {
            exact.push_str("+00:00");
            rest = after;
            continue;
        }
        let (part, after) = rest.split_at_checked(length)?;
        if is_number && !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        exact.push_str(part);
        rest = after;
    }
    rest.is_empty().then_some(exact)
}

/// `+1d-2h/M`.
fn compute(base: DateTime, math: &str, rounding: Rounding) -> Option<DateTime> {
    let mut moment = base;
    let mut rest = math;
    for _ in 0..MOST_STEPS {
        let Some(operator) = rest.chars().next() else { return Some(moment) };
        rest = rest.get(1..)?;
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(end)?;
        let unit = after.chars().next()?;
        rest = after.get(unit.len_utf8()..)?;
        let number: i64 = if number.is_empty() { 1 } else { number.parse().ok()? };
        moment = match operator {
            '+' => moment.checked_add(span(number, unit)?).ok()?,
            '-' => moment.checked_sub(span(number, unit)?).ok()?,
            '/' if number == 1 && rounding == Rounding::Up => {
                last_of(first_of(moment, unit)?, unit)?
            }
            '/' if number == 1 => first_of(moment, unit)?,
            _ => return None,
        };
    }
    None
}

fn span(number: i64, unit: char) -> Option<Span> {
    let span = Span::new();
    match unit {
        'y' => span.try_years(number),
        'M' => span.try_months(number),
        'w' => span.try_weeks(number),
        'd' => span.try_days(number),
        'h' | 'H' => span.try_hours(number),
        'm' => span.try_minutes(number),
        's' => span.try_seconds(number),
        'f' => span.try_milliseconds(number),
        'n' => span.try_nanoseconds(number),
        _ => return None,
    }
    .ok()
}

/// The beginning of the unit that a moment is in.
pub fn first_of(moment: DateTime, unit: char) -> Option<DateTime> {
    let date = moment.date();
    let midnight = jiff::civil::Time::midnight();
    let time = moment.time();
    let whole = |hour, minute, second| jiff::civil::Time::new(hour, minute, second, 0).ok();
    Some(match unit {
        'y' => date.first_of_year().to_datetime(midnight),
        'q' => {
            let month = (date.month() - 1) / 3 * 3 + 1;
            Date::new(date.year(), month, 1).ok()?.to_datetime(midnight)
        }
        'M' => date.first_of_month().to_datetime(midnight),
        'w' => {
            let back = i64::from(date.weekday().to_monday_zero_offset());
            date.checked_sub(span(back, 'd')?).ok()?.to_datetime(midnight)
        }
        'd' => date.to_datetime(midnight),
        'h' | 'H' => date.to_datetime(whole(time.hour(), 0, 0)?),
        'm' => date.to_datetime(whole(time.hour(), time.minute(), 0)?),
        's' => date.to_datetime(whole(time.hour(), time.minute(), time.second())?),
        _ => return None,
    })
}

/// The last moment of the unit that begins at `first`.
fn last_of(first: DateTime, unit: char) -> Option<DateTime> {
    let next = first.checked_add(span(1, unit)?).ok()?;
    next.checked_sub(span(1, 'n')?).ok()
}

/// The moment at which the next unit begins.
pub fn unit_after(first: DateTime, unit: char) -> Option<DateTime> {
    let step = if unit == 'q' { span(3, 'M') } else { span(1, unit) };
    first.checked_add(step?).ok()
}
