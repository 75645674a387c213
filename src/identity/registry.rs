//! The registered systems and their keys.
//!
//! Invariant: a key belongs to at most one system, so a fingerprint names one caller or none.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::role::Role;
use crate::base::Text;
use crate::base::ids::{DepartmentId, Fingerprint, SystemId};

/// A department's program that calls the gateway (系统).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Its id.
    pub id: SystemId,
    /// The department it belongs to.
    pub department: DepartmentId,
    /// Its name.
    pub title: Text,
    /// What it may do beside asking for data.
    #[serde(default)]
    pub roles: Vec<Role>,
}

/// All registered systems and their keys, immutable: a change is a new registry.
#[derive(Debug, Default, Clone)]
pub struct Registry {
    systems: BTreeMap<SystemId, Arc<System>>,
    keys: HashMap<Fingerprint, Arc<System>>,
}

impl Registry {
    /// A registry of `systems`, none of which has a key yet.
    pub fn new(systems: impl IntoIterator<Item = System>) -> Self {
        let systems = systems.into_iter().map(|s| (s.id.clone(), Arc::new(s))).collect();
        Self { systems, keys: HashMap::new() }
    }

    /// The same systems, none of which has a key.
    pub fn without_keys(&self) -> Self {
        Self { systems: self.systems.clone(), keys: HashMap::new() }
    }

    /// Registers a key; false when the system is unknown or the key belongs to another.
    pub fn register(&mut self, key: Fingerprint, system: &SystemId) -> bool {
        let Some(known) = self.systems.get(system) else { return false };
        let owner = self.keys.entry(key).or_insert_with(|| Arc::clone(known));
        owner.id == *system
    }

    /// The system that the key belongs to.
    pub fn by_key(&self, key: &Fingerprint) -> Option<&Arc<System>> {
        self.keys.get(key)
    }

    /// The system of that id.
    pub fn system(&self, id: &str) -> Option<&Arc<System>> {
        self.systems.get(id)
    }

    /// All systems by id.
    pub fn systems(&self) -> impl Iterator<Item = &Arc<System>> {
        self.systems.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::unwrap_used)]
    fn a_key_belongs_to_one_system_only() {
        let system = |id: &str| System {
            id: SystemId::parse(id).unwrap(),
            department: DepartmentId::parse("civil").unwrap(),
            title: Text { zh: "系统".into(), en: "System".into() },
            roles: vec![],
        };
        let (a, b) = (system("a"), system("b"));
        let mut registry = Registry::new([a.clone(), b.clone()]);
        let key = Fingerprint::of_spki(b"key");
        assert!(registry.by_key(&key).is_none());
        assert!(registry.register(key, &a.id));
        assert!(registry.register(key, &a.id), "the same again changes nothing");
        assert!(!registry.register(key, &b.id));
        assert!(!registry.register(Fingerprint::of_spki(b"other"), &SystemId::parse("c").unwrap()));
        assert_eq!(registry.by_key(&key).unwrap().id, a.id);
    }
}
