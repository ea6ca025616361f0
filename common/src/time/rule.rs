//! What settings say of the times of a file: which member of a line has it, how it is written, and
//! in which zone clocks stood that do not say it.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone};

use super::{Calendar, FARTHEST_ZONE, Time, TimeFormat, Told};

/// The three settings, checked.
#[derive(Clone, Debug, Default)]
pub struct TimeRule {
    /// The member that has the time, with dots into objects.
    pub field: Option<Arc<str>>,
    /// The zone of times that have none; UTC without.
    pub zone: Option<TimeZone>,
    form: Form,
}

/// How times are written.
#[derive(Clone, Debug)]
enum Form {
    Named(TimeFormat),
    /// For `strptime`.
    Pattern(Arc<str>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Named(TimeFormat::Any)
    }
}

/// Forms by their names in settings.
const FORMS: [(&str, TimeFormat); 7] = [
    ("iso8601", TimeFormat::IsoLocal),
    ("clf", TimeFormat::Clf),
    ("rfc2822", TimeFormat::Rfc2822),
    ("unix", TimeFormat::Seconds),
    ("unix_ms", TimeFormat::Millis),
    ("unix_us", TimeFormat::Micros),
    ("unix_ns", TimeFormat::Nanos),
];

impl TimeRule {
    /// Checks the settings `time_field`, `time_format` and `time_zone`.
    ///
    /// # Errors
    /// When one cannot be used; the message begins with its name.
    pub fn new(
        field: Option<&str>,
        format: Option<&str>,
        zone: Option<&str>,
    ) -> Result<Self, String> {
        if let Some(field) = field
            && field.split('.').any(str::is_empty)
        {
            return Err(format!(
                "time_field: expected the name of a member, with dots into objects, found {field:?}"
            ));
        }
        let form = format.map(Form::new).transpose()?;
        let zone = zone.map(zone_named).transpose()?;
        Ok(Self { field: field.map(Arc::from), zone, form: form.unwrap_or_default() })
    }

    /// Times that are all written in one form, by its name in settings or a pattern, in `zone`.
    ///
    /// # Errors
    /// When it is none.
    pub fn of_form(form: &str, zone: Option<TimeZone>) -> Result<Self, String> {
        Ok(Self { field: None, zone, form: Form::new(form)? })
    }

    /// Whether times may be written in any form.
    pub fn takes_any(&self) -> bool {
        matches!(self.form, Form::Named(TimeFormat::Any))
    }

    /// The time that `text` is, all of it.
    pub fn read(&self, calendar: &mut Calendar, text: &[u8]) -> Option<Time> {
        let text = text.trim_ascii();
        let told = match &self.form {
            Form::Named(format) => calendar.tell(*format, text),
            Form::Pattern(pattern) => {
                calendar.see_leap(text);
                read_by_pattern(pattern, text)
            }
        }?;
        calendar.settle(told, self.zone.as_ref())
    }
}

impl Form {
    fn new(text: &str) -> Result<Self, String> {
        if let Some((_, format)) = FORMS.into_iter().find(|(name, _)| *name == text) {
            return Ok(Self::Named(format));
        }
        if !text.contains('%') {
            return Err(format!(
                "time_format: expected iso8601, clf, rfc2822, unix, unix_ms, unix_us, unix_ns, or a pattern such as \"%d.%m.%Y %H:%M:%S\", found {text:?}"
            ));
        }
        check_pattern(text).map_err(|problem| {
            format!("time_format: expected a pattern of which a time can be read, found {text:?}: {problem}")
        })?;
        Ok(Self::Pattern(text.into()))
    }
}

/// 2026-11-28T13:04:05Z: no two of its parts are the same, and its hour needs twelve more.
const SAMPLE: i64 = 1_795_871_045;

/// Whether what a pattern writes can be read by it, to the hour at least.
fn check_pattern(pattern: &str) -> Result<(), String> {
    let sample = Timestamp::from_second(SAMPLE).map_err(|error| error.to_string())?;
    let sample = sample.to_zoned_datetime(TimeZone::UTC);
    let text = strtime::format(pattern, &sample).map_err(|error| error.to_string())?;
    let parts = strtime::parse(pattern, &text).map_err(|error| error.to_string())?;
    let told = told_by(&parts).ok_or("it does not say year, month, day and time of day")?;
    let hours = |seconds: i64| seconds.div_euclid(3600);
    if hours(told.as_utc().seconds) == hours(SAMPLE) {
        return Ok(());
    }
    Err("it does not say the hour, or of which half of the day that is".to_owned())
}

fn read_by_pattern(pattern: &str, text: &[u8]) -> Option<Told> {
    told_by(&strtime::parse(pattern, text).ok()?)
}

fn told_by(parts: &BrokenDownTime) -> Option<Told> {
    if let Some(offset) = parts.offset()
        && i64::from(offset.seconds().abs()) > FARTHEST_ZONE
    {
        return None;
    }
    if let Ok(time) = parts.to_timestamp() {
        return Time::from_timestamp(time)?.if_believed().map(Told::Instant);
    }
    // Without the hour it is no time: midnight would be invented.
    parts.hour()?;
    let local = parts.to_datetime().ok()?.to_zoned_datetime(TimeZone::UTC).ok()?;
    Time::from_timestamp(local.timestamp())?.if_believed().map(Told::Local)
}

/// The zone that a setting names.
fn zone_named(name: &str) -> Result<TimeZone, String> {
    let expected = "expected a name such as Europe/Berlin, an offset such as +01:00, or local";
    match name {
        "local" => {
            return TimeZone::try_system()
                .map_err(|error| format!("time_zone: this machine's zone is not known: {error}"));
        }
        "UTC" | "GMT" | "Z" => return Ok(TimeZone::UTC),
        _ => {}
    }
    if name.starts_with(['+', '-']) {
        let east = super::any::east_of(name.as_bytes());
        let offset = east.and_then(|east| Offset::from_seconds(i32::try_from(east).ok()?).ok());
        return offset.map(TimeZone::fixed).ok_or_else(|| {
            format!("time_zone: {expected}, found {name:?}, which is no offset up to 14 hours")
        });
    }
    TimeZone::get(name).map_err(|error| {
        format!(
            "time_zone: {expected}, found {name:?}: {error}; names are looked up in /usr/share/zoneinfo, of the package tzdata"
        )
    })
}

#[cfg(test)]
mod tests;
