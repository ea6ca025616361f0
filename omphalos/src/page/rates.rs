//! How much may be asked: so many requests in a time by each address and by all, and so many streams at once.
//! Who asks more is told when to ask again.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::problem::Problem;

/// What one address may ask: so much at once, and so much each second.
const OF_ONE: Rate = Rate { at_once: 300.0, each_second: 60.0 };
/// What all together may.
const OF_ALL: Rate = Rate { at_once: 1500.0, each_second: 500.0 };
/// Streams of one address, and of all, at once.
const STREAMS_OF_ONE: usize = 128;
const STREAMS_OF_ALL: usize = 256;
/// So many addresses are told apart; others share what one may.
const MOST_ADDRESSES: usize = 4096;
/// When who has too many streams may try again, in seconds: when one ends is not known.
const ANOTHER_STREAM: u64 = 10;

#[derive(Clone, Copy)]
struct Rate {
    at_once: f64,
    each_second: f64,
}

/// What somebody may still ask, at a moment.
struct Bucket {
    left: f64,
    at: Instant,
}

/// Who has asked how much.
#[derive(Default)]
pub struct Rates(Mutex<Asked>);

#[derive(Default)]
struct Asked {
    by_all: Bucket,
    by_one: HashMap<IpAddr, Bucket>,
    streams: HashMap<IpAddr, usize>,
}

impl Default for Bucket {
    fn default() -> Self {
        // It is filled up to what its rate allows when it is looked at first.
        Self { left: f64::INFINITY, at: Instant::now() }
    }
}

impl Bucket {
    fn fill(&mut self, rate: Rate, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = since.mul_add(rate.each_second, self.left).min(rate.at_once);
        self.at = now;
    }

    /// Takes one; in how many seconds there will be one where there is none.
    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), u64> {
        self.fill(rate, now);
        if self.left < 1.0 {
            return Err(seconds(((1.0 - self.left) / rate.each_second).ceil()));
        }
        self.left -= 1.0;
        Ok(())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "of a few seconds, which are not below 0"
)]
fn seconds(seconds: f64) -> u64 {
    (seconds as u64).max(1)
}

/// Who shares what one may ask: with IPv6, one has a whole network.
fn one(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl Rates {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn ask(&self, address: IpAddr) -> Result<(), Problem> {
        self.ask_at(address, Instant::now())
    }

    fn ask_at(&self, address: IpAddr, now: Instant) -> Result<(), Problem> {
        let too_many = |who: &str, rate: Rate, after| {
            Problem::too_many(
                &format!("{who} more than {} requests a second", rate.each_second),
                after,
            )
        };
        let mut asked = self.lock();
        let address = asked.place_of(one(address), now);
        let by_one = asked.by_one.entry(address).or_default();
        by_one.take(OF_ONE, now).map_err(|after| too_many("your address sends", OF_ONE, after))?;
        let by_all = asked.by_all.take(OF_ALL, now);
        by_all.map_err(|after| too_many("all together send", OF_ALL, after))
    }

    /// Counts a stream, until what is returned is dropped.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn stream(self: &Arc<Self>, address: IpAddr) -> Result<Stream, Problem> {
        let mut asked = self.lock();
        let address = one(address);
        let of_one = asked.streams.get(&address).copied().unwrap_or(0);
        let of_all: usize = asked.streams.values().sum();
        let whose = match () {
            () if of_one >= STREAMS_OF_ONE => format!("your address has {of_one}"),
            () if of_all >= STREAMS_OF_ALL => format!("there are {of_all}"),
            () => {
                *asked.streams.entry(address).or_default() += 1;
                drop(asked);
                return Ok(Stream { rates: Arc::clone(self), address });
            }
        };
        Err(Problem::too_many(&format!("{whose} streams of events already"), ANOTHER_STREAM))
    }
}

impl Asked {
    /// Where an address is counted: by itself while there is room, and with others where there is none.
    fn place_of(&mut self, address: IpAddr, now: Instant) -> IpAddr {
        if self.by_one.contains_key(&address) || self.by_one.len() < MOST_ADDRESSES {
            return address;
        }
        // Whoever may ask as much as one who has not asked yet need not be remembered.
        self.by_one.retain(|_, bucket| {
            bucket.fill(OF_ONE, now);
            bucket.left < OF_ONE.at_once
        });
        if self.by_one.len() < MOST_ADDRESSES { address } else { Ipv6Addr::UNSPECIFIED.into() }
    }
}

/// A stream of events that goes on.
pub struct Stream {
    rates: Arc<Rates>,
    address: IpAddr,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut asked = self.rates.lock();
        if let Some(streams) = asked.streams.get_mut(&self.address) {
            *streams -= 1;
            if *streams == 0 {
                asked.streams.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn who_asks_too_much_waits_and_keeps_no_other_from_asking() {
        let (rates, now) = (Rates::default(), Instant::now());
        let asked = |who: u32, now| rates.ask_at(address(who), now).is_ok();
        assert_eq!((0..1000).filter(|_| asked(1, now)).count(), 300);
        assert!(asked(2, now));
        let problem = rates.ask_at(address(1), now).unwrap_err().json();
        assert_eq!((&problem["status"], &problem["retry_after"]), (&429.into(), &1.into()));
        let later = now + Duration::from_secs(2);
        assert_eq!((0..1000).filter(|_| asked(1, later)).count(), 120);
        let by_many = (3..3000).filter(|who| asked(*who, later)).count();
        assert_eq!(by_many, 1500 - 120, "what all may ask has an end too");
    }

    #[test]
    fn addresses_without_number_take_no_memory_without_end() {
        let (rates, mut now) = (Rates::default(), Instant::now());
        let mut refused = 0;
        for number in 0..20_000 {
            now += Duration::from_millis(4);
            refused += u32::from(rates.ask_at(address(number), now).is_err());
        }
        assert_eq!(refused, 0, "who asks once may ask");
        assert!(rates.lock().by_one.len() <= MOST_ADDRESSES + 1);
        let networks = (0..100).map(|host| one(format!("2001:db8::{host}").parse().unwrap()));
        assert_eq!(networks.collect::<std::collections::HashSet<_>>().len(), 1);
    }

    #[test]
    fn streams_are_counted_while_they_go_on() {
        let rates = Arc::new(Rates::default());
        let mut streams: Vec<Stream> =
            (0..STREAMS_OF_ONE).map(|_| rates.stream(address(1)).unwrap()).collect();
        assert!(rates.stream(address(1)).is_err());
        streams.pop();
        streams.push(rates.stream(address(1)).unwrap());
        let more = (2..).map_while(|who| rates.stream(address(who)).ok()).take(1000);
        streams.extend(more);
        assert_eq!(streams.len(), STREAMS_OF_ALL);
        drop(streams);
        assert!(rates.lock().streams.is_empty());
    }
}
