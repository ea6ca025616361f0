//! What comes to a UDP receiver: datagrams of anybody, sealed or not, and what is made of them.

use std::sync::LazyLock;
use std::time::Duration;

use omphalos_transport::udp::fuzzing::{Account, datagram};
use omphalos_transport::udp::{Keys, Ledger, Opener, RecordReader};

use super::wire;

static KEYS: LazyLock<Keys> =
    LazyLock::new(|| Keys::parse(&format!("3 {}\n", "ab".repeat(32))).expect("a key"));

/// The first byte says whether there is a key; then come datagrams: kind, stream, number, length, body.
pub fn run(data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else { return };
    let keys = (first & 1 == 1).then_some(&*KEYS);
    if first & 2 == 2 {
        open(rest);
    }
    let mut account = Account::default();
    while let Some((&[kind, stream, high, low, length], behind)) = rest.split_first_chunk() {
        let (body, behind) = behind.split_at(usize::from(length).min(behind.len()));
        rest = behind;
        if kind & 0x40 != 0 {
            account.wait(Duration::from_millis(u64::from(length) * u64::from(low)));
        }
        let mut bytes = if kind & 0x80 != 0 {
            body.to_vec()
        } else {
            // Near zero, and as far away as a number can be.
            let number = u64::from(u16::from_be_bytes([high & 0x0F, low]));
            let number = if high & 0x10 != 0 { number << 48 } else { number };
            let number = if high & 0x20 != 0 { u64::MAX - number } else { number };
            datagram(keys, kind, (u64::from(stream % 4), number), body)
        };
        if high & 0x80 != 0 {
            let place = usize::from(low) % bytes.len().max(1);
            bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= stream | 1);
        }
        // Refused or taken.
        account.take(keys, &mut bytes).ok();
    }
    check(&account.ledger());
    check_records(&account);
}

/// A message or a heartbeat as it stands in a record.
fn open(message: &[u8]) {
    let Some((documents, message)) = message.split_first() else { return };
    let mut opener = Opener::new().expect("memory");
    // Refused or opened.
    opener.open_heartbeat(message).ok();
    for in_pieces in [false, true] {
        if let Ok(content) = opener.open(usize::from(*documents), message, in_pieces) {
            wire::check(&content.parcel, false);
        }
    }
}

/// Each number of a stream is counted once.
pub fn check(ledger: &Ledger) {
    for stream in &ledger.streams {
        let counts = &stream.counts;
        let came = counts.received + counts.repaired() + counts.late;
        let numbers = came + stream.missing + counts.lost();
        assert_eq!(stream.next.wrapping_sub(stream.first), numbers, "{stream:?}");
    }
}

/// What would be in the spool is read, and an account can be made of it.
fn check_records(account: &Account) {
    let mut reader = RecordReader::new(None, "external").expect("memory");
    let mut again = Account::default();
    for (number, record) in account.records().enumerate() {
        if let Some(content) = reader.read(number as u64, record) {
            wire::check(&content.parcel, false);
        }
        again.recover(record);
    }
    check(&again.ledger());
    check(&Account::restored(again.ledger()).ledger());
}
