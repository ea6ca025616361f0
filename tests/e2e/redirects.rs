//! Documents go to the server that somebody wrote, and to no other that an answer names.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use omphalos_indexer::elasticsearch::{Client, ElasticsearchSettings, Fault};
use omphalos_tests::Program;
use serde_json::json;

use crate::circumstances::directory;

const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// A server that nobody wrote, and how often documents came to it.
struct Stranger {
    url: String,
    documents: Arc<AtomicUsize>,
}

impl Stranger {
    fn start() -> Self {
        let documents = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&documents);
        let url = serve(move |path| {
            counted.fetch_add(usize::from(path.contains("_bulk")), Ordering::SeqCst);
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_owned()
        });
        Self { url, documents }
    }

    /// A server that sends everybody on to it.
    fn herald(&self, status: u16) -> String {
        let url = self.url.clone();
        serve(move |path| {
            format!(
                "HTTP/1.1 {status} Elsewhere\r\nlocation: {url}{path}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
        })
    }

    fn documents(&self) -> usize {
        self.documents.load(Ordering::SeqCst)
    }
}

/// Answers each request, whose path `answer` is given, for as long as the tests run; returns the URL.
fn serve(answer: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Who asked may have gone.
            reply(stream, &answer).ok();
        }
    });
    url
}

fn reply(stream: TcpStream, answer: &impl Fn(&str) -> String) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(("content-length", value)) = line.trim().split_once(": ") {
            length = value.parse().expect("a length");
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    reader.get_mut().write_all(answer(&path).as_bytes())
}

#[test]
fn an_answer_of_another_server_counts_for_nothing_and_the_error_says_what_to_write() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for status in REDIRECTS {
        let stranger = Stranger::start();
        let herald = stranger.herald(status);
        let settings = ElasticsearchSettings {
            url: Some(vec![herald.clone()]),
            ..ElasticsearchSettings::default()
        };
        let client = Client::new(&settings, true).expect("a client");
        let body = || "{}\n".as_bytes().into();
        let faults: Vec<(&str, Option<Fault>)> = runtime.block_on(async {
            vec![
                ("info", client.info().await.err()),
                ("get", client.get("_index_template/x").await.err()),
                ("put", client.put("_index_template/x", &json!({})).await.err()),
                ("search", client.post("x-*/_search?size=1", body()).await.err()),
            ]
        });
        for (asked, fault) in faults {
            let Some(Fault::Hold(text)) = fault else { panic!("{status} {asked}: {fault:?}") };
            for part in [
                format!("redirects to {}, ", stranger.url),
                format!("write {} in elasticsearch.url", stranger.url),
            ] {
                assert!(text.contains(&part), "{status} {asked}: {text}");
            }
        }
    }
}

#[test]
fn every_program_refuses_a_redirect_and_says_where_it_points() {
    let directory = directory();
    let path = directory.path().join("a.log");
    fs::write(&path, "{\"@timestamp\":\"2026-11-22T01:00:00Z\",\"a\":1}\n").expect("a log");
    let log = path.display().to_string();
    let state = directory.path().join("state").display().to_string();
    let stranger = Stranger::start();
    let herald = stranger.herald(307);
    let (file, url) = (log.as_str(), herald.as_str());
    for (name, arguments) in [
        ("omphalos", vec!["search", "a", "--url", url]),
        (
            "omphalos",
            vec!["audit", file, "--parser", "json", "--host-id", "h", "--elasticsearch", url],
        ),
        (
            "omphalos",
            vec![
                "import",
                file,
                "--parser",
                "json",
                "--state-dir",
                &state,
                "--elasticsearch-url",
                url,
            ],
        ),
        ("omphalos-indexer", vec!["check", "--elasticsearch-url", url]),
    ] {
        let output = directory.path().join(format!("{name}-{}.log", arguments[0]));
        let ended = Program::new(name, &output).args(&arguments).run();
        assert_ne!(ended.code, Some(0), "{arguments:?}: {}", ended.output);
        let expected = format!("redirects to {}, ", stranger.url);
        assert!(ended.output.contains(&expected), "{arguments:?}: {}", ended.output);
    }
    assert_eq!(stranger.documents(), 0);
}
