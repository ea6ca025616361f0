//! The directives of Apache's `LogFormat`, their modifiers, and what each says
//! (<https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats>, `mod_logio`, `mod_ssl`).

use super::What;
use super::compile::Token;
use crate::fields::Name;
use crate::time::TimeRule;

/// A directive as it is written.
struct Directive<'t> {
    argument: Option<&'t str>,
    letters: &'t str,
}

/// The pieces of a format string of Apache.
pub fn tokens(text: &str, times: &TimeRule) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let has_request = text.contains("%r") || text.contains("%>r") || text.contains("%<r");
    while let Some(at) = rest.find('%') {
        let (literal, directive) = rest.split_at(at);
        push_literal(&mut tokens, literal);
        if let Some(behind) = directive.strip_prefix("%%") {
            push_literal(&mut tokens, "%");
            rest = behind;
            continue;
        }
        if let Some((token, behind)) = time(directive, times)? {
            tokens.extend(token);
            rest = behind;
            continue;
        }
        let (found, behind) = split(directive)?;
        let label = directive.get(..directive.len() - behind.len()).unwrap_or_default().to_owned();
        tokens.push(Token::Variable { what: what(&found, &label, has_request)?, label });
        rest = behind;
    }
    push_literal(&mut tokens, rest);
    Ok(tokens)
}

fn push_literal(tokens: &mut Vec<Token>, text: &str) {
    if !text.is_empty() {
        tokens.push(Token::Literal(text.as_bytes().to_vec()));
    }
}

/// The directive at the beginning, and what is behind it.
fn split(text: &str) -> Result<(Directive<'_>, &str), String> {
    let wrong = || format!("expected a directive such as %h or %{{Referer}}i, found {text:?}");
    // Of which statuses it is logged, and whether that of the first or the last request.
    let is_modifier = |c: char| c.is_ascii_digit() || matches!(c, '!' | ',' | '<' | '>');
    let mut rest = text.strip_prefix('%').ok_or_else(wrong)?.trim_start_matches(is_modifier);
    let mut argument = None;
    if let Some(inside) = rest.strip_prefix('{') {
        let (found, behind) = inside.split_once('}').ok_or_else(wrong)?;
        (argument, rest) = (Some(found), behind.trim_start_matches(is_modifier));
    }
    let length = match rest.strip_prefix('^') {
        Some(two) => 1 + two.chars().take(2).map(char::len_utf8).sum::<usize>(),
        None => rest.chars().next().map_or(0, char::len_utf8),
    };
    let (letters, behind) =
        rest.split_at_checked(length).filter(|_| length > 0).ok_or_else(wrong)?;
    Ok((Directive { argument, letters }, behind))
}

/// A time, which may be made of several directives: `%{%Y-%m-%dT%H:%M:%S}t.%{usec_frac}t%{%z}t`.
fn time<'t>(text: &'t str, times: &TimeRule) -> Result<Option<(Vec<Token>, &'t str)>, String> {
    let (first, mut rest) = split(text)?;
    if first.letters != "t" {
        return Ok(None);
    }
    let Some(argument) = first.argument else {
        let rule = TimeRule::of_form("clf", times.zone.clone())?;
        let time = Token::Variable { label: "%t".to_owned(), what: What::Time(rule) };
        let bracket = |text: &str| Token::Literal(text.as_bytes().to_vec());
        return Ok(Some((vec![bracket("["), time, bracket("]")], rest)));
    };
    let mut pattern = part(argument);
    let mut label_end = rest.len();
    // What stands between two of them belongs to the time.
    while let Some(at) = rest.find('%') {
        let (between, next) = rest.split_at(at);
        let Ok((directive, behind)) = split(next) else { break };
        let Some(more) =
            directive.argument.filter(|_| directive.letters == "t" && between.len() < 4)
        else {
            break;
        };
        pattern.push_str(between);
        pattern.push_str(&part(more));
        (rest, label_end) = (behind, behind.len());
    }
    let label = text.get(..text.len() - label_end).unwrap_or_default().to_owned();
    let rule = TimeRule::of_form(form(&pattern), times.zone.clone())
        .map_err(|problem| format!("{label}: {problem}"))?;
    Ok(Some((vec![Token::Variable { label, what: What::Time(rule) }], rest)))
}

/// What a time's argument is for `strptime`.
fn part(argument: &str) -> String {
    let argument = argument
        .strip_prefix("begin:")
        .or_else(|| argument.strip_prefix("end:"))
        .unwrap_or(argument);
    match argument {
        "begin" | "end" | "" => "%d/%b/%Y:%H:%M:%S %z".to_owned(),
        "msec_frac" | "usec_frac" => "%f".to_owned(),
        other => other.replace("%T", "%H:%M:%S").replace("%F", "%Y-%m-%d"),
    }
}

/// The faster form that reads the same.
fn form(pattern: &str) -> &str {
    match pattern {
        "sec" | "%s" => "unix",
        "msec" => "unix_ms",
        "usec" | "%s%f" => "unix_us",
        "%d/%b/%Y:%H:%M:%S %z" | "%d/%b/%Y:%H:%M:%S.%f %z" => "clf",
        "%Y-%m-%dT%H:%M:%S%z"
        | "%Y-%m-%dT%H:%M:%S.%f%z"
        | "%Y-%m-%d %H:%M:%S"
        | "%Y-%m-%d %H:%M:%S.%f"
        | "%Y-%m-%dT%H:%M:%S"
        | "%Y-%m-%dT%H:%M:%S.%f"
        | "%Y-%m-%d %H:%M:%S %z"
        | "%Y-%m-%d %H:%M:%S.%f %z"
        | "%Y-%m-%dT%H:%M:%SZ"
        | "%Y-%m-%dT%H:%M:%S.%fZ" => "iso8601",
        other => other,
    }
}

fn what(directive: &Directive<'_>, label: &str, has_request: bool) -> Result<What, String> {
    let argument = directive.argument.unwrap_or_default();
    let named = |object: &str, name: &str| {
        let name = name.to_ascii_lowercase();
        Name::new(format!("{object}.{name}"))
            .map(What::Text)
            .ok_or_else(|| format!("expected a name between the braces, found {label:?}"))
    };
    Ok(match directive.letters {
        // The peer of the connection, beside the client that a proxy named.
        "a" if argument == "c" => What::Text("apache.access.peer".into()),
        "a" | "h" => What::Client,
        "A" => What::Server,
        "B" | "b" => What::BodyBytes,
        "C" => named("http.request.cookie", argument)?,
        "D" => What::Duration(1_000),
        "T" => What::Duration(match argument {
            "ms" => 1_000_000,
            "us" => 1_000,
            _ => 1_000_000_000,
        }),
        "e" => named("apache.access.env", argument)?,
        "f" => What::Text("file.path".into()),
        "H" if has_request => What::Nothing,
        "m" | "U" | "q" if has_request => named("apache.access", part_name(directive.letters))?,
        "H" => What::Version,
        "m" => What::Method,
        "U" => What::Path,
        "q" => What::Query,
        "i" => header(argument, &named)?,
        "o" if argument.eq_ignore_ascii_case("content-type") => {
            What::Text("http.response.mime_type".into())
        }
        "o" => named("http.response.header", argument)?,
        "k" => What::Number("apache.access.keepalive_requests".into()),
        "l" => What::Text("apache.access.identity".into()),
        "L" => What::Text("apache.access.log_id".into()),
        "n" => named("apache.access.note", argument)?,
        "p" if argument == "remote" => What::ClientPort,
        "p" => What::ServerPort,
        "P" if matches!(argument, "tid" | "hextid") => What::Text("process.thread.name".into()),
        "P" => What::Number("process.pid".into()),
        "r" => What::Request,
        "R" => What::Text("apache.access.handler".into()),
        "s" => What::Status,
        "u" => What::User,
        "v" | "V" => What::Host,
        "X" => What::Text("apache.access.connection_status".into()),
        "I" => What::RequestBytes,
        "O" => What::ResponseBytes,
        "S" => What::Number("network.bytes".into()),
        "^FB" => What::Number("apache.access.first_byte_micros".into()),
        "^ti" => named("apache.access.request_trailer", argument)?,
        "^to" => named("apache.access.response_trailer", argument)?,
        "x" | "c" => of_tls(argument, &named)?,
        other => {
            return Err(format!(
                "expected a directive of Apache's LogFormat, found {label:?}; there is none {other:?}"
            ));
        }
    })
}

fn part_name(letters: &str) -> &'static str {
    match letters {
        "m" => "method",
        "U" => "path",
        _ => "query",
    }
}

/// A header of the request.
fn header(name: &str, named: &impl Fn(&str, &str) -> Result<What, String>) -> Result<What, String> {
    Ok(match &*name.to_ascii_lowercase() {
        "referer" | "referrer" => What::Referrer,
        "user-agent" => What::UserAgent,
        "host" => What::Host,
        "x-forwarded-for" => What::Forwarded,
        "x-request-id" => What::Text("http.request.id".into()),
        "content-type" => What::Text("http.request.mime_type".into()),
        _ => named("http.request.header", name)?,
    })
}

/// What `mod_ssl` knows of the connection.
fn of_tls(name: &str, named: &impl Fn(&str, &str) -> Result<What, String>) -> Result<What, String> {
    Ok(match name {
        "SSL_PROTOCOL" | "version" => What::TlsVersion,
        "SSL_CIPHER" | "cipher" => What::Text("tls.cipher".into()),
        "SSL_TLS_SNI" => What::Text("tls.client.server_name".into()),
        "SSL_CLIENT_S_DN" | "subjectdn" => What::Text("tls.client.subject".into()),
        "SSL_CLIENT_I_DN" | "issuerdn" => What::Text("tls.client.issuer".into()),
        "SSL_CLIENT_M_SERIAL" => What::Text("tls.client.x509.serial_number".into()),
        "SSL_SESSION_RESUMED" => What::Reused,
        _ => named("apache.access.tls", name)?,
    })
}
