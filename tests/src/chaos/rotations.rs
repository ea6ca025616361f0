//! Restarts of a shipper in the middle of the rotation of many logs.

use std::time::Duration;

use super::faults::{Fault, Part};
use super::scene::Scene;
use super::site::Site;

/// The host with many logs.
const MANY: (Part, usize) = (Part::Shipper, 1);
/// At most so long after the start of the shipper the rotation begins: it looks for its files
/// meanwhile, compares them, and opens them.
const LATEST: Duration = Duration::from_millis(300);

/// What can happen to it.
pub fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            "shipper stopped, and started while 300 files are rotated",
            MANY,
            |scene, _| {
                let site = site_with_many_logs(scene);
                site.wait_until_remembered();
                site.shipper.stop();
            },
            |scene, _| start_amid_rotation(site_with_many_logs(scene)),
        ),
        Fault::new(
            "shipper killed with -9, and started while 300 files are rotated",
            MANY,
            |scene, _| {
                let site = site_with_many_logs(scene);
                site.wait_until_remembered();
                site.shipper.kill();
            },
            |scene, _| start_amid_rotation(site_with_many_logs(scene)),
        ),
    ]
}

fn site_with_many_logs(scene: &mut Scene) -> &mut Site {
    let mut sites = scene.sites.iter_mut();
    sites.find(|site| site.writer.has_many_logs()).expect("a site with many logs")
}

fn start_amid_rotation(site: &mut Site) {
    let Site { writer, shipper, .. } = site;
    writer.with_many_logs(|logs| {
        logs.append_to_each();
        shipper.restart();
        logs.pause(LATEST);
        logs.rotate();
    });
}
