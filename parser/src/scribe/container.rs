//! What container runtimes wrap around each line that a program writes, and how it is taken off.
//!
//! Docker's json-file driver writes a JSON object a line
//! (<https://docs.docker.com/engine/logging/drivers/json-file/>); containerd, CRI-O and Podman
//! write what kubelet reads: `time stream tag text`
//! <https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>.
//! Both cut long lines into pieces; putting them together again is the caller's.
//!
//! Both cut at a byte, also in the middle of a character. The interface for Kubernetes has the bytes as they
//! were, and the character is whole again when the pieces are joined. Docker has replaced each byte of
//! half a character by `\ufffd` when it wrote the file
//! (<https://github.com/moby/moby/issues/13517>): what it was is in no file.
//!
//! A line is unwrapped only if nothing but its wrapping is lost by that: one with a member, a
//! stream or a tag that the runtimes do not write is refused, so that it can be shipped whole.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{Calendar, Time, TimeFormat};

const NOT_DOCKER: &str = "the line is not what Docker's json-file driver writes";
const NOT_CRI: &str = "the line is not of the form: time, stream, tag, text";
const BAD_STREAM: &str = "the stream is neither stdout nor stderr";
const BAD_TAG: &str = "the tag is neither F nor P";

/// How the lines of a file are wrapped.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// They are not wrapped.
    None,
    /// In the JSON of Docker's json-file driver.
    Docker,
    /// As Kubernetes' container runtime interface asks for.
    Cri,
}

impl Container {
    /// The names as they are written in settings.
    pub const NAMES: &'static [&'static str] = &["none", "docker", "cri"];
}

/// Which stream of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The name, as the runtimes write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    fn from_name(name: &[u8]) -> Result<Self, &'static str> {
        match name {
            b"stdout" => Ok(Self::Stdout),
            b"stderr" => Ok(Self::Stderr),
            _ => Err(BAD_STREAM),
        }
    }
}

/// A piece of a program's line.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// What the program wrote, without the line end.
    pub text: &'a [u8],
    /// When the runtime read it, if that is there and can be read.
    pub time: Option<Time>,
    /// Where the program wrote it, if the line says so.
    pub stream: Option<Stream>,
    /// Whether the program's line goes on in the next piece of the same stream.
    pub is_partial: bool,
}

/// Unwraps `line`, which has no line end. Text that had to be decoded is put into `scratch` in
/// place of what is there, and borrowed from it. Bytes that are not UTF-8 stay as they are.
///
/// The error says what is wrong with the line; there is then nothing in it to be relied on.
pub fn unwrap<'a>(
    kind: Container,
    calendar: &mut Calendar,
    line: &'a [u8],
    scratch: &'a mut Vec<u8>,
) -> Result<Piece<'a>, &'static str> {
    scratch.clear();
    match kind {
        Container::None => Ok(Piece { text: line, time: None, stream: None, is_partial: false }),
        Container::Docker => unwrap_docker(calendar, line, scratch),
        Container::Cri => unwrap_cri(calendar, line),
    }
}

fn unwrap_cri<'a>(calendar: &mut Calendar, line: &'a [u8]) -> Result<Piece<'a>, &'static str> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let (Some(time), Some(stream), Some(tags), Some(text)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NOT_CRI);
    };
    let stream = Stream::from_name(stream)?;
    // More tags may follow; none is defined yet, and kubelet reads the first alone.
    let is_partial = match tags {
        [b'F'] | [b'F', b':', ..] => false,
        [b'P'] | [b'P', b':', ..] => true,
        _ => return Err(BAD_TAG),
    };
    Ok(Piece { text, time: calendar.read(TimeFormat::Iso, time), stream: Some(stream), is_partial })
}

fn unwrap_docker<'a>(
    calendar: &mut Calendar,
    line: &'a [u8],
    scratch: &'a mut Vec<u8>,
) -> Result<Piece<'a>, &'static str> {
    // serde would read an array as well, by position.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(NOT_DOCKER);
    }
    let wrapped: DockerLine<'a> = serde_json::from_slice(line).map_err(|_| NOT_DOCKER)?;
    if wrapped.log.is_empty() && (wrapped.stream.is_empty() || wrapped.time.is_empty()) {
        return Err(NOT_DOCKER);
    }
    let stream = match wrapped.stream.as_ref() {
        [] => None,
        name => Some(Stream::from_name(name)?),
    };
    let time = calendar.read(TimeFormat::Iso, &wrapped.time);
    let text = match wrapped.log {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => {
            *scratch = text;
            scratch
        }
    };
    let (text, is_partial) = match text {
        [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] => (text, false),
        _ => (text, true),
    };
    Ok(Piece { text, time, stream, is_partial })
}

/// The object that Docker writes, which leaves out what is empty; a member given twice is refused.
/// As bytes, because serde would refuse a string that is not UTF-8.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DockerLine<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, [u8]>,
    #[serde(borrow, default)]
    stream: Cow<'a, [u8]>,
    #[serde(borrow, default)]
    time: Cow<'a, [u8]>,
    /// Labels of the container, the same in every line.
    #[serde(default, rename = "attrs")]
    _attrs: IgnoredAny,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde::de::value::{Error as ValueError, StrDeserializer};
    use serde_json::json;

    const DOCKER: &[u8] =
        br#"{"log":"a \"b\"\r\n","stream":"stderr","attrs":{"tag":["x"]},"time":"2026-11-22T10:00:00.5Z"}"#;
    const CRI: &[u8] = b"2026-11-22T12:00:00.500000000+02:00 stderr F a \"b\"";

    type Unwrapped = (Vec<u8>, bool, Option<Time>, Option<Stream>);

    fn unwrapped(kind: Container, line: impl AsRef<[u8]>) -> Result<Unwrapped, &'static str> {
        let mut scratch = b"what was there".to_vec();
        let piece = unwrap(kind, &mut Calendar::default(), line.as_ref(), &mut scratch)?;
        Ok((piece.text.to_vec(), piece.is_partial, piece.time, piece.stream))
    }

    fn text(kind: Container, line: impl AsRef<[u8]>) -> (Vec<u8>, bool) {
        let (text, is_partial, ..) = unwrapped(kind, line).unwrap();
        (text, is_partial)
    }

    #[test]
    fn names_are_those_of_the_settings() {
        let read = |name: &&str| Container::deserialize(StrDeserializer::<ValueError>::new(name));
        let kinds: Vec<_> = Container::NAMES.iter().map(read).collect();
        assert_eq!(kinds, [Ok(Container::None), Ok(Container::Docker), Ok(Container::Cri)]);
        assert_eq!((Stream::Stdout.as_str(), Stream::Stderr.as_str()), ("stdout", "stderr"));
    }

    #[test]
    fn each_form_is_unwrapped() {
        let time = Some(Time { seconds: 1_795_341_600, nanos: 500_000_000 });
        let expected = Ok((b"a \"b\"".to_vec(), false, time, Some(Stream::Stderr)));
        assert_eq!(unwrapped(Container::Docker, DOCKER), expected);
        assert_eq!(unwrapped(Container::Cri, CRI), expected);
        assert_eq!(unwrapped(Container::None, DOCKER), Ok((DOCKER.to_vec(), false, None, None)));
    }

    #[test]
    fn docker_members_stand_in_any_order_or_are_left_out() {
        let time = r#""time":"2026-11-22T10:00:00Z""#;
        for (line, expected, is_partial) in [
            (format!(r#"{{{time},"stream":"stdout","log":"x\n"}}"#), "x", false),
            (format!(r#" {{ "attrs" : {{"log":"y"}}, {time}, "log" : "x\n" }} "#), "x", false),
            (format!(r#"{{"l\u006fg":"x\n","stream":"std\u006fut",{time}}}"#), "x", false),
            (r#"{"log":"x\n"}"#.to_owned(), "x", false),
            (format!(r#"{{"stream":"stdout",{time}}}"#), "", true),
        ] {
            assert_eq!(text(Container::Docker, &line), (expected.into(), is_partial), "{line}");
        }
    }

    #[test]
    fn docker_texts_are_decoded() {
        for (log, expected, is_partial) in [
            (&br"a\tb\u003c\u0026\/\\n\n"[..], &b"a\tb<&/\\n"[..], false),
            (br"\ud83d\ude00 gr\u00f6\u00dfe\n", "😀 größe".as_bytes(), false),
            (br"\r\n", b"", false),
            (br"a\n\n", b"a\n", false),
            (br"a\r", b"a\r", true),
            (b"no escapes", b"no escapes", true),
            // Not text: kept, half a surrogate pair as the three bytes that UTF-8 would give it.
            (b"a\xff\xc3\x01\\n", b"a\xff\xc3\x01", false),
            (br"a\ud83d\n", b"a\xed\xa0\xbd", false),
        ] {
            let line = [br#"{"log":""#, log, br#"","stream":"stdout"}"#].concat();
            assert_eq!(text(Container::Docker, line), (expected.to_vec(), is_partial));
        }
    }

    #[test]
    fn cri_tags_and_texts_are_taken_apart() {
        for (rest, expected, is_partial) in [
            (&b"F two  spaces "[..], &b"two  spaces "[..], false),
            (b"F ", b"", false),
            (b"P ", b"", true),
            (b"P:x F text", b"F text", true),
            (b"F:a:b \xff\0\r", b"\xff\0\r", false),
        ] {
            let line = [b"2026-11-22T10:00:00Z stdout ", rest].concat();
            assert_eq!(text(Container::Cri, line), (expected.to_vec(), is_partial));
        }
    }

    #[test]
    fn a_time_that_cannot_be_read_is_none() {
        for time in ["", "yesterday", "2026-11-22T10:00:00", "2026-13-22T10:00:00Z"] {
            let expected = Ok((b"x".to_vec(), false, None, Some(Stream::Stdout)));
            let line = json!({"log": "x\n", "stream": "stdout", "time": time}).to_string();
            assert_eq!(unwrapped(Container::Docker, line), expected, "{time}");
            assert_eq!(unwrapped(Container::Cri, format!("{time} stdout F x")), expected, "{time}");
        }
    }

    #[test]
    fn damaged_lines_are_refused() {
        for line in [
            r#"{"log":"x\n","stream":"stdout","time":"2026"#,
            r#"{"log":"x\n","stream":"stdout"}}"#,
            r#"{"log":"x{"log":"y\n","stream":"stdout"}"#,
            r#"{"log":"\q"}"#,
            r#"{"log":"a","log":"b"}"#,
            r#"{"log":"a","level":"info"}"#,
            r#"{"log":null}"#,
            r#"{"log":[97,10]}"#,
            r#"{"stream":"stdout"}"#,
            r#"["a\n","stdout","2026-11-22T10:00:00Z",{}]"#,
            "",
        ] {
            assert_eq!(unwrapped(Container::Docker, line), Err(NOT_DOCKER), "{line}");
        }
        for (kind, line, problem) in [
            (Container::Docker, r#"{"log":"a","stream":"stdin"}"#, BAD_STREAM),
            (Container::Cri, "2026-11-22T10:00:00Z stdout F", NOT_CRI),
            (Container::Cri, "2026-11-22T10:00:00Z  stdout F x", BAD_STREAM),
            (Container::Cri, "2026-11-22T10:00:00Z stdin F x", BAD_STREAM),
            (Container::Cri, "2026-11-22T10:00:00Z stdout without tag", BAD_TAG),
            (Container::Cri, "2026-11-22T10:00:00Z stdout x:F x", BAD_TAG),
        ] {
            assert_eq!(unwrapped(kind, line), Err(problem), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_unwrapping_panic(
            mut line in prop_oneof![Just(DOCKER.into()), Just(CRI.into()), vec(any::<u8>(), 0..60)],
            edits in vec((0..120usize, any::<u8>()), 0..4), length in 0..150usize,
        ) {
            for (at, byte) in edits {
                let at = at.min(line.len());
                line.splice(at..line.len().min(at + 1), [byte]);
            }
            line.truncate(length);
            drop(unwrapped(Container::Docker, &line));
            drop(unwrapped(Container::Cri, &line));
        }

        #[test]
        fn what_serde_writes_comes_back(written in vec(any::<char>(), 0..60), end in "|\r?\n") {
            let log = String::from_iter(written) + &end;
            let line = json!({"log": log, "stream": "stdout", "time": "2026-11-22T10:00:00Z"});
            let ended = log.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text));
            let expected = (ended.unwrap_or(&log).into(), ended.is_none());
            prop_assert_eq!(text(Container::Docker, line.to_string()), expected);
        }

        #[test]
        fn bytes_that_are_no_text_come_back(written in vec(any::<u8>(), 0..60)) {
            let mut line = br#"{"log":""#.to_vec();
            for byte in &written {
                line.extend(matches!(byte, b'"' | b'\\').then_some(b'\\'));
                line.push(*byte);
            }
            line.extend_from_slice(br#"."}"#);
            let expected = ([&written[..], b"."].concat(), true);
            prop_assert_eq!(text(Container::Docker, line), expected.clone());
            let cri = [b"t stdout P ", &expected.0[..]].concat();
            prop_assert_eq!(text(Container::Cri, cri), expected);
        }
    }
}
