//! What somebody would learn of a made-up person: a field's value in a form, for who decides about it.
//!
//! Invariant: nothing here is anybody's. The values are made up, the key of the pseudonyms is nobody's,
//! and the form is made by the same code that makes real answers.

use serde_json::{Value, json};
use time::Date;

use super::messages::Messages;
use crate::approval::terms::FieldTerms;
use crate::base::Secret;
use crate::base::ids::{DepartmentId, PurposeId};
use crate::catalogue::{Dataset, Field, Form, IdentifierKind, Predicate};
use crate::privacy::{self, Disclosure, PseudonymKey, Recipient};

/// What is made up for whom: the same for every field of one application.
pub struct Examples<'a> {
    /// The dataset.
    pub dataset: &'a Dataset,
    /// The department that asks.
    pub department: &'a DepartmentId,
    /// What for.
    pub purpose: &'a PurposeId,
    /// Today: what ages are counted to.
    pub today: Date,
    /// The words for yes and no.
    pub m: Messages,
}

impl Examples<'_> {
    /// What would be answered for a field as it is asked for; none where no value comes to mind.
    pub fn of(&self, field: &Field, asked: &FieldTerms) -> Option<String> {
        self.shown(field, asked.form, asked.compare.first())
    }

    /// What would be answered for a field in a form.
    pub fn shown(&self, field: &Field, form: Form, compare: Option<&Predicate>) -> Option<String> {
        let value = value(field)?;
        let key = PseudonymKey::new(&Secret::new([0; 32]));
        let recipient = Recipient { department: self.department, purpose: self.purpose };
        let context = privacy::Context::new(self.dataset.id(), recipient, &key, self.today);
        let predicate = compare.filter(|_| form == Form::Predicate);
        let plan = [Disclosure { field, form, predicate }];
        let record = json!({ field.name.as_str(): value });
        let told = privacy::disclose(&plan, record.as_object()?, &context).ok()?;
        told.get(field.name.as_str()).map(|value| match value {
            Value::Bool(true) => self.m.t("base.yes").to_owned(),
            Value::Bool(false) => self.m.t("base.no").to_owned(),
            other => text(other),
        })
    }
}

/// A made-up value that the field's schema accepts.
fn value(field: &Field) -> Option<Value> {
    let of_standard = match field.identifier {
        Some(IdentifierKind::ResidentId) => "11010519491231002X",
        Some(IdentifierKind::SocialCreditCode) => "91350100M000100Y43",
        Some(IdentifierKind::Mobile) => "13800138000",
        Some(IdentifierKind::BankCard) => "6222020200112230123",
        None => "",
    };
    let title = field.title.zh.as_str();
    let named = |words: &[&str]| words.iter().any(|word| title.contains(word));
    let words = match title {
        _ if named(&["址", "坐落"]) => "示例区平安路 8 号",
        _ if named(&["单位", "机构", "企业", "名称"]) => "示例物业服务有限公司",
        _ => "张小明",
    };
    let made_up = [
        json!(of_standard),
        json!(2600),
        json!(3),
        json!(true),
        json!(words),
        json!("1958-03-12"),
        json!("110105"),
        json!("110105001001"),
        json!("A1"),
    ];
    let mut candidates = field.choices.iter().chain(&made_up).filter(|value| !value.is_null());
    candidates.find(|value| field.accepts(Some(value))).cloned()
}

/// A value as people read it.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::path::Path;

    use time::macros::date;

    use super::*;
    use crate::app::{apply, world};

    #[test]
    fn every_field_of_the_catalogue_has_an_example_in_every_form_it_may_take() {
        let sources = apply::read_sources(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let checked = world::check(&sources).unwrap();
        let department = DepartmentId::parse("housing").unwrap();
        let mut without = Vec::new();
        for dataset in checked.catalogue.datasets.values() {
            for field in &dataset.fields {
                for (form, terms) in &field.sharing.forms {
                    let purpose = terms.purposes.first().unwrap_or(&dataset.entry.purposes[0]);
                    let today = date!(2026 - 11 - 22);
                    let m = Messages::new(crate::base::Lang::En);
                    let examples = Examples { dataset, department: &department, purpose, today, m };
                    if examples.shown(field, *form, terms.compare.first()).is_none() {
                        without.push(format!("{}.{} as {form}", dataset.id(), field.name));
                    }
                }
            }
        }
        assert_eq!(without, [""; 0]);
    }
}
