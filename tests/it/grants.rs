//! Grants that come of applications: in the decision on the next query, stopped on the next query,
//! and given only as far as the log bears them out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::SimpleConnection;
use serde_json::json;
use sluice::approval::Terms;
use sluice::store::state::Act;
use tokio::sync::Notify;

use crate::support::client::{Answer, ask};
use crate::support::provider::Manner;
use crate::support::{PERSON, TestGateway, now, until, vault};

const QUERY: &str = "/v1/datasets/civil.subsistence/query";
const PURPOSE: &str = "housing-aid.review";
const GRANT: &str = "G-2026-000001";

/// Terms that give `service.onestop` the identity number, masked.
fn terms() -> Terms {
    serde_json::from_value(json!({
        "dataset": "civil.subsistence", "purpose": "livelihood.review", "basis": "《社会救助暂行办法》",
        "scenario": "窗口受理", "scope": "窗口人员", "mode": "service", "systems": ["service.onestop"],
        "fields": [{ "field": "id_number", "form": "mask", "reason": "核对" }],
        "per_day": 1000, "distinct_per_day": 1000, "until": "2030-12-31"
    }))
    .unwrap()
}

/// How the events of an application leave a grant, without the application: the row and its act.
fn stand(gw: &TestGateway, id: &str, application: &str, terms: &Terms, state: &str) {
    let (text, digest) = (serde_json::to_string(terms).unwrap(), terms.revision());
    let (at, digest) = (now().plus_seconds(-60), digest.as_str());
    let since = at.micros();
    let row = format!(
        "REPLACE INTO grants VALUES ('{id}', '{application}', 'service', '{text}', '{digest}', {since}, '{state}', {since})"
    );
    let (kind, object, actor) = (format!("grant-{state}"), id.to_owned(), "civil.zhang".to_owned());
    gw.act(&row, Act { seq: 0, kind, object, detail: digest.to_owned(), at, actor });
}

fn sql(gw: &TestGateway, text: &str) {
    let mut state = vault::open(&gw.path().join("data/state.db"));
    state.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
    state.batch_execute(text).unwrap_or_else(|e| panic!("{text}: {e}"));
}

async fn id_number(gw: &TestGateway) -> Answer {
    gw.system("service.onestop").query("civil.subsistence", "livelihood.review", &["id_number"]).await
}

/// Asks until the grant's field comes to this: `200`, or the code of its refusal.
async fn becomes(gw: &TestGateway, wanted: &str) -> Answer {
    until(wanted, async || {
        let answer = id_number(gw).await;
        (came_to(&answer) == wanted).then_some(answer)
    })
    .await
}

fn came_to(answer: &Answer) -> String {
    match answer.json()["fields"][0]["code"].as_str() {
        Some(code) => code.to_owned(),
        None => answer.status.to_string(),
    }
}

#[tokio::test]
async fn a_grant_works_stops_goes_on_and_ends_and_the_log_names_it() {
    let gw = TestGateway::start().await;
    assert_eq!(came_to(&id_number(&gw).await), "grant-required");
    stand(&gw, GRANT, "A-2026-000001", &terms(), "active");
    let answer = becomes(&gw, "200").await.json();
    assert_eq!(answer["results"][0]["data"]["id_number"], "110105********002X");
    let request = answer["request_id"].as_str().unwrap();
    let explained = gw.system("service.onestop").get(&format!("/v1/requests/{request}/explain")).await.json();
    assert_eq!(explained["fields"][0]["rule"], format!("grant:{GRANT}"));

    stand(&gw, GRANT, "A-2026-000001", &terms(), "suspended");
    let refused = becomes(&gw, "grant-not-valid").await.json();
    assert_eq!(refused["fields"][0]["rule"], format!("grant:{GRANT}"));
    stand(&gw, GRANT, "A-2026-000001", &terms(), "active");
    becomes(&gw, "200").await;
    stand(&gw, GRANT, "A-2026-000001", &terms(), "ended");
    becomes(&gw, "grant-required").await;

    let acts = gw.records("kind=administration").await;
    let told: Vec<_> =
        acts.iter().filter(|act| act["object"] == GRANT).map(|act| act["action"].clone()).collect();
    assert_eq!(told, ["grant-active", "grant-suspended", "grant-active", "grant-ended"]);
}

#[tokio::test]
async fn a_grant_of_the_files_is_stopped_by_its_row_and_stays_stopped_without_it() {
    let mut gw = TestGateway::start().await;
    let name = async |gw: &TestGateway| {
        let answer = gw.system("service.onestop").query("civil.subsistence", PURPOSE, &["name"]).await;
        came_to(&answer)
    };
    assert_eq!(name(&gw).await, "200");
    let stopped = async |gw: &TestGateway| {
        until("it is stopped", async || (name(gw).await == "grant-not-valid").then_some(())).await;
    };
    stand(&gw, "G-2026-0001", "G-2026-0001", &terms(), "ended");
    stopped(&gw).await;
    // Whoever takes the row away does not put the grant back in force: now, and after a start.
    sql(&gw, "DELETE FROM grants; UPDATE revision SET value = value + 1");
    until("the loss is told", async || gw.log().contains("does not bear out").then_some(())).await;
    assert_eq!(name(&gw).await, "grant-not-valid");
    gw.kill();
    gw.serve().unwrap();
    assert_eq!(name(&gw).await, "grant-not-valid");
    stand(&gw, "G-2026-0001", "G-2026-0001", &terms(), "active");
    until("it is back", async || (name(&gw).await == "200").then_some(())).await;
}

#[tokio::test]
async fn a_grant_that_the_log_does_not_bear_out_is_not_given() {
    let mut gw = TestGateway::start().await;
    let (text, digest) = (serde_json::to_string(&terms()).unwrap(), terms().revision());
    let row = format!(
        "REPLACE INTO grants VALUES ('{GRANT}', 'A-2026-000001', 'service', '{text}', '{}', 1, 'active', 1)",
        digest.as_str()
    );
    let bump = "UPDATE revision SET value = value + 1";
    let refused = async |gw: &TestGateway, times: usize| {
        let told = || gw.log().matches("does not bear out").count();
        until("it is told", async || (told() >= times).then_some(())).await;
        assert_ne!(id_number(gw).await.status, 200);
    };
    // A row out of nothing, and one with an act that claims a record of something else; told again
    // with whatever else changes.
    sql(&gw, &format!("{row}; {bump}"));
    refused(&gw, 1).await;
    sql(
        &gw,
        &format!(
            "INSERT INTO acts (kind, object, detail, at, actor, log_index)
             VALUES ('grant-active', '{GRANT}', '{}', 1, 'civil.zhang', 1); {bump}",
            digest.as_str()
        ),
    );
    refused(&gw, 2).await;

    // One that was suspended, and whose row says otherwise.
    stand(&gw, GRANT, "A-2026-000001", &terms(), "active");
    becomes(&gw, "200").await;
    stand(&gw, GRANT, "A-2026-000001", &terms(), "suspended");
    becomes(&gw, "grant-not-valid").await;
    sql(&gw, &format!("UPDATE grants SET state = 'active'; {bump}"));
    refused(&gw, 3).await;
    gw.kill();
    gw.serve().unwrap();
    refused(&gw, 1).await;

    // One whose terms are no longer those that were accepted; other changes go on meanwhile.
    stand(&gw, GRANT, "A-2026-000001", &terms(), "active");
    becomes(&gw, "200").await;
    sql(&gw, &format!("UPDATE grants SET terms = replace(terms, '1000', '9000'); {bump}"));
    until("it is told", async || gw.log().contains("not those that were accepted").then_some(())).await;
    until("it is in force", async || (id_number(&gw).await.status == 403).then_some(())).await;
    stand(&gw, "G-2026-000002", "A-2026-000002", &terms(), "active");
    becomes(&gw, "200").await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_nothing_that_was_stopped_in_force() {
    let mut gw = TestGateway::start().await;
    stand(&gw, GRANT, "A-2026-000001", &terms(), "active");
    becomes(&gw, "200").await;
    let bump = "UPDATE revision SET value = value + 1";
    sql(
        &gw,
        &format!(
            "INSERT INTO system_keys (fingerprint, system, registered_at) VALUES ('zz', 'no system', 1);
             INSERT INTO system_keys (fingerprint, system, registered_at) VALUES ('{}', 'housing.aid', 1);
             REPLACE INTO grants SELECT 'not an id', application, requester, terms, digest, since, state, 1 FROM grants;
             {bump}",
            "ab".repeat(32)
        ),
    );
    stand(&gw, GRANT, "A-2026-000001", &terms(), "suspended");
    becomes(&gw, "grant-not-valid").await;
    let fingerprint = gw.issued["housing.aid"].fingerprint.to_string();
    let revoke = ["key", "revoke", "--config", "sluice.toml", "--fingerprint", &fingerprint];
    assert_eq!(gw.sluice(&revoke).0, 0);
    until("the key is out of force", async || {
        let answer = gw.system("housing.aid").get("/v1/datasets").await;
        (answer.status == 401).then_some(())
    })
    .await;
    let log = gw.log();
    for told in
        ["system_keys holds a malformed row", "grants holds a malformed row", "key-registered housing.aid"]
    {
        assert!(log.contains(told), "{told}: {log}");
    }
    // A version that nobody applied is not taken up, and holds up nothing else.
    sql(
        &gw,
        &format!(
            "INSERT INTO versions SELECT seq + 1, catalogue_version, catalogue_digest, policy_version + 1,
             policy_digest, replace(sources, 'CS-031', 'CS-032'), applied_at FROM versions; {bump}"
        ),
    );
    stand(&gw, GRANT, "A-2026-000001", &terms(), "active");
    becomes(&gw, "200").await;
    stand(&gw, GRANT, "A-2026-000001", &terms(), "ended");
    becomes(&gw, "grant-required").await;
    assert!(gw.log().contains("no record of policy-applied"), "{}", gw.log());
    // But there is none in its place when the gateway starts.
    gw.stop();
    assert!(gw.serve().unwrap_err().contains("the log does not bear out"));
}

#[tokio::test]
async fn a_grant_or_key_of_an_older_copy_of_the_database_is_not_put_back_in_force() {
    let mut gw = TestGateway::start().await;
    stand(&gw, GRANT, "A-2026-000001", &terms(), "active");
    becomes(&gw, "200").await;
    stand(&gw, GRANT, "A-2026-000001", &terms(), "suspended");
    becomes(&gw, "grant-not-valid").await;
    let fingerprint = gw.issued["housing.aid"].fingerprint.to_string();
    let revoke = ["key", "revoke", "--config", "sluice.toml", "--fingerprint", &fingerprint];
    assert_eq!(gw.sluice(&revoke).0, 0);
    let known = async |gw: &TestGateway| gw.system("housing.aid").get("/v1/datasets").await.status;
    until("the key is out of force", async || (known(&gw).await == 401).then_some(())).await;
    // As they were before, with no act that tells of what was done since.
    sql(
        &gw,
        "UPDATE grants SET state = 'active'; UPDATE system_keys SET revoked_at = NULL;
         DELETE FROM acts WHERE kind IN ('grant-suspended', 'key-revoked');
         UPDATE revision SET value = value + 1",
    );
    until("it is told", async || gw.log().contains("key-revoked housing.aid").then_some(())).await;
    for _ in 0..2 {
        assert_eq!(came_to(&id_number(&gw).await), "grant-required");
        assert_eq!(known(&gw).await, 401);
        gw.stop();
        gw.serve().unwrap();
    }
}

#[tokio::test]
async fn what_a_provider_says_after_the_grant_was_stopped_is_not_passed_on() {
    let mut gw = TestGateway::prepare().await;
    gw.configure("timeout_ms = 1500", "timeout_ms = 20000");
    gw.serve().unwrap();
    stand(&gw, GRANT, "A-2026-000001", &terms(), "active");
    becomes(&gw, "200").await;
    let go = Arc::new(Notify::new());
    gw.civil.behave(Manner::Held(Arc::clone(&go)));
    let asked = gw.civil.asked().len();
    let client = gw.system("service.onestop");
    let body = ask("livelihood.review", &[PERSON], json!(["id_number", "name"]));
    let held = tokio::spawn(async move { client.post(QUERY, &body).await });
    until("the provider is asked", async || (gw.civil.asked().len() > asked).then_some(())).await;
    stand(&gw, GRANT, "A-2026-000001", &terms(), "suspended");
    let catalogue = gw.system("service.onestop");
    until("it is stopped", async || {
        let view = catalogue.get("/v1/datasets/civil.subsistence").await;
        (!view.text().contains(GRANT)).then_some(())
    })
    .await;
    go.notify_one();
    let answer = held.await.unwrap();
    assert_eq!(answer.problem(), "403 refused");
    assert_eq!(answer.json()["fields"].as_array().unwrap().len(), 1);
    assert_eq!(came_to(&answer), "grant-not-valid");
    assert!(!answer.text().contains("002X") && !answer.text().contains("王秀兰"), "{}", answer.text());

    let request = answer.json()["request_id"].as_str().unwrap().to_owned();
    let record =
        gw.records("outcome=refused").await.into_iter().find(|r| r["request_id"] == request).unwrap();
    assert_eq!(record["adapter"], "civil");
    assert_eq!(record["fields"][0]["rule"], "grant:G-2026-0003", "{record}");
    assert_eq!(record["fields"][1]["code"], "grant-not-valid", "{record}");
}

#[tokio::test]
async fn under_load_no_query_that_is_sent_after_the_end_of_a_grant_is_answered() {
    let gw = TestGateway::start().await;
    stand(&gw, GRANT, "A-2026-000001", &terms(), "active");
    becomes(&gw, "200").await;
    let client = gw.system("service.onestop");
    let over = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let (client, over) = (client.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let body = ask("livelihood.review", &[PERSON], json!(["id_number"])).to_string();
                let mut connection = client.connect().await.unwrap();
                let (mut before, mut after) = (0, 0);
                while after < 20 {
                    let sent_after = over.load(Ordering::SeqCst);
                    let answer = connection.send("POST", QUERY, &[], Some(body.as_bytes())).await.unwrap();
                    assert!(!sent_after || answer.status == 403, "{}", answer.text());
                    before += usize::from(answer.status == 200);
                    after += usize::from(sent_after);
                }
                before
            })
        })
        .collect();
    until("the load runs", async || (gw.civil.asked().len() > 40).then_some(())).await;
    stand(&gw, GRANT, "A-2026-000001", &terms(), "ended");
    until("it is in force", async || {
        let view = client.get("/v1/datasets/civil.subsistence").await;
        (!view.text().contains(GRANT)).then_some(())
    })
    .await;
    over.store(true, Ordering::SeqCst);
    for task in asking {
        assert!(task.await.unwrap() > 0, "it was answered before");
    }
}
