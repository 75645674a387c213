//! Disclosure forms: from a provider's record to what the recipient may learn of it.
//!
//! Invariant: the output holds exactly the planned fields, each in exactly its planned form; a
//! value that a form cannot treat is the provider's error, and never falls through to a form
//! that reveals more. Pure: nothing here decides who gets what, and nothing here does I/O.

mod band;
mod counting;
mod mask;
mod predicate;
mod pseudonym;

#[cfg(test)]
mod ladder;

use std::cell::OnceCell;

use serde_json::{Map, Value};
use time::Date;

pub use counting::CountingKey;
pub use pseudonym::PseudonymKey;

use crate::base::ids::{DatasetId, DepartmentId, PurposeId};
use crate::base::{Code, Error, Result};
use crate::catalogue::{Field, Form, FormTerms, Predicate};
use pseudonym::RecipientKey;

/// One field of an answer and the form that it takes there.
#[derive(Debug, Clone, Copy)]
pub struct Disclosure<'a> {
    /// The field, with the owner's terms for each form.
    pub field: &'a Field,
    /// The form decided upon.
    pub form: Form,
    /// The comparison decided upon; `Some` if and only if the form is `predicate`.
    pub predicate: Option<&'a Predicate>,
}

/// Who receives an answer, and why: what a pseudonym is bound to.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The department that asks.
    pub department: &'a DepartmentId,
    /// What it asks for.
    pub purpose: &'a PurposeId,
}

/// What the forms of one answer have in common.
#[derive(Debug)]
pub struct Context<'a> {
    dataset: &'a DatasetId,
    recipient: Recipient<'a>,
    key: &'a PseudonymKey,
    /// Derived once there is a pseudonym to make: most answers have none.
    recipient_key: OnceCell<RecipientKey>,
    today: Date,
}

impl<'a> Context<'a> {
    /// For one answer from `dataset` to `recipient`. `today`, in Asia/Shanghai, is what ages are
    /// counted to. Keeps the recipient's pseudonym key, so make one per answer, not per record.
    pub fn new(dataset: &'a DatasetId, recipient: Recipient<'a>, key: &'a PseudonymKey, today: Date) -> Self {
        Self { dataset, recipient, key, recipient_key: OnceCell::new(), today }
    }

    fn recipient_key(&self) -> &RecipientKey {
        self.recipient_key.get_or_init(|| self.key.for_recipient(self.recipient))
    }
}

/// Must the provider be asked for the value of a field that takes this form?
///
/// `exists` says only that there is a record, which the provider's answer shows without it.
pub fn needs_value(form: Form) -> bool {
    form != Form::Exists
}

/// The `data` of one subject's result: the planned fields, in the order of the plan.
///
/// `record` must have passed the dataset's schema. A field that it lacks, or holds as null, is
/// null in every form but `exists`; whatever it holds beyond the plan is not looked at.
///
/// # Errors
/// `ProviderInvalid` for a value that its form cannot treat; `Internal` for a plan that goes
/// beyond the catalogue. Either way nothing of the record is given.
pub fn disclose(
    plan: &[Disclosure<'_>],
    record: &Map<String, Value>,
    context: &Context<'_>,
) -> Result<Map<String, Value>> {
    plan.iter()
        .map(|item| {
            let name = item.field.name.as_str();
            let value = record.get(name).unwrap_or(&Value::Null);
            let shown = show(item, value, context)
                .map_err(|code| Error::new(code).because(format!("field {name} as {}", item.form)))?;
            Ok((name.to_owned(), shown))
        })
        .collect()
}

fn show(item: &Disclosure<'_>, value: &Value, context: &Context<'_>) -> Result<Value, Code> {
    let terms = terms(item, context)?;
    match item.form {
        Form::Exists => Ok(Value::Bool(true)),
        _ if value.is_null() => Ok(Value::Null),
        Form::Predicate => {
            let predicate = item.predicate.ok_or(Code::Internal)?;
            predicate::holds(predicate, value).map(Value::Bool)
        }
        Form::Band => {
            let by = terms.by.as_ref().ok_or(Code::Internal)?;
            band::of(by, value, context.today).map(Value::String)
        }
        Form::Mask => {
            let kind = terms.mask.ok_or(Code::Internal)?;
            mask::of(kind, value).map(Value::String)
        }
        Form::Pseudonym => {
            let key = context.recipient_key();
            key.token(context.dataset, item.field, value, context.today).map(Value::String)
        }
        Form::Plain => Ok(value.clone()),
    }
}

/// The owner's terms for the planned form. The decision has looked at them already; a plan that
/// goes beyond them is a fault of ours, and a second look costs less than a value too many.
fn terms<'a>(item: &Disclosure<'a>, context: &Context<'_>) -> Result<&'a FormTerms, Code> {
    let terms = item.field.sharing.forms.get(&item.form);
    terms.filter(|terms| terms.serves(context.recipient.purpose)).ok_or(Code::Internal)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::ops::Deref;
    use std::sync::Arc;

    use serde_json::json;
    use time::macros::date;

    use super::*;
    use crate::base::{Secret, Sources};
    use crate::catalogue::{Catalogue, Dataset, IdentifierKind};

    pub(crate) const TODAY: Date = date!(2026 - 11 - 22);

    /// A field, read by the catalogue's own loader; the dataset it stands in serves two purposes.
    pub(crate) struct TestField(Arc<Dataset>);

    impl Deref for TestField {
        type Target = Field;

        fn deref(&self) -> &Field {
            &self.0.fields[0]
        }
    }

    /// A field with these `forms`, as a schema would have them.
    pub(crate) fn field(name: &str, identifier: Option<IdentifierKind>, forms: Value) -> TestField {
        let text = json!({"zh": "例", "en": "example"});
        let mut property = json!({"title": "例", "x-title-en": "example",
            "x-sharing": {"class": "conditional", "level": "internal", "forms": forms}});
        if let Some(kind) = identifier {
            property["x-identifier"] = json!(kind);
        }
        let schema = json!({
            "x-dataset": {"code": "civil.example", "provider": "civil", "title": text, "summary": text,
                "update_cycle": "daily", "mode": "service", "conditions": text,
                "subject": {"member": "id_number", "identifier": "resident-id"},
                "purposes": ["housing-aid.review", "another"]},
            "type": "object", "properties": { name: property }});
        let title = "title = { zh = '例', en = 'example' }";
        let purpose = |id| format!("[[purpose]]\nid = '{id}'\n{title}\nbasis = 'a law'\n");
        let (catalogue, _) = Catalogue::load(&Sources(BTreeMap::from([
            ("schemas/departments.toml".into(), format!("[[department]]\nid = 'civil'\n{title}\n")),
            ("schemas/purposes.toml".into(), [purpose("housing-aid.review"), purpose("another")].concat()),
            ("schemas/civil.example.json".into(), schema.to_string()),
        ])))
        .unwrap();
        TestField(catalogue.datasets.into_values().next().unwrap())
    }

    /// What `department` learns for `purpose` when the plan is applied to `record`.
    pub(crate) fn answer(
        plan: &[Disclosure<'_>],
        record: Value,
        department: &str,
        purpose: &str,
    ) -> Result<Value> {
        let key = PseudonymKey::new(&Secret::new([7; 32]));
        let dataset = DatasetId::parse("civil.subsistence").unwrap();
        let (department, purpose) =
            (DepartmentId::parse(department).unwrap(), PurposeId::parse(purpose).unwrap());
        let recipient = Recipient { department: &department, purpose: &purpose };
        let context = Context::new(&dataset, recipient, &key, TODAY);
        disclose(plan, record.as_object().unwrap(), &context).map(Value::Object)
    }

    fn housing(plan: &[Disclosure<'_>], record: Value) -> Result<Value> {
        answer(plan, record, "housing", "housing-aid.review")
    }

    fn as_form(field: &Field, form: Form) -> Disclosure<'_> {
        let predicate = field.sharing.forms.get(&Form::Predicate).and_then(|terms| terms.compare.first());
        Disclosure { field, form, predicate: predicate.filter(|_| form == Form::Predicate) }
    }

    #[test]
    fn an_answer_holds_the_planned_fields_in_the_order_of_the_plan_and_nothing_else() {
        let income = field(
            "monthly_income",
            None,
            json!({"predicate": {"compare": [{"op": "<", "value": 3000}]},
                   "band": {"by": {"edges": [0, 2000, 4000]}}, "exists": {}}),
        );
        let name = field("name", None, json!({"mask": {"mask": "name"}}));
        let status = field("status", None, json!({"plain": {}}));
        let record =
            json!({"status": "receiving", "name": "王小明", "monthly_income": 2800, "bank_card": "6222"});

        let plan =
            [as_form(&income, Form::Predicate), as_form(&status, Form::Plain), as_form(&name, Form::Mask)];
        assert_eq!(
            housing(&plan, record.clone()).unwrap().to_string(),
            r#"{"monthly_income":true,"status":"receiving","name":"王*明"}"#
        );
        let coarser = [as_form(&income, Form::Band)];
        assert_eq!(housing(&coarser, record.clone()).unwrap(), json!({"monthly_income": "2000-3999"}));
        let least = [as_form(&income, Form::Exists)];
        assert_eq!(housing(&least, record).unwrap(), json!({"monthly_income": true}));
    }

    #[test]
    fn what_a_record_lacks_or_holds_as_null_is_null_but_still_exists() {
        let forms = json!({"exists": {}, "predicate": {"compare": [{"op": "=", "value": "a"}]}, "pseudonym": {},
                           "band": {"by": {"prefix": 1}}, "mask": {"mask": "text"}, "plain": {}});
        let field = field("f", None, forms);
        for record in [json!({}), json!({"f": null})] {
            for form in Form::LADDER {
                let expected = if form == Form::Exists { json!(true) } else { Value::Null };
                let answer = housing(&[as_form(&field, form)], record.clone()).unwrap();
                assert_eq!(answer, json!({"f": expected}), "{form}");
            }
        }
    }

    #[test]
    fn a_value_that_a_form_cannot_treat_is_the_providers_error_and_is_not_named() {
        let forms = json!({"predicate": {"compare": [{"op": "<", "value": 1}]}, "pseudonym": {},
                           "band": {"by": {"edges": [0]}}, "mask": {"mask": "resident-id"}});
        let field = field("f", None, forms);
        for form in [Form::Predicate, Form::Band, Form::Mask, Form::Pseudonym] {
            let error = housing(&[as_form(&field, form)], json!({"f": ["canary"]})).unwrap_err();
            assert_eq!(error.code, Code::ProviderInvalid, "{form}");
            assert!(!format!("{error:?}").contains("canary"));
        }
    }

    #[test]
    fn a_plan_beyond_the_owners_terms_discloses_nothing() {
        let field = field("f", None, json!({"plain": {"purposes": ["another"]}}));
        for form in Form::LADDER {
            let error = housing(&[as_form(&field, form)], json!({"f": "x"})).unwrap_err();
            assert_eq!(error.code, Code::Internal, "{form}");
        }
    }

    #[test]
    fn only_exists_needs_no_value() {
        let without: Vec<_> = Form::LADDER.into_iter().filter(|form| !needs_value(*form)).collect();
        assert_eq!(without, [Form::Exists]);
    }
}
