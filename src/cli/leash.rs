//! The leash of a child process: when its standard input closes, it stops.

use std::io::Read;

/// Calls `stop` once standard input has ended: the parent is gone, or wants this process gone.
pub(super) fn hold(stop: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        let mut sink = [0; 64];
        let mut input = std::io::stdin().lock();
        while input.read(&mut sink).is_ok_and(|n| n > 0) {}
        stop();
    });
}
