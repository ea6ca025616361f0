//! The `[page]` table.

use std::net::SocketAddr;
use std::path::PathBuf;

use omphalos_common::config::{
    About, ConfigError, HasRows, Kind, Setting, TableError, Tables, listen_address, read_secret,
};
use omphalos_common::tls::{TlsAcceptor, acceptor};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Rows of the page, in the order of the manual.
pub const PAGE_SETTINGS: &[Setting] = &[
    Setting::new(
        "page.listen",
        Kind::Text,
        "Address of the page and of its REST API; off for none. By default 127.0.0.1:9180, or a free port if that is taken. Any other address than one of this machine's loopback needs page.token_file.",
    )
    .about(About::Daemon),
    Setting::new(
        "page.token_file",
        Kind::Text,
        "A file whose content whoever opens the page must give; not needed on the loopback by default.",
    )
    .about(About::Daemon),
    Setting::new(
        "page.certificate_file",
        Kind::Text,
        "A PEM file with the certificate of the page, and with those that vouch for it behind it: the page then speaks HTTPS. It is read at the start; needs page.key_file.",
    )
    .about(About::Daemon),
    Setting::new(
        "page.key_file",
        Kind::Text,
        "A PEM file with the key of that certificate.",
    )
    .about(About::Daemon),
    Setting::new(
        "page.allow_actions",
        Kind::Switch,
        "Whether dead letters may be replayed and dropped by whoever opens the page.",
    )
    .default("false")
    .about(About::Daemon),
];

/// The `[page]` table.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct PageSettings {
    /// Where it is.
    pub listen: PageListen,
    /// What who opens it must give.
    pub token_file: Option<PathBuf>,
    /// What it proves itself with.
    pub certificate_file: Option<PathBuf>,
    /// And the key of that.
    pub key_file: Option<PathBuf>,
    /// Whether something may be changed by it.
    pub allow_actions: bool,
}

/// Where the page is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageListen {
    /// At the usual address, or at a free port if that is taken.
    #[default]
    Usual,
    /// There and nowhere else.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

impl<'de> Deserialize<'de> for PageListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "off" {
            return Ok(Self::Off);
        }
        listen_address(&text)
            .map(Self::At)
            .map_err(|problem| D::Error::custom(format!("{problem}; or off")))
    }
}

impl PageSettings {
    /// The token that whoever opens the page must give.
    ///
    /// # Errors
    /// When the file cannot be read, or there is none though others can reach the page.
    pub fn token(&self) -> Result<Option<String>, ConfigError> {
        let token = read_secret("page.token", None, self.token_file.as_deref())?;
        match (self.listen, &token) {
            (PageListen::At(address), None) if !address.ip().to_canonical().is_loopback() => {
                Err(ConfigError::invalid(format!(
                    "page.listen: {address} can be reached from other machines, and the page shows all lines: set page.token_file to a file with a token that readers must give, or listen on 127.0.0.1"
                )))
            }
            (_, Some(token)) if token.len() < 16 => Err(ConfigError::invalid(
                "page.token_file: expected a token of 16 characters or more, such as head -c 24 /dev/urandom | base64 makes, found a shorter one",
            )),
            _ => Ok(token),
        }
    }

    /// What makes its connections HTTPS; `None` where they are HTTP.
    ///
    /// # Errors
    /// When a file cannot be used, or one of both is missing.
    pub fn tls(&self) -> Result<Option<TlsAcceptor>, ConfigError> {
        match (&self.certificate_file, &self.key_file) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                let certificate = ("page.certificate_file", certificate.as_path());
                acceptor(certificate, ("page.key_file", key)).map(Some)
            }
            (Some(_), None) => Err(ConfigError::invalid(
                "page.certificate_file: expected page.key_file beside it, the file with its key, found none",
            )),
            (None, Some(_)) => Err(ConfigError::invalid(
                "page.key_file: expected page.certificate_file beside it, the file with the certificate, found none",
            )),
        }
    }

    /// Checks all of it.
    ///
    /// # Errors
    /// When something cannot be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.token()?;
        self.tls()?;
        Ok(())
    }

    /// Whether others may read along what is sent.
    pub fn is_open(&self) -> bool {
        let is_near = |address: SocketAddr| address.ip().to_canonical().is_loopback();
        let is_far = matches!(self.listen, PageListen::At(address) if !is_near(address));
        is_far && self.certificate_file.is_none()
    }
}

impl HasRows for PageSettings {
    fn rows() -> Vec<Setting> {
        PAGE_SETTINGS.to_vec()
    }

    fn read(tables: &Tables<'_>) -> Result<Self, TableError> {
        #[derive(Deserialize)]
        struct Of {
            #[serde(default)]
            page: PageSettings,
        }
        let Of { page } = tables.part(PAGE_SETTINGS)?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> PageSettings {
        let listen = PageListen::At(address.parse().unwrap());
        PageSettings { listen, ..PageSettings::default() }
    }

    #[test]
    fn nobody_else_sees_the_page_without_a_token_of_some_length() {
        for address in ["127.0.0.1:9180", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(at(address).token().unwrap(), None, "{address}");
        }
        for address in ["0.0.0.0:9180", "10.0.0.7:1", "[::]:1"] {
            let refused = at(address).token().unwrap_err().to_string();
            assert!(refused.contains("set page.token_file"), "{refused}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let with = |token: &str| {
            std::fs::write(file.path(), token).unwrap();
            let token_file = Some(file.path().to_owned());
            PageSettings { token_file, ..at("10.0.0.7:1") }.token()
        };
        assert_eq!(with("0123456789abcdef\n").unwrap().as_deref(), Some("0123456789abcdef"));
        assert!(with("short").unwrap_err().to_string().contains("16 characters or more"));
    }

    #[test]
    fn a_certificate_needs_its_key_and_makes_a_page_private() {
        let file = || Some(PathBuf::from("/none"));
        let one = PageSettings { certificate_file: file(), ..at("10.0.0.7:1") };
        let other = PageSettings { key_file: file(), ..at("10.0.0.7:1") };
        for (settings, expected) in
            [(&one, "expected page.key_file"), (&other, "expected page.certificate_file")]
        {
            let refused = settings.tls().err().unwrap().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        assert_eq!(
            [&one, &other, &at("127.0.0.1:1")].map(PageSettings::is_open),
            [false, true, false]
        );
        let both = PageSettings { key_file: file(), ..one };
        let refused = both.tls().err().unwrap().to_string();
        assert!(refused.starts_with("page.certificate_file: /none: cannot read"), "{refused}");
    }
}
