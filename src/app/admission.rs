//! Admission: how many queries are in hand at one time.
//!
//! A gateway that takes in more than it can do serves nobody: answers come too late, callers ask
//! again, memory grows. So a query needs a place among those of its provider and among those of
//! all. Waiting a moment for one evens out bursts, and slows down a caller that knows no pause;
//! beyond that it is turned away at once, before anything was done for it.
//!
//! Invariant: a provider that is slow takes places from its own callers only. It has fewer than
//! there are in all, and a query that waits for it gives its place among all to the next one.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::base::{Code, Error, Result};

/// The longest that a query waits for a place, or keeps one while it waits for somebody else.
const MOMENT: Duration = Duration::from_millis(25);

/// The places of all queries.
#[derive(Debug)]
pub struct Places(Semaphore);

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place<'p> {
    among_all: Option<SemaphorePermit<'p>>,
    _at_provider: Option<SemaphorePermit<'p>>,
}

impl Places {
    /// So many places.
    pub fn new(number: usize) -> Self {
        Self(Semaphore::new(number))
    }

    /// A place for a query that goes to the provider with these places; none, where nobody
    /// answers the dataset.
    ///
    /// # Errors
    /// `overloaded` when none becomes free within 25 ms.
    pub async fn take<'p>(&'p self, provider: Option<&'p Semaphore>) -> Result<Place<'p>> {
        let both = async {
            let at_provider = match provider {
                Some(places) => Some(places.acquire().await?),
                None => None,
            };
            Ok(Place { among_all: Some(self.0.acquire().await?), _at_provider: at_provider })
        };
        match timeout(MOMENT, both).await {
            Ok(place) => place.map_err(|e: tokio::sync::AcquireError| Error::new(Code::Internal).because(e)),
            Err(_) => Err(Error::new(Code::Overloaded).retry_after(1)),
        }
    }
}

impl Place<'_> {
    /// Awaits what somebody else does. When that takes long, the place among all goes to the
    /// next query: the little that is left to do afterwards is done without one.
    pub async fn lend<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        match timeout(MOMENT, work.as_mut()).await {
            Ok(done) => done,
            Err(_) => {
                self.among_all = None;
                work.await
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt;
    use futures_util::future::{Either, select};
    use tokio::sync::oneshot;

    use super::*;

    async fn refused(places: &Places, provider: Option<&Semaphore>) -> bool {
        let place = places.take(provider).await;
        place.is_err_and(|e| e.code == Code::Overloaded && e.retry_after == Some(1))
    }

    #[tokio::test]
    async fn beyond_the_places_queries_are_turned_away_until_one_is_free() {
        let places = Places::new(2);
        let (first, _second) = (places.take(None).await.unwrap(), places.take(None).await.unwrap());
        assert!(refused(&places, None).await);
        drop(first);
        assert!(places.take(None).await.is_ok());
    }

    #[tokio::test]
    async fn who_waits_a_moment_gets_the_place_that_becomes_free() {
        let places = Places::new(1);
        let first = places.take(None).await.unwrap();
        let (next, ()) = tokio::join!(places.take(None), async { drop(first) });
        assert!(next.is_ok());
    }

    #[tokio::test]
    async fn a_provider_at_its_bound_turns_its_own_callers_away_and_no_others() {
        let (places, slow, other) = (Places::new(3), Semaphore::new(2), Semaphore::new(2));
        let _first = places.take(Some(&slow)).await.unwrap();
        let _second = places.take(Some(&slow)).await.unwrap();
        assert!(refused(&places, Some(&slow)).await);
        assert!(places.take(Some(&other)).await.is_ok());
        assert!(places.take(None).await.is_ok(), "who was turned away keeps nothing");
    }

    #[tokio::test]
    async fn who_waits_long_for_a_provider_keeps_a_place_there_only() {
        let (places, slow) = (Places::new(1), Semaphore::new(1));
        let mut place = places.take(Some(&slow)).await.unwrap();
        let waiting = pin!(place.lend(pending::<()>()));
        let Either::Right((next, waiting)) = select(waiting, pin!(waits_for(&places))).await else {
            panic!("nothing ends the waiting")
        };
        assert!(next.is_ok());
        assert!(refused(&places, Some(&slow)).await, "it is still at its provider");
        assert!(waiting.now_or_never().is_none(), "and would still wait");
    }

    /// A place, however long it takes.
    async fn waits_for(places: &Places) -> Result<Place<'_>> {
        loop {
            let place = places.take(None).await;
            if place.is_ok() {
                return place;
            }
        }
    }

    #[tokio::test]
    async fn who_is_served_in_a_moment_keeps_the_place() {
        let places = Places::new(1);
        let mut place = places.take(None).await.unwrap();
        let (tell, told) = oneshot::channel();
        tell.send(7).unwrap();
        assert_eq!(place.lend(told).await, Ok(7));
        assert!(refused(&places, None).await);
    }
}
