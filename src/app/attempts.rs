//! Attempts to sign in, and how long the next one has to wait.
//!
//! Two things must hold at once: whoever tries passwords is slowed down until it is hopeless, and
//! nobody can keep another person out by trying for them. So attempts are counted where they come
//! from, and what one source did is held against that source alone. A source is, in this order, a
//! device on which somebody signed in to the account before, or a network.
//!
//! - From one source on one account, three failures are free; then each has the next wait twice
//!   as long, from 2 seconds to 15 minutes.
//! - All unknown sources together have 20 attempts on an account, and one more each minute: so a
//!   thousand networks are worth no more than one. A known device is not held to that, and a
//!   certificate is not an attempt at all.
//!
//! Invariant: an attempt counts as failed from its beginning, so that many at one time are not one;
//! and what is kept is bounded, without a name that was typed: names are hashed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use ring::digest::{SHA256, digest};

use crate::base::Timestamp;

/// Failures that have no consequence.
const FREE: u32 = 3;
/// The longest wait, in seconds.
const LONGEST: i64 = 900;
/// After so many seconds without an attempt a source begins anew.
const FORGOTTEN: i64 = 3600;
/// Attempts that all unknown sources have on one account, and the seconds after which there is
/// one more.
const STRANGERS: i64 = 20;
const ONE_MORE: i64 = 60;
/// The most that is kept. The oldest goes first; filling it takes longer than the longest wait,
/// since every attempt costs a hash.
const KEPT: usize = 65_536;

/// Where an attempt comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A device on which somebody signed in to the account before.
    Device([u8; 16]),
    /// The first 24 bits of an IPv4 address, or 64 of an IPv6 address.
    Network([u8; 8]),
    /// A session: of somebody who is signed in and gives the password once more.
    Session([u8; 8]),
}

impl Source {
    /// The network of an address.
    pub fn network(address: IpAddr) -> Self {
        let mut network = [0; 8];
        match address.to_canonical() {
            IpAddr::V4(v4) => network.iter_mut().zip(v4.octets()).take(3).for_each(|(to, from)| *to = from),
            IpAddr::V6(v6) => network.iter_mut().zip(v6.octets()).for_each(|(to, from)| *to = from),
        }
        Self::Network(network)
    }
}

/// What is remembered of attempts.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<HashMap<Key, Tries>>);

/// The SHA-256 of the account's name as it was typed; and the source, none for all strangers.
type Key = ([u8; 32], Option<Source>);

#[derive(Debug, Clone, Copy)]
struct Tries {
    /// Failures in a row, or attempts used up.
    count: u32,
    last: Timestamp,
}

impl Attempts {
    /// Takes note of an attempt on `account`, as if it had failed already.
    ///
    /// # Errors
    /// The seconds to wait: then it was not taken note of and must not be made.
    pub fn begin(&self, account: &str, source: Source, now: Timestamp) -> Result<(), u32> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let account = name(account);
        let own = kept.get(&(account, Some(source))).copied().filter(|tries| !tries.forgotten(now));
        if let Some(wait) = own.and_then(|tries| tries.wait(now)) {
            return Err(wait);
        }
        if matches!(source, Source::Network(_)) {
            let strangers = kept.get(&(account, None)).map_or(0, |tries| tries.left_over(now));
            if i64::from(strangers) >= STRANGERS {
                return Err(u32::try_from(ONE_MORE).unwrap_or(u32::MAX));
            }
            put(&mut kept, (account, None), Tries { count: strangers + 1, last: now });
        }
        let count = own.map_or(0, |tries| tries.count).saturating_add(1);
        put(&mut kept, (account, Some(source)), Tries { count, last: now });
        Ok(())
    }

    /// The attempt succeeded: the source begins anew.
    pub fn succeeded(&self, account: &str, source: Source) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let account = name(account);
        kept.remove(&(account, Some(source)));
        if let Some(strangers) =
            kept.get_mut(&(account, None)).filter(|_| matches!(source, Source::Network(_)))
        {
            strangers.count = strangers.count.saturating_sub(1);
        }
    }
}

impl Tries {
    fn forgotten(&self, now: Timestamp) -> bool {
        now >= self.last.plus_seconds(FORGOTTEN)
    }

    /// The seconds until the next attempt, if there are any.
    fn wait(&self, now: Timestamp) -> Option<u32> {
        let beyond = self.count.saturating_sub(FREE).min(16);
        let pause = if beyond == 0 { 0 } else { (1_i64 << beyond).min(LONGEST) };
        // A clock that was set back must not lengthen a wait beyond the pause.
        let left = (self.last.plus_seconds(pause).seconds() - now.seconds()).min(pause);
        u32::try_from(left).ok().filter(|left| *left > 0)
    }

    /// The attempts used up, less those that time has given back.
    fn left_over(&self, now: Timestamp) -> u32 {
        let back = (now.seconds() - self.last.seconds()).max(0) / ONE_MORE;
        self.count.saturating_sub(u32::try_from(back).unwrap_or(u32::MAX))
    }
}

fn put(kept: &mut HashMap<Key, Tries>, key: Key, tries: Tries) {
    if kept.len() >= KEPT && !kept.contains_key(&key) {
        kept.retain(|_, old| !old.forgotten(tries.last));
        if kept.len() >= KEPT
            && let Some(oldest) = kept.iter().min_by_key(|(_, old)| old.last).map(|(key, _)| *key)
        {
            kept.remove(&oldest);
        }
    }
    kept.insert(key, tries);
}

fn name(account: &str) -> [u8; 32] {
    digest(&SHA256, account.as_bytes()).as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);

    fn network(last: u8) -> Source {
        Source::network(IpAddr::from([192, 0, last, 7]))
    }

    #[test]
    fn each_failure_after_the_third_doubles_the_wait_up_to_a_quarter_of_an_hour() {
        let attempts = Attempts::default();
        let device = Source::Device([1; 16]);
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..16 {
            if let Err(wait) = attempts.begin("a", device, now) {
                waits.push(wait);
                now = now.plus_seconds(i64::from(wait));
                assert_eq!(attempts.begin("a", device, now), Ok(()), "after the wait it may be made");
            }
        }
        assert!(waits.starts_with(&[2, 4, 8, 16, 32, 64, 128, 256, 512]), "{waits:?}");
        assert_eq!(waits.last(), Some(&900));
        attempts.succeeded("a", device);
        assert_eq!(attempts.begin("a", device, now), Ok(()), "a success begins anew");
    }

    #[test]
    fn what_one_source_does_is_not_held_against_another() {
        let attempts = Attempts::default();
        while attempts.begin("a", network(1), NOW).is_ok() {}
        assert_eq!(attempts.begin("a", network(2), NOW), Ok(()));
        assert_eq!(attempts.begin("b", network(1), NOW), Ok(()), "nor one account's against another");
        assert!(
            attempts.begin("a", Source::network(IpAddr::from([192, 0, 1, 200])), NOW).is_err(),
            "one network"
        );
    }

    #[test]
    fn a_thousand_networks_are_worth_no_more_than_one_and_lock_no_known_device_out() {
        let attempts = Attempts::default();
        let tried = (0..100).filter(|last| attempts.begin("a", network(*last), NOW).is_ok()).count();
        assert_eq!(tried, 20);
        assert_eq!(attempts.begin("a", network(200), NOW), Err(60));
        assert_eq!(attempts.begin("a", Source::Device([1; 16]), NOW), Ok(()));
        let later = NOW.plus_seconds(60);
        assert_eq!(attempts.begin("a", network(200), later), Ok(()));
        assert_eq!(attempts.begin("a", network(201), later), Err(60));
    }

    #[test]
    fn many_at_one_time_are_not_one() {
        let attempts = Attempts::default();
        let at_once = (0..50).filter(|_| attempts.begin("a", network(1), NOW).is_ok()).count();
        assert_eq!(at_once, 4);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let attempts = Attempts::default();
        for n in 0..u32::try_from(KEPT).unwrap_or_default() / 2 + 10 {
            attempts.begin(&n.to_string(), network(1), NOW.plus_seconds(i64::from(n % 2))).ok();
        }
        assert!(attempts.0.lock().is_ok_and(|kept| kept.len() <= KEPT));
    }
}
