//! The `[elasticsearch]` table: where the cluster is, and how to get in.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use omphalos_common::config::{
    About, ConfigError, Kind, Period, ServerUrl, Setting, without_credentials,
};
use serde::Deserialize;
use url::Url;

/// A row of the `[elasticsearch]` table.
const fn row(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting::new(key, kind, help).about(About::Place)
}

/// What an URL with a password in it says by itself, where it is given later.
const CREDENTIALS: [&str; 7] = [
    "elasticsearch.user",
    "elasticsearch.password",
    "elasticsearch.password_file",
    "elasticsearch.api_key",
    "elasticsearch.api_key_file",
    "elasticsearch.bearer_token",
    "elasticsearch.bearer_token_file",
];
/// The ways to get in: by a user, by a key, or by a token. One that is given later takes the place of the others.
const NOT_USERS: [&str; 4] = [CREDENTIALS[3], CREDENTIALS[4], CREDENTIALS[5], CREDENTIALS[6]];
const NOT_KEYS: [&str; 5] =
    [CREDENTIALS[0], CREDENTIALS[1], CREDENTIALS[2], CREDENTIALS[5], CREDENTIALS[6]];
const NOT_TOKENS: [&str; 5] =
    [CREDENTIALS[0], CREDENTIALS[1], CREDENTIALS[2], CREDENTIALS[3], CREDENTIALS[4]];

/// The rows of the `[elasticsearch]` table.
pub const ELASTICSEARCH_SETTINGS: &[Setting] = &[
    row("elasticsearch.url", Kind::List, "Elasticsearch or OpenSearch URLs, with a path if they stand behind one, used in turn; or cloud: and a cloud id of Elastic's. Everybody sees flags (ps): give a password by password_file, or the variable.")
        .default("http://127.0.0.1:9200")
        .alias("elasticsearch")
        .carries(&CREDENTIALS),
    row("elasticsearch.user", Kind::Text, "User name.").replaces(&NOT_USERS),
    row("elasticsearch.password", Kind::Text, "Password of that user. Everybody sees flags (ps): use password_file, or the variable.").replaces(&NOT_USERS),
    row("elasticsearch.password_file", Kind::Text, "Read the password from this file instead.")
        .replaces(&NOT_USERS),
    row("elasticsearch.api_key", Kind::Text, "Encoded API key, instead of user and password. Everybody sees flags (ps): use api_key_file, or the variable.")
        .replaces(&NOT_KEYS),
    row("elasticsearch.api_key_file", Kind::Text, "Read the API key from this file instead.")
        .replaces(&NOT_KEYS),
    row("elasticsearch.bearer_token", Kind::Text, "Token of a service account or of a single sign-on, instead of user and password. Everybody sees flags (ps): use bearer_token_file, or the variable.")
        .replaces(&NOT_TOKENS),
    row("elasticsearch.bearer_token_file", Kind::Text, "Read the token from this file instead.")
        .replaces(&NOT_TOKENS),
    row(
        "elasticsearch.certificate_file",
        Kind::Text,
        "PEM file with a certificate of our own to show to the servers, and with those that vouch for it behind it; needs elasticsearch.key_file.",
    ),
    row("elasticsearch.key_file", Kind::Text, "PEM file with the key of that certificate."),
    row(
        "elasticsearch.ca_file",
        Kind::Text,
        "PEM file with a certificate authority to trust for https, in addition to the usual ones.",
    ),
    row(
        "elasticsearch.ca_fingerprint",
        Kind::Text,
        "Instead: SHA-256 of the certificate of that authority, which the servers have to show, or of their own, in hexadecimal digits, as Elasticsearch prints it at its first start. No other authority is trusted then.",
    ),
    row(
        "elasticsearch.proxy",
        Kind::Text,
        "URL of an HTTP proxy for all of them that are not on this machine, instead of those in the environment (https_proxy, no_proxy, …). Everybody sees flags (ps): give a password by the file of settings, or the variable.",
    ),
    row(
        "elasticsearch.request_timeout",
        Kind::Period,
        "How long a request may take before it is given up and sent again.",
    )
    .default("30s"),
];

/// The `[elasticsearch]` table, as it is read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the rows above say what each is")]
pub struct ElasticsearchSettings {
    pub url: Option<Vec<String>>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub password_file: Option<PathBuf>,
    pub api_key: Option<String>,
    pub api_key_file: Option<PathBuf>,
    pub bearer_token: Option<String>,
    pub bearer_token_file: Option<PathBuf>,
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub ca_fingerprint: Option<String>,
    pub proxy: Option<String>,
    pub request_timeout: Period,
}

impl Default for ElasticsearchSettings {
    fn default() -> Self {
        Self {
            url: None,
            user: None,
            password: None,
            password_file: None,
            api_key: None,
            api_key_file: None,
            bearer_token: None,
            bearer_token_file: None,
            certificate_file: None,
            key_file: None,
            ca_file: None,
            ca_fingerprint: None,
            proxy: None,
            request_timeout: Period(Duration::from_secs(30)),
        }
    }
}

const DEFAULT_URL: &str = "http://127.0.0.1:9200";

const URL: ServerUrl = ServerUrl {
    key: "elasticsearch.url",
    schemes: &["http", "https"],
    example: "http://HOST:9200 or https://…",
    instead_of_query: Some("give a key with elasticsearch.api_key or elasticsearch.api_key_file"),
};

/// What stands before a cloud id.
const CLOUD: &str = "cloud:";

/// The URL in a cloud id: a name, a colon, and in base64 the domain and the name of Elasticsearch in it, with a
/// dollar sign between. Another URL as it is.
fn cloud_url(text: &str) -> Result<String, ConfigError> {
    let Some(id) = text.strip_prefix(CLOUD) else { return Ok(text.to_owned()) };
    let url = || {
        let (_, encoded) = id.rsplit_once(':')?;
        let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let mut parts = decoded.split('$');
        let (domain, name) = (parts.next()?, parts.next()?);
        let (domain, port) = domain.split_once(':').unwrap_or((domain, "443"));
        let (name, port) = name.split_once(':').unwrap_or((name, port));
        let is_name = |text: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !text.is_empty() && text.bytes().all(is_plain)
        };
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        (is_name(domain) && is_name(name) && is_number)
            .then(|| format!("https://{name}.{domain}:{port}"))
    };
    url().ok_or_else(|| {
        ConfigError::invalid(
            "elasticsearch.url: behind cloud: expected a cloud id, as Elastic's console shows it, such as cloud:logs:ZXUt…",
        )
    })
}

impl ElasticsearchSettings {
    /// The URLs: those that are set, or else this machine's.
    ///
    /// # Errors
    /// When one cannot be read, or may be read in two ways.
    pub fn urls(&self) -> Result<Vec<Url>, ConfigError> {
        match &self.url {
            Some(urls) => {
                let urls: Vec<String> =
                    urls.iter().map(|url| cloud_url(url)).collect::<Result<_, _>>()?;
                URL.read(&urls)
            }
            None => URL.read(&[DEFAULT_URL.to_owned()]),
        }
    }

    /// The servers' addresses without passwords, for people.
    ///
    /// # Errors
    /// Those of [`Self::urls`].
    pub fn shown(&self) -> Result<String, ConfigError> {
        let urls = self.urls()?;
        let shown = urls.iter().map(|url| without_credentials(url.as_str()));
        let shown = shown.map(|url| url.trim_end_matches('/').to_owned());
        Ok(shown.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_id_is_an_url() {
        for (inside, expected) in [
            ("eu-west-1.aws.found.io$abc123$kib456", "https://abc123.eu-west-1.aws.found.io:443"),
            ("found.io:9243$abc$kib", "https://abc.found.io:9243"),
            ("found.io$abc:9244$kib:9245", "https://abc.found.io:9244"),
            ("found.io$abc", "https://abc.found.io:443"),
        ] {
            let id = format!("cloud:my:logs:{}", STANDARD.encode(inside));
            assert_eq!(cloud_url(&id).unwrap(), expected);
            let url = Some(vec![id]);
            let urls = ElasticsearchSettings { url, ..ElasticsearchSettings::default() }.urls();
            assert_eq!(urls.unwrap()[0].scheme(), "https");
        }
        let odd = ["found.io", "$", "found.io$a@b", "found.io:x$a", "found.io/x$a"];
        let odd = odd.map(|inside| format!("cloud:x:{}", STANDARD.encode(inside)));
        for id in odd.iter().map(String::as_str).chain(["cloud:", "cloud:x", "cloud:x:???"]) {
            let error = cloud_url(id).unwrap_err().to_string();
            assert!(error.starts_with("elasticsearch.url: behind cloud: expected"), "{error}");
        }
        assert_eq!(cloud_url("http://h").unwrap(), "http://h");
    }
}
