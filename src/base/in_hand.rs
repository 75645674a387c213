//! Whether something that takes moments is taking much longer.
//!
//! A call into a library may never come back: a server that keeps its connections open and does
//! nothing gives it no reason to. Nobody can end such a call but whoever ends the process; so what
//! makes one says when it begins and ends, and somebody else looks.
//!
//! Invariant: to say so costs next to nothing, and never waits for long.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Something that is done again and again, one at a time.
#[derive(Debug, Default)]
pub struct InHand(Mutex<Option<Instant>>);

impl InHand {
    /// It begins, and is over when what is given back is dropped.
    pub fn begin(&self) -> impl Drop + '_ {
        self.begin_at(Instant::now())
    }

    /// It began at that moment.
    pub(crate) fn begin_at(&self, began: Instant) -> impl Drop + '_ {
        *self.began() = Some(began);
        Until(self)
    }

    /// How long it has been going on.
    pub fn lasts(&self) -> Duration {
        self.began().map_or(Duration::ZERO, |began| began.elapsed())
    }

    fn began(&self) -> MutexGuard<'_, Option<Instant>> {
        // It changes in one assignment: a panic cannot leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Until<'a>(&'a InHand);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        *self.0.began() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_from_its_beginning_to_its_end() {
        let in_hand = InHand::default();
        assert_eq!(in_hand.lasts(), Duration::ZERO);
        let begun = in_hand.begin();
        while in_hand.lasts().is_zero() {
            std::thread::yield_now();
        }
        drop(begun);
        assert_eq!(in_hand.lasts(), Duration::ZERO);
    }
}
