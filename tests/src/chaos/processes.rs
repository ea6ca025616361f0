//! The plugs of shippers and indexers.

use std::time::Duration;

use super::faults::{Fault, INDEXERS, SHIPPERS, SHIPPERS_OF_TIMED_LINES};

const HOUR: Duration = Duration::from_hours(1);

/// What can happen to shippers and indexers.
pub fn faults() -> Vec<Fault> {
    let mut faults = shippers();
    faults.extend(indexers());
    faults
}

fn shippers() -> Vec<Fault> {
    vec![
        Fault::new(
            "shipper killed with -9",
            SHIPPERS,
            |scene, n| scene.sites[n].shipper.kill(),
            |scene, n| scene.sites[n].shipper.restart(),
        ),
        Fault::new(
            "shipper stopped",
            SHIPPERS,
            |scene, n| scene.sites[n].shipper.stop(),
            |scene, n| scene.sites[n].shipper.restart(),
        ),
        Fault::new(
            "shipper suspended",
            SHIPPERS,
            |scene, n| scene.sites[n].shipper.suspend(),
            |scene, n| scene.sites[n].shipper.resume(),
        ),
        Fault::new(
            "shipper killed with -9, its checkpoint deleted",
            SHIPPERS_OF_TIMED_LINES,
            |scene, n| {
                scene.sites[n].shipper.kill();
                for file in std::fs::read_dir(&scene.sites[n].state).expect("a directory").flatten()
                {
                    std::fs::remove_file(file.path()).ok();
                }
            },
            |scene, n| scene.sites[n].shipper.restart(),
        ),
        Fault::new(
            "clock of a shipper an hour ahead, then right again",
            SHIPPERS,
            |scene, n| scene.sites[n].clock.step_forwards(HOUR),
            |scene, n| scene.sites[n].clock.step_backwards(HOUR),
        ),
    ]
}

fn indexers() -> Vec<Fault> {
    vec![
        Fault::new(
            "indexer killed with -9",
            INDEXERS,
            |scene, n| scene.desks[n].indexer.kill(),
            |scene, n| scene.desks[n].indexer.restart(),
        ),
        Fault::new(
            "indexer stopped",
            INDEXERS,
            |scene, n| scene.desks[n].indexer.stop(),
            |scene, n| scene.desks[n].indexer.restart(),
        ),
        Fault::new(
            "indexer suspended",
            INDEXERS,
            |scene, n| scene.desks[n].indexer.suspend(),
            |scene, n| scene.desks[n].indexer.resume(),
        ),
        Fault::new(
            "clock of an indexer an hour behind, then right again",
            INDEXERS,
            |scene, n| scene.desks[n].clock.step_backwards(HOUR),
            |scene, n| scene.desks[n].clock.step_forwards(HOUR),
        ),
    ]
}
