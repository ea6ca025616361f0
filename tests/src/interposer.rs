//! Something between a client and an HTTP server: it passes requests on, or answers in the
//! server's place as no real server would on demand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as far as the interposer looks at it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method and path: `POST /_bulk?…`.
    pub line: String,
    /// Header lines.
    pub headers: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let of = |line: &'_ String| {
            line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        let line = self.headers.iter().find(|line| of(line))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }
}

/// What to do with a request.
#[derive(Debug, Clone)]
pub enum Action {
    /// Pass it on.
    Forward,
    /// Pass it on, and change the answer's body.
    Change(fn(String) -> String),
    /// Pass it on, and cut the answer off after so many bytes of its body.
    Cut(usize),
    /// Answer with this status and body.
    Answer(u16, &'static str),
    /// Say nothing, and keep the connection.
    Silence,
}

type Rule = Box<dyn Fn(&Request) -> Action + Send>;

/// The interposer; it ends with the process.
#[derive(Clone)]
pub struct Interposer {
    port: u16,
    rule: Arc<Mutex<Rule>>,
}

impl Interposer {
    /// In front of the server at `upstream` (`http://127.0.0.1:PORT`).
    pub fn before(upstream: &str, rule: impl Fn(&Request) -> Action + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(rule)));
        let address = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let rules = Arc::clone(&rule);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (address, rules) = (address.clone(), Arc::clone(&rules));
                thread::spawn(move || serve(client, &address, &rules));
            }
        });
        Self { port, rule }
    }

    /// Its own URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Behaves differently from now on.
    pub fn change(&self, rule: impl Fn(&Request) -> Action + Send + 'static) {
        *self.rule.lock().expect("no panic in a rule") = Box::new(rule);
    }
}

/// One request on one connection; errors end it, as they would with a broken server.
fn serve(mut client: TcpStream, address: &str, rule: &Mutex<Rule>) -> Option<()> {
    let request = read_request(&client)?;
    let action = rule.lock().expect("no panic in a rule")(&request);
    match action {
        Action::Answer(status, body) => respond(&mut client, status, body.as_bytes(), body.len()),
        Action::Silence => {
            // Until the client gives up.
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).ok().map(|_| ())
        }
        Action::Forward => {
            let (status, body) = forward(address, &request)?;
            respond(&mut client, status, &body, body.len())
        }
        Action::Change(change) => {
            let (status, body) = forward(address, &request)?;
            let body = change(String::from_utf8(body).ok()?);
            respond(&mut client, status, body.as_bytes(), body.len())
        }
        Action::Cut(length) => {
            let (status, body) = forward(address, &request)?;
            let length = length.min(body.len());
            respond(&mut client, status, &body[..length], body.len())
        }
    }
}

fn read_request(client: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(client);
    let (line, headers) = read_head(&mut reader)?;
    let mut request = Request { line, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|text| text.parse().ok());
    request.body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

fn read_head(reader: &mut impl BufRead) -> Option<(String, Vec<String>)> {
    let mut lines = reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let first = lines.next()?;
    Some((first, lines.collect()))
}

fn forward(address: &str, request: &Request) -> Option<(u16, Vec<u8>)> {
    let mut server = TcpStream::connect(address).ok()?;
    let kept = |line: &&String| {
        !line.to_ascii_lowercase().starts_with("connection:")
            && !line.to_ascii_lowercase().starts_with("authorization:")
    };
    let headers: Vec<&str> = request.headers.iter().filter(kept).map(String::as_str).collect();
    let head = format!("{}\r\n{}\r\nConnection: close\r\n\r\n", request.line, headers.join("\r\n"));
    server.write_all(head.as_bytes()).ok()?;
    server.write_all(&request.body).ok()?;
    let mut reader = BufReader::new(server);
    let (first, headers) = read_head(&mut reader)?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let chunked = headers.iter().any(|line| line.to_ascii_lowercase().contains("chunked"));
    let mut body = Vec::new();
    reader.read_to_end(&mut body).ok()?;
    Some((status, if chunked { unchunk(&body) } else { body }))
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|pair| pair == b"\r\n") {
        let size = std::str::from_utf8(&body[..end])
            .ok()
            .and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(size @ 1..) = size else { break };
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
    whole
}

fn respond(client: &mut TcpStream, status: u16, body: &[u8], announced: usize) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {announced}\r\nConnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).ok()?;
    client.write_all(body).ok()?;
    client.flush().ok()
}
