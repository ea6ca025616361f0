//! The sender's side: gathers a group and makes its parity shards.

use std::time::Instant;

use reed_solomon_simd::{Error, ReedSolomonEncoder};

use super::{
    BODY_MAX_BYTES, GROUP_MAX_BYTES, GROUP_MAX_DATAGRAMS, ParityHeader, ParityShare,
    shard_bytes_of, write_shard,
};

/// The group that is being sent. Its memory is kept from one group to the next.
pub struct GroupWriter {
    share: ParityShare,
    /// Number of the first body and when it came; `None` while the group is empty.
    opening: Option<(u64, Instant)>,
    /// The bodies, one after another.
    bytes: Vec<u8>,
    /// Length of each body.
    lengths: Vec<usize>,
    /// Length of the longest shard so far.
    shard_bytes: usize,
    encoder: Option<ReedSolomonEncoder>,
    scratch: Vec<u8>,
}

impl GroupWriter {
    /// An empty group that will get this share of parity.
    pub fn new(share: ParityShare) -> Self {
        Self {
            share,
            opening: None,
            bytes: Vec::new(),
            lengths: Vec::new(),
            shard_bytes: 0,
            encoder: None,
            scratch: Vec::new(),
        }
    }

    /// Adds the body of data datagram `number`.
    ///
    /// False, and nothing added, when the group has no room for it or `number` does not follow the
    /// last one: finish the group and push again. An empty group refuses only a body that is not
    /// 1 to [`BODY_MAX_BYTES`] long.
    #[must_use = "a body that was refused has no parity"]
    pub fn push(&mut self, number: u64, body: &[u8]) -> bool {
        if !(1..=BODY_MAX_BYTES).contains(&body.len()) {
            return false;
        }
        let shard_bytes = self.shard_bytes.max(shard_bytes_of(body.len()));
        if !self.follows(number) || !self.has_room(shard_bytes) {
            return false;
        }
        self.opening.get_or_insert_with(|| (number, Instant::now()));
        self.shard_bytes = shard_bytes;
        self.lengths.push(body.len());
        self.bytes.extend_from_slice(body);
        true
    }

    /// Whether it is time to finish: 512 datagrams, or no room for another as long as the longest.
    pub fn is_full(&self) -> bool {
        !self.has_room(self.shard_bytes)
    }

    /// When the first body was pushed; `None` while the group is empty.
    pub fn opened(&self) -> Option<Instant> {
        self.opening.map(|(_, at)| at)
    }

    /// Ends the group: hands each of its parity shards to `emit`, and begins an empty one.
    pub fn finish(&mut self, emit: impl FnMut(&ParityHeader, &[u8])) {
        if let Some((first, _)) = self.opening.take() {
            let encoded = self.emit_parity(first, emit);
            // The counts and lengths that `push` lets in are ones that the encoder supports, so
            // this does not happen; it would cost the group its parity, not its data.
            debug_assert_eq!(encoded, Ok(()));
        }
        self.bytes.clear();
        self.lengths.clear();
        self.shard_bytes = 0;
    }

    fn follows(&self, number: u64) -> bool {
        self.opening.is_none_or(|(first, _)| {
            usize::try_from(number.wrapping_sub(first)) == Ok(self.lengths.len())
        })
    }

    fn has_room(&self, shard_bytes: usize) -> bool {
        let data = self.lengths.len() + 1;
        data <= GROUP_MAX_DATAGRAMS && data * shard_bytes <= GROUP_MAX_BYTES
    }

    fn emit_parity(
        &mut self,
        first: u64,
        mut emit: impl FnMut(&ParityHeader, &[u8]),
    ) -> Result<(), Error> {
        let (data, shard_bytes) = (self.lengths.len(), self.shard_bytes);
        let parity = self.share.parity_of(data);
        // Taken out, so that an encoder that failed is not used again.
        let mut encoder = match self.encoder.take() {
            Some(mut encoder) => {
                encoder.reset(data, parity, shard_bytes)?;
                encoder
            }
            None => ReedSolomonEncoder::new(data, parity, shard_bytes)?,
        };
        let mut rest = self.bytes.as_slice();
        for length in &self.lengths {
            // The lengths are those of the bodies in there, one after the other.
            debug_assert!(*length <= rest.len(), "the lengths of a group are of its bodies");
            let (body, after) = rest.split_at((*length).min(rest.len()));
            write_shard(&mut self.scratch, body, shard_bytes);
            encoder.add_original_shard(&self.scratch)?;
            rest = after;
        }
        // At most 512 each.
        let [data, parity] = [data, parity].map(|count| u16::try_from(count).unwrap_or(u16::MAX));
        for (index, shard) in (0..parity).zip(encoder.encode()?.recovery_iter()) {
            emit(&ParityHeader { first, data, parity, index }, shard);
        }
        self.encoder = Some(encoder);
        Ok(())
    }
}
