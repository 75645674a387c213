//! What somebody may do to an application now.
//!
//! Invariant: it is what the handler says when it is asked, not a second opinion.

use super::facts::{About, Gathered};
use super::view::CanView;
use crate::app::gateway::Gateway;
use crate::app::world::World;
use crate::approval::application::Application;
use crate::approval::command::As;
use crate::approval::facts::By;
use crate::approval::permitted;
use crate::base::{Result, Timestamp};
use crate::identity::{Account, Role};
use crate::policy::Action;

/// What the account may do to it now, by its own roles and by those that were lent to it.
pub(super) fn can(
    gateway: &Gateway,
    world: &World,
    account: &Account,
    application: &Application,
    now: Timestamp,
) -> Result<Vec<CanView>> {
    if !world.policy.person_may(account, Action::ApplicationsWrite) {
        return Ok(Vec::new());
    }
    let gathered = Gathered::for_person(gateway, world, account, About::Existing(application), now)?;
    let facts = gathered.facts(world, now);
    let lent = gathered.delegations.iter();
    let lent = lent.map(|loan| As { role: Some(loan.role), for_account: Some(loan.from.id.clone()) });
    let mut can: Vec<CanView> = Vec::new();
    for acting in [As::default()].into_iter().chain(lent) {
        for kind in permitted(application, &By::Person { account, acting: &acting }, &facts) {
            // What it may do by itself it need not do for another.
            let already = can.iter().any(|c| c.command == kind.as_str() && c.for_account.is_none());
            if !already {
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
