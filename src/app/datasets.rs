//! The catalogue as one caller may see it; a person sees what the systems of the department may ask.
//!
//! Invariant: what a caller reads here is what the decision would say: it is asked, not guessed.

use std::sync::Arc;

use super::call::{Call, Caller, Known};
use super::gateway::Gateway;
use super::trail::Trail;
use super::view::{
    DatasetLine, DatasetList, DatasetView, FieldView, PermittedView, PurposeView, SubjectView,
};
use super::world::World;
use crate::base::ids::PurposeId;
use crate::base::{Code, Lang, Result, Timestamp};
use crate::catalogue::{Dataset, Field};
use crate::identity::System;
use crate::policy::{Action, Offer};

/// The datasets that the caller may know of.
///
/// # Errors
/// `forbidden`.
pub async fn list(gateway: &Gateway, call: &Call<Caller>, lang: Lang) -> Result<DatasetList> {
    let world = gateway.world();
    let caller = &call.caller;
    if !caller.may(&world.policy, Action::DatasetsRead) {
        return refuse(gateway, call, Code::Forbidden).await;
    }
    let (now, systems) = (gateway.now(), asking(&world, caller));
    let known = world.catalogue.datasets.values().filter(|d| world.may_be_known_to(caller, d));
    let datasets = known
        .map(|d| DatasetLine {
            dataset: d.id().to_string(),
            provider: d.entry.provider.to_string(),
            title: d.entry.title.lang(lang).to_owned(),
            class: d.class().as_str().to_owned(),
            level: d.level().as_str().to_owned(),
            askable: may_ask(&world, &systems, d, now),
        })
        .collect();
    Ok(DatasetList { catalogue_version: world.catalogue_version, datasets })
}

/// One dataset, with what the caller may ask of it.
///
/// # Errors
/// `forbidden`; `not-found` when there is none, or the caller may not know of it.
pub async fn view(gateway: &Gateway, call: &Call<Caller>, id: &str, lang: Lang) -> Result<DatasetView> {
    let world = gateway.world();
    let caller = &call.caller;
    if !caller.may(&world.policy, Action::DatasetsRead) {
        return refuse(gateway, call, Code::Forbidden).await;
    }
    match world.dataset(id).filter(|d| world.may_be_known_to(caller, d)) {
        Some(dataset) => Ok(describe(&world, &asking(&world, caller), dataset, gateway.now(), lang)),
        None => refuse(gateway, call, Code::NotFound).await,
    }
}

/// Reading the catalogue leaves no record; being refused does, so that probing for names shows.
async fn refuse<T>(gateway: &Gateway, call: &Call<Caller>, code: Code) -> Result<T> {
    let trail = Trail::new("catalogue", call);
    Err(gateway.record_failure(&call.caller, trail, code.into()).await)
}

/// The systems for which the caller asks: itself, or those of the person's department.
fn asking(world: &World, caller: &Caller) -> Vec<Arc<System>> {
    match caller {
        Caller::System(asking) => vec![Arc::clone(&asking.system)],
        Caller::Person(_) => {
            let own = world.registry.systems().filter(|system| system.department == *caller.department());
            own.cloned().collect()
        }
    }
}

fn describe(
    world: &World,
    systems: &[Arc<System>],
    dataset: &Dataset,
    now: Timestamp,
    lang: Lang,
) -> DatasetView {
    let pairs = dataset.entry.purposes.iter().flat_map(|p| systems.iter().map(move |system| (p, system)));
    let offered: Vec<_> =
        pairs.map(|(p, system)| (p, world.policy.offers(system, dataset, p, now))).collect();
    let entry = &dataset.entry;
    DatasetView {
        catalogue_version: world.catalogue_version,
        policy_version: world.policy_version,
        dataset: dataset.id().to_string(),
        provider: entry.provider.to_string(),
        title: entry.title.lang(lang).to_owned(),
        summary: entry.summary.lang(lang).to_owned(),
        update_cycle: entry.update_cycle.clone(),
        mode: entry.mode.clone(),
        conditions: entry.conditions.lang(lang).to_owned(),
        class: dataset.class().as_str().to_owned(),
        level: dataset.level().as_str().to_owned(),
        subject: SubjectView {
            member: entry.subject.member.clone(),
            identifier: entry.subject.identifier.as_str().to_owned(),
        },
        purposes: entry.purposes.iter().filter_map(|p| purpose_view(world, p, lang)).collect(),
        fields: dataset.fields.iter().map(|f| field_view(f, &offered, lang)).collect(),
        request_schema: dataset.request_schema.clone(),
    }
}

fn may_ask(world: &World, systems: &[Arc<System>], dataset: &Dataset, now: Timestamp) -> bool {
    let mut pairs = dataset.entry.purposes.iter().flat_map(|p| systems.iter().map(move |system| (p, system)));
    pairs.any(|(purpose, system)| {
        let offers = world.policy.offers(system, dataset, purpose, now);
        offers.iter().any(|offer| matches!(offer, Offer::UpTo { .. }))
    })
}

fn purpose_view(world: &World, id: &PurposeId, lang: Lang) -> Option<PurposeView> {
    world.catalogue.purposes.get(id).map(|p| PurposeView {
        purpose: id.to_string(),
        title: p.title.lang(lang).to_owned(),
        basis: p.basis.clone(),
    })
}

fn field_view(field: &Field, offered: &[(&PurposeId, Vec<Offer>)], lang: Lang) -> FieldView {
    let mut permitted = Vec::new();
    let mut apply = None;
    for (purpose, offer) in
        offered.iter().flat_map(|(purpose, offers)| offers.iter().map(move |o| (purpose, o)))
    {
        match offer {
            Offer::UpTo { name, form, forms, compare, rule, .. } if *name == field.name => {
                let view = PermittedView {
                    purpose: purpose.to_string(),
                    form: form.as_str().to_owned(),
                    forms: forms.iter().map(|form| form.as_str().to_owned()).collect(),
                    rule: rule.to_string(),
                    compare: compare.clone(),
                };
                // Several systems of one department are often given the same by the same rule.
                if !permitted.contains(&view) {
                    permitted.push(view);
                }
            }
            Offer::Refused(refusal) if refusal.field == field.name => {
                apply = apply.or_else(|| refusal.apply.clone());
            }
            _ => {}
        }
    }
    FieldView {
        field: field.name.to_string(),
        title: field.title.lang(lang).to_owned(),
        kind: field.kind.clone(),
        class: field.sharing.class.as_str().to_owned(),
        level: field.sharing.level.as_str().to_owned(),
        basis: field.sharing.basis.clone(),
        permitted,
        apply,
    }
}
