//! Emergency access (应急): enrolled people open an hour's access to listed datasets at once, and
//! the provider reviews it afterwards.
//!
//! Invariant: what is opened is no more than the workflow lists: one subject a query, one case,
//! one person, one hour, few subjects; the provider and the person's own head are told at once;
//! what nobody reviews in time costs the enrolment. A person never reviews or enrols itself.

pub(super) mod terms;
mod told;
mod view;

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use view::{EmergencyList, EmergencyView, EnrolmentView};

use self::terms::{EmergencyGift, EmergencyTerms};
use super::applications::{blocking, state};
use super::call::{Call, PersonCaller};
use super::gateway::Gateway;
use super::trail::Trail;
use super::world::World;
use crate::base::ids::{AccountId, DatasetId, DepartmentId, SystemId};
use crate::base::{Code, Error, Result, Timestamp};
use crate::catalogue::{Dataset, reference};
use crate::identity::Account;
use crate::policy::Action;
use crate::store::state::emergency::{Emergency, Enrolment, Opened, Review};

/// The longest reason or note, in characters.
const WORDS: usize = 500;

/// Who is enrolled for what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolling {
    account: AccountId,
    dataset: DatasetId,
}

/// What is to be opened.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    dataset: DatasetId,
    system: SystemId,
    case: String,
    reason: String,
}

/// What a review found.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reviewing {
    verdict: Verdict,
    #[serde(default)]
    note: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Proper,
    Misuse,
}

/// Enrols an account for a dataset of the caller's department, or takes that back; what is open
/// ends then.
///
/// # Errors
/// The faults of the body; `forbidden`; `not-found` for a dataset that is not the department's, or
/// that is not open in emergencies; `not-separate` for oneself; `audit-unavailable`.
pub async fn enrol(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    withdraw: bool,
    body: Result<Vec<u8>>,
) -> Result<EnrolmentView> {
    let (held, lead) = (Arc::clone(gateway), Arc::clone(&call.caller.account));
    let to = if withdraw { Enrolment::Withdrawn } else { Enrolment::Active };
    let done = blocking(move || {
        let (world, now) = (held.world(), held.now());
        may(&world, &lead, Action::EmergencyEnrol)?;
        let Enrolling { account, dataset } = read(body)?;
        let own = world.dataset(dataset.as_str()).filter(|d| d.entry.provider == lead.department);
        let listed = own.filter(|_| withdraw || world.workflow.emergency.access.contains_key(&dataset));
        listed.ok_or(Code::NotFound)?;
        if !withdraw {
            let known = held.state.account(&account).map_err(state)?.map(|profile| profile.account);
            let known = known.filter(|account| account.active);
            let known =
                known.ok_or_else(|| Error::at(Code::InvalidRequest, "/account", Code::NotAllowedValue))?;
            if known.person == lead.person {
                return Err(Code::NotSeparate.into());
            }
        }
        held.state.enrol(&account, &dataset, to, lead.id.as_str(), now).map_err(state)?;
        let (account, dataset) = (account.to_string(), dataset.to_string());
        Ok(EnrolmentView { account, dataset, state: to.as_str().to_owned() })
    });
    conclude(gateway, call, "enrol", done.await, |_, _| ()).await
}

/// Opens access for the caller, who is enrolled.
///
/// # Errors
/// The faults of the body; `forbidden` for who is not enrolled; `wrong-state` when one is open;
/// `audit-unavailable`.
pub async fn open(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    body: Result<Vec<u8>>,
) -> Result<EmergencyView> {
    let (held, person) = (Arc::clone(gateway), Arc::clone(&call.caller.account));
    let done = blocking(move || {
        let (world, now) = (held.world(), held.now());
        may(&world, &person, Action::EmergencyOpen)?;
        let new = opening(&world, &person, read(body)?, now)?;
        match held.state.open_emergency(new, told::opened, now).map_err(state)? {
            Opened::Yes(opened) => view::view(*opened),
            Opened::NotEnrolled => Err(Code::Forbidden.into()),
            Opened::Already => Err(Code::WrongState.into()),
        }
    });
    conclude(gateway, call, "open", done.await, note).await
}

/// Reviews what was opened to a dataset of the caller's department.
///
/// # Errors
/// `forbidden`; `not-found`; `not-separate` for one's own; `wrong-state` when it was reviewed;
/// the faults of the body; `audit-unavailable`.
pub async fn review(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    id: &str,
    body: Result<Vec<u8>>,
) -> Result<EmergencyView> {
    let (held, reviewer) = (Arc::clone(gateway), Arc::clone(&call.caller.account));
    let id = id.to_owned();
    let done = blocking(move || {
        let (world, now) = (held.world(), held.now());
        may(&world, &reviewer, Action::EmergencyReview)?;
        let found = held.state.emergency(&id).map_err(state)?;
        let found = found.filter(|e| e.provider == reviewer.department.as_str()).ok_or(Code::NotFound)?;
        let Reviewing { verdict, note } = read(body)?;
        words("/note", &note, now)?;
        if found.person_id().as_ref() == Some(&reviewer.person) {
            return Err(Code::NotSeparate.into());
        }
        let review = Review { misuse: verdict == Verdict::Misuse, note: &note, reviewer: &reviewer.id };
        if !held.state.review_emergency(&found, &review, told::suspended, now).map_err(state)? {
            return Err(Code::WrongState.into());
        }
        view::view(held.state.emergency(&id).map_err(state)?.ok_or(Code::NotFound)?)
    });
    conclude(gateway, call, "review", done.await, note).await
}

/// The accesses that concern the caller: its own, and for reviewers those of their datasets.
///
/// # Errors
/// `forbidden`.
pub async fn list(gateway: &Arc<Gateway>, call: &Call<PersonCaller>) -> Result<EmergencyList> {
    let (held, person) = (Arc::clone(gateway), Arc::clone(&call.caller.account));
    let found = blocking(move || {
        let world = held.world();
        let reviews = may(&world, &person, Action::EmergencyReview).is_ok();
        if !reviews {
            may(&world, &person, Action::EmergencyOpen)?;
        }
        let provider = reviews.then_some(&person.department);
        let found = held.state.emergencies(&person.id, provider).map_err(state)?;
        Ok(EmergencyList { emergencies: found.into_iter().map(view::view).collect::<Result<_>>()? })
    });
    match found.await {
        Ok(list) => Ok(list),
        Err(error) => Err(gateway.record_failure(&call.caller, Trail::new(RECORD, call), error).await),
    }
}

impl Gateway {
    /// Ends what is over, and suspends the enrolments of what was not reviewed in time; gives how
    /// many things were done.
    ///
    /// # Errors
    /// `not-ready`, `audit-unavailable`: what was done is recorded by the next call.
    pub async fn sweep_emergencies(self: &Arc<Self>) -> Result<usize> {
        // As for other clocks: not by one that is wrong.
        self.lease.check()?;
        let gateway = Arc::clone(self);
        let swept =
            blocking(move || gateway.state.sweep_emergencies(gateway.now(), told::swept).map_err(state));
        let swept = swept.await?;
        if swept > 0 {
            self.in_force().await?;
        }
        Ok(swept)
    }
}

/// The kind of the records.
const RECORD: &str = "emergency";

/// Has what was done recorded and in force, and only then answers.
async fn conclude<T>(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    command: &'static str,
    done: Result<T>,
    note: impl Fn(&mut Trail, &T),
) -> Result<T> {
    let mut trail = Trail::new(RECORD, call);
    trail.note("command", command);
    match done {
        Ok(done) => {
            gateway.in_force().await?;
            note(&mut trail, &done);
            gateway.record(trail.end(Code::Ok)).await?;
            Ok(done)
        }
        Err(error) => Err(gateway.record_failure(&call.caller, trail, error).await),
    }
}

fn note(trail: &mut Trail, view: &EmergencyView) {
    trail.dataset(&view.dataset);
    trail.note("emergency", &view.emergency);
    trail.note("case", &view.case);
}

fn may(world: &World, account: &Account, action: Action) -> Result<()> {
    if world.policy.person_may(account, action) { Ok(()) } else { Err(Code::Forbidden.into()) }
}

fn read<T: DeserializeOwned>(body: Result<Vec<u8>>) -> Result<T> {
    super::subject::read(&body?)
}

/// Words of a person: not too many, and no number of anybody among them.
fn words(pointer: &'static str, text: &str, now: Timestamp) -> Result<()> {
    let fault = |code| Err(Error::at(Code::InvalidRequest, pointer, code));
    match text {
        text if text.chars().count() > WORDS => fault(Code::OutOfBounds),
        text if reference::names_somebody(text, now.day()) => fault(Code::NotAllowedValue),
        _ => Ok(()),
    }
}

/// What the person may open.
fn opening(world: &World, person: &Account, asked: Opening, now: Timestamp) -> Result<Emergency> {
    let Opening { dataset, system, case, reason } = asked;
    let rules = &world.workflow.emergency;
    let listed = world.dataset(dataset.as_str()).zip(rules.access.get(&dataset));
    // What is not listed reads like what does not exist: secret lists are not to be probed for.
    let (dataset, access) = listed.ok_or(Code::Forbidden)?;
    let own = world.registry.system(system.as_str()).filter(|s| s.department == person.department);
    own.ok_or_else(|| Error::at(Code::InvalidRequest, "/system", Code::NotAllowedValue))?;
    reference::check(&case, now.day()).map_err(|code| Error::at(Code::InvalidRequest, "/case", code))?;
    words("/reason", &reason, now)?;
    if reason.trim().is_empty() {
        return Err(Error::at(Code::InvalidRequest, "/reason", Code::MissingMember));
    }
    let until = now.plus_seconds(i64::from(rules.minutes) * 60);
    let terms = EmergencyTerms {
        dataset: access.dataset.clone(),
        purpose: access.purpose.clone(),
        system,
        case,
        operator: person.id.clone(),
        fields: access
            .fields
            .iter()
            .map(|open| EmergencyGift { field: open.field.clone(), form: open.form })
            .collect(),
        subjects: rules.subjects.into(),
        until,
    };
    let due = world.workflow.calendar.due(now.day(), rules.review, &[]);
    Ok(row(person, dataset, terms.written(), reason, (now, until), due.day))
}

fn row(
    person: &Account,
    dataset: &Dataset,
    (terms, digest): (String, String),
    reason: String,
    (since, until): (Timestamp, Timestamp),
    due: time::Date,
) -> Emergency {
    let provider: &DepartmentId = &dataset.entry.provider;
    Emergency {
        id: String::new(),
        account: person.id.to_string(),
        person: person.person.to_string(),
        department: person.department.to_string(),
        provider: provider.to_string(),
        dataset: dataset.id().to_string(),
        terms,
        digest,
        reason,
        since: since.micros(),
        until: until.micros(),
        state: "active".to_owned(),
        review_due: due.to_string(),
        overdue: false,
        verdict: None,
        note: None,
        reviewer: None,
        reviewed_at: None,
    }
}
