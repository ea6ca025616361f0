//! Certificates and keys from PEM files (RFC 7468), with errors that name the setting.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
pub use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;

use crate::config::ConfigError;
use crate::whole_file::read_text;

/// The certificates in the PEM file `path`, which the setting `key` names.
///
/// # Errors
/// When the file cannot be read, or holds no certificate.
pub fn load_certificates(
    key: &str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let refuse =
        |reason: String| ConfigError::invalid(format!("{key}: {}: {reason}", path.display()));
    let text =
        read_text(path).map_err(|error| refuse(format!("cannot read certificates: {error}")))?;
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refuse(format!("cannot read certificates: {error}")))?;
    if certificates.is_empty() {
        return Err(refuse("expected PEM certificates, found none".to_owned()));
    }
    Ok(certificates)
}

/// The private key in the PEM file `path`, which the setting `key` names.
///
/// # Errors
/// When the file cannot be read, or holds no key.
pub fn load_key(key: &str, path: &Path) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let refuse = |reason: String| {
        ConfigError::invalid(format!("{key}: {}: cannot read a PEM key: {reason}", path.display()))
    };
    let text = read_text(path).map_err(|error| refuse(error.to_string()))?;
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| refuse(error.to_string()))
}

/// What makes TLS of the connections of a listener: with the certificate, and those that vouch for it, in the
/// PEM file of one setting, and its key in that of another. Each is the setting and the file.
///
/// # Errors
/// When a file cannot be read, or the key is not that of the certificate.
pub fn acceptor(
    certificate: (&str, &Path),
    key: (&str, &Path),
) -> Result<TlsAcceptor, ConfigError> {
    let (setting, path) = certificate;
    let chain = load_certificates(setting, path)?;
    let private = load_key(key.0, key.1)?;
    let refuse = |error: tokio_rustls::rustls::Error| {
        ConfigError::invalid(format!(
            "{setting}: {}: cannot be used with the key in {}: {error}",
            path.display(),
            key.1.display()
        ))
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(refuse)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(refuse)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_another_certificate_is_refused_by_the_names_of_both() {
        let directory = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
            let paths = ["cert", "key"].map(|kind| directory.path().join(format!("{name}.{kind}")));
            std::fs::write(&paths[0], made.cert.pem()).unwrap();
            std::fs::write(&paths[1], made.signing_key.serialize_pem()).unwrap();
            paths
        };
        let ([certificate, key], [_, other]) = (make("a"), make("b"));
        let made = |key: &Path| acceptor(("page.c", &certificate), ("page.k", key)).map(|_| ());
        made(&key).unwrap();
        let refused = made(&other).unwrap_err().to_string();
        assert!(refused.contains("page.c: ") && refused.contains("b.key"), "{refused}");
        let refused = made(&certificate).unwrap_err().to_string();
        assert!(
            refused.contains("page.k: ") && refused.contains("cannot read a PEM key"),
            "{refused}"
        );
    }
}
