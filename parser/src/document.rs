//! From the fields of a line to its ECS document: one pass, appended to the buffer of the batch.

mod marks;
mod module;
mod own;
mod rest;
mod template;
#[cfg(test)]
mod tests;

pub(super) use marks::{Fresh, Mark, Marks};
pub use module::ModuleKind;
pub(super) use own::{Kept, Own, Path, UNMERGED, collide, push_name};
pub(super) use rest::Rest;

use std::sync::Arc;

use omphalos_common::event::{DocumentId, ECS_VERSION};

use module::Module;

use super::fields::{Fields, List, Value, close};
use super::scribe::{Finish, Origin};
use super::steps::own::OwnFields;
use super::steps::{Explain, Steps};
use super::text::push_escaped;
use super::time::{Calendar, Time};

/// The parts of a document that are the same for all lines of a file, as JSON text.
#[derive(Debug, Clone)]
pub struct Frame {
    /// `"event":{"dataset":"…"`, left open.
    event: Vec<u8>,
    /// `"ecs":{"version":"…"`, left open.
    ecs: Vec<u8>,
    /// `"host":{"name":"…","id":"…"`, left open.
    host: Vec<u8>,
    /// `"log":{"file":{"path":"…"},"offset":`, to be followed by a number, and left open.
    log: Vec<u8>,
    /// The last three with what closes and joins them, for documents that add nothing in between.
    joined: Vec<u8>,
    keep_original: bool,
    place: Place,
    /// Which module of Elastic's the documents are for.
    module: Option<Module>,
    /// What the operator adds to all documents.
    own_fields: Option<Arc<OwnFields>>,
    /// What is done with documents when they are written.
    steps: Option<Arc<Steps>>,
}

/// Where the lines of a file come from, as it is in their documents.
#[derive(Debug, Clone)]
pub struct Place {
    /// `host.name`.
    pub host: Box<str>,
    /// `log.file.path`.
    pub path: Box<[u8]>,
    /// `event.dataset`.
    pub dataset: Box<str>,
}

impl Frame {
    /// The frame of the documents of one file.
    pub fn new(dataset: &str, origin: Origin<'_>, keep_original: bool) -> Self {
        let Origin { host_name, host_id, path } = origin;
        let event = text_of(&[b"\"event\":{\"dataset\":\"", dataset.as_bytes(), b"\""]);
        let ecs = text_of(&[b"\"ecs\":{\"version\":\"", ECS_VERSION.as_bytes(), b"\""]);
        let name = host_name.as_bytes();
        let host =
            text_of(&[b"\"host\":{\"name\":\"", name, b"\",\"id\":\"", host_id.as_bytes(), b"\""]);
        let log = text_of(&[b"\"log\":{\"file\":{\"path\":\"", path, b"\"},\"offset\":"]);
        let joined = [&ecs[..], b"},", &host, b"},", &log].concat();
        let place = Place { host: host_name.into(), path: path.into(), dataset: dataset.into() };
        let (module, own_fields, steps) = (None, None, None);
        Self { event, ecs, host, log, joined, keep_original, place, module, own_fields, steps }
    }

    /// The same with what is added to documents, and done with them.
    #[must_use]
    pub fn finished_by(mut self, finish: Finish) -> Self {
        if let Some(kind) = finish.module {
            let module = Module::new(kind, &self.place.dataset, &self.place.host);
            self.event.extend_from_slice(&module.event);
            self.host.extend_from_slice(&module.host);
            self.ecs.splice(0..0, module.data_stream.iter().copied());
            self.joined = [&self.ecs[..], b"},", &self.host, b"},", &self.log].concat();
            self.module = Some(module);
        }
        Self { own_fields: finish.own_fields, steps: finish.steps, ..self }
    }

    /// Where the lines come from.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// Joins texts; those at odd places are values and get escaped.
fn text_of(parts: &[&[u8]]) -> Vec<u8> {
    let mut text = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        if place % 2 == 1 {
            push_escaped(&mut text, part);
        } else {
            text.extend_from_slice(part);
        }
    }
    text
}

/// One line, parsed, with what is known of it from elsewhere.
#[derive(Debug)]
pub struct Event<'a> {
    /// Where in the file the line begins.
    pub offset: u64,
    /// Its own time, or the one given to it.
    pub time: Time,
    /// Whether the time was given to it: it is that of the line before, or of its discovery.
    pub is_time_assumed: bool,
    /// The line, without its end; its beginning if it was cut.
    pub line: &'a [u8],
    /// What the parser found.
    pub fields: &'a Fields<'a>,
    /// What it found besides.
    pub others: &'a List<'a>,
    /// What it did not understand.
    pub problem: Option<&'a str>,
    /// How much of the line this is.
    pub shape: Shape,
    /// The stream of a container that it was written to.
    pub stream: Option<&'static str>,
}

impl Event<'_> {
    /// What is unusual about the line, in the order in which its document says it.
    pub fn tags(&self) -> impl Iterator<Item = &'static str> {
        let failure = self.problem.map(|_| "parse_failure");
        let time = self.is_time_assumed.then_some("time_assumed");
        let shape = match self.shape {
            Shape::Whole => None,
            Shape::Cut => Some("truncated"),
            Shape::Unfinished => Some("unfinished"),
            Shape::Split => Some("split"),
        };
        [failure, shape, time].into_iter().flatten()
    }

    /// Whether the line itself is the `message` of its document.
    pub fn is_message(&self) -> bool {
        Own::of(self).message
    }
}

/// How much of a line was shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The whole line.
    Whole,
    /// Its beginning: it is longer than allowed.
    Cut,
    /// What there is of it: its end is not written yet.
    Unfinished,
    /// Some pieces of it: the others are in other documents.
    Split,
}

/// Sees each event, with where it comes from, in place of a document being made of it.
pub type Watcher = Box<dyn FnMut(&Event<'_>, &Place) + Send>;

/// Sees each event beside the document that is made of it, which ends with a line feed.
pub type Onlooker = Box<dyn FnMut(&Event<'_>, &Place, &[u8]) + Send>;

/// Is told what each step makes of a document: its number, 0 for the parser, what it is called, and the
/// document behind it, or `None` where it was dropped.
pub type Explainer = Box<dyn FnMut(usize, &str, Option<&[u8]>) + Send>;

/// What became of an event.
#[derive(Debug, Clone, Copy)]
pub struct Written<'f> {
    /// Whether its fields were left out, because they would take too much room.
    pub is_left_out: bool,
    /// The step that dropped it: there is no document then.
    pub dropped_by: Option<&'f Arc<str>>,
}

/// Writes documents, reusing its buffers.
#[derive(Default)]
pub struct Documents {
    calendar: Calendar,
    /// What is of use for lists of fields that look the same.
    memory: template::Memory,
    /// Where in the last document things are that steps look for.
    marks: Marks,
    watcher: Option<Watcher>,
    onlooker: Option<Onlooker>,
    explainer: Option<Explainer>,
}

impl std::fmt::Debug for Documents {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Documents").finish_non_exhaustive()
    }
}

impl Documents {
    /// Shows events to `watcher`; the document of each is an empty line, so that a batch is full after
    /// so many.
    pub fn shown_to(watcher: Watcher) -> Self {
        Self { watcher: Some(watcher), ..Self::default() }
    }

    /// Shows events with their documents to `onlooker`; the documents are what they are without.
    pub fn seen_by(onlooker: Onlooker) -> Self {
        Self { onlooker: Some(onlooker), ..Self::default() }
    }

    /// Explains to `explainer` what becomes of each document.
    pub fn explained_to(explainer: Explainer) -> Self {
        Self { explainer: Some(explainer), ..Self::default() }
    }

    /// The memory of days, which parsers share with the writer.
    pub fn calendar(&mut self) -> &mut Calendar {
        &mut self.calendar
    }

    /// Appends the document of `event`, which has this id, and a line feed to `out`, unless a step drops it.
    /// Where its fields would take far more room than its line, they are left out, and the line is all of it
    /// that the document has.
    pub fn write<'f>(
        &mut self,
        out: &mut Vec<u8>,
        frame: &'f Frame,
        event: &Event<'_>,
        id: DocumentId,
    ) -> Written<'f> {
        if let Some(watcher) = &mut self.watcher {
            watcher(event, &frame.place);
            out.push(b'\n');
            return Written { is_left_out: false, dropped_by: None };
        }
        let start = out.len();
        let is_left_out = self.write_whole(out, frame, event);
        if let Some(own) = &frame.own_fields {
            // They are put in front of the line feed.
            out.pop();
            if !own.write(out, start, event.fields, event.others) {
                self.marks = Marks::default();
            }
            out.push(b'\n');
        }
        let is_plain = frame.steps.is_none() && self.explainer.is_none();
        let dropped_by = if is_plain { None } else { self.process(out, start, frame, id) };
        if let Some(onlooker) = &mut self.onlooker
            && dropped_by.is_none()
        {
            onlooker(event, &frame.place, out.get(start..).unwrap_or_default());
        }
        Written { is_left_out, dropped_by }
    }

    /// Does the steps with the document from `start` on; which of them dropped it.
    fn process<'f>(
        &mut self,
        out: &mut Vec<u8>,
        start: usize,
        frame: &'f Frame,
        id: DocumentId,
    ) -> Option<&'f Arc<str>> {
        let mut explainer = self.explainer.as_mut();
        if let Some(explain) = &mut explainer {
            explain(0, "parsed", out.get(start..).map(<[u8]>::trim_ascii_end));
        }
        let explain = explainer.map(|explain| &mut **explain as Explain<'_>);
        frame.steps.as_ref()?.run(Fresh { out, start, marks: self.marks }, id, explain)
    }

    fn write_whole(&mut self, out: &mut Vec<u8>, frame: &Frame, event: &Event<'_>) -> bool {
        let start = out.len();
        self.write_fields(out, frame, event);
        if is_within(event, frame, out.len() - start) {
            return false;
        }
        out.truncate(start);
        let (fields, others) = (&Fields::Message, &List::default());
        let problem = event.problem.or(Some(OUT_OF_PROPORTION));
        self.write_fields(out, frame, &Event { fields, others, problem, ..*event });
        true
    }

    fn write_fields(&mut self, out: &mut Vec<u8>, frame: &Frame, event: &Event<'_>) {
        // The usual document fits, so that most of the appends below need not grow the buffer.
        out.reserve(event.line.len() * 3 + frame.joined.len() + 512);
        out.extend_from_slice(b"{\"@timestamp\":\"");
        self.calendar.write(out, event.time);
        out.extend_from_slice(b"\",");
        let own = Own::of(event).with_module(frame.module.is_some());
        let mut rest = Rest::new(event.others, own, &mut self.memory);
        write_frame(out, frame, event, &mut rest);
        self.marks = Marks::default();
        match event.fields {
            Fields::Request(request) => self.marks = request.write(out, &mut rest),
            Fields::Json(json) => json.write_rest(out, own),
            Fields::Listed | Fields::Message => {}
        }
        write_end(out, event, &mut rest);
        rest.finish();
        out.extend_from_slice(b"}\n");
    }
}

/// So many times the room of its line its document may take,
const MOST_TIMES: usize = 4;
/// so much more if the line itself is one of its fields, in which each byte may become six,
const OF_ORIGINAL: usize = 6;
/// and so many bytes more, for what all documents have, and for the names of fields.
const OF_FRAME: usize = 8 * 1024;

const OUT_OF_PROPORTION: &str = "the fields of the line would take more than four times its room, or have too long names without a place";

/// Whether a document of `bytes` has all that is in the line, in due proportion to it.
fn is_within(event: &Event<'_>, frame: &Frame, bytes: usize) -> bool {
    match event.fields {
        // There is nothing to leave out.
        Fields::Message => return true,
        Fields::Json(json) if json.is_over() => return false,
        _ => {}
    }
    let times = MOST_TIMES + if frame.keep_original { OF_ORIGINAL } else { 0 };
    bytes <= event.line.len().saturating_mul(times).saturating_add(OF_FRAME)
}

fn write_frame(out: &mut Vec<u8>, frame: &Frame, event: &Event<'_>, rest: &mut Rest<'_, '_>) {
    match (&frame.module, event.fields) {
        (Some(module), Fields::Request(request)) if event.problem.is_none() => {
            out.extend_from_slice(&module.event_of_request);
            out.extend_from_slice(module::outcome(request));
        }
        _ => out.extend_from_slice(&frame.event),
    }
    if frame.keep_original {
        push_text(out, b",\"original\":\"", event.line);
    }
    if let Fields::Request(request) = event.fields
        && let Some(nanos) = request.duration_nanos
    {
        push_number(out, b",\"duration\":", nanos);
    }
    if !rest.is_woven && !matches!(event.fields, Fields::Json(_)) {
        out.extend_from_slice(b"},");
        out.extend_from_slice(&frame.joined);
        out.extend_from_slice(itoa::Buffer::new().format(event.offset).as_bytes());
        write_stream(out, event.stream);
        out.push(b'}');
        return;
    }
    write_additions(out, event, rest, "event");
    for (text, object) in [(&frame.ecs, "ecs"), (&frame.host, "host")] {
        out.extend_from_slice(b"},");
        out.extend_from_slice(text);
        write_additions(out, event, rest, object);
    }
    out.extend_from_slice(b"},");
    push_number(out, &frame.log, event.offset);
    write_stream(out, event.stream);
    write_additions(out, event, rest, "log");
    out.push(b'}');
}

/// What the line adds to an object of the document's own, each with a comma before it.
fn write_additions(out: &mut Vec<u8>, event: &Event<'_>, rest: &mut Rest<'_, '_>, object: &str) {
    if let Fields::Json(json) = event.fields {
        json.write_into(out, rest.own, object);
    }
    out.push(b',');
    rest.write_into(out, object);
    out.pop();
}

/// OpenTelemetry's name for it
/// (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/log/#log-iostream>).
fn write_stream(out: &mut Vec<u8>, stream: Option<&'static str>) {
    if let Some(stream) = stream {
        out.extend_from_slice(b",\"iostream\":\"");
        out.extend_from_slice(stream.as_bytes());
        out.push(b'"');
    }
}

/// The rest of the fields; the line as `message` where they do not say all that is in it, and what
/// is wrong with it.
fn write_end(out: &mut Vec<u8>, event: &Event<'_>, rest: &mut Rest<'_, '_>) {
    let own = rest.own;
    if rest.is_empty() && !own.message && !own.tags() {
        return;
    }
    let tags = rest.tags;
    let mut error = Vec::new();
    if let Some(problem) = event.problem {
        push_text(&mut error, b",\"error\":{\"message\":\"", problem.as_bytes());
        write_additions(&mut error, event, rest, "error");
        error.push(b'}');
    }
    rest.write_all(out);
    if own.message {
        push_text(out, b",\"message\":\"", event.line);
    }
    out.extend_from_slice(&error);
    if own.tags() {
        write_tags(out, event, tags);
    }
}

/// What is unusual about the line, and the tags that it has itself.
fn write_tags(out: &mut Vec<u8>, event: &Event<'_>, tags: Option<&Value<'_>>) {
    out.extend_from_slice(b",\"tags\":[");
    for tag in event.tags() {
        out.push(b'"');
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(b"\",");
    }
    match (tags, event.fields) {
        (Some(Value::List(tags)), _) => {
            for tag in tags {
                tag.write(out);
                out.push(b',');
            }
        }
        (Some(tag), _) => tag.write(out),
        (None, Fields::Json(json)) => json.write_tags(out),
        (None, _) => {}
    }
    close(out, b']');
}

/// `name` includes the opening quote of the value.
fn push_text(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    push_escaped(out, value);
    out.push(b'"');
}

fn push_number(out: &mut Vec<u8>, name: &[u8], value: u64) {
    out.extend_from_slice(name);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
