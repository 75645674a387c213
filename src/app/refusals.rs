//! The budget of refusals.
//!
//! Every refusal is recorded, and a record costs space and time for ever: so a caller that is
//! refused without end could fill the log. Each caller therefore has a budget of records per
//! minute. Beyond it refusals are only counted, and the count becomes one record.
//!
//! Invariant: one caller's flood uses up that caller's budget and no other's; and the number of
//! callers kept is bounded by the registered systems and accounts, with all unknown ones in a single place.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use super::call::CallerId;
use crate::base::{Bound, Timestamp};

const MINUTE: i64 = 60_000_000;

/// What is left of each caller's budget.
#[derive(Debug)]
pub struct Refusals {
    per_minute: i64,
    callers: Mutex<HashMap<Option<CallerId>, Budget>>,
}

#[derive(Debug, Clone, Copy)]
struct Budget {
    /// Micro-tokens: a record costs a minute's worth of microseconds.
    tokens: i64,
    filled: Timestamp,
    surplus: u64,
}

/// Refusals of one caller that were counted and not recorded one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surplus {
    /// The caller; none stands for all unknown ones.
    pub caller: Option<CallerId>,
    /// How many.
    pub count: u64,
}

impl Refusals {
    /// A budget of so many records a minute for each caller.
    pub fn new(per_minute: NonZeroU32) -> Self {
        Self { per_minute: i64::from(per_minute.get()), callers: Mutex::default() }
    }

    /// A known caller can be called and asked what it is doing; strangers together get a tenth.
    fn rate(&self, caller: Option<&CallerId>) -> i64 {
        if caller.is_some() { self.per_minute } else { (self.per_minute / 10).max(1) }
    }

    /// Takes one record out of the caller's budget; false, and counted, when it is used up.
    pub fn take(&self, caller: Option<&CallerId>, now: Timestamp) -> bool {
        let rate = self.rate(caller);
        let full = rate.saturating_mul(MINUTE);
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let budget =
            callers.entry(caller.cloned()).or_insert(Budget { tokens: full, filled: now, surplus: 0 });
        let passed = now.micros().saturating_sub(budget.filled.micros()).clamp(0, MINUTE);
        budget.tokens = budget.tokens.saturating_add(passed.saturating_mul(rate)).min(full);
        budget.filled = now;
        if budget.tokens >= MINUTE {
            budget.tokens -= MINUTE;
            true
        } else {
            budget.surplus += 1;
            false
        }
    }

    /// The bound that a caller has reached when [`Refusals::take`] says no.
    pub fn bound(&self, caller: Option<&CallerId>) -> Bound {
        let quota = u64::try_from(self.rate(caller)).unwrap_or_default();
        Bound { name: "refusals-minute", quota, remaining: 0, window_seconds: 60 }
    }

    /// Counts `count` requests without a record of their own: turned away to protect the gateway
    /// itself, or counted before and not yet recorded.
    pub fn count(&self, caller: Option<&CallerId>, count: u64, now: Timestamp) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let full = self.rate(caller).saturating_mul(MINUTE);
        let budget =
            callers.entry(caller.cloned()).or_insert(Budget { tokens: full, filled: now, surplus: 0 });
        budget.surplus = budget.surplus.saturating_add(count);
    }

    /// Hands over what was only counted since the last time.
    pub fn surplus(&self) -> Vec<Surplus> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers
            .iter_mut()
            .filter(|(_, budget)| budget.surplus > 0)
            .map(|(caller, budget)| Surplus {
                caller: caller.clone(),
                count: std::mem::take(&mut budget.surplus),
            })
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::ids::SystemId;

    #[test]
    fn a_flood_uses_up_its_own_budget_only_and_is_counted() {
        let refusals = Refusals::new(NonZeroU32::new(3).unwrap());
        let system = |id| CallerId::System(SystemId::parse(id).unwrap());
        let (noisy, quiet) = (system("noisy"), system("quiet"));
        let now = Timestamp::from_micros(0);
        let taken = (0..10).filter(|_| refusals.take(Some(&noisy), now)).count();
        assert_eq!(taken, 3);
        assert!(refusals.take(Some(&quiet), now));
        assert!(refusals.take(None, now));
        assert_eq!(refusals.surplus(), [Surplus { caller: Some(noisy), count: 7 }]);
        assert_eq!(refusals.surplus(), []);
    }

    #[test]
    fn the_budget_refills_with_time_and_not_with_a_clock_set_back() {
        let refusals = Refusals::new(NonZeroU32::new(600).unwrap());
        let start = Timestamp::from_micros(10 * MINUTE);
        assert_eq!((0..100).filter(|_| refusals.take(None, start)).count(), 60);
        assert!(!refusals.take(None, start.plus_seconds(-30)));
        assert!(refusals.take(None, start.plus_seconds(-29)));
        assert!(!refusals.take(None, start.plus_seconds(-29)));
    }
}
