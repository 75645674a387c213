//! Notices that one of the TLS files changed.
//!
//! Invariant: a change is seen again and again until its files were taken up, so that one that
//! could not be read for a moment is not lost. What the files hold is not looked at here.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use crate::config::TlsSection;

/// The files as they were at one moment, each by its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps(Vec<Stamp>);

/// What identifies a version of a file without reading it: device, inode, size and times of
/// modification and of change. `None` while there is no such file.
type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

/// The versions of the files that are in force.
pub(super) struct Watch(Mutex<Stamps>);

impl Watch {
    /// Takes note of the files as they are. To be made *before* reading them, so that a change
    /// in between is noticed afterwards.
    pub fn new(config: &TlsSection) -> Self {
        Self(Mutex::new(Stamps::of(config)))
    }

    /// The files as they are now, where that is not as they were taken up.
    pub fn changed(&self, config: &TlsSection) -> Option<Stamps> {
        let now = Stamps::of(config);
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (*taken != now).then_some(now)
    }

    /// Takes note of files that were read after [`Watch::changed`] saw them and can be used.
    pub fn taken_up(&self, seen: Stamps) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

impl Stamps {
    fn of(config: &TlsSection) -> Self {
        let stamp = |file| {
            let m = fs::metadata(file).ok()?;
            Some((m.dev(), m.ino(), m.size(), (m.mtime(), m.mtime_nsec()), (m.ctime(), m.ctime_nsec())))
        };
        Self(config.files().map(stamp).collect())
    }
}
