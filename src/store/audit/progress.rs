//! How far the log and its index are: what the writer and the indexer tell the rest.
//!
//! Invariant: the published checkpoint is always one whose commit has returned.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::audit::Hash;
use crate::base::InHand;

/// Shared by the writer, the indexer and all handles.
#[derive(Debug)]
pub struct Shared {
    /// The log's name.
    pub origin: Arc<str>,
    state: Mutex<Progress>,
    changed: Condvar,
    /// A batch.
    pub in_hand: InHand,
}

/// One moment of it.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Durable records.
    pub size: u64,
    /// The root over them: of the newest checkpoint.
    pub root: Hash,
    /// Batches that made it grow, since the start.
    pub batches: u64,
    /// The newest checkpoint.
    pub note: Arc<str>,
    /// Records in the search index.
    pub indexed: u64,
    /// Somebody waits until so many are.
    wanted: u64,
    /// The indexer has filed everything and sleeps.
    idle: bool,
    /// Whether the last checkpoint reached the second place.
    pub copied: bool,
    /// Whether the last try to write was durable.
    pub writes: bool,
    /// Set when the log is being closed.
    pub closing: bool,
}

impl Shared {
    /// Nothing written, nothing indexed.
    pub fn new(origin: &str) -> Self {
        let state = Progress {
            size: 0,
            root: Hash::of_empty(),
            batches: 0,
            note: "".into(),
            indexed: 0,
            wanted: 0,
            idle: false,
            copied: true,
            writes: true,
            closing: false,
        };
        Self {
            origin: origin.into(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            in_hand: InHand::default(),
        }
    }

    /// Now.
    pub fn now(&self) -> Progress {
        self.lock().clone()
    }

    /// A batch is durable.
    pub fn publish(&self, size: u64, root: Hash, note: Arc<str>, copied: bool) {
        let mut state = self.lock();
        state.batches += u64::from(size > state.size);
        (state.copied, state.writes) = (copied, true);
        // What another gateway wrote since may be known already.
        if size >= state.size {
            (state.size, state.root, state.note) = (size, root, note);
        }
        // An indexer that gathers looks again by itself: not each batch need wake it.
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        if idle {
            self.changed.notify_all();
        }
    }

    /// The log was found to be so large: others write it too.
    pub fn follow(&self, size: u64, root: Hash, note: Arc<str>, copied: bool) {
        let mut state = self.lock();
        state.copied = copied;
        if size > state.size {
            (state.size, state.root, state.note) = (size, root, note);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// A batch could not be written, or the log is not what it was.
    pub fn publish_failure(&self) {
        self.lock().writes = false;
    }

    /// The index has come this far.
    pub fn publish_indexed(&self, indexed: u64) {
        self.lock().indexed = indexed;
        self.changed.notify_all();
    }

    /// The log is being closed.
    pub fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// Waits until `size` records are in the index, the log's closing or the end of `patience`.
    pub fn wait_indexed(&self, size: u64, patience: Duration) {
        let mut state = self.lock();
        state.wanted = state.wanted.max(size);
        self.changed.notify_all();
        drop(self.wait(state, patience, |now| now.indexed >= size));
    }

    /// For the indexer: waits until there are more than `done` records or the log is being closed.
    pub fn wait_grown(&self, done: u64) -> Progress {
        let mut state = self.lock();
        state.idle = state.size <= done;
        let mut state = self.wait(state, Duration::MAX, |now| now.size > done);
        state.idle = false;
        state.clone()
    }

    /// For the indexer: waits for `patience`, or until somebody wants more than `done` records in
    /// the index, or the log is being closed.
    pub fn gather(&self, done: u64, patience: Duration) -> Progress {
        self.wait(self.lock(), patience, |now| now.wanted > done).clone()
    }

    /// Waits for the log's closing or the end of `patience`.
    pub fn pause(&self, patience: Duration) {
        drop(self.wait(self.lock(), patience, |_| false));
    }

    fn wait<'s>(
        &self,
        state: MutexGuard<'s, Progress>,
        patience: Duration,
        ready: impl Fn(&Progress) -> bool,
    ) -> MutexGuard<'s, Progress> {
        let waiting = |now: &mut Progress| !ready(now) && !now.closing;
        let waited = self.changed.wait_timeout_while(state, patience, waiting);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        // Every change above is one assignment: a panic cannot leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;

    /// Nobody waits that long unless nobody is woken.
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn whoever_searches_ends_the_gathering() {
        let (shared, began) = (Arc::new(Shared::new("test/log")), Instant::now());
        shared.publish(5, Hash::of_empty(), "".into(), true);
        let gathering = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.gather(4, LONG).size
        });
        shared.wait_indexed(5, Duration::ZERO);
        assert_eq!(gathering.join().unwrap(), 5);
        assert!(began.elapsed() < LONG);
    }

    #[test]
    fn an_indexer_that_sleeps_is_woken_by_the_first_batch_and_by_the_end() {
        let shared = Arc::new(Shared::new("test/log"));
        let sleep = |done| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.wait_grown(done))
        };
        let asleep = sleep(0);
        // Published only once it sleeps: that it is woken is what is tested.
        while !shared.now().idle {
            thread::yield_now();
        }
        shared.publish(1, Hash::of_empty(), "".into(), true);
        assert_eq!(asleep.join().unwrap().size, 1);
        let asleep = sleep(1);
        shared.close();
        assert!(asleep.join().unwrap().closing);
    }

    #[test]
    fn whoever_waits_for_the_index_is_told_when_it_is_there() {
        let (shared, began) = (Arc::new(Shared::new("test/log")), Instant::now());
        let waiting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.wait_indexed(3, LONG)
        });
        shared.publish_indexed(3);
        waiting.join().unwrap();
        assert!(began.elapsed() < LONG);
    }
}
