//! Reading applications: the list, one, and what happened to it.
//!
//! Invariant: reading leaves no record, being refused does.

use std::sync::Arc;

use serde::Deserialize;

use super::can::can;
use super::describe::{describe, event_view, for_auditors};
use super::found::{Found, seen};
use super::view::{ApplicationLine, ApplicationPage, ApplicationView, EventPage, PreviousView};
use super::{application_id, blocking, fail, state};
use crate::app::call::{Call, PersonCaller};
use crate::app::gateway::Gateway;
use crate::app::trail::Trail;
use crate::app::world::World;
use crate::approval::application::{Application, State};
use crate::base::ids::{ApplicationId, DatasetId, DepartmentId};
use crate::base::{Code, Error, Lang, Result, Timestamp};
use crate::identity::Account;
use crate::policy::Action;
use crate::store::state::StateStore;
use crate::store::state::applications::{ApplicationRow, List, Wait, Whose};

/// The most entries on one page.
pub const MAX_PAGE: usize = 100;
/// The entries on a page when no number is asked for.
pub(super) const PAGE: usize = 50;
/// The most earlier grants that are shown beside an application.
const PREVIOUS: usize = 20;

/// Which applications to list. All that are given must match.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Only those that stand so.
    pub state: Option<State>,
    /// Only those of this department; for readers of all. Others read their own department's.
    pub department: Option<DepartmentId>,
    /// Only those that wait for the reader.
    pub waiting: Option<WaitingFor>,
    /// Only those that come before this one: the `next` of the page before.
    pub before: Option<ApplicationId>,
    /// The most on the page, up to 100.
    pub limit: Option<usize>,
}

/// Whom applications wait for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// The reader: a role of its own in its department, or one that was lent to it.
    Me,
}

/// A page of applications, the newest first.
///
/// # Errors
/// `forbidden`, `invalid-request`.
pub async fn list(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    search: Result<Search>,
) -> Result<ApplicationPage> {
    let (held, account) = (Arc::clone(gateway), Arc::clone(&call.caller.account));
    let found = blocking(move || {
        let search = search?;
        let world = held.world();
        let list = permitted(&held, &world, &account, &search, held.now())?;
        held.state.applications(&list).map_err(state).map(|rows| (rows, list.limit))
    });
    match found.await {
        Ok((rows, limit)) => Ok(ApplicationPage {
            next: rows.last().filter(|_| rows.len() == limit).map(|row| row.id.to_string()),
            applications: rows.into_iter().map(line).collect(),
        }),
        Err(error) => refuse(gateway, call, error).await,
    }
}

/// The list that the account may have.
fn permitted(
    gateway: &Gateway,
    world: &World,
    account: &Account,
    search: &Search,
    now: Timestamp,
) -> Result<List> {
    let limit = search.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Error::at(Code::InvalidRequest, "/limit", Code::OutOfBounds));
    }
    let whose = match (&search.waiting, &search.department) {
        (Some(_), None) if search.state.is_none() => {
            Whose::WaitingFor(waits_for(gateway, world, account, now)?)
        }
        (Some(_), _) => return Err(Error::at(Code::InvalidRequest, "/waiting", Code::NotAllowedValue)),
        (None, department) => whose(world, account, department.as_ref())?,
    };
    Ok(List { whose, state: search.state, granted: false, before: search.before.clone(), limit })
}

/// All for those who may read all, otherwise the own department's.
pub(super) fn whose(world: &World, account: &Account, department: Option<&DepartmentId>) -> Result<Whose> {
    let policy = &world.policy;
    match department {
        None if policy.person_may(account, Action::ApplicationsReadAll) => Ok(Whose::All),
        Some(other) if policy.person_may(account, Action::ApplicationsReadAll) => {
            Ok(Whose::Department(other.clone()))
        }
        None if policy.person_may(account, Action::ApplicationsReadOwn) => {
            Ok(Whose::Department(account.department.clone()))
        }
        Some(own)
            if *own == account.department && policy.person_may(account, Action::ApplicationsReadOwn) =>
        {
            Ok(Whose::Department(own.clone()))
        }
        _ => Err(Code::Forbidden.into()),
    }
}

/// In which roles of which departments the account can be waited for.
pub(super) fn waits_for(
    gateway: &Gateway,
    world: &World,
    account: &Account,
    now: Timestamp,
) -> Result<Vec<Wait>> {
    whose(world, account, None)?;
    let own = account.roles.iter().map(|role| (account.department.clone(), *role));
    let lent = super::facts::delegations(gateway, account, now)?;
    let lent = lent.iter().map(|loan| (loan.from.department.clone(), loan.role));
    let both = own.chain(lent).flat_map(|(department, role)| {
        [Wait { department: Some(department), role }, Wait { department: None, role }]
    });
    let mut waits: Vec<Wait> = both.collect();
    waits.sort();
    waits.dedup();
    Ok(waits)
}

pub(super) fn line(row: ApplicationRow) -> ApplicationLine {
    ApplicationLine {
        application: row.id.to_string(),
        version: row.version,
        state: row.state.as_str().to_owned(),
        requester: row.requester.to_string(),
        provider: row.provider.to_string(),
        dataset: row.dataset.to_string(),
        due: row.due,
        updated_at: row.updated_at.to_string(),
    }
}

/// One application.
///
/// # Errors
/// `not-found` when there is none, or the reader may not see it.
pub async fn get(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    id: &str,
    lang: Lang,
) -> Result<ApplicationView> {
    let (held, account, id) = (Arc::clone(gateway), Arc::clone(&call.caller.account), application_id(id));
    let view = blocking(move || {
        let (store, world, now) = (&held.state, held.world(), held.now());
        let Found { application, .. } = seen(store, &world, &account, &id?)?;
        let can = can(&held, &world, &account, &application, now)?;
        let previous = previous(store, &application)?;
        describe(&world, &application, now, lang, can, previous)
    });
    match view.await {
        Ok(view) => Ok(view),
        Err(error) => refuse(gateway, call, error).await,
    }
}

/// The version that an application has: for a page that shows an older one, perhaps.
///
/// # Errors
/// `not-found` when there is none, or the reader may not see it.
pub async fn version(gateway: &Arc<Gateway>, call: &Call<PersonCaller>, id: &str) -> Result<u32> {
    let (held, account, id) = (Arc::clone(gateway), Arc::clone(&call.caller.account), application_id(id));
    let found = blocking(move || seen(&held.state, &held.world(), &account, &id?));
    match found.await {
        Ok(found) => Ok(found.application.version),
        Err(error) => refuse(gateway, call, error).await,
    }
}

/// What happened to an application, behind event `after`, the oldest first.
///
/// # Errors
/// `not-found` when there is none, or the reader may not see it.
pub async fn events(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    id: &str,
    after: Result<u32>,
) -> Result<EventPage> {
    let (held, account, id) = (Arc::clone(gateway), Arc::clone(&call.caller.account), application_id(id));
    let page = blocking(move || {
        let (world, id, after) = (held.world(), id?, after?);
        let Found { application, .. } = seen(&held.state, &world, &account, &id)?;
        let records = held.state.event_records(&id).map_err(state)?;
        let tells_all = world.policy.person_may(&account, Action::ApplicationsReadAll);
        let skipped = usize::try_from(after).unwrap_or(usize::MAX);
        let rest = application.events.iter().enumerate().skip(skipped);
        let shown = rest.clone().take(MAX_PAGE).filter(|(_, event)| tells_all || !for_auditors(event));
        let shown = shown.map(|(at, event)| event_view(event, records.get(at).copied().flatten()));
        let more = rest.len() > MAX_PAGE;
        let last = u32::try_from(MAX_PAGE).unwrap_or(u32::MAX);
        Ok(EventPage {
            events: shown.collect::<Result<_>>()?,
            next: more.then(|| after.saturating_add(last)),
        })
    });
    match page.await {
        Ok(page) => Ok(page),
        Err(error) => refuse(gateway, call, error).await,
    }
}

fn previous(store: &StateStore, application: &Application) -> Result<Vec<PreviousView>> {
    let dataset: DatasetId = application.terms.dataset.clone();
    let list = List {
        whose: Whose::Asked(application.requester.clone(), dataset),
        state: None,
        granted: true,
        before: None,
        limit: PREVIOUS,
    };
    let rows = store.applications(&list).map_err(state)?.into_iter();
    let others = rows.filter(|row| row.id != application.id);
    Ok(others
        .map(|row| PreviousView { application: row.id.to_string(), state: row.state.as_str().to_owned() })
        .collect())
}

/// Being refused leaves a record, so that probing for ids shows.
pub(super) async fn refuse<T>(gateway: &Gateway, call: &Call<PersonCaller>, error: Error) -> Result<T> {
    fail(gateway, call, Trail::new("applications", call), error).await
}
