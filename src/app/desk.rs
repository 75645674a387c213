//! Work that blocks and takes long, bounded.
//!
//! Whoever may ask for such work could ask for it without end, and each piece would hold a thread, a
//! connection, a processor. So it is done at a desk, which has so many places; one waits a little for a
//! place, and is then told to come again.
//!
//! Invariant: at a desk no more is done at one time than it has places, also when nobody waits for the
//! end of it any more.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::base::{Code, Error, Result};

/// The longest that one waits for a place.
const TURN: Duration = Duration::from_secs(3);

/// Places for one kind of work.
#[derive(Debug)]
pub struct Desk {
    places: Arc<Semaphore>,
    turn: Duration,
}

impl Desk {
    /// With so many places.
    pub fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), turn: TURN }
    }

    /// Does the work, on a thread where it may block.
    ///
    /// # Errors
    /// `overloaded` when no place becomes free.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let Ok(Ok(place)) = timeout(self.turn, Arc::clone(&self.places).acquire_owned()).await else {
            return Err(Error::new(Code::Overloaded).retry_after(5));
        };
        let work = tokio::task::spawn_blocking(move || {
            // The place is kept until the work is done, even when nobody waits for it any more.
            let _place = place;
            work()
        });
        work.await.map_err(|e| Error::new(Code::Internal).because(e))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn beyond_its_places_work_is_turned_away_and_told_to_come_again() {
        let desk = Desk { turn: Duration::ZERO, ..Desk::new(1) };
        let place = desk.places.acquire().await.unwrap();
        let refused = desk.run(|| ()).await.unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::Overloaded, Some(5)));
        drop(place);
        assert!(desk.run(|| ()).await.is_ok());
    }

    #[tokio::test]
    async fn work_keeps_its_place_until_it_ends_also_when_nobody_waits_for_it() {
        let desk = Arc::new(Desk::new(1));
        let (end, ended) = mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let held = Arc::clone(&desk);
        let first = tokio::spawn(async move {
            held.run(move || {
                begin.send(()).unwrap();
                ended.recv().unwrap();
            })
            .await
        });
        begun.await.unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(desk.places.available_permits(), 0);
        end.send(()).unwrap();
        assert!(desk.run(|| ()).await.is_ok());
    }

    #[tokio::test]
    async fn work_that_panics_leaves_its_place_to_the_next() {
        let desk = Desk::new(1);
        assert_eq!(desk.run::<()>(|| panic!("a fault")).await.unwrap_err().code, Code::Internal);
        assert_eq!(desk.run(|| 7).await.unwrap(), 7);
    }
}
