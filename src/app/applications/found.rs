//! An application looked up for somebody: there, and theirs to see; or not found.
//!
//! A grant of `policies/grants.toml` has no application behind it. It is read as one that was
//! drafted and accepted when it came into force; the first command given to it has that stored.

use super::facts::{is_of_files, terms_of};
use super::state;
use crate::app::world::World;
use crate::approval::Application;
use crate::approval::event::{Actor, Event, What};
use crate::base::ids::{ApplicationId, DepartmentId};
use crate::base::{Code, Error, Result};
use crate::identity::Account;
use crate::policy::{Action, Grant};
use crate::store::state::StateStore;

/// An application, and how many of its events are not stored: all or none.
pub(super) struct Found {
    pub application: Application,
    pub unstored: usize,
}

/// May the account see what stands between these two departments?
pub(super) fn may_see(
    world: &World,
    account: &Account,
    requester: &DepartmentId,
    provider: &DepartmentId,
) -> bool {
    let own = account.department == *requester || account.department == *provider;
    world.policy.person_may(account, Action::ApplicationsReadAll)
        || (own && world.policy.person_may(account, Action::ApplicationsReadOwn))
}

/// The application, if the account may see it.
///
/// # Errors
/// `not-found` otherwise; `not-ready`.
pub(super) fn seen(
    store: &StateStore,
    world: &World,
    account: &Account,
    id: &ApplicationId,
) -> Result<Found> {
    let stored = store.application(id).map_err(state)?.map(|application| Found { application, unstored: 0 });
    let found = match stored {
        Some(found) => Some(found),
        None => of_files(world, id)?,
    };
    let sees =
        |found: &Found| may_see(world, account, &found.application.requester, &found.application.provider);
    found.filter(sees).ok_or_else(|| Code::NotFound.into())
}

fn of_files(world: &World, id: &ApplicationId) -> Result<Option<Found>> {
    let mut grants = world.policy.grants().iter().filter(|grant| is_of_files(grant));
    let Some(grant) = grants.find(|grant| grant.id.as_str() == id.as_str()) else { return Ok(None) };
    imported(world, grant)
        .map(|application| application.map(|a| Found { unstored: a.events.len(), application: a }))
}

/// A grant of the files, read as an application.
pub(super) fn imported(world: &World, grant: &Grant) -> Result<Option<Application>> {
    let dataset = world.catalogue.datasets.get(&grant.dataset);
    let (Some(dataset), Some(id)) = (dataset, ApplicationId::parse(grant.id.as_str())) else {
        return Ok(None);
    };
    let terms = terms_of(grant);
    let revision = terms.revision();
    let drafted = What::Drafted {
        requester: grant.department.clone(),
        provider: dataset.entry.provider.clone(),
        terms,
        renews: None,
    };
    let stopped = grant.suspended.then(|| What::Suspended { note: String::new() });
    let whats = [drafted, What::Accepted { revision }].into_iter().chain(stopped);
    let events = (1..).zip(whats).map(|(seq, what)| Event { seq, at: grant.from, by: Actor::Timer, what });
    let application = Application::of(id, events.collect());
    application.map(Some).map_err(|e| Error::new(Code::Internal).because(e))
}
