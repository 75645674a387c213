//! Everything a decision needs, in one immutable piece.
//!
//! Invariant: a request sees one world from its beginning to its end. A change builds a new
//! world beside the old one and swaps the pointer, so nothing is ever half new.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::call::{Caller, Known};
use super::standing::Standing;
use super::suspensions::Suspended;
use crate::approval::Workflow;
use crate::base::ids::{DatasetId, SystemId};
use crate::base::{Findings, Sources};
use crate::catalogue::{Catalogue, Dataset, Level};
use crate::identity::{self, Registry, System};
use crate::policy::{Offer, Policy};
use crate::store::state::grants::StandingGrant;
use crate::store::state::{RegisteredKey, Version};

/// One version of catalogue and policies, with the grants and registered keys beside it.
pub struct World {
    /// The number of the stored version.
    pub seq: i64,
    /// What can be asked.
    pub catalogue: Arc<Catalogue>,
    /// Who may ask for it.
    pub policy: Arc<Policy>,
    /// Who is known, by which key.
    pub registry: Arc<Registry>,
    /// How an application becomes a grant.
    pub workflow: Arc<Workflow>,
    /// The catalogue's number.
    pub catalogue_version: u64,
    /// The policies' number.
    pub policy_version: u64,
    /// The digest of the catalogue's files.
    pub catalogue_digest: Arc<str>,
    /// The digest of the policies' files.
    pub policy_digest: Arc<str>,
    /// The grants of the store.
    pub(super) standing: Arc<Standing>,
    /// Who may know of each secret list.
    secret: Arc<Secret>,
    /// The systems and operators that are stopped.
    pub suspended: Arc<Suspended>,
}

/// Who may know of each secret list.
type Secret = HashMap<DatasetId, HashSet<SystemId>>;

impl World {
    /// Builds the world of a stored version. What did not change since `previous` is taken from
    /// there, so that one changed rule among very many is in force at once; and so are the grants
    /// of the store.
    ///
    /// # Errors
    /// When the stored files do not hold together, as another version of this program might
    /// have stored them.
    pub fn build(
        version: &Version,
        keys: &[RegisteredKey],
        previous: Option<&World>,
    ) -> Result<World, Findings> {
        let kept = previous.filter(|p| p.catalogue_version == version.catalogue).map(|p| &p.catalogue);
        let Checked { catalogue, policy, registry, workflow, .. } =
            check_after(kept, previous.map(|p| &*p.policy), &version.sources)?;
        let standing = previous.map(|p| Arc::clone(&p.standing)).unwrap_or_default();
        let policy = standing.put_into(&policy, &catalogue);
        Ok(World {
            standing,
            suspended: previous.map(|p| Arc::clone(&p.suspended)).unwrap_or_default(),
            secret: Arc::new(secret(&catalogue, &policy, &registry)),
            catalogue_digest: version.sources.part("schemas/").digest().into(),
            policy_digest: version.sources.part("policies/").digest().into(),
            seq: version.seq,
            catalogue,
            policy: Arc::new(policy),
            registry: Arc::new(with_keys(registry, keys)),
            workflow: Arc::new(workflow),
            catalogue_version: version.catalogue,
            policy_version: version.policy,
        })
    }

    /// This world with other keys.
    pub fn rekeyed(&self, keys: &[RegisteredKey]) -> World {
        World {
            catalogue: Arc::clone(&self.catalogue),
            policy: Arc::clone(&self.policy),
            registry: Arc::new(with_keys(self.registry.without_keys(), keys)),
            standing: Arc::clone(&self.standing),
            workflow: Arc::clone(&self.workflow),
            secret: Arc::clone(&self.secret),
            suspended: Arc::clone(&self.suspended),
            catalogue_digest: Arc::clone(&self.catalogue_digest),
            policy_digest: Arc::clone(&self.policy_digest),
            ..*self
        }
    }

    /// This world with others stopped.
    pub fn with_suspended(self, suspended: Suspended) -> World {
        World { suspended: Arc::new(suspended), ..self }
    }

    /// This world with the grants of the store as they are in `rows`. Takes the time of the grants
    /// alone, however many rules there are, and next to none when they are what they were.
    pub fn with_grants(self, rows: Vec<StandingGrant>) -> World {
        match self.standing.is_of(&rows) {
            true => self,
            false => {
                let standing = self.standing.with_rows(rows);
                self.with_standing(standing)
            }
        }
    }

    pub(super) fn with_standing(self, standing: Standing) -> World {
        let policy = standing.put_into(&self.policy, &self.catalogue);
        let secret = secret_after(&self, &policy, &standing);
        World { policy: Arc::new(policy), secret: Arc::new(secret), standing: Arc::new(standing), ..self }
    }

    /// May the system know that the dataset exists? A core list is secret: only its owner, and who
    /// may ask something of it while its grants are in force, sees it at all. Found out when the
    /// world was built, so that a secret name and one that nobody has take the same time.
    pub fn may_know(&self, system: &System, dataset: &Dataset) -> bool {
        self.secret.get(dataset.id()).is_none_or(|knowing| knowing.contains(&system.id))
    }

    /// The same for any caller. A person may know what a system of the department may know, and
    /// what the department owns.
    pub fn may_be_known_to(&self, caller: &Caller, dataset: &Dataset) -> bool {
        match caller {
            Caller::System(asking) => self.may_know(&asking.system, dataset),
            Caller::Person(_) => {
                let department = caller.department();
                let own = self.registry.systems().filter(|system| system.department == *department);
                let mut knowing = own.filter(|system| self.may_know(system, dataset));
                !self.secret.contains_key(dataset.id())
                    || dataset.entry.provider == *department
                    || knowing.next().is_some()
            }
        }
    }

    /// The dataset of that id.
    pub fn dataset(&self, id: &str) -> Option<&Arc<Dataset>> {
        DatasetId::parse(id).and_then(|id| self.catalogue.datasets.get(&id))
    }
}

fn secret(catalogue: &Catalogue, policy: &Policy, registry: &Registry) -> Secret {
    let core = catalogue.datasets.values().filter(|dataset| dataset.level() == Level::Core);
    core.map(|dataset| {
        let knowing = registry.systems().filter(|system| knows(policy, system, dataset));
        (dataset.id().clone(), knowing.map(|system| system.id.clone()).collect())
    })
    .collect()
}

/// Who may know of each secret list once `world` has `standing` for its grants: only about those
/// whose grants changed is asked anew.
fn secret_after(world: &World, policy: &Policy, standing: &Standing) -> Secret {
    let mut secret = Secret::clone(&world.secret);
    let changed: HashSet<_> = standing.changed_since(&world.standing).collect();
    let grants = world.policy.grants().iter().chain(policy.grants());
    for grant in grants.filter(|grant| changed.contains(&grant.id)) {
        let Some(dataset) = world.catalogue.datasets.get(&grant.dataset) else { continue };
        let Some(knowing) = secret.get_mut(&grant.dataset) else { continue };
        for system in grant.systems.iter().filter_map(|id| world.registry.system(id.as_str())) {
            match knows(policy, system, dataset) {
                true => knowing.insert(system.id.clone()),
                false => knowing.remove(&system.id),
            };
        }
    }
    secret
}

/// May the system know that there is such a list?
fn knows(policy: &Policy, system: &System, dataset: &Dataset) -> bool {
    let may_ask = |purpose| {
        policy.written(system, dataset, purpose).iter().any(|offer| matches!(offer, Offer::UpTo { .. }))
    };
    system.department == dataset.entry.provider || dataset.entry.purposes.iter().any(may_ask)
}

fn with_keys(mut registry: Registry, keys: &[RegisteredKey]) -> Registry {
    for key in keys {
        // A key of a system that the files no longer name stays registered but names nobody.
        if !registry.register(key.fingerprint, &key.system) {
            tracing::warn!(system = %key.system, key = %key.fingerprint, "a registered key names no system");
        }
    }
    registry
}

/// Files that hold together.
pub struct Checked {
    /// The catalogue they make.
    pub catalogue: Arc<Catalogue>,
    /// The policies they make.
    pub policy: Policy,
    /// The systems they name, without keys.
    pub registry: Registry,
    /// How an application becomes a grant.
    pub workflow: Workflow,
    /// What is worth a look.
    pub warnings: Findings,
}

/// Do a catalogue and its policies hold together?
///
/// # Errors
/// Every fault found, with file and line.
pub fn check(sources: &Sources) -> Result<Checked, Findings> {
    check_after(None, None, sources)
}

/// The same with a catalogue that is known to be that of `sources` already, and taking from an
/// older policy what did not change.
fn check_after(
    catalogue: Option<&Arc<Catalogue>>,
    policy: Option<&Policy>,
    sources: &Sources,
) -> Result<Checked, Findings> {
    let catalogue = match catalogue {
        Some(kept) => Ok((Arc::clone(kept), Findings::default())),
        None => Catalogue::load(sources).map(|(read, warnings)| (Arc::new(read), warnings)),
    };
    let (catalogue, mut warnings, systems) = match (catalogue, identity::load(sources)) {
        (Ok((catalogue, warnings)), Ok(systems)) => (catalogue, warnings, systems),
        (catalogue, systems) => {
            // Both halves at once: an operator mends them in one go.
            let mut findings = catalogue.map_or_else(|f| f, |(_, warnings)| warnings);
            findings.0.extend(systems.map_or_else(|f| f.0, |_| Vec::new()));
            return Err(findings);
        }
    };
    let registry = Registry::new(systems);
    let policy = Policy::load_after(policy, sources, &catalogue, &registry);
    let (policy, workflow) = match (policy, Workflow::load(sources, &catalogue)) {
        (Ok((policy, more)), Ok((workflow, still_more))) => {
            warnings.0.extend(more.0.into_iter().chain(still_more.0));
            (policy, workflow)
        }
        (policy, workflow) => {
            let mut findings = policy.map_or_else(|f| f, |(_, warnings)| warnings);
            findings.0.extend(workflow.map_or_else(|f| f.0, |(_, warnings)| warnings.0));
            return Err(findings);
        }
    };
    Ok(Checked { catalogue, policy, registry, workflow, warnings })
}
