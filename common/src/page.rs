//! Pages for browsers, with which proxies and other servers answer who asked for something else: nobody
//! wants to read one in an error or in a log.

/// How much of a page is looked through for its title, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// The longest title that is told, in characters.
const LONGEST_TITLE: usize = 100;

/// What to say of a body that is a page for browsers, which is its title at most; `None` where it is
/// none.
pub fn page(body: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(body.get(..LONGEST_HEAD).unwrap_or(body));
    let text = head.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if !text.starts_with('<') {
        return None;
    }
    Some(title(text).map_or_else(
        || "a page for browsers".to_owned(),
        |title| format!("a page for browsers, {title:?}"),
    ))
}

fn title(text: &str) -> Option<String> {
    // Only letters of ASCII change: places in one are places in the other.
    let lower = text.to_ascii_lowercase();
    let at = lower.find("<title")?;
    let from = at + lower.get(at..)?.find('>')? + 1;
    let to = from + lower.get(from..)?.find('<')?;
    let words: Vec<&str> = text.get(from..to)?.split_whitespace().collect();
    let title: String = words.join(" ").chars().take(LONGEST_TITLE).collect();
    (!title.is_empty()).then_some(title)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_page_for_browsers_no_more_than_the_title_is_told() {
        for (text, told) in [
            ("<h1>Bad gateway</h1>", "a page for browsers"),
            (
                "<html><head><TITLE lang=en>502\n Bad  Gateway</TITLE></head><body>x",
                "a page for browsers, \"502 Bad Gateway\"",
            ),
            ("\u{feff}\r\n<!DOCTYPE html>\n<title></title>", "a page for browsers"),
            ("<?xml version=\"1.0\"?><Error><Code>no</Code></Error>", "a page for browsers"),
            ("<title>é", "a page for browsers"),
            ("<title", "a page for browsers"),
        ] {
            assert_eq!(page(text.as_bytes()).as_deref(), Some(told), "{text}");
        }
        let long = format!("<title>{}</title>", "x".repeat(5000));
        assert!(page(long.as_bytes()).unwrap().len() < 250);
        // Cut in the middle of a character.
        let long = format!("<p>{}", "é".repeat(20_000));
        assert_eq!(page(long.as_bytes()).as_deref(), Some("a page for browsers"));
    }

    #[test]
    fn what_is_no_page_is_none() {
        for text in ["", "no backend", "{\"a\":\"<html>\"}", "broker: no connection"] {
            assert_eq!(page(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_page_is_told_whole(body in "<(<|>|title|TITLE|é| |/|a){0,30}") {
            let told = page(body.as_bytes()).unwrap();
            prop_assert!(!told.contains('<'), "{}", told);
        }
    }
}
