//! Hearing of changes that somebody else made: another gateway, or a command on this machine.
//!
//! Invariant: nobody relies on being told. A server's word makes it quicker; looking goes on
//! without it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::place::Place;
use super::{Db, StateError, StateStore};

/// How often one looks at a file, and at what a server has sent: on average half of this passes
/// before a change is seen.
const LOOK: Duration = Duration::from_millis(20);
/// How often one looks at a server that has sent nothing.
const ASK: Duration = Duration::from_millis(250);
/// How long one waits before listening again at a server that went away.
#[cfg(feature = "postgres")]
const AGAIN: Duration = Duration::from_secs(1);
/// What changes are told under.
#[cfg(feature = "postgres")]
const CHANNEL: &str = "sluice_state";

/// Tells when it is time to look for changes.
pub struct Watch {
    heard: Arc<Notify>,
    period: Duration,
    /// The thread that listens ends when this is gone.
    _held: Arc<()>,
}

impl Watch {
    /// Waits until it is time to look.
    pub async fn changed(&self) {
        // Told, or not told for long enough: either is a reason to look.
        timeout(self.period, self.heard.notified()).await.ok();
    }
}

impl StateStore {
    /// Watches for changes, with a thread and a connection of its own where a server tells of them.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn watch(&self) -> Result<Watch, StateError> {
        let (heard, held) = (Arc::new(Notify::new()), Arc::new(()));
        let period = match &self.place {
            Place::File(_) => LOOK,
            Place::Server(_) => {
                let (place, heard, held) = (self.place.clone(), Arc::clone(&heard), Arc::downgrade(&held));
                let thread = std::thread::Builder::new().name("listen".into());
                thread.spawn(move || listen(&place, &heard, &held)).map_err(StateError::new)?;
                ASK
            }
        };
        Ok(Watch { heard, period, _held: held })
    }
}

/// Tells others that something changed, once this transaction commits.
#[cfg_attr(not(feature = "postgres"), allow(clippy::unnecessary_wraps))]
pub(super) fn tell(connection: &mut Db) -> Result<(), StateError> {
    match connection {
        Db::Sqlite(_) => Ok(()),
        #[cfg(feature = "postgres")]
        Db::Postgres(connection) => {
            use diesel::connection::SimpleConnection;
            Ok(connection.batch_execute(&format!("NOTIFY {CHANNEL}"))?)
        }
    }
}

#[cfg(not(feature = "postgres"))]
fn listen(_: &Place, _: &Notify, _: &Weak<()>) {}

/// Listens until nobody holds on to the watch.
#[cfg(feature = "postgres")]
fn listen(place: &Place, heard: &Notify, held: &Weak<()>) {
    while held.strong_count() > 0 {
        if let Err(error) = listen_once(place, heard, held) {
            tracing::debug!(%error, "changes are looked for, not heard of");
            std::thread::sleep(AGAIN);
        }
    }
}

/// Listens on one connection until it is lost.
#[cfg(feature = "postgres")]
fn listen_once(place: &Place, heard: &Notify, held: &Weak<()>) -> Result<(), StateError> {
    use diesel::connection::SimpleConnection;
    use diesel::r2d2::ManageConnection;

    let mut connection = place.connect()?;
    let Db::Postgres(connection) = &mut connection else { return Ok(()) };
    connection.batch_execute(&format!("LISTEN {CHANNEL}"))?;
    // What changed before that was not told.
    heard.notify_one();
    while held.strong_count() > 0 {
        let mut told = false;
        // This takes what has arrived, and does not wait for more.
        for notification in connection.notifications_iter() {
            notification?;
            told = true;
        }
        if told {
            heard.notify_one();
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
