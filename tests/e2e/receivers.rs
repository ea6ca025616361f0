//! Receivers of alerts that are real servers: Alertmanager, and one that takes mail. The kind: what is told of an alert is
//! there, stays there for as long as it is true, and goes when it is not.

use std::fs;
use std::path::Path;
use std::time::Duration;

use omphalos::watch::deliver::{
    Deliveries, Receiver, ReceiverCounts, ReceiverKind, Receivers, Undelivered,
};
use omphalos_common::clock::now_millis;
use omphalos_common::config::{Period, from_text};
use omphalos_live::alert::{Alert, Change, Event, Named, State};
use omphalos_tests::{Alertmanager, Smtp, eventually, holds, repository};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Deliveries, and the runtime that they run in.
struct Rig {
    runtime: Runtime,
    deliveries: Deliveries,
}

impl Rig {
    fn new(receiver: Receiver) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let started = runtime.block_on(async { Deliveries::start(vec![receiver], Vec::new()) });
        Self { deliveries: started.expect("deliveries"), runtime }
    }

    fn send(&self, events: &[Event]) {
        for event in events {
            self.deliveries.send(event);
        }
    }

    fn wait(&self, what: &str, is_wanted: impl Fn(&ReceiverCounts) -> bool) -> ReceiverCounts {
        eventually(what, || {
            let counts = self.deliveries.counts().remove(0);
            holds(is_wanted(&counts), format!("{counts:?}")).map(|()| counts)
        })
    }

    fn finish(self, grace: Duration) -> Vec<Undelivered> {
        self.runtime.block_on(self.deliveries.finish(grace))
    }
}

fn event(rule: &str, key: &str, change: Change) -> Event {
    let at = now_millis();
    let alert = Alert {
        fingerprint: format!("{rule}-{key}"),
        rule: rule.to_owned(),
        severity: "critical".to_owned(),
        key: Some(Named { dimension: "vhost".to_owned(), text: key.to_owned() }),
        measure: "p99".to_owned(),
        state: if change.is_raised() { State::Firing } else { State::Ok },
        began: at - 60_000,
        since: at,
        value: 2.5,
        shown: "2.5s".to_owned(),
        limit: 2.0,
        text: format!("{rule} of {key} is 2.5s"),
    };
    Event { at, change, alert }
}

fn period(millis: u64) -> Period {
    Period(Duration::from_millis(millis))
}

/// An Alertmanager that is told again each half second: after two without a word an alert is over.
fn manager(alertmanager: &Alertmanager) -> Receiver {
    Receiver {
        name: "manager".to_owned(),
        kind: Some(ReceiverKind::Alertmanager),
        url: Some(alertmanager.url()),
        resend: Some(period(500)),
        ..Receiver::default()
    }
}

/// The only alert.
fn one(alertmanager: &Alertmanager) -> Result<Value, String> {
    let mut alerts = alertmanager.alerts();
    holds(alerts.len() == 1, format!("{alerts:?}")).map(|()| alerts.remove(0))
}

fn none(alertmanager: &Alertmanager) -> Result<(), String> {
    let alerts = alertmanager.alerts();
    holds(alerts.is_empty(), format!("{alerts:?}"))
}

/// Waits until it was told again so many times that whoever is not told would be over, and over again.
fn told_again_and_again(alertmanager: &Alertmanager) {
    let first = alertmanager.received();
    eventually("the alert is told again", || {
        let more = alertmanager.received() - first;
        holds(more > 12, format!("{more} times"))
    });
}

#[test]
fn in_alertmanager_an_alert_is_there_for_as_long_as_it_is_raised_and_not_longer() {
    let directory = TempDir::new().expect("a directory");
    let mut alertmanager = Alertmanager::start(&directory.path().join("manager"));
    let rig = Rig::new(manager(&alertmanager));
    let raised = event("slow", "a.example", Change::Raised);
    rig.send(std::slice::from_ref(&raised));
    let alert = eventually("the alert is there", || one(&alertmanager));
    assert_eq!(
        alert["labels"],
        serde_json::json!({"alertname": "slow", "severity": "critical", "dimension": "vhost", "key": "a.example"})
    );
    assert_eq!(
        alert["annotations"],
        serde_json::json!({"summary": "slow of a.example is 2.5s", "value": "2.5s"})
    );
    told_again_and_again(&alertmanager);
    let again = one(&alertmanager).expect("it is still there");
    assert_eq!(again["startsAt"], alert["startsAt"]);

    // It remembers no alerts, and is told them again.
    alertmanager.kill();
    rig.wait("it is missed", |counts| counts.failed > 0);
    alertmanager.start_again();
    eventually("the alert is there again", || one(&alertmanager));

    rig.send(&[event("slow", "a.example", Change::Cleared)]);
    eventually("the alert is gone", || none(&alertmanager));
    told_again_and_again(&alertmanager);
    none(&alertmanager).expect("it stays gone");

    // Both are told together, in their order.
    alertmanager.kill();
    let failed = rig.wait("it is missed", |_| true).failed;
    rig.send(&[event("errors", "b", Change::Raised), event("errors", "b", Change::Cleared)]);
    rig.wait("it is missed again", |counts| counts.failed > failed);
    alertmanager.start_again();
    let counts = rig.wait("all is told", |counts| counts.waiting == 0);
    assert_eq!((counts.delivered, counts.given_up), (4, 0));
    told_again_and_again(&alertmanager);
    none(&alertmanager).expect("nothing is raised");
}

#[test]
fn in_alertmanager_alerts_are_raised_again_after_a_restart_and_resolve_if_there_is_none() {
    let directory = TempDir::new().expect("a directory");
    let alertmanager = Alertmanager::start(&directory.path().join("manager"));
    let rig = Rig::new(manager(&alertmanager));
    let raised = event("slow", "a.example", Change::Raised).alert;
    let over = event("slow", "b.example", Change::Cleared).alert;
    let other =
        Alert { fingerprint: "other".to_owned(), rule: "other".to_owned(), ..raised.clone() };
    // More than go into one request.
    let many: Vec<Alert> = (0..1_100)
        .map(|count| {
            let key = Named { dimension: "vhost".to_owned(), text: count.to_string() };
            Alert { fingerprint: count.to_string(), key: Some(key), ..raised.clone() }
        })
        .collect();
    rig.deliveries.active(&many);
    eventually("all are there", || {
        let there = alertmanager.alerts().len();
        holds(there == many.len(), format!("{there}"))
    });
    rig.deliveries.active(&[raised, over, other]);
    eventually("those that nobody speaks of any more are gone", || {
        let there = alertmanager.alerts().len();
        holds(there == 2, format!("{there}"))
    });
    assert_eq!(rig.finish(Duration::ZERO)[0].waiting.len(), 0);
    eventually("those of whom nobody says anything are gone", || none(&alertmanager));
}

#[test]
fn each_example_of_the_manual_is_a_receiver() {
    let directory = TempDir::new().expect("a directory");
    for (name, text) in
        [("slack-url", "https://hooks.slack.com/services/T/B/X"), ("mail-password", "x")]
    {
        fs::write(directory.path().join(name), text).expect("a file");
    }
    let manual = fs::read_to_string(repository().join("docs/receivers.md")).expect("the page");
    let blocks = manual.split("```toml\n").skip(1);
    let blocks: String = blocks.filter_map(|block| block.split("```").next()).collect();
    let settings = blocks.replace("/etc/omphalos", &directory.path().display().to_string());
    let Receivers { receiver } = from_text(&settings).expect("settings");
    let kinds = ["command", "webhook", "slack", "alertmanager", "mail"];
    for kind in kinds {
        assert!(receiver.iter().any(|it| it.kind.is_some_and(|it| it.name() == kind)), "{kind}");
    }
    let runtime = Runtime::new().expect("a runtime");
    let started = runtime.block_on(async { Deliveries::start(receiver, Vec::new()) });
    started.expect("deliveries");
}

fn people(url: String, to: &[&str]) -> Receiver {
    Receiver {
        name: "people".to_owned(),
        kind: Some(ReceiverKind::Mail),
        url: Some(url),
        from: Some("Omphalos <omphalos@example.com>".to_owned()),
        to: to.iter().map(|to| (*to).to_owned()).collect(),
        gather: Some(period(300)),
        pause: Some(period(300)),
        ..Receiver::default()
    }
}

/// The lines of a mail that begin so.
fn lines<'m>(mail: &'m str, start: &str) -> Vec<&'m str> {
    mail.lines().filter(|line| line.starts_with(start)).collect()
}

fn start_smtp(directory: &Path) -> (Smtp, String) {
    let smtp = Smtp::start(directory, &[]);
    let url = format!("smtp://127.0.0.1:{}", smtp.port());
    (smtp, url)
}

#[test]
fn people_get_one_mail_of_what_comes_together() {
    let directory = TempDir::new().expect("a directory");
    let (smtp, url) = start_smtp(directory.path());
    let rig = Rig::new(people(url, &["a@example.com", "later@example.com"]));
    let events: Vec<Event> = (0..150)
        .map(|count| event("slow", &format!("{count}.example"), Change::Raised))
        .chain([event("slow", "0.example", Change::Cleared)])
        .collect();
    rig.send(&events);
    let counts = rig.wait("all is told", |counts| counts.waiting == 0);
    assert_eq!((counts.delivered, counts.failed), (151, 1), "the first attempt is put off");
    rig.send(&[event("errors", "a.example", Change::NoData)]);
    // Nobody waits for more when it is time to end.
    assert_eq!(rig.finish(Duration::from_mins(1))[0].waiting, []);
    let mails = smtp.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    let (first, second) = (&mails[0], &mails[1]);
    assert_eq!(lines(first, "X-For: "), ["X-For: a@example.com,later@example.com"]);
    assert_eq!(lines(first, "From: "), ["From: Omphalos <omphalos@example.com>"]);
    assert_eq!(lines(first, "Subject: "), ["Subject: 150 raised, 1 cleared"]);
    let raised = lines(first, "Raised (critical): slow, ");
    assert_eq!(
        (raised.len(), raised[0], raised[99]),
        (100, "Raised (critical): slow, 0.example", "Raised (critical): slow, 99.example",)
    );
    assert_eq!(lines(first, "And "), ["And 51 more, which are not listed here."]);
    assert_eq!(lines(second, "errors of "), ["errors of a.example is 2.5s"]);
    let ids = [first, second].map(|mail| lines(mail, "Message-ID: "));
    assert!(ids[0].len() == 1 && ids[0] != ids[1], "{ids:?}");
}

#[test]
fn a_mail_that_is_refused_is_given_up_and_another_goes() {
    let directory = TempDir::new().expect("a directory");
    let (smtp, url) = start_smtp(directory.path());
    let rig = Rig::new(people(url.clone(), &["refused@example.com"]));
    rig.send(&[event("slow", "a", Change::Raised), event("slow", "a", Change::Cleared)]);
    let counts = rig.wait("it is given up", |counts| counts.waiting == 0);
    assert_eq!((counts.given_up, counts.failed, counts.delivered), (2, 1, 0));
    assert_eq!(smtp.mails(), [""; 0]);
}

#[test]
fn over_tls_mail_is_given_to_whom_the_certificate_proves_with_the_password() {
    let directory = TempDir::new().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
    let authority = authority.expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    let ca_file = file("ca.pem", &authority.pem());
    let certificate = file("cert.pem", &certificate.pem()).display().to_string();
    let key = file("key.pem", &key.serialize_pem()).display().to_string();
    let words = [&*certificate, &*key, "right", "starttls"];
    for (scheme, words) in [("smtps", &words[..3]), ("smtp", &words)] {
        let smtp = Smtp::start(&directory.path().join(scheme), words);
        let url = |host: &str| format!("{scheme}://omphalos@{host}:{}", smtp.port());
        let secured = |host: &str, password: &str| Receiver {
            ca_file: Some(ca_file.clone()),
            password_file: Some(file(&format!("{host}-{password}"), &format!("{password}\n"))),
            give_up_after: period(500),
            ..people(url(host), &["a@example.com"])
        };
        for (receiver, expected) in [
            // The certificate has another name.
            (secured("127.0.0.1", "right"), (0, 1)),
            (Receiver { ca_file: None, ..secured("localhost", "right") }, (0, 1)),
            (secured("localhost", "wrong"), (0, 1)),
            (secured("localhost", "right"), (1, 0)),
        ] {
            let rig = Rig::new(receiver);
            rig.send(&[event("slow", "a.example", Change::Raised)]);
            let counts = rig.wait("it has an end", |counts| counts.waiting == 0);
            assert_eq!((counts.delivered, counts.given_up), expected, "{scheme}");
            assert_eq!(smtp.mails().len(), usize::from(expected.0 == 1), "{scheme}");
        }
    }
}
