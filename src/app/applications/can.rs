//! What somebody may do to an application now.
//!
//! Invariant: it is what the handler says when it is asked, not a second opinion.

use super::facts::{About, Gathered};
use super::view::CanView;
use crate::app::world::World;
use crate::approval::application::Application;
use crate::approval::command::{As, Command, Kind};
use crate::approval::event::Missing;
use crate::approval::facts::{By, Facts};
use crate::approval;
use crate::base::{Code, Result, Timestamp};
use crate::identity::{Account, Role};
use crate::policy::Action;
use crate::store::state::StateStore;

/// What the account may do to it now, by its own roles and by those that were lent to it.
pub(super) fn can(
    store: &StateStore,
    world: &World,
    account: &Account,
    application: &Application,
    now: Timestamp,
) -> Result<Vec<CanView>> {
    if !world.policy.person_may(account, Action::ApplicationsWrite) {
        return Ok(Vec::new());
    }
    let gathered = Gathered::for_person(store, world, account, About::Existing(application), now)?;
    let facts = gathered.facts(world, now);
    let lent = gathered.delegations.iter().map(|loan| As {
        role: Some(loan.role),
        for_account: Some(loan.from.id.clone()),
    });
    let mut can: Vec<CanView> = Vec::new();
    for acting in [As::default()].into_iter().chain(lent) {
        for kind in Kind::OF_PEOPLE {
            let already = can.iter().any(|c| c.command == kind.as_str() && c.for_account.is_none());
            if !already && is_taken(application, kind, account, &acting, &facts) {
                can.push(CanView {
                    command: kind.as_str().to_owned(),
                    for_account: acting.for_account.as_ref().map(ToString::to_string),
                    role: acting.role.map(Role::as_str).map(str::to_owned),
                });
            }
        }
    }
    Ok(can)
}

/// Would the handler take it? What goes with the command is the sender's to get right: a fault of
/// that says that the command itself is open.
fn is_taken(application: &Application, kind: Kind, account: &Account, acting: &As, facts: &Facts<'_>) -> bool {
    let Some(command) = probe(application, kind, facts) else { return false };
    match approval::handle(application, &command, &By::Person { account, acting }, facts) {
        Ok(_) => true,
        Err(error) => error.code == Code::InvalidRequest,
    }
}

/// A command of that kind, with as little in it as can be.
fn probe(application: &Application, kind: Kind, facts: &Facts<'_>) -> Option<Command> {
    let note = || "-".to_owned();
    Some(match kind {
        Kind::Revise => Command::Revise { terms: application.terms.clone() },
        Kind::Submit => Command::Submit,
        Kind::Consent => Command::Consent,
        Kind::Decline => Command::Decline { note: note() },
        Kind::Approve => Command::Approve { without: Vec::new() },
        Kind::Return => {
            Command::Return { missing: vec![Missing { pointer: "/basis".into(), note: note() }] }
        }
        Kind::Refuse => Command::Refuse {
            reason: facts.workflow.reasons.keys().next().cloned().unwrap_or_default(),
            basis: note(),
            note: note(),
        },
        Kind::Counter => Command::Counter { terms: application.remaining() },
        Kind::Accept => Command::Accept,
        Kind::Extend => Command::Extend { days: 1, note: note() },
        Kind::GrantExtension => Command::GrantExtension,
        Kind::RefuseExtension => Command::RefuseExtension { note: note() },
        Kind::Comment => Command::Comment { text: note() },
        Kind::Withdraw => Command::Withdraw,
        Kind::Suspend => Command::Suspend { note: note() },
        Kind::Resume => Command::Resume,
        Kind::Revoke => Command::Revoke { note: note() },
        Kind::Close => Command::Close,
        Kind::Fire => return None,
    })
}

