//! Stopping a system or an operator at once, and letting it go on.
//!
//! Invariant: one security administrator stops; it takes two people to let go on, the first of whom is
//! a security administrator. What was stopped is refused on the next request, and an answer under way is
//! not given; whatever it asks is recorded.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::applications::{blocking, state};
use super::call::{Call, Known, PersonCaller, SystemCaller};
use super::gateway::Gateway;
use super::subject;
use super::trail::Trail;
use crate::base::ids::{AccountId, DepartmentId};
use crate::base::{Code, Error, Result};
use crate::catalogue::reference;
use crate::identity::{Account, System};
use crate::policy::{Action, Policy};
pub use crate::store::state::suspensions::{Resumed, Stopped, Suspension, Voice, Whom};

/// Why somebody is stopped: codes, since what is typed freely might name a person, and the log keeps it.
pub const REASONS: [&str; 4] = ["suspected-misuse", "unusual-volume", "key-compromised", "investigation"];

/// What lets somebody say that a system or an operator may go on.
pub const RESUME: [Action; 2] = [Action::CallersSuspend, Action::CallersResume];

/// Who is to be stopped, as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stopping {
    what: Sent,
    name: String,
    department: Option<String>,
    reason: String,
}

/// Who is to go on, as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resuming {
    what: Sent,
    name: String,
    department: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Sent {
    System,
    Operator,
}

impl Sent {
    /// Whom that names. A department is one of an operator alone.
    fn whom(self, name: String, department: Option<String>) -> Result<Whom> {
        let fault = |code| Error::at(Code::InvalidRequest, "/department", code);
        let department = match department {
            None => None,
            Some(_) if matches!(self, Sent::System) => return Err(fault(Code::UnknownMember)),
            Some(id) => Some(DepartmentId::parse(&id).ok_or_else(|| fault(Code::WrongPattern))?),
        };
        let what = match self {
            Sent::System => Stopped::System,
            Sent::Operator => Stopped::Operator,
        };
        Ok(Whom { what, name, department })
    }
}

/// Systems and operators that are stopped.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuspensionList {
    /// All of them.
    pub suspensions: Vec<SuspensionView>,
}

/// A system or an operator that is stopped.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuspensionView {
    /// `system` or `operator`.
    #[schema(example = "system")]
    pub what: String,
    /// Its name.
    #[schema(example = "service.onestop")]
    pub name: String,
    /// Of an operator: the department whose systems name the official so. None means all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "medical")]
    pub department: Option<String>,
    /// The code of the reason.
    #[schema(example = "unusual-volume")]
    pub reason: String,
    /// Since when, UTC.
    pub since: String,
    /// By which account.
    pub by: String,
    /// The account that has said that it may go on: it takes another person to say so too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resuming: Option<String>,
}

/// What came of saying that somebody may go on.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResumeView {
    /// `asked`: another person has to say so too; `resumed`: it goes on.
    #[schema(example = "asked")]
    pub state: String,
}

impl SuspensionList {
    /// Of everybody who is stopped.
    pub fn of(suspensions: Vec<Suspension>) -> Self {
        Self { suspensions: suspensions.into_iter().map(SuspensionView::of).collect() }
    }
}

impl SuspensionView {
    /// Of one who is stopped.
    pub fn of(Suspension { whom, reason, since, by, resuming }: Suspension) -> Self {
        let Whom { what, name, department } = whom;
        let (what, since) = (what.as_str().to_owned(), since.to_string());
        let department = department.map(|department| department.to_string());
        Self { what, name, department, reason, since, by, resuming }
    }
}

/// Who is stopped, for decisions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Suspended(BTreeSet<Whom>);

impl Suspended {
    /// Of everybody who is stopped: by the state, or by the newest act that the log has of it. Somebody
    /// may have taken an act away from the state.
    pub fn of(suspensions: &[Suspension], by_the_log: impl IntoIterator<Item = Whom>) -> Self {
        Self(suspensions.iter().map(|suspension| suspension.whom.clone()).chain(by_the_log).collect())
    }

    /// May the system ask, on that operator's behalf?
    ///
    /// # Errors
    /// `caller-suspended`.
    pub fn check(&self, system: &System, operator: Option<&str>) -> Result<(), Code> {
        // Almost always nobody is.
        if self.0.is_empty() {
            return Ok(());
        }
        let there = || Some(system.department.clone());
        let named = |name| [Whom::operator(name, None), Whom::operator(name, there())];
        let mut meant = operator.into_iter().flat_map(named).chain([Whom::system(system.id.as_str())]);
        if meant.any(|whom| self.0.contains(&whom)) { Err(Code::CallerSuspended) } else { Ok(()) }
    }
}

/// Lets a system in, unless it is stopped. That it was turned away is recorded under its name.
///
/// # Errors
/// `caller-suspended`; `too-many-refusals`, `audit-unavailable`.
pub async fn admit(gateway: &Gateway, call: &Call<SystemCaller>) -> Result<()> {
    match gateway.world().suspended.check(&call.caller.system, None) {
        Ok(()) => Ok(()),
        Err(code) => {
            let trail = Trail::new("refused-at-door", call);
            Err(gateway.record_failure(&call.caller, trail, code.into()).await)
        }
    }
}

/// Everybody who is stopped, for those who see how it goes, and those who can let it go on.
///
/// # Errors
/// `forbidden`, `audit-unavailable`, `not-ready`.
pub async fn list(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<Vec<Suspension>> {
    permit(gateway, call, &[Action::OverviewRead, Action::CallersResume]).await?;
    let store = gateway.state();
    let stopped = blocking(move || store.suspensions().map_err(state)).await?;
    let mut trail = Trail::new("suspensions-read", call);
    trail.count("found", stopped.len() as u64);
    gateway.record(trail.end(Code::Ok)).await?;
    Ok(stopped)
}

/// Stops a system or an operator: in force when it returns.
///
/// # Errors
/// `forbidden`; `not-found` when there is no such system or department, or it is no operator's
/// reference; `invalid-request` when the reason is none of [`REASONS`]; `wrong-state` when it is stopped
/// already; `audit-unavailable`, `not-ready`.
pub async fn suspend(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    whom: Whom,
    reason: &str,
) -> Result<Suspension> {
    permit(gateway, call, &[Action::CallersSuspend]).await?;
    let fail = async |error: Error| Err(gateway.record_failure(&call.caller, trail(call), error).await);
    if !is_known(gateway, &whom) {
        return fail(Code::NotFound.into()).await;
    }
    let Some(reason) = REASONS.iter().find(|known| **known == reason) else {
        return fail(Error::at(Code::InvalidRequest, "/reason", Code::NotAllowedValue)).await;
    };
    let (store, since, by) = (gateway.state(), gateway.now(), call.caller.account.id.clone());
    let suspension = Suspension {
        whom: whom.clone(),
        reason: (*reason).to_owned(),
        since,
        by: by.to_string(),
        resuming: None,
    };
    let done = blocking(move || store.suspend_caller(&whom, reason, &by, since).map_err(state)).await?;
    if !done {
        return fail(Code::WrongState.into()).await;
    }
    gateway.in_force().await.map(|()| suspension)
}

/// Says that a system or an operator may go on; it does once a second person has said so.
///
/// # Errors
/// `forbidden`, also for who may only be the second, while nobody who may stop has said so;
/// `wrong-state` when it is not stopped; `not-separate` when the same person has said so before;
/// `audit-unavailable`, `not-ready`.
pub async fn resume(gateway: &Gateway, call: &Call<PersonCaller>, whom: Whom) -> Result<Resumed> {
    permit(gateway, call, &RESUME).await?;
    let (store, now) = (gateway.state(), gateway.now());
    let (by, policy) = (call.caller.account.id.clone(), Arc::clone(&gateway.world().policy));
    let (own, first) = (by.clone(), first_voice(gateway, &whom).await?);
    // As the accounts are then: the body may have been long in coming, and the first voice may be old.
    let voice = move |account: &Account| {
        let speaks = account.id == own || first.as_ref() == Some(&account.id);
        voice(account, &policy).filter(|_| speaks)
    };
    let came = blocking(move || store.resume_caller(&whom, &by, voice, now).map_err(state)).await?;
    let fault = match came {
        Resumed::Asked | Resumed::Done => return gateway.in_force().await.map(|()| came),
        Resumed::SamePerson => Code::NotSeparate,
        Resumed::NotSuspended => Code::WrongState,
        Resumed::NotAllowed => Code::Forbidden,
    };
    Err(gateway.record_failure(&call.caller, trail(call), fault.into()).await)
}

/// Who has said that somebody may go on, as far as the log bears it out, and the account as it is now:
/// the rows alone could be put back to a word that was used up.
async fn first_voice(gateway: &Gateway, whom: &Whom) -> Result<Option<AccountId>> {
    let read = gateway.recall().await;
    read.map_err(|e| Error::new(Code::AuditUnavailable).retry_after(1).because(e))?;
    let Some(first) = gateway.asked_to_resume(whom) else { return Ok(None) };
    let store = gateway.state();
    let profile = blocking(move || store.account(&first).map_err(state)).await?;
    Ok(profile.filter(|profile| gateway.confirm_account(profile).is_ok()).map(|profile| profile.account.id))
}

/// What an account may say of those who are stopped.
pub fn voice(account: &Account, policy: &Policy) -> Option<Voice> {
    let may = |action| policy.person_may(account, action);
    let second = || may(Action::CallersResume).then_some(Voice::Second);
    if may(Action::CallersSuspend) { Some(Voice::Either) } else { second() }
}

/// Stops whom a body names.
///
/// # Errors
/// The faults of the body; as for [`suspend`].
pub async fn suspend_asked(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<Suspension> {
    permit(gateway, call, &[Action::CallersSuspend]).await?;
    let (whom, reason) = read(gateway, call, body, |Stopping { what, name, department, reason }| {
        Ok((what.whom(name, department)?, reason))
    })
    .await?;
    suspend(gateway, call, whom, &reason).await
}

/// Says of whom a body names that it may go on.
///
/// # Errors
/// The faults of the body; as for [`resume`].
pub async fn resume_asked(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<ResumeView> {
    permit(gateway, call, &RESUME).await?;
    let named = |Resuming { what, name, department }| what.whom(name, department);
    let whom = read(gateway, call, body, named).await?;
    let state = match resume(gateway, call, whom).await? {
        Resumed::Done => "resumed",
        _ => "asked",
    };
    Ok(ResumeView { state: state.to_owned() })
}

/// Reads a body and what it means.
async fn read<T: serde::de::DeserializeOwned, M>(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    body: Result<impl AsRef<[u8]>>,
    meaning: impl FnOnce(T) -> Result<M>,
) -> Result<M> {
    match body.and_then(|body| subject::read(body.as_ref())).and_then(meaning) {
        Ok(meant) => Ok(meant),
        Err(error) => Err(gateway.record_failure(&call.caller, trail(call), error).await),
    }
}

/// Is there such a system? An operator is whoever a system names: anything that has the form of one, in
/// a department that there is.
fn is_known(gateway: &Gateway, Whom { what, name, department }: &Whom) -> bool {
    let world = gateway.world();
    match what {
        Stopped::System => world.registry.system(name).is_some(),
        Stopped::Operator => {
            let is_there = |id| world.catalogue.departments.contains_key(id);
            reference::check(name, gateway.now().day()).is_ok() && department.as_ref().is_none_or(is_there)
        }
    }
}

async fn permit(gateway: &Gateway, call: &Call<PersonCaller>, one_of: &[Action]) -> Result<()> {
    if one_of.iter().any(|action| call.caller.may(&gateway.world().policy, *action)) {
        return Ok(());
    }
    Err(gateway.record_failure(&call.caller, trail(call), Code::Forbidden.into()).await)
}

fn trail(call: &Call<PersonCaller>) -> Trail {
    Trail::new("suspension", call)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::Text;
    use crate::base::ids::SystemId;

    #[test]
    fn whoever_is_stopped_may_not_ask_and_nobody_else_is_stopped() {
        let department = |id: &str| DepartmentId::parse(id).unwrap();
        let system = |id: &str, of: &str| System {
            id: SystemId::parse(id).unwrap(),
            department: department(of),
            title: Text { zh: id.to_owned(), en: id.to_owned() },
            roles: Vec::new(),
        };
        let [housing, medical] = [system("housing.aid", "housing"), system("medical.aid", "medical")];
        let one = |whom| Suspension {
            whom,
            reason: "investigation".to_owned(),
            since: crate::base::Timestamp::from_micros(0),
            by: "ops.li".to_owned(),
            resuming: None,
        };
        let suspended = Suspended::of(
            &[
                one(Whom::system("housing.aid")),
                one(Whom::operator("zhang", None)),
                one(Whom::operator("li", Some(department("housing")))),
                one(Whom::operator("wang", Some(department("medical")))),
            ],
            [],
        );
        let stopped = Err(Code::CallerSuspended);
        assert_eq!(suspended.check(&housing, None), stopped);
        for (operator, expected) in [
            ("zhang", stopped),
            ("wang", stopped),
            ("li", Ok(())),
            ("housing.aid", Ok(())),
            ("medical.aid", Ok(())),
        ] {
            assert_eq!(suspended.check(&medical, Some(operator)), expected, "{operator}");
        }
        assert_eq!(suspended.check(&system("zhang", "medical"), None), Ok(()));
        let kept = Suspended::of(&[], [Whom::system("housing.aid")]);
        assert_eq!(kept.check(&housing, None), stopped, "the log has it still");
    }
}
