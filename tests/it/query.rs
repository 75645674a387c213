//! The main job: one query, end to end.

use serde_json::json;

use crate::support::client::ask;
use crate::support::{OTHER, PERSON, TestGateway};

const HOUSING_AID: &str = "housing-aid.review";

#[tokio::test]
async fn a_query_is_answered_in_the_least_revealing_form_with_a_receipt() {
    let gw = TestGateway::start().await;
    let answer = gw
        .system("service.onestop")
        .query("civil.subsistence", HOUSING_AID, &["status", "name", "monthly_income"])
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["forms"], json!({ "status": "plain", "name": "mask", "monthly_income": "predicate" }));
    assert_eq!(
        body["results"],
        json!([{ "subject": 0, "found": true, "data": { "status": "receiving", "name": "王*兰", "monthly_income": true } }])
    );
    assert_eq!(body["receipt"]["log"], "sluice.test/log");
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

#[tokio::test]
async fn only_permitted_fields_are_asked_of_the_provider() {
    let gw = TestGateway::start().await;
    let mut body = ask(HOUSING_AID, &[PERSON, OTHER], json!(["status", "mobile"]));
    body["on_refusal"] = json!("omit");
    let answer = gw.system("service.onestop").post("/v1/datasets/civil.subsistence/query", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["withheld"][0]["field"], "mobile");
    assert_eq!(gw.civil.asked()[0]["fields"], json!(["status"]));
}
