//! Tells the service manager how the gateway is doing: sd_notify, a datagram for each message.
//!
//! Invariant: nothing here makes the gateway wait or fail; a service manager that does not listen
//! misses something, and that is all.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::config::Supervisor;

/// The way to the service manager; leads nowhere when there is none.
pub(super) struct Notifier(Option<(UnixDatagram, SocketAddr)>);

impl Notifier {
    /// To the manager that `supervisor` names.
    pub(super) fn new(supervisor: Option<&Supervisor>) -> Self {
        let way = supervisor.and_then(|supervisor| match way_to(&supervisor.socket) {
            Ok(way) => Some(way),
            Err(error) => {
                tracing::warn!(notify.error = %error, "the service manager cannot be told anything");
                None
            }
        });
        Self(way)
    }

    /// The gateway answers.
    pub(super) fn ready(&self) {
        self.say("READY=1\nSTATUS=serving");
    }

    /// It was asked to stop, and finishes what it has in hand.
    pub(super) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=finishing what is in hand");
    }

    /// It lives.
    pub(super) fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    fn say(&self, message: &str) {
        if let Some((socket, address)) = &self.0
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            tracing::debug!(notify.error = %error, "the service manager did not listen");
        }
    }
}

/// How often to give a sign of life to a manager that waits for `patience`.
pub(super) fn rhythm(patience: Duration) -> Duration {
    patience / 3
}

fn way_to(socket: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let own = UnixDatagram::unbound()?;
    own.set_nonblocking(true)?;
    Ok((own, address))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn supervisor(socket: &str) -> Supervisor {
        Supervisor { socket: socket.to_owned(), patience: None }
    }

    #[test]
    fn a_manager_on_a_path_and_one_with_an_abstract_name_hear_each_message() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("sluice-notify-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        for (listener, socket) in [
            (UnixDatagram::bind(&path).unwrap(), path.display().to_string()),
            (UnixDatagram::bind_addr(&abstract_address).unwrap(), format!("@{name}")),
        ] {
            let notifier = Notifier::new(Some(&supervisor(&socket)));
            notifier.ready();
            notifier.alive();
            notifier.stopping();
            let mut buffer = [0; 100];
            for expected in ["READY=1", "WATCHDOG=1", "STOPPING=1"] {
                let length = listener.recv(&mut buffer).unwrap();
                let heard = std::str::from_utf8(&buffer[..length]).unwrap();
                assert_eq!(heard.lines().next(), Some(expected), "{socket}");
            }
        }
    }

    #[test]
    fn a_manager_that_is_gone_or_none_at_all_is_no_matter() {
        Notifier::new(Some(&supervisor("/nowhere/notify"))).ready();
        Notifier::new(None).ready();
    }
}
