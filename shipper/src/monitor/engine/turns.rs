//! Files have their turns: each is read a little, what it says goes into the open batch of its
//! dataset, and batches are closed when they are full or old.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;

use super::{Monitor, PART, Stage};
use crate::books::Held;
use crate::monitor::batch::OpenBatch;
use crate::monitor::read::fit::looks as looks_like;
use crate::monitor::read::tail::reading::{Look, Tools};
use crate::monitor::read::tail::{Tail, TailId};
use omphalos_common::clock::now_millis;
use tracing::warn;

impl Monitor {
    /// Gives each file that is ready one turn, as long as there is room for what it says.
    pub(super) fn read(&mut self) {
        for _ in 0..self.ready.len() {
            if !self.outbox.is_empty() || self.files.broken().is_some() {
                return;
            }
            let Some(id) = self.ready.pop() else { break };
            if self.read_one(id) {
                self.ready.push(id);
            }
        }
        let is_over = self.options.once || self.is_pipe_only;
        if is_over && self.ready.is_empty() && !self.is_pipe_open && !self.files.is_waiting() {
            self.read_rest();
            self.stop_reading();
        }
    }

    /// One turn of one file; whether it should have another.
    pub(super) fn read_one(&mut self, id: TailId) -> bool {
        let mut read = self.with_tail(id, Tail::read);
        if let Some(Err(error)) = &read
            && error.kind() == ErrorKind::NotFound
        {
            if !self.find_again(id) {
                return false;
            }
            // In the same turn: the descriptor may be needed for another file at the next.
            read = self.with_tail(id, Tail::read);
        }
        if let Some(Ok(_)) = read {
            self.files.note_read(id);
        }
        match read {
            Some(Ok(Look::More)) => {
                self.files.is_alive(id);
                let end = self.ends.as_ref().and_then(|ends| ends.get(&id)).copied();
                let Some(tail) = self.files.get_mut(id) else { return false };
                !tail.stop_at(end)
            }
            Some(Ok(Look::Rewritten)) => {
                self.turn.take();
                let (to_read, ended) = self.files.rewritten(id);
                for id in to_read {
                    self.ready.push(id);
                }
                if let Some(ended) = ended {
                    self.files.lay_out(ended);
                    if let Some(Err(error)) = self.with_tail(id, Tail::end_all_events) {
                        self.files.note_unreadable(id, &error);
                    }
                    self.files.put_away(id);
                }
                // Others are to know by which rules the new content is read.
                self.turn.keep(self.saver.changed_urgently());
                false
            }
            Some(Ok(Look::AtEnd)) => {
                self.at_end(id);
                false
            }
            None => false,
            Some(Err(error)) => {
                self.files.note_unreadable(id, &error);
                false
            }
        }
    }

    /// Ships what has waited long enough for its end, at the end of a file.
    pub(super) fn at_end(&mut self, id: TailId) {
        let Some((_, tail)) = self.files.waits_of(id) else { return };
        if tail.is_pipe() && tail.is_complete() {
            self.is_pipe_open = false;
        }
        let now = Instant::now();
        self.files.tell_damage(id);
        let Some((waits, tail)) = self.files.waits_of(id) else { return };
        if tail.due(waits).is_some_and(|due| due <= now) {
            let read = self.with_tail(id, |tail, tools| tail.read_due(now, waits, tools));
            if let Some(Err(error)) = read {
                self.files.note_unreadable(id, &error);
            }
        }
        if let Some((waits, tail)) = self.files.waits_of(id) {
            let due = tail.due(waits);
            self.alarms.set(id, due);
        }
    }

    /// Looks for a file that was renamed while it had no descriptor; whether it is to be read.
    pub(super) fn find_again(&mut self, id: TailId) -> bool {
        match self.files.find_again(id) {
            Ok(true) => true,
            Ok(false) => {
                self.saver.changed();
                false
            }
            Err(error) => {
                self.files.note_unreadable(id, &error);
                false
            }
        }
    }

    /// Lets `work` put lines of a file into the open batch of its dataset.
    pub(super) fn with_tail<T>(
        &mut self,
        id: TailId,
        work: impl FnOnce(&mut Tail, &mut Tools<'_>) -> T,
    ) -> Option<T> {
        let dataset = self.files.dataset_of(id)?;
        let tail = self.files.get_mut(id)?;
        let bodies = &self.bodies;
        let new_batch = || OpenBatch::new(Arc::clone(&dataset), bodies.take());
        let batch = self.open.entry(Arc::clone(&dataset)).or_insert_with(new_batch);
        let batch_bytes = self.options.batch.bytes.as_usize();
        // What is seen of a file makes it known again, so it is saved soon as well.
        let before = (tail.marks_made(), (tail.progress.confirmed().offset, tail.head_length()));
        let held_before = tail.held();
        let mut tools = Tools {
            documents: &mut self.documents,
            buffer: &mut self.buffer,
            batch,
            batch_bytes,
            now_millis: now_millis(),
        };
        let (path, offset) = (tail.path.display(), tail.reads_from());
        self.health.begin(PART, format!("{path} from byte {offset}"));
        let result = work(tail, &mut tools);
        self.health.done(PART);
        let held = Held { before: held_before, after: tail.held() };
        let counts = tail.take_counts();
        if counts.untimed > 0 && self.options.says_untimed && tail.tells_of_untimed() {
            warn!(
                "{}: some lines have no time that can be read, or one of an unknown zone; they get that of the line before, or of their discovery, or that of UTC, and the tag time_assumed",
                tail.path.display()
            );
        }
        if let Some((failures, lines)) = tail.tells_of_misfit(&counts) {
            let looks = tail.looks_like();
            let looks = looks.map_or("see what they become: omphalos parse".to_owned(), looks_like);
            let which = if tail.begun_at() == 0 { "of the first" } else { "of the next" };
            warn!(
                "{}: {failures} {which} {lines} lines cannot be read with the parser that is set; {looks}",
                tail.path.display()
            );
        }
        self.metrics.count(&dataset, &counts, held);
        let is_chosen = !batch.is_empty() && tail.take_new_choice();
        if tail.marks_made() != before.0 || is_chosen {
            batch.require_save(self.saver.changed_urgently());
        }
        if (tail.progress.confirmed().offset, tail.head_length()) != before.1 {
            self.saver.changed();
        }
        if batch.is_full(batch_bytes) || batch.is_empty() {
            self.close_batch(&dataset);
        }
        self.files.note_use(id);
        Some(result)
    }

    /// Passes a batch on, or gives its buffer back if there is nothing in it.
    pub(super) fn close_batch(&mut self, dataset: &Arc<str>) {
        let Some(batch) = self.open.remove(dataset) else { return };
        let is_empty = batch.is_empty();
        let closed = batch.close();
        if is_empty {
            self.bodies.give_back(closed.batch.body);
        } else {
            self.outbox.push_back(closed);
        }
    }

    pub(super) fn flush_old(&mut self) {
        let flush = self.options.batch.flush_interval.0;
        let old = self.open.iter().filter(|(_, batch)| batch.opened().elapsed() >= flush);
        let datasets: Vec<_> = old.map(|(dataset, _)| Arc::clone(dataset)).collect();
        for dataset in &datasets {
            self.close_batch(dataset);
        }
    }

    /// Ships what has no end yet, of files that are read once.
    pub(super) fn read_rest(&mut self) {
        for id in self.files.ids() {
            if self.files.get_mut(id).is_some_and(Tail::decide) {
                // Once to decide, and once into the batch of its dataset.
                for _ in 0..2 {
                    self.read_one(id);
                }
            }
            // Where that is found out first, the format of a line without an end.
            let is_undecided = self.files.get_mut(id).is_some_and(|tail| tail.is_undecided());
            for _ in 0..=u8::from(is_undecided) {
                if let Some(Err(error)) = self.with_tail(id, Tail::read_rest) {
                    self.files.note_unreadable(id, &error);
                }
            }
        }
    }

    pub(super) fn stop_reading(&mut self) {
        let datasets: Vec<_> = self.open.keys().cloned().collect();
        for dataset in &datasets {
            self.close_batch(dataset);
        }
        self.stage = Stage::Emptying;
    }
}
