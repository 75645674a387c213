//! What the service manager that started this process told it in its environment.
//!
//! By systemd's sd_notify protocol: `NOTIFY_SOCKET` names a datagram socket that wants to hear how
//! the process is doing; `WATCHDOG_USEC` says how long it may be silent before it is taken for
//! hung.

use std::time::Duration;

/// Who wants to hear, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor {
    /// The socket: a path, or `@` and an abstract name.
    pub socket: String,
    /// How long it waits between two signs of life; none when it does not wait for any.
    pub patience: Option<Duration>,
}

impl Supervisor {
    /// The one that started this process, if any.
    pub fn of_environment() -> Option<Self> {
        let micros = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        let patience = micros.filter(|micros| *micros > 0).map(Duration::from_micros);
        Some(Self { socket: std::env::var("NOTIFY_SOCKET").ok()?, patience })
    }
}
