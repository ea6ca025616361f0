//! People who get mail. What comes together goes into one mail, so that a bad hour is no flood.

use std::fmt::Write;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use omphalos_common::config::{ConfigError, decoded, is_on_this_machine, read_secret_file};
use omphalos_common::tls::load_certificates;
use omphalos_live::alert::Event;
use url::{Host, Url};

use super::Receiver;
use super::failure::Failure;
use super::road::Pace;
use super::text::{key, one_line, time, title};

/// So many events are listed in a mail; the others are counted.
const MOST_LISTED: usize = 100;

/// So much is said of each.
const MOST_LETTERS: usize = 2_000;

const ADDRESS: &str = "expected an address such as omphalos@example.com";

pub(super) struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// For errors: without the user.
    server: String,
    from: Mailbox,
    to: Vec<Mailbox>,
    gather: Duration,
    pause: Duration,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mail").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Mail {
    pub fn new(receiver: &Receiver) -> Result<Self, ConfigError> {
        let example = "smtp://USER@HOST:587 or smtps://…";
        let url = receiver.read_url(&["smtp", "smtps"], example)?;
        let from = receiver.from.as_deref().map(|text| address(receiver, "from", text));
        let to = receiver.to.iter().map(|text| address(receiver, "to", text));
        let to: Vec<Mailbox> = to.collect::<Result<_, _>>()?;
        let from =
            from.ok_or_else(|| receiver.refuse("from", format!("{ADDRESS}, found none")))??;
        if to.is_empty() {
            return Err(receiver.refuse("to", format!("{ADDRESS}, found none")));
        }
        let gather = receiver.gather.map_or(Duration::from_secs(10), |gather| gather.0);
        let pause = receiver.pause.map_or(Duration::from_mins(1), |pause| pause.0);
        let (transport, server) = transport(receiver, &url)?;
        Ok(Self { transport, server, from, to, gather, pause })
    }

    pub fn pace(&self) -> Pace {
        Pace { most: usize::MAX, gather: self.gather, apart: self.pause, is_split: false }
    }

    pub async fn deliver(&self, events: &[Event]) -> Result<(), Failure> {
        let mail = self.mail(events)?;
        match self.transport.send(mail).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let is_final = error.is_permanent();
                let why = format!("{}: {}", self.server, one_line(&error.to_string()));
                Err(if is_final { Failure::refused(why) } else { Failure::later(why) })
            }
        }
    }

    fn mail(&self, events: &[Event]) -> Result<Message, Failure> {
        let mut builder: MessageBuilder = Message::builder()
            .from(self.from.clone())
            .subject(subject(events))
            .header(ContentType::TEXT_PLAIN);
        if let Some(first) = events.first() {
            // The same when it is sent again, so that who has it already can tell.
            let id = format!("<{}.{}@{}>", key(first), events.len(), self.from.email.domain());
            builder = builder.message_id(Some(id));
        }
        let builder = self.to.iter().fold(builder, |builder, to| builder.to(to.clone()));
        let mail = builder.date_now().body(body(events));
        mail.map_err(|error| Failure::refused(format!("the mail cannot be written: {error}")))
    }
}

fn address(receiver: &Receiver, setting: &str, text: &str) -> Result<Mailbox, ConfigError> {
    text.parse().map_err(|error| {
        receiver.refuse(setting, format!("{ADDRESS}, found {:?}: {error}", one_line(text)))
    })
}

/// The way to the server, and what it is called.
fn transport(
    receiver: &Receiver,
    url: &Url,
) -> Result<(AsyncSmtpTransport<Tokio1Executor>, String), ConfigError> {
    let host = match url.host() {
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => url.host_str().unwrap_or_default().to_owned(),
    };
    let credentials = credentials(receiver, url)?;
    let is_wrapped = url.scheme() == "smtps";
    let port = url.port().unwrap_or(match (is_wrapped, &credentials) {
        (true, _) => 465,
        (false, Some(_)) => 587,
        (false, None) => 25,
    });
    let tls = match () {
        () if is_wrapped => Tls::Wrapper(tls(receiver, &host)?),
        // The certificate of a machine's own server is seldom one that anybody knows.
        () if is_on_this_machine(url) && receiver.ca_file.is_none() => Tls::None,
        // Who names an authority means to be encrypted.
        () if credentials.is_some() || receiver.ca_file.is_some() => {
            Tls::Required(tls(receiver, &host)?)
        }
        () => Tls::Opportunistic(tls(receiver, &host)?),
    };
    let server = format!("{}://{}:{port}", url.scheme(), url.host_str().unwrap_or_default());
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(port)
        .tls(tls)
        .timeout(Some(receiver.timeout.0));
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    if name.contains('.') {
        builder = builder.hello_name(ClientId::Domain(name));
    }
    if let Some(credentials) = credentials {
        builder = builder.credentials(credentials);
    }
    Ok((builder.build(), server))
}

fn credentials(receiver: &Receiver, url: &Url) -> Result<Option<Credentials>, ConfigError> {
    let password = match &receiver.password_file {
        Some(path) => {
            let is_set = url.password().is_some();
            let password = read_secret_file("password", is_set, path).map_err(|error| {
                ConfigError::invalid(format!("receiver {:?}: {error}", receiver.name))
            })?;
            Some(password)
        }
        None => url.password().map(decoded),
    };
    match (url.username(), password) {
        ("", None) => Ok(None),
        ("", Some(_)) => {
            let message = "expected a user in url, smtp://USER@HOST, for this password, found none";
            Err(receiver.refuse("password_file", message))
        }
        (_, None) => {
            let message = "expected a file with the password of the user in url, found none";
            Err(receiver.refuse("password_file", message))
        }
        (user, Some(password)) => Ok(Some(Credentials::new(decoded(user), password))),
    }
}

fn tls(receiver: &Receiver, host: &str) -> Result<TlsParameters, ConfigError> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = &receiver.ca_file {
        let named = |error: ConfigError| {
            ConfigError::invalid(format!("receiver {:?}: {error}", receiver.name))
        };
        for certificate in load_certificates("ca_file", path).map_err(named)? {
            let certificate = Certificate::from_der(certificate.to_vec())
                .map_err(|error| receiver.refuse("ca_file", error))?;
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| receiver.refuse("url", format!("cannot set up TLS: {error}")))
}

fn subject(events: &[Event]) -> String {
    if let [event] = events {
        return title(event);
    }
    let raised = events.iter().filter(|event| event.change.is_raised()).count();
    format!("{raised} raised, {} cleared", events.len().saturating_sub(raised))
}

fn body(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events.iter().take(MOST_LISTED) {
        let said = event.alert.text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        let said: String = said.chars().take(MOST_LETTERS).collect();
        // Text can always be written.
        writeln!(text, "{}\n{said}\n{}\n", title(event), time(event.at)).ok();
    }
    let more = events.len().saturating_sub(MOST_LISTED);
    if more > 0 {
        writeln!(text, "And {more} more, which are not listed here.").ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::deliver::tests::{event, raised};

    fn mail(url: &str) -> Mail {
        let receiver = Receiver {
            name: "people".to_owned(),
            kind: Some(super::super::ReceiverKind::Mail),
            url: Some(url.to_owned()),
            from: Some("Omphalos <omphalos@example.com>".to_owned()),
            to: vec!["a@example.com".to_owned(), "B <b@example.com>".to_owned()],
            ..Receiver::default()
        };
        Mail::new(&receiver).unwrap()
    }

    #[test]
    fn the_port_is_that_of_the_scheme_and_no_user_is_said() {
        for (url, expected) in [
            ("smtp://h.example", "smtp://h.example:25"),
            ("smtp://user:PASSWORD@h.example", "smtp://h.example:587"),
            ("smtps://user:PASSWORD@h.example", "smtps://h.example:465"),
            ("smtp://[::1]:2525", "smtp://[::1]:2525"),
        ] {
            let mail = mail(url);
            assert_eq!(mail.server, expected);
            assert!(!format!("{mail:?}").contains("PASSWORD"));
        }
    }

    #[test]
    fn a_key_adds_no_header_and_a_mail_is_bounded() {
        let mail = mail("smtp://h.example");
        let mut one = event("slow", 1_700_000_000_000, raised());
        one.alert.rule = "slow\r\nBcc: x@example.com".to_owned();
        let text = String::from_utf8(mail.mail(&[one]).unwrap().formatted()).unwrap();
        assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
        let events: Vec<Event> = (0..150).map(|at| event("slow", at, raised())).collect();
        assert_eq!(subject(&events), "150 raised, 0 cleared");
        let body = body(&events);
        assert_eq!(body.matches("Raised (critical): slow").count(), 100);
        assert!(body.ends_with("And 50 more, which are not listed here.\n"), "{body}");
    }
}
