//! What stands where a log names a client or a server: an address, a name, perhaps with a port.
//!
//! It is read once, where the line is parsed: whether a line can be what its parser takes it for
//! depends on it, and so does what the document says.

use std::net::Ipv6Addr;

use memchr::{memchr, memrchr};

use super::access::parse_number;

/// A client, a server or a proxy, as far as its text is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// As it was logged, without its port and the brackets of that.
    pub text: &'a [u8],
    /// What it is.
    pub kind: AddressKind,
    /// Its port, if that was logged with it.
    pub port: Option<u16>,
}

/// What a text is that stands for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// An address that Elasticsearch takes stands here in the text: without the zone of `fe80::1%eth0`,
    /// which is another on every host, and without the `::ffff:` of an IPv4 address.
    Ip {
        /// Where it begins.
        start: u8,
        /// Where it ends.
        end: u8,
    },
    /// The name of a host.
    Name,
    /// A socket of the machine itself: `unix:`, as nginx writes it.
    Socket,
    /// None of these.
    Unknown,
}

impl AddressKind {
    fn ip(start: usize, end: usize) -> Option<Self> {
        Some(Self::Ip { start: u8::try_from(start).ok()?, end: u8::try_from(end).ok()? })
    }
}

impl<'a> Address<'a> {
    /// Reads `203.0.113.7`, `203.0.113.7:443`, `2001:db8::7`, `[2001:db8::7]:443`, `host.example:443`.
    pub fn read(text: &'a [u8]) -> Self {
        if is_ipv4(text)
            && let Some(kind) = AddressKind::ip(0, text.len())
        {
            return Self { text, kind, port: None };
        }
        Self::read_other(text)
    }

    /// The IP address that it is.
    pub fn ip(&self) -> Option<&'a [u8]> {
        match self.kind {
            AddressKind::Ip { start, end } => self.text.get(start.into()..end.into()),
            AddressKind::Name | AddressKind::Socket | AddressKind::Unknown => None,
        }
    }

    /// Whether it is an IP address.
    pub fn is_ip(&self) -> bool {
        matches!(self.kind, AddressKind::Ip { .. })
    }

    /// Whether nobody knows what it is.
    pub fn is_unknown(&self) -> bool {
        self.kind == AddressKind::Unknown
    }

    fn read_other(text: &'a [u8]) -> Self {
        if let Some(bracketed) = text.strip_prefix(b"[")
            && let Some(end) = memrchr(b']', bracketed)
            && let Some((inside, [b']', after @ ..])) = bracketed.split_at_checked(end)
            && let Some(kind) = ipv6_of(inside)
            && let port = port_behind(after)
            && (port.is_some() || after.is_empty())
        {
            return Self { text: inside, kind, port };
        }
        let Some(colon) = memchr(b':', text) else {
            let kind = if is_name(text) { AddressKind::Name } else { AddressKind::Unknown };
            return Self { text, kind, port: None };
        };
        if let Some(kind) = ipv6_of(text) {
            return Self { text, kind, port: None };
        }
        if text.starts_with(b"unix:") && memchr(b' ', text).is_none() {
            return Self { text, kind: AddressKind::Socket, port: None };
        }
        let (host, port) = text.split_at(colon);
        if let port @ Some(_) = port_behind(port) {
            let host = Self::read(host);
            if host.is_ip() || host.kind == AddressKind::Name {
                return Self { port, ..host };
            }
        }
        Self { text, kind: AddressKind::Unknown, port: None }
    }
}

/// The port behind a colon.
fn port_behind(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b":").filter(|digits| !digits.starts_with(b"0"))?;
    parse_number(digits).and_then(|port| u16::try_from(port).ok())
}

/// What the text of an IPv6 address is.
fn ipv6_of(text: &[u8]) -> Option<AddressKind> {
    let (address, zone) = match memchr(b'%', text) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, &b"%0"[..]),
    };
    let is_zone = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !matches!(zone, [b'%', zone @ ..] if !zone.is_empty() && zone.iter().all(is_zone)) {
        return None;
    }
    let parsed: Ipv6Addr = std::str::from_utf8(address).ok()?.parse().ok()?;
    let colon = parsed.to_ipv4_mapped().and_then(|_| memrchr(b':', address));
    let start = colon.map_or(0, |colon| colon + 1);
    let is_mapped = address.get(start..).is_some_and(is_ipv4);
    AddressKind::ip(if is_mapped { start } else { 0 }, address.len())
}

/// Dotted decimal, without leading zeros, which Elasticsearch refuses too.
fn is_ipv4(text: &[u8]) -> bool {
    let mut parts = 0;
    let mut number: Option<u16> = None;
    for byte in text {
        match (byte, number) {
            (b'0'..=b'9', None) => number = Some(u16::from(byte - b'0')),
            (b'0'..=b'9', Some(1..=25)) => {
                number = number.map(|number| number * 10 + u16::from(byte - b'0'));
            }
            (b'.', Some(0..=255)) => {
                parts += 1;
                number = None;
            }
            _ => return false,
        }
    }
    parts == 3 && matches!(number, Some(0..=255))
}

fn is_name(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_alphabetic)
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// The addresses of a list as proxies make it, `203.0.113.7, 10.0.0.1`: its first. Elements that a
/// proxy did not know are `unknown` (RFC 7239, section 6); at least one is an address.
pub fn first_of_list(list: &[u8]) -> Option<Address<'_>> {
    let mut first = None;
    let mut has_ip = false;
    for element in list.split(|byte| *byte == b',') {
        let address = Address::read(element.trim_ascii());
        if !address.is_ip() && address.text != b"unknown" {
            return None;
        }
        has_ip |= address.is_ip();
        first = first.or(Some(address));
    }
    first.filter(|_| has_ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    #[test]
    fn every_shape_of_an_address_is_read() {
        use AddressKind::{Name, Socket, Unknown};
        for (logged, text, kind, port) in [
            ("203.0.113.7", "203.0.113.7", Ok("203.0.113.7"), None),
            ("203.0.113.7:51234", "203.0.113.7", Ok("203.0.113.7"), Some(51234)),
            ("2001:db8::7", "2001:db8::7", Ok("2001:db8::7"), None),
            ("[2001:db8::7]", "2001:db8::7", Ok("2001:db8::7"), None),
            ("[2001:db8::7]:443", "2001:db8::7", Ok("2001:db8::7"), Some(443)),
            ("::ffff:203.0.113.9", "::ffff:203.0.113.9", Ok("203.0.113.9"), None),
            ("[::ffff:203.0.113.9]:80", "::ffff:203.0.113.9", Ok("203.0.113.9"), Some(80)),
            ("::ffff:cb00:7109", "::ffff:cb00:7109", Ok("::ffff:cb00:7109"), None),
            ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.1", Ok("64:ff9b::192.0.2.1"), None),
            ("fe80::1%eth0", "fe80::1%eth0", Ok("fe80::1"), None),
            ("[fe80::1%3]:80", "fe80::1%3", Ok("fe80::1"), Some(80)),
            ("localhost", "localhost", Err(Name), None),
            ("host_1.example:8080", "host_1.example", Err(Name), Some(8080)),
            ("unix:", "unix:", Err(Socket), None),
            ("unix:/run/x.sock", "unix:/run/x.sock", Err(Socket), None),
            ("203.0.113.7,", "203.0.113.7,", Err(Unknown), None),
            ("203.0.113.7:65536", "203.0.113.7:65536", Err(Unknown), None),
            ("203.0.113.7:0443", "203.0.113.7:0443", Err(Unknown), None),
            ("203.0.113.7:", "203.0.113.7:", Err(Unknown), None),
            ("203.0.113.07", "203.0.113.07", Err(Unknown), None),
            ("[203.0.113.7]:80", "[203.0.113.7]:80", Err(Unknown), None),
            ("[2001:db8::7]443", "[2001:db8::7]443", Err(Unknown), None),
            ("2001:db8::7%", "2001:db8::7%", Err(Unknown), None),
            ("\"203.0.113.7\"", "\"203.0.113.7\"", Err(Unknown), None),
            ("1234", "1234", Err(Unknown), None),
            ("", "", Err(Unknown), None),
        ] {
            let read = Address::read(logged.as_bytes());
            assert_eq!((read.text, read.port), (text.as_bytes(), port), "{logged}");
            assert_eq!(read.ip(), kind.ok().map(str::as_bytes), "{logged}");
            assert!(read.is_ip() || Err(read.kind) == kind, "{logged}");
        }
    }

    #[test]
    fn a_list_is_one_of_addresses_or_none() {
        for (list, first) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("203.0.113.7, 10.0.0.1", Some("203.0.113.7")),
            ("203.0.113.7:80,2001:db8::1,unknown", Some("203.0.113.7")),
            ("unknown, 10.0.0.1", Some("unknown")),
            ("unknown", None),
            ("", None),
            ("203.0.113.7,", None),
            ("203.0.113.7 10.0.0.1", None),
            ("host.example", None),
        ] {
            let found = first_of_list(list.as_bytes()).map(|address| address.text);
            assert_eq!(found, first.map(str::as_bytes), "{list}");
        }
    }

    proptest! {
        #[test]
        fn addresses_are_recognised_as_the_standard_library_does(text in "[0-9.]{0,17}") {
            prop_assert_eq!(is_ipv4(text.as_bytes()), text.parse::<Ipv4Addr>().is_ok());
        }

        #[test]
        fn every_address_is_recognised(v4 in any::<u32>(), v6 in any::<u128>(), port in 1u16..) {
            for ip in [IpAddr::from(Ipv4Addr::from(v4)), IpAddr::from(Ipv6Addr::from(v6))] {
                let text = ip.to_string();
                prop_assert!(Address::read(text.as_bytes()).is_ip());
                let with_port = SocketAddr::from((ip, port)).to_string();
                let read = Address::read(with_port.as_bytes());
                prop_assert_eq!(read.port, Some(port));
                prop_assert_eq!(read.text, text.as_bytes());
            }
        }

        /// Java reads what `Ipv6Addr` and `Ipv4Addr` read.
        #[test]
        fn what_is_an_ip_is_one_for_elasticsearch(text in "[0-9a-f:.%\\[\\]e]{0,24}") {
            if let Some(ip) = Address::read(text.as_bytes()).ip() {
                prop_assert!(std::str::from_utf8(ip).unwrap().parse::<IpAddr>().is_ok());
            }
        }
    }
}
