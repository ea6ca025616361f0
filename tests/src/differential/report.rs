//! How many requests agree, are refused and differ, and which.

use std::collections::BTreeMap;
use std::fmt;

use super::compare::Verdict;
use super::requests::Request;

/// So many requests of those that differ alike are shown.
const SHOWN: usize = 2;

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    counts: BTreeMap<&'static str, [u64; 3]>,
    /// By kind and reason without what stands in brackets: how often, and requests.
    refused: BTreeMap<String, (u64, Vec<String>)>,
    differing: BTreeMap<String, (u64, Vec<String>)>,
}

impl Report {
    /// Counts a verdict; `how` describes what was asked where it is more than a request.
    pub fn add(&mut self, kind: &'static str, verdict: &Verdict, request: &Request, how: &str) {
        let counts = self.counts.entry(kind).or_default();
        let (place, kept, reason) = match verdict {
            Verdict::Agrees => {
                counts[0] += 1;
                return;
            }
            Verdict::Refused(reason) => (1, &mut self.refused, reason),
            Verdict::Differs(reason) => (2, &mut self.differing, reason),
        };
        counts[place] += 1;
        let (number, shown) = kept.entry(format!("{kind}: {}", alike(reason))).or_default();
        *number += 1;
        if shown.len() < SHOWN {
            shown.push(format!("{reason}\n      {}{how}", curl(request)));
        }
    }

    /// What differs, without what agrees or is refused: how often, and requests.
    pub fn differences(&self) -> String {
        let lines = self.differing.iter().map(|(reason, (number, shown))| {
            format!("DIFFER {number} times: {reason}\n    {}\n", shown.join("\n    "))
        });
        lines.collect()
    }

    /// How many agree, are refused, and differ.
    pub fn sums(&self) -> [u64; 3] {
        self.counts.values().fold([0; 3], |sum, counts| std::array::from_fn(|n| sum[n] + counts[n]))
    }
}

/// A reason without what stands in it of one request.
fn alike(reason: &str) -> String {
    let mut text = String::new();
    let mut depth = 0_usize;
    for c in reason.chars() {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match c {
            '[' | '(' | '{' if depth == 1 => text.push(c),
            _ if depth > 0 => {}
            c if c.is_ascii_digit() => {
                if !text.ends_with('#') {
                    text.push('#');
                }
            }
            c => text.push(c),
        }
    }
    text.chars().take(90).collect()
}

/// A request as it is typed.
fn curl(request: &Request) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut line = format!("curl -X{} \"$URL\"/{}", request.method, quoted(&request.path));
    if !request.body.is_empty() {
        let kind = if request.path.contains("_bulk") { "x-ndjson" } else { "json" };
        line += " -H 'Content-Type: application/";
        line += kind;
        line += "' --data-binary ";
        line += &quoted(&request.body);
    }
    line
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |formatter: &mut fmt::Formatter<'_>,
                    title: &str,
                    of: &BTreeMap<String, (u64, Vec<String>)>| {
            let mut sorted: Vec<_> = of.iter().collect();
            sorted.sort_by_key(|(_, (number, _))| std::cmp::Reverse(*number));
            for (reason, (number, shown)) in sorted {
                writeln!(formatter, "{title} {number} times: {reason}")?;
                for request in shown {
                    writeln!(formatter, "    {request}")?;
                }
            }
            Ok(())
        };
        list(formatter, "refused", &self.refused)?;
        list(formatter, "DIFFER", &self.differing)?;
        writeln!(formatter, "{:<14}{:>9}{:>9}{:>9}", "", "agree", "refused", "differ")?;
        let sums = ("all", self.sums());
        for (kind, [agree, refused, differ]) in
            self.counts.iter().map(|(kind, counts)| (*kind, *counts)).chain([sums])
        {
            writeln!(formatter, "{kind:<14}{agree:>9}{refused:>9}{differ:>9}")?;
        }
        Ok(())
    }
}
