//! A value that a field might have, made up: to show what a form leaves of it.
//!
//! Invariant: it holds to the field's schema and comes from nothing but the schema and this file, so
//! it is nobody's. A field for which nothing can be made up has none.

use jsonschema::Validator;
use serde_json::{Value as Json, json};

use super::identifier::IdentifierKind;

/// Makes a value up; the first that the schema accepts.
pub(super) fn of(property: &Json, identifier: Option<IdentifierKind>, schema: &Validator) -> Option<Json> {
    let title = property.get("title").and_then(Json::as_str).unwrap_or_default();
    let listed = |member: &str| property.get(member).and_then(Json::as_array).into_iter().flatten().cloned();
    let mut values: Vec<Json> = listed("examples").chain(listed("enum")).collect();
    values.extend(identifier.map(|kind| json!(identifier_of(kind))));
    values.extend([json!(words(title)), json!("1958-03-12"), json!("110105"), json!("A1"), json!(true)]);
    values.extend(number(property));
    values.into_iter().find(|value| !value.is_null() && schema.is_valid(value))
}

/// Words that fit what the field is called.
fn words(title: &str) -> &'static str {
    let named = |words: &[&str]| words.iter().any(|word| title.contains(word));
    match title {
        _ if named(&["址", "坐落"]) => "示例区平安路 8 号",
        _ if named(&["单位", "机构", "企业", "名称"]) => "示例物业服务有限公司",
        _ => "张小明",
    }
}

/// Numbers that the standards themselves show, or that were never given to anybody.
fn identifier_of(kind: IdentifierKind) -> &'static str {
    match kind {
        IdentifierKind::ResidentId => "11010519491231002X",
        IdentifierKind::SocialCreditCode => "91350100M000100Y43",
        IdentifierKind::Mobile => "13800000000",
        IdentifierKind::BankCard => "6200000000000000005",
    }
}

/// A number well within what is allowed: 2,450, say, for an amount of money.
fn number(property: &Json) -> Option<Json> {
    let bound = |member: &str| property.get(member).and_then(Json::as_i64);
    let (least, most) = (bound("minimum").unwrap_or(0), bound("maximum").unwrap_or(i64::MAX));
    // Of small numbers a third, so that it is not always the largest.
    let usual = if most < 2450 { least + (most - least) / 3 } else { 2450 };
    Some(json!(usual.clamp(least, most.max(least))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn example(property: Json, identifier: Option<IdentifierKind>) -> Option<Json> {
        of(&property, identifier, &jsonschema::draft202012::new(&property).unwrap())
    }

    #[test]
    fn a_value_is_made_up_that_the_schema_accepts() {
        for (property, expected) in [
            (json!({ "type": "string", "enum": ["receiving", "ended"] }), json!("receiving")),
            (json!({ "type": "integer", "minimum": 0, "maximum": 1_000_000 }), json!(2450)),
            (json!({ "type": "integer", "minimum": 1, "maximum": 20 }), json!(7)),
            (json!({ "type": ["boolean", "null"] }), json!(true)),
            (json!({ "type": "string", "pattern": "^[0-9]{6}$" }), json!("110105")),
            (json!({ "type": "string", "examples": ["深圳"] }), json!("深圳")),
        ] {
            assert_eq!(example(property, None), Some(expected));
        }
        assert_eq!(example(json!({ "type": "string", "pattern": "^[a-f]{40}$" }), None), None);
    }
}
