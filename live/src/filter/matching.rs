//! What a filter asks of a line, and whether it is so.

use std::net::IpAddr;

use memchr::memmem;

use super::names::{WORD_FIELDS, field_of};
use super::wildcard::Wildcard;
use crate::hit::Hit;

/// What is asked, as it was typed.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// That there is a value.
    Anything,
    /// A word.
    Word(String),
    /// A text in quotation marks.
    Phrase(String),
    /// A pattern with `*` and `?`.
    Pattern(String),
    /// Values between two.
    Between(Option<Edge>, Option<Edge>),
}

/// An end of a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    text: String,
    number: Option<f64>,
    is_included: bool,
}

impl Edge {
    /// The end of this text.
    pub fn new(text: String, is_included: bool) -> Self {
        let number = text.parse().ok();
        Self { text, number, is_included }
    }
}

/// What is asked of which fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// Those that are asked; a line is meant if it is so of one of them.
    fields: Vec<Field>,
    ask: Ask,
    /// Whether no field was named: the text is looked for in all of them as well.
    is_anywhere: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    name: Box<str>,
    kind: Kind,
}

/// How the values of a field are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As they are.
    Keyword,
    /// As numbers.
    Number,
    /// As addresses.
    Address,
    /// Word by word.
    Text,
    /// As numbers where both are, or else as they are.
    Any,
}

/// The question, made ready.
#[derive(Debug, Clone, PartialEq)]
enum Ask {
    Anything,
    Equal {
        text: String,
        number: Option<f64>,
        network: Option<Network>,
        words: Vec<String>,
    },
    /// As it was typed, and in small letters.
    Pattern(Wildcard, Wildcard),
    Between(Option<Edge>, Option<Edge>),
}

/// Addresses with the same first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

impl Test {
    /// What is asked of the field of this name, or of none in particular.
    pub fn new(field: Option<&str>, what: What) -> Self {
        let named = match (field, &what) {
            (Some("_exists_"), What::Word(name) | What::Phrase(name)) => {
                return Self { fields: fields_of(name), ask: Ask::Anything, is_anywhere: false };
            }
            (Some(name), _) => fields_of(name),
            (None, _) => WORD_FIELDS.iter().map(|name| Field::new(name)).collect(),
        };
        let is_anywhere = field.is_none();
        let ask = match what {
            What::Anything => Ask::Anything,
            What::Pattern(pattern) => {
                Ask::Pattern(Wildcard::new(&pattern), Wildcard::new(&pattern.to_lowercase()))
            }
            What::Between(from, to) => Ask::Between(from, to),
            What::Word(text) | What::Phrase(text) => Ask::Equal {
                number: text.parse().ok(),
                network: Network::read(&text),
                words: words(text.as_bytes()).collect(),
                text,
            },
        };
        Self { fields: named, ask, is_anywhere }
    }

    /// The fields that are named; none where the text is looked for in any.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|_| !self.is_anywhere).map(|field| &*field.name)
    }

    /// Whether it is so of a line.
    pub fn matches(&self, hit: &Hit<'_>) -> bool {
        if self.is_anywhere && self.ask == Ask::Anything {
            return true;
        }
        if self.fields.iter().any(|field| field.is_so(hit, &self.ask)) {
            return true;
        }
        match &self.ask {
            Ask::Equal { text, .. } if self.is_anywhere => is_inside(hit, text.as_bytes()),
            _ => false,
        }
    }
}

/// What to ask instead of a pattern in a field whose values are no texts: `*` and `?` find nothing there,
/// in a search as here.
pub fn instead_of_pattern(field: &str) -> Option<&'static str> {
    match Field::new(field_of(field)).kind {
        Kind::Address => Some("a network, as in ip:10.0.0.0/8: * and ? find nothing in addresses"),
        Kind::Number => Some("a range, as in status:[500 TO 599]: * and ? find nothing in numbers"),
        Kind::Keyword | Kind::Text | Kind::Any => None,
    }
}

/// The field of a short name and the member called so, or the field of this name alone.
fn fields_of(name: &str) -> Vec<Field> {
    let full = field_of(name);
    let mut fields = vec![Field::new(full)];
    if full != name {
        fields.push(Field { name: name.into(), kind: Kind::Any });
    }
    fields
}

/// Whether a text is in a value of a line.
fn is_inside(hit: &Hit<'_>, text: &[u8]) -> bool {
    let own = [
        hit.path,
        hit.client,
        hit.user,
        hit.referrer,
        hit.agent,
        hit.virtual_host,
        hit.host,
        hit.method,
        hit.source,
        hit.dataset,
    ];
    let is_in = |value: &[u8]| memmem::find(value, text).is_some();
    own.into_iter().flatten().any(is_in) || hit.others.any(&mut |value| is_in(value))
}

/// What a field is in a hit.
enum Value<'a> {
    Text(&'a [u8]),
    Number(u64),
    /// One of its others.
    Other,
}

impl Field {
    fn new(name: &str) -> Self {
        let kind = match name {
            "http.response.status_code" | "http.response.body.bytes" | "event.duration" => {
                Kind::Number
            }
            "source.ip" | "destination.ip" | "host.ip" | "network.forwarded_ip" => Kind::Address,
            "message" | "error.message" => Kind::Text,
            "url.path"
            | "http.request.method"
            | "http.request.referrer"
            | "source.address"
            | "user.name"
            | "user_agent.original"
            | "url.domain"
            | "host.name"
            | "log.file.path"
            | "event.dataset"
            | "url.original"
            | "url.query"
            | "log.level" => Kind::Keyword,
            _ => Kind::Any,
        };
        Self { name: name.into(), kind }
    }

    fn value<'a>(&self, hit: &Hit<'a>) -> Option<Value<'a>> {
        let own = match &*self.name {
            "http.response.status_code" => return hit.status.map(|it| Value::Number(it.into())),
            "http.response.body.bytes" => return hit.bytes.map(Value::Number),
            "event.duration" => return hit.latency.map(Value::Number),
            "url.path" => hit.path,
            "http.request.method" => hit.method,
            "http.request.referrer" => hit.referrer,
            "source.address" | "source.ip" => hit.client,
            "user.name" => hit.user,
            "user_agent.original" => hit.agent,
            "url.domain" => hit.virtual_host,
            "host.name" => hit.host,
            "log.file.path" => hit.source,
            "event.dataset" => hit.dataset,
            _ => return Some(Value::Other),
        };
        own.map(Value::Text)
    }

    fn is_so(&self, hit: &Hit<'_>, ask: &Ask) -> bool {
        match self.value(hit) {
            None => false,
            Some(Value::Number(number)) => number_is(number, ask),
            Some(Value::Text(text)) => self.text_is(text, ask),
            Some(Value::Other) => {
                hit.others.is_any_of(&self.name, &mut |text| self.text_is(text, ask))
            }
        }
    }

    fn text_is(&self, text: &[u8], ask: &Ask) -> bool {
        match (ask, self.kind) {
            (Ask::Anything, Kind::Address) => address(text).is_some(),
            (Ask::Anything, _) => true,
            (Ask::Equal { network, .. }, Kind::Address) => {
                network.zip(address(text)).is_some_and(|(network, address)| network.has(address))
            }
            (Ask::Equal { words: asked, .. }, Kind::Text) => has_words(text, asked),
            (Ask::Equal { text: asked, number, .. }, kind) => {
                text == asked.as_bytes()
                    || kind == Kind::Any && number.is_some() && *number == number_of(text)
            }
            (Ask::Pattern(_, pattern), Kind::Text) => {
                words(text).any(|word| pattern.matches(word.as_bytes()))
            }
            (Ask::Pattern(pattern, _), _) => pattern.matches(text),
            (Ask::Between(from, to), kind) => is_between(text, kind, from.as_ref(), to.as_ref()),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is typed has fewer digits")]
fn number_is(value: u64, ask: &Ask) -> bool {
    match ask {
        Ask::Anything => true,
        Ask::Equal { number, .. } => *number == Some(value as f64),
        Ask::Pattern(..) => false,
        Ask::Between(from, to) => numbers_are(value as f64, from.as_ref(), to.as_ref()),
    }
}

/// Whether a number is between two; an end that is none has nothing on either side.
fn numbers_are(value: f64, from: Option<&Edge>, to: Option<&Edge>) -> bool {
    let is_above = from.is_none_or(|edge| {
        edge.number.is_some_and(|least| value > least || edge.is_included && value >= least)
    });
    let is_below = to.is_none_or(|edge| {
        edge.number.is_some_and(|most| value < most || edge.is_included && value <= most)
    });
    is_above && is_below
}

fn is_between(text: &[u8], kind: Kind, from: Option<&Edge>, to: Option<&Edge>) -> bool {
    let has_numbers = from.into_iter().chain(to).all(|edge| edge.number.is_some());
    if kind == Kind::Any
        && has_numbers
        && let Some(number) = number_of(text)
    {
        return numbers_are(number, from, to);
    }
    if kind == Kind::Address {
        return address(text).is_some_and(|address| addresses_are(address, from, to));
    }
    let is_above = from.is_none_or(|edge| {
        text > edge.text.as_bytes() || edge.is_included && text == edge.text.as_bytes()
    });
    let is_below = to.is_none_or(|edge| {
        text < edge.text.as_bytes() || edge.is_included && text == edge.text.as_bytes()
    });
    is_above && is_below
}

fn addresses_are(value: IpAddr, from: Option<&Edge>, to: Option<&Edge>) -> bool {
    // As Elasticsearch compares them: an IPv4 address is one of IPv6.
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    };
    let edge_bits = |edge: &Edge| address(edge.text.as_bytes()).map(bits);
    let value = bits(value);
    let is_above = from.is_none_or(|edge| {
        edge_bits(edge).is_some_and(|least| value > least || edge.is_included && value == least)
    });
    let is_below = to.is_none_or(|edge| {
        edge_bits(edge).is_some_and(|most| value < most || edge.is_included && value == most)
    });
    is_above && is_below
}

fn number_of(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The address that a client is; without the zone of `fe80::1%eth0`.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = text.split(|byte| *byte == b'%').next()?;
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

impl Network {
    /// Reads `10.0.0.0/8`, or one address.
    fn read(text: &str) -> Option<Self> {
        let (network, bits) = match text.split_once('/') {
            Some((network, bits)) => (network, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address = address(network.as_bytes())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    fn has(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = u32::from(own) ^ u32::from(other);
                differing.checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = u128::from(own) ^ u128::from(other);
                differing.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// The words of a text, in small letters.
fn words(text: &[u8]) -> impl Iterator<Item = String> + '_ {
    let is_gap = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
    text.split(is_gap)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).to_lowercase())
}

/// Whether a text has these words, one behind the other.
fn has_words(text: &[u8], asked: &[String]) -> bool {
    if asked.is_empty() {
        return false;
    }
    let words: Vec<String> = words(text).collect();
    words.windows(asked.len()).any(|part| part == asked)
}
