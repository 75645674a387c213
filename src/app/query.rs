//! The main job: one department's system asks another department about people.
//!
//! Invariant: the answer exists only after its record is durable; until then nothing of it can
//! reach the caller, whatever goes wrong.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use ring::hmac;
use ring::rand::SecureRandom;
use serde_json::{Map, Value as Json};
use tokio::sync::RwLockReadGuard;

use super::admission::Place;
use super::call::{Call, SystemCaller};
use super::charge::charge;
use super::gateway::Gateway;
use super::recheck::{self, Given};
use super::trail::Trail;
use super::view::{FieldProblem, QueryAnswer, ReceiptView, SubjectResult};
use super::world::World;
use crate::adapters::WorkerAdapters;
use crate::base::ids::{FieldName, hex};
use crate::base::{Code, Error, FieldRefusal, Result, Timestamp};
use crate::catalogue::{Ask, Dataset, OnRefusal, request};
use crate::policy::{Action, FieldVerdict, Verdict};
use crate::privacy::{self, Context, Disclosure, Recipient};
use crate::telemetry::traces;

/// Answers a query: the bytes of the whole JSON answer.
///
/// # Errors
/// With the code that the caller is to see; it has been recorded.
pub async fn query(
    gateway: &Gateway,
    adapters: &WorkerAdapters,
    call: &Call<SystemCaller>,
    dataset: &str,
    body: Result<impl AsRef<[u8]>>,
) -> Result<Vec<u8>> {
    let mut trail = Trail::new("query", call);
    // Kept to the end: a query that waits for its record is still in hand.
    let mut place = match gateway.places.take(adapters.places_of(dataset)).await {
        Ok(place) => place,
        Err(error) => return Err(gateway.record_failure(&call.caller, trail, error).await),
    };
    let story = answer(gateway, adapters, call, dataset, body, &mut place, &mut trail);
    // A panic is a fault of ours: it is recorded like any other end, and takes nothing down.
    let told = AssertUnwindSafe(story).catch_unwind().await.unwrap_or_else(|_| Err(Code::Internal.into()));
    match told {
        Ok((answer, _standing)) => {
            let began = Instant::now();
            let concluded = conclude(gateway, answer, trail).await;
            let code = concluded.as_ref().map_or_else(|error| error.code, |_| Code::Ok);
            traces::stage("record", &call.trace, code.as_str(), began.elapsed());
            concluded
        }
        Err(error) => Err(gateway.record_failure(&call.caller, trail, error).await),
    }
}

/// The way of a query, up to the answer that may be given once it is recorded. What it rests on
/// stays in force for as long as the guard is held.
async fn answer<'a>(
    gateway: &'a Gateway,
    adapters: &WorkerAdapters,
    call: &Call<SystemCaller>,
    dataset: &str,
    body: Result<impl AsRef<[u8]>>,
    place: &mut Place<'_>,
    trail: &mut Trail,
) -> Result<(QueryAnswer, RwLockReadGuard<'a, ()>)> {
    let world = gateway.world();
    let now = gateway.now();
    trail.world(&world);
    gateway.check_anchored()?;
    let system = &call.caller.system;
    if !world.policy.may(system, Action::DatasetsQuery) {
        return Err(Code::Forbidden.into());
    }
    let dataset = world.dataset(dataset).filter(|d| world.may_know(system, d));
    let dataset = dataset.ok_or(Code::NotFound)?;
    trail.dataset(dataset.id().as_str());

    let ask = request::parse(dataset, body?.as_ref(), now.day())?;
    trail.ask(&ask);
    world.suspended.check(system, Some(&ask.operator))?;
    let verdict = world.policy.decide(system, &ask, now);
    trail.verdict(&verdict);
    let Split { given, refused } = split(verdict);
    refused.iter().for_each(|field| gateway.metrics.field_refused(field.code));
    if given.is_empty() || (!refused.is_empty() && ask.on_refusal == OnRefusal::Reject) {
        return Err(Error::refused(refused));
    }

    charge(gateway, given.iter().filter_map(|g| g.grant.as_ref()), &ask, now).await?;
    let began = Instant::now();
    let rows = place.lend(fetch(adapters, call, &ask, &given, trail)).await;
    let code = rows.as_ref().map_or_else(|error| error.code, |_| Code::Ok);
    gateway.metrics.adapter_answered(&dataset.entry.provider, code, began.elapsed());
    traces::stage("fetch", &call.trace, code.as_str(), began.elapsed());
    let rows = rows?;
    let standing = gateway.answering.read().await;
    let withdrawn = recheck::withdrawn(gateway, &world, system, &ask, &given);
    if !withdrawn.is_empty() {
        trail.verdict(&without(&given, &withdrawn));
        return Err(Error::refused(withdrawn));
    }
    let results = disclose(gateway, call, &ask, &given, rows, now)?;
    trail.count("found", results.iter().filter(|r| r.found).count() as u64);
    Ok((compose(call, &world, dataset, &given, refused, results), standing))
}

/// Records the answer, and only then lets it go.
///
/// The record commits to the answer as it stands before the receipt is added: whoever has the
/// answer takes the `receipt` member out of the text and has the committed bytes again. A plain
/// hash would give the answer away, since all but a few small values of it stands in the record;
/// so the commitment is keyed, and only the caller is given the key.
async fn conclude(gateway: &Gateway, answer: QueryAnswer, mut trail: Trail) -> Result<Vec<u8>> {
    let mut body = serde_json::to_vec(&answer).map_err(|e| Error::new(Code::Internal).because(e))?;
    let (commitment, response_key) = commit(gateway, &body)?;
    trail.note("response", &commitment);
    let receipt = gateway.record(trail.end(Code::Ok)).await?;
    // Waiting may have taken long, or this process may have stood still: who cannot know that what
    // it rests on still stands sends nothing.
    gateway.lease.check()?;
    body.pop();
    body.extend_from_slice(b",\"receipt\":");
    serde_json::to_writer(&mut body, &ReceiptView::of(receipt, response_key))
        .map_err(|e| Error::new(Code::Internal).because(e))?;
    body.push(b'}');
    Ok(body)
}

/// HMAC-SHA256 of the answer under a fresh key, and the key; both in hex.
fn commit(gateway: &Gateway, body: &[u8]) -> Result<(String, String)> {
    let mut key = [0; 32];
    gateway.rng.fill(&mut key).map_err(|_| Error::new(Code::NotReady))?;
    let commitment = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), body);
    Ok((hex(commitment.as_ref()), hex(&key)))
}

struct Split {
    given: Vec<Given>,
    refused: Vec<FieldRefusal>,
}

fn split(verdict: Verdict) -> Split {
    let mut split = Split { given: Vec::new(), refused: Vec::new() };
    for field in verdict.fields {
        match field {
            FieldVerdict::Given { name, form, predicate, rule, grant } => {
                split.given.push(Given { name, form, predicate, rule, grant });
            }
            FieldVerdict::Refused(refusal) => split.refused.push(refusal),
        }
    }
    split
}

/// What was decided, but for what was withdrawn since.
fn without(given: &[Given], withdrawn: &[FieldRefusal]) -> Verdict {
    let left = given.iter().filter(|given| !withdrawn.iter().any(|gone| gone.field == given.name));
    let gone = withdrawn.iter().cloned().map(FieldVerdict::Refused);
    Verdict { fields: left.map(Given::verdict).chain(gone).collect() }
}

type Row = Option<Map<String, Json>>;

/// Asks the provider for the permitted fields alone, and only for those whose form needs a value.
async fn fetch(
    adapters: &WorkerAdapters,
    call: &Call<SystemCaller>,
    ask: &Ask,
    given: &[Given],
    trail: &mut Trail,
) -> Result<Vec<Row>> {
    trail.asked(adapters.name_of(ask.dataset.id()));
    let wanted: Vec<&FieldName> =
        given.iter().filter(|g| privacy::needs_value(g.form)).map(|g| &g.name).collect();
    adapters.fetch(ask.dataset.id(), &wanted, &ask.subjects, &call.request_id, Some(&call.trace)).await
}

/// Checks each record against the dataset's schema, then reduces it to the forms.
fn disclose(
    gateway: &Gateway,
    call: &Call<SystemCaller>,
    ask: &Ask,
    given: &[Given],
    rows: Vec<Row>,
    now: Timestamp,
) -> Result<Vec<SubjectResult>> {
    let plan = given
        .iter()
        .map(|g| {
            let field = ask.dataset.field(g.name.as_str()).ok_or(Code::Internal)?;
            Ok(Disclosure { field, form: g.form, predicate: g.predicate.as_ref() })
        })
        .collect::<Result<Vec<_>>>()?;
    let recipient = Recipient { department: &call.caller.system.department, purpose: &ask.purpose };
    let context = Context::new(ask.dataset.id(), recipient, &gateway.pseudonyms, now.day());
    if rows.len() != ask.subjects.len() {
        return Err(Code::ProviderInvalid.into());
    }
    rows.into_iter()
        .enumerate()
        .map(|(subject, row)| {
            let Some(record) = row else {
                return Ok(SubjectResult { subject, found: false, data: Map::new() });
            };
            let holds = plan
                .iter()
                .filter(|d| privacy::needs_value(d.form))
                .all(|d| d.field.accepts(record.get(d.field.name.as_str())));
            if !holds {
                return Err(Code::ProviderInvalid.into());
            }
            Ok(SubjectResult { subject, found: true, data: privacy::disclose(&plan, &record, &context)? })
        })
        .collect()
}

fn compose(
    call: &Call<SystemCaller>,
    world: &World,
    dataset: &Dataset,
    given: &[Given],
    refused: Vec<FieldRefusal>,
    results: Vec<SubjectResult>,
) -> QueryAnswer {
    QueryAnswer {
        request_id: call.request_id.to_string(),
        dataset: dataset.id().to_string(),
        catalogue_version: world.catalogue_version,
        policy_version: world.policy_version,
        forms: given.iter().map(|g| (g.name.to_string(), g.form.as_str().into())).collect(),
        results,
        withheld: refused.iter().map(FieldProblem::from).collect(),
        receipt: None,
    }
}
