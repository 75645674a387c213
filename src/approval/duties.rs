//! Who acts, in which role, and whether that person had another part in the matter (职责分离).
//!
//! Invariant: people are told apart by the natural person, never by account, role or certificate;
//! and where a role was lent, both people count: who acts, and who lent it.

use super::application::Application;
use super::command::Kind;
use super::event::Actor;
use super::facts::{By, Delegation, Facts};
use super::rules::{Apart, Rule, Side, rule};
use super::workflow::Workflow;
use crate::base::ids::{DepartmentId, PersonId};
use crate::base::{Code, Error, Result, Timestamp};
use crate::identity::{Account, Role};

/// Roles that may be lent. The operator's are not: separated duties stay with who was given them.
const LENDABLE: [Role; 5] =
    [Role::Applicant, Role::SectionHead, Role::SharingLead, Role::Leader, Role::ConfidentialityOfficer];

/// Who gives the command, if that person may: by role and side first, then by the state of the
/// application, then by the separation of duties.
///
/// # Errors
/// `forbidden`, `wrong-state`, `not-separate`, in this order.
pub(super) fn permit(application: &Application, kind: Kind, by: &By<'_>, facts: &Facts<'_>) -> Result<Actor> {
    let row = rule(kind).ok_or(Code::Forbidden)?;
    let (side, actor) = acting(application, kind, &row, by, facts)?;
    if !row.from.contains(&application.state) {
        return Err(Error::new(Code::WrongState));
    }
    within_state(application, kind, &actor)?;
    if kind == Kind::Resume && facts.stopped_by_files {
        return Err(Error::new(Code::WrongState));
    }
    apart(application, row.apart, side, &actor, facts)?;
    Ok(actor)
}

/// Who writes a new application.
///
/// # Errors
/// `forbidden`.
pub(super) fn applicant(by: &By<'_>, facts: &Facts<'_>) -> Result<Actor> {
    let By::Person { account, .. } = by else { return Err(Error::new(Code::Forbidden)) };
    let department = &account.department;
    in_role(Role::Applicant, department, by, facts).ok_or_else(|| Error::new(Code::Forbidden))
}

/// May `from` lend `role` to `to` for that time? Within one department, to another person, for a
/// time that is bounded.
///
/// # Errors
/// `invalid-request` with pointers to `/role`, `/to` or `/until`.
pub fn may_lend(
    from: &Account,
    to: &Account,
    role: Role,
    since: Timestamp,
    until: Timestamp,
    workflow: &Workflow,
) -> Result<()> {
    let refuse = |at: &str, fault| Err(Error::at(Code::InvalidRequest, at, fault));
    if !LENDABLE.contains(&role) || !from.holds(role) {
        return refuse("/role", Code::NotAllowedValue);
    }
    if !to.active || to.department != from.department || to.person == from.person {
        return refuse("/to", Code::NotAllowedValue);
    }
    if until <= since || until > since.plus_seconds(longest(workflow)) {
        return refuse("/until", Code::OutOfBounds);
    }
    Ok(())
}

fn longest(workflow: &Workflow) -> i64 {
    i64::from(workflow.people.delegation) * 24 * 60 * 60
}

/// The first role of the row that the caller holds or was lent, where it stands for that side.
fn acting(
    application: &Application,
    kind: Kind,
    row: &Rule,
    by: &By<'_>,
    facts: &Facts<'_>,
) -> Result<(Side, Actor)> {
    let By::Person { account, acting } = by else { return Err(Error::new(Code::Forbidden)) };
    let department = &account.department;
    // Who holds several roles of the row votes in one that is missing.
    let missing = application.outstanding().filter(|_| kind == Kind::Approve).map(|(_, roles)| roles);
    let missing = missing.unwrap_or_default();
    for (side, roles) in row.who.iter().filter(|(side, _)| stands_for(application, *side, department)) {
        let first = missing.iter().filter(|role| roles.contains(role));
        for role in first.chain(roles.iter()).filter(|role| acting.role.is_none_or(|named| named == **role)) {
            if let Some(actor) = in_role(*role, department, by, facts) {
                return Ok((*side, actor));
            }
        }
    }
    Err(Error::new(Code::Forbidden))
}

fn stands_for(application: &Application, side: Side, department: &DepartmentId) -> bool {
    match side {
        Side::Requester => *department == application.requester,
        Side::Provider => *department == application.provider,
        Side::Supervisor => *department != application.requester && *department != application.provider,
        Side::Operator => true,
    }
}

/// The caller in that role: its own, or that of the account it names, which has lent it.
fn in_role(role: Role, department: &DepartmentId, by: &By<'_>, facts: &Facts<'_>) -> Option<Actor> {
    let By::Person { account, acting } = by else { return None };
    let lender = match &acting.for_account {
        None if account.holds(role) => None,
        None => return None,
        Some(lender) => {
            let lent =
                |d: &&Delegation| d.from.id == *lender && d.role == role && in_force(d, account, facts);
            Some(&facts.delegations.iter().find(lent)?.from)
        }
    };
    Some(Actor::Person {
        account: account.id.clone(),
        person: account.person.clone(),
        department: department.clone(),
        role,
        for_account: lender.map(|lender| lender.id.clone()),
        for_person: lender.map(|lender| lender.person.clone()),
    })
}

/// Is the role lent to the account now? The lender must hold it itself: lending is one step deep.
fn in_force(delegation: &Delegation, to: &Account, facts: &Facts<'_>) -> bool {
    let Delegation { from, role, since, until, .. } = delegation;
    delegation.to == to.id
        && *since <= facts.now
        && facts.now < *until
        && may_lend(from, to, *role, *since, *until, facts.workflow).is_ok()
}

/// What a state alone does not say: whose vote is missing, what happens only once.
fn within_state(application: &Application, kind: Kind, actor: &Actor) -> Result<()> {
    let holds = match kind {
        Kind::Approve => {
            let role = actor.role();
            if !application.stages.iter().any(|stage| role.is_some_and(|r| stage.roles.contains(&r))) {
                return Err(Error::new(Code::Forbidden));
            }
            application.outstanding().is_some_and(|(_, roles)| role.is_some_and(|r| roles.contains(&r)))
        }
        Kind::Counter => lacks_only_the_lead(application),
        Kind::Return => !application.returned,
        Kind::Extend => application.progress.asked.is_none() && !application.progress.overdue,
        Kind::GrantExtension | Kind::RefuseExtension => application.progress.asked.is_some(),
        _ => true,
    };
    if holds { Ok(()) } else { Err(Error::new(Code::WrongState)) }
}

/// Is the sharing lead's vote the only one that is missing? Others have then voted for more than
/// what a counter-offer gives, so that no quorum is passed by.
fn lacks_only_the_lead(application: &Application) -> bool {
    let last = application.stages.len().checked_sub(1);
    application
        .outstanding()
        .is_some_and(|(stage, roles)| Some(stage) == last && roles == [Role::SharingLead])
}

fn apart(
    application: &Application,
    apart: Apart,
    side: Side,
    actor: &Actor,
    facts: &Facts<'_>,
) -> Result<()> {
    if apart == Apart::Nobody {
        return Ok(());
    }
    let parts = &application.parts;
    let had_part = |person: &PersonId| {
        let for_the_other = match side {
            Side::Requester => parts.provider.contains(person),
            Side::Provider | Side::Operator => parts.requester.contains(person),
            Side::Supervisor => parts.requester.contains(person) || parts.provider.contains(person),
        };
        let again = match apart {
            Apart::Nobody | Apart::OtherSide => false,
            Apart::Authors => parts.authors.contains(person),
            Apart::Voters => application.votes.iter().any(|vote| vote.people.contains(person)),
            Apart::Resumers => application.resuming.contains(person),
        };
        for_the_other || again || side != Side::Requester && benefits(application, person, facts)
    };
    if actor.people().any(had_part) { Err(Error::new(Code::NotSeparate)) } else { Ok(()) }
}

/// Has the person a place in the department that asks, by whatever account?
fn benefits(application: &Application, person: &PersonId, facts: &Facts<'_>) -> bool {
    facts.accounts.iter().any(|a| a.active && a.person == *person && a.department == application.requester)
}
