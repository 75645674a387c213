//! Clocks that run out: the same handler, with nobody behind it.
//!
//! Invariant: what a clock brings about is written in the transaction that takes the clock away, so
//! it happens once, however many look after the clocks; and a clock that stood while the gateway
//! did is made up for. Nothing is approved by a clock.

use std::sync::Arc;

use super::commands::follow;
use super::facts::Gathered;
use super::{blocking, state};
use crate::app::gateway::Gateway;
use crate::app::world::World;
use crate::approval;
use crate::approval::command::Command;
use crate::approval::facts::By;
use crate::approval::progress::Timer;
use crate::base::ids::ApplicationId;
use crate::base::{Code, Result, Timestamp};
use crate::store::state::applications::{Appended, Change};

/// The most clocks that are looked at in one round; those that are left come in the next.
const ROUND: i64 = 100;

impl Gateway {
    /// Brings about what the clocks that have run out are about, and works out anew those that
    /// older rules set; gives how many there were. Whoever calls it until there are none has
    /// caught up.
    ///
    /// # Errors
    /// `not-ready`, `audit-unavailable`: what was brought about is recorded by the next call.
    pub async fn fire_due_timers(self: &Arc<Self>) -> Result<usize> {
        // What is not known to be in force, or under a clock that is wrong, brings nothing about.
        self.lease.check()?;
        let gateway = Arc::clone(self);
        let (looked_at, fired) = blocking(move || {
            let (world, now) = (gateway.world(), gateway.now());
            let mut looked_at = gateway.reset_clocks(&world, now)?;
            let mut fired = 0;
            for (id, timer) in gateway.state.due_timers(now, ROUND).map_err(state)? {
                let brought_about = gateway.fire(&world, &id, timer, now);
                fired += usize::from(*brought_about.as_ref().unwrap_or(&false));
                looked_at += usize::from(stands_alone(&id, brought_about));
            }
            Ok((looked_at, fired))
        })
        .await?;
        if fired > 0 {
            self.in_force().await?;
        }
        Ok(looked_at)
    }

    /// Brings about what one clock is about; false when another did, or nothing came of it.
    pub(super) fn fire(
        &self,
        world: &World,
        id: &ApplicationId,
        timer: Timer,
        now: Timestamp,
    ) -> Result<bool> {
        let Some(application) = self.state.application(id).map_err(state)? else { return Ok(false) };
        let gathered = Gathered::default();
        let command = Command::Fire { timer: timer.kind };
        let handled = approval::handle(&application, &command, &By::Timer, &gathered.facts(world, now));
        let events = handled.unwrap_or_else(|error| {
            // The rules have changed since it was set: it is about nothing any more.
            tracing::warn!(application = %id, timer = ?timer.kind, code = error.code.as_str(), "a clock was about nothing");
            Vec::new()
        });
        let came = !events.is_empty();
        let mut change = Change { fired: Some(timer), ..follow(application, events, world, now, None)? };
        // A clock runs out once, whatever the rules make of the events.
        change.standing.timers.retain(|next| *next != timer);
        Ok(self.state.append(&change, now).map_err(state)? == Appended::Done && came)
    }

    /// Works out anew the clocks and last days that older rules have set.
    fn reset_clocks(&self, world: &World, now: Timestamp) -> Result<usize> {
        let mut reset = 0;
        for id in self.state.older_than(world.seq, ROUND).map_err(state)? {
            reset += usize::from(stands_alone(&id, self.reset(world, &id, now)));
        }
        Ok(reset)
    }

    fn reset(&self, world: &World, id: &ApplicationId, now: Timestamp) -> Result<()> {
        let application = self.state.application(id).map_err(state)?.ok_or(Code::NotFound)?;
        let change = follow(application, Vec::new(), world, now, None)?;
        self.state.append(&change, now).map(drop).map_err(state)
    }
}

/// Was it looked at well? One application that cannot be read must not keep the clocks of all others
/// from running: it is told of, and left alone.
fn stands_alone<T>(id: &ApplicationId, done: Result<T>) -> bool {
    if let Err(error) = &done {
        tracing::error!(application = %id, code = error.code.as_str(), cause = ?error.cause(), "its clocks could not be looked after");
    }
    done.is_ok()
}
