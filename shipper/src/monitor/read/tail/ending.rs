//! What stands behind the last line end: events that may go on, a line that may be finished, padding
//! that may be filled or followed.

use std::io;
use std::time::Instant;

use super::reading::{Look, Tools, Work};
use super::{Padded, Reach, Tail, Waits};
use crate::monitor::broken;
use crate::monitor::position::identity::GUARD_BYTES;
use crate::monitor::read::place::Place;
use omphalos_parser::scribe::padding::{self, leading_padding};

impl Tail {
    /// What is to be done at the end, behind which nothing stands now: `length` bytes of text have no
    /// end. If nothing can follow, all of it is shipped.
    pub(super) fn stop_at_text(
        &mut self,
        length: usize,
        tools: &mut Tools<'_>,
    ) -> io::Result<Look> {
        self.unfinished.seen(length as u64);
        self.note_rest();
        if self.handle.outlook().is_final() {
            if self.unfinished.is_shipped() {
                self.end_all_events(tools)?;
            } else {
                self.read_rest(tools)?;
            }
            self.reach = Reach::Over;
        }
        Ok(Look::AtEnd)
    }

    /// Notes up to where nothing is left to be shipped: behind the text there may be padding, or half
    /// a character.
    fn note_rest(&mut self) {
        self.nothing_to = if self.unfinished.is_shipped() { self.known_size } else { 0 };
    }

    /// The place behind `padding`, which stands behind `text` and that where the next line begins; none
    /// if nothing follows it.
    pub(super) fn behind_padding(&self, text: &[u8], padding: &[u8]) -> Option<Place> {
        let length = leading_padding(padding);
        let (nuls, _) = padding.split_at_checked(length).filter(|(_, rest)| !rest.is_empty())?;
        let mut place = self.next.clone();
        place.advance(text);
        place.advance(nuls);
        Some(place)
    }

    /// Passes over the NULs between `text` and `place`, which a crash or a hole left: something follows
    /// them. Until then they may be room that the writer will fill.
    pub(super) fn pass_padding(
        &mut self,
        text: &[u8],
        place: Place,
        tools: &mut Tools<'_>,
    ) -> io::Result<()> {
        let begin = self.next.offset;
        let (start, end) = (begin + text.len() as u64, place.offset);
        self.head.see(begin, text)?;
        self.head.see_padding(start, end)?;
        let Work { scribe, documents, mut desk, .. } = self.at_work(end, tools);
        scribe.end_all(documents, &mut desk);
        if !text.is_empty() {
            scribe.take_alone(text, begin, documents, &mut desk);
        }
        self.scribe.counts.padding += end - start;
        self.scribe.counts.bytes += end - begin;
        self.next = place;
        self.padding_end = 0;
        self.nothing_to = 0;
        self.unfinished.seen(0);
        self.end_chunk(begin, end, tools)
    }

    /// Looks for what follows more padding behind `text` than the buffer has room for.
    pub(super) fn read_over_padding(
        &mut self,
        text: Vec<u8>,
        buffer: &mut [u8],
        tools: &mut Tools<'_>,
    ) -> io::Result<Look> {
        let start = self.next.offset + text.len() as u64;
        let content = self.handle.get(&self.path)?;
        if !content.is_seekable() {
            // Nobody fills it any more, and it could not be looked at again.
            let mut place = self.next.clone();
            place.advance(&text);
            let padded = Padded { text, place };
            return self.read_on_padding(padded, buffer, tools);
        }
        let from = self.padding_end.max(start);
        let room = buffer.len();
        let data = content.read_up_to(buffer, from)?;
        let padding = leading_padding(data);
        if padding == data.len() {
            self.padding_end = from + data.len() as u64;
            self.known_size = self.known_size.max(self.padding_end);
            let is_end = data.len() < room;
            return if is_end { self.stop_at_text(text.len(), tools) } else { Ok(Look::More) };
        }
        let place = Place::find(content, from + padding as u64)?;
        self.pass_padding(&text, place, tools)?;
        Ok(Look::More)
    }

    /// The same for what only goes forward: the text is kept until something follows.
    pub(super) fn read_on_padding(
        &mut self,
        mut padded: Padded,
        buffer: &mut [u8],
        tools: &mut Tools<'_>,
    ) -> io::Result<Look> {
        let room = buffer.len();
        let (length, data) = padded.place.read(self.handle.get(&self.path)?, buffer)?;
        let Some(data) = data else { return Ok(Look::Rewritten) };
        let padding = broken::first(data, leading_padding(data))?;
        padded.place.advance(padding);
        self.known_size = self.known_size.max(padded.place.offset);
        if padding.len() < data.len() {
            self.pass_padding(&padded.text, padded.place, tools)?;
            return Ok(Look::More);
        }
        let text_length = padded.text.len();
        self.padded = Some(padded);
        if length < room { self.stop_at_text(text_length, tools) } else { Ok(Look::More) }
    }

    /// Ships what is due ([`Tail::due`]) at `now`: an event that nothing followed, a last line
    /// without an end. The offset stays before the latter, so that the whole line is read should it
    /// be completed one day.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_due(
        &mut self,
        now: Instant,
        waits: Waits,
        tools: &mut Tools<'_>,
    ) -> io::Result<()> {
        if self.event_since().is_some_and(|since| since + waits.event <= now) {
            if self.decide() {
                // It stays due, so that it is read at once.
                return Ok(());
            }
            let end = self.next.offset;
            self.end_events(end, tools);
            self.splits.push_back(end);
            self.splits_made += 1;
            self.end_chunk(end, end, tools)?;
        }
        if self.unfinished.due(waits.line).is_some_and(|due| due <= now) {
            self.read_unfinished_line(tools)?;
        }
        Ok(())
    }

    /// Ends all events that are begun.
    fn end_events(&mut self, seen_end: u64, tools: &mut Tools<'_>) {
        let Work { scribe, documents, mut desk, .. } = self.at_work(seen_end, tools);
        scribe.end_all(documents, &mut desk);
    }

    /// Ships everything that is there, as if nothing would follow: for a file that is read once.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_rest(&mut self, tools: &mut Tools<'_>) -> io::Result<()> {
        self.end_all_events(tools)?;
        self.read_unfinished_line(tools)
    }

    /// Ships all events that are begun.
    ///
    /// # Errors
    /// What cannot be.
    pub fn end_all_events(&mut self, tools: &mut Tools<'_>) -> io::Result<()> {
        let end = self.next.offset;
        self.end_events(end, tools);
        if tools.batch.added() > 0 { self.end_chunk(end, end, tools) } else { Ok(()) }
    }

    fn read_unfinished_line(&mut self, tools: &mut Tools<'_>) -> io::Result<()> {
        if self.searched.is_some() {
            return Ok(());
        }
        let Some(line) = self.last_line()? else { return Ok(()) };
        if self.guess(&line)? {
            // It is shipped by the next attempt, in the batch of its dataset.
            return Ok(());
        }
        // There may be more of it than can be shipped.
        let length = self.unfinished.length().max(line.len() as u64);
        if length == self.unfinished.shipped() {
            return Ok(());
        }
        let start = self.next.offset;
        let end = start + line.len() as u64;
        self.head.see(start, &line)?;
        let was_identified = self.clock.is_identified();
        let Work { scribe, documents, mut desk, .. } = self.at_work(end, tools);
        scribe.take_unfinished(&line, start, documents, &mut desk);
        self.end_chunk(start, end, tools)?;
        if !was_identified {
            self.clock.forget_identity(&self.names);
        }
        self.unfinished.ship(length);
        self.note_rest();
        Ok(())
    }

    /// The text behind the last line end; none if there is nothing, or a line end by now.
    fn last_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let charset = self.scribe.charset();
        let most_bytes = self.scribe.most_bytes() * charset.unit() + 1;
        let mut buffer;
        let line = if let Some(padded) = &self.padded {
            &padded.text
        } else {
            buffer = vec![0; most_bytes + GUARD_BYTES];
            let (_, data) = self.next.read(self.handle.get(&self.path)?, &mut buffer)?;
            // Other content is noticed by the next read.
            let Some(data) = data else { return Ok(None) };
            charset.whole_units(data)
        };
        let nuls = if charset.unit() == 1 { padding::trailing(line) } else { 0 };
        let line = broken::first(line, line.len() - nuls)?;
        let line = line.get(..most_bytes).unwrap_or(line);
        let has_end = charset.line_ends(line).next().is_some();
        Ok((!line.is_empty() && !has_end).then(|| line.to_vec()))
    }
}
