//! What a broken query is told: code and pointer, and never what was sent.

use serde_json::json;
use time::macros::date;

use super::*;
use crate::catalogue::load::tests::catalogue;

const PERSON: &str = "11010519491231002X";

fn parsed(body: &str) -> Result<Ask> {
    let catalogue = catalogue();
    let dataset = catalogue.datasets.values().next().unwrap();
    parse(dataset, body.as_bytes(), date!(2026 - 11 - 22))
}

fn body(member: &str, value: Json) -> String {
    let mut body = json!({
        "purpose": "aid", "case": "C-1", "operator": "o-1",
        "subjects": [{ "id_number": PERSON }], "fields": ["status"],
    });
    body.as_object_mut().unwrap().insert(member.to_owned(), value);
    body.to_string()
}

/// The faults of a body with `member` set to `value`: `pointer code`.
fn faults(member: &str, value: Json) -> Vec<String> {
    let error = parsed(&body(member, value)).err().unwrap();
    error.invalid.iter().map(|f| format!("{} {}", f.pointer, f.code.as_str())).collect()
}

#[test]
fn a_sound_query_is_parsed_and_normalised() {
    let ask = parsed(&body("subjects", json!([{ "id_number": "11010519491231002x" }]))).unwrap();
    assert_eq!(ask.subjects[0].reveal(), PERSON);
    assert_eq!((ask.fields.len(), ask.on_refusal), (1, OnRefusal::Reject));
}

#[test]
fn a_field_may_name_its_form_and_comparison() {
    let field = json!({ "field": "income", "form": "predicate", "op": "<", "value": 3000 });
    let ask = parsed(&body("fields", json!([field]))).unwrap();
    assert_eq!(ask.fields[0].form, Some(Form::Predicate));
    assert_eq!(ask.fields[0].predicate, Some(Predicate { op: Op::Lt, value: json!(3000) }));
}

#[test]
fn each_fault_has_its_place() {
    for (member, value, fault) in [
        ("purpose", json!("curiosity"), "/purpose unknown-purpose"),
        ("purpose", json!(7), "/purpose unknown-purpose"),
        ("case", json!(""), "/case wrong-pattern"),
        ("case", json!("张三"), "/case wrong-pattern"),
        ("case", json!(format!("C-{PERSON}")), "/case not-allowed-value"),
        ("operator", json!(PERSON), "/operator not-allowed-value"),
        ("subjects", json!([]), "/subjects too-few-items"),
        ("subjects", json!([{}]), "/subjects/0/id_number missing-member"),
        ("subjects", json!([{ "id_number": 7 }]), "/subjects/0/id_number wrong-type"),
        ("subjects", json!([{ "id_number": "7" }]), "/subjects/0/id_number id-length"),
        ("subjects", json!([{ "id_number": PERSON, "name": "x" }]), "/subjects/0/name unknown-member"),
        (
            "subjects",
            json!([{ "id_number": PERSON }, { "id_number": PERSON }]),
            "/subjects/1/id_number duplicate-item",
        ),
        ("fields", json!([]), "/fields too-few-items"),
        ("fields", json!(["status", "salary"]), "/fields/1 unknown-field"),
        ("fields", json!([{ "field": "salary" }]), "/fields/0/field unknown-field"),
        ("fields", json!(["status", { "field": "status" }]), "/fields/1 duplicate-item"),
        ("fields", json!([{ "field": "status", "form": "naked" }]), "/fields/0/form not-allowed-value"),
        ("fields", json!([7]), "/fields/0 wrong-type"),
        ("on_refusal", json!("ignore"), "/on_refusal not-allowed-value"),
        ("urgent", json!(true), "/urgent unknown-member"),
    ] {
        assert_eq!(faults(member, value.clone()), [fault], "{member} {value}");
    }
}

#[test]
fn a_comparison_is_whole_and_belongs_to_a_predicate() {
    for field in [
        json!({ "field": "income", "op": "<" }),
        json!({ "field": "income", "form": "predicate", "value": 3000 }),
        json!({ "field": "income", "form": "plain", "op": "<", "value": 3000 }),
    ] {
        assert!(!faults("fields", json!([field])).is_empty(), "{field}");
    }
}

#[test]
fn at_most_a_hundred_subjects() {
    let many = vec![json!({ "id_number": PERSON }); 101];
    assert_eq!(faults("subjects", json!(many)), ["/subjects too-many-items"]);
}

#[test]
fn a_persons_number_used_as_a_name_is_not_repeated() {
    assert_eq!(faults(PERSON, json!(true)), [" unknown-member"]);
}

#[test]
fn what_is_no_json_is_told_so() {
    for (text, code) in [("{", Code::MalformedJson), (r#"{"case":1,"case":2}"#, Code::DuplicateKey)] {
        assert_eq!(parsed(text).err().unwrap().code, code);
    }
}
