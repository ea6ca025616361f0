//! Certificates and keys from PEM files (RFC 7468), with errors that name the setting.

use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

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
