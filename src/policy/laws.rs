//! What must hold under any model, tried on a model before it is used.
//!
//! Invariant: these are the sentences of the decision that no policy file may change. They do not
//! replace the model: they keep an edited one from meaning something else unnoticed.

use super::judge::{Judges, Question, Ruling};
use crate::catalogue::{Class, Form};

/// Tries every law on the model of `judges`.
///
/// # Errors
/// The first law that does not hold.
pub(super) fn hold(judges: &Judges) -> Result<(), String> {
    for law in LAWS {
        let question = Question { class: law.class, owner: law.owner, ..PROBE };
        let rules = law.rules.iter().map(|rule| rule.split(' ').map(str::to_owned).collect()).collect();
        let ruling = judges.hear(question, rules, |hearing| hearing.ruling(law.form))?;
        if matches!(ruling, Ruling::Allowed(_)) != law.allowed {
            return Err(format!("the model does not hold that {}", law.says));
        }
    }
    Ok(())
}

/// One thing that must hold.
struct Law {
    says: &'static str,
    class: Class,
    owner: bool,
    rules: &'static [&'static str],
    form: Form,
    allowed: bool,
}

/// What the laws are tried with.
pub(super) const PROBE: Question<'static> = Question {
    system: "probe",
    dataset: "probe.data",
    field: "f",
    class: Class::Unconditional,
    owner: false,
    purpose: "why",
};

const PLAIN_BY_RULE: &str = "probe probe.data f why plain allow R1 rule";
const PLAIN_BY_GRANT: &str = "probe probe.data f why plain allow grant:G1 grant";

#[rustfmt::skip]
const LAWS: &[Law] = &[
    Law { says: "a rule gives an unconditional field", class: Class::Unconditional, owner: false, rules: &[PLAIN_BY_RULE], form: Form::Plain, allowed: true },
    Law { says: "a rule gives its form and no other", class: Class::Unconditional, owner: false, rules: &[PLAIN_BY_RULE], form: Form::Mask, allowed: false },
    Law { says: "a rule is for those it names", class: Class::Unconditional, owner: false, rules: &["other probe.data f why plain allow R1 rule"], form: Form::Plain, allowed: false },
    Law { says: "a rule is about its dataset", class: Class::Unconditional, owner: false, rules: &["probe other.data f why plain allow R1 rule"], form: Form::Plain, allowed: false },
    Law { says: "a rule is about its field", class: Class::Unconditional, owner: false, rules: &["probe probe.data other why plain allow R1 rule"], form: Form::Plain, allowed: false },
    Law { says: "a rule is for its purpose", class: Class::Unconditional, owner: false, rules: &["probe probe.data f other plain allow R1 rule"], form: Form::Plain, allowed: false },
    Law { says: "a conditional field needs a grant", class: Class::Conditional, owner: false, rules: &[PLAIN_BY_RULE], form: Form::Plain, allowed: false },
    Law { says: "a grant gives a conditional field", class: Class::Conditional, owner: false, rules: &[PLAIN_BY_GRANT], form: Form::Plain, allowed: true },
    Law { says: "a withheld value is never plain outside its owner", class: Class::Withheld, owner: false, rules: &[PLAIN_BY_RULE, PLAIN_BY_GRANT], form: Form::Plain, allowed: false },
    Law { says: "a denial beats a permission", class: Class::Unconditional, owner: false, rules: &[PLAIN_BY_RULE, "* probe.data * * plain deny R2 rule"], form: Form::Plain, allowed: false },
    Law { says: "a denial beats a grant", class: Class::Conditional, owner: false, rules: &[PLAIN_BY_GRANT, "probe probe.data f why plain deny R2 rule"], form: Form::Plain, allowed: false },
    Law { says: "a denial reaches every form that reveals more", class: Class::Unconditional, owner: false, rules: &[PLAIN_BY_RULE, "probe probe.data f why band deny R2 rule"], form: Form::Plain, allowed: false },
];
