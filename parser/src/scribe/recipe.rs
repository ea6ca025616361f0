//! What the settings of a `[[monitor]]` table say about lines and documents, checked.

use std::sync::Arc;

use super::assemble::Assembler;
use super::charset::{Charset, EncodingSetting};
use super::container::Container;
use super::directives::Directives;
use super::multiline::Rule;
use super::{Counts, Scribe, pod};
use crate::steps::Steps;
use crate::steps::own::OwnFields;
use crate::{Format, Frame, List, ModuleKind};

/// How the lines of files become documents.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The format of the lines.
    pub format: Format,
    /// `event.dataset`.
    pub dataset: String,
    /// How characters are written.
    pub encoding: EncodingSetting,
    /// What is wrapped around lines.
    pub container: Container,
    /// Which lines make one event.
    pub multiline: Option<Rule>,
    /// Whether to keep `event.original`.
    pub keep_original: bool,
    /// Where lines are cut, in bytes of their text.
    pub max_line_bytes: usize,
    /// What is added to documents, and done with them.
    pub finish: Finish,
}

/// What is added to documents, and done with them before they leave.
#[derive(Debug, Clone, Default)]
pub struct Finish {
    /// Which module of Elastic's the documents are for.
    pub module: Option<ModuleKind>,
    /// What the operator adds to all documents.
    pub own_fields: Option<Arc<OwnFields>>,
    /// What is done with them.
    pub steps: Option<Arc<Steps>>,
}

/// Who ships a file, and what it is called: the same in all its documents.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// `host.name`.
    pub host_name: &'a str,
    /// `host.id`.
    pub host_id: &'a str,
    /// `log.file.path`.
    pub path: &'a [u8],
}

impl Recipe {
    /// The scribe of one file.
    pub fn scribe<M: Copy>(&self, origin: Origin<'_>) -> Scribe<M> {
        let multiline = self.multiline.clone();
        let frame = Frame::new(&self.dataset, origin, self.keep_original)
            .finished_by(self.finish_of(origin));
        Scribe {
            counts: Counts::default(),
            encoding: self.encoding,
            charset: Charset::default(),
            most_bytes: self.max_line_bytes,
            assembler: Assembler::new(self.container, multiline, self.max_line_bytes),
            parser: self.format.parser(),
            directives: Directives::default(),
            list: List::default(),
            frame,
            written: None,
        }
    }

    /// What is added to the documents of a file: of a container, also what its path says.
    fn finish_of(&self, origin: Origin<'_>) -> Finish {
        let mut finish = self.finish.clone();
        if self.container != Container::None {
            finish.own_fields = OwnFields::beside(finish.own_fields, pod::fields(origin.path));
        }
        finish
    }
}
