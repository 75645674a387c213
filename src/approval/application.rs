//! An application as its events say it stands.

use serde::{Deserialize, Serialize};

use super::command::TimerKind;
use super::event::{Event, Stage, What};
use super::facts::Workflow;
use super::terms::{Revision, Terms};
use crate::base::Timestamp;
use crate::base::ids::{ApplicationId, DepartmentId};

/// Where an application stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Being written.
    Draft,
    /// Waiting for the requester's own sharing lead.
    Consent,
    /// With the provider.
    InReview,
    /// Sent back for what is missing.
    Returned,
    /// Waiting for the requester to accept.
    Offered,
    /// A grant in force.
    Active,
    /// A grant that is stopped for the time being.
    Suspended,
    /// Refused.
    Refused,
    /// Ended by the requester, or its offer declined.
    Closed,
    /// Ended by the owner.
    Revoked,
    /// Ended by its last day.
    Expired,
    /// Taken back.
    Withdrawn,
    /// Nobody went on with it.
    Lapsed,
}

/// An application.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// The number of its events.
    pub version: u32,
    /// Where it stands.
    pub state: State,
    /// The department that asks.
    pub requester: DepartmentId,
    /// The department that owns the dataset.
    pub provider: DepartmentId,
    /// What is asked for.
    pub terms: Terms,
    /// The revision that is reviewed, once submitted.
    pub revision: Option<Revision>,
    /// What is offered or granted.
    pub offer: Option<Terms>,
    /// The stages it has to pass.
    pub stages: Vec<Stage>,
    /// The application that this one renews.
    pub renews: Option<ApplicationId>,
    /// Everything that happened, oldest first.
    pub events: Vec<Event>,
}

/// Events that no application can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the events of {0} do not make an application")]
pub struct Corrupt(pub ApplicationId);

/// A clock that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// What it is about.
    pub kind: TimerKind,
    /// When it runs out.
    pub at: Timestamp,
}

impl Application {
    /// Works out an application from its events.
    ///
    /// # Errors
    /// When they do not begin with a draft.
    pub fn of(id: ApplicationId, events: Vec<Event>) -> Result<Self, Corrupt> {
        let Some(Event { what: What::Drafted { requester, provider, terms, renews }, .. }) = events.first()
        else {
            return Err(Corrupt(id));
        };
        Ok(Self {
            version: u32::try_from(events.len()).unwrap_or(u32::MAX),
            state: State::Draft,
            requester: requester.clone(),
            provider: provider.clone(),
            terms: terms.clone(),
            revision: None,
            offer: None,
            stages: Vec::new(),
            renews: renews.clone(),
            id,
            events,
        })
    }

    /// The clocks that run now: what the timers' table holds for it.
    pub fn timers(&self, _workflow: &Workflow) -> Vec<Timer> {
        Vec::new()
    }
}
