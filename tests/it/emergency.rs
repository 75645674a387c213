//! Emergency access: more than usual, for one person's queries in one case, and no longer than it
//! stands.

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use sluice::base::ids::{AccountId, DatasetId, hex};
use sluice::store::state::StateStore;
use sluice::store::state::emergency::{Emergency, Enrolment, Opened};

use crate::support::client::Answer;
use crate::support::{OTHER, PERSON, TestGateway, now, resident_id, until};

const QUERY: &str = "/v1/datasets/civil.subsistence/query";
const ACCOUNT: &str = "service.chen";
const CASE: &str = "YJ-2026-0007";

fn state(gw: &TestGateway) -> StateStore {
    StateStore::open(&gw.path().join("data/state.db")).unwrap()
}

fn enrol(gw: &TestGateway, to: Enrolment) {
    let (account, dataset) = (AccountId::parse(ACCOUNT), DatasetId::parse("civil.subsistence"));
    assert!(state(gw).enrol(&account.unwrap(), &dataset.unwrap(), to, "civil.lead", now()).unwrap());
}

/// As the use case opens it.
fn open(gw: &TestGateway) -> String {
    let until = now().plus_seconds(3600);
    let terms = json!({
        "dataset": "civil.subsistence", "purpose": "livelihood.review", "system": "service.onestop",
        "case": CASE, "operator": ACCOUNT, "fields": [{ "field": "mobile", "form": "plain" }],
        "subjects": 20, "until": until.to_string()
    })
    .to_string();
    let new = Emergency {
        id: String::new(),
        account: ACCOUNT.into(),
        person: "P-7".into(),
        department: "service".into(),
        provider: "civil".into(),
        dataset: "civil.subsistence".into(),
        digest: hex(digest(&SHA256, terms.as_bytes()).as_ref()),
        terms,
        reason: "台风安置".into(),
        since: now().micros(),
        until: until.micros(),
        state: "active".into(),
        review_due: "2030-01-01".into(),
        overdue: false,
        verdict: None,
        note: None,
        reviewer: None,
        reviewed_at: None,
    };
    match state(gw).open_emergency(new, |_| vec![], now()).unwrap() {
        Opened::Yes(opened) => opened.id,
        other => panic!("{other:?}"),
    }
}

async fn ask(gw: &TestGateway, people: &[&str], case: &str, operator: &str) -> Answer {
    let subjects: Vec<Value> = people.iter().map(|id| json!({ "id_number": id })).collect();
    let body = json!({
        "purpose": "livelihood.review", "case": case, "operator": operator, "subjects": subjects, "fields": ["mobile"]
    });
    gw.system("service.onestop").post(QUERY, &body).await
}

async fn mobile(gw: &TestGateway, people: &[&str], case: &str, operator: &str) -> String {
    let answer = ask(gw, people, case, operator).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["results"][0]["data"]["mobile"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn emergency_access_is_for_one_subject_in_its_case_by_its_person_and_twenty_in_all() {
    let gw = TestGateway::start().await;
    let (masked, plain) = ("138****8000", "13800138000");
    assert_eq!(mobile(&gw, &[PERSON], CASE, ACCOUNT).await, masked);
    enrol(&gw, Enrolment::Active);
    let id = open(&gw);
    until("it is open", async || (mobile(&gw, &[PERSON], CASE, ACCOUNT).await == plain).then_some(())).await;
    let answer = ask(&gw, &[PERSON], CASE, ACCOUNT).await.json();
    let request = answer["request_id"].as_str().unwrap();
    let explained = gw.system("service.onestop").get(&format!("/v1/requests/{request}/explain")).await.json();
    assert_eq!(explained["fields"][0]["rule"], format!("grant:{id}"));

    assert_eq!(mobile(&gw, &[PERSON], "YJ-2026-0008", ACCOUNT).await, masked);
    assert_eq!(mobile(&gw, &[PERSON], CASE, "service.wu").await, masked);
    assert_eq!(mobile(&gw, &[PERSON, OTHER], CASE, ACCOUNT).await, masked);

    for n in 10..29 {
        let person = resident_id(&format!("11010519800101{n}0"));
        assert_eq!(ask(&gw, &[&person], CASE, ACCOUNT).await.status, 200, "{n}");
    }
    let one_more = ask(&gw, &[OTHER], CASE, ACCOUNT).await;
    assert_eq!(one_more.problem(), "429 quota-exhausted");
    assert!(one_more.header("ratelimit-policy").unwrap().starts_with("\"grant-distinct\";q=20;"));
    assert_eq!(mobile(&gw, &[PERSON], CASE, ACCOUNT).await, plain, "who was asked about already");

    enrol(&gw, Enrolment::Withdrawn);
    until("it is over", async || (mobile(&gw, &[PERSON], CASE, ACCOUNT).await == masked).then_some(())).await;
    let acts = gw.records("kind=administration").await;
    let told = acts.iter().filter(|act| act["object"] == ACCOUNT || act["object"] == id.as_str());
    let told: Vec<_> = told.map(|act| act["action"].clone()).collect();
    assert_eq!(
        told,
        [
            "emergency-enrolled",
            "emergency-opened",
            "grant-active",
            "emergency-enrolment-withdrawn",
            "grant-ended"
        ]
    );
}
