//! Accounts of people: who makes them, who gives them roles.
//!
//! Invariant: it takes two to give somebody a power: the system administrator makes accounts and
//! grants no role; the security administrator grants roles and makes no account, nor can bind a
//! certificate or a subject at the identity provider, or reset a password. No role is given to an
//! account that its maker could still sign in to, and one that has roles is put back in force only
//! by who may give them. Nobody changes an account of their own. Who does it is looked at once more
//! when it is done. Every change is an act in the log before it is answered.

mod command;
mod form;
pub mod view;

use serde::{Deserialize, Serialize};

pub use form::{NewPerson, OneTime, checked, one_time, outside};

use self::command::Command;
use self::view::{PeoplePage, PersonMade, PersonView};
use super::applications::{Asked, answer_key};
use super::call::{Call, Known, PersonCaller};
use super::gateway::Gateway;
use super::subject;
use super::trail::Trail;
use crate::base::ids::{AccountId, DepartmentId};
use crate::base::{Code, Error, Result, Secret, Timestamp};
use crate::identity::Account;
use crate::policy::Action;
use crate::store::state::idempotency::{Answered, Basis, Key};
use crate::store::state::{Change, Changed, NewAccount, Profile};

/// The most accounts on a page.
const PAGE: usize = 200;

/// Which accounts are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Of this department.
    pub department: Option<DepartmentId>,
    /// From behind this account: the `next` of the page before.
    pub after: Option<AccountId>,
}

/// The accounts that the caller may see: all, or those of the own department.
///
/// # Errors
/// `forbidden`, `invalid-request`; `audit-unavailable`, `not-ready`.
pub async fn list(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    search: Result<Search>,
) -> Result<PeoplePage> {
    let mut trail = Trail::new("people-read", call);
    let search = match search.and_then(|search| narrowed(gateway, call, search)) {
        Ok(search) => search,
        Err(error) => return Err(gateway.record_failure(&call.caller, trail, error).await),
    };
    let after = search.after.map(|id| id.to_string()).unwrap_or_default();
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let department = search.department;
    let found = gateway.with_state(move |state| state.accounts(department.as_ref(), &after, limit)).await?;
    trail.count("found", found.len() as u64);
    gateway.record(trail.end(Code::Ok)).await?;
    let next = found.last().filter(|_| found.len() == PAGE).map(|last| last.account.id.to_string());
    Ok(PeoplePage { people: found.iter().map(PersonView::from).collect(), next })
}

fn narrowed(gateway: &Gateway, call: &Call<PersonCaller>, search: Search) -> Result<Search> {
    let policy = &gateway.world().policy;
    if call.caller.may(policy, Action::PeopleReadAll) {
        Ok(search)
    } else if call.caller.may(policy, Action::PeopleReadOwn) {
        Ok(Search { department: Some(call.caller.department().clone()), ..search })
    } else {
        Err(Code::Forbidden.into())
    }
}

/// One account.
///
/// # Errors
/// `not-found` when there is none, or the caller may not know of it; `audit-unavailable`.
pub async fn view(gateway: &Gateway, call: &Call<PersonCaller>, account: &str) -> Result<PersonView> {
    let mut trail = Trail::new("people-read", call);
    let found = async {
        let search = narrowed(gateway, call, Search::default()).map_err(|_| Code::NotFound)?;
        let profile = find(gateway, account).await?;
        let known = search.department.is_none_or(|own| own == profile.account.department);
        if known { Ok(profile) } else { Err(Error::new(Code::NotFound)) }
    };
    match found.await {
        Ok(profile) => {
            trail.note("account", profile.account.id.as_str());
            gateway.record(trail.end(Code::Ok)).await?;
            Ok(PersonView::from(&profile))
        }
        Err(error) => Err(gateway.record_failure(&call.caller, trail, error).await),
    }
}

/// How often a command is decided anew because something changed meanwhile.
const TRIES: usize = 16;

/// Makes an account without roles; for the system administrator.
///
/// # Errors
/// `forbidden`, `not-separate`, `account-taken`; the faults of the body; `idempotency-key-reused`;
/// `overloaded`, `audit-unavailable`, `not-ready`.
pub async fn make(gateway: &Gateway, call: &Call<PersonCaller>, asked: Asked) -> Result<PersonMade> {
    let mut trail = Trail::new("people-change", call);
    trail.note("command", "make");
    let done = made(gateway, call, asked).await;
    if let Ok(came) = &done {
        trail.note("account", came.account.as_str());
    }
    conclude(gateway, call, trail, done).await
}

async fn made(gateway: &Gateway, call: &Call<PersonCaller>, asked: Asked) -> Result<Came> {
    permit(gateway, &call.caller.account, &[Action::PeopleManage])?;
    let (body, key) = opened(call, "people", asked)?;
    let new: NewPerson = subject::read(&body)?;
    let account = checked(new, &gateway.world().catalogue, gateway.now().day())?;
    let mut password = None;
    for _ in 0..TRIES {
        let (seen, caller) = acting(gateway, call).await?;
        permit(gateway, &caller, &[Action::PeopleManage])?;
        if let Some(before) = came_before(gateway, key.as_ref()).await? {
            return Ok(before);
        }
        if account.person == caller.person {
            return Err(Code::NotSeparate.into());
        }
        let (one_time, kept) = some_password(gateway, &mut password).await?;
        let came = Came { account: account.id.clone(), one_time: Some(one_time) };
        let (answer, new, actor, now) =
            (came.answer(gateway, key.as_ref())?, account.clone(), caller.id.to_string(), gateway.now());
        let until = came.one_time.as_ref().map(|one_time| one_time.until);
        let done = gateway.with_state(move |state| {
            let new = NewAccount { account: &new, password: &kept, until, code_secret: None };
            state.make_account_if(&basis(seen, &answer), &new, &actor, now)
        });
        match done.await? {
            Changed::Stale => {}
            changed => return outcome(changed).map(|()| came),
        }
    }
    Err(Error::new(Code::NotReady).retry_after(1))
}

/// Carries out a command on an account.
///
/// # Errors
/// `forbidden`, `not-found`, `not-separate`, `exclusive-roles`, `account-taken`, `wrong-state`; the
/// faults of the body; `idempotency-key-reused`; `overloaded`, `audit-unavailable`, `not-ready`.
pub async fn command(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    account: &str,
    command: &str,
    asked: Asked,
) -> Result<PersonMade> {
    let mut trail = Trail::new("people-change", call);
    let done = carried_out(gateway, call, &mut trail, account, command, asked).await;
    conclude(gateway, call, trail, done).await
}

async fn carried_out(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    trail: &mut Trail,
    account: &str,
    command: &str,
    asked: Asked,
) -> Result<Came> {
    let command = Command::named(command).ok_or(Code::NotFound)?;
    permit(gateway, &call.caller.account, command.actions())?;
    trail.note("command", command.as_str());
    let (body, key) = opened(call, &format!("people/{account}/{}", command.as_str()), asked)?;
    let id = find(gateway, account).await?.account.id;
    trail.note("account", id.as_str());
    let mut password = None;
    for _ in 0..TRIES {
        let (seen, caller) = acting(gateway, call).await?;
        permit(gateway, &caller, command.actions())?;
        if let Some(before) = came_before(gateway, key.as_ref()).await? {
            return Ok(before);
        }
        let profile = find(gateway, account).await?;
        permit(gateway, &caller, command.actions_on(&profile))?;
        if profile.account.person == caller.person {
            return Err(Code::NotSeparate.into());
        }
        // Whoever knows a password that was chosen already would share it with who has the certificate.
        let binds = matches!(command, Command::BindCertificate | Command::BindOidc);
        if binds && (profile.has_password || profile.has_code) {
            return Err(Code::WrongState.into());
        }
        let now = gateway.now();
        let (change, one_time) = match command.change(&body, now.day())? {
            Some(change) => (change, None),
            None => {
                let (one_time, password) = some_password(gateway, &mut password).await?;
                let until = one_time.until;
                (Change::ResetPassword { password, until, guarded: true }, Some(one_time))
            }
        };
        let came = Came { account: id.clone(), one_time };
        let (answer, target, actor) =
            (came.answer(gateway, key.as_ref())?, id.clone(), caller.id.to_string());
        let done = gateway.with_state(move |state| {
            state.change_account_if(&basis(seen, &answer), &target, &change, &actor, now)
        });
        match done.await?.ok_or(Code::NotFound)? {
            Changed::Stale => {}
            changed => return outcome(changed).map(|()| came),
        }
    }
    Err(Error::new(Code::NotReady).retry_after(1))
}

/// Has what was done recorded and in force, and only then answers.
async fn conclude(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    trail: Trail,
    done: Result<Came>,
) -> Result<PersonMade> {
    let Came { account, one_time } = match done {
        Ok(came) => came,
        Err(error) => return Err(gateway.record_failure(&call.caller, trail, error).await),
    };
    gateway.in_force().await?;
    gateway.record(trail.end(Code::Ok)).await?;
    let profile = find(gateway, account.as_str()).await?;
    Ok(match one_time {
        Some(one_time) => PersonMade::of(&profile, &one_time),
        None => PersonMade::without_password(&profile),
    })
}

/// What a command came to.
struct Came {
    account: AccountId,
    one_time: Option<OneTime>,
}

/// The same, as it is kept under a key.
#[derive(Serialize, Deserialize)]
struct Kept {
    account: AccountId,
    one_time: Option<(String, Timestamp)>,
}

impl Came {
    /// What is kept of it under the key, if there is one.
    fn answer(&self, gateway: &Gateway, key: Option<&Key>) -> Result<Option<(Key, String)>> {
        let Some(key) = key else { return Ok(None) };
        let one_time = self.one_time.as_ref();
        let one_time = one_time.map(|one_time| (one_time.password.reveal().clone(), one_time.until));
        let kept = serde_json::to_string(&Kept { account: self.account.clone(), one_time });
        let kept = Secret::new(kept.map_err(|e| Error::new(Code::Internal).because(e))?);
        let sealed = gateway.entry.key.seal_answer(key, &kept, &gateway.rng).ok_or(Code::NotReady)?;
        Ok(Some((key.clone(), sealed)))
    }
}

fn basis(seen: i64, answer: &Option<(Key, String)>) -> Basis<'_> {
    Basis { seen, answer: answer.as_ref().map(|(key, answer)| (key, answer.as_str())) }
}

/// The body, and the key under which the answer is kept.
fn opened(call: &Call<PersonCaller>, path: &str, asked: Asked) -> Result<(Vec<u8>, Option<Key>)> {
    let body = asked.body?;
    let key = answer_key(&call.caller.account, asked.key.as_deref(), path, None, &body)?;
    Ok((body, key))
}

/// What the same request came to under this key before.
async fn came_before(gateway: &Gateway, key: Option<&Key>) -> Result<Option<Came>> {
    let Some(key) = key.cloned() else { return Ok(None) };
    let (asked, now) = (key.clone(), gateway.now());
    match gateway.with_state(move |state| state.answered(&asked, now)).await? {
        Answered::No => Ok(None),
        Answered::OtherRequest => Err(Code::KeyReused.into()),
        Answered::Before(sealed) => {
            let kept = gateway.entry.key.open_answer(&key, &sealed).ok_or(Code::Internal)?;
            let kept = serde_json::from_str::<Kept>(kept.reveal());
            // What stands in it is no matter for a log.
            let Kept { account, one_time } = kept.map_err(|_| Code::Internal)?;
            let one_time = one_time.map(|(text, until)| OneTime { password: Secret::new(text), until });
            Ok(Some(Came { account, one_time }))
        }
    }
}

/// A one-time password and what is kept of it; the same however often something changed meanwhile,
/// since hashing takes its time.
async fn some_password(
    gateway: &Gateway,
    made: &mut Option<(OneTime, Secret<String>)>,
) -> Result<(OneTime, Secret<String>)> {
    if let Some(made) = made {
        return Ok(made.clone());
    }
    let one_time = one_time(&gateway.rng, gateway.now())?;
    let kept = gateway.entry.hashing.keep(one_time.password.clone()).await?;
    Ok(made.insert((one_time, kept)).clone())
}

/// The caller as it is now, and the state's revision before that was read: since the request began,
/// it may have lost a role or been disabled.
async fn acting(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<(i64, Account)> {
    let id = call.caller.account.id.clone();
    let found = gateway.with_state(move |state| Ok((state.revision()?, state.account(&id)?)));
    let (seen, profile) = found.await?;
    let account = profile.map(|profile| profile.account).filter(|account| account.active);
    Ok((seen, account.ok_or(Code::SignInRequired)?))
}

fn permit(gateway: &Gateway, caller: &Account, actions: &[Action]) -> Result<()> {
    let policy = &gateway.world().policy;
    let permitted = actions.iter().any(|action| policy.person_may(caller, *action));
    if permitted { Ok(()) } else { Err(Code::Forbidden.into()) }
}

async fn find(gateway: &Gateway, account: &str) -> Result<Profile> {
    let id = AccountId::parse(account).ok_or(Code::NotFound)?;
    let found = gateway.with_state(move |state| state.account(&id)).await?;
    found.ok_or_else(|| Code::NotFound.into())
}

fn outcome(changed: Changed) -> Result<()> {
    match changed {
        Changed::Yes | Changed::Unchanged => Ok(()),
        Changed::Taken => Err(Code::AccountTaken.into()),
        Changed::Exclusive => Err(Code::ExclusiveRoles.into()),
        Changed::HasRoles | Changed::Bound | Changed::Unclaimed => Err(Code::WrongState.into()),
        Changed::Stale => Err(Code::NotReady.into()),
    }
}
