//! For `fuzz/` and the replay of its inputs: what is read of a server's replies. Nothing of the
//! product uses it.

use bytes::Bytes;

use crate::collector::{Filing, Placed, Verdict, second_form, verdicts};
use crate::elasticsearch::{Problem, request_problem};

/// How many documents were taken, and what is said of the others, by the reply `body` to so many;
/// `None` where it is no such reply.
pub fn bulk_reply(body: &[u8], documents: usize) -> Option<(usize, Vec<Problem>)> {
    let verdicts = verdicts(body, documents).ok()?;
    let all = verdicts.len();
    let problems = verdicts.into_iter().filter_map(|verdict| match verdict {
        Verdict::Created | Verdict::Duplicate => None,
        Verdict::Retry(problem)
        | Verdict::Hold(problem)
        | Verdict::NoShard(problem)
        | Verdict::Refused(problem) => Some(*problem),
    });
    let problems: Vec<Problem> = problems.collect();
    Some((all - problems.len(), problems))
}

/// What the body of a refused request says.
pub fn refusal(status: u16, body: &[u8]) -> Problem {
    request_problem(status, body)
}

/// The form in which a refused document is sent once more.
pub fn again(document: &[u8], problem: &Problem, filing: &Filing) -> Option<Vec<u8>> {
    let body = Bytes::copy_from_slice(document);
    second_form(&Placed { delivery: 1, filing, id: "x", body, original: None }, problem)
}
