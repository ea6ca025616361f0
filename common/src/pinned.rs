//! Trusting a server by the fingerprint of a certificate, as Elasticsearch prints that of its own authority when it
//! is started for the first time.

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};
pub use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::config::ConfigError;

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads 64 hexadecimal digits, between which colons may stand; `key` names the setting.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(key: &str, text: &str) -> Result<Self, ConfigError> {
        let refuse = || {
            ConfigError::invalid(format!(
                "{key}: expected the SHA-256 of a certificate, 64 hexadecimal digits with or without colons, found {text:?}"
            ))
        };
        let digits: Vec<u32> = text
            .chars()
            .filter(|character| *character != ':')
            .map(|character| character.to_digit(16).ok_or_else(refuse))
            .collect::<Result<_, _>>()?;
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit))
            .filter_map(|byte| u8::try_from(byte).ok())
            .collect();
        let is_whole = digits.len() == 64;
        bytes.try_into().ok().filter(|_| is_whole).map(Self).ok_or_else(refuse)
    }

    /// Whether it is that of this certificate.
    fn is_of(self, certificate: &CertificateDer<'_>) -> bool {
        Sha256::digest(certificate.as_ref()).as_slice() == self.0
    }
}

/// A client that trusts the server, or the authority in the chain that the server shows, whose certificate has
/// this fingerprint, and nobody else; and that proves itself with a certificate, if it has one.
///
/// # Errors
/// When that certificate cannot be used.
pub fn client(
    fingerprint: Fingerprint,
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<ClientConfig, Error> {
    let provider = Arc::new(default_provider());
    let verifier = Arc::new(Pinned { fingerprint, provider: Arc::clone(&provider) });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match own {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key),
    }
}

#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // Of the server itself, name and dates prove no more than that.
        if self.fingerprint.is_of(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        let authority = intermediates.iter().find(|one| self.fingerprint.is_of(one));
        let Some(authority) = authority else {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&self.provider),
        )
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_servers_print_it() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        let read = |text: &str| Fingerprint::parse("k", text).map_err(|error| error.to_string());
        assert_eq!(read(&plain), Ok(Fingerprint([0xab; 32])));
        assert_eq!(read(&colons), read(&plain));
        for text in ["", "ab", &format!("{plain}a"), &format!("{plain}ab"), &"xy".repeat(32)] {
            assert!(read(text).unwrap_err().starts_with("k: expected the SHA-256"), "{text}");
        }
    }

    #[test]
    fn the_server_or_an_authority_that_it_shows_is_trusted_and_nobody_else() {
        let make = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(parameters, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["es.example".to_owned()];
        let server =
            rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let of = |certificate: &CertificateDer<'_>| {
            Fingerprint(Sha256::digest(certificate.as_ref()).into())
        };
        let chain = [authority.der().clone()];
        let trusts = |fingerprint: Fingerprint, server: &CertificateDer<'_>, name: &str| {
            let verifier = Pinned { fingerprint, provider: Arc::new(default_provider()) };
            let name = ServerName::try_from(name).unwrap().to_owned();
            verifier.verify_server_cert(server, &chain, &name, &[], UnixTime::now()).is_ok()
        };
        assert!(trusts(of(server.der()), server.der(), "anything.example"));
        assert!(trusts(of(authority.der()), server.der(), "es.example"));
        assert!(!trusts(of(authority.der()), server.der(), "other.example"), "of another server");
        let stranger = make("es.example");
        assert!(!trusts(of(authority.der()), stranger.cert.der(), "es.example"));
        assert!(!trusts(of(stranger.cert.der()), server.der(), "es.example"));
    }
}
