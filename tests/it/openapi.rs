//! The document describes exactly what is served.

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::client::{Answer, ask};
use crate::support::{OTHER, PERSON, TestGateway};

async fn document(gw: &TestGateway) -> Value {
    gw.nobody().get("/openapi.json").await.json()
}

/// A validator of one of the document's own schemas.
fn schema(document: &Value, name: &str) -> Validator {
    let schema =
        json!({ "$ref": format!("#/components/schemas/{name}"), "components": document["components"] });
    jsonschema::draft202012::new(&schema).unwrap()
}

fn valid(validator: &Validator, value: &Value) {
    let faults: Vec<String> =
        validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}\nin {value:#}");
}

/// The path with its parameters filled in: one that can be answered.
fn concrete(path: &str) -> String {
    let filled = path.replace("{dataset}", "civil.subsistence").replace("{level}", "0");
    let filled = filled.replace("tile/0/{index}", "tile/0/000.p/1").replace("{index}", "0");
    let filled = filled.replace("{account}", "wang").replace("{command}", "disable");
    let filled = filled.replace("{session}", "0011223344556677").replace("{id}", "A-2026-000001");
    filled.replace("{request_id}", "00112233445566778899aabbccddeeff")
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let gw = TestGateway::start().await;
    let document = document(&gw).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        schema(&document, name);
    }
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{method} {path}: {id} twice");
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let mut named: Vec<&str> =
                parameters.filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
            let mut inside: Vec<&str> =
                path.split('{').skip(1).map(|part| part.split('}').next().unwrap()).collect();
            named.sort_unstable();
            inside.sort_unstable();
            assert_eq!(named, inside, "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_documented_is_served_and_with_no_other_method() {
    let gw = TestGateway::start().await;
    let document = document(&gw).await;
    let auditor = gw.system("audit.office");
    for (path, item) in document["paths"].as_object().unwrap() {
        let documented: Vec<String> =
            item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let body = (method == "POST").then_some(b"{}".as_slice());
            let answer = auditor.send(method, &concrete(path), body).await.unwrap();
            if documented.iter().any(|known| known == method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                let documented = &item[method.to_lowercase()]["responses"][answer.status.to_string()];
                assert!(documented.is_object(), "{method} {path} answers {} undocumented", answer.status);
            } else {
                assert_eq!(answer.status, 405, "{method} {path}");
                assert_eq!(answer.header("allow"), Some(documented.join(", ").as_str()), "{method} {path}");
                if method != "HEAD" {
                    assert_eq!(answer.problem(), "405 method-not-allowed", "{method} {path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_examples_and_what_is_answered_are_as_the_schemas_have_it() {
    let gw = TestGateway::start().await;
    let document = document(&gw).await;
    for (name, component) in document["components"]["schemas"].as_object().unwrap() {
        let validator = schema(&document, name);
        let examples = component["examples"].as_array().into_iter().flatten();
        examples.chain(component.get("example")).for_each(|example| valid(&validator, example));
        for (member, described) in component["properties"].as_object().into_iter().flatten() {
            let described_by = json!({ "allOf": [described], "components": document["components"] });
            let validator = jsonschema::draft202012::new(&described_by).unwrap();
            if let Some(example) = described.get("example") {
                assert!(validator.is_valid(example), "{name}.{member}: {example}");
            }
        }
    }

    let onestop = gw.system("service.onestop");
    let fields = json!(["status", { "field": "monthly_income", "form": "predicate", "op": "<", "value": 3000 }, "mobile"]);
    let mut body = ask("housing-aid.review", &[PERSON, OTHER], fields);
    body["on_refusal"] = json!("omit");
    valid(&schema(&document, "QueryBody"), &body);
    let query = onestop.post("/v1/datasets/civil.subsistence/query", &body).await;
    assert_eq!(query.status, 200, "{}", query.text());
    gw.record_of(&query).await;
    let id = query.header("x-request-id").unwrap();
    let index = query.json()["receipt"]["index"].as_u64().unwrap();

    let answered = async |path: &str| onestop.get(path).await;
    let history = json!({ "identifier": "resident-id", "value": PERSON, "case": "GR-1" });
    valid(&schema(&document, "HistoryBody"), &history);
    let operation = |path: &str, method: &str| document["paths"][path][method].clone();
    let answers: Vec<(Value, Answer)> = vec![
        (operation("/v1/datasets/{dataset}/query", "post"), query.clone()),
        (
            operation("/v1/datasets/{dataset}/query", "post"),
            onestop.query("civil.subsistence", "x", &["y"]).await,
        ),
        (
            operation("/v1/datasets/{dataset}/query", "post"),
            onestop.query("civil.subsistence", "livelihood.review", &["bank_card"]).await,
        ),
        (operation("/v1/datasets", "get"), answered("/v1/datasets").await),
        (operation("/v1/datasets/{dataset}", "get"), answered("/v1/datasets/civil.subsistence").await),
        (operation("/v1/datasets/{dataset}", "get"), answered("/v1/datasets/justice.custody").await),
        (
            operation("/v1/requests/{request_id}/explain", "get"),
            answered(&format!("/v1/requests/{id}/explain")).await,
        ),
        (
            operation("/v1/audit/records", "get"),
            gw.system("audit.office").get("/v1/audit/records?limit=3").await,
        ),
        (operation("/v1/audit/records", "get"), answered("/v1/audit/records").await),
        (
            operation("/v1/audit/records/{index}", "get"),
            answered(&format!("/v1/audit/records/{index}")).await,
        ),
        (
            operation("/v1/audit/records/{index}/proof", "get"),
            answered(&format!("/v1/audit/records/{index}/proof")).await,
        ),
        (
            operation("/v1/subjects/history", "post"),
            gw.system("citizen.portal").post("/v1/subjects/history", &history).await,
        ),
    ];
    for (operation, answer) in answers {
        let response = &operation["responses"][answer.status.to_string()];
        let kind = answer.header("content-type").unwrap();
        let described = &response["content"][kind]["schema"];
        assert!(described.is_object(), "{} {kind}", answer.status);
        let described = json!({ "allOf": [described], "components": document["components"] });
        valid(&jsonschema::draft202012::new(&described).unwrap(), &answer.json());
    }
}

#[tokio::test]
async fn a_datasets_own_request_schema_accepts_what_is_accepted() {
    let gw = TestGateway::start().await;
    let view = gw.system("service.onestop").get("/v1/datasets/civil.subsistence").await.json();
    let validator = jsonschema::draft202012::new(&view["request_schema"]).unwrap();
    let good = ask("housing-aid.review", &[PERSON], json!(["status"]));
    valid(&validator, &good);
    for (member, wrong) in
        [("purpose", json!("x")), ("fields", json!(["x"])), ("subjects", json!([])), ("x", json!(1))]
    {
        let mut bad = good.clone();
        bad[member] = wrong;
        assert!(!validator.is_valid(&bad), "{member}");
    }
}
