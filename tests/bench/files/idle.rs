//! Files to which nothing happens.

use std::time::Duration;

use super::FILES;
use super::running::Running;
use crate::table::Table;

const TIME: Duration = Duration::from_secs(30);

/// Everything is read and remembered.
pub fn measure(running: &Running, table: &mut Table) {
    let (cpu, system) = running.cpu_over(TIME).in_percent();
    let (resident, peak) = running.memory();
    table.row(
        &format!("{FILES} idle files, CPU over {} s, of one core", TIME.as_secs()),
        &cpu,
        "< 0.5 %",
        &format!("of that {system}"),
    );
    table.row(
        &format!("{FILES} idle files, RSS"),
        &format!("{resident:.1} MiB"),
        "< 64 MiB",
        &format!("{:.1} KiB a file; peak {peak:.1} MiB", resident * 1024.0 / FILES as f64),
    );
    table.row(
        &format!("{FILES} idle files, open descriptors"),
        &running.descriptors().to_string(),
        "< 200",
        "",
    );
}
