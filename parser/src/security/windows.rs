//! Windows' event log as XML, an `<Event>` a line or over several
//! (<https://learn.microsoft.com/en-us/windows/win32/wes/eventschema-schema>).

use std::borrow::Cow;

use memchr::memmem;

use super::xml::{Piece, Pieces, attribute, decoded};
use crate::fields::{Name, Value};
use crate::time::{Calendar, Time, TimeFormat};
use crate::words::{failed, listed, number, text_only};
use crate::{List, Parse, Parsed};

/// Reads events of Windows.
#[derive(Debug)]
pub struct WindowsParser;

const PROBLEM: &str = "expected one <Event> with <System> in it, up to </Event>";

impl Parse for WindowsParser {
    fn parse<'a>(
        &'a mut self,
        calendar: &mut Calendar,
        line: &'a [u8],
        others: &mut List<'a>,
    ) -> Parsed<'a> {
        // `<?xml …?>` and `<Events>` stand before the first.
        let Some(start) = memmem::find(line, b"<Event ").or_else(|| memmem::find(line, b"<Event>"))
        else {
            return text_only();
        };
        let mut event = Event::default();
        let mut pieces = Pieces { rest: line.get(start..).unwrap_or_default() };
        for piece in pieces.by_ref() {
            event.take(&piece, calendar, others);
            if event.is_ended {
                break;
            }
        }
        let next = memmem::find(pieces.rest, b"<Event").and_then(|at| pieces.rest.get(at..));
        let is_alone = next.is_none_or(|next| next.starts_with(b"<Events>"));
        if !event.is_ended || !event.has_system || !is_alone {
            return failed(event.time, PROBLEM);
        }
        listed(event.time)
    }
}

/// So deep are elements within elements.
const MOST_LEVELS: usize = 8;

/// What was read of an event.
#[derive(Default)]
struct Event<'a> {
    /// The names of the elements that are open, from `Event` on.
    open: Vec<&'a [u8]>,
    /// The attribute that names the element that is open last.
    name: Option<Cow<'a, [u8]>>,
    /// The text in it.
    text: &'a [u8],
    time: Option<Time>,
    /// How many values without a name there were.
    unnamed: usize,
    has_system: bool,
    is_ended: bool,
}

impl<'a> Event<'a> {
    fn take(&mut self, piece: &Piece<'a>, calendar: &mut Calendar, others: &mut List<'a>) {
        match *piece {
            Piece::Open { name, attributes, is_closed } => {
                self.has_system |= name == b"System";
                self.open_element(name, attributes, calendar, others);
                if !is_closed && self.open.len() < MOST_LEVELS {
                    self.open.push(name);
                    (self.text, self.name) = (b"", attribute(attributes, b"Name"));
                }
            }
            Piece::Text(text) => self.text = text,
            Piece::Close(name) => {
                if self.open.last() == Some(&name) {
                    let text = std::mem::take(&mut self.text).trim_ascii();
                    if !text.is_empty() {
                        self.add(text, others);
                    }
                    self.open.pop();
                    self.is_ended = self.open.is_empty();
                }
            }
        }
    }

    /// Attributes of the elements of `System`.
    fn open_element(
        &mut self,
        name: &'a [u8],
        attributes: &'a [u8],
        calendar: &mut Calendar,
        others: &mut List<'a>,
    ) {
        if self.open.last() != Some(&&b"System"[..]) {
            return;
        }
        if name == b"TimeCreated" {
            let text = attribute(attributes, b"SystemTime");
            self.time = self.time.or_else(|| calendar.read(TimeFormat::Iso, &text?));
            return;
        }
        for (element, attribute_name, field) in ATTRIBUTES {
            if element.as_bytes() == name
                && let Some(value) = attribute(attributes, attribute_name.as_bytes())
                && !value.is_empty()
            {
                match number(&value) {
                    Some(number) if name == b"Execution" => others.add(field, number),
                    _ => others.add(field, Value::Text(value)),
                }
            }
        }
    }

    /// Adds the text of the element that is open last.
    fn add(&mut self, text: &'a [u8], others: &mut List<'a>) {
        let Some((element, around)) = self.open.split_last() else { return };
        let text = decoded(text);
        let own = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let name = match around.get(1).copied() {
            Some(b"System") => return add_system(element, text, others),
            Some(b"RenderingInfo") if *element == b"Message" => {
                return others.add("message", Value::Text(text));
            }
            Some(b"RenderingInfo") => {
                Name::new(format!("winlog.rendering.{}", own(element).to_ascii_lowercase()))
            }
            Some(b"EventData") => {
                let name = self.name.take().filter(|name| !name.is_empty());
                self.unnamed += usize::from(name.is_none());
                let name = name.map_or_else(|| format!("param{}", self.unnamed), |name| own(&name));
                Name::new(format!("winlog.event_data.{name}"))
            }
            Some(b"UserData") => Name::new(format!("winlog.user_data.{}", own(element))),
            _ => None,
        };
        match name {
            Some(name) => others.add(name, Value::Text(text)),
            None => others.more = true,
        }
    }
}

/// Attributes of `System`'s elements, and their fields.
const ATTRIBUTES: [(&str, &str, &str); 8] = [
    ("Provider", "Name", "event.provider"),
    ("Provider", "Guid", "winlog.provider_guid"),
    ("EventID", "Qualifiers", "winlog.qualifiers"),
    ("Execution", "ProcessID", "winlog.process.pid"),
    ("Execution", "ThreadID", "winlog.process.thread.id"),
    ("Security", "UserID", "winlog.user.identifier"),
    ("Correlation", "ActivityID", "winlog.activity_id"),
    ("Correlation", "RelatedActivityID", "winlog.related_activity_id"),
];

/// The text of an element of `System`.
fn add_system<'a>(element: &[u8], text: Cow<'a, [u8]>, others: &mut List<'a>) {
    let name = match element {
        b"EventID" => "event.code",
        b"EventRecordID" => "winlog.record_id",
        b"Channel" => "winlog.channel",
        b"Computer" => "winlog.computer_name",
        b"Version" => "winlog.version",
        b"Task" => "winlog.task",
        b"Opcode" => "winlog.opcode",
        b"Keywords" => "winlog.keywords",
        b"Level" => {
            // 0 is what is always logged, such as the events of the security log.
            let level = match &*text {
                b"0" | b"4" => "info",
                b"1" => "critical",
                b"2" => "error",
                b"3" => "warn",
                b"5" => "trace",
                _ => return others.add("log.level", Value::Text(text)),
            };
            others.add("log.level", level);
            return others.add("log.level_original", Value::Text(text));
        }
        _ => return others.more = true,
    };
    others.add(name, Value::Text(text));
}
