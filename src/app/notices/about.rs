//! From what happened to an application to who is told.
//!
//! Invariant: pure, and complete by the compiler: whoever adds an event decides here who hears of
//! it. Of the words that people typed nothing passes; whoever wants to read them signs in.

use std::collections::HashSet;

use time::Date;

use crate::approval::{Actor, Application, Event, State, What};
use crate::base::ids::{AccountId, DepartmentId};
use crate::identity::Role;
use crate::store::state::notice::{About, Kind, Notice, Recipient};

/// Who is told what of `new`, the newest events of `application`, which counts them in already.
/// `due` is the last day of the clock that now runs for it, if one does.
///
/// A department's program is told whatever one of its people is.
pub fn about(application: &Application, new: &[Event], due: Option<Date>) -> Vec<Notice> {
    let mut telling = Telling { application, due, told: HashSet::new(), notices: Vec::new() };
    new.iter().for_each(|event| telling.tell(event));
    telling.notices
}

struct Telling<'a> {
    application: &'a Application,
    due: Option<Date>,
    told: HashSet<Notice>,
    notices: Vec<Notice>,
}

impl Telling<'_> {
    fn tell(&mut self, event: &Event) {
        match &event.what {
            // Nobody waits for a draft.
            What::Drafted { .. } | What::Revised { .. } | What::RingFlagged { .. } => {}
            What::Submitted { .. } => self.requesters_lead(Kind::ConsentNeeded),
            What::Consented { .. } => {
                self.applicant(Kind::Consented);
                self.voters(0);
            }
            What::Declined { .. } if self.application.state == State::Closed => {
                self.applicant(Kind::OfferDeclined);
                self.providers_lead(Kind::OfferDeclined);
            }
            What::Declined { .. } => self.applicant(Kind::NotConsented),
            What::Approved { stage, .. } => {
                self.applicant(Kind::Approved);
                if self.voted(*stage) {
                    self.voters(stage.saturating_add(1));
                }
            }
            What::Offered { .. } => {
                self.applicant(Kind::Offered);
                self.requesters_lead(Kind::AcceptanceNeeded);
            }
            What::Returned { .. } => self.applicant(Kind::Returned),
            What::Refused { .. } => self.requesters(Kind::Refused),
            What::Accepted { .. } => {
                self.applicant(Kind::InForce);
                self.providers_lead(Kind::InForce);
                // 备案: the confidentiality office is told, which blocks nothing.
                self.role(Role::ConfidentialityOfficer, &self.application.provider, Kind::InForce);
            }
            What::ExtensionAsked { .. } => {
                self.office(Kind::ExtensionNeeded);
                self.applicant(Kind::ExtensionAsked);
            }
            What::ExtensionGranted { .. } => {
                self.applicant(Kind::ExtensionGranted);
                self.providers_lead(Kind::ExtensionGranted);
            }
            What::ExtensionRefused { .. } => self.providers_lead(Kind::ExtensionRefused),
            What::Commented { .. } => self.other_side(&event.by, Kind::Commented),
            What::Suspended { .. } => {
                self.requesters(Kind::Suspended);
                self.providers_lead(Kind::Suspended);
            }
            What::ResumeAsked => self.providers_lead(Kind::ResumeNeeded),
            What::Resumed => {
                self.requesters(Kind::Resumed);
                self.providers_lead(Kind::Resumed);
            }
            What::Revoked { .. } => self.requesters(Kind::Revoked),
            What::Closed => self.providers_lead(Kind::Closed),
            What::Expired => {
                self.requesters(Kind::Expired);
                self.providers_lead(Kind::Expired);
            }
            What::Withdrawn => {
                self.requesters_lead(Kind::Withdrawn);
                // A provider that it never came to is told nothing of it.
                if self.consented() {
                    self.providers_lead(Kind::Withdrawn);
                }
            }
            What::Lapsed => {
                self.requesters(Kind::Lapsed);
                if self.consented() {
                    self.providers_lead(Kind::Lapsed);
                }
            }
            What::Reminded => self.whoever_must_act(Kind::Reminded),
            What::Overdue => {
                self.whoever_must_act(Kind::Overdue);
                self.office(Kind::Late);
            }
            What::Recomputed { .. } => {
                self.applicant(Kind::Recomputed);
                self.whoever_must_act(Kind::Recomputed);
            }
            What::RenewalOffered => self.requesters(Kind::RenewalOffered),
        }
    }

    /// Whoever holds it up as it stands.
    fn whoever_must_act(&mut self, kind: Kind) {
        match self.application.state {
            State::Consent | State::Offered => self.requesters_lead(kind),
            State::Returned => self.applicant(kind),
            State::InReview => {
                let stage = (0..self.application.stages.len()).find(|stage| !self.voted(*stage));
                self.still_to_vote(stage.unwrap_or_default(), kind);
            }
            // Nobody does.
            _ => {}
        }
    }

    fn voters(&mut self, stage: usize) {
        self.still_to_vote(stage, Kind::VoteNeeded);
    }

    fn still_to_vote(&mut self, stage: usize, kind: Kind) {
        let (application, votes) = (self.application, self.votes(stage));
        let roles = application.stages.get(stage).map(|stage| stage.roles.as_slice()).unwrap_or_default();
        for role in roles.iter().filter(|role| !votes.contains(role)) {
            self.role(*role, &application.provider, kind);
        }
    }

    /// Has every role of the stage voted for this revision?
    fn voted(&self, stage: usize) -> bool {
        let votes = self.votes(stage);
        let stage = self.application.stages.get(stage);
        stage.is_some_and(|stage| stage.roles.iter().all(|role| votes.contains(role)))
    }

    fn votes(&self, of: usize) -> Vec<Role> {
        let role = |event: &Event| match (&event.what, &event.by) {
            (What::Approved { revision, stage, .. }, Actor::Person { role, .. })
                if *stage == of && Some(revision) == self.application.revision.as_ref() =>
            {
                Some(*role)
            }
            _ => None,
        };
        self.application.events.iter().filter_map(role).collect()
    }

    fn consented(&self) -> bool {
        self.application.events.iter().any(|event| matches!(event.what, What::Consented { .. }))
    }

    /// The author of the newest terms.
    fn author(&self) -> Option<AccountId> {
        self.application.events.iter().rev().find_map(|event| match (&event.what, &event.by) {
            (
                What::Drafted { .. } | What::Revised { .. } | What::Submitted { .. },
                Actor::Person { account, .. },
            ) => Some(account.clone()),
            _ => None,
        })
    }

    fn other_side(&mut self, by: &Actor, kind: Kind) {
        match by {
            Actor::Person { department, .. } if *department == self.application.requester => {
                self.providers_lead(kind);
            }
            _ => self.applicant(kind),
        }
    }

    fn requesters(&mut self, kind: Kind) {
        self.applicant(kind);
        self.requesters_lead(kind);
    }

    fn applicant(&mut self, kind: Kind) {
        if let Some(author) = self.author() {
            self.add(Recipient::Account(author), kind);
        }
        self.add(Recipient::Department(self.application.requester.clone()), kind);
    }

    fn requesters_lead(&mut self, kind: Kind) {
        self.role(Role::SharingLead, &self.application.requester, kind);
    }

    fn providers_lead(&mut self, kind: Kind) {
        self.role(Role::SharingLead, &self.application.provider, kind);
    }

    fn role(&mut self, role: Role, department: &DepartmentId, kind: Kind) {
        self.add(Recipient::Role(role, department.clone()), kind);
        self.add(Recipient::Department(department.clone()), kind);
    }

    fn office(&mut self, kind: Kind) {
        self.add(Recipient::Office(Role::Coordinator), kind);
    }

    fn add(&mut self, recipient: Recipient, kind: Kind) {
        let application = self.application;
        let notice = Notice {
            recipient,
            kind,
            object: application.id.clone(),
            about: About {
                version: application.version,
                dataset: application.terms.dataset.clone(),
                requester: application.requester.clone(),
                provider: application.provider.clone(),
                due: self.due,
            },
        };
        if self.told.insert(notice.clone()) {
            self.notices.push(notice);
        }
    }
}
