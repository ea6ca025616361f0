//! How to get in: who we are, and whom we trust.

use std::time::Duration;

use elasticsearch::auth::Credentials;
use omphalos_common::config::{ConfigError, ServerUrl, decoded, read_secret, without_credentials};
use omphalos_common::pinned::{self, ClientConfig, Fingerprint};
use omphalos_common::tls::{load_certificates, load_key};
use omphalos_common::whole_file::read_text;
use reqwest::{Certificate, Identity, Proxy};
use url::Url;

use super::settings::ElasticsearchSettings;
use super::way::{Way, certificates};

/// What every connection to a server needs beside its URL.
#[derive(Debug, Clone)]
pub struct Access {
    /// Who we are.
    pub credentials: Option<Credentials>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Whom we trust beside the usual authorities.
    pub certificates: Vec<Certificate>,
    /// What is unusual about TLS.
    pub tls: Tls,
    /// The proxy that is set, and what it is called in errors.
    pub proxy: Option<(Proxy, String)>,
}

/// How TLS is spoken.
#[derive(Debug, Clone)]
pub enum Tls {
    /// As usual; with a certificate of our own, if there is one.
    Usual(Option<Identity>),
    /// Whoever has a certain fingerprint is trusted, and nobody else.
    Pinned(Box<ClientConfig>),
}

const PROXY: ServerUrl = ServerUrl {
    key: "elasticsearch.proxy",
    schemes: &["http", "https"],
    example: "http://HOST:3128 or https://…",
    instead_of_query: Some("a proxy has a user and a password at most"),
};

impl Access {
    /// What the settings say.
    ///
    /// # Errors
    /// When a secret or a file cannot be used.
    pub fn of(settings: &ElasticsearchSettings) -> Result<Self, ConfigError> {
        Ok(Self {
            credentials: credentials(settings)?,
            timeout: settings.request_timeout.0,
            certificates: certificates(settings.ca_file.as_deref())?,
            tls: tls(settings)?,
            proxy: proxy(settings)?,
        })
    }

    /// Nothing but a time.
    #[cfg(test)]
    pub fn plain(timeout: Duration) -> Self {
        let certificates = Vec::new();
        Self { credentials: None, timeout, certificates, tls: Tls::Usual(None), proxy: None }
    }

    /// The same with these credentials, where it has none.
    #[must_use]
    pub fn or(self, credentials: Option<Credentials>) -> Self {
        Self { credentials: self.credentials.or(credentials), ..self }
    }
}

/// The way to a server beside Elasticsearch that knows the same users, as Kibana does, and its address for
/// people. User and password in the URL go before those of the settings.
///
/// # Errors
/// When the settings cannot be used.
pub fn way_beside(
    settings: &ElasticsearchSettings,
    url: Url,
) -> Result<(Way, String), ConfigError> {
    let (url, own) = without_its_credentials(url)?;
    let mut access = Access::of(settings)?;
    if own.is_some() {
        access.credentials = own;
    }
    let shown = url.to_string().trim_end_matches('/').to_owned();
    Ok((Way::new(url, &access)?, shown))
}

/// A URL, and the credentials that stood in it.
pub(super) fn without_its_credentials(
    mut url: Url,
) -> Result<(Url, Option<Credentials>), ConfigError> {
    let password = url.password().map(str::to_owned);
    let credentials =
        password.map(|password| Credentials::Basic(decoded(url.username()), decoded(&password)));
    if url.set_username("").and_then(|()| url.set_password(None)).is_err() {
        return Err(ConfigError::invalid("elasticsearch.url: it cannot have credentials"));
    }
    Ok((url, credentials))
}

fn credentials(settings: &ElasticsearchSettings) -> Result<Option<Credentials>, ConfigError> {
    let password = read_secret(
        "elasticsearch.password",
        settings.password.clone(),
        settings.password_file.as_deref(),
    )?;
    let api_key = read_secret(
        "elasticsearch.api_key",
        settings.api_key.clone(),
        settings.api_key_file.as_deref(),
    )?;
    let token = read_secret(
        "elasticsearch.bearer_token",
        settings.bearer_token.clone(),
        settings.bearer_token_file.as_deref(),
    )?;
    match (&settings.user, password, api_key, token) {
        (None, None, None, None) => Ok(None),
        (Some(user), Some(password), None, None) => {
            Ok(Some(Credentials::Basic(user.clone(), password)))
        }
        (None, None, Some(key), None) => Ok(Some(Credentials::EncodedApiKey(key))),
        (None, None, None, Some(token)) => Ok(Some(Credentials::Bearer(token))),
        (_, _, None, None) => Err(ConfigError::invalid(
            "elasticsearch.user and elasticsearch.password must be set together",
        )),
        (_, _, Some(_), None) => Err(ConfigError::invalid(
            "elasticsearch.api_key and elasticsearch.user are both set; keep one",
        )),
        (_, _, _, Some(_)) => Err(ConfigError::invalid(
            "elasticsearch.bearer_token is set beside a user or a key; keep one",
        )),
    }
}

/// What we show and whom we trust, where that is not the usual.
fn tls(settings: &ElasticsearchSettings) -> Result<Tls, ConfigError> {
    let own = match (&settings.certificate_file, &settings.key_file) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some((
            load_certificates("elasticsearch.certificate_file", certificate)?,
            load_key("elasticsearch.key_file", key)?,
        )),
        _ => {
            return Err(ConfigError::invalid(
                "elasticsearch.certificate_file and elasticsearch.key_file must be set together",
            ));
        }
    };
    let refuse = |error: &dyn std::fmt::Display| {
        ConfigError::invalid(format!(
            "elasticsearch.certificate_file: cannot be used with the key in elasticsearch.key_file: {error}"
        ))
    };
    let Some(fingerprint) = &settings.ca_fingerprint else {
        let Some((certificate, key)) =
            &settings.certificate_file.as_ref().zip(settings.key_file.as_ref())
        else {
            return Ok(Tls::Usual(None));
        };
        let text = |path: &std::path::Path| {
            read_text(path)
                .map_err(|error| ConfigError::invalid(format!("{}: {error}", path.display())))
        };
        let both = format!("{}\n{}", text(certificate)?, text(key)?);
        let identity = Identity::from_pem(both.as_bytes()).map_err(|error| refuse(&error))?;
        return Ok(Tls::Usual(Some(identity)));
    };
    if settings.ca_file.is_some() {
        return Err(ConfigError::invalid(
            "elasticsearch.ca_file and elasticsearch.ca_fingerprint are both set; keep one",
        ));
    }
    let fingerprint = Fingerprint::parse("elasticsearch.ca_fingerprint", fingerprint)?;
    let client = pinned::client(fingerprint, own).map_err(|error| refuse(&error))?;
    Ok(Tls::Pinned(Box::new(client)))
}

fn proxy(settings: &ElasticsearchSettings) -> Result<Option<(Proxy, String)>, ConfigError> {
    let Some(url) = &settings.proxy else { return Ok(None) };
    let mut urls = PROXY.read(std::slice::from_ref(url))?;
    let Some(url) = urls.pop() else { return Ok(None) };
    let shown = format!("the proxy of elasticsearch.proxy, {}", without_credentials(url.as_str()));
    let proxy = Proxy::all(url).map_err(|error| {
        ConfigError::invalid(format!("elasticsearch.proxy: cannot be used: {error}"))
    })?;
    Ok(Some((proxy, shown)))
}

#[cfg(test)]
mod tests;
