//! Strict JSON: what is read has one meaning, and is read the same when it is written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sluice::base::json::{self, is_member_name};

const MAX_DEPTH: usize = 32;

fuzz_target!(|data: &[u8]| {
    match json::parse(data, MAX_DEPTH) {
        Ok(value) => {
            assert!(depth(&value) <= MAX_DEPTH);
            let again = json::parse(&serde_json::to_vec(&value).unwrap(), MAX_DEPTH);
            assert!(again.is_ok_and(|again| same(&again, &value)));
        }
        // Only indexes and names that look like members are told of what was sent.
        Err(fault) => assert!(
            fault
                .pointer
                .split('/')
                .skip(1)
                .all(|step| { is_member_name(step) || step.bytes().all(|b| b.is_ascii_digit()) })
        ),
    }
});

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Equal, but for the last digit of a number with a fraction, which a decimal text need not hold.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * f64::EPSILON
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((n, a), (m, b))| n == m && same(a, b))
        }
        _ => a == b,
    }
}
