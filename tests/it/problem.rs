//! Every answer that is not a success is a problem of one form, in the caller's language.

use serde_json::json;

use crate::support::TestGateway;
use crate::support::client::ask;

const QUERY: &str = "/v1/datasets/civil.subsistence/query";

#[tokio::test]
async fn a_problem_has_one_form_and_speaks_both_languages() {
    let gw = TestGateway::start().await;
    let bad = ask("housing-aid.review", &["110105194912310021"], json!(["status"])).to_string();
    let client = gw.system("service.onestop");
    for (language, tag, title) in [
        (None, "zh-CN", "请求未通过校验"),
        (Some("zh-CN"), "zh-CN", "请求未通过校验"),
        (Some("de, en;q=0.5"), "en", "Request not valid"),
        (Some("en"), "en", "Request not valid"),
        (Some("fr"), "zh-CN", "请求未通过校验"),
    ] {
        let mut client = client.clone().plain();
        if let Some(language) = language {
            client = client.with_header("accept-language", language);
        }
        let answer = client.send("POST", QUERY, Some(bad.as_bytes())).await.unwrap();
        let problem = answer.json();
        assert_eq!(problem["title"], title, "{language:?}");
        assert_eq!(answer.header("content-language"), Some(tag), "{language:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["type"], "urn:sluice:problem:invalid-request");
        assert_eq!(problem["status"], 422);
        assert_eq!(problem["request_id"], answer.header("x-request-id").unwrap());
        assert!(problem["detail"].is_string() && problem["errors"][0]["detail"].is_string());
    }
}

#[tokio::test]
async fn what_is_not_served_is_a_problem_too() {
    let gw = TestGateway::start().await;
    for client in [gw.system("service.onestop"), gw.nobody()] {
        for path in [
            "/",
            "/v1",
            "/v1/datasets/",
            "/v2/datasets",
            "/readyz",
            "/metrics",
            "/openapi.json/",
            "/%2e%2e/etc/passwd",
        ] {
            let answer = client.get(path).await;
            assert_eq!(answer.problem(), "404 not-found", "{path}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
            assert_eq!(answer.json()["request_id"], answer.header("x-request-id").unwrap(), "{path}");
        }
    }
}
