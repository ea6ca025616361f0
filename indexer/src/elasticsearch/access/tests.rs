//! Each way in, with a server that writes down what it was asked.

use std::path::PathBuf;
use std::sync::Arc;

use elasticsearch::http::Method;
use elasticsearch::http::headers::HeaderMap;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::*;
use crate::elasticsearch::way::Reply;

/// A server, and the heads of what came.
struct Server {
    url: String,
    heads: Receiver<String>,
}

impl Server {
    async fn start(scheme: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (sender, heads) = channel(16);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let head = match &tls {
                    None => answer(stream).await,
                    // Who does not trust us, or is not trusted, goes.
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => answer(stream).await,
                        Err(_) => continue,
                    },
                };
                if sender.send(head).await.is_err() {
                    return;
                }
            }
        });
        Self { url, heads }
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    // Who has gone is not answered.
    if stream.write_all(reply).await.is_ok() {
        stream.shutdown().await.unwrap_or_default();
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

/// Asks at `url` with these settings.
async fn ask(url: &str, settings: &ElasticsearchSettings) -> Result<(), String> {
    let (way, _) = way_beside(settings, url.parse().unwrap()).map_err(|error| error.to_string())?;
    match way.send(Method::Get, "_cat", HeaderMap::new(), None).await {
        Ok(Reply::Whole(status, _)) if status.is_success() => Ok(()),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(omphalos_common::causes::with_causes(&error)),
    }
}

fn none() -> ElasticsearchSettings {
    ElasticsearchSettings::default()
}

#[tokio::test]
async fn each_kind_of_credentials_is_shown_behind_a_path_too() {
    let mut server = Server::start("http", None).await;
    let text = |text: &str| Some(text.to_owned());
    for (settings, expected) in [
        (none(), None),
        (
            ElasticsearchSettings { user: text("u"), password: text("p"), ..none() },
            Some("basic dtpw"),
        ),
        (ElasticsearchSettings { api_key: text("k"), ..none() }, Some("apikey k")),
        (ElasticsearchSettings { bearer_token: text("t"), ..none() }, Some("bearer t")),
    ] {
        ask(&format!("{}/es/logs", server.url), &settings).await.unwrap();
        let head = server.heads.recv().await.unwrap();
        assert!(head.starts_with("get /es/logs/_cat http/1.1\r\n"), "{head}");
        let shown = head.lines().find_map(|line| line.strip_prefix("authorization: "));
        assert_eq!(shown, expected);
    }
    let two = ElasticsearchSettings { api_key: text("k"), bearer_token: text("t"), ..none() };
    let error = ask(&server.url, &two).await.unwrap_err();
    assert!(error.starts_with("elasticsearch.bearer_token is set beside"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_is_set_is_asked_for_every_server_elsewhere() {
    let mut proxy = Server::start("http", None).await;
    let place = proxy.url.replace("http://", "http://u:p@");
    let settings = ElasticsearchSettings { proxy: Some(place), ..none() };
    ask("http://es.invalid:9200", &settings).await.unwrap();
    let head = proxy.heads.recv().await.unwrap();
    assert!(head.starts_with("get http://es.invalid:9200/_cat http/1.1\r\n"), "{head}");
    assert!(head.contains("proxy-authorization: basic dtpw"), "{head}");
    let mut near = Server::start("http", None).await;
    ask(&near.url, &settings).await.unwrap();
    assert!(near.heads.recv().await.unwrap().starts_with("get /_cat"));
    for proxy in ["es:3128", "socks5://u:secret@h:1", "http://u:secret@h:1/?x=secret"] {
        let settings = ElasticsearchSettings { proxy: Some(proxy.to_owned()), ..none() };
        let error = ask("http://h", &settings).await.unwrap_err();
        assert!(error.starts_with("elasticsearch.proxy: expected"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

/// An authority, and a certificate of its own for 127.0.0.1 with its key, as PEM files.
struct Scene {
    directory: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Scene {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned()];
        let certificate =
            CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        Self { directory: tempfile::tempdir().unwrap(), authority, certificate, key }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A server that shows its certificate and its authority's, and asks for one of that authority if it is to.
    async fn server(&self, asks: bool) -> Server {
        let builder = ServerConfig::builder_with_provider(Arc::new(
            tokio_rustls::rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap();
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.der().clone()).unwrap();
            let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![self.certificate.der().clone(), self.authority.der().clone()];
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let config = builder.with_single_cert(chain, key).unwrap();
        Server::start("https", Some(TlsAcceptor::from(Arc::new(config)))).await
    }
}

fn fingerprint(certificate: &[u8]) -> String {
    let bytes = Sha256::digest(certificate);
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.join(":")
}

#[tokio::test]
async fn a_server_is_trusted_by_its_authority_or_by_a_fingerprint() {
    let scene = Scene::new();
    let server = scene.server(false).await;
    let error = ask(&server.url, &none()).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    let ca_file = Some(scene.file("ca.pem", &scene.authority.pem()));
    let by_file = ElasticsearchSettings { ca_file: ca_file.clone(), ..none() };
    ask(&server.url, &by_file).await.unwrap();
    for certificate in [scene.authority.der(), scene.certificate.der()] {
        let ca_fingerprint = Some(fingerprint(certificate));
        ask(&server.url, &ElasticsearchSettings { ca_fingerprint, ..none() }).await.unwrap();
    }
    let wrong = ElasticsearchSettings { ca_fingerprint: Some(fingerprint(b"other")), ..none() };
    let error = ask(&server.url, &wrong).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    let both = ElasticsearchSettings { ca_file, ..wrong };
    let error = ask(&server.url, &both).await.unwrap_err();
    assert!(error.contains("are both set; keep one"), "{error}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_ours() {
    let scene = Scene::new();
    let server = scene.server(true).await;
    let certificate_file = Some(scene.file("own.pem", &scene.certificate.pem()));
    let key_file = Some(scene.file("own.key", &scene.key.serialize_pem()));
    let ca_file = Some(scene.file("ca.pem", &scene.authority.pem()));
    let without = ElasticsearchSettings { ca_file, ..none() };
    ask(&server.url, &without).await.unwrap_err();
    let by_file = ElasticsearchSettings {
        certificate_file: certificate_file.clone(),
        key_file: key_file.clone(),
        ..without
    };
    ask(&server.url, &by_file).await.unwrap();
    let ca_fingerprint = Some(fingerprint(scene.authority.der()));
    let pinned = ElasticsearchSettings { ca_file: None, ca_fingerprint, ..by_file.clone() };
    ask(&server.url, &pinned).await.unwrap();
    let half = ElasticsearchSettings { key_file: None, ..by_file.clone() };
    let error = ask(&server.url, &half).await.unwrap_err();
    assert!(error.contains("must be set together"), "{error}");
    let other = scene.file("other.key", &KeyPair::generate().unwrap().serialize_pem());
    let wrong = ElasticsearchSettings { key_file: Some(other), ..pinned };
    let error = ask(&server.url, &wrong).await.unwrap_err();
    assert!(error.starts_with("elasticsearch.certificate_file: cannot be used"), "{error}");
}
