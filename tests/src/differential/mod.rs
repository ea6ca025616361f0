//! The embedded store against the real Elasticsearch: documents and requests drawn from a seed are given
//! to both, and each pair of answers agrees, is a refusal of the store's, or differs, which is a bug.

mod aggregations;
mod compare;
mod draw;
mod paging;
mod queries;
mod report;
mod requests;
mod scene;
mod servers;
mod strings;
mod writes;

use std::fs;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};

use self::compare::{Verdict, compare, compare_sorted, is_not_here, short, sorted_alike};
use self::draw::Draw;
use self::paging::{Met, Walk, unlike};
pub use self::report::Report;
use self::requests::{Case, KINDS, Request, Steps, case};
use self::scene::Scene;
use self::servers::Server;

/// Requests about the same documents.
const ABOUT_A_SCENE: u64 = 250;

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is drawn from.
    pub seed: u64,
    /// How many requests.
    pub requests: u64,
    /// Only of these kinds; of all where it is empty.
    pub kinds: Vec<String>,
    /// Documents of a scene.
    pub documents: usize,
    /// Where scenes are written, for who wants to send a request again.
    pub directory: Option<PathBuf>,
    /// Begins the names of indices.
    pub prefix: String,
    /// Is told after each scene how many requests are done, and what was found until then.
    pub tell: fn(u64, &Report),
}

/// Both servers.
struct Pair {
    theirs: Server,
    ours: Server,
}

/// Compares the store at one URL with Elasticsearch at another.
pub fn run(elasticsearch: &str, store: &str, options: &Options) -> Report {
    let pair = Pair { theirs: Server::new(elasticsearch), ours: Server::new(store) };
    let kinds = wanted(&options.kinds);
    let mut report = Report::default();
    let mut left = options.requests;
    for round in 0.. {
        if left == 0 {
            break;
        }
        // Each scene has a seed of its own, so that one can be drawn again without those before it.
        let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(round);
        let mut draw = Draw::new(seed);
        let name = format!("{}-{}-{round}", options.prefix, options.seed);
        let mut scene = Scene::draw(&mut draw, &name, options.documents);
        scene_is_set(&pair, &mut scene, options, &mut report);
        for _ in 0..left.min(ABOUT_A_SCENE) {
            let kind = drawn(&mut draw, &kinds);
            ask(&pair, &case(&mut draw, kind, &scene), &mut report);
            left -= 1;
        }
        for index in &scene.indices {
            pair.send(&Request::bare(Method::DELETE, index));
        }
        (options.tell)(options.requests - left, &report);
    }
    report
}

fn wanted(names: &[String]) -> Vec<(&'static str, usize)> {
    let known = KINDS.map(|(kind, _)| kind);
    for name in names {
        assert!(known.contains(&name.as_str()), "no kind {name}: there are {}", known.join(", "));
    }
    let is_wanted = |kind: &str| names.is_empty() || names.iter().any(|name| name == kind);
    KINDS.into_iter().filter(|(kind, _)| is_wanted(kind)).collect()
}

fn drawn(draw: &mut Draw, kinds: &[(&'static str, usize)]) -> &'static str {
    let mut at = draw.below(kinds.iter().map(|(_, share)| share).sum());
    for (kind, share) in kinds {
        if at < *share {
            return kind;
        }
        at -= share;
    }
    panic!("there are no kinds")
}

impl Pair {
    fn send(&self, request: &Request) -> [(u16, Value); 2] {
        [self.theirs.send(request), self.ours.send(request)]
    }
}

/// Makes the indices of a scene. A document that only one of the servers takes is a difference; the
/// indices are then made anew without it, because documents that are deleted count for scores.
fn scene_is_set(pair: &Pair, scene: &mut Scene, options: &Options, report: &mut Report) {
    if let Some(directory) = &options.directory {
        keep(directory, scene);
    }
    make(pair, scene);
    let mut is_odd = false;
    for (index, lines) in &mut scene.bulks {
        let [theirs, ours] = fill(pair, index, lines);
        let mut kept = String::new();
        let mut lines_left = lines.split_inclusive('\n');
        let pairs = std::iter::from_fn(|| Some((lines_left.next()?, lines_left.next()?)));
        for (number, (action, document)) in pairs.enumerate() {
            let [their, our] =
                [&theirs.1, &ours.1].map(|answer| &answer["items"][number]["create"]);
            let verdict = taken(their, our);
            if verdict == Verdict::Agrees {
                kept += action;
                kept += document;
            }
            let path = format!("{index}/_doc/{}", their["_id"].as_str().unwrap_or_default());
            let one = Request { method: Method::PUT, path, body: document.to_owned() };
            report.add("document", &verdict, &one, "");
        }
        is_odd |= kept.len() < lines.len();
        *lines = kept;
    }
    if is_odd {
        for index in &scene.indices {
            pair.send(&Request::bare(Method::DELETE, index));
        }
        make(pair, scene);
        for (index, lines) in &scene.bulks {
            fill(pair, index, lines);
        }
    }
}

fn make(pair: &Pair, scene: &Scene) {
    for index in &scene.indices {
        let make = Request::json(Method::PUT, index, &scene.settings);
        for (status, answer) in pair.send(&make) {
            assert_eq!(status, 200, "the index {index} is made: {answer} {}", scene.settings);
        }
    }
}

fn fill(pair: &Pair, index: &str, lines: &str) -> [(u16, Value); 2] {
    let path = format!("{index}/_bulk?refresh=true");
    pair.send(&Request { method: Method::POST, path, body: lines.to_owned() })
}

/// Whether both take a document, or neither.
fn taken(their: &Value, our: &Value) -> Verdict {
    let [expected, found] = [their, our].map(|item| item["status"].as_u64().unwrap_or_default());
    match (expected, found) {
        _ if expected == found => Verdict::Agrees,
        (201, _) => Verdict::Refused(short(&our["error"])),
        _ => {
            Verdict::Differs(format!("{expected} there ({}), {found} here", short(&their["error"])))
        }
    }
}

/// Writes down what an index is made of.
fn keep(directory: &std::path::Path, scene: &Scene) {
    fs::create_dir_all(directory).expect("a directory");
    for index in &scene.indices {
        fs::write(directory.join(format!("{index}.json")), scene.settings.to_string())
            .expect("a file");
        let of_index = scene.bulks.iter().filter(|(name, _)| name == index);
        let lines: String = of_index.map(|(_, lines)| lines.as_str()).collect();
        fs::write(directory.join(format!("{index}.ndjson")), lines).expect("a file");
    }
}

fn ask(pair: &Pair, case: &Case, report: &mut Report) {
    match &case.steps {
        Steps::Each(requests) => {
            // What follows a difference may differ for that alone.
            let mut first = None;
            for request in requests {
                let [mut theirs, mut ours] = pair.send(request);
                if request.body.contains("\"min_doc_count\":") && request.path.contains([',', '*'])
                {
                    forget(&mut theirs.1, "sum_other_doc_count");
                    forget(&mut ours.1, "sum_other_doc_count");
                }
                let by_place = request.body.contains("\"_doc\"");
                let verdict = compare_sorted(&theirs, &ours, by_place);
                if first.is_none() && verdict != Verdict::Agrees {
                    first = Some((verdict, request));
                }
                // Elasticsearch refuses it for another reason, and may have looked at it before.
                if first.is_none() && request.method != Method::DELETE && is_not_here(&ours) {
                    first = Some((Verdict::Agrees, request));
                }
            }
            let last = requests.first().expect("a request");
            let (verdict, request) = first.unwrap_or((Verdict::Agrees, last));
            let mut before = String::new();
            for one in requests.iter().take_while(|one| !std::ptr::eq(*one, request)) {
                before += &["\n      after", one.method.as_str(), &one.path, &one.body].join(" ");
            }
            report.add(case.kind, &verdict, request, &before);
        }
        Steps::Pages(walk) => {
            let verdict = walked(walk, walk.go(&pair.theirs), walk.go(&pair.ours));
            report.add(case.kind, &verdict, &walk.first(), &format!(" # {}", walk.described()));
        }
    }
}

/// Leaves out a member, wherever it is. Of several indices, Elasticsearch forgets some documents of buckets
/// that are too small, and the store none.
fn forget(value: &mut Value, name: &str) {
    match value {
        Value::Object(members) => {
            members.remove(name);
            members.values_mut().for_each(|value| forget(value, name));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| forget(value, name)),
        _ => {}
    }
}

fn walked(walk: &Walk, theirs: Met, ours: Met) -> Verdict {
    match (theirs, ours) {
        (Met::Refused(status, expected), Met::Refused(own, found)) => {
            compare(&(status, expected), &(own, found))
        }
        // A failure of its own, such as of addresses for those that are missing.
        (Met::Refused(status, expected), _)
            if status >= 500
                || expected["error"]["root_cause"].as_array().is_some_and(Vec::is_empty) =>
        {
            Verdict::Agrees
        }
        (Met::Refused(_, expected), _) => Verdict::Differs(format!(
            "refused there ({}), answered here",
            short(&expected["error"])
        )),
        (_, Met::Refused(own, found)) => compare(&(200, json!({})), &(own, found)),
        (Met::Endless, _) => Verdict::Agrees,
        (_, Met::Endless) => Verdict::Differs("there is no last page".to_owned()),
        (Met::Hits(theirs), Met::Hits(ours)) => match unlike(&theirs, &ours) {
            Some(how) => Verdict::Differs(how),
            None if walk.is_by_place() => Verdict::Agrees,
            None => {
                let order = theirs
                    .iter()
                    .zip(&ours)
                    .position(|(one, other)| !sorted_alike(&one.1, &other.1));
                order.map_or(Verdict::Agrees, |at| {
                    Verdict::Differs(format!(
                        "hit {at}: sort {} there, {} here",
                        theirs[at].1, ours[at].1
                    ))
                })
            }
        },
    }
}
