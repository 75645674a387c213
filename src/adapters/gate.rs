//! How many calls to one provider run at once, and whether any may: the bulkhead and the
//! breaker, shared by all workers.
//!
//! Invariant: a [`Pass`] that is dropped, by a caller who hung up say, gives its places back and
//! never leaves the breaker waiting for a probe that will not report.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::breaker::{Admission, Breaker, Outcome};
use crate::base::{Code, Error, Result};
use crate::config::adapter::AdapterConfig;

/// See the module.
#[derive(Debug)]
pub struct Gate {
    /// Of those who call and those who wait to: there may be twice as many as calls, so that a
    /// provider that is slow makes a bounded number wait.
    pub callers: Semaphore,
    places: Arc<Semaphore>,
    size: u32,
    wait: Duration,
    breaker: Mutex<Breaker>,
}

/// Leave to call the provider.
#[derive(Debug)]
pub struct Pass<'a> {
    gate: &'a Gate,
    admission: Admission,
    outcome: Outcome,
    /// Calls that may run at once under this pass.
    pub places: u32,
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    /// The gate of a provider.
    pub fn new(config: &AdapterConfig) -> Self {
        let size = config.concurrency.get();
        Self {
            callers: Semaphore::new(size as usize * 2),
            places: Arc::new(Semaphore::new(size as usize)),
            size,
            wait: Duration::from_millis(config.wait_ms),
            breaker: Mutex::new(Breaker::new(
                config.breaker.failures.get(),
                Duration::from_millis(config.breaker.open_ms),
            )),
        }
    }

    /// Takes `places` at once, or as many as there are at all, waiting a little for them.
    ///
    /// # Errors
    /// `provider-busy` when they do not become free in time; `provider-suspended` with a
    /// `retry_after` while the breaker is open.
    pub async fn enter(&self, places: u32) -> Result<Pass<'_>> {
        let places = places.clamp(1, self.size);
        let permit = match self.places.clone().try_acquire_many_owned(places) {
            Ok(permit) => permit,
            Err(_) => tokio::time::timeout(self.wait, self.places.clone().acquire_many_owned(places))
                .await
                .ok()
                .and_then(std::result::Result::ok)
                .ok_or_else(|| Error::new(Code::ProviderBusy).retry_after(1))?,
        };
        let admission = self.breaker(|breaker| breaker.admit(Instant::now())).map_err(|wait| {
            let seconds = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
            Error::new(Code::ProviderSuspended).retry_after(seconds.max(1))
        })?;
        Ok(Pass { gate: self, admission, outcome: Outcome::Unknown, places, _permit: permit })
    }

    /// Calls that run now, how many may, and whether the breaker lets any pass.
    pub fn health(&self) -> (usize, usize, bool) {
        let size = self.size as usize;
        let running = size.saturating_sub(self.places.available_permits());
        (running, size, self.breaker(|breaker| breaker.passes()))
    }

    fn breaker<T>(&self, with: impl FnOnce(&mut Breaker) -> T) -> T {
        // Its transitions cannot panic half-way: a poisoned breaker is still a whole one.
        with(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Pass<'_> {
    /// Ends the call, telling the breaker how it went.
    pub fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.gate.breaker(|breaker| breaker.report(self.admission, self.outcome, Instant::now()));
    }
}
