//! What follows from an application's events, for the store to keep beside them: who is waited
//! for, which clocks run, how its grant stands.

use crate::app::world::World;
use crate::approval::event::{Event, What};
use crate::approval::{Application, State};
use crate::base::{Code, Error, Result, Timestamp};
use crate::identity::Role;
use crate::store::state::applications::{Standing, Wait};
use crate::store::state::grants::{GrantState, StandingGrant};

/// How it stands by today's rules.
pub(super) fn of(application: &Application, world: &World, now: Timestamp) -> Standing {
    let workflow = &world.workflow;
    let awaited = application.due(workflow, now);
    let mut waits = Vec::new();
    if let Some(awaited) = &awaited {
        let department = Some(awaited.department.clone());
        waits.extend(awaited.roles.iter().map(|role| Wait { department: department.clone(), role: *role }));
    }
    if application.progress.asked.is_some() && application.state == State::InReview {
        // The supervising department decides about more time, whichever department it is.
        waits.push(Wait { department: None, role: Role::Coordinator });
    }
    Standing {
        waits,
        due: awaited.map(|awaited| awaited.due.day),
        timers: application.timers(workflow),
        rules: world.seq,
    }
}

/// The grant as it stands after `fresh` events, where one of them touches it.
pub(super) fn grant_after(application: &Application, fresh: &[Event]) -> Result<Option<StandingGrant>> {
    let touched = fresh.iter().any(|event| {
        use What as W;
        matches!(
            event.what,
            W::Accepted { .. }
                | W::Suspended { .. }
                | W::Resumed
                | W::Revoked { .. }
                | W::Closed
                | W::Expired
        )
    });
    let (Some(since), Some(terms), true) = (application.granted_at(), &application.offer, touched) else {
        return Ok(None);
    };
    let state = match application.state {
        State::Active => GrantState::Active,
        State::Suspended => GrantState::Suspended,
        _ => GrantState::Ended,
    };
    let text = serde_json::to_string(terms).map_err(|e| Error::new(Code::Internal).because(e))?;
    Ok(Some(StandingGrant {
        id: application.grant_id().ok_or(Code::Internal)?,
        application: application.id.clone(),
        requester: application.requester.clone(),
        terms: text,
        digest: terms.revision().as_str().to_owned(),
        since,
        state,
    }))
}
