//! Applications: their events, in order, and what the events add up to.
//!
//! Invariant: an event is appended at the version that its maker saw, or not at all; and all that
//! follows from it (its act, timers, who is waited for, the grant, the answer under the caller's
//! key) is part of the same transaction. Events are never changed.

mod append;
mod list;
mod scan;
mod waiting;

use diesel::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::Date;

pub use append::{Appended, Change};
pub use list::{ApplicationRow, List, Whose};
pub use waiting::{Due, Place};

use super::schema::{acts, application_approvals, application_events, applications, grants, timers};
use super::{StateError, StateStore};
use crate::approval::Terms;
use crate::approval::application::Application;
use crate::approval::command::TimerKind;
use crate::approval::event::Event;
use crate::approval::facts::PastApproval;
use crate::approval::progress::Timer;
use crate::base::Timestamp;
use crate::base::ids::{ApplicationId, DepartmentId, PersonId};
use crate::identity::Role;

/// The most approvals between people that are looked at.
const MAX_APPROVALS: i64 = 200;
/// The most grants of one department that are looked at.
const MAX_TERMS: i64 = 10_000;

/// Who is waited for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// Of which department; none where the role of any department will do.
    pub department: Option<DepartmentId>,
    /// In which role.
    pub role: Role,
}

/// What follows from an application's events, as the domain has worked it out.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Who is waited for.
    pub waits: Vec<Wait>,
    /// The last day for them, where there is one.
    pub due: Option<Date>,
    /// The clocks that run.
    pub timers: Vec<Timer>,
    /// The version of the rules by which this was worked out.
    pub rules: i64,
}

impl StateStore {
    /// The application of that id.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn application(&self, id: &ApplicationId) -> Result<Option<Application>, StateError> {
        let rows = application_events::table
            .filter(application_events::application.eq(id.as_str()))
            .order(application_events::seq)
            .select(application_events::event)
            .load::<String>(&mut self.connection()?)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let events = rows.iter().map(|row| serde_json::from_str(row)).collect::<Result<_, _>>();
        let events: Vec<Event> = events.map_err(StateError::new)?;
        Application::of(id.clone(), events).map(Some).map_err(StateError::new)
    }

    /// Where in the log each of an application's events is recorded, in their order; none where it
    /// is not yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn event_records(&self, id: &ApplicationId) -> Result<Vec<Option<u64>>, StateError> {
        let rows = application_events::table
            .inner_join(acts::table.on(acts::seq.eq(application_events::act)))
            .filter(application_events::application.eq(id.as_str()))
            .order(application_events::seq)
            .select(acts::log_index)
            .load::<Option<i64>>(&mut self.connection()?)?;
        rows.into_iter().map(|i| i.map(u64::try_from).transpose().map_err(StateError::new)).collect()
    }

    /// Applications to which something can still happen and whose clocks were worked out by older
    /// rules, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn older_than(&self, rules: i64, limit: i64) -> Result<Vec<ApplicationId>, StateError> {
        let ids = applications::table
            .filter(applications::open)
            .filter(applications::rules.lt(rules))
            .order(applications::rules)
            .limit(limit)
            .select(applications::id)
            .load::<String>(&mut self.connection()?)?;
        let ids = ids.iter().map(|id| ApplicationId::parse(id)).collect::<Option<Vec<_>>>();
        ids.ok_or_else(|| StateError::new("applications holds a malformed row"))
    }

    /// Clocks that have run out, the oldest first, at most `limit`. Those of a kind that this program
    /// does not know are left to the newer one that set them, and hold up no others.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn due_timers(&self, now: Timestamp, limit: i64) -> Result<Vec<(ApplicationId, Timer)>, StateError> {
        let known = TimerKind::ALL.iter().map(name).collect::<Result<Vec<_>, _>>()?;
        let rows = timers::table
            .filter(timers::at.le(now.micros()))
            .filter(timers::kind.eq_any(known))
            .order(timers::at)
            .limit(limit)
            .select((timers::application, timers::kind, timers::at))
            .load::<(String, String, i64)>(&mut self.connection()?)?;
        rows.into_iter()
            .map(|(application, kind, at)| {
                let id = ApplicationId::parse(&application)
                    .ok_or_else(|| StateError::new("timers holds a malformed row"))?;
                Ok((id, Timer { kind: from_name(&kind)?, at: Timestamp::from_micros(at) }))
            })
            .collect()
    }

    /// The terms of the grants that a department has and that are not over, leaving out one
    /// application's own; up to a bound.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn terms_in_force(
        &self,
        requester: &DepartmentId,
        except: Option<&ApplicationId>,
    ) -> Result<Vec<Terms>, StateError> {
        let rows = grants::table
            .filter(grants::requester.eq(requester.as_str()))
            .filter(grants::state.eq_any(["active", "suspended"]))
            .filter(grants::application.ne(except.map_or("", |id| id.as_str())))
            .limit(MAX_TERMS)
            .select(grants::terms)
            .load::<String>(&mut self.connection()?)?;
        rows.iter().map(|terms| serde_json::from_str(terms).map_err(StateError::new)).collect()
    }

    /// Which of `approvers` approved what which of `applicants` applied for, since a moment; the
    /// newest, up to a bound.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn approvals_between(
        &self,
        applicants: &[PersonId],
        approvers: &[PersonId],
        since: Timestamp,
    ) -> Result<Vec<PastApproval>, StateError> {
        use application_approvals::dsl;
        let names = |people: &[PersonId]| people.iter().map(|p| p.as_str().to_owned()).collect::<Vec<_>>();
        let rows = dsl::application_approvals
            .filter(dsl::applicant.eq_any(names(applicants)))
            .filter(dsl::approver.eq_any(names(approvers)))
            .filter(dsl::at.ge(since.micros()))
            .order(dsl::at.desc())
            .limit(MAX_APPROVALS)
            .select((dsl::applicant, dsl::approver, dsl::at))
            .load::<(String, String, i64)>(&mut self.connection()?)?;
        rows.into_iter()
            .map(|(applicant, approver, at)| {
                let at = Timestamp::from_micros(at);
                let people = PersonId::parse(&applicant).zip(PersonId::parse(&approver));
                people.map(|(applicant, approver)| PastApproval { applicant, approver, at })
            })
            .map(|approval| approval.ok_or_else(|| StateError::new("application_approvals is malformed")))
            .collect()
    }
}

/// The name that a plain enumeration has in JSON.
fn name(value: &impl Serialize) -> Result<String, StateError> {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => Ok(name),
        _ => Err(StateError::new("a name was expected")),
    }
}

/// The value of a plain enumeration of that name.
fn from_name<T: DeserializeOwned>(name: &str) -> Result<T, StateError> {
    serde_json::from_value(Value::String(name.to_owned())).map_err(StateError::new)
}
