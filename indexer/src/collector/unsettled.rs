//! Why documents were left without a final verdict.

/// Documents have no final verdict, and their deliveries must not be acknowledged.
#[derive(thiserror::Error, Debug)]
pub enum Unsettled {
    /// A dead letter was given up, because the process is ending.
    #[error("a dead letter could not be stored before the end; its delivery comes again")]
    Ending,
    /// Something that this program relies on is not so. Going on could lose or repeat a line, so
    /// the pipeline ends with it.
    #[error(
        "{0}; this is a fault of the indexer, which ends here rather than lose a line: whatever has no answer comes again. Please report it"
    )]
    Broken(String),
}

impl Unsettled {
    /// What is not so, and what was relied on.
    pub fn broken(what: impl Into<String>) -> Self {
        Self::Broken(what.into())
    }
}
