//! Whether every line became one document, by the number that each line carries.

use std::collections::HashMap;

use serde_json::Value;

use crate::end::End;
use crate::progress::number;
use crate::scene::Scene;
use crate::story::Told;
use crate::writer::LINES;

/// Lines against documents.
pub struct Tally {
    documents: u64,
    missing: u64,
    twice: u64,
    duplicates: u64,
    seconds: f64,
}

/// Reads all documents back.
pub fn compare(scene: &Scene, told: &Told) -> Result<Tally, End> {
    let documents = scene.elastic.documents(&["url.query"]);
    let mut seen: HashMap<&str, u64> = HashMap::new();
    for (id, document) in &documents {
        let query = document.pointer("/url/query").and_then(Value::as_str);
        let query = query.ok_or_else(|| End::failed(id, "a document without url.query"))?;
        *seen.entry(query).or_default() += 1;
    }
    let is_seen = |line: &u64| seen.contains_key(format!("n={line:08}").as_str());
    Ok(Tally {
        documents: documents.len() as u64,
        missing: LINES - (0..LINES).filter(is_seen).count() as u64,
        twice: seen.values().filter(|times| **times > 1).count() as u64,
        duplicates: told.figures.duplicates,
        seconds: told.took.as_secs_f64(),
    })
}

impl Tally {
    /// Whether every line is one document.
    pub fn is_exact(&self) -> bool {
        self.documents == LINES && self.missing == 0 && self.twice == 0
    }

    /// Prints the table.
    pub fn print(&self) {
        println!();
        row("lines written", &number(LINES), "");
        row("documents in Elasticsearch", &number(self.documents), "");
        row("missing", &number(self.missing), "each line has a number");
        row("twice", &number(self.twice), "each line has a number");
        let why = "sent again after the kills, with the same ids";
        row("repeats refused", &number(self.duplicates), why);
        let what = "from the first line written until all were searchable";
        row("time", &format!("{:.1} s", self.seconds), what);
    }
}

fn row(what: &str, value: &str, note: &str) {
    println!("{}", format!("  {what:<28}{value:>9}   {note}").trim_end());
}
