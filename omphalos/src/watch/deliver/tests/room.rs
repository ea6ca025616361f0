//! The kind: an event that is handed over is told once and in order, or counted as given up or dropped, whatever the
//! receiver does, and whoever hands it over never waits.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use omphalos_common::config::Period;
use omphalos_live::alert::{Change, Event};

use super::super::queue::Room;
use super::super::{
    Deliveries, MOST_WAITING, Receiver, ReceiverCounts, ReceiverKind, Undelivered, key,
};
use super::event;
use super::fake::{Answer, Fake};

/// Longer than anything takes on the busiest machine.
const LONGEST: Duration = Duration::from_secs(100);

fn webhook(url: String) -> Receiver {
    Receiver {
        name: "hook".to_owned(),
        kind: Some(ReceiverKind::Webhook),
        url: Some(url),
        timeout: Period(Duration::from_secs(1)),
        ..Receiver::default()
    }
}

/// A raise, its clear, and a raise of something else.
fn three() -> [Event; 3] {
    [
        event("slow", 1_000, Change::Raised),
        event("slow", 2_000, Change::Cleared),
        event("errors", 2_000, Change::Raised),
    ]
}

fn keys(events: &[Event]) -> Vec<String> {
    events.iter().map(key).collect()
}

/// The kind: a receiver that forgets is told that an alert is over as long after a restart as without one.
#[test]
fn what_was_cleared_is_told_again_after_a_restart() {
    let manager = Receiver { kind: Some(ReceiverKind::Alertmanager), ..webhook(String::new()) };
    let again = |room: &Room| {
        let again = room.again().unwrap_or_default().into_iter();
        again.map(|again| (again.alert.rule, again.cleared)).collect::<Vec<_>>()
    };
    let room = Room::new(manager.clone(), Undelivered::default(), Arc::default());
    for event in &three() {
        room.push(event, 0);
    }
    let expected = [("errors".to_owned(), None), ("slow".to_owned(), Some(2_000))];
    assert_eq!(again(&room), expected);
    let kept = serde_json::to_string(&room.kept()).unwrap();
    let room = Room::new(manager.clone(), serde_json::from_str(&kept).unwrap(), Arc::default());
    assert_eq!(again(&room), expected[1..], "what is raised is told by whoever knows it");
    room.push(&event("slow", 3_000, Change::Raised), 0);
    assert_eq!(again(&room), [("slow".to_owned(), None)]);

    let long_ago = kept.replace("\"until\":1", "\"until\":");
    assert_ne!(long_ago, kept);
    let room = Room::new(manager, serde_json::from_str(&long_ago).unwrap(), Arc::default());
    assert_eq!(again(&room), []);
}

/// The kind: what is told must be on disk before, or a kill forgets what somebody was told.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_kept_and_told_to_nobody_until_it_is_released() {
    let fake = Fake::new(&[]);
    let deliveries = Deliveries::start(vec![webhook(fake.url("/hook"))], Vec::new()).unwrap();
    let [raised, cleared, _] = three();
    deliveries.send(&raised);
    counted(&deliveries, |counts| counts.delivered == 1).await;
    deliveries.hold(&cleared);
    assert_eq!(deliveries.undelivered()[0].waiting.len(), 1);
    // Another rings its bell, and does not let it go.
    deliveries.active(&[]);
    tokio::task::yield_now().await;
    assert_eq!(deliveries.counts()[0].delivered, 1);
    deliveries.release();
    counted(&deliveries, |counts| counts.delivered == 2).await;
}

/// Waits until the counts of the only receiver are as wanted.
async fn counted(
    deliveries: &Deliveries,
    is_wanted: impl Fn(&ReceiverCounts) -> bool,
) -> ReceiverCounts {
    let begun = Instant::now();
    loop {
        let counts = deliveries.counts().remove(0);
        if is_wanted(&counts) {
            return counts;
        }
        assert!(begun.elapsed() < LONGEST, "the last counts: {counts:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends all, and waits until each has an end.
async fn told(deliveries: &Deliveries, events: &[Event]) -> ReceiverCounts {
    for event in events {
        deliveries.send(event);
    }
    let count = u64::try_from(events.len()).unwrap();
    counted(deliveries, |counts| counts.delivered + counts.given_up + counts.dropped == count).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_webhook_does_each_event_is_told_once_and_in_order() {
    use Answer::{Half, Huge, Never, Nothing, Slowly, Status};
    let scripts: [&[Answer]; 10] = [
        &[],
        &[Never],
        &[Nothing, Half],
        &[Status(500, ""), Status(502, "")],
        &[Status(408, ""), Status(425, "")],
        &[Status(429, "Retry-After: 2\r\n")],
        &[Status(503, "Retry-After: soon\r\n")],
        &[Status(302, "Location: http://127.0.0.1:1/\r\n"), Status(307, "Location: /other\r\n")],
        &[Slowly, Huge],
        &[Status(204, ""), Nothing, Status(201, ""), Never],
    ];
    join_all(scripts.map(|script| async move {
        let fake = Fake::new(script);
        let deliveries = Deliveries::start(vec![webhook(fake.url("/hook"))], Vec::new()).unwrap();
        let counts = told(&deliveries, &three()).await;
        assert_eq!(fake.taken(), keys(&three()), "{script:?}");
        let requests = fake.requests();
        assert_eq!(counts.failed, requests.len() as u64 - 3, "{script:?}");
        assert_eq!((counts.delivered, counts.waiting), (3, 0), "{script:?}");
        assert!(requests.iter().all(|request| request.path == "/hook"), "{requests:?}");
        if matches!(script, [Status(429, _)]) {
            let waited = requests[1].at - requests[0].at;
            assert!(waited >= Duration::from_secs(2), "{waited:?}");
        }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_the_event_with_a_version() {
    let fake = Fake::new(&[]);
    let deliveries = Deliveries::start(vec![webhook(fake.url("/"))], Vec::new()).unwrap();
    told(&deliveries, &three()).await;
    let mut expected = serde_json::to_value(&three()[0]).unwrap();
    expected["version"] = 1.into();
    assert_eq!(fake.requests()[0].body, expected);
    assert_eq!(expected["change"], "raised");
    assert_eq!(expected["alert"]["key"]["text"], "a.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_given_up_at_once_and_others_are_told() {
    let fake = Fake::new(&[Answer::Status(400, ""), Answer::Status(404, "")]);
    let deliveries = Deliveries::start(vec![webhook(fake.url("/"))], Vec::new()).unwrap();
    let counts = told(&deliveries, &three()).await;
    assert_eq!((counts.delivered, counts.given_up, counts.failed), (1, 2, 2));
    assert_eq!(fake.taken(), keys(&three()[2..]));
    // What was given up is not tried again.
    let kept = deliveries.undelivered();
    assert_eq!((kept[0].waiting.len(), &kept[0].settled), (0, &keys(&three())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_taken_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fake = Fake::start(listener, &[Answer::Status(500, "")], true);
    let mut receiver = webhook(fake.url("/"));
    receiver.give_up_after = Period(Duration::from_millis(1_500));
    let deliveries = Deliveries::start(vec![receiver], Vec::new()).unwrap();
    let counts = told(&deliveries, &three()).await;
    assert_eq!((counts.delivered, counts.given_up), (0, 3));
    assert!(counts.failed < 10, "what has waited for too long is given up with it: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_outlives_a_restart_and_is_told_once() {
    // Nobody listens there yet.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let start = |kept: Vec<Undelivered>| {
        Deliveries::start(vec![webhook(format!("http://{address}/"))], kept).unwrap()
    };
    let deliveries = start(Vec::new());
    for event in three() {
        deliveries.send(&event);
        // Lines are read again, and raise the same.
        deliveries.send(&event);
    }
    counted(&deliveries, |counts| counts.failed >= 1).await;
    let kept = deliveries.finish(Duration::ZERO).await;
    assert_eq!(kept[0].waiting.len(), 3);

    let fake = Fake::start(TcpListener::bind(address).unwrap(), &[], false);
    let mut kept: Vec<Undelivered> =
        serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    for _ in 0..2 {
        let deliveries = start(kept);
        for event in three() {
            deliveries.send(&event);
        }
        kept = deliveries.finish(LONGEST).await;
        assert_eq!(fake.taken(), keys(&three()));
        assert!(kept[0].waiting.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hands_over_never_waits_and_the_oldest_goes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fake = Fake::start(listener, &[Answer::Never], true);
    let mut receiver = webhook(fake.url("/"));
    receiver.timeout = Period(LONGEST * 2);
    let deliveries = Deliveries::start(vec![receiver], Vec::new()).unwrap();
    let events: Vec<Event> = (0..5_000).map(|at| event("slow", at, Change::Raised)).collect();
    deliveries.send(&events[0]);
    while fake.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    for event in &events[1..] {
        deliveries.send(event);
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let counts = deliveries.counts().remove(0);
    assert_eq!((counts.waiting, counts.dropped), (MOST_WAITING + 1, 3_999));
    let kept = deliveries.finish(Duration::ZERO).await.remove(0);
    let waiting: Vec<Event> = kept.waiting.into_iter().map(|waiting| waiting.event).collect();
    assert_eq!(waiting[0], events[0], "what is being told is not dropped");
    assert_eq!(waiting[1..], events[4_000..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_told_what_it_wants_and_one_that_is_down_holds_up_no_other() {
    let (down, up) = (Fake::new(&[Answer::Never]), Fake::new(&[]));
    let mut minor = event("minor", 3_000, Change::Raised);
    minor.alert.severity = "warning".to_owned();
    let receivers = vec![
        Receiver { alerts: vec!["minor".to_owned()], ..webhook(up.url("/")) },
        Receiver {
            name: "down".to_owned(),
            timeout: Period(LONGEST * 2),
            severities: vec!["critical".to_owned()],
            ..webhook(down.url("/"))
        },
    ];
    let deliveries = Deliveries::start(receivers, Vec::new()).unwrap();
    for event in three() {
        deliveries.send(&event);
    }
    deliveries.send(&minor);
    counted(&deliveries, |counts| counts.delivered == 1).await;
    assert_eq!(up.taken(), keys(&[minor]));
    assert_eq!(deliveries.counts()[1].waiting, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_gets_a_message_a_second_and_is_left_alone_when_it_asks_for_that() {
    let fake = Fake::new(&[Answer::Status(429, "Retry-After: 2\r\n")]);
    let receiver =
        Receiver { kind: Some(ReceiverKind::Slack), ..webhook(fake.url("/services/T/B/X")) };
    let deliveries = Deliveries::start(vec![receiver], Vec::new()).unwrap();
    told(&deliveries, &three()).await;
    assert_eq!(fake.taken(), keys(&three()));
    let requests = fake.requests();
    let pauses: Vec<u128> =
        requests.windows(2).map(|two| (two[1].at - two[0].at).as_millis()).collect();
    let is_as_asked =
        pauses.len() == 3 && pauses[0] >= 2_000 && pauses[1..].iter().all(|it| *it >= 1_000);
    assert!(is_as_asked, "{pauses:?}");
    let text = requests[1].body["text"].as_str().unwrap();
    assert!(
        text.starts_with("Raised (critical): slow, a.example\nslow of a.example is 2.5s\n"),
        "{text}"
    );
}
