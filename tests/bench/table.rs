//! The results, as they stand in the notes of an issue.

/// Rows of results.
#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    /// A ratio, with what it must not exceed (or must reach).
    pub fn ratio(&mut self, what: &str, found: f64, target: &str, details: &str) {
        self.row(what, &format!("{found:.2} ×"), target, details);
    }

    /// Any other figure.
    pub fn row(&mut self, what: &str, found: &str, target: &str, details: &str) {
        let row = [what, found, target, details].map(str::to_owned);
        println!("| {} |", row.join(" | "));
        self.rows.push(row);
    }

    /// Prints all rows.
    pub fn print(&self) {
        println!("\n| what | measured | must reach | in detail |\n| --- | --- | --- | --- |");
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        println!("load after: {}", load.trim());
    }
}
