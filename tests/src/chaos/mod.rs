//! Chaos: the whole chain under a steady load, while plugs are pulled and put back, drawn from a
//! seed. At the end every line is in Elasticsearch once, or among the dead letters.

mod books;
mod bounds;
mod brokers;
mod disks;
mod faults;
mod lines;
mod links;
mod many_logs;
mod processes;
mod report;
mod rotations;
mod scene;
mod search;
mod site;
mod storm;
mod verdict;
mod worker;
mod writer;

pub use bounds::{INDEXER_MEMORY, SHIPPER_MEMORY};
pub use report::Report;

use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use self::books::Books;
use self::faults::{Fault, LENGTHS, Part, all};
use self::scene::Scene;
use crate::wait::{eventually, holds, rest};

/// Books are compared after so many faults.
const FAULTS_BETWEEN_BOOKS: usize = 5;
/// Lines that are through before the first fault.
const WARM_UP: u64 = 3_000;

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is drawn from.
    pub seed: u64,
    /// For how long faults are injected.
    pub time: Duration,
    /// Only faults whose name contains this.
    pub only: Option<String>,
    /// Faults whose name contains this come first.
    pub first: Option<String>,
}

/// Runs it in an empty directory; panics where a promise is not kept.
pub fn run(directory: &Path, options: &Options) -> Report {
    say(&format!("seed {}: starting three brokers and two Elasticsearch nodes", options.seed));
    let mut scene = Scene::start(directory, options.seed);
    scene.settle_queues();
    warm_up(&mut scene);
    let mut report = Report { seed: options.seed, time: options.time, ..Report::default() };
    for worker in scene.workers() {
        report.descriptors.insert(worker.name.clone(), (worker.descriptors, 0));
    }
    let faults = all(&scene);
    let wanted = |fault: &&Fault| {
        options.only.as_ref().is_none_or(|only| fault.name.contains(only.as_str()))
    };
    let faults: Vec<&Fault> = faults.iter().filter(wanted).collect();
    assert!(!faults.is_empty(), "no fault has {:?} in its name", options.only);
    let mut books = Books::default();
    let mut draw = Draw::new(options, faults);
    let end = Instant::now() + options.time;
    let mut since = 0;
    while Instant::now() < end {
        since += inject(&mut scene, &mut draw, &mut report);
        if since >= FAULTS_BETWEEN_BOOKS || scene.is_robbed {
            since = 0;
            books.compare(&mut scene);
            say("the books add up");
        }
    }
    books.compare(&mut scene);
    report.books = books;
    verdict::judge(&mut scene, &mut report);
    report
}

/// Waits until some lines are through.
fn warm_up(scene: &mut Scene) {
    eventually("the first documents are there", || {
        let count = scene.elastic().count()?;
        holds(count >= WARM_UP, count)
    });
    scene.look();
}

/// The schedule.
struct Draw<'a> {
    random: SmallRng,
    faults: Vec<&'a Fault>,
    /// Places in `faults` that are still to come in this round; each comes once a round.
    round: Vec<usize>,
}

/// A fault at one of its targets, for a while.
struct Drawn<'a> {
    fault: &'a Fault,
    target: usize,
    length: Duration,
}

impl<'a> Draw<'a> {
    fn new(options: &Options, faults: Vec<&'a Fault>) -> Self {
        let random = SmallRng::seed_from_u64(options.seed);
        let mut draw = Self { random, faults, round: Vec::new() };
        draw.begin_round();
        if let Some(first) = &options.first {
            draw.round.sort_by_key(|place| draw.faults[*place].name.contains(first));
        }
        draw
    }

    /// The last one is drawn first.
    fn begin_round(&mut self) {
        self.round = (0..self.faults.len()).collect();
        self.round.shuffle(&mut self.random);
    }

    fn next(&mut self) -> Drawn<'a> {
        if self.round.is_empty() {
            self.begin_round();
        }
        let place = self.round.pop().expect("just filled");
        self.at(place)
    }

    /// Sometimes another fault, which can be there at the same time.
    fn beside(&mut self, part: Part) -> Option<Drawn<'a>> {
        let is_wanted = self.random.random_ratio(1, 3);
        let fits = |place: &usize| self.faults[*place].part.goes_with(part);
        let found = self.round.iter().rposition(fits).filter(|_| is_wanted)?;
        let place = self.round.remove(found);
        Some(self.at(place))
    }

    fn at(&mut self, place: usize) -> Drawn<'a> {
        let fault = self.faults[place];
        let target = self.random.random_range(0..fault.targets);
        let (least, most) = LENGTHS;
        let length = self.random.random_range(least..=most);
        Drawn { fault, target, length }
    }
}

/// One fault, or two at the same time; returns how many.
fn inject(scene: &mut Scene, draw: &mut Draw<'_>, report: &mut Report) -> usize {
    let first = draw.next();
    let second = draw.beside(first.fault.part);
    let mut drawn: Vec<Drawn<'_>> = std::iter::once(first).chain(second).collect();
    for Drawn { fault, target, length } in &drawn {
        say(&format!("{} ({target}) for {:.1} s", fault.name, length.as_secs_f64()));
        (fault.begin)(scene, *target);
    }
    let begun = Instant::now();
    drawn.sort_by_key(|drawn| drawn.length);
    for Drawn { fault, target, length } in &drawn {
        while begun.elapsed() < *length {
            rest(Duration::from_millis(100));
            scene.look();
        }
        (fault.end)(scene, *target);
    }
    let recovery = wait_until_through(scene);
    say(&format!("through again after {:.1} s", recovery.as_secs_f64()));
    for Drawn { fault, .. } in &drawn {
        report.recoveries.entry(fault.name.clone()).or_default().push(recovery);
    }
    drawn.len()
}

/// Waits until a line of every site that was written after now is in Elasticsearch; returns how
/// long that took.
fn wait_until_through(scene: &mut Scene) -> Duration {
    let begun = Instant::now();
    let numbers: Vec<u64> = scene.sites.iter().map(|site| site.writer.written() + 1).collect();
    let mut missing: Vec<usize> = (0..numbers.len()).collect();
    eventually("lines are through again", || {
        let elastic = scene.elastic();
        elastic.count()?;
        missing.retain(|site| !Scene::has_line(&elastic, &scene.sites[*site], numbers[*site]));
        holds(missing.is_empty(), format!("lines {numbers:?}, sites without {missing:?}"))
    });
    begun.elapsed()
}

fn say(text: &str) {
    println!("{}  {text}", jiff::ZonedDateTime::now().strftime("%H:%M:%S"));
}
