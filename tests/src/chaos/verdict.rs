//! The end: every line once, in Elasticsearch or among the dead letters; and nothing that grew.

use std::collections::BTreeSet;
use std::path::Path;

use super::report::Report;
use super::scene::Scene;
use super::{INDEXER_MEMORY, LOG_LINES_EACH, MORE_DESCRIPTORS, SHIPPER_MEMORY};

/// Judges everything, and notes what was found.
pub fn judge(scene: &mut Scene, report: &mut Report) {
    scene.sites.iter().for_each(|site| site.writer.pause());
    judge_lines(scene, report);
    scene.look();
    let faults: usize = report.recoveries.values().map(Vec::len).sum();
    let most_lines = LOG_LINES_EACH * (faults as u64 + 1);
    report.duplicates =
        scene.desks.iter().map(|desk| desk.indexer.ever("documents_duplicate")).sum();
    for worker in scene.workers() {
        let name = worker.name.clone();
        let before = report.descriptors.get(&name).map_or(0, |(before, _)| *before);
        report.descriptors.insert(name.clone(), (before, worker.descriptors));
        report.peaks.insert(name.clone(), worker.peak);
        let lines = worker.log_lines();
        report.log_lines.insert(name.clone(), lines);
        let most_memory = if name.starts_with("indexer") { INDEXER_MEMORY } else { SHIPPER_MEMORY };
        assert!(worker.peak < most_memory, "{name} had {} bytes of memory", worker.peak);
        let after = worker.descriptors;
        assert!(after < before + MORE_DESCRIPTORS, "{name}: {before} descriptors, then {after}");
        assert!(lines < most_lines, "{name}: {lines} lines of log in {faults} faults");
    }
}

fn judge_lines(scene: &mut Scene, report: &mut Report) {
    let dead = scene.dead_letters();
    let documents = scene.elastic().documents(&["url.query", "log.file.path"]);
    report.documents = documents.len() as u64;
    report.dead = dead.len() as u64;
    for site in &scene.sites {
        let written = site.writer.written();
        report.lines += written;
        let mut times = vec![0u32; usize::try_from(written).expect("a number of lines")];
        for (id, document) in &documents {
            let path = document["log"]["file"]["path"].as_str().expect("a path");
            if Path::new(path).parent() == Some(&site.logs) {
                let query = document["url"]["query"].as_str().expect("a query");
                let number = query.strip_prefix("n=").and_then(|text| text.parse::<usize>().ok());
                let number = number.unwrap_or_else(|| panic!("document {id} has {query}"));
                times[number] += 1;
            }
        }
        let refused: BTreeSet<u64> = site.writer.refused().into_iter().collect();
        let name = &site.shipper.name;
        for (number, times) in (0u64..).zip(times) {
            let is_dead = dead.contains(&(site.logs.clone(), number));
            assert_eq!(is_dead, refused.contains(&number), "{name}, line {number}: a dead letter");
            let expected = u32::from(!is_dead);
            assert_eq!(times, expected, "{name}, line {number}: how often it is a document");
        }
    }
}
