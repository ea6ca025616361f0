//! URLs of servers, which may hold a user and a password: read strictly, and never repeated with
//! what must not reach a log.
//!
//! A password with `@`, `/`, `#` or `?` in it moves the border between the password and the host
//! (RFC 3986, section 3.2): what is meant as a part of the password would be looked up as a name, and
//! said to whoever answers. So an URL that can be read in two ways is refused, with the characters to
//! write instead.

use std::net::IpAddr;

use url::{Host, Url};

use super::ConfigError;
use crate::masked::masked;

/// What a setting expects of its URLs.
#[derive(Clone, Copy, Debug)]
pub struct ServerUrl {
    /// The setting: `amqp.url`.
    pub key: &'static str,
    /// The schemes that it takes.
    pub schemes: &'static [&'static str],
    /// What one looks like, for errors.
    pub example: &'static str,
    /// What to do instead, where one may have no query.
    pub instead_of_query: Option<&'static str>,
}

const ENCODE: &str = "in user and password, write %40 for @, %2F for /, %23 for #, %3F for ?, %2C for a comma, and %25 for %";

impl ServerUrl {
    /// Reads `texts`, each of which is one URL.
    ///
    /// # Errors
    /// When one is no such URL, or may be read in two ways; the message has no part of a password.
    pub fn read(&self, texts: &[String]) -> Result<Vec<Url>, ConfigError> {
        if texts.is_empty() {
            return Err(ConfigError::invalid(format!(
                "{}: expected at least one URL, found none",
                self.key
            )));
        }
        // Flags and variables are cut at commas: a rest without a scheme was cut off a password.
        if texts.len() > 1 && texts.iter().any(|text| !text.contains("://")) {
            return Err(self.refuse("URLs", &format!("one of them has no scheme; {ENCODE}")));
        }
        texts.iter().map(|text| self.read_one(text)).collect()
    }

    fn read_one(&self, text: &str) -> Result<Url, ConfigError> {
        let Some((scheme, behind)) = text.split_once("://") else {
            return Err(self.refuse(&shown(text), "it has no scheme"));
        };
        // A backslash is a slash in the URLs of browsers, which is how `Url` reads http.
        let end = behind.find(['/', '\\', '?', '#']).unwrap_or(behind.len());
        let (authority, path) = behind.split_at(end);
        if path.contains('@') || authority.matches('@').count() > 1 {
            return Err(self.refuse("one that can be read in two ways", ENCODE));
        }
        if !self.schemes.contains(&scheme) {
            return Err(self.refuse(&shown(text), "another scheme"));
        }
        let url = Url::parse(text)
            .map_err(|error| self.refuse(&shown(text), &format!("{error}; {ENCODE}")))?;
        if url.fragment().is_some() {
            return Err(self.refuse("one with a fragment (#)", ENCODE));
        }
        if let Some(instead) = self.instead_of_query.filter(|_| url.query().is_some()) {
            return Err(self.refuse("one with a query (?)", instead));
        }
        match url.host() {
            Some(Host::Domain("")) | None => Err(self.refuse(&shown(text), "it has no host")),
            Some(_) => Ok(url),
        }
    }

    /// `found` is what may be shown of it.
    fn refuse(&self, found: &str, reason: &str) -> ConfigError {
        ConfigError::invalid(format!(
            "{}: expected {}, found {found}: {reason}",
            self.key, self.example
        ))
    }
}

/// What may be shown of an URL that cannot be read: what is behind its user and password; nothing
/// where it has no host, because then what looks like one may be these.
fn shown(text: &str) -> String {
    let is_short = |host: &str| !host.contains(':') || host.rsplit(':').next().is_some_and(is_port);
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("\"…@{}\"", place(host)),
        // It may be a password alone, in a file of them.
        None if scheme.is_empty() => "something else".to_owned(),
        None if is_short(place(rest).trim_end_matches('…')) => {
            format!("\"{}://{}\"", scheme.escape_debug(), place(rest).escape_debug())
        }
        None => format!("{}://…", scheme.escape_debug()),
    }
}

/// The host of what is behind the scheme: in a path there may be a key, and in a query.
fn place(text: &str) -> String {
    match text.find(['/', '\\', '?', '#']) {
        Some(at) if at + 1 < text.len() => {
            format!("{}…", text.get(..=at).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

/// Whether an URL has a password in it that not everybody knows: that of RabbitMQ's guest is in every
/// manual, and lets nobody in from another machine.
pub(super) fn has_secret(text: &str) -> bool {
    let is_secret = |url: Url| url.password().is_some_and(|password| password != "guest");
    Url::parse(text.trim()).is_ok_and(is_secret)
}

/// Whether an URL has a password in it, as far as it can be read.
pub(super) fn has_password(text: &str) -> bool {
    Url::parse(text.trim()).is_ok_and(|url| url.password().is_some())
}

fn is_port(text: &str) -> bool {
    text.trim_end_matches('/').bytes().all(|byte| byte.is_ascii_digit())
}

/// An URL from behind its user and password, which must not reach a log: its host and what follows, but
/// for what may be a key.
pub fn without_credentials(url: &str) -> String {
    let host = url.rsplit_once('@').map_or(url, |(_, host)| host);
    if host.contains("://") {
        return masked(host).into_owned();
    }
    let masked = masked(&format!("x://{host}")).into_owned();
    masked.strip_prefix("x://").unwrap_or("…").to_owned()
}

/// Whether a server is on this machine: no proxy can be meant for it.
pub fn is_on_this_machine(url: &Url) -> bool {
    let is_here = |address: IpAddr| address.is_loopback() || address.is_unspecified();
    match url.host() {
        Some(Host::Domain(name)) => {
            // A name with a dot behind it is the same name.
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => is_here(address.into()),
        // Of `::ffff:127.0.0.1` the IPv4 address is meant.
        Some(Host::Ipv6(address)) => is_here(IpAddr::from(address).to_canonical()),
        None => false,
    }
}

/// User and password stand in a URL percent-encoded; `form_urlencoded` decodes the same, but for
/// the plus sign, which is made safe first.
pub fn decoded(text: &str) -> String {
    let pairs = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pairs.as_bytes())
        .next()
        .map_or_else(|| text.to_owned(), |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BROKER: ServerUrl = ServerUrl {
        key: "amqp.url",
        schemes: &["amqp", "amqps"],
        example: "amqp://USER:PASSWORD@HOST:PORT/VHOST",
        instead_of_query: None,
    };

    fn read(texts: &[&str]) -> Result<Vec<Url>, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        BROKER.read(&texts).map_err(|error| error.to_string())
    }

    proptest! {
        /// Whatever a password is made of, the host that is connected to is the one that was meant
        /// and the password is whole, or the URL is refused without a piece of it. A flag is cut at
        /// its commas first.
        #[test]
        fn no_password_moves_the_host_or_is_repeated(
            password in proptest::collection::vec("[A-Z]{3}|[@/#?:,%&=+;!\\\\\\[\\] ]", 1..8),
        ) {
            let password = password.concat();
            let text = format!("amqp://meant:{password}@host.example:5672/v");
            let cut: Vec<&str> = text.split(',').map(str::trim).collect();
            match read(&cut) {
                Ok(urls) => {
                    prop_assert_eq!(urls.len(), 1);
                    prop_assert_eq!(urls[0].host_str(), Some("host.example"));
                    prop_assert_eq!(urls[0].path(), "/v");
                }
                Err(error) => {
                    for piece in password.split(|byte: char| !byte.is_ascii_uppercase()) {
                        let is_there = piece.len() >= 3 && error.replace(BROKER.example, "").contains(piece);
                        prop_assert!(!is_there, "{:?} is in {}", piece, error);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_refused_says_what_to_write() {
        for (texts, reason) in [
            (&["amqp://u:p@ss@h/"][..], "%40 for @"),
            (&["amqp://u:p@ss/w#rd@h/"], "%40 for @"),
            (&["amqp://guest:gu", "est@h/"], "%2C for a comma"),
            (&["amqp://u:pa#ss"], "found amqp://…: invalid port number"),
            (&["amqp:h"], "found something else: it has no scheme"),
            (&["http://u:p@h:80/"], "found \"…@h:80/\": another scheme"),
            (&["amqp://u:p@h/v#ss"], "found one with a fragment (#): in user and password, write"),
            (&["amqp:///v"], "it has no host"),
            (&["u:p@h/?api_key=KEY"], "found \"…@h/…\": it has no scheme"),
            (&["http://h/KEY?key=KEY"], "found \"http://h/…\": another scheme"),
            (&[], "expected at least one URL, found none"),
        ] {
            let error = read(texts).unwrap_err();
            assert!(error.starts_with("amqp.url: expected "), "{texts:?}: {error}");
            assert!(error.contains(reason), "{texts:?}: {error}");
        }
    }

    #[test]
    fn a_comma_in_an_element_of_a_list_stays_in_it() {
        let urls = read(&["amqp://u:a,b@h/", "amqp://u:p%40%2F%23@i/"]).unwrap();
        assert_eq!(urls[0].password(), Some("a,b"));
        assert_eq!(urls[1].host_str(), Some("i"));
    }
}
