//! Making one connection: name, socket, TLS, login; and saying what went wrong with it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::protocol::{AMQPErrorKind, AMQPHardError};
use lapin::tcp::{AsyncTcpStream, RustlsConnector, RustlsConnectorConfig};
use lapin::types::LongString;
use lapin::uri::{AMQPScheme, AMQPUri, SASLMechanism};
use lapin::{Connection, ConnectionProperties, ErrorKind};

use super::settings::{AmqpSettings, show};
use omphalos_common::config::ConfigError;
use omphalos_common::tls::{load_certificates, load_key};

/// Frames of this size keep lapin's two buffers (32 frames each) at 4 MiB together.
const FRAME_MAX_BYTES: u32 = 64 * 1024;

/// The broker: its URLs, how to trust it, and what we call ourselves.
pub struct Broker {
    urls: Vec<AMQPUri>,
    tls: Option<RustlsConnector>,
    name: String,
    connect_timeout: Duration,
    says_user: bool,
    next: AtomicUsize,
}

/// A connection, and the broker's address without the password.
pub struct BrokerLink {
    /// The connection; it is closed when nobody has it any more.
    pub connection: Arc<Connection>,
    /// `amqp://HOST:PORT/VHOST`, for messages.
    pub shown: String,
    /// The user, where messages are to say who published them.
    pub user: Option<String>,
}

/// Why no connection was made.
#[derive(thiserror::Error, Debug, Clone)]
#[error("{shown}: {reason}")]
pub struct ConnectError {
    /// `amqp://HOST:PORT/VHOST`.
    pub shown: String,
    /// What was found, and what to do.
    pub reason: String,
}

impl Broker {
    /// The broker of `settings`; `name` is shown in RabbitMQ's list of connections.
    ///
    /// # Errors
    /// When a URL or a certificate file cannot be used.
    pub fn new(settings: &AmqpSettings, name: &str) -> Result<Self, ConfigError> {
        let mut urls = settings.urls()?;
        let seconds = settings.heartbeat.0.as_secs().clamp(1, 600);
        for url in &mut urls {
            url.query.heartbeat.get_or_insert(u16::try_from(seconds).unwrap_or(u16::MAX));
            url.query.frame_max.get_or_insert(FRAME_MAX_BYTES);
        }
        let encrypted = urls.iter().any(|url| url.scheme == AMQPScheme::AMQPS);
        let tls = if encrypted { Some(tls_connector(settings)?) } else { None };
        Ok(Self {
            urls,
            tls,
            name: name.to_owned(),
            connect_timeout: settings.connect_timeout.0,
            says_user: settings.user_id,
            next: AtomicUsize::new(0),
        })
    }

    /// The addresses without passwords, for the line at start-up.
    pub fn shown(&self) -> String {
        self.urls.iter().map(show).collect::<Vec<_>>().join(", ")
    }

    /// Connects to the next URL in turn.
    ///
    /// # Errors
    /// [`ConnectError`], which names the URL; the following call tries the following URL.
    pub async fn connect(&self) -> Result<BrokerLink, ConnectError> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.urls.len().max(1);
        let link = self.connect_nth(turn).await?;
        // Stay with what works.
        self.next.store(turn, Ordering::Relaxed);
        Ok(link)
    }

    /// Connects to the URL number `turn`, counted from 0.
    ///
    /// # Errors
    /// [`ConnectError`], which names the URL.
    pub async fn connect_nth(&self, turn: usize) -> Result<BrokerLink, ConnectError> {
        let Some(url) = self.urls.get(turn) else {
            let reason = format!("there is no URL number {turn}");
            return Err(ConnectError { shown: String::new(), reason });
        };
        let shown = show(url);
        let attempt = tokio::time::timeout(self.connect_timeout, self.connect_to(url));
        let reason = match attempt.await {
            Ok(Ok(connection)) => {
                let user = &url.authority.userinfo.username;
                let user = self.says_user.then(|| user.clone());
                return Ok(BrokerLink { connection: Arc::new(connection), shown, user });
            }
            Ok(Err(error)) => explain(&error, url),
            Err(_) => format!(
                "no answer within {:?}; is it a RabbitMQ, and is a firewall in between?",
                self.connect_timeout
            ),
        };
        Err(ConnectError { shown, reason })
    }

    /// How many URLs there are.
    pub fn url_count(&self) -> usize {
        self.urls.len()
    }

    async fn connect_to(&self, url: &AMQPUri) -> lapin::Result<Connection> {
        let properties = ConnectionProperties::default()
            .with_connection_name(LongString::from(self.name.as_str()))
            .with_client_property("product".into(), "omphalos".into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
        let runtime = lapin::runtime::default_runtime()?;
        let host = url.authority.host.clone();
        let addresses = runtime.to_socket_addrs((host.clone(), url.authority.port));
        let socket = AsyncTcpStream::connect(&runtime, addresses).await?;
        let socket = match &self.tls {
            Some(tls) if url.scheme == AMQPScheme::AMQPS => socket.into_rustls(tls, &host).await?,
            _ => socket,
        };
        // lapin would dial on a thread of its own, and what fails there before the handshake waits
        // for its answer is never told: who asked would learn at the timeout only, and not why.
        let dialled = Mutex::new(Some(socket));
        Connection::connector(
            url.clone(),
            runtime,
            async move |_, _| {
                let socket = dialled.lock().unwrap_or_else(PoisonError::into_inner).take();
                // Another attempt is ours to make, with the next URL.
                socket.ok_or_else(|| {
                    std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into()
                })
            },
            properties,
        )
        .await
    }
}

fn tls_connector(settings: &AmqpSettings) -> Result<RustlsConnector, ConfigError> {
    let unusable =
        |error: std::io::Error| ConfigError::invalid(format!("amqp: cannot set up TLS: {error}"));
    let mut config = RustlsConnectorConfig::default();
    match &settings.ca_file {
        Some(path) => {
            config.add_parsable_certificates(load_certificates("amqp.ca_file", path)?);
        }
        None => {
            config = config.with_native_certs().map_err(|error| {
                ConfigError::invalid(format!(
                    "amqp.url: amqps needs certificate authorities, and the system's cannot be read: {error}; install ca-certificates or set amqp.ca_file"
                ))
            })?;
        }
    }
    match (&settings.client_certificate_file, &settings.client_key_file) {
        (Some(certificate), Some(key)) => {
            let certificates = load_certificates("amqp.client_certificate_file", certificate)?;
            let key = load_key("amqp.client_key_file", key)?;
            config.connector_with_single_cert(certificates, key).map_err(unusable)
        }
        (None, None) => config.connector_with_no_client_auth().map_err(unusable),
        _ => Err(ConfigError::invalid(
            "amqp.client_certificate_file and amqp.client_key_file must be set together",
        )),
    }
}

/// What lapin found, in words, and what to do about it.
fn explain(error: &lapin::Error, url: &AMQPUri) -> String {
    let user = &url.authority.userinfo.username;
    match error.kind() {
        ErrorKind::ProtocolError(refusal) => match refusal.kind() {
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => format!(
                "the broker refuses the virtual host {:?} for user {user:?} ({}); create it or grant access: rabbitmqctl add_vhost, set_permissions",
                url.vhost,
                refusal.get_message()
            ),
            _ if refusal.get_message().as_str().contains("ACCESS_REFUSED") && is_external(url) => {
                "the broker takes no certificate for a user: give one with amqp.client_certificate_file whose name (ssl_cert_login_from) is that of a user, and have the broker use rabbitmq_auth_mechanism_ssl with EXTERNAL among its auth_mechanisms".to_owned()
            }
            _ if refusal.get_message().as_str().contains("ACCESS_REFUSED") => format!(
                "the broker refuses user {user:?}: wrong password, unknown user, or guest from another host; check with: rabbitmqctl authenticate_user"
            ),
            _ => format!("the broker refuses the connection: {refusal}"),
        },
        ErrorKind::IOError(error) => explain_io(error, url),
        _ => error.to_string(),
    }
}

/// Whether the certificate says who we are.
fn is_external(url: &AMQPUri) -> bool {
    url.query.auth_mechanism == Some(SASLMechanism::External)
}

fn explain_io(error: &std::io::Error, url: &AMQPUri) -> String {
    let host = &url.authority.host;
    let port = url.authority.port;
    let text = error.to_string();
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => {
            format!(
                "connection refused; is RabbitMQ running on {host} and listening on port {port}?"
            )
        }
        std::io::ErrorKind::TimedOut => {
            format!("no answer from {host} port {port}; is a firewall in between?")
        }
        _ if text.contains("InvalidContentType") => format!(
            "{host} speaks no TLS on port {port}; write amqp:// in amqp.url, or the port on which it does (RabbitMQ's is 5671)"
        ),
        std::io::ErrorKind::ConnectionAborted
        | std::io::ErrorKind::ConnectionReset
        | std::io::ErrorKind::UnexpectedEof => format!(
            "{host} port {port} closed the connection during the handshake ({text}); does it expect {}, or is it not RabbitMQ?",
            if url.scheme == AMQPScheme::AMQP { "TLS (amqps://)" } else { "no TLS (amqp://)" }
        ),
        _ if text.contains("lookup address") => {
            format!("unknown host {host:?} ({text}); check its spelling and the name service")
        }
        _ if text.contains("certificate") => format!(
            "the broker's certificate is not trusted: {text}; give its authority with amqp.ca_file"
        ),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind of fault: what fails at once is told only at the timeout, because it failed before
    /// anybody waited for it. Many attempts at once, so that they come between each other's steps.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_refused_connection_is_told_at_once_however_busy_this_process_is() {
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let settings = AmqpSettings {
            url: Some(vec![format!("amqp://127.0.0.1:{port}/%2f")]),
            ..AmqpSettings::default()
        };
        let broker = Arc::new(Broker::new(&settings, "test").unwrap());
        let attempts = (0..64).map(|_| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move {
                for _ in 0..50 {
                    let reason = broker.connect().await.err().unwrap().reason;
                    assert!(reason.contains("refused"), "{reason}");
                }
            })
        });
        for attempt in attempts.collect::<Vec<_>>() {
            attempt.await.unwrap();
        }
    }
}
