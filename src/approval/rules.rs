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
    /// From nobody: it stops something, or gives nothing to anybody.
    FromNobody,
    /// From everybody who acted for the other side.
    FromTheOtherSide,
    /// And from whoever applied or wrote a revision.
    FromAuthors,
    /// And from whoever has voted for this revision.
    FromVoters,
    /// And from whoever has said already that the grant may go on.
    FromResumers,
}

/// One row of the table.
pub(super) struct Rule {
    /// Who may: people of these roles, for that side.
    pub who: &'static [(Side, &'static [Role])],
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
    let (who, from, apart): (&[(Side, &[Role])], &[State], Apart) = match kind {
        Kind::Revise | Kind::Submit => {
            (&[(Requester, APPLICANT)], &[State::Draft, State::Returned], FromTheOtherSide)
        }
        Kind::Consent => (&[(Requester, LEAD)], &[State::Consent], FromAuthors),
        Kind::Decline => (&[(Requester, LEAD)], &[State::Consent, State::Offered], FromNobody),
        Kind::Approve => (&[(Provider, REVIEWERS)], REVIEW, FromVoters),
        Kind::Counter => (&[(Provider, LEAD)], REVIEW, FromVoters),
        Kind::Return => (&[(Provider, REVIEWERS)], REVIEW, FromTheOtherSide),
        Kind::Refuse | Kind::Extend => (&[(Provider, LEAD)], REVIEW, FromTheOtherSide),
        Kind::GrantExtension | Kind::RefuseExtension => {
            (&[(Supervisor, SUPERVISORS)], REVIEW, FromTheOtherSide)
        }
        Kind::Accept => (&[(Requester, LEAD)], &[State::Offered], FromAuthors),
        Kind::Suspend => (&[(Provider, OWNERS), (Operator, SECURITY)], &[State::Active], FromNobody),
        Kind::Resume => (&[(Provider, OWNERS), (Operator, SECURITY)], &[State::Suspended], FromResumers),
        Kind::Revoke => (&[(Provider, OWNERS)], &State::GRANTED, FromNobody),
        Kind::Close => (&[(Requester, LEAD)], &State::GRANTED, FromNobody),
        Kind::Withdraw => (&[(Requester, APPLICANT)], &State::PENDING, FromNobody),
        Kind::Comment => {
            (&[(Requester, EVERYBODY), (Provider, EVERYBODY), (Supervisor, SUPERVISORS)], RUNNING, FromNobody)
        }
        Kind::Fire => return None,
    };
    Some(Rule { who, from, apart })
}
