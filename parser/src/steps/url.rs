//! A URL in a field, taken apart into the fields of ECS.

use super::view::{Blocked, Node, View};
use crate::url::{Url, extension, scheme};

/// Adds the parts of the URL in `field` that the document does not have yet.
pub fn take_apart(view: &mut View<'_>, field: &str) -> Result<(), Blocked> {
    let Some(text) = view.text(field) else { return Ok(()) };
    let parts = Url::of_target(None, text.as_bytes());
    let texts = [
        ("url.scheme", scheme(text.as_bytes())),
        ("url.domain", parts.domain),
        ("url.username", parts.username),
        ("url.path", parts.path),
        ("url.extension", parts.path.and_then(extension)),
        ("url.query", parts.query),
        ("url.fragment", parts.fragment),
    ];
    let mut done = Ok(());
    for (name, part) in texts {
        if let Some(part) = part
            && view.get(name).is_none()
        {
            let text = String::from_utf8_lossy(part);
            done = view.set(name, Node::of_text(&text)).map(drop).and(done);
        }
    }
    if let Some(port) = parts.port
        && view.get("url.port").is_none()
    {
        done = view.set("url.port", Node::New(port.to_string())).map(drop).and(done);
    }
    done
}
