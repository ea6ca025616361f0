//! Files that may have something to read, in turn, each once.

use std::collections::{HashSet, VecDeque};

use crate::monitor::read::tail::TailId;

/// The queue of those files; a file that is in it is not added again.
#[derive(Debug, Default)]
pub struct Ready {
    queue: VecDeque<TailId>,
    waiting: HashSet<TailId>,
}

impl Ready {
    /// Adds a file at the end, unless it waits already.
    pub fn push(&mut self, id: TailId) {
        if self.waiting.insert(id) {
            self.queue.push_back(id);
        }
    }

    /// The file whose turn it is.
    pub fn pop(&mut self) -> Option<TailId> {
        let id = self.queue.pop_front()?;
        self.waiting.remove(&id);
        Some(id)
    }

    /// How many files wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no file waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_their_turn_in_order_and_once() {
        let mut ready = Ready::default();
        for id in [3, 1, 3, 2, 1] {
            ready.push(TailId(id));
        }
        assert_eq!(ready.len(), 3);
        let mut turns = Vec::new();
        while let Some(id) = ready.pop() {
            turns.push(id.0);
        }
        assert_eq!(turns, [3, 1, 2]);
        ready.push(TailId(1));
        assert!(!ready.is_empty());
    }
}
