//! What stands before the time of an access line: `[vhost] client ident user`, and nothing else.
//!
//! Of lines with less or more before the time nobody can say which word is the client and which the
//! user: they have fields of other formats. So they are refused, with the format that would fit if
//! there is one, and no word of them becomes a field. Certain are, besides:
//!
//! - a list of addresses that proxies made in place of the client, `203.0.113.7, 10.0.0.1 - -`: the
//!   client is its first, and the list is kept;
//! - a client with its port, and one in quotes;
//! - an empty user, as nothing (nginx) or as two quotes (Apache);
//! - blanks in a user's name if it is in quotes, or if it begins with a Windows domain and consists
//!   of words of letters: `CORP\bob smith`. Other names with blanks, `bob smith`, look just like a name
//!   and a field of another format behind it.

use memchr::{memchr, memrchr};

use super::{behind_blanks, present, token};
use crate::address::{Address, AddressKind, first_of_list};
use crate::request::Request;

const NOT_THESE: &str =
    "expected client, identity and user before the time, of which no word can be another field";
const NOT_THESE_AND_HOST: &str = "expected virtual host, client, identity and user before the time, of which no word can be another field";
const WITH_HOST: &str =
    "a virtual host stands before the client: expected the parser vhost_combined";
const WITHOUT_HOST: &str =
    "no virtual host stands before the client: expected the parser combined, or clf";

/// Reads it, or refuses it, and then nothing of it is in `fields`.
pub fn read<'a>(
    head: &'a [u8],
    virtual_host: bool,
    fields: &mut Request<'a>,
) -> Result<(), &'static str> {
    // Nobody is named in most lines.
    if !virtual_host && let Some(client) = head.strip_suffix(b" - -") {
        let address = Address::read(client);
        if !address.is_unknown() {
            fields.client_port = address.port;
            fields.client = Some(address);
            return Ok(());
        }
    }
    if read_usual(head, virtual_host, fields).is_some() {
        return Ok(());
    }
    read_unusual(head, virtual_host, fields)
}

/// One word each. `None` if it is another head, and then nothing was read.
fn read_usual<'a>(head: &'a [u8], virtual_host: bool, fields: &mut Request<'a>) -> Option<()> {
    let (before, user) = split_last(head)?;
    let (who, identity) = split_last(before)?;
    let (host, client) = if virtual_host { split_first(who)? } else { (&b"-"[..], who) };
    let who = Who { host, client, identity, user: user_of(user)? };
    let address = Address::read(client);
    if !who.is_certain(&address, virtual_host) {
        return None;
    }
    who.put(address, fields);
    Some(())
}

/// The words of a head.
struct Who<'a> {
    host: &'a [u8],
    client: &'a [u8],
    identity: &'a [u8],
    user: &'a [u8],
}

impl<'a> Who<'a> {
    /// Whether each of the words can be what it stands for, and nothing else.
    fn is_certain(&self, address: &Address<'_>, virtual_host: bool) -> bool {
        let is_client = self.client == b"-" || !address.is_unknown();
        // Two names may be those of a virtual host and of a client.
        // With a domain, it is more likely the first word of a user's name behind a missing identity.
        let is_plain = is_word(self.identity) && memchr(b'\\', self.identity).is_none();
        let is_identity = self.identity == b"-" || is_plain && address.kind != AddressKind::Name;
        is_client && is_identity && (!virtual_host || self.has_host(address))
    }

    /// Whether the first word may be a virtual host. Where it or the client is `-`, or there is an
    /// identity, or a name behind an address, the words may be those of a line without one. (A client
    /// and its proxy look like a virtual host and a client, and nobody can tell.)
    fn has_host(&self, address: &Address<'_>) -> bool {
        let is_absent = self.host == b"-";
        let is_certain = match address.kind {
            AddressKind::Ip { .. } => !is_absent || self.user == b"-",
            _ => !is_absent && !Address::read(self.host).is_ip(),
        };
        let is_text = |byte: &u8| !matches!(byte, b'"' | b',');
        self.client != b"-"
            && self.identity == b"-"
            && is_certain
            && !matches!(self.host, [] | [.., b':'])
            && self.host.iter().all(is_text)
    }

    fn put(&self, address: Address<'a>, fields: &mut Request<'a>) {
        if self.client != b"-" {
            fields.client_port = address.port;
            fields.client = Some(address);
        }
        // No field of ours is for an identity.
        fields.more |= self.identity != b"-";
        fields.user = present(self.user);
        fields.host = present(self.host);
    }
}

#[cold]
fn read_unusual<'a>(
    head: &'a [u8],
    virtual_host: bool,
    fields: &mut Request<'a>,
) -> Result<(), &'static str> {
    if read_words(head, virtual_host, fields).is_some() {
        return Ok(());
    }
    let mut trial = Request::default();
    let fits_other = read_usual(head, !virtual_host, &mut trial).is_some()
        || read_words(head, !virtual_host, &mut trial).is_some();
    Err(match (virtual_host, fits_other) {
        (false, true) => WITH_HOST,
        (true, true) => WITHOUT_HOST,
        (false, false) => NOT_THESE,
        (true, false) => NOT_THESE_AND_HOST,
    })
}

/// Where the client is a list or in quotes, or the user's name has blanks.
fn read_words<'a>(head: &'a [u8], virtual_host: bool, fields: &mut Request<'a>) -> Option<()> {
    let (host, rest) = if virtual_host { split_first(head)? } else { (&b"-"[..], head) };
    let (client, mut rest) = split_client(rest)?;
    let identity = token(&mut rest)?;
    let user = user_of(rest.strip_prefix(b" ")?)?;
    let is_list = memchr(b',', client).is_some();
    let address = if is_list { first_of_list(client)? } else { Address::read(client) };
    let who = Who { host, client, identity, user };
    if !who.is_certain(&address, virtual_host) || is_list && !address.is_ip() {
        return None;
    }
    who.put(address, fields);
    fields.forwarded_list = is_list.then_some(client);
    Some(())
}

/// The client, which may be in quotes or a list, and what is behind it.
fn split_client(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(inside) = text.strip_prefix(b"\"") {
        let (client, rest) = inside.split_at_checked(memchr(b'"', inside)?)?;
        return Some((client, rest.get(1..)?));
    }
    let Some(comma) = memrchr(b',', text) else {
        return text.split_at_checked(memchr(b' ', text)?);
    };
    let (_, behind) = text.split_at_checked(comma + 1)?;
    let last = behind_blanks(behind).unwrap_or(behind);
    let length = text.len() - last.len() + memchr(b' ', last)?;
    text.split_at_checked(length)
}

/// The user, `-` if there is none; `None` if this cannot be one.
fn user_of(text: &[u8]) -> Option<&[u8]> {
    match text {
        b"-" | b"" | b"\"\"" => Some(b"-"),
        [b'"', inside @ .., b'"'] => {
            (memchr(b'"', inside).is_none() && inside != b"-").then_some(inside)
        }
        _ if is_word(text) || is_account(text) => Some(text),
        _ => None,
    }
}

/// Whether it is one word that may be a name: an address is that of somebody.
fn is_word(text: &[u8]) -> bool {
    !text.is_empty()
        && !text.iter().any(|byte| matches!(byte, b' ' | b'"' | b','))
        && !Address::read(text).is_ip()
}

/// Whether it is the name of a Windows account that has blanks in it.
fn is_account(text: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    let is_part = |byte: &u8| is_letter(byte) || matches!(byte, b'.' | b'-' | b'\'');
    let mut words = text.split(|byte| *byte == b' ');
    let has_domain = words.next().is_some_and(|first| {
        let backslash = memchr(b'\\', first);
        backslash.is_some_and(|at| at > 0 && first.last() != Some(&b'\\')) && is_word(first)
    });
    has_domain && words.all(|word| word.first().is_some_and(is_letter) && word.iter().all(is_part))
}

fn split_first(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == b' ')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

fn split_last(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|byte| *byte == b' ')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}
