//! Everything a decision needs, in one immutable piece.
//!
//! Invariant: a request sees one world from its beginning to its end. A change builds a new
//! world beside the old one and swaps the pointer, so nothing is ever half new.

use std::sync::Arc;

use crate::base::ids::DatasetId;
use crate::base::{Finding, Findings, Sources};
use crate::catalogue::{Catalogue, Dataset};
use crate::identity::{self, Registry};
use crate::policy::Policy;
use crate::store::state::{RegisteredKey, Version};

/// One version of catalogue, policies and registered keys.
pub struct World {
    /// What can be asked.
    pub catalogue: Arc<Catalogue>,
    /// Who may ask for it.
    pub policy: Arc<Policy>,
    /// Who is known, by which key.
    pub registry: Arc<Registry>,
    /// The catalogue's number.
    pub catalogue_version: u64,
    /// The policies' number.
    pub policy_version: u64,
}

impl World {
    /// Builds the world of a stored version.
    ///
    /// # Errors
    /// When the stored files do not hold together, as another version of this program might
    /// have stored them.
    pub fn build(version: &Version, keys: &[RegisteredKey]) -> Result<World, Findings> {
        let Checked { catalogue, policy, mut registry, .. } = check(&version.sources)?;
        let mut findings = Findings::default();
        for key in keys {
            // A key of a system that the files no longer name stays registered but names nobody.
            if registry.system(key.system.as_str()).is_some() && !registry.register(key.fingerprint, &key.system) {
                let what = format!("key {} belongs to two systems", key.fingerprint);
                findings.push(Finding::error("key-twice", "state.db", 0, what, "revoke the key"));
            }
        }
        if findings.has_errors() {
            return Err(findings);
        }
        Ok(World {
            catalogue: Arc::new(catalogue),
            policy: Arc::new(policy),
            registry: Arc::new(registry),
            catalogue_version: version.catalogue,
            policy_version: version.policy,
        })
    }

    /// The dataset of that id.
    pub fn dataset(&self, id: &str) -> Option<&Arc<Dataset>> {
        DatasetId::parse(id).and_then(|id| self.catalogue.datasets.get(&id))
    }
}

/// Files that hold together.
pub struct Checked {
    /// The catalogue they make.
    pub catalogue: Catalogue,
    /// The policies they make.
    pub policy: Policy,
    /// The systems they name, without keys.
    pub registry: Registry,
    /// What is worth a look.
    pub warnings: Findings,
}

/// Do a catalogue and its policies hold together?
///
/// # Errors
/// Every fault found, with file and line.
pub fn check(sources: &Sources) -> Result<Checked, Findings> {
    let catalogue = Catalogue::load(sources);
    let systems = identity::load(sources);
    let (catalogue, mut warnings, systems) = match (catalogue, systems) {
        (Ok((catalogue, warnings)), Ok(systems)) => (catalogue, warnings, systems),
        (catalogue, systems) => {
            // Both halves at once: an operator mends them in one go.
            let mut findings = catalogue.map_or_else(|f| f, |(_, warnings)| warnings);
            findings.0.extend(systems.map_or_else(|f| f.0, |_| Vec::new()));
            return Err(findings);
        }
    };
    let registry = Registry::new(systems);
    let (policy, more) = Policy::load(sources, &catalogue, &registry)?;
    warnings.0.extend(more.0);
    Ok(Checked { catalogue, policy, registry, warnings })
}
