//! Writes datapoints to OpenTSDB, over HTTP or the telnet protocol, in batches. A datapoint that is
//! written twice is one, so whatever is uncertain is written again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use omphalos_common::config::is_on_this_machine;
use omphalos_common::retry::Retry;
use omphalos_common::telemetry::{Due, SharedRepeats};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{info, warn};
use url::Url;

use super::datapoint::Datapoint;
use super::queue::Queue;
use super::settings::Output;

/// Datapoints in a request: what OpenTSDB recommends.
const BATCH: usize = 50;
/// Lines for which a connection is made.
const LINES: usize = 1_000;
/// So much of an answer is read.
const MOST_OF_ANSWER: usize = 1 << 20;
/// Whoever does not answer the question at the end of a batch is not asked for longer.
const ECHO: Duration = Duration::from_secs(2);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What became of a batch.
#[derive(Debug, PartialEq)]
enum Answer {
    /// All of it is stored.
    Stored,
    /// All but these, with the reason for the first.
    Partly(Vec<Datapoint>, String),
    /// All of it was refused, because of something in it.
    Refused(String),
}

/// Writes what waits to one server.
pub struct Writer {
    queue: Arc<Queue>,
    shown: String,
    road: Road,
    timeout: Duration,
    failures: SharedRepeats,
    refusals: SharedRepeats,
}

enum Road {
    Http(Client, Url),
    Telnet(String),
}

impl Writer {
    /// To the server of an output.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(output: &Output, queue: Arc<Queue>) -> anyhow::Result<Self> {
        let url = output.server()?;
        let timeout = output.timeout();
        let road = if url.scheme() == "telnet" {
            let host = url.host_str().context("the URL has no host")?;
            Road::Telnet(format!("{host}:{}", url.port().unwrap_or(4242)))
        } else {
            let mut builder = Client::builder().timeout(timeout).redirect(Policy::none());
            if is_on_this_machine(&url) {
                builder = builder.no_proxy();
            }
            Road::Http(builder.build()?, url.join("api/put?details")?)
        };
        let (failures, refusals) = (SharedRepeats::new(), SharedRepeats::new());
        Ok(Self { queue, shown: output.shown(), road, timeout, failures, refusals })
    }

    /// Writes until the queue is closed and empty.
    pub async fn run(self) {
        let most = if matches!(self.road, Road::Telnet(_)) { LINES } else { BATCH };
        while let Some(batch) = self.queue.take(most).await {
            self.write(batch).await;
        }
    }

    /// Writes a batch, however long that takes. What is refused is written once more without the others,
    /// and a batch that is refused as a whole in halves, until it is known which datapoints are to blame.
    async fn write(&self, batch: Vec<Datapoint>) {
        let mut left = vec![(batch, false)];
        while let Some((batch, was_refused)) = left.pop() {
            match self.put(&batch).await {
                Answer::Stored => self.queue.settle(batch.len(), 0),
                Answer::Partly(failed, why) if was_refused || failed.is_empty() => {
                    self.refuse(&failed, &why);
                    self.queue.settle(batch.len() - failed.len(), failed.len());
                }
                Answer::Partly(failed, _) => {
                    self.queue.settle(batch.len() - failed.len(), 0);
                    left.push((failed, true));
                }
                Answer::Refused(why) if batch.len() == 1 => {
                    self.refuse(&batch, &why);
                    self.queue.settle(0, 1);
                }
                Answer::Refused(_) => {
                    let mut first = batch;
                    let second = first.split_off(first.len() / 2);
                    left.extend([(second, was_refused), (first, was_refused)]);
                }
            }
        }
    }

    fn refuse(&self, points: &[Datapoint], why: &str) {
        let Some(first) = points.first() else { return };
        if let Some(Due { repeats }) = self.refusals.due() {
            let line = first.line();
            warn!(
                repeats,
                "{}: refuses a datapoint, which is dropped: {}: {why}",
                self.shown,
                line.trim_end()
            );
        }
    }

    /// Writes a batch until there is an answer.
    async fn put(&self, batch: &[Datapoint]) -> Answer {
        let mut retry = Retry::new(FIRST_WAIT, LONGEST_WAIT);
        let mut has_failed = false;
        loop {
            let result = match &self.road {
                Road::Http(client, url) => put_over_http(client, url, batch).await,
                Road::Telnet(address) => put_by_lines(address, batch, self.timeout).await,
            };
            match result {
                Ok(answer) => {
                    if has_failed {
                        info!("{}: takes datapoints again", self.shown);
                    }
                    return answer;
                }
                Err(error) => {
                    has_failed = true;
                    if let Some(Due { repeats }) = self.failures.due() {
                        warn!(repeats, "{}: {error:#}; trying again, for ever", self.shown);
                    }
                    tokio::time::sleep(retry.next_wait()).await;
                }
            }
        }
    }
}

/// What `/api/put?details` answers.
#[derive(Debug, Deserialize)]
struct Details {
    failed: u64,
    #[serde(default)]
    errors: Vec<Failed>,
}

#[derive(Debug, Deserialize)]
struct Failed {
    datapoint: Datapoint,
    #[serde(default)]
    error: String,
}

async fn put_over_http(client: &Client, url: &Url, batch: &[Datapoint]) -> anyhow::Result<Answer> {
    let mut answer = client
        .post(url.clone())
        .header("content-type", "application/json")
        .body(serde_json::to_string(batch)?)
        .send()
        .await
        .map_err(|error| anyhow::Error::from(error.without_url()))?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_OF_ANSWER {
            return Err(anyhow!("answers {status} with more than {MOST_OF_ANSWER} bytes"));
        }
    }
    understood(status, &body, batch)
}

/// What an answer says of a batch.
fn understood(status: StatusCode, body: &[u8], batch: &[Datapoint]) -> anyhow::Result<Answer> {
    let details = serde_json::from_slice::<Details>(body);
    if let Ok(details) = details
        && (status.is_success() || status == StatusCode::BAD_REQUEST)
    {
        let failed: Vec<Datapoint> = batch
            .iter()
            .filter(|point| details.errors.iter().any(|failed| failed.datapoint.is_of(point)))
            .cloned()
            .collect();
        let why = details.errors.into_iter().next().map_or_else(String::new, |first| first.error);
        return Ok(match (details.failed, failed.len()) {
            (0, _) => Answer::Stored,
            // Which ones it does not say.
            (_, 0) => Answer::Refused("it does not say why".to_owned()),
            _ => Answer::Partly(failed, why),
        });
    }
    let said = String::from_utf8_lossy(body).chars().take(200).collect::<String>();
    match status.as_u16() {
        200..=299 => Ok(Answer::Stored),
        400 | 413 => Ok(Answer::Refused(format!("{status} {said}"))),
        _ => Err(anyhow!("answers {status}: {}", said.trim())),
    }
}

/// Writes lines, asks for the version, and says goodbye: what the server says of the lines comes before its
/// version, and an end without that is none that it meant.
async fn put_by_lines(
    address: &str,
    batch: &[Datapoint],
    longest: Duration,
) -> anyhow::Result<Answer> {
    let stream = timeout(longest, TcpStream::connect(address)).await.context("no answer")??;
    let mut stream = BufReader::new(stream);
    let mut text: String = batch.iter().map(Datapoint::line).collect();
    text.push_str("version\nexit\n");
    timeout(longest, stream.get_mut().write_all(text.as_bytes()))
        .await
        .context("takes nothing")??;
    let mut first = None;
    let mut errors = 0;
    loop {
        let mut line = Vec::new();
        let read = timeout(ECHO.min(longest), stream.read_until(b'\n', &mut line));
        // Who says nothing is believed.
        let Ok(read) = read.await else { break };
        if read? == 0 {
            return Err(anyhow!("closed the connection"));
        }
        let line = String::from_utf8_lossy(&line);
        if !line.starts_with("put:") {
            break;
        }
        errors += 1;
        first.get_or_insert_with(|| line.trim().to_owned());
        if errors > batch.len() {
            return Err(anyhow!("says more than it was asked"));
        }
    }
    // Which datapoint an error is about it does not say.
    Ok(first.map_or(Answer::Stored, Answer::Refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Vec<Datapoint> {
        let one = |number: i64| {
            let json = format!(
                "{{\"metric\":\"m\",\"timestamp\":{number},\"value\":1,\"tags\":{{\"a\":\"b\"}}}}"
            );
            serde_json::from_str(&json).unwrap()
        };
        (0..3).map(one).collect()
    }

    #[test]
    fn each_answer_of_the_server_is_understood() {
        let of = |status: u16, body: &str| {
            understood(StatusCode::from_u16(status).unwrap(), body.as_bytes(), &batch())
        };
        assert_eq!(of(204, "").unwrap(), Answer::Stored);
        assert_eq!(of(200, "{\"success\":3,\"failed\":0,\"errors\":[]}").unwrap(), Answer::Stored);
        let partly = "{\"success\":2,\"failed\":1,\"errors\":[{\"datapoint\":{\"metric\":\"m\",\"timestamp\":1,\"value\":\"1\",\"tags\":{\"a\":\"b\"}},\"error\":\"Unknown metric\"}]}";
        let partly = partly.replace("\"value\":\"1\"", "\"value\":1.0");
        for status in [200, 400] {
            let Answer::Partly(failed, why) = of(status, &partly).unwrap() else { panic!() };
            assert_eq!((failed.len(), failed[0].timestamp, why.as_str()), (1, 1, "Unknown metric"));
        }
        assert!(matches!(of(400, "{\"failed\":3,\"success\":0}").unwrap(), Answer::Refused(_)));
        assert!(matches!(of(400, "<html>").unwrap(), Answer::Refused(_)));
        assert!(matches!(of(413, "").unwrap(), Answer::Refused(_)));
        for status in [301, 401, 404, 429, 500, 503] {
            assert!(of(status, "").is_err(), "{status}");
        }
    }
}
