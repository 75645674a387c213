//! casbin, and nobody else: whether a form of a field is allowed by a set of rules.
//!
//! Invariant: no rule is applied outside `policies/model.conf`. The rest of the room only chooses
//! which rules could apply, so that casbin need not try ten thousand, and reads its answer. A
//! model that breaks one of the `laws` is not used at all.
//!
//! An enforcer weighs as much as some thousand rules, so there are a few of them, not one for each
//! dataset: whoever needs a decision that was never met before takes a free one, gives it the
//! rules that could apply, asks, and leaves.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use casbin::function_map::OperatorFunction;
use casbin::rhai::Dynamic;
use casbin::{CoreApi, DefaultModel, Enforcer, EventData, Logger, Model};
use futures_util::FutureExt;

use super::grant::Grant;
use super::laws;
use super::rule::{Effect, Rule};
use crate::base::ids::{DatasetId, FieldName, PurposeId, SystemId};
use crate::catalogue::{Class, Form};

/// More than the cores of the machines this runs on would wait for each other seldom; a free one
/// costs memory.
const JUDGES: usize = 4;

/// What a matcher may call.
const FUNCTIONS: [&str; 2] = ["g", "reveals_as_much"];
/// The longest matcher, in bytes, and the most brackets and negations in it: casbin goes one step deeper
/// into itself at each.
const LONGEST: usize = 2_048;
const DEEPEST: usize = 64;

const DENY_WINS: &str = "some(where (p_eft == allow)) && !some(where (p_eft == deny))";
const REQUEST: [&str; 7] = ["r_system", "r_dataset", "r_field", "r_class", "r_owner", "r_purpose", "r_form"];
const POLICY: [&str; 8] =
    ["p_who", "p_dataset", "p_field", "p_purpose", "p_form", "p_eft", "p_rule", "p_via"];

/// What casbin is asked about, but for the form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub system: &'a str,
    pub dataset: &'a str,
    pub field: &'a str,
    pub class: Class,
    /// Does the system belong to the department that provides the dataset?
    pub owner: bool,
    pub purpose: &'a str,
}

/// A rule as casbin takes it: `who, dataset, field, purpose, form, allow|deny, rule, rule|grant`.
pub(super) type Line = Vec<String>;

/// A rule of a file as casbin takes it.
pub(super) fn rule_line(dataset: &DatasetId, rule: &Rule) -> Line {
    let star = |text: Option<&str>| text.unwrap_or("*").to_owned();
    vec![
        rule.who.to_string(),
        dataset.to_string(),
        star(rule.field.as_ref().map(FieldName::as_str)),
        star(rule.purpose.as_ref().map(PurposeId::as_str)),
        star(rule.form.map(Form::as_str)),
        rule.effect.as_str().to_owned(),
        rule.id.to_string(),
        "rule".to_owned(),
    ]
}

/// What a grant gives one system of one field, as casbin takes it.
pub(super) fn grant_lines<'a>(
    grant: &'a Grant,
    system: &'a SystemId,
    field: &'a FieldName,
) -> impl Iterator<Item = Line> {
    grant.fields.iter().filter(move |given| given.field == *field).map(move |given| {
        [
            system.as_str(),
            grant.dataset.as_str(),
            given.field.as_str(),
            grant.purpose.as_str(),
            given.form.as_str(),
            Effect::Allow.as_str(),
            grant.rule.as_str(),
            "grant",
        ]
        .map(str::to_owned)
        .to_vec()
    })
}

/// What casbin says about one form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// Allowed, by these rules in the order they were given.
    Allowed(Vec<String>),
    /// A rule denies it; `but_for` it, another would have allowed it.
    Denied { by: String, but_for: bool },
    /// No rule applies.
    Silent,
}

/// The enforcers of one snapshot.
pub(super) struct Judges {
    /// Whom one waits for when all are at work.
    chair: Mutex<Enforcer>,
    others: Vec<Mutex<Enforcer>>,
}

impl Judges {
    /// Enforcers under `model`, which know who belongs to whom.
    ///
    /// # Errors
    /// What is wrong with the model.
    pub fn new<'a>(model: &str, groups: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut first = enforcer(model)?;
        hold_shape(&first)?;
        let edges = groups.map(|(member, group)| vec![member.to_owned(), group.to_owned()]).collect();
        if !first.get_mut_model().add_policies("g", "g", edges) {
            return Err("casbin did not take the groups".into());
        }
        first.build_role_links().map_err(|e| e.to_string())?;
        let links = first.get_role_manager();
        let mut judges = Judges { chair: Mutex::new(first), others: Vec::new() };
        laws::hold(&judges)?;
        while judges.others.len() < JUDGES - 1 {
            let mut next = enforcer(model)?;
            // They share one graph; without this, taking it over would empty it.
            next.enable_auto_build_role_links(false);
            next.set_role_manager(std::sync::Arc::clone(&links)).map_err(|e| e.to_string())?;
            judges.others.push(Mutex::new(next));
        }
        Ok(judges)
    }

    /// Hears one question under `rules`: the answer for every form that `ask` asks about.
    pub fn hear<T>(
        &self,
        question: Question<'_>,
        rules: Vec<Line>,
        ask: impl FnOnce(&Hearing<'_>) -> T,
    ) -> T {
        let mut enforcer = self.free();
        let silent = rules.is_empty();
        if let Some(policy) =
            enforcer.get_mut_model().get_mut_model().get_mut("p").and_then(|p| p.get_mut("p"))
        {
            policy.policy.clear();
            policy.policy.extend(rules);
        }
        ask(&Hearing { enforcer: &enforcer, question, silent })
    }

    fn free(&self) -> MutexGuard<'_, Enforcer> {
        for judge in std::iter::once(&self.chair).chain(&self.others) {
            match judge.try_lock() {
                Ok(free) => return free,
                // Whoever panicked left rules behind, which the next hearing replaces.
                Err(TryLockError::Poisoned(left)) => return left.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        // All are at work, each for some microseconds.
        self.chair.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One question before one enforcer.
pub(super) struct Hearing<'a> {
    enforcer: &'a Enforcer,
    question: Question<'a>,
    /// No rule was given. casbin would then match the request against blanks: it is not asked.
    silent: bool,
}

impl Hearing<'_> {
    /// What casbin says about `form`.
    ///
    /// # Errors
    /// casbin could not evaluate its matcher: nothing is allowed then.
    pub fn ruling(&self, form: Form) -> Result<Ruling, String> {
        if self.silent {
            return Ok(Ruling::Silent);
        }
        let q = self.question;
        let owner = if q.owner { "owner" } else { "other" };
        let request = vec![q.system, q.dataset, q.field, q.class.as_str(), owner, q.purpose, form.as_str()];
        let (allowed, rules) = self.enforcer.enforce_ex(request).map_err(|e| e.to_string())?;
        let applied = |rule: &Line| Some((rule.get(5)? == "deny", rule.get(6)?.clone()));
        let mut applied: Vec<_> = rules.iter().filter_map(applied).collect();
        if allowed {
            return Ok(Ruling::Allowed(applied.into_iter().map(|(_, id)| id).collect()));
        }
        // casbin stops at the first denial, so what it names before that are permissions.
        Ok(match applied.pop() {
            Some((true, by)) => Ruling::Denied { by, but_for: !applied.is_empty() },
            _ => Ruling::Silent,
        })
    }
}

/// Which of `asked` the model allows by `rules`: for questions as simple as a role and an action.
pub(super) fn allowed_pairs<'a>(
    model: &str,
    rules: Vec<Line>,
    asked: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<bool>, String> {
    let mut enforcer = enforcer(model)?;
    if effect(&enforcer) != "some(where (p_eft == allow))" {
        return Err("its effect is not `some(where (p.eft == allow))`".into());
    }
    if let Some(policy) = enforcer.get_mut_model().get_mut_model().get_mut("p").and_then(|p| p.get_mut("p")) {
        policy.policy.extend(rules);
    }
    asked
        .map(|(a, b)| enforcer.enforce_ex(vec![a, b]).map(|(allowed, _)| allowed).map_err(|e| e.to_string()))
        .collect()
}

fn enforcer(model: &str) -> Result<Enforcer, String> {
    const NEVER: &str = "casbin waited for something while loading from memory";
    // casbin's constructors are async for adapters that read files; from memory they never wait,
    // so no runtime is needed and none is in the way.
    let model = DefaultModel::from_str(model).now_or_never().ok_or(NEVER)?.map_err(|e| e.to_string())?;
    let matchers = model.get_model().get("m").into_iter().flat_map(|all| all.values());
    if !matchers.into_iter().all(|matcher| only_compares(&matcher.value)) {
        return Err("its matcher does more than compare".into());
    }
    let mut enforcer = Enforcer::new(model, ()).now_or_never().ok_or(NEVER)?.map_err(|e| e.to_string())?;
    enforcer.add_function("reveals_as_much", OperatorFunction::Arg2(reveals_as_much));
    // The default one owns a thread, for logs that say who asked for what.
    enforcer.set_logger(Box::new(Silence));
    if !enforcer.is_enabled() {
        return Err("the enforcer is switched off".into());
    }
    Ok(enforcer)
}

/// Does a matcher only compare? casbin takes it for an expression of a whole language, without bounds: its
/// `eval` would run what a rule says, and it need never come to an end.
fn only_compares(matcher: &str) -> bool {
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_known = |c: char| in_word(c) || "\"=!&|(), \t".contains(c);
    let mut before_brackets =
        matcher.split('(').map(|before| before.trim_end().rsplit(|c| !in_word(c)).next());
    // Behind the last bracket there is none.
    before_brackets.next_back();
    matcher.len() <= LONGEST
        && matcher.matches(['(', '!']).count() <= DEEPEST
        && matcher.replace("\"*\"", "").chars().all(is_known)
        && before_brackets.flatten().all(|name| name.is_empty() || FUNCTIONS.contains(&name))
}

/// Does the first form reveal as much as the second, or more? A name that is no form reveals
/// everything, so a denial always reaches it.
fn reveals_as_much(asked: Dynamic, denied: Dynamic) -> Dynamic {
    let form = |name: Dynamic| name.into_immutable_string().ok().and_then(|name| Form::parse(&name));
    match (form(asked), form(denied)) {
        (Some(asked), Some(denied)) => (asked >= denied).into(),
        _ => true.into(),
    }
}

/// Checks what casbin would panic about, or answer by position.
fn hold_shape(enforcer: &Enforcer) -> Result<(), String> {
    if effect(enforcer) != DENY_WINS {
        return Err("its effect is not that a denial beats every permission".into());
    }
    let tokens = |section: &str| {
        let assertion = enforcer.get_model().get_model().get(section).and_then(|s| s.get(section));
        assertion.map(|a| a.tokens.clone()).unwrap_or_default()
    };
    if tokens("r") != REQUEST || tokens("p") != POLICY {
        return Err("its request or policy does not have the members that decisions are made of".into());
    }
    Ok(())
}

fn effect(enforcer: &Enforcer) -> &str {
    let model = enforcer.get_model().get_model();
    model.get("e").and_then(|e| e.get("e")).map(|e| e.value.as_str()).unwrap_or_default()
}

/// A logger that says nothing: what is decided is recorded by the audit log, and only there.
struct Silence;

impl Logger for Silence {
    fn enable_log(&mut self, _: bool) {}
    fn is_enabled(&self) -> bool {
        false
    }
    fn print_enforce_log(&self, _: Vec<String>, _: bool, _: bool) {}
    fn print_mgmt_log(&self, _: &EventData) {}
    fn print_explain_log(&self, _: Vec<String>) {}
    fn print_status_log(&self, _: bool) {}
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::laws::PROBE;
    use super::*;

    const MODEL: &str = include_str!("../../policies/model.conf");
    const ROLES: &str = include_str!("../../policies/roles.conf");

    fn fault(model: &str) -> String {
        Judges::new(model, std::iter::empty()).err().unwrap_or_default()
    }

    #[test]
    fn the_model_that_is_checked_in_holds_every_law() {
        assert_eq!(fault(MODEL), "");
    }

    #[test]
    fn a_model_that_breaks_a_law_is_not_used() {
        for (from, to, says) in [
            ("r.class != \"withheld\"", "true", "never plain outside its owner"),
            ("r.class == \"unconditional\" || ", "true || ", "needs a grant"),
            ("p.form == r.form", "true", "no other"),
            ("p.purpose == r.purpose", "true", "for its purpose"),
            ("p.field == r.field", "true", "about its field"),
            ("r.dataset == p.dataset", "true", "about its dataset"),
            ("g(r.system, p.who)", "true", "those it names"),
            ("reveals_as_much(r.form, p.form)", "r.form == p.form", "reveals more"),
            ("p.eft == \"deny\" &&", "false &&", "beats a permission"),
            (" && !some(where (p.eft == deny))", "", "beats every permission"),
            ("r = system, dataset", "r = dataset, system", "does not have the members"),
            ("&& \\", "&& ( \\", "matcher"),
        ] {
            let broken = MODEL.replacen(from, to, 1);
            assert_ne!(broken, MODEL, "{from}");
            let fault = fault(&broken);
            assert!(fault.contains(says), "{from}: {fault:?}");
        }
        assert_ne!(fault(""), "", "no model at all");
    }

    #[test]
    fn a_model_that_does_more_than_compare_is_not_even_compiled() {
        let deep = "(".repeat(20_000);
        for more in ["eval(p.who)", "eval(\"loop {}\")", "eval (p.who)", "p.who.len() > 1", &deep, "!!!!"] {
            let more = if more.starts_with('!') { "!".repeat(20_000) } else { more.to_owned() };
            let model = MODEL.replacen("r.dataset == p.dataset", &format!("{more} || true"), 1);
            assert_eq!(fault(&model), "its matcher does more than compare", "{:.20}", more);
            let roles = format!("{ROLES}\nm2 = {more}");
            let told = allowed_pairs(&roles, Vec::new(), std::iter::empty());
            assert_eq!(told, Err("its matcher does more than compare".into()), "{:.20}", more);
        }
    }

    #[test]
    fn all_judges_know_who_belongs_to_whom_and_one_busy_judge_holds_nobody_up() {
        let judges = Judges::new(MODEL, [("probe", "dep:a"), ("dep:a", "group:b")].into_iter()).unwrap();
        let rule = "group:b probe.data f why plain allow R1 rule";
        let rules = || vec![rule.split(' ').map(str::to_owned).collect()];
        judges.hear(PROBE, rules(), |one| {
            judges.hear(PROBE, rules(), |two| {
                judges.hear(PROBE, rules(), |three| {
                    judges.hear(PROBE, rules(), |four| {
                        for hearing in [one, two, three, four] {
                            assert_eq!(hearing.ruling(Form::Plain), Ok(Ruling::Allowed(vec!["R1".into()])));
                        }
                    });
                });
            });
        });
    }
}
