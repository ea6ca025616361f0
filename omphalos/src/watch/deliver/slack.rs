//! A channel of Slack, by an incoming webhook.

use omphalos_common::config::ConfigError;
use omphalos_live::alert::Event;

use super::Receiver;
use super::failure::Failure;
use super::http::Poster;
use super::text::{key, time, title};

/// Slack shows longer texts in parts, or not at all.
const MOST_LETTERS: usize = 3_000;

#[derive(Debug)]
pub(super) struct Slack(Poster);

impl Slack {
    pub fn new(receiver: &Receiver) -> Result<Self, ConfigError> {
        let url = receiver.read_url(&["http", "https"], "https://hooks.slack.com/services/…")?;
        Poster::new(receiver, url).map(Self)
    }

    pub async fn deliver(&self, event: &Event) -> Result<(), Failure> {
        let json = serde_json::json!({ "text": message(event) });
        self.0.post(json.to_string(), Some(&key(event))).await
    }
}

fn message(event: &Event) -> String {
    let said: String = event.alert.text.chars().take(MOST_LETTERS).collect();
    escaped(&format!("{}\n{said}\n{}", title(event), time(event.at)))
}

/// Without anything that would be a link, or call all who are there (`<!channel>`).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::deliver::tests::{event, raised};

    #[test]
    fn a_key_calls_nobody() {
        let mut event = event("slow", 1_700_000_000_000, raised());
        event.alert.text = "<!channel> & <https://h|x> is slow".to_owned();
        assert_eq!(
            message(&event),
            "Raised (critical): slow, a.example\n&lt;!channel&gt; &amp; &lt;https://h|x&gt; is slow\n2023-11-14T22:13:20Z"
        );
        event.alert.text = "é".repeat(10_000);
        assert!(message(&event).chars().count() < 3_200);
    }
}
