//! Password hashing, bounded.
//!
//! Invariant: so many passwords are hashed at one time and no more, since each takes 19 MiB and a
//! processor; and devices that are known have a place of their own, so that a flood of strangers
//! does not keep them waiting.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::base::{Code, Error, Result, Secret};
use crate::identity::password::{self, Pepper};

/// Passwords of strangers that are hashed at one time, and of those who are known.
const STRANGERS: usize = 2;
const KNOWN: usize = 1;
/// The longest that one waits for its turn.
const TURN: Duration = Duration::from_secs(3);

/// The places at which passwords are hashed.
pub struct Hashing {
    strangers: Arc<Semaphore>,
    known: Arc<Semaphore>,
    /// What nobody's password was kept as: for accounts that are not there, so that they take the
    /// same time.
    nobody: Secret<String>,
    pepper: Pepper,
}

impl Hashing {
    /// The places; none when the machine gives no randomness.
    pub fn new(pepper: Pepper, rng: &dyn SecureRandom) -> Option<Self> {
        let nobody = password::of_none(rng)?;
        let places = |number| Arc::new(Semaphore::new(number));
        Some(Self { strangers: places(STRANGERS), known: places(KNOWN), nobody, pepper })
    }

    /// Is it the password that was kept? Takes the same time when none was.
    ///
    /// # Errors
    /// `overloaded` when no place becomes free.
    pub async fn verify(
        &self,
        password: Secret<String>,
        kept: Option<Secret<String>>,
        known: bool,
    ) -> Result<bool> {
        let (against, exists) = (kept.clone().unwrap_or_else(|| self.nobody.clone()), kept.is_some());
        let pepper = self.pepper.clone();
        let verify = move || password::verify(password.reveal(), &against, &pepper) && exists;
        self.run(known, verify).await
    }

    /// What is to be kept of a password.
    ///
    /// # Errors
    /// `overloaded`; `not-ready` when the machine gives no randomness.
    pub async fn keep(&self, password: Secret<String>) -> Result<Secret<String>> {
        let (pepper, rng) = (self.pepper.clone(), SystemRandom::new());
        let kept = self.run(true, move || password::keep(password.reveal(), &pepper, &rng)).await?;
        kept.ok_or_else(|| Code::NotReady.into())
    }

    async fn run<T: Send + 'static>(
        &self,
        known: bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let places = Arc::clone(if known { &self.known } else { &self.strangers });
        let Ok(Ok(place)) = timeout(TURN, places.acquire_owned()).await else {
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
