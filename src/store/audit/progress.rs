//! How far the log and its index are: what the writer and the indexer tell the rest.
//!
//! Invariant: the published checkpoint is always one whose commit has returned.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shared by the writer, the indexer and all handles.
#[derive(Debug)]
pub struct Shared {
    /// The log's name.
    pub origin: Arc<str>,
    state: Mutex<Progress>,
    changed: Condvar,
}

/// One moment of it.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Durable records.
    pub size: u64,
    /// Batches that made it grow, since the start.
    pub batches: u64,
    /// The newest checkpoint.
    pub note: Arc<str>,
    /// Records in the search index.
    pub indexed: u64,
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
            batches: 0,
            note: "".into(),
            indexed: 0,
            copied: true,
            writes: true,
            closing: false,
        };
        Self { origin: origin.into(), state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Now.
    pub fn now(&self) -> Progress {
        self.lock().clone()
    }

    /// A batch is durable.
    pub fn publish(&self, size: u64, note: Arc<str>, copied: bool) {
        let mut state = self.lock();
        state.batches += u64::from(size > state.size);
        (state.size, state.note, state.copied, state.writes) = (size, note, copied, true);
        drop(state);
        self.changed.notify_all();
    }

    /// A batch could not be written.
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

    /// Waits until `ready`, the log's closing or the end of `patience`.
    pub fn wait(&self, patience: Duration, ready: impl Fn(&Progress) -> bool) -> Progress {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        while !ready(&state) && !state.closing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        // Every change above is one assignment: a panic cannot leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
