//! Drafting and commanding: one story for the interface, the command line and every command.
//!
//! ```text
//! order   = the body, read strictly                    body       400 422
//! again   = answered before under the same key?        store      the same answer
//! seen    = the application, if the caller may see it  mod        404
//! version = the one that the caller saw                           412
//! events  = what the one handler makes of it           approval   403 409 422
//! change  = events and all that follows, written       store      412
//! log     = recorded, and in force                     apply      503
//! ```

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::facts::{About, Gathered};
use super::found::{Found, seen};
use super::standing::{self, grant_after};
use super::{RECORD, application_id, blocking, body, fail, state};
use crate::app::call::{Call, Caller, PersonCaller};
use crate::app::gateway::Gateway;
use crate::app::notices;
use crate::app::trail::Trail;
use crate::app::world::World;
use crate::approval::event::{Event, What};
use crate::approval::facts::{By, Facts, PastApproval};
use crate::approval::{self, Application};
use crate::base::ids::{AccountId, ApplicationId, DatasetId, PersonId};
use crate::base::{Code, Error, Result, Timestamp};
use crate::catalogue::Catalogue;
use crate::identity::Account;
use crate::policy::Action;
use crate::store::state::applications::{Appended, Change};
use crate::store::state::idempotency::{Answered, Key};
use crate::store::state::{StateError, StateStore};

/// A request that changes something, as it came.
pub struct Asked {
    /// The body, or why it could not be read.
    pub body: Result<Vec<u8>>,
    /// The header `Idempotency-Key`, where there is one.
    pub key: Option<String>,
    /// The version in the header `If-Match`, where there is one.
    pub if_match: Option<u32>,
}

/// What came of it: all that is answered, and answered again under the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Given {
    /// The application.
    pub application: String,
    /// Its version now: the number of its events.
    pub version: u32,
    /// Where it stands now.
    pub state: String,
    /// The grant that it came to, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grant: Option<String>,
}

/// Writes a new application.
///
/// # Errors
/// The faults of the body; `forbidden`; `too-many-drafts`; `idempotency-key-reused`;
/// `audit-unavailable`.
pub async fn draft(gateway: &Arc<Gateway>, call: &Call<PersonCaller>, asked: Asked) -> Result<Given> {
    let mut trail = Trail::new(RECORD, call);
    trail.note("command", "draft");
    let doing = Doing::new(gateway, call);
    let told = blocking(move || {
        if !doing.gateway.world().policy.person_may(&doing.account, Action::ApplicationsWrite) {
            return Err(Code::Forbidden.into());
        }
        let body = asked.body?;
        let key = answer_key(&doing.account, asked.key.as_deref(), "draft", None, &body)?;
        doing.once(key.as_ref(), || doing.draft(&body, key.clone()))
    });
    conclude(gateway, call, trail, told.await).await
}

/// Gives the command of that name to an application.
///
/// # Errors
/// `not-found`; the faults of the body; `version-mismatch`; `forbidden`, `not-separate`,
/// `wrong-state`; `idempotency-key-reused`; `audit-unavailable`.
pub async fn command(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    id: &str,
    name: &str,
    asked: Asked,
) -> Result<Given> {
    let mut trail = Trail::new(RECORD, call);
    let id = match application_id(id) {
        Ok(id) => id,
        Err(error) => return fail(gateway, call, trail, error).await,
    };
    trail.note("application", id.as_str());
    let name = name.to_owned();
    let doing = Doing::new(gateway, call);
    let told = blocking(move || {
        if !doing.gateway.world().policy.person_may(&doing.account, Action::ApplicationsWrite) {
            return Err(Code::Forbidden.into());
        }
        let body = asked.body?;
        let order = body::command(&name, &body, asked.if_match)?;
        let path = format!("{id}/{name}");
        let key = answer_key(&doing.account, asked.key.as_deref(), &path, asked.if_match, &body)?;
        doing.once(key.as_ref(), || doing.command(&id, &order, key.clone()))
    });
    conclude(gateway, call, trail, told.await).await
}

/// Has what was done recorded and in force, and only then answers.
async fn conclude(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    mut trail: Trail,
    told: Result<Given>,
) -> Result<Given> {
    let given = match told {
        Ok(given) => given,
        Err(error) => return fail(gateway, call, trail, error).await,
    };
    gateway.in_force().await?;
    trail.note("application", &given.application);
    trail.count("version", u64::from(given.version));
    gateway.record(trail.end(Code::Ok)).await?;
    Ok(given)
}

/// The key under which the answer to a request is kept, where the header has one.
///
/// # Errors
/// `invalid-request` when the header is no key.
pub(in crate::app) fn answer_key(
    account: &Account,
    header: Option<&str>,
    path: &str,
    if_match: Option<u32>,
    body: &[u8],
) -> Result<Option<Key>> {
    let path = format!("{path} {}", if_match.unwrap_or(0));
    header.map(|header| body::key(header, &account.id, &path, body)).transpose()
}

/// What was answered under the key before.
///
/// # Errors
/// `idempotency-key-reused` when it was another request; `not-ready`.
pub(in crate::app) fn answered<T: DeserializeOwned>(
    store: &StateStore,
    key: Option<&Key>,
    now: Timestamp,
) -> Result<Option<T>> {
    let Some(key) = key else { return Ok(None) };
    match store.answered(key, now).map_err(state)? {
        Answered::No => Ok(None),
        Answered::Before(answer) => parse(&answer).map(Some),
        Answered::OtherRequest => Err(Code::KeyReused.into()),
    }
}

/// The caller's account as it is now: since the request began, it may have lost a role or been
/// disabled.
///
/// # Errors
/// `sign-in-required` when it may not act any more; `not-ready`.
pub(in crate::app) fn current(store: &StateStore, id: &AccountId) -> Result<Account> {
    let account = store.account(id).map_err(state)?.map(|profile| profile.account);
    account.filter(|account| account.active).ok_or_else(|| Code::SignInRequired.into())
}

/// How often a command is decided anew because something changed meanwhile.
const TRIES: usize = 16;

/// Everything that one command needs.
struct Doing {
    gateway: Arc<Gateway>,
    account: Arc<Account>,
    caller: Caller,
    now: Timestamp,
}

impl Doing {
    fn new(gateway: &Arc<Gateway>, call: &Call<PersonCaller>) -> Self {
        Self {
            gateway: Arc::clone(gateway),
            account: Arc::clone(&call.caller.account),
            caller: Caller::Person(call.caller.clone()),
            now: gateway.now(),
        }
    }

    /// Does it, unless it was done before under the same key: then the answer of that time is
    /// given. A duplicate that is too late to be done may find that it was done meanwhile.
    fn once(&self, key: Option<&Key>, work: impl FnOnce() -> Result<Given>) -> Result<Given> {
        if let Some(before) = self.before(key)? {
            return Ok(before);
        }
        match work() {
            Err(error) => self.before(key)?.ok_or(error),
            done => done,
        }
    }

    fn before(&self, key: Option<&Key>) -> Result<Option<Given>> {
        answered(&self.gateway.state, key, self.now)
    }

    fn draft(&self, body: &[u8], key: Option<Key>) -> Result<Given> {
        let draft = body::draft(body)?;
        self.until_it_holds(|| self.begin(&draft, key.clone()))
    }

    fn begin(&self, draft: &body::Draft, key: Option<Key>) -> Result<(Appended, Option<Given>)> {
        let (store, world, now) = (&self.gateway.state, &*self.gateway.world(), self.now);
        let body::Draft { terms, renews, acting } = draft;
        let renews = renews.as_ref().map(|id| self.renewable(world, id)).transpose()?;
        let gathered =
            Gathered::for_person(&self.gateway, world, &self.account, About::New(renews.as_ref()), now)?;
        let by = By::Person { account: &self.account, acting };
        let catalogue = visible(world, &self.caller, &terms.dataset);
        let facts = Facts { catalogue: &catalogue, ..gathered.facts(world, now) };
        let event = approval::draft(terms.clone(), renews, &by, &facts)?;
        let mut given = None;
        let (appended, _) = store
            .begin_application(now.day().year(), key.as_ref(), now, |id| {
                let application = Application::of(id, vec![event]).map_err(StateError::new)?;
                let change = change(application, 1, world, now, key.clone()).map_err(StateError::new)?;
                given = Some(Given::of(&change.application));
                Ok(change)
            })
            .map_err(state)?;
        Ok((appended, given))
    }

    fn command(&self, id: &ApplicationId, order: &body::Order, key: Option<Key>) -> Result<Given> {
        self.until_it_holds(|| self.attempt(id, order, key.clone()))
    }

    /// Decides on what stands, and again when something of it changed before it was written.
    fn until_it_holds(&self, decide: impl Fn() -> Result<(Appended, Option<Given>)>) -> Result<Given> {
        for _ in 0..TRIES {
            let (appended, given) = decide()?;
            if appended != Appended::Stale {
                return settle(appended, given);
            }
        }
        Err(Error::new(Code::NotReady).retry_after(1))
    }

    fn attempt(
        &self,
        id: &ApplicationId,
        order: &body::Order,
        key: Option<Key>,
    ) -> Result<(Appended, Option<Given>)> {
        let (store, now) = (&self.gateway.state, self.now);
        let rests_on = Some(store.revision().map_err(state)?);
        let world = &*self.gateway.world();
        let account = &current(store, &self.account.id)?;
        let Found { application, unstored } = seen(store, world, account, id)?;
        if application.version != order.version {
            return Err(Code::VersionMismatch.into());
        }
        let about = About::Existing(&application);
        let gathered = Gathered::for_person(&self.gateway, world, account, about, now)?;
        let by = By::Person { account, acting: &order.acting };
        let events = approval::handle(&application, &order.command, &by, &gathered.facts(world, now))?;
        let mut change = Change { rests_on, ..follow(application, events, world, now, key)? };
        change.new += unstored;
        let given = Given::of(&change.application);
        Ok((store.append(&change, now).map_err(state)?, Some(given)))
    }

    /// The application that a new one renews, if the caller may see it.
    fn renewable(&self, world: &World, id: &ApplicationId) -> Result<ApplicationId> {
        let found = seen(&self.gateway.state, world, &self.account, id);
        found.map(|found| found.application.id).map_err(|error| match error.code {
            Code::NotFound => Error::at(Code::InvalidRequest, "/renews", Code::NotAllowedValue),
            _ => error,
        })
    }
}

/// The catalogue, without the dataset when the caller may not know that there is one: then it reads
/// as what is not there.
pub(super) fn visible(world: &World, caller: &Caller, dataset: &DatasetId) -> Arc<Catalogue> {
    let found = world.catalogue.datasets.get(dataset);
    if found.is_none_or(|found| world.may_be_known_to(caller, found)) {
        return Arc::clone(&world.catalogue);
    }
    let mut left = Catalogue::clone(&world.catalogue);
    left.datasets.remove(dataset);
    Arc::new(left)
}

/// The change that these new events make, with all that follows from them.
pub(super) fn follow(
    application: Application,
    events: Vec<Event>,
    world: &World,
    now: Timestamp,
    key: Option<Key>,
) -> Result<Change> {
    let new = events.len();
    let application = application.and(events).map_err(|e| Error::new(Code::Internal).because(e))?;
    change(application, new, world, now, key)
}

fn change(
    application: Application,
    new: usize,
    world: &World,
    now: Timestamp,
    key: Option<Key>,
) -> Result<Change> {
    let fresh = application.events.get(application.events.len().saturating_sub(new)..).unwrap_or_default();
    let answer = match key {
        Some(key) => {
            let given = serde_json::to_string(&Given::of(&application));
            Some((key, given.map_err(|e| Error::new(Code::Internal).because(e))?))
        }
        None => None,
    };
    let standing = standing::of(&application, world, now);
    Ok(Change {
        notices: notices::about(&application, fresh, standing.due),
        standing,
        grant: grant_after(&application, fresh)?,
        approvals: approvals(&application, fresh),
        fired: None,
        rests_on: None,
        answer,
        new,
        application,
    })
}

/// Who approved what whom applied for.
fn approvals(application: &Application, fresh: &[Event]) -> Vec<PastApproval> {
    let votes = fresh.iter().filter(|event| matches!(event.what, What::Approved { .. }));
    let pairs = votes.flat_map(|vote| vote.by.people().map(move |approver| (approver, vote.at)));
    pairs
        .flat_map(|(approver, at)| {
            let of = move |applicant: &PersonId| PastApproval {
                applicant: applicant.clone(),
                approver: approver.clone(),
                at,
            };
            application.parts.authors.iter().map(of)
        })
        .collect()
}

fn settle(appended: Appended, given: Option<Given>) -> Result<Given> {
    match appended {
        Appended::Done => given.ok_or_else(|| Code::Internal.into()),
        Appended::Stale => Err(Code::VersionMismatch.into()),
        Appended::Answered(answer) => parse(&answer),
        Appended::KeyReused => Err(Code::KeyReused.into()),
        Appended::Full => Err(Code::TooManyDrafts.into()),
    }
}

fn parse<T: DeserializeOwned>(answer: &str) -> Result<T> {
    serde_json::from_str(answer).map_err(|e| Error::new(Code::Internal).because(e))
}

impl Given {
    fn of(application: &Application) -> Self {
        let granted = application.granted_at().and_then(|_| application.grant_id());
        Self {
            application: application.id.to_string(),
            version: application.version,
            state: application.state.as_str().to_owned(),
            grant: granted.map(|id| id.to_string()),
        }
    }
}
