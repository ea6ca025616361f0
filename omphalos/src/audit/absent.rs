//! The documents of one file that were not found, in its order: in a temporary file, because nobody
//! knows how many they are.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;

use omphalos_common::event::{DocumentId, ID_BYTES};

use super::portion::{Hash, hash_of};

/// What is known of a document that is not in Elasticsearch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is known of it: it is missing.
    Missing,
    /// It stands behind the shipper's checkpoint.
    Undelivered,
    /// It is a dead letter, of this group.
    Dead(u16),
}

/// A document that was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent {
    /// Its number among the documents of the file.
    pub number: u64,
    /// Where its line begins.
    pub start: u64,
    /// Where the next document begins.
    pub end: u64,
    /// Its id.
    pub id: DocumentId,
    /// Its event day.
    pub day: i32,
    /// Whether the seconds in its id are not those of its first shipping.
    pub is_untimed: bool,
    /// What is known of it.
    pub state: State,
}

/// One of them in the file: three numbers, the id, the day, whether it is untimed, state and group.
const RECORD_BYTES: usize = 3 * 8 + ID_BYTES + 4 + 1 + 1 + 2;

impl Absent {
    /// What its id and that of the document in Elasticsearch have in common.
    pub fn hash(&self) -> Hash {
        hash_of(self.id)
    }

    fn to_bytes(self) -> Vec<u8> {
        let (state, group) = match self.state {
            State::Missing => (0, 0),
            State::Undelivered => (1, 0),
            State::Dead(group) => (2, group),
        };
        let mut bytes = Vec::with_capacity(RECORD_BYTES);
        for number in [self.number, self.start, self.end] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.id.to_bytes());
        bytes.extend_from_slice(&self.day.to_le_bytes());
        bytes.extend_from_slice(&[u8::from(self.is_untimed), state]);
        bytes.extend_from_slice(&u16::to_le_bytes(group));
        bytes
    }

    fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut number = || take(&mut bytes).map(u64::from_le_bytes);
        let (number, start, end) = (number()?, number()?, number()?);
        let id = DocumentId::from_bytes(take(&mut bytes)?);
        let day = i32::from_le_bytes(take(&mut bytes)?);
        let [is_untimed, state] = take(&mut bytes)?;
        let group = u16::from_le_bytes(take(&mut bytes)?);
        let state = match state {
            0 => State::Missing,
            1 => State::Undelivered,
            _ => State::Dead(group),
        };
        Some(Self { number, start, end, id, day, is_untimed: is_untimed != 0, state })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

/// The absent documents of a file, kept on disk.
pub struct AbsentList {
    file: BufWriter<File>,
    length: u64,
}

impl AbsentList {
    /// An empty list.
    ///
    /// # Errors
    /// When there can be no temporary file.
    pub fn new() -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(tempfile::tempfile()?), length: 0 })
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn push(&mut self, absent: Absent) -> io::Result<()> {
        self.length += 1;
        self.file.write_all(&absent.to_bytes())
    }

    /// All of them, in order.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn read(&mut self) -> io::Result<impl Iterator<Item = io::Result<Absent>> + use<>> {
        self.file.flush()?;
        let file = self.file.get_ref().try_clone()?;
        let mut reader = BufReader::new(FromStart { file, position: 0 });
        let mut left = self.length;
        Ok(std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let mut record = [0; RECORD_BYTES];
            let read = reader.read_exact(&mut record);
            Some(read.and_then(|()| {
                Absent::from_bytes(&record).ok_or_else(|| io::ErrorKind::InvalidData.into())
            }))
        }))
    }

    /// Keeps those only that `others` has too, by their numbers.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn keep_only(&mut self, others: &mut Self) -> io::Result<()> {
        let mut kept = Self::new()?;
        let mut own = self.read()?;
        for other in others.read()? {
            let number = other?.number;
            for absent in own.by_ref() {
                let absent = absent?;
                if absent.number == number {
                    kept.push(absent)?;
                }
                if absent.number >= number {
                    break;
                }
            }
        }
        *self = kept;
        Ok(())
    }

    /// Changes what is known of each.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn judge(&mut self, mut judge: impl FnMut(&Absent) -> State) -> io::Result<()> {
        let mut judged = Self::new()?;
        for absent in self.read()? {
            let absent = absent?;
            judged.push(Absent { state: judge(&absent), ..absent })?;
        }
        *self = judged;
        Ok(())
    }
}

/// Reads a file without moving the place where it is written.
struct FromStart {
    file: File,
    position: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.position)?;
        self.position += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_list_lacks_is_left_out() {
        let list = |numbers: &[u64]| {
            let mut list = AbsentList::new().unwrap();
            for number in numbers {
                let id = DocumentId::from_bytes([7; 16]);
                let (start, end, day, state) = (number * 10, number * 10 + 9, 1, State::Missing);
                let absent =
                    Absent { number: *number, start, end, id, day, is_untimed: false, state };
                list.push(absent).unwrap();
            }
            list
        };
        let mut own = list(&[1, 2, 5, 6, 9]);
        own.keep_only(&mut list(&[2, 6, 9])).unwrap();
        let numbers: Vec<u64> = own.read().unwrap().map(|one| one.unwrap().number).collect();
        assert_eq!((numbers, own.len()), (vec![2, 6, 9], 3));
        own.keep_only(&mut list(&[])).unwrap();
        assert!(own.is_empty());
    }

    #[test]
    fn what_is_noted_is_read_and_judged() {
        let absent = |number: u64, state| Absent {
            number,
            start: number * 10,
            end: u64::MAX - number,
            id: DocumentId::from_bytes([u8::try_from(number).unwrap(); 16]),
            day: -7,
            is_untimed: number % 2 == 1,
            state,
        };
        let mut list = AbsentList::new().unwrap();
        let all =
            [absent(0, State::Missing), absent(1, State::Undelivered), absent(2, State::Dead(9))];
        for one in all {
            list.push(one).unwrap();
        }
        let read = |list: &mut AbsentList| -> Vec<Absent> {
            list.read().unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(read(&mut list), all);
        assert_eq!(read(&mut list), all, "as often as one likes");
        list.judge(|one| if one.number == 0 { State::Dead(3) } else { one.state }).unwrap();
        assert_eq!(read(&mut list), [absent(0, State::Dead(3)), all[1], all[2]]);
        assert_eq!(list.len(), 3);
    }
}
