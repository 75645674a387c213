//! Delegations (委托): a role lent to a colleague for a time.
//!
//! Invariant: only a role that the lender holds itself is lent, so one step deep; for a time that
//! the rules bound; within one department, and not to another account of the same person.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::applications::{Asked, answer_key, answered, blocking, current, state};
use super::call::{Call, PersonCaller};
use super::gateway::Gateway;
use super::trail::Trail;
use super::world::World;
use crate::approval::may_lend;
use crate::base::ids::AccountId;
use crate::base::{Code, Error, Result, Timestamp};
use crate::identity::{Account, Role};
use crate::policy::Action;
use crate::store::state::StateError;
use crate::store::state::delegations::{Lent, Loan};
use crate::store::state::idempotency::Key;

/// The most delegations that an account gives at one time.
const MAX_GIVEN: i64 = 20;

/// What is lent, as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    to: AccountId,
    role: Role,
    since: Timestamp,
    until: Timestamp,
}

/// The delegations that concern the reader.
#[derive(Debug, Serialize, ToSchema)]
pub struct DelegationList {
    /// Those that it gives.
    pub given: Vec<DelegationView>,
    /// Those that are given to it.
    pub received: Vec<DelegationView>,
}

/// A role lent for a time.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DelegationView {
    /// Its number.
    pub delegation: i64,
    /// Whose role it is.
    pub from: String,
    /// Which account may act in it.
    pub to: String,
    /// The role.
    #[schema(example = "sharing_lead")]
    pub role: String,
    /// From this moment, UTC.
    pub since: String,
    /// Until this moment, UTC.
    pub until: String,
}

/// How often a command is decided anew because something changed meanwhile.
const TRIES: usize = 16;

/// Lends a role.
///
/// # Errors
/// The faults of the body; `forbidden` when the caller does not hold the role; `invalid-request`;
/// `wrong-state` when it lends as many as it may; `idempotency-key-reused`; `audit-unavailable`.
pub async fn give(gateway: &Arc<Gateway>, call: &Call<PersonCaller>, asked: Asked) -> Result<DelegationView> {
    let (held, caller) = (Arc::clone(gateway), Arc::clone(&call.caller.account));
    let given = blocking(move || {
        may(&held.world(), &caller)?;
        let Asked { body, key, .. } = asked;
        let body = body?;
        let key = answer_key(&caller, key.as_deref(), "delegations", None, &body)?;
        let sent: Sent = super::subject::read(&body)?;
        for _ in 0..TRIES {
            if let Some(view) = lent(&held, &caller.id, &sent, key.as_ref())? {
                return Ok(view);
            }
        }
        Err(Error::new(Code::NotReady).retry_after(1))
    });
    conclude(gateway, call, "delegate", given.await).await
}

/// Lends it, or finds that it was lent under this key before; none when something changed meanwhile.
fn lent(
    gateway: &Gateway,
    caller: &AccountId,
    sent: &Sent,
    key: Option<&Key>,
) -> Result<Option<DelegationView>> {
    let (store, now) = (&gateway.state, gateway.now());
    let seen = store.revision().map_err(state)?;
    if let Some(before) = answered(store, key, now)? {
        return Ok(Some(before));
    }
    // As of that revision: another gateway may have taken up a version before this one.
    let world = gateway.world();
    if store.newest_seq().map_err(state)?.is_some_and(|newest| newest > world.seq) {
        return Ok(None);
    }
    let from = current(store, caller)?;
    may(&world, &from)?;
    let to = store.account(&sent.to).map_err(state)?.map(|profile| profile.account);
    let loan = lend(&world, &from, to.as_ref(), sent, now)?;
    let answer = |loan: &Loan| serde_json::to_string(&view(loan.clone())).map_err(StateError::new);
    match store.lend(seen, &loan, MAX_GIVEN, key, now, answer).map_err(state)? {
        Lent::Yes(loan) => Ok(Some(view(loan))),
        Lent::TooMany => Err(Code::WrongState.into()),
        Lent::Stale => Ok(None),
    }
}

/// Takes back a role that the caller has lent.
///
/// # Errors
/// `not-found`; `audit-unavailable`.
pub async fn take_back(gateway: &Arc<Gateway>, call: &Call<PersonCaller>, id: &str) -> Result<()> {
    let (held, account) = (Arc::clone(gateway), Arc::clone(&call.caller.account));
    let id = id.parse::<i64>();
    let taken = blocking(move || {
        may(&held.world(), &account)?;
        let id = id.map_err(|_| Code::NotFound)?;
        let taken = held.state.take_back(id, &account.id, held.now()).map_err(state)?;
        if taken { Ok(()) } else { Err(Code::NotFound.into()) }
    });
    conclude(gateway, call, "end-delegation", taken.await).await
}

/// The delegations that concern the caller and are not over.
///
/// # Errors
/// `forbidden`.
pub async fn list(gateway: &Arc<Gateway>, call: &Call<PersonCaller>) -> Result<DelegationList> {
    let (held, account) = (Arc::clone(gateway), Arc::clone(&call.caller.account));
    let found = blocking(move || {
        may(&held.world(), &account)?;
        let (store, now) = (&held.state, held.now());
        let given = store.lent_by(&account.id, now).map_err(state)?;
        let received = store.lent_to(&account.id, now).map_err(state)?;
        Ok(DelegationList {
            given: given.into_iter().map(view).collect(),
            received: received.into_iter().map(view).collect(),
        })
    });
    match found.await {
        Ok(list) => Ok(list),
        Err(error) => Err(gateway.record_failure(&call.caller, Trail::new("delegations", call), error).await),
    }
}

fn may(world: &World, account: &Account) -> Result<()> {
    let may = world.policy.person_may(account, Action::ApplicationsWrite);
    if may { Ok(()) } else { Err(Code::Forbidden.into()) }
}

/// The loan that `sent` comes to.
fn lend(world: &World, from: &Account, to: Option<&Account>, sent: &Sent, now: Timestamp) -> Result<Loan> {
    let Sent { role, since, until, .. } = *sent;
    // Who is not there reads like who is of another department: names are not to be probed for.
    let to = to.ok_or_else(|| Error::at(Code::InvalidRequest, "/to", Code::NotAllowedValue))?;
    may_lend(from, to, role, since, until, &world.workflow)?;
    if until <= now {
        return Err(Error::at(Code::InvalidRequest, "/until", Code::OutOfBounds));
    }
    Ok(Loan { id: 0, from: from.id.clone(), to: to.id.clone(), role, since, until })
}

fn view(loan: Loan) -> DelegationView {
    DelegationView {
        delegation: loan.id,
        from: loan.from.to_string(),
        to: loan.to.to_string(),
        role: loan.role.as_str().to_owned(),
        since: loan.since.to_string(),
        until: loan.until.to_string(),
    }
}

/// Has what was done recorded and in force, and only then answers.
async fn conclude<T>(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    command: &'static str,
    done: Result<T>,
) -> Result<T> {
    let mut trail = Trail::new("delegation-command", call);
    trail.note("command", command);
    let done = match done {
        Ok(done) => done,
        Err(error) => return Err(gateway.record_failure(&call.caller, trail, error).await),
    };
    gateway.in_force().await?;
    gateway.record(trail.end(Code::Ok)).await?;
    Ok(done)
}
