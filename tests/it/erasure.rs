//! A person is erased from the log: what names them goes, what happened stays provable.

use diesel::prelude::*;
use serde_json::{Value, json};

use crate::support::{OTHER, PERSON, TestGateway, client::ask};

const QUERY: &str = "/v1/datasets/civil.subsistence/query";
const ERASE: &str = "/v1/subjects/erase";

fn order(person: &str) -> Value {
    json!({ "identifier": "resident-id", "value": person, "case": "AQ-2026-7", "reason": "retention-ended" })
}

async fn stage() -> TestGateway {
    let mut gw = TestGateway::prepare().await;
    gw.admit("security.office");
    gw.serve().unwrap();
    gw
}

/// The records that the citizens' service is told of.
async fn history(gw: &TestGateway, person: &str) -> Vec<u64> {
    let wish = json!({ "identifier": "resident-id", "value": person, "case": "GR-2026-1" });
    let answer = gw.system("citizen.portal").post("/v1/subjects/history", &wish).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["index_lag"], 0);
    told["events"].as_array().unwrap().iter().map(|event| event["index"].as_u64().unwrap()).collect()
}

/// The keys of the openings in the database.
fn openings(gw: &TestGateway) -> Vec<i64> {
    #[derive(QueryableByName)]
    struct Opening {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        id: i64,
    }
    let mut db = SqliteConnection::establish(gw.path().join("data/audit.db").to_str().unwrap()).unwrap();
    let found: Vec<Opening> = diesel::sql_query("SELECT id FROM opening ORDER BY id").load(&mut db).unwrap();
    found.into_iter().map(|opening| opening.id).collect()
}

#[tokio::test]
async fn an_erased_person_is_found_no_more_and_every_proof_holds() {
    let gw = stage().await;
    let desk = gw.system("service.onestop");
    let mut about = Vec::new();
    for people in [&[PERSON][..], &[OTHER, PERSON], &[OTHER]] {
        let answer = desk.post(QUERY, &ask("housing-aid.review", people, json!(["status"]))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        about.push(answer.json()["receipt"]["index"].as_u64().unwrap());
    }
    assert_eq!(history(&gw, PERSON).await, about[..2]);
    let before = openings(&gw);
    let proof = |index: u64| format!("/v1/audit/records/{index}/proof");
    let leaf = gw.system("audit.office").get(&proof(about[0])).await.json()["leaf"].clone();

    let answer = gw.system("security.office").post(ERASE, &order(PERSON)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    // Two queries, and the citizens' service asking who had asked.
    assert_eq!((&told["records"], &told["openings"]), (&json!(3), &json!(3)));
    assert_eq!(before.len() - openings(&gw).len(), 3, "the openings are gone");
    assert_eq!(history(&gw, PERSON).await, [0; 0]);
    assert_eq!(history(&gw, OTHER).await, about[1..], "nobody else is erased with them");

    // The record says who ordered it and why, and not whom it was about.
    let receipt = &told["receipts"][0];
    let erasure = gw.system("audit.office").get(&proof(receipt["index"].as_u64().unwrap())).await.json();
    let leaf_of_erasure = erasure["leaf"].as_str().unwrap();
    let record: Value = serde_json::from_str(leaf_of_erasure).unwrap();
    assert_eq!((&record["kind"], &record["outcome"]), (&json!("erasure"), &json!("ok")));
    assert_eq!((&record["case"], &record["reason"]), (&json!("AQ-2026-7"), &json!("retention-ended")));
    assert_eq!(record["caller"]["system"], "security.office");
    assert_eq!(record["log"]["openings"][0], json!([about[0], 0]));
    assert_eq!(record["log"]["openings"][1], json!([about[1], 1]));
    assert!(record["subjects"].is_null() && !leaf_of_erasure.contains(PERSON));

    // What happened stays as it was, and can be proved: record by record, and as a whole.
    let same = gw.system("audit.office").get(&proof(about[0])).await.json();
    assert_eq!(same["leaf"], leaf);
    let file = gw.path().join("proof.json");
    for signed in [same, erasure] {
        std::fs::write(&file, signed.to_string()).unwrap();
        let (code, _, said) =
            gw.sluice(&["audit", "check-proof", "proof.json", "--pubkey", "keys/audit.vkey"]);
        assert_eq!(code, 0, "{said}");
    }
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);

    // To order it again finds only what has named the person since: that history.
    let again = gw.system("security.office").post(ERASE, &order(PERSON)).await.json();
    assert_eq!(again["records"], 1, "{again}");
    let nothing = gw.system("security.office").post(ERASE, &order(PERSON)).await.json();
    assert_eq!((&nothing["records"], nothing["receipts"].as_array().unwrap().len()), (&json!(0), 1));
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

#[tokio::test]
async fn only_the_security_administrator_erases_and_every_try_is_recorded() {
    let gw = stage().await;
    let answer =
        gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let before = openings(&gw);
    for system in ["audit.office", "citizen.portal", "service.onestop"] {
        let refused = gw.system(system).post(ERASE, &order(PERSON)).await;
        assert_eq!(refused.problem(), "403 forbidden", "{system}");
        let record = gw.record_of(&refused).await;
        assert_eq!((&record["kind"], &record["outcome"]), (&json!("erasure"), &json!("forbidden")));
    }
    let office = gw.system("security.office");
    for (member, value, pointer) in [
        ("value", "110105194912310021", "/value"),
        ("case", "", "/case"),
        ("reason", "because", ""),
        ("who", "me", ""),
    ] {
        let mut bad = order(PERSON);
        bad[member] = value.into();
        let answer = office.post(ERASE, &bad).await;
        assert_eq!(answer.problem(), "422 invalid-request", "{member}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{member}");
        assert_eq!(gw.record_of(&answer).await["outcome"], "invalid-request", "{member}");
    }
    assert_eq!(openings(&gw), before, "nothing was erased");
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
    // Who erases does not read.
    assert_eq!(office.get("/v1/audit/records").await.problem(), "403 forbidden");
}
