//! When the certificates of systems end, as far as this gateway has seen them.
//!
//! Invariant: dates of registered systems only. A system that renews with another key has two for a
//! while: the later one counts, since it calls with that.

use std::collections::BTreeMap;

use crate::base::Timestamp;
use crate::base::ids::{Fingerprint, SystemId};
use crate::identity::Registry;
use crate::web::server::Worker;

/// Of each system that called since the start, when its certificate ends.
pub fn of_systems(worker: &Worker) -> BTreeMap<SystemId, Timestamp> {
    latest(&worker.gateway.world().registry, worker.tls.seen())
}

fn latest(registry: &Registry, seen: Vec<(Fingerprint, Timestamp)>) -> BTreeMap<SystemId, Timestamp> {
    let mut latest = BTreeMap::new();
    for (key, ends) in seen {
        let Some(system) = registry.by_key(&key) else { continue };
        let known = latest.entry(system.id.clone()).or_insert(ends);
        *known = ends.max(*known);
    }
    latest
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::Text;
    use crate::base::ids::DepartmentId;
    use crate::identity::System;

    #[test]
    fn a_system_is_good_for_as_long_as_its_newest_certificate_and_nobody_else_is_shown() {
        let system = |id: &str| System {
            id: SystemId::parse(id).unwrap(),
            department: DepartmentId::parse("housing").unwrap(),
            title: Text { zh: id.into(), en: id.into() },
            roles: Vec::new(),
        };
        let [aid, other] = ["housing.aid", "housing.other"].map(system);
        let [old, new, of_other, revoked] =
            ["old", "new", "other", "revoked"].map(|key| Fingerprint::of_spki(key.as_bytes()));
        let mut registry = Registry::new([aid.clone(), other.clone()]);
        for (key, of) in [(old, &aid), (new, &aid), (of_other, &other)] {
            assert!(registry.register(key, &of.id));
        }
        let at = |second| Timestamp::from_micros(0).plus_seconds(second);
        let seen = vec![(new, at(90)), (old, at(10)), (of_other, at(50)), (revoked, at(1))];
        let expected = BTreeMap::from([(aid.id, at(90)), (other.id, at(50))]);
        assert_eq!(latest(&registry, seen), expected);
    }
}
