//! `predicate`: the answer of a comparison with a constant.
//!
//! Invariant: gives one bit. The constant comes from the owner or the grant and is compared only
//! with a value of its own type; this module must not choose or convert it.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::base::Code;
use crate::catalogue::{Op, Predicate};

/// Does the comparison hold for `value`?
///
/// Numbers compare as numbers, strings by code point, so that dates as ISO 8601 has them compare
/// by time; booleans are only equal or not.
///
/// # Errors
/// `ProviderInvalid` when the value cannot be compared with the constant.
pub(super) fn holds(predicate: &Predicate, value: &Value) -> Result<bool, Code> {
    let ordering = match (value, &predicate.value) {
        (Value::Number(value), Value::Number(constant)) => compare(value, constant),
        (Value::String(value), Value::String(constant)) => Some(value.cmp(constant)),
        (Value::Bool(value), Value::Bool(constant)) if matches!(predicate.op, Op::Eq | Op::Ne) => {
            Some(value.cmp(constant))
        }
        _ => None,
    };
    let ordering = ordering.ok_or(Code::ProviderInvalid)?;
    Ok(match predicate.op {
        Op::Eq => ordering.is_eq(),
        Op::Ne => ordering.is_ne(),
        Op::Lt => ordering.is_lt(),
        Op::Le => ordering.is_le(),
        Op::Gt => ordering.is_gt(),
        Op::Ge => ordering.is_ge(),
    })
}

/// Whole numbers exactly, others as 64-bit floats: `3000` and `3000.0` are one number in JSON.
fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(value: Value, op: Op, constant: Value) -> Result<bool, Code> {
        holds(&Predicate { op, value: constant }, &value)
    }

    #[test]
    fn numbers_compare_as_numbers() {
        for (value, below, equal) in
            [(json!(2999), true, false), (json!(3000), false, true), (json!(3001), false, false)]
        {
            assert_eq!(ask(value.clone(), Op::Lt, json!(3000)), Ok(below));
            assert_eq!(ask(value.clone(), Op::Ge, json!(3000)), Ok(!below));
            assert_eq!(ask(value.clone(), Op::Le, json!(3000)), Ok(below || equal));
            assert_eq!(ask(value.clone(), Op::Gt, json!(3000)), Ok(!below && !equal));
            assert_eq!(ask(value.clone(), Op::Eq, json!(3000)), Ok(equal));
            assert_eq!(ask(value, Op::Ne, json!(3000)), Ok(!equal));
        }
        assert_eq!(ask(json!(2999.5), Op::Lt, json!(3000)), Ok(true));
        assert_eq!(ask(json!(3000.0), Op::Eq, json!(3000)), Ok(true));
        assert_eq!(ask(json!(9_007_199_254_740_993_i64), Op::Gt, json!(9_007_199_254_740_992_i64)), Ok(true));
    }

    #[test]
    fn dates_compare_by_time_and_booleans_only_for_equality() {
        assert_eq!(ask(json!("2025-12-31"), Op::Lt, json!("2026-01-01")), Ok(true));
        assert_eq!(ask(json!(true), Op::Eq, json!(true)), Ok(true));
        assert_eq!(ask(json!(false), Op::Ne, json!(true)), Ok(true));
        assert_eq!(ask(json!(false), Op::Lt, json!(true)), Err(Code::ProviderInvalid));
    }

    #[test]
    fn different_types_are_never_compared() {
        for value in [json!("3000"), json!(true), json!([1]), json!({})] {
            assert_eq!(ask(value, Op::Lt, json!(3000)), Err(Code::ProviderInvalid));
        }
    }
}
