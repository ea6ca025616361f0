//! What happens while the log is being written: two `kill -9` and a rotation.

use std::time::{Duration, Instant};

use omphalos_tests::rest;

use crate::end::{End, Stop};
use crate::progress::{Counter, Figures, Progress};
use crate::scene::{INDEXER_LOG, SHIPPER_LOG, Scene};
use crate::writer::{LINES, ROTATED_AT, Writer};

/// When the programs are killed, in lines written.
const SHIPPER_KILLED_AT: u64 = LINES * 3 / 10;
const INDEXER_KILLED_AT: u64 = LINES * 7 / 10;

/// How long the documents may take after the last line.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Between two looks at the scene.
const LOOK: Duration = Duration::from_millis(100);

/// How it went.
pub struct Told {
    /// The last figures.
    pub figures: Figures,
    /// From the first line written until all could be found.
    pub took: Duration,
}

/// The next thing to happen.
enum Next {
    KillShipper,
    Rotate,
    KillIndexer,
    Nothing,
}

struct Teller<'a> {
    scene: &'a mut Scene,
    writer: Writer,
    next: Next,
    progress: Progress,
    figures: Figures,
    confirmed: Counter,
    duplicates: Counter,
}

/// Writes the log, disturbs, and waits until every line can be found.
pub fn tell(scene: &mut Scene, stop: &Stop) -> Result<Told, End> {
    let begun = Instant::now();
    let mut teller = Teller {
        scene,
        writer: Writer::start(stop.clone()),
        next: Next::KillShipper,
        progress: Progress::new(),
        figures: Figures::default(),
        confirmed: Counter::new("omphalos_documents_confirmed_total"),
        duplicates: Counter::new("omphalos_documents_duplicate_total"),
    };
    let mut written_at = None;
    loop {
        if let Err(end) = stop.check().and_then(|()| teller.scene.check()) {
            teller.progress.finish();
            // Ctrl-C reaches the programs too, and they may have been faster.
            rest(LOOK);
            return Err(stop.check().err().unwrap_or(end));
        }
        teller.disturb();
        let is_written = teller.writer.is_finished();
        if is_written || teller.progress.is_due() {
            teller.look();
        }
        if teller.progress.is_due() {
            teller.progress.show(&teller.figures);
        }
        if is_written {
            if teller.figures.documents >= LINES && teller.scene.is_settled() {
                break;
            }
            if written_at.get_or_insert_with(Instant::now).elapsed() > LONGEST_WAIT {
                return Err(teller.too_late());
            }
        }
        rest(LOOK);
    }
    let took = begun.elapsed();
    teller.look();
    teller.progress.show(&teller.figures);
    teller.progress.finish();
    Ok(Told { figures: teller.figures, took })
}

impl Teller<'_> {
    /// Does what is to be done by now.
    fn disturb(&mut self) {
        let written = self.writer.written();
        match self.next {
            Next::KillShipper if written >= SHIPPER_KILLED_AT => {
                self.confirmed.read(&self.scene.shipper);
                self.scene.shipper.kill();
                self.confirmed.restarted();
                self.scene.shipper.restart();
                self.progress.say("* killed the shipper (kill -9), started it again");
                self.next = Next::Rotate;
            }
            // The writer does it.
            Next::Rotate if written >= ROTATED_AT => {
                self.progress
                    .say("* rotated the log: renamed it to access.log.1, began a new access.log");
                self.next = Next::KillIndexer;
            }
            Next::KillIndexer if written >= INDEXER_KILLED_AT => {
                self.duplicates.read(&self.scene.indexer);
                self.scene.indexer.kill();
                self.duplicates.restarted();
                self.scene.indexer.restart();
                self.progress.say("* killed the indexer (kill -9), started it again");
                self.next = Next::Nothing;
            }
            _ => {}
        }
    }

    /// Brings the figures up to date, as far as there are answers.
    fn look(&mut self) {
        self.figures = Figures {
            written: self.writer.written(),
            confirmed: self.confirmed.read(&self.scene.shipper),
            documents: self.scene.elastic.count().unwrap_or(self.figures.documents),
            duplicates: self.duplicates.read(&self.scene.indexer),
        };
    }

    fn too_late(&self) -> End {
        self.progress.finish();
        End::Failed(format!(
            "{} documents of {LINES} lines are in Elasticsearch {} s after the last line was written; see {SHIPPER_LOG} and {INDEXER_LOG}",
            self.figures.documents,
            LONGEST_WAIT.as_secs()
        ))
    }
}
