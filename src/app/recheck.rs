//! What was decided, looked at once more before it is answered.
//!
//! Invariant: a provider may take its time, and a grant may be stopped meanwhile: what no longer
//! stands when the provider has answered is refused, and that is recorded. The query holds
//! `Gateway::answering` from this look until its record is in the log, so that what is taken back
//! meanwhile comes after it.

use std::sync::Arc;

use super::gateway::Gateway;
use super::world::World;
use crate::base::ids::{FieldName, RuleId};
use crate::base::{Code, FieldRefusal};
use crate::catalogue::{Ask, Form, Predicate};
use crate::identity::System;
use crate::policy::{FieldVerdict, Grant};

/// A field that is given, and how.
pub(super) struct Given {
    pub name: FieldName,
    pub form: Form,
    pub predicate: Option<Predicate>,
    pub rule: RuleId,
    pub grant: Option<Arc<Grant>>,
}

impl Given {
    /// The same as the decision says it.
    pub fn verdict(&self) -> FieldVerdict {
        FieldVerdict::Given {
            name: self.name.clone(),
            form: self.form,
            predicate: self.predicate.clone(),
            rule: self.rule.clone(),
            grant: self.grant.clone(),
        }
    }

    fn is(&self, verdict: &FieldVerdict) -> bool {
        matches!(verdict, FieldVerdict::Given { name, form, predicate, rule, .. }
            if (name, form, predicate, rule) == (&self.name, &self.form, &self.predicate, &self.rule))
    }

    /// Was given, and no longer is: for the reason that the rules have now, so that who asked is told the
    /// same as who asks next. A grant that gave it has ended, whatever the rules say.
    fn refused_by(&self, newest: &[FieldVerdict]) -> FieldRefusal {
        let refused = newest.iter().find_map(|verdict| match verdict {
            FieldVerdict::Refused(refusal) if refusal.field == self.name => Some(refusal.clone()),
            _ => None,
        });
        refused.filter(|_| self.grant.is_none()).unwrap_or_else(|| self.withdrawn())
    }

    /// Was given, and no longer is.
    fn withdrawn(&self) -> FieldRefusal {
        let code = if self.grant.is_some() { Code::GrantNotValid } else { Code::NoRule };
        let (field, rule) = (self.name.clone(), Some(self.rule.clone()));
        FieldRefusal { field, code, rule, permitted: None, apply: None }
    }
}

/// The fields of `given`, decided under `world`, that would not be given so any more.
pub(super) fn withdrawn(
    gateway: &Gateway,
    world: &Arc<World>,
    system: &System,
    ask: &Ask,
    given: &[Given],
) -> Vec<FieldRefusal> {
    let (newest, now) = (gateway.world(), gateway.now());
    if let Err(code) = newest.suspended.check(system, Some(&ask.operator)) {
        return given.iter().map(|given| FieldRefusal { code, ..given.withdrawn() }).collect();
    }
    let lapsed = |given: &Given| given.grant.as_ref().is_some_and(|grant| !grant.in_force(now));
    if Arc::ptr_eq(&newest.policy, &world.policy) && !given.iter().any(lapsed) {
        return Vec::new();
    }
    let verdict = newest.policy.decide(system, ask, now);
    let gone = given.iter().filter(|given| !verdict.fields.iter().any(|field| given.is(field)));
    gone.map(|given| given.refused_by(&verdict.fields)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_the_rules_take_back_is_refused_for_the_reason_that_they_have_now() {
        let given = Given {
            name: FieldName::parse("status").unwrap(),
            form: Form::LADDER[0],
            predicate: None,
            rule: RuleId::parse("CS-001").unwrap(),
            grant: None,
        };
        let denied = FieldRefusal { code: Code::DeniedByRule, ..given.withdrawn() };
        assert_eq!(given.refused_by(&[FieldVerdict::Refused(denied.clone())]), denied);
        let other = FieldRefusal { field: FieldName::parse("income").unwrap(), ..denied };
        assert_eq!(given.refused_by(&[FieldVerdict::Refused(other)]).code, Code::NoRule);
    }
}
