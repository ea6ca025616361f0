//! The embedded store answers as Elasticsearch does: the same files of requests and answers hold
//! for both.

use omphalos_tests::{Embedded, Engine, Server, scenario};
use tempfile::TempDir;

/// Set, the answers in the files are replaced by those of the Elasticsearch of the tests.
const RECORD: &str = "OMPHALOS_RECORD_SCENARIOS";

#[test]
fn elasticsearch_answers_as_the_scenarios_say() {
    let elasticsearch = Elasticsearch::start();
    let mut wrong = Vec::new();
    for file in scenario::files() {
        if std::env::var_os(RECORD).is_some() {
            scenario::record(&file, &elasticsearch.url);
        }
        wrong.extend(scenario::check(&file, &elasticsearch.url));
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_store_answers_as_the_scenarios_say() {
    let store = Embedded::start();
    let files = scenario::files();
    let wrong: Vec<String> =
        files.iter().flat_map(|file| scenario::check(file, &store.url())).collect();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// One that nobody else has indices in, whose names are the same in all runs.
struct Elasticsearch {
    url: String,
    _own: Option<(Server, TempDir)>,
}

impl Elasticsearch {
    fn start() -> Self {
        if let Ok(url) = std::env::var("OMPHALOS_TEST_ES_URL") {
            return Self { url, _own: None };
        }
        let directory = TempDir::with_prefix("omphalos-scenarios-").expect("a directory");
        let server = Server::search(Engine::Es9, &directory.path().join("search"), &[]);
        Self { url: server.url(), _own: Some((server, directory)) }
    }
}

#[test]
fn there_are_scenarios_for_everything_that_the_store_does() {
    let count: usize =
        scenario::files().iter().map(|file| scenario::read(file).scenarios.len()).sum();
    assert!(count >= 80, "{count} scenarios");
}
