//! The other side of the HTTP listener: asks a running process how it is, for health checks in
//! containers whose image has no other client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::ConfigError;
use crate::page::page;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is read of an answer, in bytes.
const MOST: usize = 64 * 1024;

/// Why a process does not count as ready: the reasons it gives, or why it could not be asked.
#[derive(thiserror::Error, Debug, PartialEq, Eq)]
#[error("not ready: {0}")]
pub struct NotReady(String);

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where the process that runs with the same settings can be asked.
///
/// # Errors
/// When the settings have no address to listen at.
pub fn address_to_ask(listen: Option<SocketAddr>) -> Result<SocketAddr, ConfigError> {
    listen.ok_or_else(|| {
        ConfigError::invalid(
            "health asks the running process: give both the same `listen`, such as 127.0.0.1:9186",
        )
    })
}

/// Asks the process that listens at `listen` whether it is ready.
///
/// # Errors
/// When it is not, or could not be asked.
pub async fn ask_ready(listen: SocketAddr) -> Result<(), NotReady> {
    let address = reachable(listen);
    let unreachable = |reason: String| {
        NotReady(format!(
            "cannot ask {address}: {reason}; is it running, with listen = \"{listen}\"?"
        ))
    };
    match timeout(PATIENCE, get(address, "/readyz")).await {
        Err(_) => Err(unreachable(format!("no answer within {PATIENCE:?}"))),
        Ok(Err(failure)) => Err(unreachable(failure.to_string())),
        Ok(Ok((true, _))) => Ok(()),
        Ok(Ok((false, body))) => {
            let said = || String::from_utf8_lossy(&body).trim_end().to_owned();
            let foreign = page(&body).map(|page| {
                format!("{address} answers with {page}; is listen = \"{listen}\" the address of this program?")
            });
            Err(NotReady(foreign.unwrap_or_else(said)))
        }
    }
}

/// Whoever listens at all addresses can be reached at the loopback one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

/// Whether the status says success, and the body.
async fn get(address: SocketAddr, path: &str) -> Result<(bool, Bytes), Failure> {
    let stream = TcpStream::connect(address).await?;
    let request = Request::get(path).header("host", address.to_string()).body(Body::empty())?;
    let (status, body) = request_by(stream, request, MOST).await?;
    Ok((status.is_success(), body))
}

/// Sends a request by a connection of its own; the status, and the body, which is at most so many bytes.
///
/// # Errors
/// When the other side does not answer as HTTP has it, or says more.
pub(crate) async fn request_by(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Body>,
    most: usize,
) -> Result<(StatusCode, Bytes), Failure> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the connection, and with the process at the latest.
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), most).collect().await?;
    Ok((status, body.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown::Shutdown;
    use crate::telemetry::{Listener, Telemetry};

    #[tokio::test]
    async fn a_process_says_whether_it_is_ready_and_why_not() {
        let listener = Listener::bind("0.0.0.0:0".parse().unwrap()).await.unwrap();
        let address = listener.address().unwrap();
        let telemetry = Telemetry::default();
        tokio::spawn(listener.serve(telemetry.routes(), Shutdown::new()));
        assert_eq!(ask_ready(address).await, Ok(()));
        telemetry.health.problem("broker", "no connection to mq1:5672");
        let reason = NotReady("broker: no connection to mq1:5672".to_owned());
        assert_eq!(ask_ready(address).await, Err(reason));
    }

    #[tokio::test]
    async fn nobody_listening_is_said_with_the_address() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.address().unwrap();
        drop(listener);
        let message = ask_ready(address).await.unwrap_err().to_string();
        assert!(message.contains(&address.to_string()), "{message}");
    }
}
