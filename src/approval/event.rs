//! What happened to an application.
//!
//! Invariant: events are appended and never changed; everything else is worked out from them.

use serde::{Deserialize, Serialize};

use super::calendar::Due;
use super::terms::{Revision, Terms};
use crate::base::Timestamp;
use crate::base::ids::{AccountId, ApplicationId, DepartmentId, FieldName, PersonId};
use crate::identity::Role;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place among the application's events, from 1: the version it makes.
    pub seq: u32,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub by: Actor,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// A person, signed in.
    Person {
        /// The account.
        account: AccountId,
        /// The natural person.
        person: PersonId,
        /// The department.
        department: DepartmentId,
        /// In which role.
        role: Role,
        /// By whose delegation, where by delegation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_account: Option<AccountId>,
        /// The natural person whose account that is: it counts like the one who acts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_person: Option<PersonId>,
    },
    /// A clock ran out.
    Timer,
}

impl Actor {
    /// The natural people to whom it is put down: who acted, and who lent the role.
    pub fn people(&self) -> impl Iterator<Item = &PersonId> {
        let (person, lender) = match self {
            Actor::Person { person, for_person, .. } => (Some(person), for_person.as_ref()),
            Actor::Timer => (None, None),
        };
        person.into_iter().chain(lender)
    }

    /// The account by which a person acted.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Actor::Person { account, .. } => Some(account),
            Actor::Timer => None,
        }
    }

    /// The department for which a person acted.
    pub fn department(&self) -> Option<&DepartmentId> {
        match self {
            Actor::Person { department, .. } => Some(department),
            Actor::Timer => None,
        }
    }

    /// The role in which a person acted.
    pub fn role(&self) -> Option<Role> {
        match self {
            Actor::Person { role, .. } => Some(*role),
            Actor::Timer => None,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// A first draft.
    Drafted {
        /// The department that asks.
        requester: DepartmentId,
        /// The department that owns the dataset.
        provider: DepartmentId,
        /// What is asked for.
        terms: Terms,
        /// The application that this one renews.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renews: Option<ApplicationId>,
    },
    /// The terms were written anew.
    Revised {
        /// What is asked for now.
        terms: Terms,
    },
    /// Handed in: a new revision, which voids all earlier votes.
    Submitted {
        /// The hash of the terms.
        revision: Revision,
        /// Names of the toxic combinations in it, which the applicant has justified.
        toxic: Vec<String>,
        /// The stages that it has to pass, by the template of today.
        stages: Vec<Stage>,
        /// Working days within which the provider must answer (Decree 809 Art. 21).
        answer_days: u16,
    },
    /// The requester's own sharing lead consented: the provider's clock starts, or goes on.
    Consented {
        /// The last day for the provider's answer, as both sides are told.
        due: Due,
    },
    /// The requester's own sharing lead did not consent, or the offer was declined.
    Declined {
        /// Why.
        note: String,
    },
    /// A vote for it.
    Approved {
        /// The revision that was voted on.
        revision: Revision,
        /// The stage, from 0.
        stage: usize,
        /// Fields that the voter leaves out, each with its reason (partial approval).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        without: Vec<LeftOut>,
    },
    /// Every quorum is met, or the provider countered: these terms are offered.
    Offered {
        /// What is offered: never more than was asked.
        terms: Terms,
        /// Their hash.
        revision: Revision,
    },
    /// Sent back once, with everything that is missing (一次性告知; Art. 21).
    Returned {
        /// What is missing.
        missing: Vec<Missing>,
    },
    /// Refused (Art. 21: with reasons).
    Refused {
        /// The code of the reason, out of the workflow's catalogue.
        reason: String,
        /// The law that is cited.
        basis: String,
        /// In words.
        note: String,
    },
    /// The requester's sharing lead accepted the offer and its terms of use: it is in force.
    Accepted {
        /// The hash of the accepted terms.
        revision: Revision,
    },
    /// The provider asks for more time.
    ExtensionAsked {
        /// Working days.
        days: u16,
        /// Why.
        note: String,
    },
    /// The supervising department consented, and the requester is told.
    ExtensionGranted {
        /// The new last day.
        due: Due,
    },
    /// It did not.
    ExtensionRefused {
        /// Why.
        note: String,
    },
    /// Somebody said something.
    Commented {
        /// What.
        text: String,
    },
    /// Stopped for the time being.
    Suspended {
        /// Why.
        note: String,
    },
    /// One of the two who are needed to resume.
    ResumeAsked,
    /// In force again.
    Resumed,
    /// Ended by the owner.
    Revoked {
        /// Why.
        note: String,
    },
    /// Ended by the requester.
    Closed,
    /// Ended by its last day.
    Expired,
    /// Taken back by the applicant.
    Withdrawn,
    /// Nobody went on with it in time.
    Lapsed,
    /// A deadline comes near.
    Reminded,
    /// A deadline passed without an answer.
    Overdue,
    /// A deadline was worked out anew, since a year's calendar was published.
    Recomputed {
        /// The new last day.
        due: Due,
    },
    /// A renewal may be applied for: the grant ends in 30 days.
    RenewalOffered,
    /// Who voted here and who wrote this application have approved each other's within the window:
    /// nothing is refused for that, and the auditor sees it.
    RingFlagged {
        /// Who approved an application of the voter's before.
        with: PersonId,
    },
}

/// A stage of review: every role must vote, each by another person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The roles at the provider that must all approve.
    pub roles: Vec<Role>,
}

/// A field that a voter leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The field.
    pub field: FieldName,
    /// The code of the reason, out of the workflow's catalogue.
    pub reason: String,
    /// In words.
    pub note: String,
}

/// Something that is missing from an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// JSON Pointer (RFC 6901) into the terms.
    pub pointer: String,
    /// What is missing there.
    pub note: String,
}
