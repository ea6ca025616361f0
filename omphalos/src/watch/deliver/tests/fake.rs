//! A webhook that fails in every way.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::Value;

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// It is read, and nothing is said until the client goes.
    Never,
    /// The connection is closed without a word.
    Nothing,
    /// It is closed in the middle of the headers of an answer.
    Half,
    /// This status and these headers, with a few words.
    Status(u16, &'static str),
    /// 200, one byte after the other.
    Slowly,
    /// 500, and more text than anybody wants.
    Huge,
}

/// A request that was read to its end.
#[derive(Clone, Debug)]
pub struct Request {
    pub at: Instant,
    pub path: String,
    pub key: Option<String>,
    pub body: Value,
    /// Whether the answer was 2xx, all of it.
    pub is_taken: bool,
}

/// It listens until the process ends.
pub struct Fake {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    /// Answers as the script says, and then with 200 for ever; `None` for a script that says the same for ever.
    pub fn start(listener: TcpListener, script: &[Answer], is_for_ever: bool) -> Self {
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (script, seen) = (script.to_vec(), requests.clone());
        thread::spawn(move || {
            for (count, stream) in listener.incoming().enumerate() {
                let count = if is_for_ever { count % script.len() } else { count };
                let answer = script.get(count).copied().unwrap_or(Answer::Status(200, ""));
                let seen = seen.clone();
                thread::spawn(move || serve(&stream.unwrap(), answer, &seen));
            }
        });
        Self { address, requests }
    }

    pub fn new(script: &[Answer]) -> Self {
        Self::start(TcpListener::bind("127.0.0.1:0").unwrap(), script, false)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The keys of what was taken, in order.
    pub fn taken(&self) -> Vec<String> {
        let requests = self.requests();
        let taken = requests.into_iter().filter(|request| request.is_taken);
        taken.map(|request| request.key.unwrap()).collect()
    }
}

fn serve(mut stream: &TcpStream, answer: Answer, seen: &Mutex<Vec<Request>>) {
    let Some(mut request) = read(stream) else { return };
    request.is_taken =
        matches!(answer, Answer::Slowly) || matches!(answer, Answer::Status(200..=299, _));
    seen.lock().unwrap().push(request);
    // Whether the client is still there is its own affair.
    let written = match answer {
        Answer::Never => stream.read_to_end(&mut Vec::new()).map(drop),
        Answer::Nothing => Ok(()),
        Answer::Half => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le"),
        Answer::Status(status, headers) => stream.write_all(
            format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: 7\r\nConnection: close\r\n\r\nsuch is")
                .as_bytes(),
        ),
        Answer::Slowly => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
            .chunks(1)
            .try_for_each(|byte| {
                thread::yield_now();
                stream.write_all(byte)
            }),
        Answer::Huge => {
            let head = b"HTTP/1.1 500 X\r\nContent-Length: 99999999999\r\n\r\n";
            let text = vec![b'a'; 65_536];
            let mut texts = std::iter::repeat_n(&text, 100_000);
            stream.write_all(head).and_then(|()| texts.try_for_each(|text| stream.write_all(text)))
        }
    };
    drop(written);
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let of = |line: &String| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        lines.iter().find_map(of)
    };
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    let mut body = vec![0; header("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let path = lines[0].split(' ').nth(1)?.to_owned();
    let body = serde_json::from_slice(&body).unwrap();
    let key = header("idempotency-key");
    Some(Request { at: Instant::now(), path, key, body, is_taken: false })
}
