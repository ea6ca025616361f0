//! A server that stores datapoints and fails in every way: in the end it has each that it does not refuse,
//! and it is known how many it did.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use omphalos_common::config::from_text;
use omphalos_live::SeriesPoint;
use serde_json::{Value, json};

use super::{OutputCounts, Outputs, Sinks};

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// All that is not refused is stored, and the answer says what was.
    Details(u16),
    /// It is stored, and the answer is that alone.
    NoContent,
    /// Nothing is stored.
    Status(u16),
    /// It is stored, and nobody is told.
    Nothing,
    /// Too large, if there is more than one.
    TooLarge,
}

type Stored = Arc<Mutex<BTreeMap<String, String>>>;

/// Whose datapoints are refused.
const BAD: &str = "bad";

fn place(point: &Value) -> String {
    format!("{} {} {}", point["metric"], point["timestamp"], point["tags"])
}

fn serve_http(script: Vec<Answer>) -> (u16, Stored) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let stored = Stored::default();
    let all = Arc::clone(&stored);
    thread::spawn(move || {
        let mut script = script.into_iter();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Some(points) = read_request(&stream) else { continue };
            answer(&mut stream, &points, script.next().unwrap_or(Answer::Details(200)), &all);
        }
    });
    (port, stored)
}

fn answer(stream: &mut TcpStream, points: &[Value], answer: Answer, stored: &Stored) {
    let (bad, good): (Vec<&Value>, Vec<&Value>) =
        points.iter().partition(|point| point["tags"]["host"] == BAD);
    let is_stored = match answer {
        Answer::Status(_) => false,
        Answer::TooLarge => points.len() == 1,
        // Without details there is nothing to say of those that are refused.
        Answer::NoContent => bad.is_empty(),
        Answer::Details(_) | Answer::Nothing => true,
    };
    if is_stored {
        let new = good.iter().map(|point| (place(point), point["value"].to_string()));
        stored.lock().unwrap().extend(new);
    }
    let errors: Vec<Value> =
        bad.iter().map(|point| json!({"datapoint": point, "error": "it is bad"})).collect();
    let details = json!({"success": good.len(), "failed": bad.len(), "errors": errors});
    let (status, body) = match answer {
        Answer::Nothing => return,
        Answer::NoContent if bad.is_empty() => (204, String::new()),
        Answer::TooLarge if points.len() > 1 => (413, "too large".to_owned()),
        Answer::Status(status) => (status, "no".to_owned()),
        Answer::Details(status) if bad.is_empty() || status == 200 => (200, details.to_string()),
        _ => (400, details.to_string()),
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    drop(stream.write_all((head + &body).as_bytes()));
}

fn read_request(stream: &TcpStream) -> Option<Vec<Value>> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// Closes each connection after so many lines, until there are no more numbers.
fn serve_lines(closes: Vec<usize>) -> (u16, Stored) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let stored = Stored::default();
    let all = Arc::clone(&stored);
    thread::spawn(move || {
        let mut closes = closes.into_iter();
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let most = closes.next().unwrap_or(usize::MAX);
            let reader = BufReader::new(&stream);
            for line in reader.lines().take(most).map_while(Result::ok) {
                let words: Vec<&str> = line.split(' ').collect();
                if words[0] == "exit" {
                    break;
                }
                let said = if words[0] == "version" {
                    "net.opentsdb.tools 2.4\nBuilt\n".to_owned()
                } else if line.contains("host=bad") {
                    format!("put: it is bad: {}\n", words[1])
                } else {
                    let key = format!("{} {} {}", words[1], words[2], words[4..].join(" "));
                    all.lock().unwrap().insert(key, words[3].to_owned());
                    continue;
                };
                if (&stream).write_all(said.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    (port, stored)
}

fn points(hosts: &[&str]) -> Vec<SeriesPoint> {
    let point = |(number, host): (usize, &&str)| SeriesPoint {
        at: 1_795_000_020_000 + i64::try_from(number).unwrap() * 60_000,
        values: vec![Some((*host).into())],
        is_rest: false,
        hits: 7,
        bytes: 0,
        errors: 0,
        classes: [0, 0, 7, 0, 0, 0],
        latency: None,
    };
    hosts.iter().enumerate().map(point).collect()
}

/// Writes points to a server; what became of them.
async fn written(url: &str, hosts: &[&str]) -> OutputCounts {
    let table = format!(
        "[[output]]\nkind = \"opentsdb\"\nurl = \"{url}\"\ntags = [\"host\"]\ntimeout = \"2s\"\n"
    );
    let outputs: Outputs = from_text(&table).unwrap();
    let sinks = Sinks::start(outputs.output).unwrap();
    sinks.take(0, &points(hosts));
    let queue = Arc::clone(&sinks.queues()[0].1);
    sinks.finish(Duration::from_mins(1)).await;
    queue.counts()
}

/// Four datapoints for each host: hits, bytes, errors, 2xx.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_server_answers_it_has_each_datapoint_that_it_does_not_refuse() {
    let good: Vec<&str> = std::iter::repeat_n("web", 40).collect();
    let mut mixed = good.clone();
    (mixed[3], mixed[20], mixed[39]) = (BAD, BAD, BAD);
    let scripts: [(&[Answer], &[&str], u64); 7] = [
        (&[Answer::NoContent; 9], &good, 0),
        (&[Answer::Details(200)], &mixed, 12),
        (&[Answer::Details(400); 20], &mixed, 12),
        (&[Answer::Nothing, Answer::NoContent], &good, 0),
        (&[Answer::Status(503), Answer::Status(429)], &mixed, 12),
        (&[Answer::TooLarge; 99], &good, 0),
        // Who says of a batch only that something is wrong with it is asked in halves.
        (&[Answer::Status(400), Answer::Details(400)], &mixed, 12),
    ];
    for (script, hosts, refused) in scripts {
        let (port, stored) = serve_http(script.to_vec());
        let counts = written(&format!("http://127.0.0.1:{port}"), hosts).await;
        let all = hosts.len() as u64 * 4;
        let expected = OutputCounts { stored: all - refused, refused, dropped: 0, waiting: 0 };
        assert_eq!(counts, expected, "{script:?}");
        let stored = stored.lock().unwrap();
        assert_eq!(stored.len() as u64, all - refused, "{script:?}");
        assert!(stored.iter().all(|(place, value)| {
            value == if place.contains("hits") || place.contains("2xx") { "7" } else { "0" }
        }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_written_again_when_a_connection_ends_before_they_are_known_to_be_read() {
    let good: Vec<&str> = std::iter::repeat_n("web", 30).collect();
    let mut mixed = good.clone();
    mixed[7] = BAD;
    for (closes, hosts, refused) in
        [(vec![], &good, 0), (vec![5, 0], &good, 0), (vec![3], &mixed, 4)]
    {
        let (port, stored) = serve_lines(closes);
        let counts = written(&format!("telnet://127.0.0.1:{port}"), hosts).await;
        let all = hosts.len() as u64 * 4;
        let expected = OutputCounts { stored: all - refused, refused, dropped: 0, waiting: 0 };
        assert_eq!(counts, expected);
        assert_eq!(stored.lock().unwrap().len() as u64, all - refused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_holds_up_nobody_and_the_oldest_go() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let table = format!("[[output]]\nkind = \"opentsdb\"\nurl = \"{url}\"\ntags = [\"host\"]\n");
    let sinks = Sinks::start(from_text::<Outputs>(&table).unwrap().output).unwrap();
    let hosts: Vec<&str> = std::iter::repeat_n("web", 30_000).collect();
    sinks.take(0, &points(&hosts));
    let queue = Arc::clone(&sinks.queues()[0].1);
    sinks.finish(Duration::from_millis(100)).await;
    let counts = queue.counts();
    assert!(counts.dropped >= 19_000 && counts.waiting <= 100_000, "{counts:?}");
    assert_eq!((counts.stored, counts.refused), (0, 0));
}
