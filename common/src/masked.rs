//! What must not be said: whatever goes out to people, to a log or over HTTP, goes through [`masked`].
//!
//! A URL with a password may stand where nobody looked for one: as the name of a file, behind a wrong
//! flag, as the key of a table, in the variables that name a proxy, in an error of a crate.

use std::borrow::Cow;

/// What examples in messages have in place of a user and a password.
const EXAMPLE: &str = "USER:PASSWORD";

/// A text without what may be a user, a password, or a key in its URLs: what stands between `://` and
/// the last `@` of a word, where there is no `@` what cannot be a host and a port, and what follows `?`
/// or `#`.
pub fn masked(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(":/") {
        let (before, behind) = rest.split_at(at + 1);
        let slashes = behind.len() - behind.trim_start_matches(['/', '\\']).len();
        let (slashes, behind) = behind.split_at(slashes);
        out.push_str(before);
        out.push_str(slashes);
        rest = if has_scheme(before) { mask_one(&mut out, slashes, behind) } else { behind };
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The same of each text in a line of JSON, which is JSON afterwards.
pub fn masked_json(line: &str) -> Cow<'_, str> {
    if !line.contains(":/") {
        return Cow::Borrowed(line);
    }
    let mut out = String::new();
    let (mut start, mut is_escaped) = (0, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => {
                out.push_str(&masked(line.get(start..at).unwrap_or_default()));
                out.push('"');
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push_str(&masked(line.get(start..).unwrap_or_default()));
    Cow::Owned(out)
}

/// Whether nothing in it must be masked.
pub fn is_harmless(text: &str) -> bool {
    masked(text) == text
}

/// Whether what ends with a colon ends with the scheme of a URL.
fn has_scheme(text: &str) -> bool {
    let is_of_scheme = |letter: char| letter.is_ascii_alphanumeric() || "+.-".contains(letter);
    let text = text.strip_suffix(':').unwrap_or(text);
    let start = text.trim_end_matches(is_of_scheme).len();
    text.get(start..).is_some_and(|scheme| scheme.contains(|letter: char| letter.is_alphabetic()))
}

/// Writes what may be shown of the URL that `text` begins with, behind its slashes; returns what stands
/// behind the URL.
fn mask_one<'t>(out: &mut String, slashes: &str, text: &'t str) -> &'t str {
    let word_end = text.find(is_end).unwrap_or(text.len());
    let (word, behind) = text.split_at(word_end);
    if let Some((secret, host)) = word.rsplit_once('@') {
        if secret.contains(['?', '#']) {
            // Which of them is a part of a password, and which of a query, nobody knows.
            out.push('…');
            out.push_str(trailing(word));
        } else {
            out.push_str(if secret == EXAMPLE { secret } else { "…" });
            out.push('@');
            push_place(out, host);
        }
        return behind;
    }
    // A path with a colon before it, as of rsync, has no host.
    if slashes.len() < 2 || is_place(word) {
        if slashes.len() < 2 {
            out.push_str(word);
        } else {
            push_place(out, word);
        }
        return behind;
    }
    out.push('…');
    // There may be a blank in the password.
    let line_end = text.find(['\n', '\r']).unwrap_or(text.len());
    let (line, _) = text.split_at(line_end);
    if let Some((secret, _)) = line.rsplit_once('@') {
        return text.get(secret.len()..).unwrap_or_default();
    }
    out.push_str(trailing(word));
    behind
}

fn is_end(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control()
}

/// Whether a word without an `@` begins with nothing but a host, perhaps with a port.
fn is_place(word: &str) -> bool {
    let end = word.find(['/', '\\', '?', '#', '"', '\'', '`', ',', ';', ')', '>', '<']);
    let host = word.get(..end.unwrap_or(word.len())).unwrap_or(word);
    let host = host.trim_end_matches([':', '.', '…']);
    let bare = host.rsplit_once(']').map_or(host, |(_, port)| port);
    let Some((_, port)) = bare.rsplit_once(':') else { return true };
    port == "PORT" || port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Writes a host with what follows, but for a query and a fragment.
fn push_place(out: &mut String, word: &str) {
    match word.find(['?', '#']) {
        Some(at) => {
            let (shown, hidden) = word.split_at(at);
            out.push_str(shown);
            out.push_str(hidden.get(..1).unwrap_or_default());
            out.push('…');
            out.push_str(trailing(hidden));
        }
        None => out.push_str(word),
    }
}

/// What stands behind a URL in a sentence.
fn trailing(word: &str) -> &str {
    // With the backslash of one that is escaped.
    let url = word.trim_end_matches(['"', '\'', '`', ')', '>', ']', ',', ';', ':', '.', '\\']);
    word.get(url.len()..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn what_may_be_a_secret_is_masked_and_the_rest_is_as_it_was() {
        for (text, expected) in [
            ("cannot read amqp://u:PW@h/v: no", "cannot read amqp://…@h/v: no"),
            ("cannot read /tmp/amqp:/u:PW@h/v", "cannot read /tmp/amqp:/…@h/v"),
            ("found \"amqp://u:P@W@h\"", "found \"amqp://…@h\""),
            ("found 'http://u:PW', so", "found 'http://…', so"),
            ("http://u:PW", "http://…"),
            ("http://u:P W@h:1 is not there", "http://…@h:1 is not there"),
            ("http://h:9200/?api_key=PW: no answer", "http://h:9200/?…: no answer"),
            ("http://h:9200/#PW", "http://h:9200/#…"),
            ("from http://u:PW@a,http://v:PW@b", "from http://…@b"),
            ("http://PW@h and amqps://u:PW@i", "http://…@h and amqps://…@i"),
            (
                "expected amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…, found",
                "expected amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…, found",
            ),
            (
                "http://127.0.0.1:9200: connection refused",
                "http://127.0.0.1:9200: connection refused",
            ),
            ("http://[::1]:9200/x, http://es", "http://[::1]:9200/x, http://es"),
            ("https://www.rfc-editor.org/rfc/rfc3986.", "https://www.rfc-editor.org/rfc/rfc3986."),
            ("expected http://HOST:9200 or https://…", "expected http://HOST:9200 or https://…"),
            ("/var/log/a@b.log: gone, host:/x", "/var/log/a@b.log: gone, host:/x"),
            ("a mail to x@y", "a mail to x@y"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    proptest! {
        /// Whatever stands around a URL and in its password, no part of that is left.
        #[test]
        fn no_piece_of_a_password_is_left(
            before in "[a-z ='\"(]{0,8}",
            scheme in "[a-z]{2,6}",
            pieces in proptest::collection::vec("[A-Z]{3}|[@/#?:,%&=+;!\\\\\\[\\]'\"]", 1..8),
            behind in "[a-z ='\").,]{0,8}",
        ) {
            let password = pieces.concat();
            for text in [
                format!("{before}{scheme}://user:{password}@host.example/v{behind}"),
                format!("{before}{scheme}://host.example/?key={password}{behind}"),
            ] {
                let shown = masked(&text).into_owned();
                prop_assert!(!shown.contains(|letter: char| letter.is_ascii_uppercase()), "{} of {}", shown, text);
                prop_assert!(!is_harmless(&text));
                prop_assert_eq!(masked(&shown), shown.as_str(), "once is enough");
                // Beside other texts with the same signs, and itself with any.
                let line = json!({ "message": text, "path": "/a@b?c", "url": "http://h:1" }).to_string();
                let shown = masked_json(&line);
                let whole: Value = serde_json::from_str(&shown).unwrap();
                let message = whole["message"].as_str().unwrap();
                prop_assert!(!message.contains(|letter: char| letter.is_ascii_uppercase()), "{}", shown);
                prop_assert_eq!(&whole["path"], "/a@b?c");
                prop_assert_eq!(&whole["url"], "http://h:1");
            }
        }
    }
}
