//! What the process tells of its embedded store.

use std::path::PathBuf;

use omphalos_common::telemetry::{encode_counter, encode_gauge};
use omphalos_store::attempt::caught_panics;
use omphalos_store::catalog::damaged_indices;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

/// Those of the store in a directory, read when they are scraped.
#[derive(Debug)]
pub struct StoreFigures(pub PathBuf);

impl Collector for StoreFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let panics = ("panics", "Panics that refused a request to the store, or ended a merge");
        encode_counter(&mut encoder, panics, caught_panics())?;
        let damaged = ("indices_damaged", "Indices that are set aside because they are damaged");
        encode_gauge(&mut encoder, damaged, damaged_indices(&self.0).len() as u64)
    }
}
