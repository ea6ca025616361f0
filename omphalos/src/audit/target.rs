//! A file that is audited, read as its shipper read it.

use std::path::PathBuf;

use anyhow::Context;
use omphalos_common::config::{Period, Size};
use omphalos_common::event::SourceId;
use omphalos_common::ids::IdScheme;
use omphalos_parser::steps::settings::StepKind;
use omphalos_shipper::monitor::{
    ClosedBatch, Host, MonitorSettings, Recalled, Remembered, begin_again,
};
use omphalos_transport::batch::BatchSettings;
use tokio::sync::mpsc;

use crate::reading::{NEVER, Reading, Source};

/// A file, and with what it was shipped.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it is.
    pub path: PathBuf,
    /// The path by which the shipper knows it.
    pub called: PathBuf,
    /// How its lines become documents.
    pub monitor: MonitorSettings,
    /// Who shipped it.
    pub host: Host,
    /// What the shipper's checkpoint says of it.
    pub recalled: Option<Recalled>,
    /// The time of lines that have none, in milliseconds since the epoch.
    pub millis: i64,
    /// With what its ids may have been made: what the checkpoint says; else all that is known.
    pub ids: Vec<IdScheme>,
    /// Whether nothing is said of its lines.
    pub is_quiet: bool,
}

impl Target {
    /// What to say where the shipper read it with other parsers than the one that is set.
    pub fn note_of_formats(&self) -> Option<String> {
        let rules = self.recalled.as_ref().map(Recalled::rules).unwrap_or_default();
        let recipe = &self.monitor.recipe;
        let set = recipe.rule(recipe.kind());
        if rules.iter().all(|rule| rule.agrees(&set)) {
            return None;
        }
        let rules: Vec<_> = rules.iter().map(ToString::to_string).collect();
        Some(format!(
            "{}: the shipper's checkpoint says that it was read with {}; what is delivered is looked for as that, and only what is not with {set}",
            self.path.display(),
            rules.join(", then ")
        ))
    }

    /// Whether a step leaves out what it does by ids: of other ids, other lines are there.
    pub fn has_a_sample(&self) -> bool {
        self.monitor.recipe.steps.iter().any(|step| step.step == StepKind::Sample)
    }

    /// The same for somebody who reads it once more, of which nothing need be said again.
    pub fn quietly(&self) -> Self {
        Self { is_quiet: true, ..self.clone() }
    }

    /// Begins to read it, with ids that are made so; what `turn` makes of each batch of `batch_bytes`
    /// comes out of the channel.
    ///
    /// # Errors
    /// When the file cannot be looked at, or nothing temporary be written.
    pub fn read<T: Send + 'static>(
        &self,
        ids: IdScheme,
        batch_bytes: Size,
        turn: impl FnMut(&mut ClosedBatch) -> T + Send + 'static,
    ) -> anyhow::Result<(Reading, mpsc::Receiver<T>)> {
        // Only ids of lines that cannot be told anyway are made of this.
        let untimed = SourceId::from_random(rand::random());
        let recalled = self.recalled.as_ref().filter(|known| known.ids() == Some(ids));
        let entry = begin_again(&self.path, recalled, ids, untimed, self.millis)
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        let input = self.monitor.input_of_file(&self.path, &self.called)?;
        let source = Source {
            remembered: Remembered { entries: vec![entry], ..Remembered::default() },
            says_untimed: false,
            is_quiet: self.is_quiet,
            ..Source::once(vec![input], self.host.clone())
        };
        // Batches are full before they leave, whatever the disk needs for them.
        let bytes = batch_bytes;
        let batch =
            BatchSettings { bytes, flush_interval: Period(NEVER), ..BatchSettings::default() };
        Reading::start(source, &batch, turn)
    }
}
