//! What neither the log nor the interface gives away, however it is asked.

use ring::hmac;
use serde_json::{Value, json};

use crate::support::client::{Answer, ask};
use crate::support::{PERSON, TestGateway, until};

const QUERY: &str = "/v1/datasets/civil.subsistence/query";
const SECRET: &str = "/v1/datasets/justice.custody/query";

async fn leaf_of(gw: &TestGateway, answer: &Answer) -> Value {
    gw.record_of(answer).await
}

#[tokio::test]
async fn a_record_commits_to_the_answer_and_only_its_key_opens_the_commitment() {
    let gw = TestGateway::start().await;
    let answer =
        gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    let recorded = leaf_of(&gw, &answer).await;
    let text = answer.text();
    let body = format!("{}}}", &text[..text.rfind(",\"receipt\":").unwrap()]);
    let key = answer.json()["receipt"]["response_key"].as_str().unwrap().to_owned();
    let under = |key: &[u8], body: &str| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), body.as_bytes());
        tag.as_ref().iter().map(|b| format!("{b:02x}")).collect::<String>()
    };
    let key: [u8; 32] = sluice::base::ids::decode_hex(&key).unwrap();
    assert_eq!(recorded["response"], under(&key, &body));
    assert_ne!(recorded["response"], under(&key, &body.replace("receiving", "ended")));

    // Nothing in the record or the database lets a reader try values: the key is the caller's.
    let hex: String = key.iter().map(|b| format!("{b:02x}")).collect();
    assert!(!recorded.to_string().contains(&hex));
    for file in std::fs::read_dir(gw.path().join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(32).any(|w| w == key) && !bytes.windows(64).any(|w| w == hex.as_bytes()));
    }
}

#[tokio::test]
async fn a_history_tells_who_asked_and_not_what_was_found_or_on_which_secret_list() {
    let gw = TestGateway::start().await;
    gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    // No adapter answers for the secret list here; that it was asked is recorded all the same.
    let fields = json!([{ "field": "in_custody", "form": "predicate" }]);
    let secret =
        gw.system("civil.benefits").post(SECRET, &ask("subsistence.recheck", &[PERSON], fields)).await;
    gw.record_of(&secret).await;
    let wish = json!({ "identifier": "resident-id", "value": PERSON, "case": "GR-1" });
    let history = gw.system("citizen.portal").post("/v1/subjects/history", &wish).await;
    let events = history.json()["events"].clone();
    assert_eq!(events[0]["dataset"], "civil.subsistence");
    assert_eq!(events[0]["fields"], json!([{ "field": "status", "form": "plain" }]));
    assert_eq!(
        (&events[1]["department"], &events[1]["purpose"]),
        (&json!("civil"), &json!("subsistence.recheck"))
    );
    for hidden in [
        "justice",
        "custody",
        "found",
        "operator",
        "hc-0231",
        "QZ-2026",
        "commitment",
        "certificate",
        "grant:",
    ] {
        assert!(!history.text().contains(hidden), "{hidden} in {}", history.text());
    }
}

#[tokio::test]
async fn a_persons_number_is_no_case_and_no_operator() {
    let gw = TestGateway::start().await;
    for number in [
        "11010519491231002X",
        "110105-19491231-002X",
        "13812345678",
        "6222020000000000000",
        "91350100M000100Y43",
    ] {
        for member in ["case", "operator"] {
            let mut body = ask("housing-aid.review", &[PERSON], json!(["status"]));
            body[member] = json!(number);
            let answer = gw.system("service.onestop").post(QUERY, &body).await;
            assert_eq!(answer.problem(), "422 invalid-request", "{member} {number}");
            assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{member}"));
        }
        let wish = json!({ "identifier": "resident-id", "value": PERSON, "case": number });
        let answer = gw.system("citizen.portal").post("/v1/subjects/history", &wish).await;
        assert_eq!(answer.problem(), "422 invalid-request", "{number}");
        let log = gw.records("").await;
        assert!(log.iter().all(|record| !record.to_string().contains(number)), "{number}");
    }
}

#[tokio::test]
async fn a_secret_list_and_a_name_that_nobody_has_are_told_apart_by_nothing() {
    let gw = TestGateway::start().await;
    let desk = gw.system("service.onestop");
    let body = ask("subsistence.recheck", &[PERSON], json!(["in_custody"]));
    let without_ids = |answer: &Answer| {
        let mut told = answer.json();
        told["request_id"] = Value::Null;
        let mut names: Vec<_> = answer.headers.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        (answer.status, told, names)
    };
    let secret = desk.post(SECRET, &body).await;
    let nothing = desk.post("/v1/datasets/justice.nothing/query", &body).await;
    assert_eq!(without_ids(&secret), without_ids(&nothing));
    let secret = desk.get("/v1/datasets/justice.custody").await;
    let nothing = desk.get("/v1/datasets/justice.nothing").await;
    assert_eq!(without_ids(&secret), without_ids(&nothing));
    assert!(!desk.get("/v1/datasets").await.text().contains("justice.custody"));
    assert!(gw.system("civil.benefits").get("/v1/datasets").await.text().contains("justice.custody"));
    // Probing for names leaves a trace.
    assert_eq!(gw.record_of(&secret).await["outcome"], "not-found");
}

#[tokio::test]
async fn a_record_is_read_by_its_asker_its_officers_and_auditors() {
    let mut gw = TestGateway::prepare().await;
    gw.admit("civil.security");
    gw.serve().unwrap();
    // The officer of civil affairs reads the trail; the other systems of the department do not
    // get to see what the officer does.
    let search = gw.system("civil.security").get("/v1/audit/records").await;
    let index = gw.record_of(&search).await["index"].as_u64().unwrap();
    let path = format!("/v1/audit/records/{index}");
    assert_eq!(gw.system("civil.benefits").get(&path).await.problem(), "404 not-found");
    assert_eq!(gw.system("civil.security").get(&path).await.status, 200);

    // What others asked of the department's own data is its officers' business; the rest is not.
    let asked =
        gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    let index = asked.json()["receipt"]["index"].as_u64().unwrap();
    let path = format!("/v1/audit/records/{index}");
    for (system, status) in [
        ("service.onestop", 200),
        ("civil.security", 200),
        ("audit.office", 200),
        ("housing.aid", 404),
        ("civil.benefits", 404),
    ] {
        assert_eq!(gw.system(system).get(&path).await.status, status, "{system}");
    }
    let about_ours =
        gw.system("civil.security").get("/v1/audit/records?dataset=civil.subsistence&kind=query").await;
    assert!(about_ours.text().contains("service.onestop"), "{}", about_ours.text());
    let about_theirs = gw.system("civil.security").get("/v1/audit/records?dataset=hrss.employment").await;
    assert!(!about_theirs.text().contains("service.onestop"));
}

#[tokio::test]
async fn what_was_searched_for_is_recorded_and_a_number_in_a_search_is_not() {
    let gw = TestGateway::start().await;
    let auditor = gw.system("audit.office");
    let search = auditor.get("/v1/audit/records?dataset=civil.subsistence&outcome=ok").await;
    let recorded = gw.record_of(&search).await;
    assert_eq!(
        (&recorded["for_dataset"], &recorded["for_outcome"]),
        (&json!("civil.subsistence"), &json!("ok"))
    );
    let search = auditor.get(&format!("/v1/audit/records?dataset={PERSON}&system=13812345678")).await;
    let recorded = gw.record_of(&search).await.to_string();
    assert!(!recorded.contains(PERSON) && !recorded.contains("13812345678"), "{recorded}");
}

#[tokio::test]
async fn roles_govern_the_whole_interface() {
    let gw = TestGateway::start().await;
    let desk = gw.system("service.onestop");
    assert_eq!(desk.get("/v1/datasets").await.status, 200);
    for action in ["datasets.read", "datasets.query", "explain.own"] {
        let lines = std::fs::read_to_string(gw.path().join("policies/roles.csv")).unwrap();
        let left: Vec<&str> = lines.lines().filter(|line| !line.contains(action)).collect();
        assert!(left.len() < lines.lines().count(), "{action}");
        std::fs::write(gw.path().join("policies/roles.csv"), left.join("\n")).unwrap();
    }
    assert_eq!(gw.apply().0, 0, "{}", gw.apply().1);
    until("the roles are taken away", async || (desk.get("/v1/datasets").await.status == 403).then_some(()))
        .await;
    assert_eq!(desk.get("/v1/datasets/civil.subsistence").await.problem(), "403 forbidden");
    let query = desk.query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!(query.problem(), "403 forbidden");
    assert_eq!(gw.record_of(&query).await["outcome"], "forbidden");
    let explain = desk.get(&format!("/v1/requests/{}/explain", query.header("x-request-id").unwrap())).await;
    assert_eq!(explain.problem(), "404 not-found");
}

#[tokio::test]
async fn a_policy_or_key_that_the_log_does_not_know_is_not_taken_up() {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};
    for (tampering, named) in [
        ("UPDATE versions SET sources = replace(sources, 'CS-031', 'CS-032')", None),
        (
            "INSERT INTO system_keys (fingerprint, system, registered_at) VALUES ('aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11', 'audit.office', 1)",
            Some("key-registered audit.office aa11"),
        ),
        (
            "UPDATE system_keys SET system = 'audit.office' WHERE system = 'housing.aid'",
            Some("key-registered audit.office"),
        ),
    ] {
        let mut gw = TestGateway::start().await;
        gw.stop();
        let state = gw.path().join("data/state.db");
        let mut connection = SqliteConnection::establish(state.to_str().unwrap()).unwrap();
        connection.batch_execute(tampering).unwrap();
        drop(connection);
        let served = gw.serve();
        let Some(named) = named else {
            let why = served.unwrap_err();
            assert!(why.contains("the log does not bear out") && why.contains("policy-applied"), "{why}");
            continue;
        };
        // The others go on.
        served.unwrap();
        assert!(gw.log().contains("the log does not bear out") && gw.log().contains(named), "{}", gw.log());
        assert_eq!(gw.system("service.onestop").get("/v1/datasets").await.status, 200);
        if tampering.starts_with("UPDATE") {
            assert_eq!(
                gw.system("housing.aid").get("/v1/datasets").await.problem(),
                "401 certificate-unknown"
            );
        }
    }
}
