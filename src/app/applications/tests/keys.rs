//! The same command sent twice.

use super::*;

fn keyed(body: &Value, key: &str) -> Asked {
    Asked { key: Some(key.to_owned()), ..asked(body) }
}

#[tokio::test]
async fn a_command_sent_again_under_its_key_is_answered_alike_and_done_once() {
    let stage = Stage::new().await;
    let call = stage.call("h.applicant");
    let body = json!({ "terms": terms() });
    let draft = async |key: &str| applications::draft(&stage.gateway, &call, keyed(&body, key)).await;
    let first = draft("k-1").await.unwrap();
    assert_eq!(draft("k-1").await.unwrap(), first);
    assert_ne!(draft("k-2").await.unwrap(), first);

    let submit = json!({ "version": 1 });
    let send = async |name: &str, body: &Value, key: &str| {
        applications::command(&stage.gateway, &call, &first.application, name, keyed(body, key)).await
    };
    let done = send("submit", &submit, "k-3").await.unwrap();
    assert_eq!(send("submit", &submit, "k-3").await.unwrap(), done, "though its version is stale by now");
    assert_eq!(code(send("submit", &submit, "k-4").await), Code::VersionMismatch);
    assert_eq!(stage.events(&first.application), ["drafted", "submitted"]);
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_account_for_a_day() {
    let stage = Stage::new().await;
    let call = stage.call("h.applicant");
    let body = json!({ "terms": terms() });
    let first = applications::draft(&stage.gateway, &call, keyed(&body, "k")).await.unwrap();
    let mut other = body.clone();
    other["terms"]["per_day"] = json!(150);
    let told = applications::draft(&stage.gateway, &call, keyed(&other, "k")).await;
    assert_eq!(code(told), Code::KeyReused);
    let withdraw = keyed(&json!({ "version": 1 }), "k");
    let told = applications::command(&stage.gateway, &call, &first.application, "withdraw", withdraw).await;
    assert_eq!(code(told), Code::KeyReused);
    // Another account's key of the same name is another key.
    let stranger = stage.call("m.applicant");
    let told = applications::draft(&stage.gateway, &stranger, keyed(&body, "k")).await;
    assert_eq!(code(told), Code::InvalidRequest, "not the first one's answer");
    stage.at("2026-11-24T01:00:01Z");
    let later = applications::draft(&stage.gateway, &call, keyed(&body, "k")).await.unwrap();
    assert_ne!(later, first);
}

#[tokio::test]
async fn a_refused_command_leaves_its_key_unused() {
    let stage = Stage::new().await;
    let call = stage.call("h.applicant");
    let mut body = json!({ "terms": terms() });
    body["terms"]["per_day"] = json!(0);
    let told = applications::draft(&stage.gateway, &call, keyed(&body, "k")).await;
    assert_eq!(code(told), Code::InvalidRequest);
    body["terms"]["per_day"] = json!(200);
    assert!(applications::draft(&stage.gateway, &call, keyed(&body, "k")).await.is_ok());
}
