//! `omphalos audit`: is every line of a file in Elasticsearch?
//!
//! A file is read by the shipper's own monitor ([`crate::reading`]), so its lines become the very ids that
//! they were shipped with; [`asking`] looks for them where the indexer files them, [`searching`]
//! everywhere else. What is not found is kept in a list on disk ([`absent`]), compared with the
//! dead letters ([`letters`]), put into ranges ([`findings`]) and printed ([`report`]); [`repair`]
//! ships it.
//!
//! Memory is bounded: portions of a file are asked for in order, a few at once, and the next one is
//! read when one is answered.

mod absent;
mod answers;
mod asking;
mod broker;
mod checkpoints;
mod file;
mod findings;
mod letters;
mod options;
mod portion;
mod progress;
mod repair;
mod report;
mod schemes;
mod searching;
mod store;
mod target;

pub(crate) use answers::{found, hits};
pub use asking::Asker;
pub use options::{Options, command, table_of};
pub use progress::Progress;
pub use schemes::likeliest_first;
pub use target::Target;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::ArgMatches;
use omphalos_common::clean::clean;
use omphalos_common::printed::{Form, printed};
use omphalos_common::telemetry::{LogFormat, init_logs};
use omphalos_indexer::elasticsearch::{Client, IndexNames};
use omphalos_shipper::config::TransportKind;
use omphalos_shipper::monitor::Compression;
use serde_json::{Value, json};
use tracing::warn;

use broker::{Mq, Publisher};
use file::{Audited, Auditor};
use findings::Ranges;
use letters::{Groups, Source};
use repair::{Manner, Repaired};
use report::{Outcome, grouped};

use crate::local_road::LocalRoad;

/// Something is missing.
const MISSING: u8 = 1;

/// Runs it.
///
/// # Errors
/// When the audit cannot be done.
pub fn run(given: &ArgMatches) -> anyhow::Result<ExitCode> {
    let options = Options::read(given)?;
    init_logs(LogFormat::Human, "warn")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let whole = runtime.block_on(async {
        tokio::select! {
            whole = Session::new(options, Progress::new())?.run() => whole,
            stopped = tokio::signal::ctrl_c() => {
                stopped?;
                anyhow::bail!("stopped before it was done")
            }
        }
    });
    // A request that nobody waits for any more must not keep the process.
    runtime.shutdown_background();
    Ok(if whole? { ExitCode::SUCCESS } else { ExitCode::from(MISSING) })
}

/// What is there of the files of a process that goes on meanwhile. Waits for the answers.
///
/// # Errors
/// When the audit cannot be done.
pub fn look(options: Options) -> anyhow::Result<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(async {
        let mut session = Session::new(options, Progress::hidden())?;
        let outcomes = session.look().await?;
        Ok(session.json(&outcomes))
    });
    runtime.shutdown_background();
    found
}

/// An audit of some files.
struct Session {
    options: Options,
    progress: Progress,
    asker: Asker,
    mq: Option<Mq>,
    /// The most messages that ever waited in the queue; `None` when nobody looked.
    waiting: Option<u32>,
    groups: Groups,
}

impl Session {
    fn new(options: Options, progress: Progress) -> anyhow::Result<Self> {
        let indexer = &options.indexer;
        let client = Client::new(&indexer.elasticsearch, false)?;
        let names = IndexNames::new(indexer.name_rules()?);
        // All files are of one host.
        let host_id = options.targets.first().map_or("", |target| &target.host.id);
        let asker = Asker::new(client, names, &indexer.index, host_id, progress.clone());
        let mq = options.amqp.as_ref().map(Mq::new).transpose()?;
        Ok(Self { options, progress, asker, mq, waiting: None, groups: Groups::default() })
    }

    /// Whether everything is there, in the end.
    async fn run(mut self) -> anyhow::Result<bool> {
        let mut outcomes = self.look().await?;
        if !self.options.json {
            self.print(&outcomes)?;
        }
        self.repair(&mut outcomes).await?;
        if self.options.json {
            writeln!(printed(Form::Json), "{}", self.json(&outcomes))?;
        }
        Ok(outcomes.iter().all(Outcome::is_whole))
    }

    /// What is there of each file.
    async fn look(&mut self) -> anyhow::Result<Vec<Outcome>> {
        if let Some(store) = &self.options.store {
            store.check_owner().await?;
        }
        self.look_at_queue().await?;
        let mut audited = Vec::new();
        for target in std::mem::take(&mut self.options.targets) {
            let name = target.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_archive = Compression::of(&target.path).is_some();
            let bytes = target.path.metadata().ok().filter(|_| !is_archive);
            if let Some(note) = target.note_of_formats() {
                warn!("{note}");
            }
            self.progress.begin(&name, bytes.map(|found| found.len()));
            let auditor = Auditor {
                asker: &self.asker,
                why_unknown: &self.options.why_unknown,
                progress: &self.progress,
            };
            audited.push(auditor.audit(&target).await?);
        }
        self.look_at_letters(&mut audited).await?;
        let mut outcomes = Vec::new();
        for mut audited in audited {
            let ranges = Ranges::of(&mut audited.absent, &audited.target)?;
            outcomes.push(Outcome { audited, ranges, repaired: Repaired::default() });
        }
        self.progress.end();
        self.look_at_queue().await?;
        Ok(outcomes)
    }

    async fn look_at_queue(&mut self) -> anyhow::Result<()> {
        if let Some(mq) = &self.mq {
            let waiting = mq.waiting().await?.unwrap_or(0);
            self.waiting = Some(self.waiting.unwrap_or(0).max(waiting));
        }
        Ok(())
    }

    async fn look_at_letters(&mut self, audited: &mut [Audited]) -> anyhow::Result<()> {
        if audited.iter().all(|one| one.absent.is_empty()) {
            return Ok(());
        }
        for path in &self.options.dead_files {
            let mut source = Source::file(path)?;
            letters::find(&mut source, audited, &mut self.groups, &self.progress).await?;
        }
        if let Some(mq) = &self.mq
            && let Some(queue) = mq.dead_letters().await?
        {
            let mut source = Source::Queue(Box::new(queue));
            letters::find(&mut source, audited, &mut self.groups, &self.progress).await?;
        }
        Ok(())
    }

    fn print(&self, outcomes: &[Outcome]) -> io::Result<()> {
        let mut out = printed(Form::Plain);
        for outcome in outcomes {
            outcome.write(&mut out, &self.groups)?;
        }
        if outcomes.len() > 1 {
            report::write_total(&mut out, outcomes)?;
        }
        if outcomes.iter().all(|outcome| outcome.audited.found == 0) {
            writeln!(out, "nothing was found in {}; is it the right one?", self.asker.asked())?;
        }
        let is_missing = outcomes.iter().any(|outcome| outcome.missing() > 0);
        match (&self.mq, self.waiting) {
            (Some(mq), Some(waiting @ 1..)) => writeln!(
                out,
                "{} messages wait in the queue {} and may hold what is missing",
                grouped(waiting.into()),
                mq.queue()
            ),
            (None, _) if is_missing && self.options.dead_files.is_empty() => writeln!(
                out,
                "the queue and its dead letters were not looked at: give --amqp-url for that"
            ),
            _ => Ok(()),
        }
    }

    fn json(&self, outcomes: &[Outcome]) -> Value {
        let files: Vec<_> = outcomes.iter().map(|one| one.to_json(&self.groups)).collect();
        let missing: u64 = outcomes.iter().map(Outcome::missing).sum();
        json!({ "files": files, "missing": missing, "messages_waiting": self.waiting })
    }

    /// Ships what is missing, if that is wanted, and waits for it.
    async fn repair(&self, outcomes: &mut [Outcome]) -> anyhow::Result<()> {
        let Some(patience) = self.options.repair else { return Ok(()) };
        let batch = &self.options.shipper.batch;
        let manner = Manner {
            batch_bytes: batch.bytes,
            level: batch.compression_level,
            // It might be shipped already, with another time in its id.
            with_untimed: self.nothing_waits(),
        };
        if outcomes.iter().all(|outcome| outcome.ranges.missing == 0) {
            return Ok(());
        }
        let mut publisher = if let Some(mq) = &self.mq {
            mq.publisher(patience)
        } else {
            let Options { indexer, shipper, .. } = &self.options;
            let road = LocalRoad::start(indexer.clone(), &shipper.state_dir)?;
            Publisher::local(road, patience)
        };
        let mut damaged: Vec<&mut Outcome> = Vec::new();
        for outcome in outcomes.iter_mut().filter(|one| one.ranges.missing > 0) {
            if self.may_repair(outcome)? {
                self.progress.wait_for("shipping what is missing");
                let Audited { target, ids, absent, .. } = &mut outcome.audited;
                outcome.repaired.shipped =
                    repair::ship(target, *ids, absent, manner, &mut publisher).await?;
                damaged.push(outcome);
            }
        }
        publisher.finish().await?;
        for outcome in damaged {
            let Audited { target, absent, .. } = &mut outcome.audited;
            let both = (&self.asker, &self.progress);
            outcome.repaired.found =
                repair::wait(target, absent, both, manner.with_untimed, patience).await?;
            self.progress.end();
            self.tell_repaired(outcome)?;
        }
        Ok(())
    }

    /// Whether nothing is on its way that may hold what is missing. Without a broker and UDP, what is
    /// on its way is behind the checkpoint.
    fn nothing_waits(&self) -> bool {
        match &self.mq {
            Some(_) => self.waiting == Some(0),
            None => self.options.shipper.transport() == TransportKind::Amqp,
        }
    }

    /// Whether the file may be repaired; if not, says why.
    fn may_repair(&self, outcome: &Outcome) -> io::Result<bool> {
        let shown = outcome.audited.target.path.display();
        if outcome.audited.stranger.is_some() {
            self.say(&format!(
                "{shown}: nothing is shipped: its lines are there under other ids, see above"
            ))?;
            return Ok(false);
        }
        let untimed = outcome.ranges.missing_untimed;
        if untimed > 0 && !self.nothing_waits() {
            self.say(&format!(
                "{shown}: {} missing lines have no time of their own and are not shipped while messages wait in the queue, which may hold them under another id; try again when it is empty",
                grouped(untimed)
            ))?;
        }
        Ok(outcome.ranges.missing > untimed || self.nothing_waits())
    }

    fn tell_repaired(&self, outcome: &Outcome) -> io::Result<()> {
        let shown = outcome.audited.target.path.display();
        let Repaired { shipped, found } = outcome.repaired;
        let (all, arrived) = (grouped(shipped), grouped(found));
        if found == outcome.ranges.missing {
            return self
                .say(&format!("{shown}: shipped {all} missing documents, and found all of them"));
        }
        self.say(&format!(
            "{shown}: shipped {all} of {} missing documents, and found {arrived} of them; does the indexer run? See omphalos dead list, and audit again",
            grouped(outcome.ranges.missing)
        ))
    }

    /// For people; with JSON nobody reads it.
    fn say(&self, text: &str) -> io::Result<()> {
        if self.options.json {
            return Ok(());
        }
        writeln!(printed(Form::Plain), "{}", clean(text))
    }
}
