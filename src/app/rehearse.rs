//! A query tried out: read, decided and reduced to its forms like any other, on made-up data.
//!
//! Invariant: no provider is asked and no person's data is touched; whom the query names is not kept.
//! What is decided is what would be decided: the same reading, the same policy. Bounded like a query in
//! size, and in number, for each leaves a record.

use std::num::NonZeroU32;

use serde_json::{Map, Value};

use super::call::{Call, Known, PersonCaller};
use super::gateway::Gateway;
use super::trail::Trail;
use super::view::FieldProblem;
use crate::base::{Bound, Code, Error, Result, Secret};
use crate::catalogue::{Dataset, Field, Form, Predicate, request};
use crate::identity::System;
use crate::policy::FieldVerdict;
use crate::privacy::{self, Context, Disclosure, PseudonymKey, Recipient};

/// Queries that one person may try out in a minute.
pub const PER_MINUTE: NonZeroU32 = match NonZeroU32::new(30) {
    Some(number) => number,
    None => NonZeroU32::MIN,
};

/// What a query would come to.
#[derive(Debug)]
pub struct Rehearsal {
    /// The form that each given field takes, and the rule or grant that gives it.
    pub forms: Vec<(String, Form, String)>,
    /// What would be answered about one subject, if its data were these.
    pub data: Map<String, Value>,
    /// What would be refused, and why.
    pub refused: Vec<FieldProblem>,
}

/// The systems for which a person may try a query out: those of its department.
pub fn systems(gateway: &Gateway, call: &Call<PersonCaller>) -> Vec<std::sync::Arc<System>> {
    let department = &call.caller.account.department;
    let world = gateway.world();
    let own = world.registry.systems().filter(|system| system.department == *department);
    own.cloned().collect()
}

/// Tries a query out for a system of the person's department.
///
/// # Errors
/// `not-found` when the department has no such system, or it may not know of the dataset; the faults
/// of the body, as a query has them; `too-many-rehearsals`, of which only the number is recorded;
/// `audit-unavailable`.
pub async fn rehearse(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    system: &str,
    dataset: &str,
    body: &[u8],
) -> Result<Rehearsal> {
    let mut trail = Trail::new("rehearsal", call);
    let world = gateway.world();
    trail.world(&world);
    let (now, person) = (gateway.now(), call.caller.id());
    if !gateway.rehearsals.take(Some(&person), now) {
        let bound = Bound { name: "rehearsals-minute", ..gateway.rehearsals.bound(Some(&person)) };
        let error = Error::new(Code::TooManyRehearsals).retry_after(60).bound(bound);
        return Err(gateway.record_failure(&call.caller, trail, error).await);
    }
    let tried = || {
        let known = systems(gateway, call).into_iter().find(|known| known.id.as_str() == system);
        let system = known.ok_or(Code::NotFound)?;
        let dataset = world.dataset(dataset).filter(|d| world.may_know(&system, d)).ok_or(Code::NotFound)?;
        let ask = request::parse(dataset, body, now.day())?;
        let verdict = world.policy.decide(&system, &ask, now);
        let recipient = Recipient { department: &system.department, purpose: &ask.purpose };
        let mut rehearsal = Rehearsal { forms: Vec::new(), data: Map::new(), refused: Vec::new() };
        for field in verdict.fields {
            match field {
                FieldVerdict::Given { name, form, predicate, rule, .. } => {
                    let shown = dataset.field(name.as_str()).and_then(|field| {
                        example(dataset, field, form, predicate.as_ref(), recipient, now.day())
                    });
                    rehearsal.data.insert(name.to_string(), shown.unwrap_or(Value::Null));
                    rehearsal.forms.push((name.to_string(), form, rule.to_string()));
                }
                FieldVerdict::Refused(refusal) => rehearsal.refused.push(FieldProblem::from(&refusal)),
            }
        }
        Ok((dataset.id().to_string(), rehearsal))
    };
    match tried() {
        Ok((dataset, rehearsal)) => {
            trail.dataset(&dataset);
            gateway.record(trail.end(Code::Ok)).await?;
            Ok(rehearsal)
        }
        Err(error) => Err(gateway.record_failure(&call.caller, trail, error).await),
    }
}

/// What a form leaves of a made-up value of the field; none where nothing can be made up.
pub fn example(
    dataset: &Dataset,
    field: &Field,
    form: Form,
    predicate: Option<&Predicate>,
    recipient: Recipient<'_>,
    today: time::Date,
) -> Option<Value> {
    let record = Map::from_iter([(field.name.to_string(), field.example.clone()?)]);
    // Under a key of its own: a token of this kind tells nothing of those that are given out.
    let key = PseudonymKey::new(&Secret::new([0; 32]));
    let listed = || field.sharing.forms.get(&Form::Predicate).and_then(|terms| terms.compare.first());
    let predicate = if form == Form::Predicate { predicate.or_else(listed) } else { None };
    let plan = [Disclosure { field, form, predicate }];
    let shown = privacy::disclose(&plan, &record, &Context::new(dataset.id(), recipient, &key, today));
    shown.ok()?.remove(field.name.as_str())
}
