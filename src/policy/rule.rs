//! The rules of one dataset: a file of `policies/rules/`, parsed and ready to be looked up.
//!
//! Invariant: sorted by exactly whom, why and what a rule speaks of. A look-up finds all rules
//! that can apply and perhaps some that do not; whether one applies is for casbin to say, so the
//! order here is about speed and never about the answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::csv::rows;
use super::groups::{EVERYBODY, Groups, Who};
use crate::base::ids::{FieldName, PurposeId, RuleId};
use crate::base::{Finding, Findings};
use crate::catalogue::{Dataset, Form};

/// The folder of the rule files, `<dataset>.csv` each.
pub(super) const RULES: &str = "policies/rules/";

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    Allow,
    Deny,
}

impl Effect {
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        }
    }
}

/// One line of a rule file; `None` is `*`.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub who: Who,
    pub purpose: Option<PurposeId>,
    pub field: Option<FieldName>,
    pub effect: Effect,
    pub form: Option<Form>,
    pub id: RuleId,
    pub line: usize,
}

/// Whom, why, what: by this the rules are sorted.
type Scope<'a> = (&'a str, Option<&'a PurposeId>, Option<&'a FieldName>);

impl Rule {
    fn scope(&self) -> Scope<'_> {
        (&self.who, self.purpose.as_ref(), self.field.as_ref())
    }

    /// Does `other` say the very same?
    pub fn is_twin(&self, other: &Rule) -> bool {
        self.scope() == other.scope() && (self.effect, self.form) == (other.effect, other.form)
    }
}

/// All rules of one dataset.
#[derive(Debug)]
pub(super) struct Shard {
    /// The file.
    pub file: String,
    /// What the rules are about.
    pub dataset: Arc<Dataset>,
    /// Of the text, and of what else it was checked against.
    pub digest: String,
    /// Sorted by scope, then permissions before denials, then by form and line.
    rules: Vec<Rule>,
    /// The purposes that some permission serves.
    pub purposes: BTreeSet<PurposeId>,
    /// What the check of these rules found.
    pub findings: Findings,
}

impl Shard {
    /// Parses the rules of `dataset`. What is wrong with a line is among the findings, and the
    /// line is left out.
    pub fn parse(file: &str, digest: String, text: &str, dataset: Arc<Dataset>, groups: &Groups) -> Self {
        let mut parser =
            Parser { file, dataset: &dataset, groups, findings: Findings::default(), ids: BTreeSet::new() };
        let mut rules: Vec<Rule> = rows(text).filter_map(|(line, row)| parser.rule(line, &row)).collect();
        let findings = parser.findings;
        rules.sort_by(|a, b| {
            (a.scope(), a.effect, a.form, a.line).cmp(&(b.scope(), b.effect, b.form, b.line))
        });
        rules.shrink_to_fit();
        let purposes = rules
            .iter()
            .filter(|rule| rule.effect == Effect::Allow)
            .flat_map(|rule| match &rule.purpose {
                Some(purpose) => std::slice::from_ref(purpose),
                None => dataset.entry.purposes.as_slice(),
            })
            .cloned()
            .collect();
        Shard { file: file.to_owned(), dataset, digest, rules, purposes, findings }
    }

    /// All rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Every rule that can apply to a field for a purpose and anybody of `names`.
    ///
    /// `None` asks for rules that speak of all fields, or of all purposes, and of nothing less.
    pub fn about<'a>(
        &'a self,
        names: &'a [Who],
        purpose: Option<&'a PurposeId>,
        field: Option<&'a FieldName>,
    ) -> impl Iterator<Item = &'a Rule> {
        let purposes = [None, purpose].into_iter().skip(usize::from(purpose.is_none()));
        let fields = [None, field].into_iter().skip(usize::from(field.is_none()));
        names.iter().flat_map(move |name| {
            let fields = fields.clone();
            purposes.clone().flat_map(move |purpose| {
                fields.clone().flat_map(move |field| self.exactly((name, purpose, field)))
            })
        })
    }

    fn exactly(&self, scope: Scope<'_>) -> &[Rule] {
        let from = self.rules.partition_point(|rule| rule.scope() < scope);
        let rest = self.rules.get(from..).unwrap_or_default();
        let count = rest.partition_point(|rule| rule.scope() == scope);
        rest.get(..count).unwrap_or_default()
    }
}

/// One file on its way to becoming a shard.
struct Parser<'a> {
    file: &'a str,
    dataset: &'a Dataset,
    groups: &'a Groups,
    findings: Findings,
    ids: BTreeSet<RuleId>,
}

impl Parser<'_> {
    fn rule(&mut self, line: usize, row: &[&str]) -> Option<Rule> {
        let &["p", who, dataset, field, purpose, form, effect, id] = row else {
            let fix = "write `p, who, dataset, field, purpose, form, allow|deny, rule id`";
            return self.error(line, "csv-syntax", "not a rule of eight values".into(), fix);
        };
        if dataset != self.dataset.id().as_str() {
            let what = format!("a rule about `{dataset}` in the file of `{}`", self.dataset.id());
            return self.error(line, "foreign-dataset", what, "move it to the file of that dataset");
        }
        if !self.groups.knows(who) {
            let code = match who.split_once(':') {
                Some(("dep", _)) => "unknown-department",
                Some(("group", _)) => "unknown-group",
                _ => "unknown-system",
            };
            let what = format!("nobody is called `{who}`");
            return self.error(line, code, what, "name a system, `dep:…`, `group:…` or `*`");
        }
        let field = match field {
            "*" => None,
            name => match self.dataset.field(name) {
                Some(field) => Some(field.name.clone()),
                None => {
                    let what = format!("`{}` has no field `{name}`", self.dataset.id());
                    return self.error(line, "unknown-field", what, "name a field of its schema, or `*`");
                }
            },
        };
        let purpose = match purpose {
            "*" => None,
            name => match self.dataset.entry.purposes.iter().find(|p| p.as_str() == name) {
                Some(purpose) => Some(purpose.clone()),
                None => {
                    let what = format!("`{}` does not serve purpose `{name}`", self.dataset.id());
                    return self.error(
                        line,
                        "unknown-purpose",
                        what,
                        "name one of its `x-dataset.purposes`, or `*`",
                    );
                }
            },
        };
        let effect = match effect {
            "allow" => Effect::Allow,
            "deny" => Effect::Deny,
            other => {
                let what = format!("`{other}` is neither `allow` nor `deny`");
                return self.error(line, "unknown-effect", what, "write one of the two");
            }
        };
        let form = match (form, effect) {
            ("*", Effect::Deny) => None,
            ("*", Effect::Allow) => {
                let what = "a permission for every form would give the least of them".into();
                return self.error(line, "form-missing", what, "name the form that is meant");
            }
            (name, _) => match Form::parse(name) {
                Some(form) => Some(form),
                None => {
                    let what = format!("there is no form `{name}`");
                    let fix = "name one of exists, predicate, band, mask, pseudonym, plain";
                    return self.error(line, "unknown-form", what, fix);
                }
            },
        };
        // `grant:…` is how grants are named where a rule may be, so no rule is called that.
        let id = match RuleId::parse(id).filter(|id| !id.as_str().starts_with("grant:")) {
            Some(id) => id,
            None => {
                return self.error(
                    line,
                    "rule-id",
                    format!("`{id}` cannot name a rule"),
                    "write `CS-010`, say",
                );
            }
        };
        if !self.ids.insert(id.clone()) {
            let what = format!("two rules of this file are called `{id}`");
            return self.error(
                line,
                "rule-id-twice",
                what,
                "give each its own id: refusals and records name it",
            );
        }
        let who = self.groups.above(who).first().map_or_else(|| EVERYBODY.into(), Arc::clone);
        Some(Rule { who, purpose, field, effect, form, id, line })
    }

    fn error(&mut self, line: usize, code: &'static str, what: String, fix: &str) -> Option<Rule> {
        self.findings.push(Finding::error(code, self.file, line, what, fix));
        None
    }
}
