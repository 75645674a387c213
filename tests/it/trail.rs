//! What was asked can be looked up and explained, by those who may, without any value.

use serde_json::{Value, json};
use sluice::demo::certificates::Usage;

use crate::support::client::{Answer, ask};
use crate::support::{OTHER, PERSON, TestGateway, now, until};

const QUERY: &str = "/v1/datasets/civil.subsistence/query";

async fn stage() -> TestGateway {
    let mut gw = TestGateway::prepare().await;
    gw.admit("civil.security");
    gw.serve().unwrap();
    gw
}

async fn asked(gw: &TestGateway, system: &str, fields: &[&str]) -> Answer {
    gw.system(system).query("civil.subsistence", "housing-aid.review", fields).await
}

fn id(answer: &Answer) -> &str {
    answer.header("x-request-id").unwrap()
}

/// Asks for an explanation, once the request is in the search index.
async fn explained(gw: &TestGateway, system: &str, request: &Answer) -> Answer {
    gw.record_of(request).await;
    gw.system(system).get(&format!("/v1/requests/{}/explain", id(request))).await
}

#[tokio::test]
async fn a_request_is_explained_by_rule_form_and_place_and_without_values() {
    let gw = stage().await;
    let given = asked(&gw, "service.onestop", &["status", "name", "monthly_income"]).await;
    let answer = explained(&gw, "service.onestop", &given).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!((&told["outcome"], &told["purpose"]), (&json!("ok"), &json!("housing-aid.review")));
    assert_eq!(
        told["fields"],
        json!([
            { "field": "status", "schema_pointer": "/properties/status/x-sharing", "form": "plain", "rule": "CS-010" },
            { "field": "name", "schema_pointer": "/properties/name/x-sharing", "form": "mask", "rule": "grant:G-2026-0001" },
            { "field": "monthly_income", "schema_pointer": "/properties/monthly_income/x-sharing", "form": "predicate", "rule": "grant:G-2026-0001" },
        ])
    );
    let schema = std::fs::read_to_string(gw.path().join("schemas/civil.subsistence.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    for field in told["fields"].as_array().unwrap() {
        assert!(schema.pointer(field["schema_pointer"].as_str().unwrap()).is_some(), "{field}");
    }
    for value in [PERSON, "王", "receiving", "2800", "true"] {
        assert!(!answer.text().contains(value), "{value} in {}", answer.text());
    }

    let refused = asked(&gw, "service.onestop", &["status", "mobile"]).await;
    let told = explained(&gw, "service.onestop", &refused).await.json();
    assert_eq!(told["outcome"], "refused");
    assert_eq!(told["fields"][1]["code"], refused.json()["fields"][0]["code"]);
    assert!(told["fields"][1]["meaning"].is_string());
}

#[tokio::test]
async fn an_explanation_is_for_the_callers_department_and_for_auditors() {
    let gw = stage().await;
    // civil.benefits is refused; its colleagues in the same department may know why.
    let request = asked(&gw, "civil.benefits", &["mobile"]).await;
    assert_eq!(request.problem(), "403 refused");
    for (system, status) in [
        ("civil.benefits", 200),
        ("civil.security", 200),
        ("audit.office", 200),
        ("service.onestop", 404),
        ("housing.aid", 404),
        ("citizen.portal", 404),
    ] {
        assert_eq!(explained(&gw, system, &request).await.status, status, "{system}");
    }
    for unknown in ["00112233445566778899aabbccddeeff", "x", PERSON, "%00"] {
        let answer = gw.system("audit.office").get(&format!("/v1/requests/{unknown}/explain")).await;
        assert_eq!(answer.problem(), "404 not-found", "{unknown}");
        assert_eq!(gw.record_of(&answer).await["outcome"], "not-found");
    }
}

#[tokio::test]
async fn auditors_search_the_whole_log_officers_their_own_department_and_nobody_else() {
    let gw = stage().await;
    let theirs = asked(&gw, "service.onestop", &["status"]).await;
    let own = asked(&gw, "civil.benefits", &["status"]).await;
    gw.record_of(&own).await;
    let found = async |system: &str, search: &str| {
        let answer = gw.system(system).get(&format!("/v1/audit/records?{search}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    };
    let all = found("audit.office", "kind=query").await;
    assert!(all.contains(id(&theirs)) && all.contains(id(&own)));
    let some =
        found("audit.office", "kind=query&department=service&outcome=ok&dataset=civil.subsistence").await;
    assert!(some.contains(id(&theirs)) && !some.contains(id(&own)));
    for (search, sees_own) in
        [("", true), ("kind=query", true), ("department=service", true), ("system=service.onestop", false)]
    {
        let seen = found("civil.security", search).await;
        assert!(seen.contains("\"department\":\"civil\""), "the answer says whose records these are: {seen}");
        assert!(!seen.contains(id(&theirs)), "{search}");
        assert_eq!(seen.contains(id(&own)), sees_own, "{search}");
    }
    for system in ["service.onestop", "civil.benefits", "citizen.portal"] {
        let answer = gw.system(system).get("/v1/audit/records").await;
        assert_eq!(answer.problem(), "403 forbidden", "{system}");
        let record = gw.record_of(&answer).await;
        assert_eq!((&record["kind"], &record["outcome"]), (&json!("audit-search"), &json!("forbidden")));
    }
    // Reading the log is in the log.
    let searches = gw.records("kind=audit-search&system=civil.security&outcome=ok").await;
    assert_eq!(searches.len(), 4);
}

#[tokio::test]
async fn a_search_that_makes_no_sense_is_told_so_and_recorded() {
    let gw = stage().await;
    for (search, pointer) in [
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("limit=many", "/limit"),
        ("from=yesterday", "/from"),
        ("who=me", ""),
    ] {
        let answer = gw.system("audit.office").get(&format!("/v1/audit/records?{search}")).await;
        assert_eq!(answer.problem(), "422 invalid-request", "{search}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{search}");
        assert_eq!(gw.record_of(&answer).await["outcome"], "invalid-request", "{search}");
    }
    let page = gw.system("audit.office").get("/v1/audit/records?limit=2").await.json();
    assert_eq!(page["records"].as_array().unwrap().len(), 2);
    let next = page["next"].as_u64().unwrap();
    let rest = gw.system("audit.office").get(&format!("/v1/audit/records?limit=2&after={next}")).await.json();
    assert!(rest["records"][0]["index"].as_u64().unwrap() > next);
}

#[tokio::test]
async fn a_person_learns_who_asked_and_the_asking_is_recorded() {
    let gw = stage().await;
    let about = asked(&gw, "service.onestop", &["status"]).await;
    let other = gw
        .system("service.onestop")
        .post(QUERY, &ask("housing-aid.review", &[OTHER], json!(["status"])))
        .await;
    gw.record_of(&other).await;
    let wish = |value: &str| json!({ "identifier": "resident-id", "value": value, "case": "GR-1" });
    // In lower case too: the same person.
    for spelt in [PERSON, "11010519491231002x"] {
        let history = gw.system("citizen.portal").post("/v1/subjects/history", &wish(spelt)).await;
        assert_eq!(history.status, 200, "{}", history.text());
        assert!(history.text().contains(id(&about)), "{}", history.text());
        assert!(!history.text().contains(id(&other)), "{}", history.text());
        assert!(!history.text().contains(spelt));
        let record = gw.record_of(&history).await;
        assert_eq!((&record["kind"], &record["case"]), (&json!("subject-history"), &json!("GR-1")));
        assert!(!record.to_string().contains(spelt));
    }
    let auditor = gw.system("audit.office").post("/v1/subjects/history", &wish(PERSON)).await;
    assert_eq!(auditor.status, 200);
    for system in ["service.onestop", "civil.security"] {
        let refused = gw.system(system).post("/v1/subjects/history", &wish(PERSON)).await;
        assert_eq!(refused.problem(), "403 forbidden", "{system}");
        assert_eq!(gw.record_of(&refused).await["outcome"], "forbidden");
    }
    for (bad, told) in [
        (json!({}), "422 invalid-request"),
        (wish("110105194912310021"), "422 invalid-request"),
        (json!({ "identifier": "resident-id", "value": PERSON, "case": "" }), "422 invalid-request"),
        (json!({ "identifier": "shoe-size", "value": "42", "case": "GR-1" }), "422 invalid-request"),
    ] {
        let answer = gw.system("citizen.portal").post("/v1/subjects/history", &bad).await;
        assert_eq!(answer.problem(), told, "{bad}");
        assert!(!answer.text().contains(PERSON));
        assert_eq!(gw.record_of(&answer).await["outcome"], "invalid-request");
    }
}

#[tokio::test]
async fn nobody_gets_anywhere_without_a_certificate_but_to_the_document() {
    // More refusals than strangers are recorded in a minute.
    let gw = TestGateway::start_with("[limits]\nrefusals_per_minute = 10000\n").await;
    let document = gw.nobody().get("/openapi.json").await;
    assert_eq!(document.status, 200);
    let stranger = gw.authority.issue("x", &[], Usage::Client, now()).unwrap();
    let (nobody, stranger) = (gw.nobody(), gw.client(&stranger));
    let mut swept = 0;
    for (path, item) in document.json()["paths"].as_object().unwrap() {
        let concrete =
            path.replace("{level}", "0").replace("{index}", "0").replace("{dataset}", "civil.subsistence");
        let concrete = concrete.replace("{request_id}", "00112233445566778899aabbccddeeff");
        let concrete = concrete.replace("{account}", "wang").replace("{command}", "disable");
        let concrete = concrete.replace("{session}", "0011223344556677");
        let concrete = concrete.replace("{id}", "A-2026-000001");
        assert!(!concrete.contains('{'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            // Open to all: the document, and signing in.
            let Some(schemes) = operation["security"].as_array() else { continue };
            let of_systems = schemes.iter().any(|scheme| scheme["client_certificate"].is_array());
            let told = match of_systems {
                true => ["401 certificate-required", "401 certificate-unknown"],
                false => ["401 sign-in-required"; 2],
            };
            let body = (method == "post").then(|| b"{}".as_slice());
            let method = method.to_uppercase();
            for (client, told) in [&nobody, &stranger].into_iter().zip(told) {
                let answer = client.send(&method, &concrete, body).await.unwrap();
                assert_eq!(answer.problem(), told, "{method} {path}");
            }
            swept += 1;
        }
    }
    assert!(swept >= 10, "{swept}");
    let turned_away = until("all are recorded", async || {
        Some(gw.records("kind=refused-at-door").await).filter(|records| records.len() == 2 * swept)
    });
    turned_away.await;
}
