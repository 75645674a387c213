//! What is wrong with a request is said by status, code and place, in the caller's language, and
//! recorded; what was sent is not repeated.

use serde_json::{Value, json};

use crate::console::token;
use crate::support::client::{Answer, ask};
use crate::support::{PERSON, TestGateway, resident_id};

const QUERY: &str = "/v1/datasets/civil.subsistence/query";

/// A query that would be answered.
fn good() -> Value {
    ask("housing-aid.review", &[PERSON], json!(["status"]))
}

/// The query with one member replaced.
fn with(member: &str, value: Value) -> Vec<u8> {
    let mut body = good();
    body[member] = value;
    serde_json::to_vec(&body).unwrap()
}

fn about(people: &[&str]) -> Vec<u8> {
    let subjects: Vec<Value> = people.iter().map(|id| json!({ "id_number": id })).collect();
    with("subjects", json!(subjects))
}

/// The body, followed by blanks up to a size: blanks are valid JSON there.
fn padded(size: usize) -> Vec<u8> {
    let mut body = serde_json::to_vec(&good()).unwrap();
    body.resize(size, b' ');
    body
}

/// `422 invalid-request`, then each fault as ` pointer=code`.
fn told(answer: &Answer) -> String {
    let problem = answer.json();
    let faults = problem["errors"].as_array().into_iter().flatten();
    faults.fold(answer.problem(), |told, fault| {
        format!("{told} {}={}", fault["pointer"].as_str().unwrap(), fault["code"].as_str().unwrap())
    })
}

/// What a body comes to: name, body, and what is told of it.
fn table() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let one = |id: &str| about(&[id]);
    let many = |n: usize| {
        let people: Vec<Value> =
            (0..n).map(|i| json!({ "id_number": resident_id(&format!("11010519800101{i:03}")) })).collect();
        with("subjects", json!(people))
    };
    let deep = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
    let without = |member: &str| {
        let mut body = good();
        body.as_object_mut().unwrap().remove(member);
        serde_json::to_vec(&body).unwrap()
    };
    vec![
        ("no JSON", b"{\"purpose\":".to_vec(), "400 malformed-json /purpose=malformed-json"),
        ("nothing", b"".to_vec(), "400 malformed-json =malformed-json"),
        ("two texts", b"{} {}".to_vec(), "400 malformed-json =malformed-json"),
        ("a comment", b"{/* */}".to_vec(), "400 malformed-json =malformed-json"),
        ("invalid UTF-8", b"{\"case\":\"\xff\"}".to_vec(), "400 malformed-json /case=malformed-json"),
        (
            "half a surrogate pair",
            br#"{"case":"\ud800"}"#.to_vec(),
            "400 malformed-json /case=malformed-json",
        ),
        ("a number beyond all", br#"{"case":1e999}"#.to_vec(), "400 malformed-json /case=malformed-json"),
        ("a member twice", br#"{"case":"a","case":"b"}"#.to_vec(), "400 duplicate-key /case=duplicate-key"),
        (
            "a member twice, one of them escaped",
            br#"{"subjects":[{"id_number":"a","id\u005fnumber":"b"}]}"#.to_vec(),
            "400 duplicate-key /subjects/0/id_number=duplicate-key",
        ),
        ("depth 32", deep(32), "422 invalid-request =wrong-type"),
        (
            "depth 33",
            deep(33),
            "400 too-deep /0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0=too-deep",
        ),
        (
            "depth 100,000",
            deep(100_000),
            "400 too-deep /0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0=too-deep",
        ),
        ("256 KiB", padded(256 * 1024), "200 -"),
        ("256 KiB and a byte", padded(256 * 1024 + 1), "413 too-large"),
        ("no object", b"[]".to_vec(), "422 invalid-request =wrong-type"),
        (
            "an empty object",
            b"{}".to_vec(),
            "422 invalid-request /purpose=missing-member /case=missing-member /operator=missing-member \
             /subjects=missing-member /fields=missing-member",
        ),
        ("no operator", without("operator"), "422 invalid-request /operator=missing-member"),
        ("a number for a case", with("case", json!(1)), "422 invalid-request /case=wrong-type"),
        ("null for a case", with("case", Value::Null), "422 invalid-request /case=wrong-type"),
        ("an empty case", with("case", json!("")), "422 invalid-request /case=wrong-pattern"),
        ("a case of 65", with("case", json!("a".repeat(65))), "422 invalid-request /case=out-of-bounds"),
        ("a NUL in a case", with("case", json!("a\0b")), "422 invalid-request /case=wrong-pattern"),
        (
            "a bidi override in a case",
            with("case", json!("a\u{202e}b")),
            "422 invalid-request /case=wrong-pattern",
        ),
        ("a line break in a case", with("case", json!("a\r\nb")), "422 invalid-request /case=wrong-pattern"),
        ("a line break after a case", with("case", json!("a\n")), "422 invalid-request /case=wrong-pattern"),
        (
            "a person's number in a case",
            with("case", json!(format!("QZ-{PERSON}"))),
            "422 invalid-request /case=not-allowed-value",
        ),
        (
            "a person's number for an operator",
            with("operator", json!(PERSON)),
            "422 invalid-request /operator=not-allowed-value",
        ),
        ("an unknown member", with("mode", json!("fast")), "422 invalid-request /mode=unknown-member"),
        ("a person's number for a member", with(PERSON, json!(1)), "422 invalid-request =unknown-member"),
        (
            "an unknown member of a subject",
            with("subjects", json!([{ "id_number": PERSON, "name": "x" }])),
            "422 invalid-request /subjects/0/name=unknown-member",
        ),
        (
            "an unknown purpose",
            with("purpose", json!("curiosity")),
            "422 invalid-request /purpose=unknown-purpose",
        ),
        ("a number for a purpose", with("purpose", json!(1)), "422 invalid-request /purpose=unknown-purpose"),
        (
            "an unknown field",
            with("fields", json!(["salary"])),
            "422 invalid-request /fields/0=unknown-field",
        ),
        (
            "an unknown field in a form",
            with("fields", json!(["status", { "field": "salary", "form": "mask" }])),
            "422 invalid-request /fields/1/field=unknown-field",
        ),
        (
            "an unknown form",
            with("fields", json!([{ "field": "name", "form": "whole" }])),
            "422 invalid-request /fields/0/form=not-allowed-value",
        ),
        ("a text for the fields", with("fields", json!("status")), "422 invalid-request /fields=wrong-type"),
        ("a number for a field", with("fields", json!([7])), "422 invalid-request /fields/0=wrong-type"),
        ("no field", with("fields", json!([])), "422 invalid-request /fields=too-few-items"),
        (
            "65 fields",
            with("fields", json!(vec!["status"; 65])),
            "422 invalid-request /fields=too-many-items",
        ),
        (
            "a field twice",
            with("fields", json!(["status", "name", { "field": "status" }])),
            "422 invalid-request /fields/2=duplicate-item",
        ),
        (
            "on_refusal of another kind",
            with("on_refusal", json!("ask")),
            "422 invalid-request /on_refusal=not-allowed-value",
        ),
        (
            "an object for the subjects",
            with("subjects", json!({})),
            "422 invalid-request /subjects=wrong-type",
        ),
        ("no subject", with("subjects", json!([])), "422 invalid-request /subjects=too-few-items"),
        ("100 subjects", many(100), "200 -"),
        ("101 subjects", many(101), "422 invalid-request /subjects=too-many-items"),
        (
            "an empty subject",
            with("subjects", json!([{}])),
            "422 invalid-request /subjects/0/id_number=missing-member",
        ),
        (
            "a number for an identifier",
            with("subjects", json!([{ "id_number": 1 }])),
            "422 invalid-request /subjects/0/id_number=wrong-type",
        ),
        (
            "a wrong check digit",
            one("110105194912310021"),
            "422 invalid-request /subjects/0/id_number=id-check-digit",
        ),
        (
            "an impossible birth date, the check digit right",
            one("370202198502290049"),
            "422 invalid-request /subjects/0/id_number=id-birth-date",
        ),
        (
            "a birth date to come, the check digit right",
            one("370202210011070040"),
            "422 invalid-request /subjects/0/id_number=id-birth-date",
        ),
        ("17 characters", one("44030619900101123"), "422 invalid-request /subjects/0/id_number=id-length"),
        (
            "full-width digits",
            one("１１０１０５１９４９１２３１００２Ｘ"),
            "422 invalid-request /subjects/0/id_number=id-characters",
        ),
        ("a lower-case x", one("11010519491231002x"), "200 -"),
        (
            "someone twice",
            about(&[PERSON, PERSON]),
            "422 invalid-request /subjects/1/id_number=duplicate-item",
        ),
        (
            "someone twice, spelt in two ways",
            about(&[PERSON, "11010519491231002x"]),
            "422 invalid-request /subjects/1/id_number=duplicate-item",
        ),
        (
            "two faults at once",
            about(&["44030619900101123", "110105194912310021"]),
            "422 invalid-request /subjects/0/id_number=id-length /subjects/1/id_number=id-check-digit",
        ),
        (
            "an operator without its constant",
            with("fields", json!([{ "field": "monthly_income", "form": "predicate", "op": "<" }])),
            "422 invalid-request /fields/0/value=missing-member",
        ),
        (
            "a constant of one's own",
            with(
                "fields",
                json!([{ "field": "monthly_income", "form": "predicate", "op": "<", "value": 1e300 }]),
            ),
            "403 refused",
        ),
    ]
}

#[tokio::test]
async fn each_fault_is_named_with_its_place_and_recorded() {
    let gw = TestGateway::start().await;
    let client = gw.system("service.onestop");
    let mut answers = Vec::new();
    let mut wrong = Vec::new();
    for (name, body, expected) in table() {
        let answer = client.send("POST", QUERY, Some(&body)).await.unwrap();
        if told(&answer) != expected {
            wrong.push(format!(
                "{name}: expected {expected}\n{:>w$}got {}",
                "",
                told(&answer),
                w = name.len() + 6
            ));
        }
        answers.push((name, answer));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let records = gw.records("kind=query").await;
    for (name, answer) in answers {
        let id = answer.header("x-request-id").unwrap();
        let record =
            records.iter().find(|r| r["request_id"] == id).unwrap_or_else(|| panic!("{name}: no record"));
        let code = if answer.status == 200 { json!("ok") } else { answer.json()["code"].clone() };
        assert_eq!(record["outcome"], code, "{name}");
        assert_eq!(record["caller"]["system"], "service.onestop", "{name}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_plain_json_is_not_read() {
    let gw = TestGateway::start().await;
    let client = gw.system("service.onestop");
    let body = serde_json::to_vec(&good()).unwrap();
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-type", "application/json; charset=gbk"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-encoding", "gzip"),
        ("content-encoding", "identity, br"),
    ] {
        let answer = client.clone().with_header(name, value).send("POST", QUERY, Some(&body)).await.unwrap();
        assert_eq!(answer.problem(), "415 unsupported-media-type", "{name}: {value}");
        assert_eq!(gw.record_of(&answer).await["outcome"], "unsupported-media-type", "{name}: {value}");
    }
    let answer = client.send("POST", QUERY, None).await.unwrap();
    assert_eq!(answer.problem(), "415 unsupported-media-type");
    assert_eq!(gw.civil.asked(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_dataset_that_is_not_there_is_not_found_whatever_its_name() {
    let gw = TestGateway::start().await;
    let client = gw.system("service.onestop");
    for name in ["civil.nothing", "11010519491231002X", "%00", "..%2f..", "a%20b", &"a".repeat(200)] {
        let answer = client.post(&format!("/v1/datasets/{name}/query"), &good()).await;
        assert_eq!(answer.problem(), "404 not-found", "{name}");
        let record = gw.record_of(&answer).await;
        assert_eq!(record["outcome"], "not-found", "{name}");
        assert_eq!(record["dataset"], Value::Null, "{name}");
    }
}

/// The name of an input says where its value belongs: so no name may lead deeper than stacks are.
#[tokio::test]
async fn a_form_whose_inputs_lead_too_deep_is_refused_to_a_stranger_and_the_gateway_lives() {
    let gw = TestGateway::start().await;
    let page = gw.nobody().get("/console/sign-in").await;
    let seed = format!("__Host-sluice-seed={}", page.cookie("__Host-sluice-seed").unwrap());
    let stranger = gw.nobody().with_header("cookie", &seed);
    let stranger = stranger.with_header("content-type", "application/x-www-form-urlencoded");
    for name in ["/".repeat(100_000), "/a".repeat(100_000), "/1/2/3/4/5/6/7/8/9".into(), "a".repeat(129)] {
        // As it is: written with escapes it would be too large for a body.
        let form = format!("token={}&/account=first&{name}=1", token(&page));
        let answer = stranger.send("POST", "/console/sign-in", Some(form.as_bytes())).await.unwrap();
        assert_eq!(answer.status, 413, "{} bytes: {}", name.len(), answer.text());
        assert_eq!(gw.record_of(&answer).await["outcome"], "too-large");
    }
    assert_eq!(gw.system("service.onestop").post(QUERY, &good()).await.status, 200);
}
