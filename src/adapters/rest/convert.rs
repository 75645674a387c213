//! Values of old interfaces made into what the catalogue says.
//!
//! Invariant: a value that is not clearly of the type wanted is refused, never guessed.

use std::borrow::Cow;

use serde_json::{Number, Value as Json};

use crate::config::adapter::{FieldType, RestField};

/// The value of a mapped field: null for a missing or empty one, `None` for one that is refused.
pub fn value(field: &RestField, found: Option<&Json>) -> Option<Json> {
    let found = match found {
        None | Some(Json::Null) => return Some(Json::Null),
        Some(found) => found,
    };
    if field.map.is_none() && field.kind.is_none() {
        return Some(found.clone());
    }
    let text = text(found)?;
    let text = text.trim();
    if text.is_empty() {
        return Some(Json::Null);
    }
    let text = match &field.map {
        Some(map) => map.get(text)?,
        None => text,
    };
    match field.kind.unwrap_or(FieldType::String) {
        FieldType::String => Some(text.into()),
        FieldType::Integer => integer(text),
        FieldType::Number => number(text),
        FieldType::Boolean => boolean(text),
        FieldType::Date8 => date(text),
    }
}

/// The text of a scalar.
pub fn text(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::String(text) => Some(text.into()),
        Json::Number(number) => Some(number.to_string().into()),
        Json::Bool(truth) => Some(if *truth { "true" } else { "false" }.into()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Whole numbers, also with a fraction of nothing but zeros.
fn integer(text: &str) -> Option<Json> {
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    whole.parse::<i64>().ok().map(Json::from)
}

fn number(text: &str) -> Option<Json> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    if let Some(integer) = integer(text) {
        return Some(integer);
    }
    plain.then(|| text.parse().ok()).flatten().and_then(Number::from_f64).map(Json::from)
}

fn boolean(text: &str) -> Option<Json> {
    match text {
        "1" | "Y" | "true" => Some(true.into()),
        "0" | "N" | "false" => Some(false.into()),
        _ => None,
    }
}

/// `YYYYMMDD`, and it must be a day.
fn date(text: &str) -> Option<Json> {
    let format = time::macros::format_description!("[year][month][day]");
    let day = time::Date::parse(text, format).ok()?;
    Some(format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day()).into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(kind: Option<FieldType>, map: &[(&str, &str)]) -> RestField {
        let map = map.iter().map(|(from, to)| ((*from).into(), (*to).into())).collect();
        RestField {
            pointer: String::new(),
            kind,
            map: Some(map).filter(|map: &std::collections::BTreeMap<_, _>| !map.is_empty()),
        }
    }

    #[test]
    fn values_become_their_type_or_are_refused() {
        use FieldType::{Boolean, Date8, Integer, Number, String};
        for (kind, from, to) in [
            (Integer, json!("2800"), Some(json!(2800))),
            (Integer, json!("2800.00"), Some(json!(2800))),
            (Integer, json!(2800), Some(json!(2800))),
            (Integer, json!("-3"), Some(json!(-3))),
            (Integer, json!("2800.50"), None),
            (Integer, json!("2,800"), None),
            (Integer, json!("2800."), None),
            (Integer, json!("99999999999999999999"), None),
            (Number, json!("2800.50"), Some(json!(2800.5))),
            (Number, json!(" 2800 "), Some(json!(2800))),
            (Number, json!("inf"), None),
            (Number, json!("1e5"), None),
            (Boolean, json!("1"), Some(json!(true))),
            (Boolean, json!(0), Some(json!(false))),
            (Boolean, json!(true), Some(json!(true))),
            (Boolean, json!("2"), None),
            (Date8, json!("20260131"), Some(json!("2026-01-31"))),
            (Date8, json!(20260131), Some(json!("2026-01-31"))),
            (Date8, json!("20260230"), None),
            (Date8, json!("2026-01-31"), None),
            (String, json!(" 张三 "), Some(json!("张三"))),
            (String, json!(7), Some(json!("7"))),
            (String, json!(["x"]), None),
            (String, json!("  "), Some(json!(null))),
            (Integer, json!(null), Some(json!(null))),
        ] {
            assert_eq!(value(&field(Some(kind), &[]), Some(&from)), to, "{kind:?} {from}");
        }
    }

    #[test]
    fn codes_are_translated_and_an_unknown_code_is_refused() {
        let owner = field(None, &[("1", "owner"), ("2", "tenant")]);
        assert_eq!(value(&owner, Some(&json!("1"))), Some(json!("owner")));
        assert_eq!(value(&owner, Some(&json!(2))), Some(json!("tenant")));
        assert_eq!(value(&owner, Some(&json!("9"))), None);
        assert_eq!(value(&owner, None), Some(Json::Null));
    }

    #[test]
    fn without_a_type_a_value_stays_as_it_is() {
        assert_eq!(value(&field(None, &[]), Some(&json!([1, " x "]))), Some(json!([1, " x "])));
    }
}
