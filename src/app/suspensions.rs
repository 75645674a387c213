//! Stopping a system or an operator at once, and letting it go on.
//!
//! Invariant: one security administrator stops; it takes two people to let go on. What was stopped is
//! refused on the next request, and an answer under way is not given; whatever it asks is recorded.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::applications::{blocking, state};
use super::call::{Call, Known, PersonCaller, SystemCaller};
use super::gateway::Gateway;
use super::subject;
use super::trail::Trail;
use crate::base::{Code, Error, Result};
use crate::catalogue::reference;
use crate::identity::Account;
use crate::policy::Action;
pub use crate::store::state::suspensions::{Resumed, Stopped, Suspension};

/// Why somebody is stopped: codes, since what is typed freely might name a person, and the log keeps it.
pub const REASONS: [&str; 4] = ["suspected-misuse", "unusual-volume", "key-compromised", "investigation"];

/// Who is to be stopped, as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stopping {
    what: Sent,
    name: String,
    reason: String,
}

/// Who is to go on, as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resuming {
    what: Sent,
    name: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Sent {
    System,
    Operator,
}

impl From<Sent> for Stopped {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::System => Stopped::System,
            Sent::Operator => Stopped::Operator,
        }
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
    pub fn of(Suspension { what, name, reason, since, by, resuming }: Suspension) -> Self {
        let (what, since) = (what.as_str().to_owned(), since.to_string());
        Self { what, name, reason, since, by, resuming }
    }
}

/// Who is stopped, for decisions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Suspended(BTreeSet<(Stopped, String)>);

impl Suspended {
    /// Of everybody who is stopped: by the state, or by the newest act that the log has of it, which
    /// names it as `system:housing.aid`. Somebody may have taken an act away from the state.
    pub fn of(suspensions: &[Suspension], by_the_log: &[String]) -> Self {
        let of_log = by_the_log.iter().filter_map(|object| Stopped::named(object));
        let of_log = of_log.map(|(what, name)| (what, name.to_owned()));
        Self(suspensions.iter().map(|s| (s.what, s.name.clone())).chain(of_log).collect())
    }

    /// Is it stopped?
    pub fn holds(&self, what: Stopped, name: &str) -> bool {
        // Almost always nobody is.
        !self.0.is_empty() && self.0.contains(&(what, name.to_owned()))
    }

    /// May the system ask, on that operator's behalf?
    ///
    /// # Errors
    /// `caller-suspended`.
    pub fn check(&self, system: &str, operator: Option<&str>) -> Result<(), Code> {
        let stopped = self.holds(Stopped::System, system)
            || operator.is_some_and(|operator| self.holds(Stopped::Operator, operator));
        if stopped { Err(Code::CallerSuspended) } else { Ok(()) }
    }
}

/// Lets a system in, unless it is stopped. That it was turned away is recorded under its name.
///
/// # Errors
/// `caller-suspended`; `too-many-refusals`, `audit-unavailable`.
pub async fn admit(gateway: &Gateway, call: &Call<SystemCaller>) -> Result<()> {
    match gateway.world().suspended.check(call.caller.system.id.as_str(), None) {
        Ok(()) => Ok(()),
        Err(code) => {
            let trail = Trail::new("refused-at-door", call);
            Err(gateway.record_failure(&call.caller, trail, code.into()).await)
        }
    }
}

/// Everybody who is stopped, for those who see how it goes.
///
/// # Errors
/// `forbidden`, `audit-unavailable`, `not-ready`.
pub async fn list(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<Vec<Suspension>> {
    permit(gateway, call, Action::OverviewRead).await?;
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
/// `forbidden`; `not-found` when there is no such system, or it is no operator's reference;
/// `invalid-request` when the reason is none of [`REASONS`]; `wrong-state` when it is stopped already;
/// `audit-unavailable`, `not-ready`.
pub async fn suspend(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    what: Stopped,
    name: &str,
    reason: &str,
) -> Result<Suspension> {
    permit(gateway, call, Action::CallersSuspend).await?;
    let trail = || Trail::new("suspension", call);
    if !is_known(gateway, what, name) {
        return Err(gateway.record_failure(&call.caller, trail(), Code::NotFound.into()).await);
    }
    let Some(reason) = REASONS.iter().find(|known| **known == reason) else {
        let fault = Error::at(Code::InvalidRequest, "/reason", Code::NotAllowedValue);
        return Err(gateway.record_failure(&call.caller, trail(), fault).await);
    };
    let (store, since, by) = (gateway.state(), gateway.now(), call.caller.account.id.clone());
    let suspension = Suspension {
        what,
        name: name.to_owned(),
        reason: (*reason).to_owned(),
        since,
        by: by.to_string(),
        resuming: None,
    };
    let name = name.to_owned();
    let done = blocking(move || store.suspend_caller(what, &name, reason, &by, since).map_err(state)).await?;
    if !done {
        return Err(gateway.record_failure(&call.caller, trail(), Code::WrongState.into()).await);
    }
    gateway.in_force().await.map(|()| suspension)
}

/// Says that a system or an operator may go on; it does once a second person has said so.
///
/// # Errors
/// `forbidden`; `wrong-state` when it is not stopped; `not-separate` when the same person has said so
/// before; `audit-unavailable`, `not-ready`.
pub async fn resume(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    what: Stopped,
    name: &str,
) -> Result<Resumed> {
    permit(gateway, call, Action::CallersSuspend).await?;
    let (store, now, name) = (gateway.state(), gateway.now(), name.to_owned());
    let (by, policy) = (call.caller.account.id.clone(), Arc::clone(&gateway.world().policy));
    // As the accounts are then: the body may have been long in coming, and the first voice may be old.
    let may = move |account: &Account| policy.person_may(account, Action::CallersSuspend);
    let came = blocking(move || store.resume_caller(what, &name, &by, may, now).map_err(state)).await?;
    let fault = match came {
        Resumed::Asked | Resumed::Done => return gateway.in_force().await.map(|()| came),
        Resumed::SamePerson => Code::NotSeparate,
        Resumed::NotSuspended => Code::WrongState,
        Resumed::NotAllowed => Code::Forbidden,
    };
    let trail = Trail::new("suspension", call);
    Err(gateway.record_failure(&call.caller, trail, fault.into()).await)
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
    permit(gateway, call, Action::CallersSuspend).await?;
    let Stopping { what, name, reason } = read(gateway, call, body).await?;
    suspend(gateway, call, what.into(), &name, &reason).await
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
    permit(gateway, call, Action::CallersSuspend).await?;
    let Resuming { what, name } = read(gateway, call, body).await?;
    let state = match resume(gateway, call, what.into(), &name).await? {
        Resumed::Done => "resumed",
        _ => "asked",
    };
    Ok(ResumeView { state: state.to_owned() })
}

async fn read<T: serde::de::DeserializeOwned>(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<T> {
    match body.and_then(|body| subject::read(body.as_ref())) {
        Ok(read) => Ok(read),
        Err(error) => Err(gateway.record_failure(&call.caller, Trail::new("suspension", call), error).await),
    }
}

/// Is there such a system? An operator is whoever a system names: anything that has the form of one.
fn is_known(gateway: &Gateway, what: Stopped, name: &str) -> bool {
    match what {
        Stopped::System => gateway.world().registry.system(name).is_some(),
        Stopped::Operator => reference::check(name, gateway.now().day()).is_ok(),
    }
}

async fn permit(gateway: &Gateway, call: &Call<PersonCaller>, action: Action) -> Result<()> {
    if call.caller.may(&gateway.world().policy, action) {
        return Ok(());
    }
    let trail = Trail::new("suspension", call);
    Err(gateway.record_failure(&call.caller, trail, Code::Forbidden.into()).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_stopped_may_not_ask_and_nobody_else_is_stopped() {
        let one = |what, name: &str| Suspension {
            what,
            name: name.to_owned(),
            reason: "investigation".to_owned(),
            since: crate::base::Timestamp::from_micros(0),
            by: "ops.li".to_owned(),
            resuming: None,
        };
        let suspended =
            Suspended::of(&[one(Stopped::System, "housing.aid"), one(Stopped::Operator, "zhang")], &[]);
        assert_eq!(suspended.check("housing.aid", None), Err(Code::CallerSuspended));
        assert_eq!(suspended.check("medical.aid", Some("zhang")), Err(Code::CallerSuspended));
        assert_eq!(suspended.check("medical.aid", Some("housing.aid")), Ok(()));
        assert_eq!(suspended.check("zhang", None), Ok(()));
        let kept = Suspended::of(&[], &["system:housing.aid".to_owned(), "else".to_owned()]);
        assert_eq!(kept.check("housing.aid", None), Err(Code::CallerSuspended), "the log has it still");
    }
}
