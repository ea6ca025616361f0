//! Series of what is counted, for whoever keeps figures over time: OpenTSDB, and Prometheus, which reads
//! them at `/metrics`.

mod datapoint;
mod opentsdb;
mod queue;
mod scraped;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use omphalos_live::{SeriesPoint, SeriesSettings};
use tokio::task::JoinHandle;

pub use scraped::Scraped;
pub use settings::{OUTPUT_SETTINGS, Output, Outputs};

use opentsdb::Writer;
pub use queue::Queue;

/// Where the points of one series go.
#[derive(Debug)]
enum Sink {
    OpenTsdb { queue: Arc<Queue>, task: JoinHandle<()> },
    Prometheus(Scraped),
}

/// All `[[output]]` tables, at work.
#[derive(Debug)]
pub struct Sinks {
    outputs: Vec<(Output, Sink)>,
}

/// What became of datapoints, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputCounts {
    /// Taken by the server.
    pub stored: u64,
    /// Refused by the server, each by itself.
    pub refused: u64,
    /// Dropped because too many waited.
    pub dropped: u64,
    /// Waiting now.
    pub waiting: u64,
}

impl Sinks {
    /// Starts a task for each server.
    ///
    /// # Errors
    /// When one cannot be used as it is set.
    pub fn start(outputs: Vec<Output>) -> anyhow::Result<Self> {
        let started = outputs.into_iter().map(|output| {
            let sink = if output.is_scraped() {
                Sink::Prometheus(Scraped::new(&output))
            } else {
                let queue = Arc::new(Queue::default());
                let writer = Writer::new(&output, Arc::clone(&queue))?;
                Sink::OpenTsdb { queue, task: tokio::spawn(writer.run()) }
            };
            anyhow::Ok((output, sink))
        });
        Ok(Self { outputs: started.collect::<Result<_, _>>()? })
    }

    /// How the lines of each are counted, in their order.
    pub fn series(&self, lateness: Duration) -> Vec<SeriesSettings> {
        let series = self.outputs.iter().map(|(output, _)| output.series());
        series.map(|series| SeriesSettings { lateness, ..series }).collect()
    }

    /// Hands over the points of one of them. Never waits.
    pub fn take(&self, number: usize, points: &[SeriesPoint]) {
        let Some((output, sink)) = self.outputs.get(number) else { return };
        match sink {
            Sink::OpenTsdb { queue, .. } => {
                for point in points {
                    queue.push(output.datapoints(point));
                }
            }
            Sink::Prometheus(scraped) => scraped.take(points),
        }
    }

    /// Those that Prometheus reads.
    pub fn scraped(&self) -> Vec<Scraped> {
        let scraped = self.outputs.iter().filter_map(|(_, sink)| match sink {
            Sink::Prometheus(scraped) => Some(scraped.clone()),
            Sink::OpenTsdb { .. } => None,
        });
        scraped.collect()
    }

    /// The queues of those that are written to, with what they are called, for metrics.
    pub fn queues(&self) -> Vec<(String, Arc<Queue>)> {
        let queues = self.outputs.iter().filter_map(|(output, sink)| match sink {
            Sink::OpenTsdb { queue, .. } => Some((output.shown(), Arc::clone(queue))),
            Sink::Prometheus(_) => None,
        });
        queues.collect()
    }

    /// Writes what waits, for at most so long.
    pub async fn finish(self, grace: Duration) {
        let mut tasks = Vec::new();
        for (_, sink) in self.outputs {
            if let Sink::OpenTsdb { queue, task } = sink {
                queue.close();
                tasks.push(task);
            }
        }
        let ended = futures_util::future::join_all(tasks.iter_mut());
        if tokio::time::timeout(grace, ended).await.is_err() {
            tasks.iter().for_each(JoinHandle::abort);
        }
    }
}
