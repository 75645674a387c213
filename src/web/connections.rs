//! The open connections, and the end of those that stand still.
//!
//! The HTTP library bounds the first request of a connection and the rest between two, but not a
//! later request that stops half-way, nor an answer that nobody reads. Invariant: a connection
//! on which no request is worked on, and none has been whole for the patience given, is closed,
//! whatever trickles through it. What it sends is not looked at here.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net;

/// How often connections are looked at.
const ROUND: Duration = Duration::from_millis(500);

/// Stands for a moment while a request is worked on.
const AT_WORK: u64 = u64::MAX;

/// All open connections of a listener.
pub struct Connections {
    opened: Instant,
    patience: Duration,
    open: Mutex<Vec<Weak<Line>>>,
}

/// One connection, for as long as it is open.
pub struct Line {
    /// A second handle on the socket: the first belongs to the HTTP library.
    socket: TcpStream,
    opened: Instant,
    /// Milliseconds from `opened` to the end of the last request, or [`AT_WORK`].
    quiet_since: AtomicU64,
}

/// Keeps a connection open while its request is worked on.
pub struct Busy(Arc<Line>);

impl Connections {
    /// None yet. Between two requests a connection has `patience`.
    pub fn new(patience: Duration) -> Arc<Self> {
        Arc::new(Self { opened: Instant::now(), patience, open: Mutex::default() })
    }

    /// Takes up a connection as the HTTP library hands it over; none when the process has no file
    /// descriptor left for it. Its handle is kept by whoever keeps the connection.
    pub fn open(&self, connection: &dyn Any) -> Option<Arc<Line>> {
        let (tcp, _) = connection.downcast_ref::<TlsStream<net::TcpStream>>()?.get_ref();
        let socket = tcp.as_fd().try_clone_to_owned().ok()?.into();
        let line = Arc::new(Line { socket, opened: self.opened, quiet_since: AtomicU64::new(0) });
        line.quiet();
        self.lines(|open| open.push(Arc::downgrade(&line)));
        Some(line)
    }

    /// Closes what stands still, round after round. Runs until it is dropped.
    pub async fn watch(self: Arc<Self>) {
        loop {
            actix_web::rt::time::sleep(ROUND).await;
            self.close_still();
        }
    }

    fn close_still(&self) {
        let now = self.opened.elapsed();
        self.lines(|open| {
            open.retain(|line| {
                let Some(line) = line.upgrade() else { return false };
                let quiet = Duration::from_millis(line.quiet_since.load(Ordering::Relaxed));
                let still = now.saturating_sub(quiet) > self.patience;
                if still {
                    // The library finds it closed and lets go of it; it may have done so already.
                    line.socket.shutdown(Shutdown::Both).ok();
                }
                !still
            });
        });
    }

    fn lines<T>(&self, with: impl FnOnce(&mut Vec<Weak<Line>>) -> T) -> T {
        with(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Line {
    /// A whole request is there: the connection is safe until what is returned is dropped.
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.quiet_since.store(AT_WORK, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    fn quiet(&self) {
        let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or_default();
        self.quiet_since.store(since, Ordering::Relaxed);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.quiet();
    }
}
