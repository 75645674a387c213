//! How long what is in force here may be relied on, when others can change it elsewhere.
//!
//! Several gateways on one database agree on what is in force as far as each has looked. One that
//! could not look, or stood still, may not know that a grant was revoked meanwhile: so it answers
//! only for a bounded time after its last look. A revocation that was acknowledged at a moment is
//! answered under by nobody once that time has passed, whatever happened to them in between.
//!
//! A newer program may have done what this one does not know. If rights may have been taken away so,
//! this one answers nothing from then on.
//!
//! Invariant: the time runs from before the look began, and only a look of which everything is in
//! force here counts; it is measured by a clock that nobody sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::base::{Code, Error, Result};

/// The time for which the last look holds.
#[derive(Debug)]
pub struct Lease {
    /// None for a gateway that is the only one.
    holds: Option<Duration>,
    began: Instant,
    /// When the last look that counts began, in microseconds after `began`; 0 before there was one.
    looked: AtomicU64,
    /// What a newer program has done and this one cannot follow.
    outgrown: ArcSwapOption<String>,
}

impl Lease {
    /// One that holds for so long after each look; none for a gateway that shares its state with
    /// nobody.
    pub fn new(holds: Option<Duration>) -> Self {
        Self { holds, began: Instant::now(), looked: AtomicU64::new(0), outgrown: ArcSwapOption::empty() }
    }

    /// Notes that everything that a look found which began at `at` is in force here.
    pub fn renew(&self, at: Instant) {
        let micros = u64::try_from(at.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX);
        // One that began earlier may end later.
        self.looked.fetch_max(micros.max(1), Ordering::AcqRel);
        self.outgrown.store(None);
    }

    /// Notes what a look found that this program cannot follow: it may not be relied on any more what
    /// is in force here, until a look finds nothing of the kind.
    pub fn outgrow(&self, by: String) {
        self.outgrown.store(Some(Arc::new(by)));
    }

    /// Did the last look find something that this program cannot follow?
    pub fn is_outgrown(&self) -> bool {
        self.outgrown.load().is_some()
    }

    /// Has it run out?
    pub fn is_stale(&self, now: Instant) -> bool {
        let Some(holds) = self.holds else { return false };
        let looked = Duration::from_micros(self.looked.load(Ordering::Acquire));
        looked.is_zero() || now.saturating_duration_since(self.began) >= looked + holds
    }

    /// Has it not run out now?
    ///
    /// # Errors
    /// `not-ready`, to be tried again in a second, by then maybe with another gateway.
    pub fn check(&self) -> Result<()> {
        if let Some(by) = &*self.outgrown.load() {
            return Err(Error::new(Code::NotReady).retry_after(1).because(String::clone(by)));
        }
        match self.is_stale(Instant::now()) {
            false => Ok(()),
            true => {
                let why = "what others may have changed was not looked at for too long";
                Err(Error::new(Code::NotReady).retry_after(1).because(why))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_holds_for_its_time_from_the_beginning_of_the_newest_look() {
        let lease = Lease::new(Some(SECOND));
        let start = lease.began + 10 * SECOND;
        assert!(lease.is_stale(lease.began), "nobody has looked yet");
        lease.renew(start);
        assert!(!lease.is_stale(start) && !lease.is_stale(start + SECOND * 99 / 100));
        assert!(lease.is_stale(start + SECOND));
        lease.renew(start + SECOND);
        // A look that took longer than the next one does not set it back.
        lease.renew(start);
        assert!(!lease.is_stale(start + SECOND * 3 / 2));
        assert!(lease.is_stale(start + 2 * SECOND));
    }

    #[test]
    fn who_is_alone_needs_none() {
        let lease = Lease::new(None);
        assert!(!lease.is_stale(lease.began + 1_000_000 * SECOND));
        assert!(lease.check().is_ok());
    }

    #[test]
    fn who_cannot_follow_what_was_done_answers_nothing_though_alone_until_it_can() {
        let lease = Lease::new(None);
        lease.outgrow("an act of an unknown kind".into());
        assert!(lease.is_outgrown());
        assert!(lease.check().is_err_and(|error| error.code == Code::NotReady));
        lease.renew(lease.began);
        assert!(!lease.is_outgrown() && lease.check().is_ok());
    }

    #[test]
    fn the_caller_is_told_to_come_back() {
        let refused = Lease::new(Some(SECOND)).check().err();
        assert!(refused.is_some_and(|error| error.code == Code::NotReady && error.retry_after == Some(1)));
    }
}
