//! The target of a request, taken apart: origin form `/path?query`, absolute form `http://host/path`,
//! authority form `host:port` of CONNECT, or `*` (RFC 9112, section 3.2), and what clients send
//! besides. The whole of it is always in `url.original`, so that a part is named only where it is
//! certain. A password is in no part.

use memchr::{memchr, memmem, memrchr};

use super::access::parse_number;

/// The parts of a URL, as ECS names them
/// (<https://www.elastic.co/docs/reference/ecs/ecs-url>).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Url<'a> {
    /// With the brackets of an IPv6 address, as ECS wants it.
    pub domain: Option<&'a [u8]>,
    pub port: Option<u64>,
    pub username: Option<&'a [u8]>,
    pub path: Option<&'a [u8]>,
    pub query: Option<&'a [u8]>,
    pub fragment: Option<&'a [u8]>,
}

impl<'a> Url<'a> {
    /// The parts of the target of a request with this method.
    pub fn of_target(method: Option<&[u8]>, target: &'a [u8]) -> Self {
        if let Some(path) = target.strip_prefix(b"/") {
            // Behind two slashes, some clients send a host.
            return Self::default().with_certain_path(target, path.strip_prefix(b"/"));
        }
        if method == Some(b"CONNECT") {
            let is_authority = authority_end(target) == target.len();
            return if is_authority {
                Self::default().with_authority(target)
            } else {
                Self::default()
            };
        }
        let Some(authority) = behind_scheme(target) else {
            return Self::default().with_certain_path(target, Some(target));
        };
        let (authority, path) = authority.split_at(authority_end(authority));
        Self::default().with_authority(authority).with_path(path)
    }

    /// With `target` as the path, unless what may be its authority has a password.
    fn with_certain_path(self, target: &'a [u8], authority: Option<&[u8]>) -> Self {
        let has_password = authority.is_some_and(|authority| {
            let (authority, _) = authority.split_at(authority_end(authority));
            let user = memrchr(b'@', authority).and_then(|at| authority.get(..at));
            user.is_some_and(|user| memchr(b':', user).is_some())
        });
        if has_password { self } else { self.with_path(target) }
    }

    /// With user and host.
    fn with_authority(self, authority: &'a [u8]) -> Self {
        let (user, host) = match memrchr(b'@', authority) {
            Some(at) => (authority.get(..at), authority.get(at + 1..).unwrap_or_default()),
            None => (None, authority),
        };
        let username = user.and_then(|user| user.split(|byte| *byte == b':').next());
        let username = username.filter(|name| !name.is_empty());
        Self { username, ..self.with_host(host) }
    }

    /// With what of `host` is certain.
    fn with_host(self, host: &'a [u8]) -> Self {
        let (domain, port) = split_port(host);
        let is_certain =
            |domain: &&[u8]| domain.starts_with(b"[") || memchr(b':', domain).is_none();
        Self { domain: domain.filter(is_certain), port, ..self }
    }

    fn with_path(mut self, rest: &'a [u8]) -> Self {
        let part = |part: &'a [u8]| Some(part).filter(|part| !part.is_empty());
        // Paths are short: what looks at many bytes at once takes longer to begin.
        let end = rest.iter().position(|byte| matches!(byte, b'?' | b'#'));
        let (path, behind) = rest.split_at(end.unwrap_or(rest.len()));
        self.path = part(path);
        let mut fragment = behind;
        if let Some(query) = behind.strip_prefix(b"?") {
            let (query, behind) = query.split_at(memchr(b'#', query).unwrap_or(query.len()));
            self.query = part(query);
            fragment = behind;
        }
        self.fragment = fragment.get(1..).and_then(part);
        self
    }
}

/// Where what may be an authority ends.
fn authority_end(text: &[u8]) -> usize {
    let end = text.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    end.unwrap_or(text.len())
}

/// Whether a target has a host of its own.
pub fn has_host(method: Option<&[u8]>, target: &[u8]) -> bool {
    !target.starts_with(b"/") && (method == Some(b"CONNECT") || behind_scheme(target).is_some())
}

/// What is behind `scheme://`, where a target begins with that (RFC 3986, section 3.1); the one in a
/// query is none.
fn behind_scheme(target: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = target.split_at_checked(memmem::find(target, b"://")?)?;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let is_scheme =
        scheme.first().is_some_and(u8::is_ascii_alphabetic) && scheme.iter().all(is_part);
    rest.get("://".len()..).filter(|_| is_scheme)
}

/// The scheme of a URL that has a host.
pub fn scheme(url: &[u8]) -> Option<&[u8]> {
    let rest = behind_scheme(url)?;
    url.get(..url.len() - rest.len() - "://".len())
}

/// The extension of the file that a path names, without its dot: short, and of letters and digits.
pub fn extension(path: &[u8]) -> Option<&[u8]> {
    const LONGEST: usize = 16;
    let from = path.len().saturating_sub(LONGEST + 1);
    let end = path.get(from..)?;
    let dot = end.iter().rposition(|byte| !byte.is_ascii_alphanumeric())?;
    let extension = end.get(dot + 1..)?;
    let is_named = end.get(dot) == Some(&b'.')
        && (from + dot).checked_sub(1).is_some_and(|at| path.get(at) != Some(&b'/'));
    (is_named && !extension.is_empty()).then_some(extension)
}

/// Splits `host:port` and `[v6]:port`; what is no port stays with the host.
pub fn split_port<'a>(authority: &'a [u8]) -> (Option<&'a [u8]>, Option<u64>) {
    let named = |host: &'a [u8]| Some(host).filter(|host| !host.is_empty());
    let host_end = memrchr(b']', authority).unwrap_or(0);
    let Some(colon) = memrchr(b':', authority).filter(|at| *at >= host_end) else {
        return (named(authority), None);
    };
    let (host, port) = authority.split_at(colon);
    let port = port.get(1..).unwrap_or_default();
    let number = parse_number(port).filter(|port| u16::try_from(*port).is_ok());
    let number = number.filter(|number| *number == 0 || !port.starts_with(b"0"));
    let host = if number.is_some() || port.is_empty() { host } else { authority };
    (named(host), number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    /// The parts as one text.
    fn shown(method: &str, target: &str) -> String {
        let url = Url::of_target(Some(method.as_bytes()), target.as_bytes());
        let mut text = String::new();
        for (name, part) in [
            ("domain", url.domain),
            ("username", url.username),
            ("path", url.path),
            ("query", url.query),
            ("fragment", url.fragment),
        ] {
            if let Some(part) = part {
                write!(text, "{name}={} ", String::from_utf8_lossy(part)).unwrap();
            }
        }
        if let Some(port) = url.port {
            write!(text, "port={port}").unwrap();
        }
        text.trim_end().to_owned()
    }

    #[test]
    fn targets_are_taken_apart() {
        for (target, parts) in [
            ("/", "path=/"),
            ("*", "path=*"),
            ("/a?b=c", "path=/a query=b=c"),
            ("/q??", "path=/q query=?"),
            ("/a?", "path=/a"),
            ("/a#", "path=/a"),
            ("/frag#x?y", "path=/frag fragment=x?y"),
            ("/a?b#c?d#e", "path=/a query=b fragment=c?d#e"),
            ("/x?u=http://e.example/", "path=/x query=u=http://e.example/"),
            ("x?u=http://e.example/", "path=x query=u=http://e.example/"),
            ("index.html", "path=index.html"),
            ("//e.example/a", "path=//e.example/a"),
            ("http://e.example", "domain=e.example"),
            ("http://e.example?q", "domain=e.example query=q"),
            ("http://e.example#f", "domain=e.example fragment=f"),
            ("http://e.example:8080/a?x=1", "domain=e.example path=/a query=x=1 port=8080"),
            ("http://e.example:/a", "domain=e.example path=/a"),
            ("http://e.example:x/a", "path=/a"),
            ("http://e.example:70000/a", "path=/a"),
            ("http://u:pw@e.example/a", "domain=e.example username=u path=/a"),
            ("http://u@e.example:81/", "domain=e.example username=u path=/ port=81"),
            ("http://:pw@e.example/", "domain=e.example path=/"),
            ("http://u:p@w@e.example/", "domain=e.example username=u path=/"),
            ("http://e.example/@x:y", "domain=e.example path=/@x:y"),
            ("http://[2001:db8::5]/v6", "domain=[2001:db8::5] path=/v6"),
            ("http://[2001:db8::5]:81/v6", "domain=[2001:db8::5] path=/v6 port=81"),
            ("http://[fe80::1%25eth0]/", "domain=[fe80::1%25eth0] path=/"),
            ("http:///a", "path=/a"),
            ("1x://e/", "path=1x://e/"),
            ("x:secret@h", ""),
            ("x:secret@h/a?b", ""),
            ("1x:secret@e/", ""),
            ("//x:secret@h/a", ""),
            ("//x@h:80/a", "path=//x@h:80/a"),
            ("/x:y@h", "path=/x:y@h"),
            ("x@h:80", "path=x@h:80"),
            ("a?x:y@h", "path=a query=x:y@h"),
        ] {
            assert_eq!(shown("GET", target), parts, "{target}");
        }
        for (target, parts) in [
            ("e.example:443", "domain=e.example port=443"),
            ("[2001:db8::1]:443", "domain=[2001:db8::1] port=443"),
            ("e.example", "domain=e.example"),
            ("u:pw@e.example:443", "domain=e.example username=u port=443"),
            ("u:pw@[::1]", "domain=[::1] username=u"),
            ("e.example:x", ""),
            ("http://u:pw@e.example/", ""),
            ("/a", "path=/a"),
        ] {
            assert_eq!(shown("CONNECT", target), parts, "{target}");
        }
    }

    #[test]
    fn extensions_are_those_of_files() {
        for (path, expected) in [
            ("/a/b.html", Some("html")),
            ("/a.b/c.tar.gz", Some("gz")),
            ("/a.b/c", None),
            ("/.profile", None),
            ("/a.", None),
            ("/a.b-c", None),
            ("/a.abcdefghijklmnopq", None),
            ("/a.abcdefghijklmnop", Some("abcdefghijklmnop")),
            ("a.js", Some("js")),
            ("", None),
        ] {
            assert_eq!(extension(path.as_bytes()), expected.map(str::as_bytes), "{path}");
        }
        assert_eq!(scheme(b"https://e.example/"), Some(&b"https"[..]));
        assert_eq!(scheme(b"/a?u=https://e.example/"), None);
    }

    proptest! {
        #[test]
        fn a_password_is_in_no_part(
            before in "(http://|ftp://|//|)", user in "[a-z]{0,3}", password in "[A-Z:@]{1,4}S3CRET",
            rest in "[/?#][a-z/?#@:]{0,8}", method in "(GET|CONNECT)",
        ) {
            let parts = shown(&method, &format!("{before}{user}:{password}@e.example{rest}"));
            prop_assert!(!parts.contains("S3CRET"), "{}", parts);
            if before.ends_with("p://") && method == "GET" {
                prop_assert!(parts.contains("domain=e.example"), "{}", parts);
            }
        }
    }
}
