//! What happens without being asked: taking up changes, counting refusals, measuring, deadlines,
//! carrying notices.
//!
//! Invariant: a job that fails says so once, when it begins to fail, and goes on trying; nothing
//! here holds up a request.

mod deadlines;
mod notices;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

pub use deadlines::fire_timers;
pub use notices::carry_notices;

use crate::app::Gateway;

/// How often changes are looked for: far below the second within which they must be in force.
const CHANGES: Duration = Duration::from_millis(200);
/// How often refusals that were only counted become records.
const SURPLUS: Duration = Duration::from_secs(10);
/// How often emergency access is looked after. Its end does not wait for that: it has its hour.
const SWEEP: Duration = Duration::from_secs(1);
/// How often the log's state is measured.
const MEASURE: Duration = Duration::from_secs(1);

/// Takes up whatever is applied or registered while the gateway runs. Runs until it is dropped.
pub async fn take_up_changes(gateway: Arc<Gateway>) {
    let mut failing = Failing::new("changes could not be taken up; what was in force stays in force");
    every(CHANGES, async || match gateway.take_up_changes().await {
        Ok(()) => failing.over(),
        Err(error) => failing.say(&error),
    })
    .await;
}

/// Writes the counts of refusals into the log. Runs until it is dropped.
pub async fn record_surplus(gateway: Arc<Gateway>) {
    let mut failing = Failing::new("refusals that were counted could not be recorded; they stay counted");
    every(SURPLUS, async || match gateway.record_surplus().await {
        Ok(()) => failing.over(),
        Err(error) => failing.say(&error),
    })
    .await;
}

/// Ends emergency access whose hour is over, and sees to its reviews. Runs until it is dropped.
pub async fn sweep_emergencies(gateway: Arc<Gateway>) {
    let mut failing = Failing::new("emergency access could not be looked after; none outlives its hour");
    every(SWEEP, async || match gateway.sweep_emergencies().await {
        Ok(_) => failing.over(),
        Err(error) => failing.say(&error),
    })
    .await;
}

/// Measures the log, and tries it again when it failed. Runs until it is dropped.
pub async fn measure(gateway: Arc<Gateway>) {
    let mut failing = Failing::new("the log cannot be written: nothing is answered");
    every(MEASURE, async || {
        match gateway.try_log_again().await {
            Ok(()) => failing.over(),
            Err(error) => failing.say(&error),
        }
        gateway.measure();
    })
    .await;
}

/// Does `work` every `period`; when one takes longer, the next waits its turn.
pub async fn every(period: Duration, mut work: impl AsyncFnMut()) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        work().await;
    }
}

/// Says that something began to fail, and that it no longer does, but not everything between.
struct Failing {
    what: &'static str,
    now: bool,
}

impl Failing {
    fn new(what: &'static str) -> Self {
        Self { what, now: false }
    }

    fn say(&mut self, error: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.now, true) {
            tracing::error!(job.error = %error, "{}", self.what);
        }
    }

    fn over(&mut self) {
        if std::mem::replace(&mut self.now, false) {
            tracing::info!("no longer: {}", self.what);
        }
    }
}
