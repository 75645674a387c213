//! One version of the policies, with the memory of what was decided under it.
//!
//! Invariant: immutable but for its memo, and the memo's keys are all that its values depend on.
//! A new version, or other grants, is a new snapshot, so a stale decision cannot exist.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use quick_cache::sync::Cache;
use ring::digest::{Context, SHA256};

use super::check;
use super::decide::{self, FieldVerdict, Offer, Standing, Verdict};
use super::grant::Grant;
use super::grants_file;
use super::groups::{GROUPS, Groups};
use super::judge::{Judges, Line, Question, grant_lines, rule_line};
use super::roles::{Action, Roles};
use super::rule::{Effect, RULES, Shard};
use crate::base::ids::{DatasetId, FieldName, PurposeId, RuleId, SystemId, hex};
use crate::base::{Code, Finding, Findings, Sources, Timestamp};
use crate::catalogue::{Ask, Catalogue, Dataset, Field};
use crate::identity::load::SYSTEMS;
use crate::identity::{Account, Registry, System};

const MODEL: &str = "policies/model.conf";

/// Decisions remembered at most: one for each system, dataset, purpose and field in use.
const REMEMBERED: usize = 32_768;

/// Everything that policy decides, in one version.
pub struct Policy {
    judges: Arc<Judges>,
    pub(super) shards: Arc<BTreeMap<DatasetId, Arc<Shard>>>,
    /// The grants of the files, as they are written.
    pub(super) authored: Arc<Vec<Arc<Grant>>>,
    /// All grants, as they stand.
    grants: Vec<Arc<Grant>>,
    /// The same, by who may use them for what.
    usable: Usable,
    pub(super) groups: Arc<Groups>,
    pub(super) roles: Arc<Roles>,
    memo: Cache<Key, Arc<Standing>>,
}

type Usable = HashMap<(SystemId, DatasetId, PurposeId), Vec<Arc<Grant>>>;

/// All that a [`Standing`] depends on within one version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    system: SystemId,
    dataset: DatasetId,
    purpose: PurposeId,
    field: FieldName,
    /// The grants, of those the system could use, that are out of force or not for this ask: so
    /// that time and case decide which memory is looked up, and no memory is of a time or a case.
    lapsed: Vec<usize>,
}

impl Policy {
    /// Reads `policies/` of `sources`, with the warnings that are worth a look.
    ///
    /// # Errors
    /// Every fault found, with file and line, when at least one is an error; then the version is
    /// refused whole.
    pub fn load(
        sources: &Sources,
        catalogue: &Catalogue,
        registry: &Registry,
    ) -> Result<(Policy, Findings), Findings> {
        Self::load_after(None, sources, catalogue, registry)
    }

    /// The same, taking from `previous` the rules of every dataset about which nothing changed:
    /// so that one changed rule among 100,000 is in effect at once.
    ///
    /// # Errors
    /// As for [`Policy::load`].
    pub fn load_after(
        previous: Option<&Policy>,
        sources: &Sources,
        catalogue: &Catalogue,
        registry: &Registry,
    ) -> Result<(Policy, Findings), Findings> {
        let mut findings = Findings::default();
        let groups = Groups::load(sources, catalogue, registry, &mut findings);
        let grants = grants_file::load(sources, catalogue, &groups, &mut findings);
        let roles = Roles::load(sources, &mut findings);
        let shards = read_shards(previous, sources, catalogue, &groups, &mut findings);
        if grants.is_empty() && shards.values().all(|shard| shard.rules().is_empty()) {
            let fix = "add rules, one file for each dataset";
            findings.push(Finding::error("no-rules", RULES, 0, "there is no rule and no grant", fix));
        }
        check::across(&shards, &grants, catalogue, registry, &groups, sources, &mut findings);
        let judges = Judges::new(sources.file(MODEL).unwrap_or_default(), groups.edges())
            .map_err(|what| findings.push(Finding::error("model", MODEL, 0, what, "restore the model")));
        findings.0.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        match judges {
            Ok(judges) if !findings.has_errors() => {
                let policy = Policy {
                    judges: Arc::new(judges),
                    shards: Arc::new(shards),
                    usable: usable(&grants),
                    authored: Arc::new(grants.clone()),
                    grants,
                    groups: Arc::new(groups),
                    roles: Arc::new(roles),
                    memo: Cache::new(REMEMBERED),
                };
                Ok((policy, findings))
            }
            _ => Err(findings),
        }
    }

    /// What of a grant from outside the files holds under `catalogue`, which must be the one of
    /// this policy; with a word on each thing that does not. None when nothing is left of it.
    pub fn admit(&self, grant: &Arc<Grant>, catalogue: &Catalogue) -> (Option<Arc<Grant>>, Vec<String>) {
        grant.narrowed(catalogue, &self.groups)
    }

    /// The same rules with these grants beside those of the files, each of which [`admit`] has let
    /// through; `suspended` says of a grant of the files whether it stands otherwise than written.
    /// Takes the time of the grants alone, however many rules there are.
    ///
    /// [`admit`]: Policy::admit
    pub fn with_grants(
        &self,
        admitted: impl Iterator<Item = Arc<Grant>>,
        suspended: impl Fn(&RuleId) -> Option<bool>,
    ) -> Policy {
        let authored = self.authored.iter().map(|grant| match suspended(&grant.id) {
            // What the files suspend stays so, whatever was commanded.
            Some(true) if !grant.suspended => Arc::new(Grant { suspended: true, ..Grant::clone(grant) }),
            _ => Arc::clone(grant),
        });
        let grants: Vec<_> = authored.chain(admitted).collect();
        Policy {
            judges: Arc::clone(&self.judges),
            shards: Arc::clone(&self.shards),
            authored: Arc::clone(&self.authored),
            usable: usable(&grants),
            grants,
            groups: Arc::clone(&self.groups),
            roles: Arc::clone(&self.roles),
            memo: Cache::new(REMEMBERED),
        }
    }

    /// Decides what `system` gets of what it asks for at `now`.
    pub fn decide(&self, system: &System, ask: &Ask, now: Timestamp) -> Verdict {
        let about = self.about(system, &ask.dataset, &ask.purpose, Some(now), Some(ask));
        let fields = ask.fields.iter().map(|asked| match ask.dataset.field(asked.name.as_str()) {
            Some(field) => decide::verdict(asked, &about.standing(field), &ask.dataset, &ask.purpose),
            None => unknown(&asked.name),
        });
        Verdict { fields: fields.collect() }
    }

    /// What `system` may ask for of `dataset` for `purpose` at `now`, field by field in the order
    /// of the schema. What a grant gives on a condition is not among it.
    pub fn offers(
        &self,
        system: &System,
        dataset: &Dataset,
        purpose: &PurposeId,
        now: Timestamp,
    ) -> Vec<Offer> {
        let about = self.about(system, dataset, purpose, Some(now), None);
        dataset.fields.iter().map(|f| decide::offer(f, &about.standing(f), dataset, purpose)).collect()
    }

    /// What stands within the days and on the conditions of every grant that is not suspended: for
    /// readers of the policies as they are written.
    pub fn written(&self, system: &System, dataset: &Dataset, purpose: &PurposeId) -> Vec<Offer> {
        let about = self.about(system, dataset, purpose, None, None);
        dataset.fields.iter().map(|f| decide::offer(f, &about.standing(f), dataset, purpose)).collect()
    }

    /// May `system` do `action` in the interface?
    pub fn may(&self, system: &System, action: Action) -> bool {
        self.roles.may(system, action)
    }

    /// May the person do `action` in the interface?
    pub fn person_may(&self, account: &Account, action: Action) -> bool {
        self.roles.person_may(account, action)
    }

    /// All grants, in force or not.
    pub fn grants(&self) -> &[Arc<Grant>] {
        &self.grants
    }

    /// The grants of the files, as they are written.
    pub fn authored(&self) -> &[Arc<Grant>] {
        &self.authored
    }

    /// How many grants a question of that kind looks at.
    #[cfg(test)]
    pub(super) fn usable_by(&self, system: &str, dataset: &str, purpose: &str) -> usize {
        let key = (SystemId::parse(system), DatasetId::parse(dataset), PurposeId::parse(purpose));
        let (Some(system), Some(dataset), Some(purpose)) = key else { return 0 };
        self.usable.get(&(system, dataset, purpose)).map_or(0, Vec::len)
    }

    /// The number of rules and grants: for the start's log line and for tests.
    pub fn size(&self) -> (usize, usize) {
        (self.shards.values().map(|shard| shard.rules().len()).sum(), self.grants.len())
    }

    fn about<'a>(
        &'a self,
        system: &'a System,
        dataset: &'a Dataset,
        purpose: &'a PurposeId,
        now: Option<Timestamp>,
        ask: Option<&Ask>,
    ) -> About<'a> {
        let key = (system.id.clone(), dataset.id().clone(), purpose.clone());
        let usable = self.usable.get(&key).map(Vec::as_slice).unwrap_or_default();
        let in_force = |grant: &Grant| now.map_or(!grant.suspended, |now| grant.in_force(now));
        let lapsed = usable
            .iter()
            .enumerate()
            .filter(|(_, grant)| !in_force(grant) || now.is_some() && !grant.is_for(ask));
        About { policy: self, system, dataset, purpose, usable, lapsed: lapsed.map(|(at, _)| at).collect() }
    }
}

/// One system, dataset and purpose at one time.
struct About<'a> {
    policy: &'a Policy,
    system: &'a System,
    dataset: &'a Dataset,
    purpose: &'a PurposeId,
    usable: &'a [Arc<Grant>],
    lapsed: Vec<usize>,
}

impl About<'_> {
    fn standing(&self, field: &Field) -> Arc<Standing> {
        let key = Key {
            system: self.system.id.clone(),
            dataset: self.dataset.id().clone(),
            purpose: self.purpose.clone(),
            field: field.name.clone(),
            lapsed: self.lapsed.clone(),
        };
        if let Some(met) = self.policy.memo.get(&key) {
            return met;
        }
        let standing = Arc::new(self.hear(field));
        self.policy.memo.insert(key, Arc::clone(&standing));
        standing
    }

    /// Has casbin decide about one field, under all rules and grants that could apply to it.
    fn hear(&self, field: &Field) -> Standing {
        let (lapsed, in_force): (Vec<_>, Vec<_>) =
            self.usable.iter().cloned().enumerate().partition(|(at, _)| self.lapsed.contains(at));
        let grants =
            |listed: Vec<(usize, Arc<Grant>)>| listed.into_iter().map(|(_, g)| g).collect::<Vec<_>>();
        let (mut lapsed, mut in_force) = (grants(lapsed), grants(in_force));
        // In an emergency its own grant stands for the fields that it gives: the lesser form of an
        // ordinary one is not what was opened. A rule that denies still does.
        let opened = |grant: &Arc<Grant>| {
            grant.condition.is_some() && grant.fields.iter().any(|f| f.field == field.name)
        };
        if in_force.iter().any(opened) {
            in_force.retain(opened);
        }
        // Whoever is not in the case is not told that somebody is.
        lapsed.retain(|grant| grant.condition.is_none());
        let system = self.system.id.as_str();
        let question = Question {
            system,
            dataset: self.dataset.id().as_str(),
            field: field.name.as_str(),
            class: field.sharing.class,
            owner: self.system.department == self.dataset.entry.provider,
            purpose: self.purpose.as_str(),
        };
        let rules = self.candidates(field, &in_force);
        self.policy.judges.hear(question, rules, |hearing| {
            decide::standing(hearing, field, self.purpose, &in_force, &lapsed)
        })
    }

    /// Rules before grants, which have a volume; denials last, so that casbin meets what they stop.
    fn candidates(&self, field: &Field, in_force: &[Arc<Grant>]) -> Vec<Line> {
        let (dataset, system) = (self.dataset.id(), &self.system.id);
        let shard = self.policy.shards.get(dataset);
        let names = self.policy.groups.above(system.as_str());
        let about = shard.into_iter().flat_map(|s| s.about(names, Some(self.purpose), Some(&field.name)));
        let mut about: Vec<_> = about.collect();
        // Twins stand side by side, the first line first. More than one would only take time.
        about.dedup_by(|later, first| later.is_twin(first));
        let (mut allow, mut deny): (Vec<_>, Vec<_>) =
            about.into_iter().partition(|rule| rule.effect == Effect::Allow);
        allow.sort_by_key(|rule| rule.line);
        deny.sort_by_key(|rule| rule.line);
        let grants = in_force.iter().flat_map(|grant| grant_lines(grant, system, &field.name));
        let line = |rule| rule_line(dataset, rule);
        allow.into_iter().map(line).chain(grants).chain(deny.into_iter().map(line)).collect()
    }
}

/// Grants by who may use them for what.
fn usable(grants: &[Arc<Grant>]) -> Usable {
    let mut usable = Usable::with_capacity(grants.len());
    for grant in grants {
        for system in &grant.systems {
            let key = (system.clone(), grant.dataset.clone(), grant.purpose.clone());
            usable.entry(key).or_default().push(Arc::clone(grant));
        }
    }
    usable
}

/// A field that the dataset does not have: the query's parser lets none through.
fn unknown(name: &FieldName) -> FieldVerdict {
    FieldVerdict::Refused(crate::base::FieldRefusal {
        field: name.clone(),
        code: Code::NoRule,
        rule: None,
        permitted: None,
        apply: None,
    })
}

fn read_shards(
    previous: Option<&Policy>,
    sources: &Sources,
    catalogue: &Catalogue,
    groups: &Groups,
    findings: &mut Findings,
) -> BTreeMap<DatasetId, Arc<Shard>> {
    let mut shards = BTreeMap::new();
    let context = Digest::new(sources);
    for (path, text) in sources.under(RULES, ".csv") {
        let name = path.strip_prefix(RULES).and_then(|name| name.strip_suffix(".csv")).unwrap_or_default();
        let Some(dataset) = catalogue.datasets.get(name) else {
            let what = format!("there is no dataset `{name}`");
            findings.push(Finding::error("unknown-dataset", path, 0, what, "name the file after a dataset"));
            continue;
        };
        let digest = context.of(text);
        let known = previous.and_then(|p| p.shards.get(name));
        let known = known.filter(|known| known.digest == digest && Arc::ptr_eq(&known.dataset, dataset));
        let shard = known.cloned().unwrap_or_else(|| {
            let mut shard = Shard::parse(path, digest, text, Arc::clone(dataset), groups);
            let found = check::rules(&shard, groups);
            shard.findings.0.extend(found.0);
            Arc::new(shard)
        });
        findings.0.extend(shard.findings.0.iter().cloned());
        shards.insert(dataset.id().clone(), shard);
    }
    shards
}

/// Of a rule file and of the other files it is checked against, but for the schema.
struct Digest(Context);

impl Digest {
    fn new(sources: &Sources) -> Self {
        let mut context = Context::new(&SHA256);
        for text in [GROUPS, SYSTEMS].map(|path| sources.file(path).unwrap_or_default()) {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        Self(context)
    }

    fn of(&self, text: &str) -> String {
        let mut context = self.0.clone();
        context.update(text.as_bytes());
        hex(context.finish().as_ref())
    }
}
