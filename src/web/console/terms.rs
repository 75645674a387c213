//! Terms as people read them: each field with its level, the form asked for, why, and what an answer
//! would look like in that form.

use serde_json::Value;
use time::Date;

use super::example::{Examples, text};
use super::form::number;
use super::messages::Messages;
use super::visible::visible;
use crate::app::world::World;
use crate::approval::Terms;
use crate::base::Lang;
use crate::base::ids::DepartmentId;
use crate::catalogue::{Field, Form, FormTerms, Predicate};

/// Terms, ready to be shown.
pub struct Shown {
    /// They themselves, their texts as people may read them.
    pub terms: Terms,
    /// Their fields.
    pub fields: Vec<FieldShown>,
    /// Every member as a form's input, by its pointer behind `/terms`: to send them as they are, or less.
    pub inputs: Vec<(String, String)>,
}

/// One field of terms.
pub struct FieldShown {
    /// Its name.
    pub field: String,
    /// Its title.
    pub title: String,
    /// Its level; empty where the catalogue of today does not have it.
    pub level: &'static str,
    /// The form asked for.
    pub form: &'static str,
    /// The comparisons, as they are written.
    pub compare: Vec<String>,
    /// Why.
    pub reason: String,
    /// A made-up answer in that form.
    pub example: Option<String>,
    /// Less revealing forms that the owner allows for the purpose, from the least.
    pub less: Vec<Lesser>,
}

/// A form that reveals less, as a choice.
pub struct Lesser {
    /// What the choice sends: the form, and the comparison behind a space.
    pub value: String,
    /// The form.
    pub form: &'static str,
    /// The comparison, as it is written.
    pub compare: Option<String>,
    /// A made-up answer in that form.
    pub example: Option<String>,
}

impl Shown {
    /// Of terms as the interface has them; none where they cannot be read.
    pub fn of(value: &Value, requester: &str, world: &World, today: Date, lang: Lang) -> Option<Self> {
        let mut terms: Terms = serde_json::from_value(value.clone()).ok()?;
        let texts = [&mut terms.basis, &mut terms.scenario, &mut terms.scope].into_iter();
        let reasons = terms.fields.iter_mut().map(|field| &mut field.reason);
        texts.chain(reasons).chain(&mut terms.toxic_reason).for_each(|text| *text = visible(text));
        let department = DepartmentId::parse(requester)?;
        let dataset = world.catalogue.datasets.get(&terms.dataset);
        let fields = terms.fields.iter().map(|asked| {
            let field = dataset.and_then(|dataset| dataset.field(asked.field.as_str()));
            let examples = dataset.map(|dataset| Examples {
                dataset,
                department: &department,
                purpose: &terms.purpose,
                today,
                m: Messages::new(lang),
            });
            FieldShown {
                field: asked.field.to_string(),
                title: field.map_or_else(|| asked.field.to_string(), |f| f.title.lang(lang).to_owned()),
                level: field.map_or("", |field| field.sharing.level.as_str()),
                form: asked.form.as_str(),
                compare: asked.compare.iter().map(written).collect(),
                reason: asked.reason.clone(),
                example: field.zip(examples.as_ref()).and_then(|(field, e)| e.of(field, asked)),
                less: match (field, &examples) {
                    (Some(field), Some(examples)) => {
                        let below = choices(field, examples);
                        below
                            .into_iter()
                            .filter(|(form, _)| *form < asked.form)
                            .map(|(_, choice)| choice)
                            .collect()
                    }
                    _ => Vec::new(),
                },
            }
        });
        Some(Self { fields: fields.collect(), inputs: inputs(value), terms })
    }
}

/// The forms that a field may take for the examples' purpose, from the least revealing; each comparison
/// is a choice of its own.
pub fn choices(field: &Field, examples: &Examples<'_>) -> Vec<(Form, Lesser)> {
    let serving = field.sharing.forms.iter().filter(|(_, terms)| terms.serves(examples.purpose));
    serving.flat_map(|(form, terms)| each(*form, terms, field, examples)).collect()
}

fn each(form: Form, terms: &FormTerms, field: &Field, examples: &Examples<'_>) -> Vec<(Form, Lesser)> {
    let choice = |compare: Option<&Predicate>| {
        let sent = compare.and_then(|compare| serde_json::to_string(compare).ok());
        let lesser = Lesser {
            value: sent.map_or_else(|| form.as_str().to_owned(), |sent| format!("{form} {sent}")),
            form: form.as_str(),
            compare: compare.map(written),
            example: examples.shown(field, form, compare),
        };
        (form, lesser)
    };
    match form {
        Form::Predicate => terms.compare.iter().map(|compare| choice(Some(compare))).collect(),
        _ => vec![choice(None)],
    }
}

/// A comparison, as it is written: `< 3000`.
fn written(predicate: &Predicate) -> String {
    format!("{} {}", predicate.op.as_str(), text(&predicate.value))
}

/// What a member of terms is where it is not text, by its pointer.
pub fn typed(name: &str, value: &str) -> Option<Value> {
    let last = name.rsplit('/').next().unwrap_or_default();
    match last {
        "version" | "days" | "per_day" | "distinct_per_day" => number(value),
        _ if name.contains("/compare/") => serde_json::from_str(value).ok(),
        _ => None,
    }
}

/// Every member as an input.
pub fn inputs(terms: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    leaves("/terms", terms, &mut found);
    found
}

fn leaves(at: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        // A comparison goes as it is.
        Value::Object(_) if at.contains("/compare/") => found.push((at.to_owned(), value.to_string())),
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| leaves(&format!("{at}/{name}"), value, found))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| leaves(&format!("{at}/{i}"), value, found))
        }
        leaf => found.push((at.to_owned(), text(leaf))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::super::form::Form;
    use super::*;

    #[test]
    fn terms_come_back_from_a_form_as_they_went_into_it() {
        let terms = json!({
            "dataset": "civil.subsistence", "per_day": 200, "until": "2027-01-01", "systems": ["a", "b"],
            "fields": [
                { "field": "x", "form": "predicate", "compare": [{ "op": "<", "value": 3000 }], "reason": "r" },
                { "field": "y", "form": "band", "reason": "a\nb" },
            ],
        });
        let mut form = Form::default();
        inputs(&terms).into_iter().for_each(|(name, value)| form.set(name, value));
        assert_eq!(form.body(typed).value, json!({ "terms": terms }));
    }
}
