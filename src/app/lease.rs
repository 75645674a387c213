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
//! force here counts; it is measured by a clock that nobody sets and that goes on while the machine
//! sleeps, and by the time of day where that says more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::base::{Code, Error, Moment, Result};

/// The time for which the last look holds.
#[derive(Debug)]
pub struct Lease {
    /// None for a gateway that is the only one.
    holds: Option<Duration>,
    /// When the last look that counts began.
    looked: Mutex<Option<Moment>>,
    /// What a newer program has done and this one cannot follow.
    outgrown: ArcSwapOption<String>,
}

impl Lease {
    /// One that holds for so long after each look; none for a gateway that shares its state with
    /// nobody.
    pub fn new(holds: Option<Duration>) -> Self {
        Self { holds, looked: Mutex::default(), outgrown: ArcSwapOption::empty() }
    }

    /// Notes that everything that a look found which began at `at` is in force here.
    pub fn renew(&self, at: Moment) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        // One that began earlier may end later.
        if looked.is_none_or(|looked| looked.up < at.up) {
            *looked = Some(at);
        }
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
    pub fn is_stale(&self, now: Moment) -> bool {
        let Some(holds) = self.holds else { return false };
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.is_none_or(|looked| now.since(looked) >= holds)
    }

    /// Has it not run out now?
    ///
    /// # Errors
    /// `not-ready`, to be tried again in a second, by then maybe with another gateway.
    pub fn check(&self) -> Result<()> {
        if let Some(by) = &*self.outgrown.load() {
            return Err(Error::new(Code::NotReady).retry_after(1).because(String::clone(by)));
        }
        match self.is_stale(Moment::now()) {
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

    use crate::base::Timestamp;

    const SECOND: Duration = Duration::from_secs(1);

    /// A moment so many milliseconds after the machine was started and after noon.
    fn moment(up: u64, at: i64) -> Moment {
        Moment { up: Duration::from_millis(up), at: Timestamp::from_micros(at * 1000) }
    }

    #[test]
    fn it_holds_for_its_time_from_the_beginning_of_the_newest_look() {
        let lease = Lease::new(Some(SECOND));
        let after = |millis: u64| moment(10_000 + millis, 500 + millis as i64);
        assert!(lease.is_stale(after(0)), "nobody has looked yet");
        lease.renew(after(0));
        assert!(!lease.is_stale(after(0)) && !lease.is_stale(after(990)));
        assert!(lease.is_stale(after(1000)));
        lease.renew(after(1000));
        // A look that took longer than the next one does not set it back.
        lease.renew(after(0));
        assert!(!lease.is_stale(after(1500)));
        assert!(lease.is_stale(after(2000)));
    }

    #[test]
    fn a_clock_that_is_set_back_prolongs_nothing_and_one_that_jumped_ends_it() {
        let lease = Lease::new(Some(SECOND));
        lease.renew(moment(10_000, 500_000));
        assert!(lease.is_stale(moment(11_000, 0)), "the clock was set back");
        assert!(!lease.is_stale(moment(10_999, 0)));
        // The machine as a whole stood still, and learned how late it is.
        assert!(lease.is_stale(moment(10_001, 501_000)));
        lease.renew(moment(10_002, 501_001));
        assert!(!lease.is_stale(moment(10_003, 501_002)));
    }

    #[test]
    fn the_machines_own_clocks_go_on() {
        let before = Moment::now();
        assert!(Moment::now().since(before) < SECOND * 30 && before.up > Duration::ZERO);
    }

    #[test]
    fn who_is_alone_needs_none() {
        let lease = Lease::new(None);
        assert!(!lease.is_stale(moment(1_000_000_000, 0)));
        assert!(lease.check().is_ok());
    }

    #[test]
    fn who_cannot_follow_what_was_done_answers_nothing_though_alone_until_it_can() {
        let lease = Lease::new(None);
        lease.outgrow("an act of an unknown kind".into());
        assert!(lease.is_outgrown());
        assert!(lease.check().is_err_and(|error| error.code == Code::NotReady));
        lease.renew(moment(1, 0));
        assert!(!lease.is_outgrown() && lease.check().is_ok());
    }

    #[test]
    fn the_caller_is_told_to_come_back() {
        let refused = Lease::new(Some(SECOND)).check().err();
        assert!(refused.is_some_and(|error| error.code == Code::NotReady && error.retry_after == Some(1)));
    }
}
