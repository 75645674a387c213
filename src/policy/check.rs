//! What is wrong with policies that can be read: what they say and cannot mean.
//!
//! Invariant: pure, and without casbin: a finding explains a file to its author and never decides
//! anything. Every finding names file, line and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::grant::Grant;
use super::grants_file::GRANTS;
use super::groups::{EVERYBODY, Groups, Who};
use super::rule::{Effect, RULES, Rule, Shard};
use super::snapshot::Policy;
use crate::base::ids::{DatasetId, PurposeId};
use crate::base::locate::line_at;
use crate::base::{Finding, Findings, Sources, Timestamp};
use crate::catalogue::{BandBy, Catalogue, Class, Dataset, Field, Form, IdentifierKind, Level};
use crate::identity::load::SYSTEMS;
use crate::identity::{Registry, Role};

/// Duties that nobody holds together (三员分立): who reads the trail does not make entries in it,
/// takes nothing out of it, and does not watch over one department's part of it.
const EXCLUSIVE: [(Role, Role); 3] = [
    (Role::Auditor, Role::ConfidentialityOfficer),
    (Role::Auditor, Role::SecurityAdmin),
    (Role::Auditor, Role::CitizenService),
];

/// What is wrong with the rules of one dataset, each by itself and beside the others.
pub(super) fn rules(shard: &Shard, groups: &Groups) -> Findings {
    let mut findings = Findings::default();
    for rule in shard.rules() {
        let found = match rule.effect {
            Effect::Allow => permission(shard, rule, groups).or_else(|| shadowed(shard, rule, groups)),
            Effect::Deny => shadowed(shard, rule, groups),
        };
        findings.0.extend(found);
    }
    findings
}

/// A permission that cannot mean what it says.
fn permission(shard: &Shard, rule: &Rule, groups: &Groups) -> Option<Finding> {
    let error = |code, what, fix| Some(Finding::error(code, &shard.file, rule.line, what, fix));
    let form = rule.form?;
    if let Some(field) = rule.field.as_ref().and_then(|name| shard.dataset.field(name.as_str())) {
        let name = &field.name;
        let Some(terms) = field.sharing.forms.get(&form) else {
            let what = format!("the catalogue does not list `{form}` for `{name}`");
            return error("form-not-listed", what, "name a form that its owner allows");
        };
        if let Some(purpose) = rule.purpose.as_ref().filter(|p| !terms.serves(p)) {
            let what = format!("`{name}` may not be `{form}` for purpose `{purpose}`");
            return error("form-not-for-purpose", what, "name a form that its owner allows for the purpose");
        }
        if field.sharing.class != Class::Unconditional {
            let what = format!("`{name}` is {}: a rule gives nothing of it", field.sharing.class.as_str());
            return error(
                "needs-grant",
                what,
                "remove the rule; whoever needs the field applies for a grant",
            );
        }
    }
    let touched: Vec<&Field> = reach(&shard.dataset, rule).map(|(field, _)| field).collect();
    if touched.is_empty() {
        let what = format!("no field is shared unconditionally as `{form}`: the rule gives nothing");
        return error("gives-nothing", what, "remove the rule");
    }
    let level = touched.iter().map(|field| field.sharing.level).max().unwrap_or(Level::Public);
    if form == Form::Plain && level >= Level::Sensitive && groups.is_everybody(&rule.who) {
        let what = format!("a {} field is given in plain to everybody", level.as_str());
        return error(
            "sensitive-plain-to-everyone",
            what,
            "name the departments that need it, or a lesser form",
        );
    }
    None
}

/// The fields and purposes in which a permission can have an effect.
fn reach<'a>(dataset: &'a Dataset, rule: &'a Rule) -> impl Iterator<Item = (&'a Field, &'a PurposeId)> {
    let fields = dataset
        .fields
        .iter()
        .filter(|field| field.sharing.class == Class::Unconditional)
        .filter(|field| rule.field.as_ref().is_none_or(|name| *name == field.name));
    fields.flat_map(move |field| {
        let terms = rule.form.and_then(|form| field.sharing.forms.get(&form));
        let purposes =
            dataset.entry.purposes.iter().filter(|p| rule.purpose.as_ref().is_none_or(|of| of == *p));
        purposes.filter(move |p| terms.is_some_and(|terms| terms.serves(p))).map(move |p| (field, p))
    })
}

/// A rule that another one, as broad or broader, leaves nothing to do.
fn shadowed(shard: &Shard, rule: &Rule, groups: &Groups) -> Option<Finding> {
    let names = names_above(groups, &rule.who);
    let other = shard
        .about(&names, rule.purpose.as_ref(), rule.field.as_ref())
        .filter(|other| other.id != rule.id)
        .find(|other| overrules(&shard.dataset, other, rule))?;
    let what =
        format!("`{}` never decides anything: `{}` on line {} comes first", rule.id, other.id, other.line);
    let fix = match (other.effect, rule.effect) {
        (Effect::Deny, Effect::Allow) => "a denial beats every permission: remove one of the two",
        (Effect::Allow, _) => "the least revealing form wins: remove one of the two",
        (Effect::Deny, Effect::Deny) => "remove it",
    };
    Some(Finding::warning("unreachable-rule", &shard.file, rule.line, what, fix))
}

/// Does `other`, which is as broad as `rule` or broader, always decide in its place?
fn overrules(dataset: &Dataset, other: &Rule, rule: &Rule) -> bool {
    let twins = other.is_twin(rule);
    match (other.effect, rule.effect) {
        // `*` denies from the bottom of the ladder. Of two that say the same, the later goes.
        (Effect::Deny, Effect::Deny) if twins => other.line < rule.line,
        (Effect::Deny, _) => other.form <= rule.form,
        (Effect::Allow, Effect::Deny) => false,
        (Effect::Allow, Effect::Allow) if other.form == rule.form => !twins || other.line < rule.line,
        (Effect::Allow, Effect::Allow) => {
            // A lesser form wins wherever the catalogue lists it.
            let listed = |(field, purpose): (&Field, &PurposeId)| {
                let terms = other.form.and_then(|form| field.sharing.forms.get(&form));
                terms.is_some_and(|terms| terms.serves(purpose))
            };
            other.form < rule.form && reach(dataset, rule).all(listed)
        }
    }
}

fn names_above(groups: &Groups, who: &str) -> Vec<Who> {
    match groups.above(who) {
        [] => vec![EVERYBODY.into()],
        names => names.to_vec(),
    }
}

/// What only shows when everything is seen together.
pub(super) fn across(
    shards: &BTreeMap<DatasetId, Arc<Shard>>,
    grants: &[Arc<Grant>],
    catalogue: &Catalogue,
    registry: &Registry,
    groups: &Groups,
    sources: &Sources,
    findings: &mut Findings,
) {
    let mut granted: BTreeMap<&DatasetId, Vec<&Grant>> = BTreeMap::new();
    for grant in grants {
        granted.entry(&grant.dataset).or_default().push(grant);
    }
    for dataset in catalogue.datasets.values() {
        let shard = shards.get(dataset.id()).map(Arc::as_ref);
        let granted = granted.get(dataset.id()).map(Vec::as_slice).unwrap_or_default();
        unused_purposes(dataset, shard, granted, findings);
        masks_beside_age(dataset, shard, granted, groups, findings);
        for grant in granted {
            findings.0.extend(shard.into_iter().flat_map(|shard| denied_grant(grant, shard, groups)));
        }
    }
    duties(registry, sources.file(SYSTEMS).unwrap_or_default(), findings);
}

fn unused_purposes(dataset: &Dataset, shard: Option<&Shard>, granted: &[&Grant], findings: &mut Findings) {
    for purpose in &dataset.entry.purposes {
        let used = shard.is_some_and(|shard| shard.purposes.contains(purpose))
            || granted.iter().any(|grant| grant.purpose == *purpose);
        if !used {
            let what = format!("nobody may ask `{}` for purpose `{purpose}`", dataset.id());
            let fix = format!("add a rule to {RULES}{}.csv or a grant, or drop the purpose", dataset.id());
            findings.push(Finding::warning("purpose-nobody-may-use", &dataset.file, 0, what, fix));
        }
    }
}

/// A field of a grant that no system can have, because a rule denies it to all.
fn denied_grant<'a>(
    grant: &'a Grant,
    shard: &'a Shard,
    groups: &'a Groups,
) -> impl Iterator<Item = Finding> + 'a {
    grant.fields.iter().filter_map(move |given| {
        let denial = |names: &[Who]| {
            let mut about = shard.about(names, Some(&grant.purpose), Some(&given.field));
            about
                .find(|rule| rule.effect == Effect::Deny && rule.form <= Some(given.form))
                .map(|rule| rule.id.clone())
        };
        let all: Option<Vec<_>> = grant.systems.iter().map(|s| denial(groups.above(s.as_str()))).collect();
        let by = all?.into_iter().next()?;
        let what = format!("`{}` gives `{}` as {}, which `{by}` denies", grant.id, given.field, given.form);
        let fix = "a denial beats every grant: remove one of the two";
        Some(Finding::warning("unreachable-grant", GRANTS, grant.line, what, fix))
    })
}

/// One field given to somebody: by a rule or by a grant.
struct Given<'a> {
    who: Vec<&'a str>,
    purposes: &'a [PurposeId],
    form: Form,
    file: &'a str,
    line: usize,
}

/// A masked ID number shows region and sex; beside an age it nearly names the person (law.md).
fn masks_beside_age(
    dataset: &Dataset,
    shard: Option<&Shard>,
    granted: &[&Grant],
    groups: &Groups,
    findings: &mut Findings,
) {
    let masked = |f: &&Field| {
        f.identifier == Some(IdentifierKind::ResidentId) && f.sharing.forms.contains_key(&Form::Mask)
    };
    for number in dataset.fields.iter().filter(masked) {
        for age in dataset.fields.iter().filter(|field| tells_age(field)) {
            let ages: Vec<Given<'_>> =
                given(dataset, age, shard, granted).filter(|given| given.form >= Form::Band).collect();
            for mask in given(dataset, number, shard, granted).filter(|given| given.form == Form::Mask) {
                if ages.iter().any(|age| meet(&mask, age, groups)) {
                    let what =
                        format!("`{}` is masked beside `{}` for the same recipient", number.name, age.name);
                    let fix = "together they nearly name the person: give one of them, or a pseudonym";
                    findings.push(Finding::warning("mask-beside-age", mask.file, mask.line, what, fix));
                }
            }
        }
    }
}

fn tells_age(field: &Field) -> bool {
    let by_age = field.sharing.forms.values().any(|terms| matches!(terms.by, Some(BandBy::Age(_))));
    by_age || field.name.as_str().split('_').any(|word| matches!(word, "birth" | "birthday" | "age"))
}

fn given<'a>(
    dataset: &'a Dataset,
    field: &'a Field,
    shard: Option<&'a Shard>,
    granted: &'a [&'a Grant],
) -> impl Iterator<Item = Given<'a>> {
    let by_rule = shard.into_iter().flat_map(move |shard| {
        let about = shard.rules().iter().filter(|rule| rule.effect == Effect::Allow);
        let about = about.filter(|rule| reach(dataset, rule).any(|(reached, _)| reached.name == field.name));
        about.filter_map(|rule| {
            let purposes =
                rule.purpose.as_ref().map_or(dataset.entry.purposes.as_slice(), std::slice::from_ref);
            Some(Given {
                who: vec![&*rule.who],
                purposes,
                form: rule.form?,
                file: &shard.file,
                line: rule.line,
            })
        })
    });
    let by_grant = granted.iter().flat_map(move |grant| {
        let fields = grant.fields.iter().filter(|given| given.field == field.name);
        fields.map(|given| Given {
            who: grant.systems.iter().map(|system| system.as_str()).collect(),
            purposes: std::slice::from_ref(&grant.purpose),
            form: given.form,
            file: GRANTS,
            line: grant.line,
        })
    });
    by_rule.chain(by_grant)
}

/// Do both reach one recipient for one purpose?
fn meet(one: &Given<'_>, other: &Given<'_>, groups: &Groups) -> bool {
    let above =
        |a: &str, b: &str| a == b || a == EVERYBODY || groups.above(b).iter().any(|name| &**name == a);
    one.purposes.iter().any(|purpose| other.purposes.contains(purpose))
        && one.who.iter().any(|a| other.who.iter().any(|b| above(a, b) || above(b, a)))
}

fn duties(registry: &Registry, text: &str, findings: &mut Findings) {
    for system in registry.systems() {
        let held: BTreeSet<Role> = system.roles.iter().copied().collect();
        for (one, other) in EXCLUSIVE.iter().filter(|(one, other)| held.contains(one) && held.contains(other))
        {
            let line = text.find(&format!("\"{}\"", system.id)).map_or(0, |at| line_at(text, at));
            let what = format!("`{}` is both {} and {}", system.id, one.as_str(), other.as_str());
            let fix = "these duties are separate: give them to two systems";
            findings.push(Finding::error("exclusive-roles", SYSTEMS, line, what, fix));
        }
    }
}

impl Policy {
    /// What time has done to the policies: grants that are out of force at `now`.
    pub fn worn(&self, now: Timestamp) -> Findings {
        let ended = self.authored.iter().filter(|grant| grant.until <= now).map(|grant| {
            let what = format!("`{}` has ended", grant.id);
            Finding::warning("grant-ended", GRANTS, grant.line, what, "remove it, or apply for its renewal")
        });
        Findings(ended.collect())
    }
}
