//! How severe a line is, in the usual lower-case words, whatever its program calls that.

use super::List;

/// The usual words (<https://www.elastic.co/docs/reference/ecs/ecs-log#field-log-level> says none, so
/// these are those that most loggers write).
pub fn folded(word: &[u8]) -> Option<&'static str> {
    const LONGEST: usize = 13;
    let mut lower = [0; LONGEST];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"trace" | b"trc" | b"trce" | b"finest" | b"finer" | b"verbose" | b"vrb" | b"silly"
        | b"trace1" | b"trace2" | b"trace3" | b"trace4" | b"trace5" | b"trace6" | b"trace7"
        | b"trace8" | b"v" | b"t" => "trace",
        b"debug" | b"dbg" | b"dbug" | b"fine" | b"debug1" | b"debug2" | b"debug3" | b"debug4"
        | b"debug5" | b"d" => "debug",
        b"info" | b"inf" | b"information" | b"informational" | b"config" | b"log" | b"default"
        | b"i" | b"system" => "info",
        b"notice" | b"note" | b"n" => "notice",
        b"warn" | b"warning" | b"wrn" | b"w" => "warn",
        b"error" | b"err" | b"eror" | b"severe" | b"fail" | b"failure" | b"e" => "error",
        b"critical" | b"crit" | b"crt" | b"c" => "critical",
        b"alert" => "alert",
        b"emergency" | b"emerg" | b"panic" | b"dpanic" => "emergency",
        b"fatal" | b"ftl" | b"f" => "fatal",
        _ => return None,
    })
}

/// The level in a text that may begin with something else: upper case, and nothing that is also a usual
/// word at the beginning of a message.
pub fn is_certain(word: &[u8]) -> bool {
    (3..=13).contains(&word.len())
        && word.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && !matches!(
            word,
            b"DEFAULT" | b"NOTE" | b"CONFIG" | b"FAIL" | b"FAILURE" | b"STATEMENT" | b"SYSTEM"
        )
        && folded(word).is_some()
}

/// Adds `log.level`, folded, and as it was written where that says something else.
pub fn add<'a>(others: &mut List<'a>, word: &'a [u8]) {
    let Some(level) = folded(word) else {
        if !word.is_empty() {
            others.add("log.level", word);
        }
        return;
    };
    others.add("log.level", level);
    if !word.eq_ignore_ascii_case(level.as_bytes()) {
        others.add("log.level_original", word);
    }
}

/// The name of a severity of syslog (RFC 5424, section 6.2.1), as a level.
pub fn of_severity(severity: u8) -> &'static str {
    match severity {
        0 => "emergency",
        1 => "alert",
        2 => "critical",
        3 => "error",
        4 => "warn",
        5 => "notice",
        6 => "info",
        _ => "debug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_folded_to_the_usual_words() {
        for (word, level) in [
            ("INFO", Some("info")),
            ("Warning", Some("warn")),
            ("eror", Some("error")),
            ("emerg", Some("emergency")),
            ("trace8", Some("trace")),
            ("SEVERE", Some("error")),
            ("FATAL", Some("fatal")),
            ("hello", None),
            ("", None),
            ("a word that is far too long", None),
        ] {
            assert_eq!(folded(word.as_bytes()), level, "{word}");
        }
    }
}
