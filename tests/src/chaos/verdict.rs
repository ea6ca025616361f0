//! The end: every line once, in Elasticsearch or among the dead letters; and nothing that grew.

use std::path::Path;

use super::bounds::Bounds;
use super::lines;
use super::report::Report;
use super::scene::Scene;
use super::worker::Worker;

/// Judges everything, and notes what was found.
pub fn judge(scene: &mut Scene, report: &mut Report) {
    scene.sites.iter().for_each(|site| site.writer.pause());
    judge_lines(scene, report);
    scene.look();
    let faults: usize = report.recoveries.values().map(Vec::len).sum();
    report.duplicates =
        scene.desks.iter().map(|desk| desk.indexer.ever("documents_duplicate")).sum();
    for site in &scene.sites {
        judge_process(&site.shipper, &Bounds::of_shipper(site, faults), report);
    }
    for desk in &scene.desks {
        judge_process(&desk.indexer, &Bounds::of_indexer(faults), report);
    }
}

fn judge_process(worker: &Worker, bounds: &Bounds, report: &mut Report) {
    let Worker { name, peak, descriptors: after, .. } = worker;
    let before = report.descriptors.get(name).map_or(0, |(before, _)| *before);
    report.descriptors.insert(name.clone(), (before, *after));
    report.peaks.insert(name.clone(), *peak);
    let lines = worker.log_lines();
    report.log_lines.insert(name.clone(), lines);
    assert!(*peak < bounds.memory, "{name} had {peak} bytes of memory: {bounds:?}");
    let is_bounded = *after < before + bounds.more_descriptors;
    assert!(is_bounded, "{name}: {before} descriptors, then {after}: {bounds:?}");
    assert!(lines < bounds.log_lines, "{name}: {lines} lines of log: {bounds:?}");
}

fn judge_lines(scene: &mut Scene, report: &mut Report) {
    let dead = scene.dead_letters();
    let documents = scene.elastic().documents(&lines::FIELDS);
    report.documents = documents.len() as u64;
    report.dead = dead.len() as u64;
    let mut wrong = Vec::new();
    for site in &scene.sites {
        let written = site.writer.written();
        report.lines += written;
        let mut times = vec![0u32; usize::try_from(written).expect("a number of lines")];
        for (id, document) in &documents {
            let path = document["log"]["file"]["path"].as_str().expect("a path");
            if Path::new(path).parent() == Some(&site.logs) {
                let number = lines::number_of(document).and_then(|n| usize::try_from(n).ok());
                let number = number.unwrap_or_else(|| panic!("document {id} is {document}"));
                times[number] += 1;
            }
        }
        let name = &site.shipper.name;
        for (number, times) in (0u64..).zip(times) {
            let is_dead = dead.contains(&(site.logs.clone(), number));
            assert!(!is_dead, "{name}, line {number}: a dead letter");
            if times != 1 {
                wrong.push(format!("{name}, line {number}: {times} times"));
            }
        }
    }
    let some = wrong.get(..20).unwrap_or(&wrong);
    assert!(wrong.is_empty(), "{} lines are not there once, such as {some:?}", wrong.len());
}
