//! The circuit breaker of one provider: a pure state machine.
//!
//! Closed, it lets calls pass and counts failures in a row; after too many it opens and refuses;
//! after a while it lets exactly one call probe, whose outcome closes it or opens it again.
//! Invariant: an outcome counts only in the state in which its call was admitted, so a call that
//! started long before the breaker opened neither closes nor re-opens it. The time is always a
//! parameter.

use std::time::{Duration, Instant};

/// See the module.
#[derive(Debug)]
pub struct Breaker {
    failures: u32,
    pause: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Calls pass; this many have failed in a row.
    Closed(u32),
    /// Calls are refused until then.
    Open(Instant),
    /// One call is on its way to find out.
    Probing,
}

/// What a call was let in as. It is handed back with the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// One of many.
    Pass,
    /// The only one, to find out whether the provider is back.
    Probe,
}

/// How a call went, as far as the provider is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The provider answered as it should.
    Success,
    /// The provider failed: late, unreachable, broken, or talking nonsense.
    Failure,
    /// Nothing was learnt: the call was given up, or refused for a fault of our own.
    Unknown,
}

impl Breaker {
    /// A closed breaker that opens for `pause` after `failures` in a row (at least one).
    pub fn new(failures: u32, pause: Duration) -> Self {
        Self { failures: failures.max(1), pause, state: State::Closed(0) }
    }

    /// Lets a call in, or says how long to wait before the next try makes sense.
    pub fn admit(&mut self, now: Instant) -> Result<Admission, Duration> {
        match self.state {
            State::Closed(_) => Ok(Admission::Pass),
            State::Open(until) if now < until => Err(until - now),
            State::Open(_) => {
                self.state = State::Probing;
                Ok(Admission::Probe)
            }
            State::Probing => Err(self.pause),
        }
    }

    /// Does it let calls pass, as far as is known?
    pub fn passes(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    /// Takes in how an admitted call went.
    pub fn report(&mut self, admission: Admission, outcome: Outcome, now: Instant) {
        self.state = match (self.state, admission, outcome) {
            (State::Closed(_), Admission::Pass, Outcome::Success) => State::Closed(0),
            (State::Closed(failed), Admission::Pass, Outcome::Failure) if failed + 1 < self.failures => {
                State::Closed(failed + 1)
            }
            (State::Closed(_), Admission::Pass, Outcome::Failure) => State::Open(now + self.pause),
            (State::Probing, Admission::Probe, Outcome::Success) => State::Closed(0),
            (State::Probing, Admission::Probe, Outcome::Failure) => State::Open(now + self.pause),
            // The probe told nothing: the next call probes at once.
            (State::Probing, Admission::Probe, Outcome::Unknown) => State::Open(now),
            (state, _, _) => state,
        };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    enum Step {
        /// At this second: a call is let in as that.
        In(u64, Admission),
        /// At this second: a call is refused for so many seconds.
        Out(u64, u64),
        /// At this second: such a call ends so.
        End(u64, Admission, Outcome),
    }

    #[test]
    fn the_breaker_follows_the_table() {
        use Admission::{Pass, Probe};
        use Outcome::{Failure, Success, Unknown};
        use Step::{End, In, Out};
        const FAILED: Step = End(0, Pass, Failure);
        let table: &[(&str, &[Step])] = &[
            ("one failure of two leaves it closed", &[In(0, Pass), FAILED, In(1, Pass)]),
            (
                "a success in between starts the count anew",
                &[FAILED, End(1, Pass, Success), FAILED, In(3, Pass)],
            ),
            ("two in a row open it for the pause", &[FAILED, FAILED, Out(0, 5), Out(3, 2)]),
            ("after the pause one call probes", &[FAILED, FAILED, In(5, Probe), Out(5, 5), Out(60, 5)]),
            (
                "a probe that succeeds closes it, and the count starts anew",
                &[FAILED, FAILED, In(5, Probe), End(6, Probe, Success), In(6, Pass), FAILED, In(6, Pass)],
            ),
            (
                "a probe that fails opens it again",
                &[FAILED, FAILED, In(5, Probe), End(6, Probe, Failure), Out(6, 5), In(11, Probe)],
            ),
            (
                "a probe given up lets the next call probe",
                &[FAILED, FAILED, In(5, Probe), End(6, Probe, Unknown), In(6, Probe)],
            ),
            (
                "a late success of an old call does not close it",
                &[
                    FAILED,
                    FAILED,
                    End(1, Pass, Success),
                    Out(1, 4),
                    In(5, Probe),
                    End(5, Pass, Success),
                    Out(5, 5),
                ],
            ),
            (
                "a late failure of an old call does not prolong it",
                &[FAILED, FAILED, End(4, Pass, Failure), In(5, Probe)],
            ),
            (
                "faults of our own do not count",
                &[End(0, Pass, Unknown), End(0, Pass, Unknown), End(0, Pass, Unknown), In(0, Pass)],
            ),
        ];
        for (name, steps) in table {
            let start = Instant::now();
            let at = |second| start + Duration::from_secs(second);
            let mut breaker = Breaker::new(2, PAUSE);
            for (number, step) in steps.iter().enumerate() {
                match *step {
                    In(second, admission) => {
                        assert_eq!(breaker.admit(at(second)), Ok(admission), "{name}, step {number}");
                    }
                    Out(second, wait) => {
                        let wait = Duration::from_secs(wait);
                        assert_eq!(breaker.admit(at(second)), Err(wait), "{name}, step {number}");
                    }
                    End(second, admission, outcome) => breaker.report(admission, outcome, at(second)),
                }
            }
        }
    }
}
