//! The connections of the HTTP listeners: of the one for metrics and health, and of the embedded store.
//! Nobody who connects can use up the process or keep others out for long: there are so many connections at
//! once, a request has so long to come, an answer so long to be taken, and who is beyond the limit waits with
//! the system until somebody else is done, or has been silent for a second. What pages in browsers send is refused ([`Hosts`]).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming as Body;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::warn;

use super::lines::{Line, Lines, Sending};
use super::{Due, Hosts, Repeats};
use crate::shutdown::Shutdown;

/// After the system could not accept a connection, because there are too many open files.
const PAUSE: Duration = Duration::from_millis(500);

/// While all connections are taken: how often is looked for one that is silent.
const CROWDED: Duration = Duration::from_millis(100);

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// So many at once; Prometheus needs one, a probe another for a moment.
    pub connections: usize,
    /// For how long a connection may be silent before a request, and how long a request's head may
    /// take to come.
    pub head: Duration,
    /// A connection that is older is closed behind its next answer.
    pub age: Duration,
    /// How long that answer may take to be taken; it also ends with the process.
    pub last_answer: Duration,
}

impl Limits {
    /// Those of the embedded store. Clients keep idle connections for a minute or so: who closes them sooner
    /// closes some under a request. An answer may take as long as the longest search, and longer.
    pub const STORE: Self = Self {
        connections: 256,
        head: Duration::from_mins(2),
        age: Duration::from_mins(10),
        last_answer: Duration::from_mins(2),
    };

    /// Those of the page, whose browsers keep a stream each: it goes on for hours, and then begins again.
    pub const PAGE: Self = Self {
        connections: 512,
        head: Duration::from_mins(2),
        age: Duration::from_hours(12),
        last_answer: Duration::from_secs(10),
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head: Duration::from_secs(30),
            age: Duration::from_mins(5),
            last_answer: Duration::from_secs(10),
        }
    }
}

/// Where connections come in.
pub struct Incoming {
    listener: Arc<TcpListener>,
    tls: Option<TlsAcceptor>,
}

impl Incoming {
    /// At a listener, whose connections are TLS where there is an acceptor.
    pub fn new(listener: Arc<TcpListener>, tls: Option<TlsAcceptor>) -> Self {
        Self { listener, tls }
    }
}

impl From<Arc<TcpListener>> for Incoming {
    fn from(listener: Arc<TcpListener>) -> Self {
        Self { listener, tls: None }
    }
}

impl From<TcpListener> for Incoming {
    fn from(listener: TcpListener) -> Self {
        Arc::new(listener).into()
    }
}

/// Who is at the other end of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Serves `router` until `stop`, and then until the answers under way are given.
pub async fn serve(
    incoming: impl Into<Incoming>,
    router: Router,
    (limits, hosts): (Limits, Hosts),
    stop: Shutdown,
) {
    let Incoming { listener, tls } = incoming.into();
    let mut connections = JoinSet::new();
    let mut lines = Lines::default();
    let mut trouble = Repeats::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < limits.connections => match accepted {
                Ok((stream, peer)) => {
                    let near = stream.local_addr().ok();
                    let (router, hosts) = (router.clone(), hosts.clone());
                    let line = Line::new();
                    lines.add(&line);
                    let service = Service { router, hosts, near, peer: Peer(peer), line };
                    connections.spawn(begin(stream, tls.clone(), service, (limits, stop.clone())));
                }
                Err(error) => {
                    if let Some(Due { repeats }) = trouble.due() {
                        warn!(%error, repeats, "the HTTP listener cannot accept a connection");
                    }
                    sleep(PAUSE).await;
                }
            },
            () = sleep(CROWDED), if connections.len() >= limits.connections => lines.make_way(),
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Who answers on a connection, by which names, and from where to where it goes.
struct Service {
    router: Router,
    hosts: Hosts,
    near: Option<SocketAddr>,
    peer: Peer,
    line: Arc<Line>,
}

/// Begins a connection. What is wrong with it is the other side's business.
async fn begin(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    service: Service,
    (limits, stop): (Limits, Shutdown),
) {
    let Some(tls) = tls else { return answer(stream, service, limits, stop).await };
    let greeted = timeout(limits.head, tls.accept(stream));
    // Whoever greets slowly is let go of when the process stops, or others wait.
    let greeted = tokio::select! {
        greeted = greeted => greeted,
        () = stop.cancelled() => return,
        () = service.line.leave.notified() => return,
    };
    if let Ok(Ok(stream)) = greeted {
        answer(stream, service, limits, stop).await;
    }
}

/// Answers the requests of one connection.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    service: Service,
    limits: Limits,
    stop: Shutdown,
) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head);
    let Service { router, hosts, near, peer, line } = service;
    let own = Arc::clone(&line);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Body>| {
        request.extensions_mut().insert(peer);
        let (refusal, router) = (hosts.refusal(&request, near), router.clone());
        let busy = own.busy();
        let request = request.map(|body| own.receiving(body));
        async move {
            let answer = match refusal {
                Some(refusal) => Ok::<_, Infallible>(refusal),
                None => router.call(request).await,
            };
            answer.map(|answer| answer.map(|body| Sending::around(body, busy)))
        }
    });
    let mut connection =
        pin!(builder.serve_connection(TokioIo::new(line.sending(stream)), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = line.leave.notified() => return,
        () = sleep(limits.age) => {}
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(timeout(limits.last_answer, connection).await);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::Bytes;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    use super::*;
    use crate::telemetry::ask_ready;

    const HOUR: Duration = Duration::from_hours(1);
    const SOON: Duration = Duration::from_millis(200);

    /// A listener with these limits, and how it is stopped.
    async fn listening(limits: Limits) -> (SocketAddr, Shutdown, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), Shutdown::new());
        // An answer that no buffer of a socket has room for.
        let large = get(async || vec![b'x'; 64 * 1024 * 1024]);
        let body = post(async |body: Bytes| body.len().to_string());
        let router = Router::new().route("/readyz", get(async || "ok"));
        let router = router.route("/large", large).route("/body", body);
        // Of two that ask, one is answered when the other one says so.
        let told = Arc::new(Notify::new());
        let telling = Arc::clone(&told);
        let slow = get(async move || {
            told.notified().await;
            "at last"
        });
        let go = get(async move || {
            telling.notify_one();
            "told"
        });
        let router = router.route("/slow", slow).route("/go", go);
        let serving =
            tokio::spawn(serve(listener, router, (limits, Hosts::default()), stop.clone()));
        (address, stop, serving)
    }

    /// Somebody who sends `text` and nothing more.
    async fn who_sends(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// Everything until the other side closes.
    async fn to_its_end(mut stream: TcpStream) -> usize {
        let mut all = Vec::new();
        // A connection that is reset is closed as well.
        drop(stream.read_to_end(&mut all).await);
        all.len()
    }

    #[tokio::test]
    async fn who_sends_no_whole_request_is_left_and_keeps_nobody_out() {
        let limits = Limits { connections: 2, head: SOON, ..Limits::default() };
        let (address, _stop, _serving) = listening(limits).await;
        let request = "GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let mut slow = Vec::new();
        for text in ["", "GET /readyz HTTP/1.1\r\nhost:", request, "GET /re", "", request] {
            slow.push(who_sends(address, text).await);
        }
        assert_eq!(ask_ready(address).await, Ok(()), "the others were closed");
        for stream in slow {
            to_its_end(stream).await;
        }
    }

    #[tokio::test]
    async fn who_does_not_take_the_answer_is_left_when_the_connection_is_old() {
        let limits = Limits { connections: 1, head: HOUR, age: SOON, last_answer: SOON };
        let (address, _stop, _serving) = listening(limits).await;
        let greedy = who_sends(address, "GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        assert_eq!(ask_ready(address).await, Ok(()), "there is room again");
        assert!(to_its_end(greedy).await < 64 * 1024 * 1024);
    }

    #[tokio::test]
    async fn a_page_in_a_browser_gets_nothing() {
        let (address, _stop, _serving) = listening(Limits::default()).await;
        for headers in ["host: evil.example", "host: localhost\r\norigin: http://evil.example"] {
            let request = format!("GET /readyz HTTP/1.1\r\n{headers}\r\nconnection: close\r\n\r\n");
            let mut answer = String::new();
            who_sends(address, &request).await.read_to_string(&mut answer).await.unwrap();
            assert!(
                answer.starts_with("HTTP/1.1 403 ") && answer.contains("listen_hosts"),
                "{answer}"
            );
        }
    }

    #[tokio::test]
    async fn who_is_refused_keeps_no_connection() {
        let limits = Limits { head: HOUR, age: HOUR, ..Limits::default() };
        let (address, _stop, _serving) = listening(limits).await;
        let request = "GET /readyz HTTP/1.1\r\nhost: evil.example\r\n\r\n";
        assert!(to_its_end(who_sends(address, request).await).await > 0);
    }

    #[tokio::test]
    async fn who_is_silent_makes_way() {
        let limits = Limits { connections: 1, head: HOUR, age: HOUR, last_answer: HOUR };
        let (address, _stop, _serving) = listening(limits).await;
        for text in ["GET /re", ""] {
            let silent = who_sends(address, text).await;
            assert_eq!(ask_ready(address).await, Ok(()), "it makes way");
            assert_eq!(to_its_end(silent).await, 0);
        }
    }

    #[tokio::test]
    async fn who_waits_for_an_answer_makes_no_way() {
        let limits = Limits { connections: 2, head: HOUR, age: HOUR, last_answer: HOUR };
        let (address, _stop, _serving) = listening(limits).await;
        let request = |path: &str| {
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        };
        let waiting = who_sends(address, &request("/slow")).await;
        let silent = who_sends(address, "GET /re").await;
        assert_eq!(ask_ready(address).await, Ok(()), "the silent one makes way");
        assert_eq!(to_its_end(silent).await, 0);
        assert!(to_its_end(who_sends(address, &request("/go")).await).await > 0);
        assert!(to_its_end(waiting).await > 0, "it has its answer");
    }

    #[tokio::test]
    async fn who_sends_half_a_body_makes_way() {
        let limits = Limits { connections: 1, head: HOUR, age: HOUR, last_answer: HOUR };
        let (address, _stop, _serving) = listening(limits).await;
        let half = "POST /body HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf";
        let half = who_sends(address, half).await;
        assert_eq!(ask_ready(address).await, Ok(()), "it makes way");
        assert_eq!(to_its_end(half).await, 0);
    }

    #[tokio::test]
    async fn there_are_no_more_connections_than_allowed() {
        let limits = Limits { connections: 1, head: HOUR, age: HOUR, last_answer: SOON };
        let (address, stop, serving) = listening(limits).await;
        let first = who_sends(address, "GET").await;
        let waiting = tokio::spawn(ask_ready(address));
        timeout(SOON, async {
            while !waiting.is_finished() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap_err();
        drop(first);
        assert_eq!(waiting.await.unwrap(), Ok(()), "who waited has the place of the first");
        let silent = who_sends(address, "GET").await;
        stop.cancel();
        serving.await.unwrap();
        assert_eq!(to_its_end(silent).await, 0, "what is under way ends with the process");
    }
}
