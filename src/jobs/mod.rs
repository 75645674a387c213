//! What happens without being asked: taking up changes, counting refusals, measuring, deadlines,
//! carrying notices.
//!
//! Invariant: a job that fails says so once, when it begins to fail, and goes on trying; nothing
//! here holds up a request.

mod deadlines;
mod notices;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

pub use deadlines::fire_timers;
pub use notices::carry_notices;

use crate::app::Gateway;
use crate::app::anchor::{Outcome, Told};

/// How often refusals that were only counted become records, and acts that wait in vain are counted.
const SURPLUS: Duration = Duration::from_secs(10);
/// How often emergency access is looked after. Its end does not wait for that: it has its hour.
const SWEEP: Duration = Duration::from_secs(1);
/// How often the log's state is measured.
const MEASURE: Duration = Duration::from_secs(1);

/// Takes up whatever is applied or registered while the gateway runs. Runs until it is dropped.
pub async fn take_up_changes(gateway: Arc<Gateway>) {
    let mut failing = Failing::new("changes could not be taken up; what was in force stays in force");
    let watch = match gateway.watch() {
        Ok(watch) => watch,
        Err(error) => return failing.say(&error),
    };
    loop {
        watch.changed().await;
        match gateway.take_up_changes().await {
            Ok(()) => failing.over(),
            Err(error) => failing.say(&error),
        }
    }
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

/// Deletes consents, and what asks for them, that are over. Runs until it is dropped.
pub async fn forget_consents(gateway: Arc<Gateway>) {
    let mut failing =
        Failing::new("consents that are over could not be deleted; none is taken for one that stands");
    every(SWEEP, async || match gateway.forget_consents().await {
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

/// Says when an act is in the state database that no program with the gateway's keys did. Runs until it is
/// dropped.
pub async fn count_unsealed(gateway: Arc<Gateway>) {
    let mut failing = Failing::new("acts that wait for their records could not be looked at");
    let mut unsealed = Failing::new(
        "ALARM: acts in the state database were done by no program with the gateway's keys; they are not recorded, and not in force; `sluice doctor` names them",
    );
    every(SURPLUS, async || match gateway.count_unsealed().await {
        Ok(0) => {
            failing.over();
            unsealed.over();
        }
        Ok(some) => {
            failing.over();
            unsealed.say(&format_args!("{some} acts without a seal that holds"));
        }
        Err(error) => failing.say(&error),
    })
    .await;
}

/// Shows the log to who vouches for it, and says when one of them no longer does, or does again.
/// Runs until it is dropped; ends at once where nobody is asked.
pub async fn anchor(gateway: Arc<Gateway>) {
    let Some(period) = gateway.anchors().map(|anchors| Duration::from_secs(anchors.every().into())) else {
        return;
    };
    let mut failing = Failing::new("the log could not be shown to those who vouch for it");
    let mut before = BTreeMap::new();
    every(period, async || match gateway.anchor().await {
        Ok(told) => {
            failing.over();
            for Told { by, outcome } in told {
                gateway.metrics().anchored(&by, outcome.as_str());
                let kind = outcome.as_str();
                if before.insert(by.clone(), kind) != Some(kind) {
                    say(&by, &outcome);
                }
            }
        }
        Err(error) => failing.say(&error),
    })
    .await;
}

fn say(by: &str, outcome: &Outcome) {
    match outcome {
        Outcome::Anchored { .. } => tracing::info!(anchor.by = by, "vouches for the log"),
        Outcome::Failed(why) => {
            tracing::warn!(anchor.by = by, anchor.error = why, "does not vouch for the log")
        }
        Outcome::Forked { witnessed, shown } => tracing::error!(
            anchor.by = by,
            anchor.witnessed = witnessed,
            anchor.shown = shown,
            "ALARM: the witness has seen another log under this name: this one was put back or rewritten"
        ),
    }
}

/// Says when the newest anchor is older than it should be. Runs until it is dropped.
pub async fn watch_anchors(gateway: Arc<Gateway>) {
    let Some(anchors) = gateway.anchors() else { return };
    let mut overdue = Failing::new("ALARM: nobody outside has vouched for the log for too long");
    let mut stopped = Failing::new("queries are not answered: the newest anchor is too old");
    every(MEASURE, async || {
        let age = anchors.age(gateway.now());
        for (is, said) in [(age.overdue, &mut overdue), (age.stopped, &mut stopped)] {
            match is {
                true => said.say(&format_args!("the newest anchor is of {}", age.since)),
                false => said.over(),
            }
        }
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
