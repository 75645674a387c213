//! A machine's clock that a test sets. A library (libfaketime) plays it.

use std::path::{Path, PathBuf};

use super::TestGateway;

/// The clock of a gateway.
pub struct Clock(PathBuf);

impl Clock {
    /// Puts the library under a gateway that is not yet serving.
    pub fn of(gw: &mut TestGateway) -> Self {
        const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
        assert!(Path::new(LIBRARY).exists(), "the package `libfaketime` is needed");
        let clock = Self(gw.path().join("clock"));
        clock.set(0);
        gw.environment.insert("LD_PRELOAD".into(), LIBRARY.into());
        gw.environment.insert("FAKETIME_TIMESTAMP_FILE".into(), clock.0.clone());
        gw.environment.insert("FAKETIME_NO_CACHE".into(), "1".into());
        // Only the clock on the wall is set: durations pass as ever.
        gw.environment.insert("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into());
        clock
    }

    /// So many seconds fast (or slow).
    pub fn set(&self, fast: i64) {
        std::fs::write(self.0.with_extension("new"), format!("{fast:+}\n")).unwrap();
        std::fs::rename(self.0.with_extension("new"), &self.0).unwrap();
    }
}
