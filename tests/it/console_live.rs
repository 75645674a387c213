//! What the console does while a page is open: tells what changed, keeps what was typed when a session
//! ends, and what a form of another session comes to.

use diesel::RunQueryDsl;
use serde_json::json;

use crate::console::{send, token};
use crate::support::TestGateway;
use crate::support::client::{Answer, Client};
use crate::support::now;
use crate::support::vault::Cell;

/// What somebody wrote for an hour.
const TYPED: &str = "公租房资格审核，每月一次，<经办人员>";

/// The inputs of an application.
fn application() -> Vec<(&'static str, String)> {
    let until = now().plus_seconds(300 * 86_400).day().to_string();
    let inputs = [
        ("/terms/dataset", "civil.subsistence"),
        ("/terms/purpose", "housing-aid.review"),
        ("/terms/mode", "service"),
        ("/terms/basis", "《公共租赁住房管理办法》第七条"),
        ("/terms/scenario", TYPED),
        ("/terms/scope", "住房保障科经办人员"),
        ("/terms/systems/0", "housing.aid"),
        ("/terms/per_day", "200"),
        ("/terms/distinct_per_day", "100"),
        ("/terms/fields/6/field", "monthly_allowance"),
        ("/terms/fields/6/choice", "plain"),
        ("/terms/fields/6/reason", "核定补贴额"),
        ("do", "submit"),
        ("key", "k-1"),
    ];
    let mut inputs: Vec<_> = inputs.map(|(name, value)| (name, value.to_owned())).to_vec();
    inputs.push(("/terms/until", until));
    inputs
}

async fn sent(client: &Client, path: &str, token: &str, inputs: &[(&str, String)]) -> Answer {
    let all = inputs.iter().map(|(name, value)| (*name, value.as_str()));
    send(client, path, &[("token", token)].into_iter().chain(all).collect::<Vec<_>>()).await
}

const FORM: &str = "/console/apply?dataset=civil.subsistence&purpose=housing-aid.review";

/// Everybody's session has not been used for long.
fn end_sessions(gw: &TestGateway) {
    gw.tamper("UPDATE sessions SET used = 0");
}

fn hidden(page: &Answer, name: &str) -> String {
    let text = page.text();
    let value = text.split(&format!("name=\"{name}\" value=\"")).nth(1);
    value.unwrap_or_else(|| panic!("no {name}: {text}")).split('"').next().unwrap().to_owned()
}

/// Signs in on that page by the certificate, with the cookies that the browser has.
async fn again(gw: &TestGateway, certificate: &Client, old: &Client, page: &Answer) -> (Answer, Client) {
    let cookies = old.headers().iter().find(|(name, _)| name == "cookie").unwrap().1.clone();
    let inputs = [
        ("token", token(page)),
        ("/by", "certificate".to_owned()),
        ("back", "/console/cart".to_owned()),
        ("kept", hidden(page, "kept")),
    ];
    let inputs: Vec<(&str, &str)> = inputs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer =
        send(&certificate.clone().with_header("cookie", &cookies), "/console/sign-in", &inputs).await;
    let client = gw.nobody().with_cookies(&answer);
    (answer, client)
}

async fn signed_in(gw: &TestGateway, certificate: &Client) -> Client {
    let answer = certificate.post("/v1/session", &json!({ "by": "certificate" })).await;
    gw.nobody().with_cookies(&answer)
}

async fn number_of_applications(client: &Client) -> usize {
    client.get("/v1/applications").await.json()["applications"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_was_typed_outlives_the_session_and_nothing_is_done_before_it_was_looked_through() {
    let gw = TestGateway::start().await;
    let certificate = gw.enrol("h.applicant", "housing", &["applicant"]);
    let other = gw.enrol("h.colleague", "housing", &["applicant"]);
    let applicant = signed_in(&gw, &certificate).await;
    let form = applicant.get(FORM).await;
    end_sessions(&gw);
    let late = sent(&applicant, "/console/apply", &token(&form), &application()).await;
    assert_eq!(late.status, 401);
    assert!(late.text().contains("What you typed is kept on this page"), "{}", late.text());
    assert!(late.text().contains("value=\"h.applicant\"") && !late.text().contains("公租房"), "sealed");

    // Somebody else at this browser does not see it.
    let (elsewhere, _) = again(&gw, &other, &applicant, &late).await;
    assert_eq!(elsewhere.header("location"), Some("/console/cart"), "{}", elsewhere.text());

    let (kept, applicant) = again(&gw, &certificate, &applicant, &late).await;
    assert!(kept.status == 200 && kept.text().contains("action=\"/console/apply\""), "{}", kept.text());
    assert_eq!(number_of_applications(&applicant).await, 0, "nothing was done");
    let mut draft = application();
    draft.retain(|(name, _)| *name != "key");
    draft.push(("draft", "yes".into()));
    let shown = sent(&applicant, "/console/apply", &token(&kept), &draft).await;
    let text = shown.text();
    assert!(shown.status == 200 && text.contains("Nothing has been sent yet"), "{text}");
    assert!(
        text.contains("公租房资格审核，每月一次，&#60;经办人员&#62;") && text.contains("核定补贴额"),
        "{text}"
    );
    assert_eq!(number_of_applications(&applicant).await, 0, "shown, and not done");
    let handed_in = sent(&applicant, "/console/apply", &token(&shown), &application()).await;
    assert_eq!(handed_in.status, 303, "{}", handed_in.text());
    assert_eq!(number_of_applications(&applicant).await, 1);
}

#[tokio::test]
async fn what_names_a_person_or_signs_somebody_in_is_not_kept() {
    let gw = TestGateway::start().await;
    let auditor = gw.person("o.auditor", "audit", &["auditor"]).await;
    let page = auditor.get("/console/security/person").await;
    let account = auditor.get("/console/account").await;
    end_sessions(&gw);
    let forms = [
        ("/console/security/person", &page, ("/identifier", "11010519491231002X")),
        ("/console/account/password", &account, ("/new", "a new password, long enough")),
    ];
    for (path, page, (name, value)) in forms {
        let late = sent(&auditor, path, &token(page), &[(name, value.to_owned())]).await;
        assert_eq!(late.status, 401, "{path}");
        assert!(!late.text().contains("name=\"kept\"") && !late.text().contains(value), "{path}");
    }
    // Nor what another site's page sends, which would have somebody else's words looked through; who has
    // signed out and sends what was still open has only the page to show.
    let page = "h.applicant:00";
    let out = sent(&gw.nobody(), "/console/apply", page, &application()).await;
    assert!(out.status == 401 && out.text().contains("name=\"kept\""), "{}", out.text());
    let elsewhere = gw.nobody().with_header("sec-fetch-site", "cross-site");
    let forged = sent(&elsewhere, "/console/apply", page, &application()).await;
    assert!(forged.status == 401 && !forged.text().contains("name=\"kept\""), "{}", forged.text());
}

#[tokio::test]
async fn a_form_of_the_session_before_is_shown_again_and_not_done() {
    let gw = TestGateway::start().await;
    let certificate = gw.enrol("h.applicant", "housing", &["applicant"]);
    let before = signed_in(&gw, &certificate).await;
    let form = before.get(FORM).await;
    let now = signed_in(&gw, &certificate).await;
    let shown = sent(&now, "/console/apply", &token(&form), &application()).await;
    assert!(shown.status == 200 && shown.text().contains("Nothing has been sent yet"), "{}", shown.text());
    assert!(shown.text().contains("核定补贴额"));
    assert_eq!(number_of_applications(&now).await, 0);
    let colleague = gw.person("h.colleague", "housing", &["applicant"]).await;
    let others = sent(&colleague, "/console/apply", &token(&form), &application()).await;
    assert_eq!(others.problem(), "403 cross-site", "another account's");
}

#[tokio::test]
async fn who_is_known_answers_for_a_form_without_its_token_and_no_stranger_pays() {
    let gw = TestGateway::start_with("\n[limits]\nrefusals_per_minute = 10\n").await;
    let applicant = gw.person("h.applicant", "housing", &["applicant"]).await;
    for _ in 0..3 {
        let refused = send(&applicant, "/console/cart", &[("do", "add")]).await;
        assert_eq!(refused.problem(), "403 cross-site");
        let record = gw.record_of(&refused).await;
        assert_eq!(
            (&record["kind"], &record["caller"]["account"], &record["route"]),
            (&json!("refused-at-door"), &json!("h.applicant"), &json!("/console/cart"))
        );
        let sibling = applicant.clone().with_header("sec-fetch-site", "same-site");
        assert_eq!(send(&sibling, "/console/cart", &[]).await.problem(), "403 cross-site");
    }
    // All strangers together have one a minute here.
    assert_eq!(gw.nobody().get("/v1/session").await.problem(), "401 sign-in-required");
    assert_eq!(gw.nobody().get("/v1/session").await.problem(), "429 too-many-refusals");
}

#[tokio::test]
async fn a_page_is_told_what_changed_and_its_asking_keeps_no_session_alive() {
    let gw = TestGateway::start().await;
    let applicant = gw.person("h.applicant", "housing", &["applicant"]).await;
    let lead = gw.person("h.lead", "housing", &["sharing_lead"]).await;
    let stranger = gw.person("m.applicant", "medical", &["applicant"]).await;
    let auditor = gw.person("o.auditor", "audit", &["auditor"]).await;
    let form = applicant.get(FORM).await;
    let handed_in = sent(&applicant, "/console/apply", &token(&form), &application()).await;
    let id = handed_in.header("location").unwrap().rsplit('/').next().unwrap().to_owned();

    let asked = async |client: &Client, query: &str| client.get(&format!("/console/live{query}")).await;
    let now = asked(&lead, "").await.json();
    assert_eq!((&now["waiting"], &now["shown"]), (&json!(1), &json!("1")), "{now}");
    assert_eq!(now["said"], "Waiting for you: 1");
    assert_eq!(asked(&applicant, "").await.json()["waiting"], 0, "everybody's own");
    assert_eq!(asked(&auditor, "").await.json()["waiting"], json!(null), "nothing can wait for an auditor");
    let watched = format!("?application={id}&version=2");
    assert_eq!(asked(&applicant, &watched).await.json()["changed"], false);
    let page = lead.get(&format!("/console/applications/{id}")).await;
    assert!(page.text().contains(&format!("data-live=\"/console/live{watched}\"")), "{}", page.text());
    let (path, version) = (format!("/console/applications/{id}/consent"), [("/version", "2".to_owned())]);
    assert_eq!(sent(&lead, &path, &token(&page), &version).await.status, 303);
    assert_eq!(asked(&applicant, &watched).await.json()["changed"], true);
    assert_eq!(asked(&lead, "").await.json()["waiting"], 0);
    assert_eq!(asked(&stranger, &watched).await.status, 404, "no business of another department");

    gw.system("housing.aid").query("civil.subsistence", "housing-aid.review", &["bank_card"]).await;
    let refusals = crate::support::until("the index to follow", async || {
        let figures = asked(&auditor, "?figures=true").await.json()["figures"].clone();
        (figures["refusals"] == "1").then_some(figures)
    });
    assert_eq!(refusals.await, json!({ "queries": "1", "refusals": "1", "sensitive": "0", "failures": "0" }));
    assert_eq!(asked(&lead, "?figures=true").await.status, 403);

    // Five minutes without use stay five minutes, and then it is over without a record.
    gw.tamper("UPDATE sessions SET used = used - 300000000");
    let used = || {
        let state = &mut crate::support::vault::open(&gw.path().join("data/state.db"));
        let newest = diesel::sql_query("SELECT max(used) AS id, x'' AS bytes FROM sessions");
        newest.get_result::<Cell>(state).unwrap().id
    };
    let before = used();
    assert_eq!(asked(&lead, "").await.json()["signed_out"], false);
    assert_eq!(used(), before, "asking is no use");
    assert_eq!(lead.get("/console").await.status, 200);
    assert_ne!(used(), before, "opening a page is");
    end_sessions(&gw);
    assert_eq!(asked(&lead, &watched).await.json(), asked(&gw.nobody(), "").await.json());
    assert_eq!(asked(&lead, "").await.json()["signed_out"], true);
}

#[tokio::test]
async fn a_browser_at_the_bare_address_is_led_to_the_console_and_a_program_is_told_that_nothing_is_there() {
    let gw = TestGateway::start().await;
    let browser = gw.nobody().with_header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let led = browser.get("/").await;
    assert_eq!((led.status, led.header("location")), (303, Some("/console")));
    assert_eq!(browser.get("/elsewhere").await.problem(), "404 not-found");
    for program in [gw.nobody(), gw.nobody().with_header("accept", "application/json")] {
        assert_eq!(program.get("/").await.problem(), "404 not-found");
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_one_time_whatever_was_left_empty() {
    let gw = TestGateway::start().await;
    let applicant = gw.person("h.applicant", "housing", &["applicant"]).await;
    let form = applicant.get(FORM).await;
    let mut inputs = application();
    inputs.retain(|(name, _)| !matches!(*name, "/terms/scope" | "/terms/until" | "/terms/per_day"));
    inputs.push(("/terms/per_day", "many".into()));
    inputs.push(("/terms/until", "2020-01-01".into()));
    let told = sent(&applicant, "/console/apply/check", &token(&form), &inputs).await.json();
    let named: Vec<&String> = told["faults"].as_object().unwrap().keys().collect();
    assert_eq!(named, ["/terms/per_day", "/terms/scope", "/terms/until"], "{told}");
}

#[tokio::test]
async fn language_is_chosen_where_nothing_is_lost_by_it() {
    let gw = TestGateway::start().await;
    let applicant = gw.person("h.applicant", "housing", &["applicant"]).await;
    let form = applicant.get(FORM).await;
    let back = hidden(&form, "back");
    assert!(back.starts_with(FORM.split('&').next().unwrap()), "with what was asked: {back}");
    let faulty = sent(&applicant, "/console/apply", &token(&form), &application()[..3]).await;
    assert_eq!(faulty.status, 422);
    assert!(!faulty.text().contains("action=\"/console/preferences\""), "what was typed would be gone");
}

#[tokio::test]
async fn who_asks_why_with_a_wrong_number_is_told_what_is_wrong_with_it() {
    let gw = TestGateway::start().await;
    let applicant = gw.person("h.applicant", "housing", &["applicant"]).await;
    let other = gw.person("m.applicant", "medical", &["applicant"]).await;
    let refused =
        gw.system("housing.aid").query("civil.subsistence", "housing-aid.review", &["bank_card"]).await;
    let id = refused.json()["request_id"].as_str().unwrap().to_owned();
    let why = async |client: &Client, id: &str| client.get(&format!("/console/why?request_id={id}")).await;
    let copied = format!("%22{}%22,", id.to_uppercase());
    assert!(why(&applicant, &copied).await.text().contains("Query refused"), "as it was copied");
    let malformed = why(&applicant, "bank_card").await;
    assert!(malformed.status == 422 && malformed.text().contains("That is no request id"));
    let others = why(&other, &id).await;
    let none = why(&other, &format!("{}00000000", &id[..24])).await;
    for lost in [&others, &none] {
        assert!(lost.status == 404 && lost.text().contains("By the id it was made at"), "{}", lost.text());
    }
}
