//! What it costs the broker that somebody watches a fleet, against a plain client that takes the same
//! messages from a queue of its own.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use omphalos_tests::generate::Generator;
use omphalos_tests::{Program, Server, eventually, holds, rest};

use crate::measure::{load, runtime, seconds_of};
use crate::table::Table;

const SHIPPERS: usize = 20;
/// Lines a second of each.
const RATE: u64 = 1_000;
/// How long each side is measured.
const SPAN: Duration = Duration::from_secs(15);

/// Starts the fleet, and watches it in two ways.
pub fn measure(directory: &Path, table: &mut Table) {
    let broker = Server::rabbitmq(&directory.join("top-rabbitmq"), &[]);
    let url = format!("{}/%2f", broker.url());
    let logs: Vec<PathBuf> =
        (0..SHIPPERS).map(|number| directory.join(format!("fleet-{number}.log"))).collect();
    for log in &logs {
        File::create(log).expect("a log");
    }
    let _shippers: Vec<Program> = logs.iter().map(|log| shipper(log, &url)).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = write_lines(&logs, &stop);
    rest(Duration::from_secs(5));

    let share = |process: u32| {
        let (before, begun) = (seconds_of(process), Instant::now());
        move || (seconds_of(process) - before) / begun.elapsed().as_secs_f64()
    };
    let alone = share(broker.pid());
    rest(SPAN);
    let alone = alone();

    let watcher = Program::new("omphalos", &directory.join("fleet-top.out"))
        .arg("top")
        .option("--amqp-url", &url)
        .args(["--json", "--batch", "100000"])
        .start();
    eventually("the watcher sees lines", || {
        let log = watcher.log();
        holds(log.contains("\"hits\":{\"value\""), log.len())
    });
    rest(Duration::from_secs(3));
    let (watched, watching) = (share(broker.pid()), share(watcher.id()));
    rest(SPAN);
    let (watched, watching) = (watched(), watching());
    drop(watcher);
    rest(Duration::from_secs(4));

    let taker = Taker::start(&url);
    rest(Duration::from_secs(2));
    let taken = share(broker.pid());
    rest(SPAN);
    let taken = taken();
    drop(taker);
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer");
    let percent = |share: f64| share * 100.0;
    table.row(
        "watching a fleet: what it adds to the broker's CPU, against a plain second consumer",
        &format!("{:.2} ×", (watched - alone) / (taken - alone).max(0.001)),
        "≤ 1 ×",
        &format!(
            "{SHIPPERS} shippers, {RATE} lines/s each: {:.1} % of a core alone, {:.1} % watched, {:.1} % with a consumer; the watcher {:.1} %; load {}",
            percent(alone),
            percent(watched),
            percent(taken),
            percent(watching),
            load()
        ),
    );
}

fn shipper(log: &Path, url: &str) -> Program {
    let beside = |ending: &str| log.with_extension(ending);
    Program::new("omphalos-shipper", &beside("out"))
        .arg(log.display())
        .args(["--parser", "combined"])
        .option("--host-name", log.file_stem().expect("a name").to_string_lossy())
        .option("--state-dir", beside("state").display())
        .option("--amqp-url", url)
        .start()
}

fn write_lines(logs: &[PathBuf], stop: &Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let mut generator = Generator::new(5);
    let mut text = String::new();
    (0..RATE / 10).for_each(|_| generator.line(&mut text));
    let open = |log: &PathBuf| File::options().append(true).open(log).expect("the log");
    let mut logs: Vec<File> = logs.iter().map(open).collect();
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let begun = Instant::now();
        let mut times = 0;
        while !stop.load(Ordering::Relaxed) {
            if begun.elapsed().as_millis() / 100 > times {
                times += 1;
                for log in &mut logs {
                    log.write_all(text.as_bytes()).expect("lines");
                }
            }
            rest(Duration::from_millis(5));
        }
    })
}

/// A plain client with a queue of its own at the exchange.
struct Taker {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Taker {
    fn start(url: &str) -> Self {
        let (url, stop) = (url.to_owned(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || runtime().block_on(take(&url, &stopped)));
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the consumer");
        }
    }
}

async fn take(url: &str, stop: &AtomicBool) {
    let connection =
        Connection::connect(url, ConnectionProperties::default()).await.expect("the broker");
    let channel = connection.create_channel().await.expect("a channel");
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let none = FieldTable::default;
    let queue = channel.queue_declare("".into(), options, none()).await.expect("a queue");
    let name = queue.name().clone();
    let passive = ExchangeDeclareOptions { passive: true, ..Default::default() };
    let kind = lapin::ExchangeKind::Topic;
    channel.exchange_declare("omphalos.logs".into(), kind, passive, none()).await.expect("logs");
    let binding = QueueBindOptions::default();
    channel
        .queue_bind(name.clone(), "omphalos.logs".into(), "#".into(), binding, none())
        .await
        .expect("a binding");
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let mut messages =
        channel.basic_consume(name, "taker".into(), options, none()).await.expect("a consumer");
    while !stop.load(Ordering::Relaxed) {
        let next = tokio::time::timeout(Duration::from_millis(200), messages.next());
        drop(next.await);
    }
}
