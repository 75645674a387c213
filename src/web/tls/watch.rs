//! Notices that one of the TLS files changed.
//!
//! Invariant: a change is reported once. What the files hold is not looked at here.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use crate::config::TlsSection;

/// What identifies a version of a file without reading it: device, inode, size and times of
/// modification and of change. `None` while there is no such file.
type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

/// The versions of the files seen last.
pub(super) struct Watch(Mutex<Vec<Stamp>>);

impl Watch {
    /// Takes note of the files as they are. To be made *before* reading them, so that a change
    /// in between is noticed afterwards.
    pub fn new(config: &TlsSection) -> Self {
        Self(Mutex::new(stamps(config)))
    }

    /// Did a file change since the last call?
    pub fn changed(&self, config: &TlsSection) -> bool {
        let now = stamps(config);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *seen != now;
        *seen = now;
        changed
    }
}

fn stamps(config: &TlsSection) -> Vec<Stamp> {
    config
        .files()
        .map(|file| {
            let m = fs::metadata(file).ok()?;
            Some((m.dev(), m.ino(), m.size(), (m.mtime(), m.mtime_nsec()), (m.ctime(), m.ctime_nsec())))
        })
        .collect()
}
