//! When the certificates end that were shown since the start.
//!
//! Invariant: one date for each key, that of the newest connection; so as long as only registered keys
//! are noted, there are no more dates than keys that were ever registered. In memory alone: a gateway
//! that was just started has seen nobody, and each has seen its own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::base::Timestamp;
use crate::base::ids::Fingerprint;

/// By key, when the certificate ends that was shown last.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<Fingerprint, Timestamp>>);

impl Seen {
    /// Notes when a certificate ends.
    pub fn note(&self, key: Fingerprint, ends: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, ends);
    }

    /// All that were noted.
    pub fn all(&self) -> Vec<(Fingerprint, Timestamp)> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|(key, ends)| (*key, *ends)).collect()
    }
}
