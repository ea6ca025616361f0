//! A page in a real browser on the machine of the store: it tries what pages can, and gets nothing.
//!
//! Where there is no Chromium, this says so and passes: half a gigabyte is much to install for one test.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use omphalos_tests::{Elastic, Embedded};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a browser may take to start, on a busy machine.
const LONGEST: Duration = Duration::from_mins(2);
const SECRET: &str = "what no page may read";

/// What the page does: `own` is the store under the name of the page (DNS rebinding), the others are the
/// store by its address. Says at the end what became of each.
const PAGE: &str = r#"<!doctype html><iframe name="sink"></iframe><script>
const store = "127.0.0.1:STORE", told = {};
const json = {"content-type": "application/json"}, line = '{"create":{}}\n{"a":1}\n';
async function attempt(name, url, options) {
  try {
    const answer = await fetch(url, options);
    told[name] = answer.type + " " + answer.status + " " + await answer.text();
  } catch (error) { told[name] = "failed: " + error; }
}
function send(form, url, body) {
  form.method = "post"; form.enctype = "text/plain"; form.target = "sink"; form.action = url;
  const field = document.createElement("input");
  field.name = body; form.append(field); document.body.append(form); form.submit();
}
(async () => {
  await attempt("own read", "/victim/_search");
  await attempt("own write", "/victim/_doc/2", {method: "PUT", headers: json, body: '{"a":1}'});
  await attempt("own delete", "/victim", {method: "DELETE"});
  for (const host of [store, "localhost:STORE"]) {
    const url = "http://" + host;
    await attempt("read " + host, url + "/victim/_search");
    await attempt("blind read " + host, url + "/victim/_search", {mode: "no-cors"});
    await attempt("write " + host, url + "/victim/_doc/3", {method: "PUT", headers: json, body: '{"a":1}'});
    await attempt("blind write " + host, url + "/made/_bulk", {method: "POST", mode: "no-cors", body: line});
    await attempt("delete " + host, url + "/victim", {method: "DELETE"});
    navigator.sendBeacon(url + "/beacon/_bulk", new Blob([line], {type: "text/plain"}));
    const script = document.createElement("script");
    script.src = url + "/victim/_search"; document.body.append(script);
    await new Promise(done => { script.onload = script.onerror = done; });
  }
  const sink = document.querySelector("iframe");
  const loaded = new Promise(done => { sink.onload = done; });
  send(document.createElement("form"), "http://" + store + "/form/_bulk", line);
  await loaded;
  await fetch("/told", {method: "POST", body: JSON.stringify(told)});
})();
</script>"#;

/// The head of a request, and the body that it says it has.
fn request(stream: &mut TcpStream) -> io::Result<String> {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? > 0 {
        read.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&read).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(head + &String::from_utf8_lossy(&body))
}

/// The name of the page leads to its own server for the page, and then to the store: what a change of its
/// address does.
fn serve(stream: &mut TcpStream, store: &str, told: &SyncSender<Value>) -> io::Result<()> {
    let request = request(stream)?;
    let page = PAGE.replace("STORE", store.rsplit(':').next().unwrap_or_default());
    let body = if request.starts_with("GET /page ") {
        page
    } else if request.starts_with("POST /told ") {
        let body = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        told.send(serde_json::from_str(body)?).ok();
        String::new()
    } else if request.starts_with("GET /favicon.ico ") {
        String::new()
    } else {
        let mut behind = TcpStream::connect(store)?;
        let request = request.replacen("Connection: keep-alive", "Connection: close", 1);
        behind.write_all(request.as_bytes())?;
        io::copy(&mut behind, stream)?;
        return stream.shutdown(Shutdown::Both);
    };
    let head = format!("content-type: text/html\r\ncontent-length: {}", body.len());
    write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\nconnection: close\r\n\r\n{body}")
}

#[test]
fn a_page_in_a_real_browser_can_neither_read_nor_write_nor_delete() {
    let store = Embedded::start();
    let elastic = Elastic::new(&store.url(), "victim");
    elastic.must(Method::PUT, "victim/_doc/1", &json!({ "text": SECRET }));
    let address = store.url().trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, has_told) = sync_channel(16);
    // It ends with the test's process.
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (address, told) = (address.clone(), told.clone());
            // A browser closes connections when it likes.
            thread::spawn(move || serve(&mut stream, &address, &told).ok());
        }
    });
    let profile = TempDir::with_prefix("omphalos-browser-").expect("a directory");
    let browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--disable-dev-shm-usage", "--disable-background-networking", "--no-proxy-server"])
        .args(["--remote-debugging-port=0", "--host-resolver-rules=MAP page.example 127.0.0.1"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://page.example:{port}/page"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut browser) = browser else {
        eprintln!("no chromium here, so no page tries anything: tests/stack/install.sh chromium");
        return;
    };
    let told = has_told.recv_timeout(LONGEST);
    browser.kill().expect("it is ended");
    browser.wait().expect("it is gone");
    let told = told.expect("the page says what it could do");
    let told = told.as_object().expect("an object");
    assert_eq!(told.len(), 3 + 2 * 5, "{told:?}");
    for (what, became) in told {
        let became = became.as_str().expect("a text");
        assert!(!became.contains(SECRET), "{what}: {became}");
        if what.starts_with("own") {
            assert!(
                became.contains("basic 403") && became.contains("page.example"),
                "{what}: {became}"
            );
        } else if what.starts_with("blind") {
            assert_eq!(became.trim(), "opaque 0", "{what}");
        } else {
            assert!(became.starts_with("failed: TypeError"), "{what}: {became}");
        }
    }
    let indices = elastic.request(Method::GET, "_cat/indices?h=index,docs.count&format=json", None);
    let expected = json!([{ "index": "victim", "docs.count": "1" }]);
    assert_eq!(indices.expect("an answer").1, expected, "only what was there before");
}
