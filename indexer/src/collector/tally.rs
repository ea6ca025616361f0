//! What the verdicts on a bulk come to: what is settled, what is sent again, what is refused, and when
//! sending again is hopeless.

use omphalos_common::telemetry::{Due, SharedRepeats};
use tracing::warn;

use super::Unsettled;
use super::bulk::{Bulk, BulkBuilder, Original, Placed};
use super::conflict::second_form;
use super::dead::Letter;
use super::reply::Verdict;
use crate::elasticsearch::{Problem, Room};

/// A document for which the server answers with an error of its own (500) so many times has a
/// part in that, and must not hold up all others for ever.
const MOST_SERVER_ERRORS: u32 = 10;

/// So often in a row a server has as many bytes on their way as the request has, and the request is all of them.
const MOST_COINCIDENCES: u32 = 3;

/// What a server counts for a document beside its text, in bytes; about 150, where that was measured.
const BESIDE_TEXT: usize = 512;

/// The verdicts of one reply, sorted by what they mean.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many are in the index now.
    pub created: u64,
    /// How many were there already.
    pub duplicate: u64,
    /// Places of the documents that have no final verdict.
    pub left: Vec<usize>,
    /// Whether the cluster asks for some of them again, later.
    pub has_retries: bool,
    /// Why the documents that are left cannot all be taken at once.
    pub too_large: Option<Problem>,
    /// What the cluster does not take before someone does something.
    pub held: Option<Problem>,
    /// Places of the documents whose index needs a shard that there is none of.
    pub without_shard: Vec<usize>,
    /// Why there is none.
    pub no_shard: Option<Problem>,
    /// What will never be taken.
    pub letters: Vec<Letter>,
    /// How many of the created have their fields as text.
    pub conflicting: u64,
    /// Documents that are to be sent once more, with their fields as text.
    pub as_text: Option<Bulk>,
}

impl Tally {
    /// Sorts the verdicts on the documents of a bulk, which was sent so often in a row.
    ///
    /// # Errors
    /// [`Unsettled`] when a document is not where the bulk says.
    pub fn of(bulk: &Bulk, verdicts: Vec<Verdict>, attempts: u32) -> Result<Self, Unsettled> {
        let mut tally = Self::default();
        let mut as_text = BulkBuilder::default();
        for (place, verdict) in verdicts.into_iter().enumerate() {
            match verdict {
                Verdict::Created => {
                    tally.created += 1;
                    if bulk.is_second_form(place) {
                        tally.conflicting += 1;
                        warn_of_conflict(&bulk.document(place)?);
                    }
                }
                Verdict::Duplicate => tally.duplicate += 1,
                Verdict::Retry(problem) if is_hopeless(&problem, attempts, bulk) => {
                    tally.letters.push(letter(bulk, place, *problem)?);
                }
                Verdict::Retry(problem) => {
                    if is_too_large(&problem, bulk) {
                        tally.too_large = Some(*problem);
                    }
                    tally.has_retries = true;
                    tally.left.push(place);
                }
                Verdict::Hold(problem) => {
                    tally.held = tally.held.or(Some(*problem));
                    tally.left.push(place);
                }
                Verdict::NoShard(problem) => {
                    tally.no_shard = tally.no_shard.or(Some(*problem));
                    tally.without_shard.push(place);
                }
                Verdict::Refused(problem) => {
                    let placed = bulk.document(place)?;
                    match second_form(&placed, &problem) {
                        Some(text) => as_text.push_again(&placed, &text, *problem),
                        None => tally.letters.push(letter(bulk, place, *problem)?),
                    }
                }
            }
        }
        tally.as_text = (as_text.documents() > 0).then(|| as_text.finish());
        Ok(tally)
    }
}

/// Whether a document that is to be sent again would be refused each time.
fn is_hopeless(problem: &Problem, attempts: u32, bulk: &Bulk) -> bool {
    match problem.status {
        500 => attempts >= MOST_SERVER_ERRORS,
        // Nothing but itself is beside it. That could be by chance.
        429 if bulk.documents() < 2 => match problem.room() {
            None => false,
            Some(Room::Never) => true,
            Some(Room::Beside(beside)) => {
                attempts >= MOST_COINCIDENCES
                    && beside.abs_diff(bulk.body().len() as u64) <= BESIDE_TEXT as u64
            }
        },
        _ => false,
    }
}

/// Whether the server may have no room for this request even while it has nothing else to do: it counts the
/// request where that comes in, and once more, as several times its size, where it is indexed.
pub fn is_too_large(problem: &Problem, bulk: &Bulk) -> bool {
    let own = bulk.body().len().saturating_add(bulk.documents().saturating_mul(BESIDE_TEXT));
    match problem.room() {
        None => false,
        Some(Room::Never) => true,
        Some(Room::Beside(beside)) => beside <= own as u64,
    }
}

/// The dead letter of a document.
///
/// # Errors
/// [`Unsettled`] when it is not where the bulk says.
pub fn letter(bulk: &Bulk, place: usize, problem: Problem) -> Result<Letter, Unsettled> {
    let placed = bulk.document(place)?;
    // What is kept, and may be replayed, is what came, and why that was refused.
    let (body, problem) = match placed.original {
        Some(Original { body, problem: first }) => {
            let reason = format!("{}; with its fields as text: {problem}", first.reason);
            (body.clone(), Problem { reason, ..first.clone() })
        }
        None => (placed.body, problem),
    };
    warn_once(&problem, placed.id);
    Ok(Letter {
        delivery: placed.delivery,
        filing: Some(placed.filing.clone()),
        id: Some(placed.id.to_owned()),
        body,
        problem,
    })
}

/// The first conflicts are worth a line each; the counter and the tag tell the rest. Only once the second
/// form is there: an index that takes no new fields may refuse that, too.
fn warn_of_conflict(placed: &Placed<'_>) {
    static CONFLICTS: SharedRepeats = SharedRepeats::new();
    let Some(Original { problem, .. }) = placed.original else { return };
    if let Some(Due { repeats }) = CONFLICTS.due() {
        warn!(
            id = placed.id,
            repeats,
            "a document does not fit the mapping and is indexed with its fields as text in message, tagged mapping_conflict: {}",
            problem.in_short()
        );
    }
}

/// The first refusals are worth a line each; the counters and the dead letters tell the rest.
fn warn_once(problem: &Problem, id: &str) {
    static REFUSALS: SharedRepeats = SharedRepeats::new();
    if let Some(Due { repeats }) = REFUSALS.due() {
        let problem = problem.in_short();
        warn!(id, repeats, "a document is refused and goes to the dead letters: {problem}");
    }
}
