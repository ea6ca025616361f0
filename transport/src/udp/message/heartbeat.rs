//! The body of a heartbeat's datagram: one document, compressed with the same dictionary.
//!
//! ```text
//! 0  1  version of the dictionary
//! 1  4  length of the document
//! 5     the document as one zstd frame
//! ```
//!
//! It goes in one datagram or not at all, so where a path carries less it lists less.

use std::io;

use omphalos_common::heartbeat::Heartbeat;

use super::open::bad_header;
use super::{DICTIONARY_VERSION, Opener, Packer};
use crate::wire::WireError;

/// The longest document, in bytes; those of our own are shorter.
const MAX_HEARTBEAT: usize = 64 * 1024;

impl Packer {
    /// The body for this heartbeat, a JSON document, in at most `room` bytes; `None` when it does not fit
    /// however little it lists.
    ///
    /// # Errors
    /// When zstd fails, or the document is no heartbeat.
    pub fn pack_heartbeat(&mut self, document: &[u8], room: usize) -> io::Result<Option<Vec<u8>>> {
        let mut body = self.pack_document(document)?;
        if body.len() <= room {
            return Ok(Some(body));
        }
        let mut heartbeat: Heartbeat = serde_json::from_slice(document)?;
        while body.len() > room {
            if !heartbeat.shorten() {
                return Ok(None);
            }
            body = self.pack_document(&serde_json::to_vec(&heartbeat)?)?;
        }
        Ok(Some(body))
    }

    fn pack_document(&mut self, document: &[u8]) -> io::Result<Vec<u8>> {
        let length = u32::try_from(document.len()).map_err(io::Error::other)?;
        let mut body = vec![DICTIONARY_VERSION];
        body.extend_from_slice(&length.to_be_bytes());
        body.extend(self.compressor.compress(document)?);
        Ok(body)
    }
}

impl Opener {
    /// The document of a heartbeat, which nobody has looked into.
    ///
    /// # Errors
    /// When it is not what it says.
    pub fn open_heartbeat(&mut self, body: &[u8]) -> Result<Vec<u8>, WireError> {
        let short = || bad_header("the heartbeat is too short".to_owned());
        let (_, rest) = body.split_first().ok_or_else(short)?;
        let (length, frame) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_HEARTBEAT {
            return Err(WireError::TooLarge { limit: MAX_HEARTBEAT });
        }
        self.decompress(frame, length)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use omphalos_common::heartbeat::{Host, Input, Maker, Now, Service};
    use proptest::prelude::*;

    use super::*;

    /// A heartbeat with so many inputs and problems, which are hard to compress.
    fn heartbeat(inputs: u64, problems: u64) -> Vec<u8> {
        let noise = |seed: u64| {
            let factor = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
            format!("{:032x}", u128::from(seed + 1).wrapping_mul(factor))
        };
        let input =
            |at| Input { path: format!("/var/log/{}", noise(at)), lag_bytes: at, lag_seconds: 0.0 };
        let now = Now {
            inputs: (0..inputs).map(input).collect(),
            problems: (0..problems).map(noise).collect(),
            ..Now::default()
        };
        let host = Host { name: "web1".to_owned(), id: None };
        let service = Service { name: "omphalos-shipper".to_owned(), version: "1".to_owned() };
        let mut maker = Maker::new(host, service, "", Duration::from_secs(30));
        maker.make(now).to_json().unwrap()
    }

    fn opened(body: &[u8]) -> Heartbeat {
        let document = Opener::new().unwrap().open_heartbeat(body).unwrap();
        serde_json::from_slice(&document).unwrap()
    }

    #[test]
    fn what_fits_is_opened_as_it_was_and_what_does_not_lists_less() {
        let mut packer = Packer::new("web1", 1).unwrap();
        let document = heartbeat(100, 16);
        let body = packer.pack_heartbeat(&document, 60_000).unwrap().unwrap();
        let whole = opened(&body);
        assert_eq!(serde_json::to_vec(&whole).unwrap(), document);
        let body = packer.pack_heartbeat(&document, 1_400).unwrap().unwrap();
        assert!(body.len() <= 1_400, "{}", body.len());
        let short = opened(&body).omphalos.heartbeat;
        assert_eq!((short.inputs_total, short.lag_bytes), (100, (0..100).sum()));
        let furthest = whole.omphalos.heartbeat.inputs.iter().zip(&short.inputs);
        assert!(furthest.clone().all(|(one, other)| one == other));
        assert!(!short.problems.is_empty(), "it would say that all is well");
        // A usual one loses nothing on the narrowest path.
        let usual = packer.pack_heartbeat(&heartbeat(4, 1), 1_190).unwrap().unwrap();
        assert_eq!(opened(&usual).omphalos.heartbeat.inputs.len(), 4);
        assert_eq!(packer.pack_heartbeat(&document, 100).unwrap(), None);
        assert!(packer.pack_heartbeat(b"{}", 1).is_err(), "it is no heartbeat");
    }

    #[test]
    fn a_heartbeat_that_unpacks_to_more_than_it_says_or_may_is_refused() {
        let mut packer = Packer::new("web1", 1).unwrap();
        let mut body = packer.pack_heartbeat(&heartbeat(3, 0), 60_000).unwrap().unwrap();
        let mut refused = |length: u32| {
            body[1..5].copy_from_slice(&length.to_be_bytes());
            Opener::new().unwrap().open_heartbeat(&body).unwrap_err()
        };
        assert_eq!(refused(100).kind(), "bad_compression");
        assert_eq!(refused(u32::MAX), WireError::TooLarge { limit: MAX_HEARTBEAT });
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(document) = Opener::new().unwrap().open_heartbeat(&bytes) {
                prop_assert!(document.len() <= MAX_HEARTBEAT);
            }
        }
    }
}
