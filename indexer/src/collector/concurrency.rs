//! How many bulks may be in flight: more while that goes well, fewer when the cluster says so or
//! becomes slow (additive increase, multiplicative decrease).

use std::time::Duration;

/// The most that the setting allows.
const MOST: u32 = 64;
/// After a refusal the limit shrinks to this share.
const DECREASE: f64 = 0.7;
/// A byte may take so many times as long as in the best of times before that counts as slow.
const SLOW: f64 = 4.0;
/// Share of the newest measurement in the running average.
const WEIGHT: f64 = 0.2;
/// The best of times is forgotten slowly, because times change.
const FORGET: f64 = 1.002;

/// The limit, adapted after each bulk.
#[derive(Debug)]
pub struct Concurrency {
    limit: f64,
    most: f64,
    /// Seconds a byte takes: on average lately, and at best.
    average: Option<f64>,
    best: f64,
}

impl Concurrency {
    /// Begins in the middle; never exceeds `most`.
    pub fn new(most: u32) -> Self {
        let most = f64::from(most.max(1));
        Self { limit: (most / 2.0).max(1.0), most, average: None, best: f64::INFINITY }
    }

    /// How many bulks may be in flight now.
    pub fn limit(&self) -> usize {
        let whole = (1..=MOST).take_while(|limit| f64::from(*limit) <= self.limit);
        whole.count().max(1)
    }

    /// A bulk of so many bytes was taken within this time.
    pub fn taken(&mut self, bytes: usize, time: Duration) {
        let cost = time.as_secs_f64() / f64::from(u32::try_from(bytes.max(1)).unwrap_or(u32::MAX));
        let average = self.average.map_or(cost, |average| average + WEIGHT * (cost - average));
        self.average = Some(average);
        self.best = (self.best * FORGET).min(cost);
        if average > self.best * SLOW * self.limit {
            self.limit = (self.limit - 1.0 / self.limit).max(1.0);
        } else {
            self.limit = (self.limit + 1.0 / self.limit).min(self.most);
        }
    }

    /// Notes that the cluster has too much to do.
    pub fn refused(&mut self) {
        self.limit = (self.limit * DECREASE).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn the_limit_grows_while_it_goes_well_and_shrinks_when_refused() {
        let mut concurrency = Concurrency::new(8);
        assert_eq!(concurrency.limit(), 4);
        for _ in 0..100 {
            concurrency.taken(MIB, Duration::from_millis(100));
        }
        assert_eq!(concurrency.limit(), 8);
        for expected in [5, 3, 2, 1, 1] {
            concurrency.refused();
            assert_eq!(concurrency.limit(), expected);
        }
        concurrency.taken(MIB, Duration::from_millis(100));
        assert_eq!(concurrency.limit(), 2);
    }

    #[test]
    fn a_cluster_that_becomes_slow_gets_less() {
        let mut concurrency = Concurrency::new(8);
        for _ in 0..100 {
            concurrency.taken(MIB, Duration::from_millis(10));
        }
        for _ in 0..100 {
            concurrency.taken(MIB, Duration::from_secs(5));
        }
        assert_eq!(concurrency.limit(), 1);
    }
}
