//! Who may give which command, from which states: the table of the workflow.
//!
//! Invariant: what is not in the table is not allowed. What it takes beside (a quorum, a reason, a
//! narrower offer) is checked by [`super::handle()`].

use super::application::State;
use super::command::Kind;
use crate::identity::Role;

/// For whom somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The department that asks.
    Requester,
    /// The department that owns the dataset.
    Provider,
    /// Neither of the two: the supervising department.
    Supervisor,
    /// Whatever department: the operator's duties.
    Operator,
}

/// From whom somebody must be another person to give a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apart {
    /// Nobody: it stops something, or gives nothing to anybody.
    Nobody,
    /// Everybody who acted for the other side.
    OtherSide,
    /// And from whoever applied or wrote a revision.
    Authors,
    /// And from whoever has voted for this revision.
    Voters,
    /// And from whoever has said already that the grant may go on.
    Resumers,
}

/// People of these roles, for that side.
type Who = &'static [(Side, &'static [Role])];

/// One row of the table.
pub(super) struct Rule {
    /// Who may.
    pub who: Who,
    /// From these states.
    pub from: &'static [State],
    /// As another person than these.
    pub apart: Apart,
}

const APPLICANT: &[Role] = &[Role::Applicant];
const LEAD: &[Role] = &[Role::SharingLead];
const OWNERS: &[Role] = &[Role::SharingLead, Role::Leader];
const REVIEWERS: &[Role] = &super::workflow::REVIEWERS;
const EVERYBODY: &[Role] =
    &[Role::Applicant, Role::SectionHead, Role::SharingLead, Role::Leader, Role::ConfidentialityOfficer];
const SUPERVISORS: &[Role] = &[Role::Coordinator, Role::LeadingGroup];
const SECURITY: &[Role] = &[Role::SecurityAdmin];

const REVIEW: &[State] = &[State::InReview];
const RUNNING: &[State] =
    &[State::InReview, State::Returned, State::Offered, State::Active, State::Suspended];

/// The row of a command; timers have none.
pub(super) fn rule(kind: Kind) -> Option<Rule> {
    use Apart::*;
    use Side::*;
    let (who, from, apart): (Who, &[State], Apart) = match kind {
        Kind::Revise | Kind::Submit => {
            (&[(Requester, APPLICANT)], &[State::Draft, State::Returned], OtherSide)
        }
        Kind::Consent => (&[(Requester, LEAD)], &[State::Consent], Authors),
        Kind::Decline => (&[(Requester, LEAD)], &[State::Consent, State::Offered], Nobody),
        Kind::Approve => (&[(Provider, REVIEWERS)], REVIEW, Voters),
        Kind::Counter => (&[(Provider, LEAD)], REVIEW, Voters),
        Kind::Return => (&[(Provider, REVIEWERS)], REVIEW, OtherSide),
        Kind::Refuse | Kind::Extend => (&[(Provider, LEAD)], REVIEW, OtherSide),
        Kind::GrantExtension | Kind::RefuseExtension => (&[(Supervisor, SUPERVISORS)], REVIEW, OtherSide),
        Kind::Accept => (&[(Requester, LEAD)], &[State::Offered], Authors),
        Kind::Suspend => (&[(Provider, OWNERS), (Operator, SECURITY)], &[State::Active], Nobody),
        Kind::Resume => (&[(Provider, OWNERS), (Operator, SECURITY)], &[State::Suspended], Resumers),
        Kind::Revoke => (&[(Provider, OWNERS)], &State::GRANTED, Nobody),
        Kind::Close => (&[(Requester, LEAD)], &State::GRANTED, Nobody),
        Kind::Withdraw => (&[(Requester, APPLICANT)], &State::PENDING, Nobody),
        Kind::Comment => {
            (&[(Requester, EVERYBODY), (Provider, EVERYBODY), (Supervisor, SUPERVISORS)], RUNNING, Nobody)
        }
        Kind::Fire => return None,
    };
    Some(Rule { who, from, apart })
}
