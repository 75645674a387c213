//! Accounts and roles: it takes two to give somebody a power, and each sees what the roles show.

use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::clock::Clock;
use crate::support::person::{CHOSEN, secret_of};
use crate::support::{PERSON, TestGateway, now, until};

const PEOPLE: &str = "/v1/people";

fn of(account: &str, command: &str) -> String {
    format!("/v1/people/{account}/{command}")
}

fn zhang() -> Value {
    json!({ "account": "civil.zhang", "person": "P-0102", "name": "张伟", "department": "civil", "email": "zhang@civil.example" })
}

fn codes(answers: &[Answer]) -> Vec<String> {
    answers.iter().map(Answer::problem).collect()
}

#[tokio::test]
async fn one_administrator_makes_the_account_another_gives_the_role_and_each_act_is_recorded() {
    let gw = TestGateway::start().await;
    let system = gw.person("sys", "audit", &["system_admin"]).await;
    let security = gw.person("sec", "audit", &["security_admin"]).await;

    assert_eq!(security.post(PEOPLE, &zhang()).await.problem(), "403 forbidden");
    let made = system.post(PEOPLE, &zhang()).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json();
    assert_eq!((&made["roles"], &made["active"]), (&json!([]), &json!(true)));
    assert_eq!(system.post(PEOPLE, &zhang()).await.problem(), "409 account-taken");
    let role = json!({ "role": "applicant" });
    let give = of("civil.zhang", "give-role");
    // Whoever made the account could still sign in to it.
    assert_eq!(security.post(&give, &role).await.problem(), "409 wrong-state");

    // The person changes the password, sets up a code generator, and is in.
    let body = json!({ "account": "civil.zhang", "password": made["one_time_password"] });
    let first = gw.nobody().post("/v1/session", &body).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let zhang = gw.nobody().with_cookies(&first);
    let change = json!({ "password": made["one_time_password"], "new": CHOSEN });
    let zhang = gw.nobody().with_cookies(&zhang.post("/v1/session/password", &change).await);
    assert_eq!(zhang.get("/v1/datasets").await.problem(), "403 sign-in-unfinished");
    let offer = zhang.post("/v1/session/totp", &json!({ "password": CHOSEN })).await.json();
    let secret = offer["otpauth"].as_str().unwrap().split("secret=").nth(1).unwrap().to_owned();
    let secret = secret_of(secret.split('&').next().unwrap());
    let code = secret.code_at(now());
    let zhang = gw.nobody().with_cookies(&zhang.post("/v1/session/totp", &json!({ "code": code })).await);
    assert_eq!(zhang.get("/v1/datasets").await.status, 200);
    assert_eq!(system.post(&give, &role).await.problem(), "403 forbidden");
    let given = security.post(&give, &role).await;
    assert_eq!(given.json()["roles"], json!(["applicant"]), "{}", given.text());
    assert_eq!(zhang.get("/v1/session").await.problem(), "401 sign-in-required", "it signs in anew");
    let body = json!({ "account": "civil.zhang", "password": CHOSEN, "totp": secret.code_at(now().plus_seconds(30)) });
    let zhang = gw.nobody().with_cookies(&gw.nobody().post("/v1/session", &body).await);
    assert_eq!(zhang.get("/v1/datasets").await.status, 200);
    assert_eq!(zhang.get(PEOPLE).await.problem(), "403 forbidden");

    // A role that is withdrawn is gone with the session it was used in.
    let withdrawn = security.post(&of("civil.zhang", "withdraw-role"), &role).await;
    assert_eq!(withdrawn.json()["roles"], json!([]));
    assert_eq!(zhang.get("/v1/session").await.problem(), "401 sign-in-required");

    let acts = gw.records("kind=administration").await;
    let told: Vec<_> = acts
        .iter()
        .filter(|act| act["object"] == "civil.zhang")
        .map(|act| [&act["action"], &act["detail"], &act["done_by"]].map(|part| part.as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ["account-made", "civil P-0102", "sys"],
            ["password-changed", "", "civil.zhang"],
            ["code-changed", "", "civil.zhang"],
            ["role-granted", "applicant", "sec"],
            ["role-withdrawn", "applicant", "sec"],
        ]
    );
    let text = serde_json::to_string(&gw.records("").await).unwrap();
    assert!(
        !text.contains("张伟") && !text.contains("zhang@civil"),
        "neither name nor address is in the log"
    );
}

#[tokio::test]
async fn of_the_three_duties_a_person_holds_one_over_all_accounts() {
    let gw = TestGateway::start().await;
    let security = gw.person("sec", "audit", &["security_admin"]).await;
    gw.person("both/both.1", "audit", &["auditor"]).await;
    gw.person("both/both.2", "civil", &["applicant"]).await;
    let give = async |account: &str, role: &str| {
        security.post(&of(account, "give-role"), &json!({ "role": role })).await
    };
    for duty in ["system_admin", "security_admin"] {
        assert_eq!(give("both.1", duty).await.problem(), "409 exclusive-roles");
        assert_eq!(give("both.2", duty).await.problem(), "409 exclusive-roles", "through a second account");
    }
    assert_eq!(give("both.2", "leader").await.status, 200);
    assert_eq!(give("both.2", "citizen_service").await.problem(), "422 invalid-request", "a system's role");
    assert_eq!(give("nobody", "leader").await.problem(), "404 not-found");
}

#[tokio::test]
async fn nobody_changes_an_account_of_their_own() {
    let gw = TestGateway::start().await;
    let security = gw.person("s/sec.1", "audit", &["security_admin"]).await;
    let system = gw.person("t/sys.1", "audit", &["system_admin"]).await;
    gw.enrol("s/sec.2", "civil", &[]);
    gw.enrol("t/sys.2", "civil", &[]);
    let role = json!({ "role": "leader" });
    let tried = [
        security.post(&of("sec.1", "give-role"), &role).await,
        security.post(&of("sec.2", "give-role"), &role).await,
        security.post(&of("sec.2", "reset-totp"), &json!({})).await,
        system.post(&of("sys.2", "reset-password"), &json!({})).await,
        system.post(&of("sys.1", "disable"), &json!({})).await,
        system
            .post(
                PEOPLE,
                &json!({ "account": "sys.3", "person": "P-t", "name": "王", "department": "civil" }),
            )
            .await,
    ];
    assert_eq!(codes(&tried), ["403 not-separate"; 6]);
    assert_eq!(gw.record_of(&tried[0]).await["outcome"], "not-separate");
}

#[tokio::test]
async fn neither_administrator_alone_becomes_somebody_with_roles() {
    let gw = TestGateway::start().await;
    let system = gw.person("sys", "audit", &["system_admin"]).await;
    let security = gw.person("sec", "audit", &["security_admin"]).await;
    gw.person("li", "civil", &["leader"]).await;
    gw.enrol("new", "civil", &[]);
    let key = json!({ "fingerprint": "ab".repeat(32) });
    let housing = json!({ "fingerprint": gw.issued["housing.aid"].fingerprint.to_string() });
    let tried = [
        system.post(&of("li", "bind-certificate"), &key).await,
        security.post(&of("li", "bind-certificate"), &key).await,
        security.post(&of("li", "reset-password"), &json!({})).await,
        system.post(&of("li", "reset-totp"), &json!({})).await,
        system.post(&of("new", "bind-certificate"), &housing).await,
    ];
    assert_eq!(
        codes(&tried),
        ["409 wrong-state", "403 forbidden", "403 forbidden", "403 forbidden", "409 account-taken"]
    );
    assert_eq!(system.post(&of("new", "bind-certificate"), &key).await.status, 200);
    // With no code asked for beside, whoever reset the password could sign in as li alone.
    assert_eq!(system.post(&of("li", "reset-password"), &json!({})).await.problem(), "409 wrong-state");
    assert_eq!(system.post(&of("li", "king"), &json!({})).await.problem(), "404 not-found");
}

#[tokio::test]
async fn an_account_that_is_disabled_is_out_on_the_next_request_and_back_when_enabled() {
    let gw = TestGateway::start().await;
    let (system, security) = (
        gw.person("sys", "audit", &["system_admin"]).await,
        gw.person("sec", "audit", &["security_admin"]).await,
    );
    let certificate = gw.enrol("li", "civil", &["leader"]);
    let by = json!({ "by": "certificate" });
    let li = gw.nobody().with_cookies(&certificate.post("/v1/session", &by).await);
    assert_eq!(li.get("/v1/datasets").await.status, 200);
    assert_eq!(security.post(&of("li", "disable"), &json!({})).await.json()["active"], false);
    assert_eq!(li.get("/v1/datasets").await.problem(), "401 sign-in-required");
    assert_eq!(certificate.post("/v1/session", &by).await.problem(), "401 sign-in-failed");
    // To put back in force what has roles is to give them.
    assert_eq!(system.post(&of("li", "enable"), &json!({})).await.problem(), "403 forbidden");
    assert_eq!(security.post(&of("li", "enable"), &json!({})).await.json()["active"], true);
    assert_eq!(li.get("/v1/datasets").await.problem(), "401 sign-in-required", "the session has ended");
    assert_eq!(certificate.post("/v1/session", &by).await.status, 200);
    // Without roles it is the other administrator's.
    gw.enrol("wu", "civil", &[]);
    assert_eq!(system.post(&of("wu", "disable"), &json!({})).await.status, 200);
    assert_eq!(security.post(&of("wu", "enable"), &json!({})).await.problem(), "403 forbidden");
    assert_eq!(system.post(&of("wu", "enable"), &json!({})).await.json()["active"], true);
}

#[tokio::test]
async fn a_role_is_given_to_whom_its_maker_cannot_be_any_more() {
    let gw = TestGateway::start().await;
    let system = gw.person("sys", "audit", &["system_admin"]).await;
    let security = gw.person("sec", "audit", &["security_admin"]).await;
    let role = json!({ "role": "leader" });
    let give = of("civil.zhang", "give-role");
    let made = system.post(PEOPLE, &zhang()).await.json();
    assert_eq!(security.post(&give, &role).await.problem(), "409 wrong-state", "a one-time password is open");
    // A certificate takes its place, and the password opens nothing any more.
    let key = json!({ "fingerprint": "ab".repeat(32) });
    assert_eq!(system.post(&of("civil.zhang", "bind-certificate"), &key).await.status, 200);
    let body = json!({ "account": "civil.zhang", "password": made["one_time_password"] });
    assert_eq!(gw.nobody().post("/v1/session", &body).await.problem(), "401 sign-in-failed");
    // Another one opens the way again, until the role is there; then there is none.
    let again = of("civil.zhang", "reset-password");
    assert_eq!(system.post(&again, &json!({})).await.status, 200);
    assert_eq!(security.post(&give, &role).await.problem(), "409 wrong-state");
    let other = json!({ "fingerprint": "cd".repeat(32) });
    assert_eq!(system.post(&of("civil.zhang", "bind-certificate"), &other).await.status, 200);
    assert_eq!(security.post(&give, &role).await.status, 200);
    assert_eq!(system.post(&again, &json!({})).await.problem(), "409 wrong-state");

    // Nor is a certificate bound to an account that somebody has claimed by a password.
    let claimed = json!({ "account": "civil.qian", "person": "P-0103", "name": "钱", "department": "civil" });
    let made = system.post(PEOPLE, &claimed).await.json();
    let body = json!({ "account": "civil.qian", "password": made["one_time_password"] });
    let qian = gw.nobody().with_cookies(&gw.nobody().post("/v1/session", &body).await);
    let change = json!({ "password": made["one_time_password"], "new": CHOSEN });
    assert_eq!(qian.post("/v1/session/password", &change).await.status, 200);
    let key = json!({ "fingerprint": "ef".repeat(32) });
    let bound = system.post(&of("civil.qian", "bind-certificate"), &key).await;
    assert_eq!(bound.problem(), "409 wrong-state");
}

#[tokio::test]
async fn an_account_sent_twice_under_its_key_is_made_once_and_its_password_is_told_again() {
    let gw = TestGateway::start().await;
    let system = gw.person("sys", "audit", &["system_admin"]).await.with_header("idempotency-key", "k-1");
    let first = system.post(PEOPLE, &zhang()).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let again = system.post(PEOPLE, &zhang()).await;
    assert_eq!(again.json(), first.json());
    let mut other = zhang();
    other["account"] = "civil.other".into();
    assert_eq!(system.post(PEOPLE, &other).await.problem(), "422 idempotency-key-reused");
    assert_eq!(
        system.post(&of("civil.zhang", "disable"), &json!({})).await.problem(),
        "422 idempotency-key-reused"
    );
    let reset = async |key: &str| {
        let system = system.clone().with_header("idempotency-key", key);
        system.post(&of("civil.zhang", "reset-password"), &json!({})).await.json()["one_time_password"]
            .clone()
    };
    let password = reset("k-2").await;
    assert_eq!(reset("k-2").await, password);
    assert_ne!(reset("k-3").await, password);
    let acts = gw.records("kind=administration").await;
    let told =
        |action: &str| acts.iter().filter(|a| a["object"] == "civil.zhang" && a["action"] == action).count();
    assert_eq!((told("account-made"), told("password-reset")), (1, 2));
    // What is kept of the answers is sealed.
    let kept = std::fs::read(gw.path().join("data/state.db-wal")).unwrap_or_default();
    let kept = [kept, std::fs::read(gw.path().join("data/state.db")).unwrap()].concat();
    let password = password.as_str().unwrap().as_bytes();
    assert!(!kept.windows(password.len()).any(|window| window == password));
}

#[tokio::test]
async fn accounts_are_seen_by_the_administrators_and_the_own_departments_leads() {
    let gw = TestGateway::start().await;
    let lead = gw.person("civil.lead", "civil", &["sharing_lead"]).await;
    let auditor = gw.person("aud", "audit", &["auditor"]).await;
    let applicant = gw.person("civil.wang", "civil", &["applicant"]).await;
    gw.person("hrss.li", "hrss", &["applicant"]).await;
    let names = |answer: &Answer| -> Vec<String> {
        let people = answer.json()["people"].as_array().unwrap().clone();
        people.iter().map(|person| person["account"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&lead.get(PEOPLE).await), ["civil.lead", "civil.wang"]);
    assert_eq!(names(&lead.get("/v1/people?department=hrss").await), ["civil.lead", "civil.wang"]);
    assert_eq!(names(&auditor.get(PEOPLE).await), ["aud", "civil.lead", "civil.wang", "hrss.li"]);
    assert_eq!(names(&auditor.get("/v1/people?department=hrss").await), ["hrss.li"]);
    assert_eq!(names(&auditor.get("/v1/people?after=civil.wang").await), ["hrss.li"]);
    assert_eq!(auditor.get("/v1/people?colour=red").await.problem(), "422 invalid-request");
    assert_eq!(applicant.get(PEOPLE).await.problem(), "403 forbidden");
    assert_eq!(lead.get("/v1/people/civil.wang").await.json()["roles"], json!(["applicant"]));
    assert_eq!(lead.get("/v1/people/hrss.li").await.problem(), "404 not-found");
    assert_eq!(applicant.get("/v1/people/civil.lead").await.problem(), "404 not-found");
}

#[tokio::test]
async fn what_names_somebody_for_years_is_no_number_of_a_person() {
    let gw = TestGateway::start().await;
    let system = gw.person("sys", "audit", &["system_admin"]).await;
    for (member, value, fault) in [
        ("account", PERSON, "not-allowed-value"),
        ("person", PERSON, "not-allowed-value"),
        ("account", "a b", "wrong-pattern"),
        ("name", "", "out-of-bounds"),
        ("name", PERSON, "wrong-pattern"),
        ("department", "moon", "not-allowed-value"),
        ("email", "zhang@civil\r\nbcc: x@y", "wrong-pattern"),
    ] {
        let mut body = zhang();
        body[member] = value.into();
        let refused = system.post(PEOPLE, &body).await;
        assert_eq!(refused.problem(), "422 invalid-request", "{member}");
        let errors = &refused.json()["errors"][0];
        assert_eq!((&errors["pointer"], &errors["code"]), (&json!(format!("/{member}")), &json!(fault)));
        assert!(value.is_empty() || !refused.text().contains(value), "{}", refused.text());
    }
}

#[tokio::test]
async fn people_read_the_log_and_the_catalogue_as_their_roles_allow() {
    let gw = TestGateway::start().await;
    let query =
        gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!(query.status, 200, "{}", query.text());
    let index = query.json()["receipt"]["index"].as_u64().unwrap();
    gw.record_of(&query).await;
    let id = query.header("x-request-id").unwrap();
    let auditor = gw.person("aud", "audit", &["auditor"]).await;
    let officer = gw.person("civil.officer", "civil", &["confidentiality_officer"]).await;
    let clerk = gw.person("service.wang", "service", &["applicant"]).await;
    let other = gw.person("hrss.li", "hrss", &["applicant"]).await;
    let everybody = [&auditor, &officer, &clerk, &other];

    let mut told = Vec::new();
    for path in [
        format!("/v1/requests/{id}/explain"),
        "/v1/audit/records?kind=query".to_owned(),
        format!("/v1/audit/records/{index}"),
        format!("/v1/audit/records/{index}/proof"),
        "/v1/audit/checkpoint".to_owned(),
    ] {
        let mut statuses = Vec::new();
        for person in everybody {
            statuses.push(person.get(&path).await.status);
        }
        told.push((path.replace(id, "ID").replace(&index.to_string(), "N"), statuses));
    }
    let history = json!({ "identifier": "resident-id", "value": PERSON, "case": "GR-2026-000001" });
    let mut statuses = Vec::new();
    for person in everybody {
        statuses.push(person.post("/v1/subjects/history", &history).await.status);
    }
    told.push(("history".into(), statuses));
    let erase = json!({ "identifier": "resident-id", "value": PERSON, "case": "GR-2026-000001", "reason": "unlawful" });
    assert_eq!(auditor.post("/v1/subjects/erase", &erase).await.problem(), "403 forbidden");
    // The auditor; the officer of the department that was asked; a clerk of the one that asked; one
    // of a third.
    let expected = [
        ("/v1/requests/ID/explain", [200, 404, 200, 404]),
        ("/v1/audit/records?kind=query", [200, 200, 403, 403]),
        ("/v1/audit/records/N", [200, 200, 404, 404]),
        ("/v1/audit/records/N/proof", [200, 200, 404, 404]),
        ("/v1/audit/checkpoint", [200, 200, 200, 200]),
        ("history", [200, 403, 403, 403]),
    ];
    assert_eq!(told, expected.map(|(path, statuses)| (path.to_owned(), statuses.to_vec())));

    // The record of a reading names the person.
    let read = auditor.get(&format!("/v1/audit/records/{index}")).await;
    let record = gw.record_of(&read).await;
    assert_eq!(
        (&record["caller"]["account"], &record["caller"]["department"]),
        (&json!("aud"), &json!("audit"))
    );

    // The catalogue: as the systems of the person's department may ask it.
    let path = "/v1/datasets/civil.subsistence";
    let (person, system) =
        (clerk.get(path).await.json(), gw.system("service.onestop").get(path).await.json());
    assert_eq!(person["fields"], system["fields"]);
    // A secret list: known to whoever owns it or has a system that may ask something of it.
    let custody = "/v1/datasets/justice.custody";
    for person in [&clerk, &auditor] {
        assert_eq!(person.get(custody).await.problem(), "404 not-found");
    }
    assert_eq!(other.get(custody).await.status, 200);
    let justice = gw.person("justice.chen", "justice", &["sharing_lead"]).await;
    assert_eq!(justice.get(custody).await.status, 200);
}

#[tokio::test]
async fn an_account_that_the_log_does_not_bear_out_does_nothing() {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};
    let gw = TestGateway::start().await;
    let auditor = gw.person("aud", "audit", &["auditor"]).await;
    for (account, tampering) in [
        ("wang", "INSERT INTO account_roles (account, role) VALUES ('wang', 'auditor')"),
        ("li", "UPDATE accounts SET department = 'audit' WHERE id = 'li'"),
        ("zhao", "INSERT INTO account_keys (fingerprint, account) VALUES ('aa', 'zhao')"),
        ("sun", "UPDATE account_keys SET account = 'sun' WHERE account = 'li'"),
        ("wu", "UPDATE accounts SET person = 'P-sys' WHERE id = 'wu'"),
        ("qian", "UPDATE accounts SET oidc_issuer = 'https://id', oidc_subject = 'q' WHERE id = 'qian'"),
    ] {
        let person = gw.person(account, "civil", &["applicant"]).await;
        assert_eq!(person.get("/v1/datasets").await.status, 200);
        let state = gw.path().join("data/state.db");
        let mut connection = SqliteConnection::establish(state.to_str().unwrap()).unwrap();
        let tampering = tampering.replace("'aa'", &format!("'{}'", "aa".repeat(32)));
        connection.batch_execute(&format!("PRAGMA busy_timeout = 5000; {tampering}")).unwrap();
        let answer = person.get("/v1/datasets").await;
        assert_eq!(answer.problem(), "503 audit-unavailable", "{tampering}");
    }
    let log = gw.log();
    assert!(
        log.contains("the log does not bear out the state database: no record of role-granted wang auditor")
    );
    assert_eq!(auditor.get("/v1/datasets").await.status, 200, "the others go on");
}

#[tokio::test]
async fn what_was_taken_away_is_not_put_back_by_who_writes_the_database() {
    let mut gw = TestGateway::start().await;
    let security = gw.person("sec", "audit", &["security_admin"]).await;
    let li = gw.enrolled("li", "civil", &["applicant", "leader"]);
    let wang = gw.enrolled("wang", "civil", &["applicant"]);
    let by = json!({ "by": "certificate" });
    let leader = json!({ "role": "leader" });
    assert_eq!(security.post(&of("li", "withdraw-role"), &leader).await.status, 200);
    let key = security.get("/v1/people/wang").await.json()["certificates"][0].clone();
    let unbound = security.post(&of("wang", "unbind-certificate"), &json!({ "fingerprint": key })).await;
    assert_eq!(unbound.json()["certificates"], json!([]), "{}", unbound.text());
    assert_eq!(gw.client(&li).post("/v1/session", &by).await.status, 200);
    assert_eq!(gw.client(&wang).post("/v1/session", &by).await.problem(), "401 certificate-unknown");
    // With the acts that tell of it, as an older copy of the database has them.
    gw.tamper(
        &format!(
            "INSERT INTO account_roles (account, role) VALUES ('li', 'leader');
         INSERT INTO account_keys (fingerprint, account) VALUES ({key}, 'wang');
         DELETE FROM acts WHERE kind IN ('role-withdrawn', 'certificate-unbound')"
        )
        .replace('"', "'"),
    );
    for _ in 0..2 {
        assert_eq!(gw.client(&li).post("/v1/session", &by).await.problem(), "503 audit-unavailable");
        assert_eq!(gw.client(&wang).post("/v1/session", &by).await.problem(), "503 audit-unavailable");
        let log = gw.log();
        assert!(log.contains("no record of role-granted li leader after role-withdrawn li leader"), "{log}");
        gw.stop();
        gw.serve().unwrap();
    }
    gw.tamper("DELETE FROM account_roles WHERE account = 'li' AND role = 'leader'");
    assert_eq!(gw.client(&li).post("/v1/session", &by).await.status, 200);
}

#[tokio::test]
async fn what_the_log_cannot_record_is_neither_answered_nor_in_force() {
    let mut gw = TestGateway::prepare().await;
    let clock = Clock::of(&mut gw);
    gw.serve().unwrap();
    let system = gw.person("sys", "audit", &["system_admin"]).await;
    let security = gw.person("sec", "audit", &["security_admin"]).await;
    let li = gw.person("li", "civil", &["applicant"]).await;
    // Behind its last record the log takes nothing in.
    clock.set(-60);
    let made = system.post(PEOPLE, &zhang()).await;
    assert_eq!(made.problem(), "503 audit-unavailable");
    assert!(!made.text().contains("one_time_password"));
    let given = security.post(&of("li", "give-role"), &json!({ "role": "leader" })).await;
    assert_eq!(given.problem(), "503 audit-unavailable");
    assert_eq!(li.get("/v1/session").await.problem(), "503 audit-unavailable");
    clock.set(0);
    let seen = security.get("/v1/people/li").await;
    assert_eq!(seen.json()["roles"], json!(["applicant", "leader"]), "{}", seen.text());
    let recorded = async || {
        let acts = gw.records("kind=administration").await;
        let of_zhang = acts.iter().filter(|act| act["object"] == "civil.zhang").count();
        (of_zhang > 0).then_some(of_zhang)
    };
    assert_eq!(until("the act is recorded", recorded).await, 1, "once");
}
