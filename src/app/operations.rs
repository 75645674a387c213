//! What the gateway is made of: departments, systems with their keys, and adapters.
//!
//! Invariant: names, fingerprints and numbers. An adapter's address is nobody's business here.

use std::collections::BTreeMap;

use super::applications::{blocking, state};
use super::call::{Call, Known, PersonCaller};
use super::gateway::Gateway;
use super::records;
use super::trail::Trail;
use crate::adapters::{Adapters, Health};
use crate::base::{Code, Lang, Result, Timestamp};
use crate::policy::Action;
use crate::store::audit::Filter;

const DAY: i64 = 86_400;

/// What the gateway is made of.
#[derive(Debug)]
pub struct Operations {
    /// The departments, each with its systems.
    pub departments: Vec<DepartmentView>,
    /// The adapters.
    pub adapters: Vec<AdapterView>,
}

/// A department.
#[derive(Debug)]
pub struct DepartmentView {
    /// Its id.
    pub department: String,
    /// Its name.
    pub title: String,
    /// What it owns.
    pub datasets: Vec<String>,
    /// What calls for it.
    pub systems: Vec<SystemView>,
}

/// A system.
#[derive(Debug)]
pub struct SystemView {
    /// Its id.
    pub system: String,
    /// Its name.
    pub title: String,
    /// What it may do beside asking for data.
    pub roles: Vec<&'static str>,
    /// The keys that it is known by; without one it cannot call.
    pub keys: Vec<String>,
    /// The day on which it first called; none when it never has.
    pub first_call: Option<Timestamp>,
    /// Its queries in the last seven days.
    pub week: u64,
}

/// An adapter, and how it did today.
#[derive(Debug)]
pub struct AdapterView {
    /// How it stands now.
    pub health: Health,
    /// Queries of its datasets in the last 24 hours.
    pub queries: u64,
    /// Of those, which failed because of the provider, by code.
    pub failures: Vec<(String, u64)>,
}

/// What the gateway is made of, for the three officers.
///
/// # Errors
/// `forbidden`, `overloaded`, `audit-unavailable`, `not-ready`.
pub async fn operations(
    gateway: &Gateway,
    adapters: &Adapters,
    call: &Call<PersonCaller>,
    lang: Lang,
) -> Result<Operations> {
    let world = gateway.world();
    let mut trail = Trail::new("operations", call);
    if !call.caller.may(&world.policy, Action::OperationsRead) {
        return Err(gateway.record_failure(&call.caller, trail, Code::Forbidden.into()).await);
    }
    let (now, store) = (gateway.now(), gateway.state());
    let queries = move |days: i64| Filter {
        from: Some(now.plus_seconds(-days * DAY)),
        kind: Some("query".to_owned()),
        ..Filter::default()
    };
    let (week, today, first) = records::read(gateway, move |log| {
        Ok((log.counts(&queries(7))?, log.counts(&queries(1))?, log.first_calls()?))
    })
    .await?;
    trail.count("found", week.iter().map(|count| count.records).sum());
    gateway.record(trail.end(Code::Ok)).await?;
    let keys = blocking(move || store.keys().map_err(state)).await?;
    let system = |system: &crate::identity::System| SystemView {
        system: system.id.to_string(),
        title: system.title.lang(lang).to_owned(),
        roles: system.roles.iter().map(|role| role.as_str()).collect(),
        keys: keys.iter().filter(|key| key.system == system.id).map(|k| k.fingerprint.to_string()).collect(),
        first_call: first.iter().find(|(_, name, _)| name == system.id.as_str()).map(|(_, _, at)| *at),
        week: week
            .iter()
            .filter(|count| *count.system == *system.id.as_str())
            .map(|count| count.records)
            .sum(),
    };
    let departments = world.catalogue.departments.values().map(|department| DepartmentView {
        department: department.id.to_string(),
        title: department.title.lang(lang).to_owned(),
        datasets: {
            let own = world.catalogue.datasets.values().filter(|d| d.entry.provider == department.id);
            own.map(|dataset| dataset.id().to_string()).collect()
        },
        systems: {
            let own = world.registry.systems().filter(|system| system.department == department.id);
            own.map(|own| system(own)).collect()
        },
    });
    let adapter = |health: Health| {
        let own = today.iter().filter(|c| health.datasets.iter().any(|d| *d.as_str() == *c.dataset));
        let mut failures: BTreeMap<&str, u64> = BTreeMap::new();
        let mut queries = 0;
        for count in own {
            queries += count.records;
            if count.outcome.starts_with("provider-") {
                *failures.entry(&*count.outcome).or_default() += count.records;
            }
        }
        let failures = failures.into_iter().map(|(code, records)| (code.to_owned(), records)).collect();
        AdapterView { health, queries, failures }
    };
    Ok(Operations {
        departments: departments.collect(),
        adapters: adapters.health().into_iter().map(adapter).collect(),
    })
}
