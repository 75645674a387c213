//! Grants (授权) as people see and command them: the applications that came to one, and those of the
//! policies' files.

use std::sync::Arc;

use serde::Deserialize;

use super::can::can;
use super::describe::json;
use super::facts::{DAY, is_of_files};
use super::found::{Found, imported, may_see, seen};
use super::reading::{MAX_PAGE, PAGE, refuse, whose};
use super::view::{GrantLine, GrantPage, GrantView, UseView};
use super::{Asked, Given, application_id, blocking, state};
use crate::app::call::{Call, PersonCaller};
use crate::app::gateway::Gateway;
use crate::app::world::World;
use crate::approval::Application;
use crate::base::ids::ApplicationId;
use crate::base::{Code, Error, Result, Timestamp};
use crate::identity::Account;
use crate::policy::Grant;
use crate::store::state::StateStore;
use crate::store::state::applications::List;

/// Commands that a grant takes.
const COMMANDS: [&str; 4] = ["suspend", "resume", "revoke", "close"];

/// Which page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Only those that come before this one: the `next` of the page before.
    pub before: Option<String>,
    /// The most on the page, up to 100.
    pub limit: Option<usize>,
}

/// A page of grants, the newest first; those of the files come before all others.
///
/// # Errors
/// `forbidden`, `invalid-request`, `not-found` when `before` is no grant's id.
pub async fn list(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    page: Result<Page>,
) -> Result<GrantPage> {
    let (held, account) = (Arc::clone(gateway), Arc::clone(&call.caller.account));
    let page = blocking(move || {
        let world = held.world();
        let Page { before, limit } = page?;
        let limit = limit.unwrap_or(PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Error::at(Code::InvalidRequest, "/limit", Code::OutOfBounds));
        }
        let before = before.map(|id| behind(&id)).transpose()?;
        let whose = whose(&world, &account, None)?;
        let list = List { whose, state: None, granted: true, before, limit };
        let rows = held.state.applications(&list).map_err(state)?;
        let stored = rows.into_iter().map(|row| {
            (
                row.id.clone(),
                GrantLine {
                    grant: grant_id(&row.id),
                    state: row.state.as_str().to_owned(),
                    requester: row.requester.to_string(),
                    provider: row.provider.to_string(),
                    dataset: row.dataset.to_string(),
                },
            )
        });
        let mut lines: Vec<(ApplicationId, GrantLine)> = stored.collect();
        lines.extend(untouched(&held, &world, &account, &list)?);
        lines.sort_by(|(a, _), (b, _)| b.cmp(a));
        let more = lines.len() >= limit;
        lines.truncate(limit);
        let next = lines.last().filter(|_| more).map(|(_, line)| line.grant.clone());
        Ok(GrantPage { grants: lines.into_iter().map(|(_, line)| line).collect(), next })
    });
    match page.await {
        Ok(page) => Ok(page),
        Err(error) => refuse(gateway, call, error).await,
    }
}

/// Grants of the files to which nobody has given a command yet: the first of the page, no more than
/// it has lines.
fn untouched(
    gateway: &Gateway,
    world: &World,
    account: &Account,
    list: &List,
) -> Result<Vec<(ApplicationId, GrantLine)>> {
    let before = list.before.as_ref().map(ApplicationId::as_str);
    let of_page = |grant: &&Arc<Grant>| is_of_files(grant) && before.is_none_or(|b| grant.id.as_str() < b);
    let mut grants: Vec<&Arc<Grant>> = world.policy.grants().iter().filter(of_page).collect();
    grants.sort_by(|a, b| b.id.cmp(&a.id));
    let mut lines = Vec::new();
    for grant in grants {
        if lines.len() == list.limit {
            break;
        }
        let Some(application) = imported(world, grant)? else { continue };
        if may_see(world, account, &application.requester, &application.provider)
            && gateway.state.application(&application.id).map_err(state)?.is_none()
        {
            lines.push((application.id.clone(), line(&application)));
        }
    }
    Ok(lines)
}

fn line(application: &Application) -> GrantLine {
    GrantLine {
        grant: grant_id(&application.id),
        state: application.state.as_str().to_owned(),
        requester: application.requester.to_string(),
        provider: application.provider.to_string(),
        dataset: application.terms.dataset.to_string(),
    }
}

/// One grant.
///
/// # Errors
/// `not-found` when there is none, or the reader may not see it.
pub async fn get(gateway: &Arc<Gateway>, call: &Call<PersonCaller>, id: &str) -> Result<GrantView> {
    let (held, account, id) = (Arc::clone(gateway), Arc::clone(&call.caller.account), behind(id));
    let view = blocking(move || {
        let (world, now) = (held.world(), held.now());
        let Found { application, .. } = seen(&held.state, &world, &account, &id?)?;
        let granted = application.granted_at().zip(application.offer.as_ref());
        let (since, terms) = granted.ok_or(Code::NotFound)?;
        Ok(GrantView {
            grant: grant_id(&application.id),
            application: application.id.to_string(),
            version: application.version,
            state: application.state.as_str().to_owned(),
            requester: application.requester.to_string(),
            provider: application.provider.to_string(),
            terms: json(terms)?,
            revision: terms.revision().as_str().to_owned(),
            since: since.to_string(),
            until: terms.until.to_string(),
            used: used(&held.state, &application, now)?,
            can: can(&held, &world, &account, &application, now)?
                .into_iter()
                .filter(|can| COMMANDS.contains(&can.command.as_str()))
                .collect(),
        })
    });
    match view.await {
        Ok(view) => Ok(view),
        Err(error) => refuse(gateway, call, error).await,
    }
}

/// How much of a grant was used, by the counts of its quota.
fn used(store: &StateStore, application: &Application, now: Timestamp) -> Result<UseView> {
    let id = application.grant_id().as_ref().and_then(Grant::rule);
    let (Some(id), today) = (id, now.day()) else { return Ok(UseView::default()) };
    let days = store.used(&id, now.plus_seconds(-29 * DAY).day()).map_err(state)?;
    let number = |count: i64| u64::try_from(count).unwrap_or(0);
    let now = days.iter().find(|day| day.day == today.to_string());
    Ok(UseView {
        today: now.map_or(0, |day| number(day.used)),
        distinct_today: now.map_or(0, |day| number(day.people)),
        days_30: days.iter().map(|day| number(day.used)).sum(),
    })
}

/// Gives the command of that name to a grant: it is one of its application's.
///
/// # Errors
/// As for the application's.
pub async fn command(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    id: &str,
    name: &str,
    asked: Asked,
) -> Result<Given> {
    match behind(id).ok().filter(|_| COMMANDS.contains(&name)) {
        Some(application) => super::command(gateway, call, application.as_str(), name, asked).await,
        None => refuse(gateway, call, Code::NotFound.into()).await,
    }
}

/// The application behind a grant: `A-2026-000001` for `G-2026-000001`; one of the files, with four
/// digits, stands for itself.
fn behind(grant: &str) -> Result<ApplicationId> {
    let rest = grant.strip_prefix("G-").ok_or(Code::NotFound)?;
    let of_files = rest.rsplit('-').next().is_some_and(|number| number.len() == 4);
    application_id(&if of_files { grant.to_owned() } else { format!("A-{rest}") })
}

fn grant_id(application: &ApplicationId) -> String {
    let id = application.as_str();
    id.strip_prefix("A-").map_or_else(|| id.to_owned(), |rest| format!("G-{rest}"))
}
