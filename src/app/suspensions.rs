//! Stopping a system or an operator at once, and letting it go on.
//!
//! Invariant: one security administrator stops; it takes two people to let go on. What was stopped is
//! refused on the next request, and an answer under way is not given; whatever it asks is recorded.

use std::collections::BTreeSet;

use super::applications::{blocking, state};
use super::call::{Call, Known, PersonCaller, SystemCaller};
use super::gateway::Gateway;
use super::trail::Trail;
use crate::base::{Code, Error, Result};
use crate::catalogue::reference;
use crate::policy::Action;
pub use crate::store::state::suspensions::{Resumed, Stopped, Suspension};

/// Why somebody is stopped: codes, since what is typed freely might name a person, and the log keeps it.
pub const REASONS: [&str; 4] = ["suspected-misuse", "unusual-volume", "key-compromised", "investigation"];

/// Who is stopped, for decisions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Suspended(BTreeSet<(Stopped, String)>);

impl Suspended {
    /// Of everybody who is stopped: by the state, or by the newest act that the log has of it, which
    /// names it as `system:housing.aid`. Somebody may have taken an act away from the state.
    pub fn of(suspensions: &[Suspension], by_the_log: &[String]) -> Self {
        let of_log = by_the_log.iter().filter_map(|object| {
            let (what, name) = object.split_once(':')?;
            let what = Stopped::ALL.into_iter().find(|known| known.as_str() == what)?;
            Some((what, name.to_owned()))
        });
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
) -> Result<()> {
    permit(gateway, call, Action::CallersSuspend).await?;
    let trail = || Trail::new("suspension", call);
    if !is_known(gateway, what, name) {
        return Err(gateway.record_failure(&call.caller, trail(), Code::NotFound.into()).await);
    }
    let Some(reason) = REASONS.iter().find(|known| **known == reason) else {
        let fault = Error::at(Code::InvalidRequest, "/reason", Code::NotAllowedValue);
        return Err(gateway.record_failure(&call.caller, trail(), fault).await);
    };
    let (store, now, name) = (gateway.state(), gateway.now(), name.to_owned());
    let by = call.caller.account.id.clone();
    let done = blocking(move || store.suspend_caller(what, &name, reason, &by, now).map_err(state)).await?;
    if !done {
        return Err(gateway.record_failure(&call.caller, trail(), Code::WrongState.into()).await);
    }
    gateway.in_force().await
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
    let account = call.caller.account.clone();
    let came =
        blocking(move || store.resume_caller(what, &name, &account.id, &account.person, now).map_err(state))
            .await?;
    let fault = match came {
        Resumed::Asked | Resumed::Done => return gateway.in_force().await.map(|()| came),
        Resumed::SamePerson => Code::NotSeparate,
        Resumed::NotSuspended => Code::WrongState,
    };
    let trail = Trail::new("suspension", call);
    Err(gateway.record_failure(&call.caller, trail, fault.into()).await)
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
