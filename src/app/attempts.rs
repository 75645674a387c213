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
//! - One network has 100 attempts over all accounts, and one more each half minute: so who tries one
//!   password on everybody gets through few. Successes do not count, and a known device is not held
//!   to that either.
//!
//! Invariant: an attempt counts as failed from its beginning, so that many at one time are not one,
//! and until it is known to have succeeded, or not to have been looked at;
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
/// The same for one network over all accounts: enough for an office that starts work behind one
/// address, with every tenth mistyping.
const OF_NETWORK: i64 = 100;
const ONE_MORE_OF_NETWORK: i64 = 30;
/// The most that is kept. The oldest go first; filling it takes longer than the longest wait, since
/// every attempt costs a hash.
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

/// The SHA-256 of the account's name as it was typed, none for all accounts; and the source, none for
/// all strangers.
type Key = (Option<[u8; 32]>, Option<Source>);

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
        let account = Some(name(account));
        let own = kept.get(&(account, Some(source))).copied().filter(|tries| !tries.forgotten(now));
        if let Some(wait) = own.and_then(|tries| tries.wait(now)) {
            return Err(wait);
        }
        let budgets = budgets(account, source);
        let used = |(key, _, one_more): &Budget| kept.get(key).map_or(0, |t| t.left_over(*one_more, now));
        if let Some((_, _, one_more)) = budgets.iter().find(|b| i64::from(used(b)) >= b.1) {
            return Err(u32::try_from(*one_more).unwrap_or(u32::MAX));
        }
        let counts: Vec<(Key, u32)> = budgets.iter().map(|b| (b.0, used(b) + 1)).collect();
        for (key, count) in counts {
            put(&mut kept, key, Tries { count, last: now });
        }
        let count = own.map_or(0, |tries| tries.count).saturating_add(1);
        put(&mut kept, (account, Some(source)), Tries { count, last: now });
        Ok(())
    }

    /// The attempt succeeded: the source begins anew on that account.
    pub fn succeeded(&self, account: &str, source: Source) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let account = Some(name(account));
        kept.remove(&(account, Some(source)));
        budgets(account, source).iter().for_each(|(key, ..)| give_back(&mut kept, key));
    }

    /// The attempt was not looked at, because the gateway could not: it does not count.
    pub fn not_made(&self, account: &str, source: Source) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let account = Some(name(account));
        give_back(&mut kept, &(account, Some(source)));
        budgets(account, source).iter().for_each(|(key, ..)| give_back(&mut kept, key));
    }
}

/// Attempts that many share: of which key, how many, and the seconds after which there is one more.
type Budget = (Key, i64, i64);

/// What an attempt is taken from beside its own count.
fn budgets(account: Option<[u8; 32]>, source: Source) -> Vec<Budget> {
    match source {
        Source::Network(_) => vec![
            ((account, None), STRANGERS, ONE_MORE),
            ((None, Some(source)), OF_NETWORK, ONE_MORE_OF_NETWORK),
        ],
        Source::Device(_) | Source::Session(_) => Vec::new(),
    }
}

fn give_back(kept: &mut HashMap<Key, Tries>, key: &Key) {
    if let Some(tries) = kept.get_mut(key) {
        tries.count = tries.count.saturating_sub(1);
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
    fn left_over(&self, one_more: i64, now: Timestamp) -> u32 {
        let back = (now.seconds() - self.last.seconds()).max(0) / one_more;
        self.count.saturating_sub(u32::try_from(back).unwrap_or(u32::MAX))
    }
}

fn put(kept: &mut HashMap<Key, Tries>, key: Key, tries: Tries) {
    if kept.len() >= KEPT && !kept.contains_key(&key) {
        kept.retain(|_, old| !old.forgotten(tries.last));
        // An eighth at a time: to look for the oldest of all at every attempt would take longer than
        // the attempt.
        if kept.len() >= KEPT {
            let mut times: Vec<_> = kept.values().map(|old| old.last).collect();
            let (_, eighth, _) = times.select_nth_unstable(KEPT / 8);
            let eighth = *eighth;
            kept.retain(|_, old| old.last > eighth);
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
    fn one_network_does_not_try_everybody_and_locks_no_other_and_no_known_device_out() {
        let attempts = Attempts::default();
        let names = || (0..300).map(|n| n.to_string());
        let made = names().filter(|name| attempts.begin(name, network(1), NOW).is_ok()).count();
        assert_eq!(made, 100);
        assert_eq!(attempts.begin("x", network(1), NOW), Err(30));
        assert_eq!(attempts.begin("x", network(2), NOW), Ok(()));
        assert_eq!(attempts.begin("x", Source::Device([1; 16]), NOW), Ok(()));
        assert_eq!(attempts.begin("y", network(1), NOW.plus_seconds(30)), Ok(()));
        assert_eq!(attempts.begin("z", network(1), NOW.plus_seconds(30)), Err(30));
        // An office in which everybody signs in is no such thing.
        for name in names() {
            assert_eq!(attempts.begin(&name, network(3), NOW), Ok(()));
            attempts.succeeded(&name, network(3));
        }
    }

    #[test]
    fn what_was_not_looked_at_does_not_count() {
        let attempts = Attempts::default();
        for _ in 0..300 {
            assert_eq!(attempts.begin("a", network(1), NOW), Ok(()));
            attempts.not_made("a", network(1));
        }
        let made = (0..50).filter(|_| attempts.begin("a", network(1), NOW).is_ok()).count();
        assert_eq!(made, 4);
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
        // Each from a network of its own: no budget stops it.
        for n in 0..u32::try_from(KEPT).unwrap_or_default() / 2 + 10 {
            let network = Source::network(IpAddr::from((n << 8).to_be_bytes()));
            attempts.begin(&n.to_string(), network, NOW.plus_seconds(i64::from(n % 2))).ok();
        }
        assert!(attempts.0.lock().is_ok_and(|kept| kept.len() <= KEPT));
    }
}
