//! Documents that came together, whichever way.

use omphalos_live::DocumentReader;
use omphalos_transport::wire::Parcel;

use crate::top::counter::Counter;

/// Shows the heartbeats of a message to the rules that are about such.
pub fn show_heartbeats(parcel: &Parcel, reader: &mut DocumentReader, counter: &Counter) {
    for document in &parcel.documents {
        let range = document.start as usize..document.end as usize;
        if let Some(Ok(read)) = parcel.text.get(range).map(|text| reader.read(text)) {
            counter.take_heartbeat(&read.hit());
        }
    }
}

/// Counts the documents of a message; how many of them are lines that were not understood.
pub fn count(parcel: &Parcel, reader: &mut DocumentReader, counter: &Counter) -> u64 {
    let mut failures = 0;
    for document in &parcel.documents {
        let range = document.start as usize..document.end as usize;
        let Some(Ok(read)) = parcel.text.get(range).map(|text| reader.read(text)) else {
            failures += 1;
            continue;
        };
        let hit = read.hit();
        let tags = hit.others.field("tags");
        failures += u64::from(tags.is_some_and(|tags| tags.as_ref() == b"parse_failure"));
        counter.take(&hit);
    }
    failures
}
