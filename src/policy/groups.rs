//! Whom a rule may speak of: a system, a department `dep:…`, a group `group:…`, or everybody `*`.
//!
//! Invariant: a system belongs to its department by `systems.toml` alone, so that the two cannot
//! disagree; `groups.csv` adds what is above. Nesting is bounded and has no circles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::csv::rows;
use crate::base::{Finding, Findings, Sources};
use crate::catalogue::Catalogue;
use crate::identity::Registry;
use crate::identity::load::SYSTEMS;

/// Where groups are authored.
pub const GROUPS: &str = "policies/groups.csv";

/// How deep groups nest at most; casbin's role manager follows ten steps and no more.
const MAX_DEPTH: usize = 8;

/// One name that a rule may be for.
pub(super) type Who = Arc<str>;

/// The name for everybody.
pub(super) const EVERYBODY: &str = "*";

/// Who belongs to whom.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// What each name belongs to directly: what casbin is given.
    parents: BTreeMap<Who, Vec<Who>>,
    /// For every name: itself, all that it belongs to, and everybody.
    above: BTreeMap<Who, Vec<Who>>,
    systems: Vec<Who>,
}

impl Groups {
    /// Derives systems' departments from the registry and reads the rest.
    pub fn load(
        sources: &Sources,
        catalogue: &Catalogue,
        registry: &Registry,
        findings: &mut Findings,
    ) -> Self {
        let mut groups = Groups::default();
        let mut names: BTreeSet<Who> =
            catalogue.departments.keys().map(|d| Who::from(format!("dep:{d}"))).collect();
        for system in registry.systems() {
            let id = Who::from(system.id.as_str());
            let department = Who::from(format!("dep:{}", system.department));
            if !names.contains(&department) {
                let line = line_naming(sources.file(SYSTEMS).unwrap_or_default(), &id);
                let what =
                    format!("system `{id}` is of department `{}`, which is unknown", system.department);
                let fix = "add the department to schemas/departments.toml, or correct the name";
                findings.push(Finding::error("unknown-department", SYSTEMS, line, what, fix));
            }
            groups.parents.insert(Arc::clone(&id), vec![department]);
            groups.systems.push(id);
        }
        names.extend(groups.systems.iter().cloned());
        groups.read(sources.file(GROUPS).unwrap_or_default(), &mut names, findings);
        for name in names {
            let above = groups.climb(&name);
            // `*` closes a climb that came to its end.
            if above.last().is_none_or(|top| &**top != EVERYBODY) {
                let what = format!("groups nest deeper than {MAX_DEPTH} above `{name}`");
                findings.push(Finding::error("group-depth", GROUPS, 0, what, "flatten them"));
            }
            groups.above.insert(name, above);
        }
        groups
    }

    fn read(&mut self, text: &str, names: &mut BTreeSet<Who>, findings: &mut Findings) {
        let lines: Vec<_> = rows(text).collect();
        // A group exists by having a member: all groups first, then who is in them.
        let named =
            lines.iter().filter_map(|(_, row)| row.get(2)).filter(|group| group.starts_with("group:"));
        names.extend(named.map(|group| Who::from(*group)));
        for (line, row) in lines {
            let mut error =
                |code, what: String, fix| findings.push(Finding::error(code, GROUPS, line, what, fix));
            let &["g", member, group] = row.as_slice() else {
                error(
                    "csv-syntax",
                    "not `g, member, group`".into(),
                    "write `g, dep:civil, group:livelihood`, say",
                );
                continue;
            };
            if !group.starts_with("group:") {
                error("group-name", format!("`{group}` is no group"), "name groups `group:…`");
            } else if !names.contains(member) {
                error(
                    "unknown-member",
                    format!("`{member}` is no system, department or group"),
                    "correct the name",
                );
            } else if self.climb(group).iter().any(|above| &**above == member) {
                error(
                    "group-circle",
                    format!("`{group}` already belongs to `{member}`"),
                    "remove one of the two",
                );
            } else {
                let parents = self.parents.entry(member.into()).or_default();
                if !parents.iter().any(|known| **known == *group) {
                    parents.push(group.into());
                }
            }
        }
    }

    /// Itself, level by level all that it belongs to, and, if that came to an end, everybody.
    fn climb(&self, name: &str) -> Vec<Who> {
        let mut above = vec![Who::from(name)];
        let mut done = 0;
        for _ in 0..=MAX_DEPTH {
            let level = above.len();
            for at in done..level {
                let parents = above.get(at).and_then(|below| self.parents.get(below));
                for parent in parents.into_iter().flatten() {
                    if !above.contains(parent) {
                        above.push(Arc::clone(parent));
                    }
                }
            }
            done = level;
        }
        if done == above.len() {
            above.push(EVERYBODY.into());
        }
        above
    }

    /// Member and group of every membership.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parents.iter().flat_map(|(member, groups)| groups.iter().map(|g| (&**member, &**g)))
    }

    /// Every name under which a rule can speak of `who`; empty for one that nobody knows.
    pub fn above(&self, who: &str) -> &[Who] {
        self.above.get(who).map(Vec::as_slice).unwrap_or_default()
    }

    /// May a rule speak of `who`?
    pub fn knows(&self, who: &str) -> bool {
        who == EVERYBODY || self.above.contains_key(who)
    }

    /// Does a rule for `who` reach every system there is?
    pub fn is_everybody(&self, who: &str) -> bool {
        who == EVERYBODY
            || self.systems.len() > 1
                && self.systems.iter().all(|s| self.above(s).iter().any(|a| &**a == who))
    }
}

/// The line of the TOML table whose `id` is `id`.
fn line_naming(text: &str, id: &str) -> usize {
    let wanted = format!("\"{id}\"");
    text.lines().position(|l| l.trim_start().starts_with("id") && l.contains(&wanted)).map_or(0, |at| at + 1)
}
