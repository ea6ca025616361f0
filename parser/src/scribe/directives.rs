//! The directives of a file, for a parser that takes over in the middle of it: where a file cannot be
//! sought in, as inside an archive, nobody reads them again.

use memchr::memchr3;

/// How many names are kept: a format has fewer.
const MOST: usize = 16;
/// Longer names are no directive's.
const MOST_NAME_BYTES: usize = 32;

/// The last directive of each name, in the order in which they stand.
#[derive(Debug, Default)]
pub struct Directives(Vec<Vec<u8>>);

impl Directives {
    /// Keeps a directive, and no former one of its name.
    pub fn remember(&mut self, line: &[u8]) {
        let Some(name) = name(line) else { return };
        self.0.retain(|kept| !self::name(kept).is_some_and(|kept| kept.eq_ignore_ascii_case(name)));
        if self.0.len() < MOST {
            self.0.push(line.to_vec());
        }
    }

    /// Gives them away; who takes them in remembers them.
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0)
    }
}

/// What stands before the colon, the blank or the tab; nothing of a line that names the columns, of which
/// there is one.
fn name(line: &[u8]) -> Option<&[u8]> {
    if !line.starts_with(b"#") {
        return Some(b"");
    }
    let end = memchr3(b':', b' ', b'\t', line).filter(|end| *end <= MOST_NAME_BYTES)?;
    line.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_each_name_is_kept_and_not_many() {
        let mut directives = Directives::default();
        for line in ["#Fields: a", "#Date: 1", "#fields: b", "#noname"] {
            directives.remember(line.as_bytes());
        }
        assert_eq!(directives.take(), [&b"#Date: 1"[..], b"#fields: b"]);
        for count in 0..100 {
            directives.remember(format!("#n{count}: x").as_bytes());
        }
        assert_eq!(directives.take().len(), MOST);
    }
}
