//! From the spool of the UDP receivers to whoever works on it: records in order, read by a thread of
//! its own a little ahead.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::spool::{Spool, SpoolReader};
use omphalos_common::telemetry::{Due, Repeats};
use tokio::sync::mpsc;
use tracing::warn;

/// Records are handed over in groups of about so many bytes, two of which may wait.
const GROUP_BYTES: usize = 256 * 1024;
const GROUPS: usize = 2;
/// How often the thread looks whether it should go on.
const LOOK: Duration = Duration::from_millis(100);

/// A record of the spool.
#[derive(Debug)]
pub struct UdpDelivery {
    /// Its number, which no other record ever has.
    pub number: u64,
    /// To be read as an [`super::Record`].
    pub record: Vec<u8>,
    generation: u64,
    control: Arc<Control>,
}

impl UdpDelivery {
    /// Whether it was handed back meanwhile.
    pub fn is_stale(&self) -> bool {
        self.generation != self.control.generation.load(Ordering::Acquire)
    }

    /// Takes it apart: number, bytes, and the answer that it waits for.
    pub fn into_parts(self) -> (u64, Vec<u8>, UdpAnswer) {
        let Self { generation, control, .. } = self;
        let answer = UdpAnswer { number: self.number, generation, control };
        (self.number, self.record, answer)
    }
}

/// The answer that a record waits for.
#[derive(Debug)]
pub struct UdpAnswer {
    number: u64,
    generation: u64,
    control: Arc<Control>,
}

impl UdpAnswer {
    /// Whether the record was handed back meanwhile.
    pub fn is_stale(&self) -> bool {
        self.generation != self.control.generation.load(Ordering::Acquire)
    }

    /// The record is dealt with, and may leave the spool.
    pub fn acknowledge(self) {
        self.control.spool.acknowledge(self.number);
    }
}

struct Control {
    spool: Spool,
    /// Counts how often everything was handed back.
    generation: AtomicU64,
    paused: AtomicBool,
    stopped: AtomicBool,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Control")
    }
}

/// Reads the records of a spool in a thread of its own.
#[derive(Debug)]
pub struct Feed {
    groups: mpsc::Receiver<VecDeque<UdpDelivery>>,
    group: VecDeque<UdpDelivery>,
    control: Arc<Control>,
}

impl Feed {
    /// Begins to read.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(spool: Spool, reader: SpoolReader) -> io::Result<Self> {
        let (sender, groups) = mpsc::channel(GROUPS);
        let control = Arc::new(Control {
            spool,
            generation: AtomicU64::new(0),
            paused: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let worker = FeedWorker { control: Arc::clone(&control), reader, sender, generation: 0 };
        thread::Builder::new().name("spool".to_owned()).spawn(move || worker.run())?;
        Ok(Self { groups, group: VecDeque::new(), control })
    }

    /// The next record; `None` after [`Self::stop`].
    pub async fn next(&mut self) -> Option<UdpDelivery> {
        while self.group.is_empty() {
            self.group = self.groups.recv().await?;
        }
        self.group.pop_front()
    }

    /// Begins again with the first record that is not answered; what is in here becomes stale.
    pub fn pause(&self) {
        self.control.paused.store(true, Ordering::Release);
        self.control.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Goes on after [`Self::pause`].
    pub fn resume(&self) {
        self.control.paused.store(false, Ordering::Release);
    }

    /// Ends the thread that reads the spool.
    pub fn stop(&self) {
        self.control.stopped.store(true, Ordering::Release);
        self.control.spool.wake();
    }

    /// How many records are not answered.
    pub fn backlog(&self) -> u64 {
        self.control.spool.backlog()
    }
}

struct FeedWorker {
    control: Arc<Control>,
    reader: SpoolReader,
    sender: mpsc::Sender<VecDeque<UdpDelivery>>,
    generation: u64,
}

impl FeedWorker {
    fn run(mut self) {
        let mut trouble = Repeats::new();
        while !self.control.stopped.load(Ordering::Acquire) {
            let generation = self.control.generation.load(Ordering::Acquire);
            if generation != self.generation {
                self.generation = generation;
                self.reader.rewind();
            }
            if self.control.paused.load(Ordering::Acquire) {
                thread::park_timeout(LOOK);
                continue;
            }
            match self.read_group() {
                Ok(group) if group.is_empty() => {}
                Ok(group) => {
                    if self.sender.blocking_send(group).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    if let Some(Due { repeats }) = trouble.due() {
                        warn!(repeats, "{error}; trying again, for ever");
                    }
                    thread::park_timeout(LOOK);
                }
            }
        }
    }

    /// The records that are there, up to the size of a group; waits a little for the first one.
    fn read_group(&mut self) -> Result<VecDeque<UdpDelivery>, crate::spool::SpoolError> {
        let mut group = VecDeque::new();
        let mut bytes = 0;
        let mut wait = LOOK;
        while bytes < GROUP_BYTES {
            let record = match self.reader.next(wait) {
                Ok(Some(record)) => record,
                // The reader has passed what is in the group, and meets the error again.
                Err(error) if group.is_empty() => return Err(error),
                Ok(None) | Err(_) => break,
            };
            wait = Duration::ZERO;
            bytes += record.body.len();
            group.push_back(UdpDelivery {
                number: record.number,
                record: record.body,
                generation: self.generation,
                control: Arc::clone(&self.control),
            });
        }
        Ok(group)
    }
}
