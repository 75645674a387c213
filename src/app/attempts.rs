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
//! and until it is known to have succeeded, or not to have been looked at. It is counted in the state
//! database, so that every gateway knows of it; and there by a keyed hash, for a name that was typed
//! may be anything.

use std::net::IpAddr;

use ring::hmac;
use tokio::sync::Semaphore;

use super::gateway::Gateway;
use crate::base::{Code, Error, Result, Timestamp};
use crate::store::state::{Mark, Tries};

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
/// Attempts that one gateway counts at one time: whoever tries without end must not keep everybody
/// else from the database.
const AT_ONCE: usize = 2;

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
    /// Different for each.
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Device(device) => [&[1][..], &device].concat(),
            Self::Network(network) => [&[2][..], &network].concat(),
            Self::Session(session) => [&[3][..], &session].concat(),
        }
    }

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

/// What counting attempts works with.
pub struct Attempts {
    key: hmac::Key,
    turns: Semaphore,
}

impl Attempts {
    /// Counts under marks made with `key`.
    pub fn new(key: hmac::Key) -> Self {
        Self { key, turns: Semaphore::new(AT_ONCE) }
    }

    /// What an attempt is counted under: its own mark first, then those that it shares, as
    /// [`budgets`] has them.
    fn marks(&self, account: &str, source: Source) -> Vec<Mark> {
        let from = source.bytes();
        let about = ring::digest::digest(&ring::digest::SHA256, account.as_bytes());
        let mark = |parts: &[&[u8]]| {
            let tag = hmac::sign(&self.key, &parts.concat());
            let mut mark = Mark::default();
            mark.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
            mark
        };
        let own = mark(&[b"o", about.as_ref(), &from]);
        match source {
            Source::Network(_) => vec![own, mark(&[b"a", about.as_ref()]), mark(&[b"n", &from])],
            Source::Device(_) | Source::Session(_) => vec![own],
        }
    }
}

impl Gateway {
    /// Takes note of an attempt on `account`, as if it had failed already.
    ///
    /// # Errors
    /// `too-many-attempts` with the seconds to wait: then it was not taken note of and must not be
    /// made; `not-ready`.
    pub(super) async fn attempt_begins(&self, account: &str, source: Source) -> Result<()> {
        let now = self.now();
        let begun = self.judge(account, source, move |kept| begin(kept, source, now)).await?;
        begun.map_err(|wait| Error::new(Code::TooManyAttempts).retry_after(wait))
    }

    /// The attempt succeeded: the source begins anew on that account.
    pub(super) async fn attempt_succeeded(&self, account: &str, source: Source) {
        self.settle_attempt(account, source, succeed).await;
    }

    /// The attempt was not looked at, because the gateway could not: it does not count.
    pub(super) async fn attempt_not_made(&self, account: &str, source: Source) {
        self.settle_attempt(account, source, give_back).await;
    }

    /// What cannot be settled stays counted, and goes by with time.
    async fn settle_attempt(&self, account: &str, source: Source, settle: fn(&mut [Option<Tries>])) {
        let settled = self.judge(account, source, move |kept| {
            settle(kept);
            Ok(())
        });
        if let Err(error) = settled.await {
            tracing::warn!(cause = ?error.cause(), "an attempt to sign in stays counted as failed");
        }
    }

    async fn judge(
        &self,
        account: &str,
        source: Source,
        judge: impl FnOnce(&mut [Option<Tries>]) -> std::result::Result<(), u32> + Send + 'static,
    ) -> Result<std::result::Result<(), u32>> {
        let attempts = &self.entry.attempts;
        let marks = attempts.marks(account, source);
        let _turn = attempts.turns.acquire().await.map_err(|e| Error::new(Code::Internal).because(e))?;
        self.with_state(move |state| state.judge_attempt(&marks, judge)).await
    }
}

/// How many attempts there are of those that many share, and the seconds after which there is one more.
type Budget = (i64, i64);

/// What an attempt is taken from beside its own count.
fn budgets(source: Source) -> &'static [Budget] {
    match source {
        Source::Network(_) => &[(STRANGERS, ONE_MORE), (OF_NETWORK, ONE_MORE_OF_NETWORK)],
        Source::Device(_) | Source::Session(_) => &[],
    }
}

/// Counts an attempt, or gives the seconds to wait.
fn begin(kept: &mut [Option<Tries>], source: Source, now: Timestamp) -> std::result::Result<(), u32> {
    let Some((own, shared)) = kept.split_first_mut() else { return Ok(()) };
    let before = own.filter(|tries| now < tries.last.plus_seconds(FORGOTTEN));
    if let Some(wait) = before.and_then(|tries| wait(tries, now)) {
        return Err(wait);
    }
    for (tries, (most, one_more)) in shared.iter_mut().zip(budgets(source)) {
        let used = tries.map_or(0, |tries| used(tries, *one_more, now));
        if i64::from(used) >= *most {
            return Err(u32::try_from(*one_more).unwrap_or(u32::MAX));
        }
        *tries = Some(Tries { count: used + 1, last: now });
    }
    let count = before.map_or(0, |tries| tries.count).saturating_add(1);
    *own = Some(Tries { count, last: now });
    Ok(())
}

fn succeed(kept: &mut [Option<Tries>]) {
    if let Some((own, shared)) = kept.split_first_mut() {
        *own = None;
        give_back(shared);
    }
}

fn give_back(kept: &mut [Option<Tries>]) {
    for tries in kept {
        let left = tries.filter(|tries| tries.count > 1);
        *tries = left.map(|tries| Tries { count: tries.count - 1, ..tries });
    }
}

/// The seconds until the next attempt, if there are any.
fn wait(tries: Tries, now: Timestamp) -> Option<u32> {
    let beyond = tries.count.saturating_sub(FREE).min(16);
    let pause = if beyond == 0 { 0 } else { (1_i64 << beyond).min(LONGEST) };
    // A clock that was set back must not lengthen a wait beyond the pause.
    let left = (tries.last.plus_seconds(pause).seconds() - now.seconds()).min(pause);
    u32::try_from(left).ok().filter(|left| *left > 0)
}

/// The attempts used up, less those that time has given back.
fn used(tries: Tries, one_more: i64, now: Timestamp) -> u32 {
    let back = (now.seconds() - tries.last.seconds()).max(0) / one_more;
    tries.count.saturating_sub(u32::try_from(back).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);

    /// Marks as the database has them, without one.
    struct Kept {
        attempts: Attempts,
        tries: RefCell<HashMap<Mark, Tries>>,
    }

    impl Kept {
        fn new() -> Self {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
            Self { attempts: Attempts::new(key), tries: RefCell::default() }
        }

        fn judge<E>(
            &self,
            account: &str,
            source: Source,
            judge: impl FnOnce(&mut [Option<Tries>]) -> std::result::Result<(), E>,
        ) -> std::result::Result<(), E> {
            let marks = self.attempts.marks(account, source);
            let mut tries = self.tries.borrow_mut();
            let mut kept: Vec<_> = marks.iter().map(|mark| tries.get(mark).copied()).collect();
            judge(&mut kept)?;
            for (mark, kept) in marks.into_iter().zip(kept) {
                match kept {
                    Some(kept) => tries.insert(mark, kept),
                    None => tries.remove(&mark),
                };
            }
            Ok(())
        }

        fn begin(&self, account: &str, source: Source, now: Timestamp) -> std::result::Result<(), u32> {
            self.judge(account, source, |kept| begin(kept, source, now))
        }

        fn settle(&self, account: &str, source: Source, settle: fn(&mut [Option<Tries>])) {
            let settled = self.judge(account, source, |kept| {
                settle(kept);
                Ok::<_, ()>(())
            });
            assert_eq!(settled, Ok(()));
        }
    }

    fn network(last: u8) -> Source {
        Source::network(IpAddr::from([192, 0, last, 7]))
    }

    #[test]
    fn each_failure_after_the_third_doubles_the_wait_up_to_a_quarter_of_an_hour() {
        let attempts = Kept::new();
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
        attempts.settle("a", device, succeed);
        assert_eq!(attempts.begin("a", device, now), Ok(()), "a success begins anew");
    }

    #[test]
    fn what_one_source_does_is_not_held_against_another() {
        let attempts = Kept::new();
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
        let attempts = Kept::new();
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
        let attempts = Kept::new();
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
            attempts.settle(&name, network(3), succeed);
        }
    }

    #[test]
    fn what_was_not_looked_at_does_not_count() {
        let attempts = Kept::new();
        for _ in 0..300 {
            assert_eq!(attempts.begin("a", network(1), NOW), Ok(()));
            attempts.settle("a", network(1), give_back);
        }
        let made = (0..50).filter(|_| attempts.begin("a", network(1), NOW).is_ok()).count();
        assert_eq!(made, 4);
    }

    #[test]
    fn a_mark_tells_account_and_source_apart_and_another_key_makes_others() {
        let attempts = Kept::new().attempts;
        let marks = |account, source| attempts.marks(account, source);
        let all = [marks("a", network(1)), marks("b", network(1)), marks("a", network(2))].concat();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        // Three own ones, two of accounts, two of networks.
        assert_eq!((all.len(), distinct.len()), (9, 7));
        let other = Attempts::new(hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]));
        assert!(other.marks("a", network(1)).iter().all(|mark| !distinct.contains(mark)));
    }
}
