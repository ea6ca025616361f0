//! What is no text, by its first bytes: lines made of an archive would be nobody's lines. It is told by
//! content and not by name, because a name may have any ending, and standard input has none.

use super::archive::is_tar;

/// How what cannot be read as lines begins, what it is, and how it is unpacked.
const KINDS: [(&[u8], &str, &str); 7] = [
    (b"\x1f\x8b", "compressed with gzip", "zcat"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "zstdcat"),
    (b"BZh", "compressed with bzip2", "bzcat"),
    (b"\xfd7zXZ\x00", "compressed with xz", "xzcat"),
    (b"\x04\x22\x4d\x18", "compressed with lz4", "lz4cat"),
    (b"PK\x03\x04", "a zip archive", "unzip -p"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x -so"),
];

/// Why what begins with `data` is not read, and what to do; `None` if it may be text.
pub fn refusal(data: &[u8], is_pipe: bool) -> Option<String> {
    if is_tar(data) {
        return Some(super::archive::TAR.to_owned());
    }
    let (what, tool) = kind_of(data)?;
    Some(if is_pipe {
        format!("what comes in is {what}, and no text; unpack it before: {tool} FILE | …")
    } else {
        let ending = match tool {
            "zcat" => "give it a name that ends in .gz, or ",
            "zstdcat" => "give it a name that ends in .zst, or ",
            _ => "",
        };
        format!(
            "it is {what}, which its name does not say or which is not read; {ending}unpack it ({tool}); of a tar archive, name the files that were in it"
        )
    })
}

/// Why an archive whose text begins with `data` is not read: there is another one in it.
pub fn refusal_inside(data: &[u8]) -> Option<String> {
    if is_tar(data) {
        return Some(super::archive::TAR.to_owned());
    }
    kind_of(data).map(|(what, tool)| {
        format!(
            "what is in it is {what} as well, and no text; unpack it twice ({tool} the second time)"
        )
    })
}

/// What begins with `data`, and how it is unpacked; `None` if it may be text.
fn kind_of(data: &[u8]) -> Option<(&'static str, &'static str)> {
    let is_it = |(magic, ..): &&(&[u8], &str, &str)| data.starts_with(magic);
    let (magic, what, tool) = KINDS.iter().find(is_it)?;
    // Text may begin with these letters.
    let is_text = *magic == b"BZh" && data.get(4..10) != Some(BLOCK);
    (!is_text).then_some((*what, *tool))
}

/// How the first block of bzip2 begins.
const BLOCK: &[u8] = b"1AY&SY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_not_taken_for_an_archive() {
        for text in ["", "B", "BZh9 is a word\n", "PK\n", "7z\n", "{\"a\":1}\n", "ustar\n"] {
            assert_eq!(refusal(text.as_bytes(), false), None, "{text}");
        }
        let long = format!("{}ustar and more\n", "x".repeat(257));
        assert_eq!(refusal(long.as_bytes(), false), None);
        assert!(refusal(b"BZh91AY&SY\x00", false).unwrap().contains("bzcat"));
    }
}
