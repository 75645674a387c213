//! An application as its events say it stands.
//!
//! Invariant: nothing here is decided and nothing is stored beside the events; the same events
//! always make the same application, and events that cannot follow each other make none.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::event::{Actor, Event, LeftOut, Stage, What};
use super::progress::Progress;
use super::terms::{Revision, Terms};
use crate::base::ids::{ApplicationId, DepartmentId, PersonId, RuleId};
use crate::identity::Role;

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

impl State {
    /// Every state, in the order of an application's life.
    pub const ALL: [State; 13] = [
        State::Draft,
        State::Consent,
        State::InReview,
        State::Returned,
        State::Offered,
        State::Active,
        State::Suspended,
        State::Refused,
        State::Closed,
        State::Revoked,
        State::Expired,
        State::Withdrawn,
        State::Lapsed,
    ];

    /// On its way to a grant.
    pub const PENDING: [State; 5] =
        [State::Draft, State::Consent, State::InReview, State::Returned, State::Offered];

    /// A grant that is not over.
    pub const GRANTED: [State; 2] = [State::Active, State::Suspended];

    /// Its name in the interface.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Draft => "draft",
            State::Consent => "consent",
            State::InReview => "in-review",
            State::Returned => "returned",
            State::Offered => "offered",
            State::Active => "active",
            State::Suspended => "suspended",
            State::Refused => "refused",
            State::Closed => "closed",
            State::Revoked => "revoked",
            State::Expired => "expired",
            State::Withdrawn => "withdrawn",
            State::Lapsed => "lapsed",
        }
    }

    /// Is it over for good?
    pub fn is_final(self) -> bool {
        !Self::PENDING.contains(&self) && !Self::GRANTED.contains(&self)
    }
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
    /// Names of the toxic combinations in that revision, which the applicant has justified.
    pub toxic: Vec<String>,
    /// What is offered or granted.
    pub offer: Option<Terms>,
    /// The stages it has to pass.
    pub stages: Vec<Stage>,
    /// The votes for that revision, oldest first.
    pub votes: Vec<Vote>,
    /// The application that this one renews.
    pub renews: Option<ApplicationId>,
    /// Was it sent back? That happens once.
    pub returned: bool,
    /// Its clocks.
    pub progress: Progress,
    /// Those of the people for a suspended grant who have said that it may go on.
    pub resuming: Vec<PersonId>,
    /// Who had which part in it.
    pub parts: Parts,
    /// Everything that happened, oldest first.
    pub events: Vec<Event>,
}

/// A vote for a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// The revision.
    pub revision: Revision,
    /// The stage, from 0.
    pub stage: usize,
    /// The role.
    pub role: Role,
    /// The people to whom it is put down: who voted, and who lent the role.
    pub people: Vec<PersonId>,
    /// What the voter leaves out.
    pub without: Vec<LeftOut>,
}

/// Which natural people had which part in an application, of all its revisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// Who applied, and wrote or handed in any revision.
    pub authors: BTreeSet<PersonId>,
    /// Who acted for the requester in whatever way.
    pub requester: BTreeSet<PersonId>,
    /// Who acted for the provider in whatever way.
    pub provider: BTreeSet<PersonId>,
}

/// Events that no application can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the events of {0} do not make an application")]
pub struct Corrupt(pub ApplicationId);

impl Application {
    /// Works out an application from its events.
    ///
    /// # Errors
    /// When they do not begin with a draft, or one cannot follow the one before.
    pub fn of(id: ApplicationId, events: Vec<Event>) -> Result<Self, Corrupt> {
        let mut events = events.into_iter();
        let Some(first) = events.next().filter(|event| event.seq == 1) else { return Err(Corrupt(id)) };
        let What::Drafted { requester, provider, terms, renews } = first.what.clone() else {
            return Err(Corrupt(id));
        };
        let mut application = Self {
            version: 1,
            state: State::Draft,
            requester,
            provider,
            terms,
            revision: None,
            toxic: Vec::new(),
            offer: None,
            stages: Vec::new(),
            votes: Vec::new(),
            renews,
            returned: false,
            progress: Progress::default(),
            resuming: Vec::new(),
            parts: Parts::default(),
            events: Vec::new(),
            id,
        };
        application.progress.wait_since(first.at);
        application.note_parts(&first);
        application.events.push(first);
        application.and(events)
    }

    /// The same after these events, which follow its own.
    ///
    /// # Errors
    /// When one cannot follow the one before.
    pub fn and(mut self, events: impl IntoIterator<Item = Event>) -> Result<Self, Corrupt> {
        for event in events {
            let state = self.next(&event.what);
            let (Some(state), true) = (state, event.seq == self.version.saturating_add(1)) else {
                return Err(Corrupt(self.id));
            };
            self.take(&event);
            self.progress.take(&event, state != self.state);
            self.note_parts(&event);
            self.state = state;
            self.version = event.seq;
            self.events.push(event);
        }
        Ok(self)
    }

    /// The id of the grant that it comes to: `G-2026-000001` for `A-2026-000001`.
    pub fn grant_id(&self) -> Option<RuleId> {
        let id = self.id.as_str();
        match id.strip_prefix("A-") {
            Some(number) => RuleId::parse(&format!("G-{number}")),
            None => RuleId::parse(id),
        }
    }

    /// The moment since which the grant is in force, once it was accepted.
    pub fn granted_at(&self) -> Option<crate::base::Timestamp> {
        self.events.iter().find(|e| matches!(e.what, What::Accepted { .. })).map(|e| e.at)
    }

    /// The stage that votes are missing in, and the roles that have not voted; none when every
    /// quorum is met.
    pub fn outstanding(&self) -> Option<(usize, Vec<Role>)> {
        let missing = |(at, stage): (usize, &Stage)| {
            let voted = |role: &Role| self.votes.iter().any(|vote| vote.stage == at && vote.role == *role);
            let roles: Vec<Role> = stage.roles.iter().copied().filter(|role| !voted(role)).collect();
            (!roles.is_empty()).then_some((at, roles))
        };
        self.stages.iter().enumerate().find_map(missing)
    }

    /// Has every role of every stage voted for exactly these terms, each by other people?
    pub fn has_every_quorum(&self) -> bool {
        let revision = self.terms.revision();
        let mut counted = BTreeSet::new();
        self.revision.as_ref() == Some(&revision)
            && self.outstanding().is_none()
            && self.votes.iter().all(|vote| vote.revision == revision)
            && self.votes.iter().flat_map(|vote| &vote.people).all(|person| counted.insert(person))
            && self.parts.authors.iter().all(|author| !counted.contains(author))
    }

    /// What is asked for, without the fields that some voter leaves out.
    pub fn remaining(&self) -> Terms {
        let mut terms = self.terms.clone();
        for out in self.votes.iter().flat_map(|vote| &vote.without) {
            terms.fields.retain(|field| field.field != out.field);
        }
        terms
    }

    /// Where an event leads; nowhere, when it cannot happen here.
    fn next(&self, what: &What) -> Option<State> {
        use State as S;
        let among = |states: &[State]| states.contains(&self.state);
        let (holds, to) = match what {
            What::Drafted { .. } => (false, S::Draft),
            What::Revised { .. } => (among(&[S::Draft, S::Returned]), self.state),
            What::Submitted { .. } => (among(&[S::Draft, S::Returned]), S::Consent),
            What::Consented { .. } => (among(&[S::Consent]), S::InReview),
            What::Declined { .. } if self.state == S::Offered => (true, S::Closed),
            What::Declined { .. } => (among(&[S::Consent]), S::Draft),
            What::Approved { .. } | What::RingFlagged { .. } => (among(&[S::InReview]), S::InReview),
            What::Offered { .. } => (among(&[S::InReview]), S::Offered),
            What::Returned { .. } => (among(&[S::InReview]) && !self.returned, S::Returned),
            What::Refused { .. } => (among(&[S::InReview]), S::Refused),
            // A grant of the files, from before there were applications, begins so.
            What::Accepted { .. } => (among(&[S::Offered]) || self.is_imported(), S::Active),
            What::ExtensionAsked { .. } => (among(&[S::InReview]), S::InReview),
            What::ExtensionGranted { .. } | What::ExtensionRefused { .. } => {
                (among(&[S::InReview]) && self.progress.asked.is_some(), S::InReview)
            }
            What::Suspended { .. } => (among(&[S::Active]), S::Suspended),
            What::ResumeAsked => (among(&[S::Suspended]), S::Suspended),
            What::Resumed => (among(&[S::Suspended]), S::Active),
            What::Revoked { .. } => (among(&State::GRANTED), S::Revoked),
            What::Closed => (among(&State::GRANTED), S::Closed),
            What::Expired => (among(&State::GRANTED), S::Expired),
            What::RenewalOffered => (among(&State::GRANTED), self.state),
            What::Withdrawn => (among(&State::PENDING), S::Withdrawn),
            What::Lapsed => (among(&State::PENDING) && self.state != S::InReview, S::Lapsed),
            What::Reminded => (among(&State::PENDING), self.state),
            What::Overdue | What::Recomputed { .. } => (among(&[S::InReview]), S::InReview),
            What::Commented { .. } => (!self.state.is_final(), self.state),
        };
        holds.then_some(to)
    }

    fn is_imported(&self) -> bool {
        self.version == 1 && self.id.as_str().starts_with("G-")
    }

    /// What an event changes beside state and clocks.
    fn take(&mut self, event: &Event) {
        match &event.what {
            What::Revised { terms } => self.terms = terms.clone(),
            What::Submitted { revision, toxic, stages, .. } => {
                self.revision = Some(revision.clone());
                self.toxic.clone_from(toxic);
                self.stages.clone_from(stages);
                self.votes.clear();
                self.offer = None;
            }
            What::Approved { revision, stage, without } => {
                if let Some(role) = event.by.role() {
                    self.votes.push(Vote {
                        revision: revision.clone(),
                        stage: *stage,
                        role,
                        people: event.by.people().cloned().collect(),
                        without: without.clone(),
                    });
                }
            }
            What::Offered { terms, .. } => self.offer = Some(terms.clone()),
            What::Accepted { .. } if self.offer.is_none() => self.offer = Some(self.terms.clone()),
            What::Returned { .. } => self.returned = true,
            What::Suspended { .. } => self.resuming.clear(),
            What::ResumeAsked => self.resuming.extend(event.by.people().cloned()),
            What::Resumed => self.resuming.clear(),
            _ => {}
        }
    }

    fn note_parts(&mut self, event: &Event) {
        let Actor::Person { department, .. } = &event.by else { return };
        let people = || event.by.people().cloned();
        if matches!(event.what, What::Drafted { .. } | What::Revised { .. } | What::Submitted { .. }) {
            self.parts.authors.extend(people());
        }
        if *department == self.requester {
            self.parts.requester.extend(people());
        } else if *department == self.provider {
            self.parts.provider.extend(people());
        }
    }
}
