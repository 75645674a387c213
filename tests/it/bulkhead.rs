//! A provider that does not answer harms those who ask it, and nobody else.

use serde_json::json;
use sluice::demo::certificates::Usage;
use tokio::task::JoinSet;

use crate::support::provider::{Manner, Provider};
use crate::support::{PERSON, TestGateway, now, until};

const PURPOSE: &str = "housing-aid.review";
/// Calls that a provider is sent at one time.
const CALLS: usize = 4;

#[tokio::test]
async fn a_silent_provider_with_all_its_places_taken_holds_up_no_other() {
    let mut gw = TestGateway::prepare().await;
    let hrss =
        Provider::start(&gw.adapters.issue("hrss", &["localhost"], Usage::Server, now()).unwrap()).await;
    hrss.record(PERSON, json!({ "status": "employed" }));
    let port = hrss.address.port();
    let other = format!(
        "breaker = {{ failures = 1000 }}\n\n[[adapter]]\nname = \"hrss\"\nurl = \"https://localhost:{port}\"\n\
         allow = [\"127.0.0.1/32:{port}\"]\n\
         tls = {{ ca = \"ca/adapters/ca.pem\", certificate = \"tls/out.pem\", key = \"tls/out.key\" }}\n\
         source.sluice.datasets = [\"hrss.employment\"]\n\n[limits]\nconcurrent_queries = {CALLS}\n"
    );
    gw.configure(
        "source.sluice.datasets = [\"civil.subsistence\"]\n",
        &format!("source.sluice.datasets = [\"civil.subsistence\"]\n{other}"),
    );
    gw.configure("timeout_ms = 1500", &format!("timeout_ms = 5000\nconcurrency = {CALLS}"));
    gw.serve().unwrap();
    let desk = gw.system("service.onestop");
    gw.civil.behave(Manner::Silent);

    // As many as there are places in all are held by the silent one; six times as many want to be.
    let mut waiting = JoinSet::new();
    for _ in 0..6 * CALLS {
        let desk = desk.clone();
        waiting.spawn(async move { desk.query("civil.subsistence", PURPOSE, &["status"]).await });
    }
    until("all its places are taken", async || (gw.civil.asked().len() == CALLS).then_some(())).await;
    for _ in 0..20 {
        let answer = desk.query("hrss.employment", PURPOSE, &["status"]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(hrss.asked().len(), 20);

    let mut ends: Vec<String> = waiting.join_all().await.iter().map(|answer| answer.problem()).collect();
    ends.sort();
    let number = |problem: &str| ends.iter().filter(|end| *end == problem).count();
    assert_eq!(number("504 provider-timeout"), CALLS, "{ends:?}");
    let turned_away = number("503 provider-busy") + number("503 overloaded");
    assert_eq!(turned_away, 5 * CALLS, "{ends:?}");
    assert!(number("503 provider-busy") >= 1, "{ends:?}");
    assert_eq!(gw.civil.asked().len(), CALLS, "the provider was spared the surplus");
}
