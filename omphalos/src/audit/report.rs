//! What is printed: for people, and as JSON.

use std::io::{self, Write};
use std::path::Path;

use omphalos_common::clean::clean;
use omphalos_shipper::monitor::{Recalled, logical_path};
use serde_json::{Value, json};

use super::absent::State;
use super::file::Audited;
use super::findings::{MOST_RANGES, Range, Ranges};
use super::letters::{Group, Groups};
use super::repair::Repaired;

/// A reason is shown up to here; `omphalos dead show` has all of it.
const LONGEST_REASON: usize = 160;

/// One file, and all about it.
pub struct Outcome {
    /// Counts.
    pub audited: Audited,
    /// What is not there.
    pub ranges: Ranges,
    /// What became of it, if it was shipped.
    pub repaired: Repaired,
}

impl Outcome {
    /// How many documents are not there and not accounted for.
    pub fn missing(&self) -> u64 {
        self.ranges.missing.saturating_sub(self.repaired.found)
    }

    /// Whether everything is there that can be.
    pub fn is_whole(&self) -> bool {
        self.missing() == 0 && !self.audited.is_cut
    }

    fn dead(&self) -> u64 {
        self.ranges.dead.values().sum()
    }

    /// Prints it for people.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn write(&self, out: &mut impl Write, groups: &Groups) -> io::Result<()> {
        let Self { audited, ranges, .. } = self;
        let (path, called) = (&audited.target.path, &audited.target.called);
        write!(out, "{}", clean(&path.display().to_string()))?;
        if path != called {
            write!(out, " as {}", clean(&called.display().to_string()))?;
        }
        writeln!(out)?;
        let mut count = |name: &str, number: u64, more: &str| {
            writeln!(out, "  {name:<14}{:>13}{more}", grouped(number))
        };
        count("lines", audited.lines, "")?;
        if audited.documents != audited.lines {
            count("documents", audited.documents, "")?;
        }
        if audited.dropped > 0 {
            count("left out", audited.dropped, "   by steps")?;
        }
        count("found", audited.found, "")?;
        if ranges.undelivered > 0 {
            let to = audited.target.recalled.as_ref().map_or(0, Recalled::delivered_to);
            let more = format!("   behind the shipper's checkpoint, byte {}", grouped(to));
            count("not delivered", ranges.undelivered, &more)?;
        }
        for (group, number) in &ranges.dead {
            let reason = groups.get(*group).map(shown).unwrap_or_default();
            count("dead-lettered", *number, &format!("   {reason}"))?;
        }
        count("missing", ranges.missing, "")?;
        for range in &ranges.listed {
            write_range(out, range)?;
        }
        if ranges.unlisted > 0 {
            let unlisted = grouped(ranges.unlisted);
            writeln!(out, "  and {unlisted} documents more; only {MOST_RANGES} ranges are listed")?;
        }
        if audited.is_cut {
            writeln!(out, "  not all of the file could be read, see above")?;
        }
        self.write_stranger(out)
    }

    fn write_stranger(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(stranger) = &self.audited.stranger else { return Ok(()) };
        let Audited { target, .. } = &self.audited;
        // Where all else is the same it is the key.
        let is_ours = stranger.host == target.host.id
            && logical_path(Path::new(&stranger.path)) == logical_path(&target.called);
        let question = if is_ours {
            "is --id-key-file that which its shipper has? Are --logical-path and --parser those that the file was shipped with?"
        } else {
            "are --as, --host-id, --logical-path, --parser and --id-key-file those that the file was shipped with?"
        };
        writeln!(
            out,
            "  none was found, but Elasticsearch has lines of the same times at the same places of {} from the host {}:\n  {question}",
            clean(&stranger.path),
            clean(&stranger.host)
        )
    }

    /// The same as JSON.
    pub fn to_json(&self, groups: &Groups) -> Value {
        let Self { audited, ranges, repaired } = self;
        let listed = ranges.listed.iter().map(|range| range_json(range, groups));
        let dead = ranges.dead.iter().map(|(group, number)| {
            let Group { status, kind, reason } =
                groups.get(*group).cloned().unwrap_or_else(Group::unknown);
            let example = groups.example(*group);
            json!({
                "status": status,
                "type": kind,
                "reason": reason,
                "example": example,
                "documents": number,
            })
        });
        json!({
            "file": audited.target.path.to_string_lossy(),
            "as": audited.target.called.to_string_lossy(),
            "id_version": audited.ids.version(),
            "id_key": audited.ids.key(),
            "lines": audited.lines,
            "documents": audited.documents,
            "left_out": audited.dropped,
            "found": audited.found,
            "not_delivered": ranges.undelivered,
            "dead_lettered": self.dead(),
            "dead_letters": dead.collect::<Vec<_>>(),
            "missing": self.missing(),
            "shipped": repaired.shipped,
            "repaired": repaired.found,
            "is_cut": audited.is_cut,
            "under_other_ids": audited.stranger.as_ref().map(|one| {
                json!({ "path": one.path, "host": one.host })
            }),
            "ranges": listed.collect::<Vec<_>>(),
            "documents_not_listed": ranges.unlisted,
        })
    }
}

/// The sum of several files.
///
/// # Errors
/// When nobody reads it.
pub fn write_total(out: &mut impl Write, outcomes: &[Outcome]) -> io::Result<()> {
    let sum = |count: fn(&Outcome) -> u64| grouped(outcomes.iter().map(count).sum());
    writeln!(
        out,
        "total of {} files: {} lines, {} documents: {} found, {} not delivered, {} dead-lettered, {} missing",
        outcomes.len(),
        sum(|one| one.audited.lines),
        sum(|one| one.audited.documents),
        sum(|one| one.audited.found),
        sum(|one| one.ranges.undelivered),
        sum(Outcome::dead),
        sum(|one| one.ranges.missing),
    )
}

fn write_range(out: &mut impl Write, range: &Range) -> io::Result<()> {
    let what = match range.state {
        State::Missing => "missing",
        State::Undelivered => "not delivered",
        State::Dead(_) => "dead-lettered",
    };
    let (count, lines) = match range.lines {
        Some(lines) if lines.first == lines.last => (1, grouped(lines.first)),
        Some(lines) => (
            lines.last - lines.first + 1,
            format!("{}-{}", grouped(lines.first), grouped(lines.last)),
        ),
        None => (range.documents, "not there any more".to_owned()),
    };
    let unit = if count == 1 { "line " } else { "lines" };
    let documents = match range.documents {
        number if number == count => String::new(),
        number => format!("   {} documents", grouped(number)),
    };
    writeln!(
        out,
        "    {what:<14}{:>11} {unit}   {lines:<21}   bytes {}-{}{documents}",
        grouped(count),
        grouped(range.start),
        grouped(range.end)
    )
}

fn range_json(range: &Range, groups: &Groups) -> Value {
    let (state, group) = match range.state {
        State::Missing => ("missing", None),
        State::Undelivered => ("not_delivered", None),
        State::Dead(group) => ("dead_lettered", groups.get(group)),
    };
    json!({
        "state": state,
        "documents": range.documents,
        "first_line": range.lines.map(|lines| lines.first),
        "last_line": range.lines.map(|lines| lines.last),
        "start": range.start,
        "end": range.end,
        "type": group.map(|group| &group.kind),
        "reason": group.map(|group| &group.reason),
    })
}

/// A group in one line.
fn shown(group: &Group) -> String {
    let Group { status, kind, reason } = group;
    let (status, kind, reason) = (clean(status), clean(kind), clean(reason));
    if reason.is_empty() {
        return format!("{status} {kind}");
    }
    let mut short: String = reason.chars().take(LONGEST_REASON).collect();
    if short.len() < reason.len() {
        short.push('…');
    }
    format!("{status} {kind}: {short}")
}

/// A number as people write it.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use omphalos_shipper::monitor::Lines;

    #[test]
    fn numbers_are_grouped() {
        let all = [0, 7, 999, 1_000, 219_034, 10_000_000];
        assert_eq!(all.map(grouped), ["0", "7", "999", "1,000", "219,034", "10,000,000"]);
    }

    #[test]
    fn a_range_says_lines_and_bytes() {
        let range = |documents, lines| Range {
            state: State::Missing,
            documents,
            start: 219_034,
            last: 219_034,
            end: 221_560,
            lines,
        };
        let written = |range: &Range| {
            let mut out = Vec::new();
            write_range(&mut out, range).unwrap();
            String::from_utf8(out).unwrap()
        };
        let lines = |first, last| Some(Lines { first, last, end: 221_560 });
        assert_eq!(
            written(&range(12, lines(1041, 1052))),
            "    missing                12 lines   1,041-1,052             bytes 219,034-221,560\n"
        );
        assert!(written(&range(1, lines(5, 5))).contains(" 1 line    5  "));
        assert!(written(&range(2, lines(5, 9))).ends_with("bytes 219,034-221,560   2 documents\n"));
        assert!(written(&range(2, None)).contains("2 lines   not there any more"));
    }
}
