//! From "it is sensitive" to a grant, over real TLS, by people who are signed in.

use serde_json::{Value, json};
use sluice::base::ids::AccountId;
use sluice::demo::certificates::Usage;
use sluice::identity::Role;
use sluice::store::state::Change;

use crate::support::client::{Answer, Client};
use crate::support::{TestGateway, now, until};

/// The people of both sides, signed in.
pub struct People {
    pub applicant: Client,
    pub lead: Client,
    pub head: Client,
    pub leader: Client,
    pub owner: Client,
}

impl People {
    pub async fn of(gw: &TestGateway) -> Self {
        Self {
            applicant: gw.person("h.applicant", "housing", &["applicant"]).await,
            lead: gw.person("h.lead", "housing", &["sharing_lead"]).await,
            head: gw.person("c.head", "civil", &["section_head"]).await,
            leader: gw.person("c.leader", "civil", &["leader"]).await,
            owner: gw.person("c.lead", "civil", &["sharing_lead"]).await,
        }
    }

    /// An application that has come to a grant; its id.
    pub async fn granted(&self, terms: &Value) -> String {
        let id = self.up_to(terms, 6).await;
        assert_eq!(self.owner.get(&format!("/v1/applications/{id}")).await.json()["state"], "active");
        id
    }

    /// An application that went so many steps of its way; its id.
    pub async fn up_to(&self, terms: &Value, steps: usize) -> String {
        let drafted = self.applicant.post("/v1/applications", &json!({ "terms": terms })).await;
        assert_eq!(drafted.status, 201, "{}", drafted.text());
        let mut given = drafted.json();
        let id = given["application"].as_str().unwrap().to_owned();
        let way = [
            (&self.applicant, "submit"),
            (&self.lead, "consent"),
            (&self.head, "approve"),
            (&self.leader, "approve"),
            (&self.owner, "approve"),
            (&self.lead, "accept"),
        ];
        for (who, name) in &way[..steps] {
            let version = json!({ "version": given["version"] });
            let answer = who.post(&format!("/v1/applications/{id}/{name}"), &version).await;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            given = answer.json();
        }
        id
    }
}

/// Gives a command for the version that the application has.
pub async fn give(who: &Client, id: &str, name: &str, mut members: Value) -> Answer {
    members["version"] = who.get(&format!("/v1/applications/{id}")).await.json()["version"].clone();
    who.post(&format!("/v1/applications/{id}/{name}"), &members).await
}

/// What housing asks of civil affairs, beyond what it has.
pub fn terms() -> Value {
    json!({
        "dataset": "civil.subsistence",
        "purpose": "housing-aid.review",
        "basis": "公共租赁住房管理办法第七条",
        "scenario": "公租房申请资格审核",
        "scope": "住房保障科经办人员",
        "mode": "service",
        "systems": ["housing.aid"],
        "fields": [{ "field": "monthly_allowance", "form": "band", "reason": "核对补助" }],
        "per_day": 200,
        "distinct_per_day": 100,
        "until": "2028-06-30"
    })
}

#[tokio::test]
async fn a_chain_of_people_leads_to_a_grant_and_every_step_stands_in_the_log() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw).await;
    let id = people.granted(&terms()).await;
    assert_eq!(id, "A-2026-000001");
    let view = people.owner.get(&format!("/v1/applications/{id}")).await;
    assert_eq!(view.header("etag"), Some("\"8\""));
    let view = view.json();
    assert_eq!((view["state"].as_str(), view["grant"].as_str()), (Some("active"), Some("G-2026-000001")));
    let can: Vec<&str> =
        view["can"].as_array().unwrap().iter().filter_map(|c| c["command"].as_str()).collect();
    assert!(can.contains(&"suspend") && can.contains(&"revoke") && !can.contains(&"close"), "{can:?}");

    let events = people.head.get(&format!("/v1/applications/{id}/events")).await.json();
    let auditor = gw.system("audit.office");
    for event in events["events"].as_array().unwrap() {
        let index = event["record"].as_u64().unwrap();
        let record = auditor.get(&format!("/v1/audit/records/{index}")).await.json();
        let leaf: Value = serde_json::from_str(record["leaf"].as_str().unwrap()).unwrap();
        assert_eq!(leaf["action"], json!(format!("application-{}", event["event"].as_str().unwrap())));
        assert_eq!(leaf["object"], json!(id));
    }
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

#[tokio::test]
async fn a_grant_that_the_files_suspend_is_let_go_on_by_the_files_alone() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw).await;
    let security = gw.person("o.security", "audit", &["security_admin"]).await;
    let path = "/v1/grants/G-2026-0019".to_owned();
    let seen = people.owner.get(&path).await.json();
    assert_eq!(seen["state"], "suspended", "{seen}");
    let can = |seen: &Value| seen["can"].as_array().unwrap().iter().any(|can| can["command"] == "resume");
    assert!(!can(&seen));
    for who in [&people.owner, &people.leader, &security] {
        let version = json!({ "version": seen["version"] });
        assert_eq!(who.post(&format!("{path}/resume"), &version).await.problem(), "409 wrong-state");
    }
    // The file says that it may go on; from then on people decide again.
    let file = gw.path().join("policies/grants.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("suspended = true", "suspended = false")).unwrap();
    assert_eq!(gw.sluice(&["apply", "--config", "sluice.toml"]).0, 0);
    until("it goes on", async || (people.owner.get(&path).await.json()["state"] == "active").then_some(()))
        .await;
}

#[tokio::test]
async fn a_role_that_nobody_lent_is_not_lent_whatever_the_database_says() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw).await;
    let deputy = gw.person("c.deputy", "civil", &["applicant"]).await;
    let mallory = gw.person("c.mallory", "civil", &["applicant"]).await;
    let id = people.up_to(&terms(), 2).await;
    let since = now().plus_seconds(-60);
    let lend = json!({
        "to": "c.deputy", "role": "section_head", "since": since.to_string(),
        "until": now().plus_seconds(86_400).to_string()
    });
    let keyed = people.head.clone().with_header("idempotency-key", "k");
    let lent = keyed.post("/v1/delegations", &lend).await;
    assert_eq!(lent.status, 201, "{}", lent.text());
    assert_eq!(keyed.post("/v1/delegations", &lend).await.json(), lent.json(), "sent again, lent once");
    let number = lent.json()["delegation"].clone();
    let may = async |who: &Client| {
        let view = who.get(&format!("/v1/applications/{id}")).await.json();
        view["can"].as_array().unwrap().iter().any(|can| can["command"] == "approve")
    };
    assert!(may(&deputy).await);
    // Another gets it; it lasts longer; it was given by somebody else; it was never taken back.
    for tampering in [
        format!("UPDATE delegations SET to_account = 'c.mallory' WHERE id = {number}"),
        format!("UPDATE delegations SET to_account = 'c.deputy', until = until + 1 WHERE id = {number}"),
        format!(
            "UPDATE delegations SET until = until - 1, from_account = 'c.leader', role = 'leader' WHERE id = {number}"
        ),
        "INSERT INTO delegations (from_account, to_account, role, since, until)
         SELECT 'c.head', 'c.mallory', 'section_head', since, until FROM delegations"
            .to_owned(),
    ] {
        gw.tamper(&tampering);
        assert!(!may(&deputy).await && !may(&mallory).await, "{tampering}");
    }
    gw.tamper(&format!(
        "UPDATE delegations SET from_account = 'c.head', role = 'section_head' WHERE id = {number}"
    ));
    assert!(may(&deputy).await);
    assert_eq!(people.head.delete(&format!("/v1/delegations/{number}")).await.status, 204);
    gw.tamper("UPDATE delegations SET ended_at = NULL; DELETE FROM acts WHERE kind = 'delegation-ended'");
    assert!(!may(&deputy).await, "it was taken back");
}

#[tokio::test]
async fn versions_keys_and_faults_are_told_as_the_interface_says() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw).await;
    let body = json!({ "terms": terms() });
    let keyed = people.applicant.clone().with_header("idempotency-key", "k-1");
    let first = keyed.post("/v1/applications", &body).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = keyed.post("/v1/applications", &body).await;
    assert_eq!((again.status, again.body.clone()), (201, first.body.clone()));
    assert_eq!(first.header("location"), Some("/v1/applications/A-2026-000001"));
    let other = keyed.post("/v1/applications", &json!({ "terms": terms(), "as": {} })).await;
    assert_eq!(other.problem(), "422 idempotency-key-reused");

    let path = "/v1/applications/A-2026-000001/submit";
    let stale = people.applicant.clone().with_header("if-match", "\"9\"");
    assert_eq!(stale.post(path, &json!({})).await.problem(), "412 version-mismatch");
    let none = people.applicant.post(path, &json!({})).await;
    assert_eq!(none.json()["errors"][0]["pointer"], "/version");
    let fresh = people.applicant.clone().with_header("if-match", "\"1\"");
    let done = fresh.post(path, &json!({})).await;
    assert_eq!((done.status, done.header("etag")), (200, Some("\"2\"")));
    assert_eq!(people.head.post(path, &json!({ "version": 2 })).await.problem(), "403 forbidden");
    assert_eq!(people.applicant.post(path, &json!({ "version": 2 })).await.problem(), "409 wrong-state");
    let unknown =
        people.applicant.post("/v1/applications/A-2026-000001/rule", &json!({ "version": 2 })).await;
    assert_eq!(unknown.problem(), "404 not-found");
    let bad = people.applicant.post("/v1/applications", &json!({ "terms": { "per_day": "x" } })).await;
    assert_eq!(bad.problem(), "422 invalid-request");
    assert_eq!(gw.system("housing.aid").get("/v1/applications").await.problem(), "401 sign-in-required");
}

#[tokio::test]
async fn a_grant_is_listed_and_stopped_under_its_own_path() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw).await;
    let id = people.granted(&terms()).await;
    let listed = people.owner.get("/v1/grants").await.json();
    let ids: Vec<&str> =
        listed["grants"].as_array().unwrap().iter().filter_map(|g| g["grant"].as_str()).collect();
    assert!(ids.contains(&"G-2026-000001") && ids.contains(&"G-2026-0002"), "{ids:?}");
    let view = people.owner.get("/v1/grants/G-2026-000001").await.json();
    assert_eq!((view["application"].as_str(), view["state"].as_str()), (Some(id.as_str()), Some("active")));
    let suspend = json!({ "version": view["version"], "note": "发现超范围使用" });
    let suspended = people.owner.post("/v1/grants/G-2026-000001/suspend", &suspend).await;
    assert_eq!(suspended.json()["state"], "suspended", "{}", suspended.text());
}

#[tokio::test]
async fn the_command_line_goes_the_way_that_everybody_goes() {
    let gw = TestGateway::start().await;
    gw.enrol("h.clerk", "housing", &[]);
    let issued = gw.authority.issue("h.clerk", &[], Usage::Client, now()).unwrap();
    let account = AccountId::parse("h.clerk").unwrap();
    for change in [Change::BindCertificate(issued.fingerprint), Change::GiveRole(Role::Applicant)] {
        gw.state().change_account(&account, &change, "uid 0", now()).unwrap();
    }
    issued.write(gw.path(), "clerk").unwrap();
    std::fs::write(gw.path().join("gateway-ca.pem"), gw.authority.certificate()).unwrap();
    std::fs::write(gw.path().join("draft.json"), json!({ "terms": terms() }).to_string()).unwrap();
    let url = format!("https://localhost:{}", gw.address().port());
    let run = |arguments: &[&str]| {
        let tls = ["--url", &url, "--cert", "clerk.pem", "--key", "clerk.key", "--ca", "gateway-ca.pem"];
        gw.sluice(&[&["application"], arguments, &tls].concat())
    };
    let (code, out, err) = run(&["draft", "--body", "draft.json"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("A-2026-000001"), "{out}");
    assert_eq!(run(&["give", "A-2026-000001", "submit"]).0, 0);
    let (code, out, _) = run(&["show", "A-2026-000001"]);
    assert!(code == 0 && out.contains("\"consent\""), "{out}");
    let (code, _, err) = run(&["give", "A-2026-000001", "consent"]);
    assert!(code == 1 && err.contains("403 forbidden"), "{err}");
    assert!(run(&["list", "--state", "consent"]).1.contains("A-2026-000001"));
    assert!(!run(&["list", "--waiting"]).1.contains("A-2026-000001"), "it waits for the lead");
}
