//! How long a line takes from being written to being searchable, at light load.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use omphalos_tests::generate::clf_time;
use omphalos_tests::{Elastic, Engine, Program, Server, rest};
use reqwest::Method;

use crate::table::Table;

const LINES: usize = 40;

/// Writes lines one at a time, and looks for each.
pub fn measure(directory: &Path, table: &mut Table) {
    let search = Server::search(Engine::Es9, &directory.join("latency-search"), &[]);
    let broker = Server::rabbitmq(&directory.join("latency-rabbitmq"), &[]);
    let url = format!("{}/%2f", broker.url());
    let path = directory.join("latency.log");
    let mut log = File::create(&path).expect("a log");
    let _shipper = Program::new("omphalos-shipper", &directory.join("latency-shipper.log"))
        .arg(path.display())
        .args(["--parser", "combined", "--state-dir"])
        .arg(directory.join("latency-state").display())
        .option("--amqp-url", &url)
        .start();
    let indexer = Program::new("omphalos-indexer", &directory.join("latency-indexer.log"))
        .option("--amqp-url", &url)
        .option("--elasticsearch-url", search.url())
        .option("--index-replicas", 0)
        .listening()
        .start();
    let elastic = Elastic::new(&search.url(), "omphalos");
    let mut line = |number: usize| {
        let time = clf_time(jiff::Timestamp::now().as_second());
        writeln!(
            log,
            "192.0.2.1 - - [{time}] \"GET /latency/{number} HTTP/1.1\" 200 1 \"-\" \"-\""
        )
        .expect("a line");
    };
    line(0);
    elastic.wait_for_count(1);
    let (mut indexed, mut searchable) = (Vec::new(), Vec::new());
    for number in 1..=LINES {
        line(number);
        let begun = Instant::now();
        while indexer.metric("omphalos_documents_indexed_total") < (number + 1) as f64 - 0.5 {
            rest(Duration::from_millis(2));
        }
        indexed.push(begun.elapsed().as_secs_f64());
        while found(&elastic, number) == 0 {
            rest(Duration::from_millis(10));
        }
        searchable.push(begun.elapsed().as_secs_f64());
        // Not in step with the refresh.
        rest(Duration::from_millis(37 * (number as u64 % 7)));
    }
    table.row(
        "line written → searchable, light load, refresh 1 s, median",
        &format!("{:.2} s", median(&mut searchable)),
        "≤ 1.5 s",
        &format!("ours, up to indexed: {:.2} s (≤ 0.5 s)", median(&mut indexed)),
    );
}

fn found(elastic: &Elastic, number: usize) -> u64 {
    let query = format!("omphalos-*/_count?q=url.path:%22/latency/{number}%22");
    let answer = elastic.request(Method::GET, &query, None);
    answer.map_or(0, |(_, body)| body["count"].as_u64().unwrap_or(0))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
