//! Who asked about a person: for auditors, and for the citizens' service on the person's behalf.
//!
//! Invariant: a history tells who asked, when, why and for what, never what was found: on a list
//! that is secret, that something was found would say that the person is on it.

use super::call::{Call, Caller, Known};
use super::consents;
use super::gateway::Gateway;
use super::recorded::Recorded;
use super::records::{self, MAX_PAGE, PAGE};
use super::subject::AboutPerson;
use super::trail::Trail;
use super::view::{HistoryEvent, HistoryField, HistoryPage};
use super::world::World;
use crate::base::{Code, Error, Lang, Result};
use crate::policy::Action;

/// The events about a person.
///
/// # Errors
/// `forbidden`; `consent-required` where a second officer has to consent first; the faults of the body;
/// `audit-unavailable`, `not-ready`.
pub async fn history(
    gateway: &Gateway,
    call: &Call<Caller>,
    body: Result<impl AsRef<[u8]>>,
    lang: Lang,
) -> Result<HistoryPage> {
    let mut trail = Trail::new("subject-history", call);
    let ask = match parse(gateway, call, body) {
        Ok(ask) => ask,
        Err(error) => return Err(gateway.record_failure(&call.caller, trail, error).await),
    };
    let (kind, identifier) = (ask.kind.as_str(), ask.identifier.reveal().clone());
    trail.note("case", &ask.case);
    trail.subject(kind, &identifier);
    match consents::found(gateway, &call.caller, &ask).await {
        Ok(Some(consent)) => trail.note("consent", &consent),
        Ok(None) => {}
        Err(error) => return Err(gateway.record_failure(&call.caller, trail, error).await),
    }
    let (after, limit) = (ask.after, ask.limit.unwrap_or(PAGE));
    let found =
        records::read(gateway, move |log| log.subject_history(kind, &identifier, after, limit)).await?;
    trail.count("found", found.records.len() as u64);
    gateway.record(trail.end(Code::Ok)).await?;
    let world = gateway.world();
    let events = found.records.iter().filter_map(|r| event(&world, &call.caller, &r.leaf, lang)).collect();
    Ok(HistoryPage { events, next: found.next, index_lag: found.lag })
}

fn parse(gateway: &Gateway, call: &Call<Caller>, body: Result<impl AsRef<[u8]>>) -> Result<AboutPerson> {
    if !call.caller.may(&gateway.world().policy, Action::SubjectsHistory) {
        return Err(Code::Forbidden.into());
    }
    let ask = AboutPerson::parse(body?.as_ref(), gateway.now().day())?;
    if (1..=MAX_PAGE).contains(&ask.limit.unwrap_or(PAGE)) {
        Ok(ask)
    } else {
        Err(Error::at(Code::InvalidRequest, "/limit", Code::OutOfBounds))
    }
}

fn event(world: &World, reader: &Caller, leaf: &str, lang: Lang) -> Option<HistoryEvent> {
    let recorded: Recorded = serde_json::from_str(leaf).ok()?;
    let department = recorded.caller.department;
    let title = world.catalogue.departments.iter().find(|(id, _)| id.as_str() == department);
    // A list that the reader may not know of stays unnamed; that it was asked does not.
    let known =
        recorded.dataset.filter(|id| world.dataset(id).is_some_and(|d| world.may_be_known_to(reader, d)));
    let fields = recorded.fields.into_iter().map(|f| HistoryField { field: f.field, form: f.form });
    Some(HistoryEvent {
        index: recorded.index,
        request_id: recorded.request_id,
        time: recorded.time,
        kind: recorded.kind,
        department_title: title.map(|(_, d)| d.title.lang(lang).to_owned()).unwrap_or_default(),
        department,
        purpose: recorded.purpose,
        fields: if known.is_some() { fields.collect() } else { Vec::new() },
        dataset: known,
    })
}
