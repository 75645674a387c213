//! The clocks of applications and grants: deadlines, reminders, lapses, ends.
//!
//! Invariant: a clock is a row of the state database, so nothing is forgotten over a stop; what a
//! stopped gateway missed is brought about when it starts.

use std::sync::Arc;
use std::time::Duration;

use super::{Failing, every};
use crate::app::Gateway;

/// How often the clocks are looked at: a look at one small index.
const CLOCKS: Duration = Duration::from_secs(1);

/// Brings about what clocks that have run out are about. Runs until it is dropped.
pub async fn fire_timers(gateway: Arc<Gateway>) {
    let mut failing = Failing::new("clocks of applications could not be looked after; they are made up for");
    every(CLOCKS, async || {
        loop {
            match gateway.fire_due_timers().await {
                Ok(0) => break failing.over(),
                // There may be more.
                Ok(_) => {}
                Err(error) => break failing.say(&error),
            }
        }
    })
    .await;
}
