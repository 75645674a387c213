//! Emergency access, over real TLS: the provider enrols, an enrolled person opens, more than usual
//! is given for that person's queries in one case, no longer than it stands, and the provider
//! reviews it, or the enrolment is lost.

use serde_json::{Value, json};
use sluice::base::Timestamp;
use sluice::store::state::notice::{Kind, Recipient};

use crate::support::client::{Answer, Client};
use crate::support::clock::Clock;
use crate::support::{OTHER, PERSON, TestGateway, now, resident_id, until};

const QUERY: &str = "/v1/datasets/civil.subsistence/query";
const ACCOUNT: &str = "service.chen";
const CASE: &str = "YJ-2026-0007";
const MASKED: &str = "138****8000";
const PLAIN: &str = "13800138000";
const DAY: i64 = 86_400;

/// Everybody who has a part in it, each with a certificate to sign in with.
struct People {
    lead: Client,
    officer: Client,
    opener: Client,
}

impl People {
    fn of(gw: &TestGateway) -> Self {
        Self {
            lead: gw.enrol("c.lead", "civil", &["sharing_lead"]),
            officer: gw.enrol("c.officer", "civil", &["confidentiality_officer"]),
            opener: gw.enrol(ACCOUNT, "service", &["section_head"]),
        }
    }
}

/// Signed in anew: a session ends when a test sets the clock.
async fn sign_in(gw: &TestGateway, certificate: &Client) -> Client {
    let answer = certificate.post("/v1/session", &json!({ "by": "certificate" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    gw.nobody().with_cookies(&answer)
}

async fn enrol(lead: &Client, way: &str) -> Answer {
    let body = json!({ "account": ACCOUNT, "dataset": "civil.subsistence" });
    lead.post(&format!("/v1/emergency/enrolments{way}"), &body).await
}

async fn open(opener: &Client) -> Answer {
    let body = json!({
        "dataset": "civil.subsistence", "system": "service.onestop", "case": CASE, "reason": "台风安置"
    });
    opener.post("/v1/emergency", &body).await
}

/// It is opened; what it says of itself.
async fn opened(opener: &Client) -> Value {
    let answer = open(opener).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

async fn review(reviewer: &Client, id: &Value, verdict: &str) -> Answer {
    let path = format!("/v1/emergency/{}/review", id.as_str().unwrap());
    reviewer.post(&path, &json!({ "verdict": verdict, "note": "" })).await
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

/// The notices of that kind: for whom.
fn told(gw: &TestGateway, kind: Kind) -> Vec<Recipient> {
    let posted = gw.state().unaddressed(now(), 100).unwrap();
    posted.into_iter().map(|p| p.notice).filter(|n| n.kind == kind).map(|n| n.recipient).collect()
}

/// What the log says of acts upon these.
async fn acts(gw: &TestGateway, objects: &[&Value]) -> Vec<String> {
    let acts = gw.records("kind=administration").await;
    let about = acts.iter().filter(|act| objects.iter().any(|object| act["object"] == **object));
    let about = about.map(|act| act["action"].as_str().unwrap().to_owned());
    about.filter(|action| action.starts_with("emergency") || action.starts_with("grant")).collect()
}

#[tokio::test]
async fn emergency_access_is_for_one_subject_in_its_case_by_its_person_and_twenty_in_all() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw);
    let (lead, opener) = (sign_in(&gw, &people.lead).await, sign_in(&gw, &people.opener).await);
    assert_eq!(open(&opener).await.problem(), "403 forbidden", "before it is enrolled");
    assert_eq!(enrol(&opener, "").await.problem(), "403 forbidden", "nobody enrols oneself");
    assert_eq!(enrol(&lead, "").await.json()["state"], "active");
    assert_eq!(mobile(&gw, &[PERSON], CASE, ACCOUNT).await, MASKED, "before it is opened");

    let access = opened(&opener).await;
    // In force with the answer, for the very next query.
    assert_eq!(mobile(&gw, &[PERSON], CASE, ACCOUNT).await, PLAIN);
    assert_eq!(open(&opener).await.problem(), "409 wrong-state", "one at a time");
    let answer = ask(&gw, &[PERSON], CASE, ACCOUNT).await.json();
    let request = answer["request_id"].as_str().unwrap();
    let explained = gw.system("service.onestop").get(&format!("/v1/requests/{request}/explain")).await.json();
    let rule = format!("grant:{}", access["emergency"].as_str().unwrap());
    assert_eq!(explained["fields"][0]["rule"], rule);

    assert_eq!(mobile(&gw, &[PERSON], "YJ-2026-0008", ACCOUNT).await, MASKED);
    assert_eq!(mobile(&gw, &[PERSON], CASE, "service.wu").await, MASKED);
    assert_eq!(mobile(&gw, &[PERSON, OTHER], CASE, ACCOUNT).await, MASKED);

    for n in 10..29 {
        let person = resident_id(&format!("11010519800101{n}0"));
        assert_eq!(ask(&gw, &[&person], CASE, ACCOUNT).await.status, 200, "{n}");
    }
    let one_more = ask(&gw, &[OTHER], CASE, ACCOUNT).await;
    assert_eq!(one_more.problem(), "429 quota-exhausted");
    assert!(one_more.header("ratelimit-policy").unwrap().starts_with("\"grant-distinct\";q=20;"));
    assert_eq!(mobile(&gw, &[PERSON], CASE, ACCOUNT).await, PLAIN, "who was asked about already");

    assert_eq!(enrol(&lead, "/withdraw").await.json()["state"], "withdrawn");
    assert_eq!(mobile(&gw, &[PERSON], CASE, ACCOUNT).await, MASKED);
    assert_eq!(open(&opener).await.problem(), "403 forbidden");
    let expected = [
        "emergency-enrolled",
        "emergency-opened",
        "grant-active",
        "emergency-enrolment-withdrawn",
        "grant-ended",
    ];
    assert_eq!(acts(&gw, &[&json!(ACCOUNT), &access["emergency"]]).await, expected);
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

#[tokio::test]
async fn after_its_hour_it_gives_nothing_and_without_a_review_in_time_the_enrolment_is_lost() {
    let mut gw = TestGateway::prepare().await;
    gw.revoke(&[], now().plus_seconds(60 * DAY));
    let clock = Clock::of(&mut gw);
    gw.serve().unwrap();
    let people = People::of(&gw);
    enrol(&sign_in(&gw, &people.lead).await, "").await;
    let first = opened(&sign_in(&gw, &people.opener).await).await;
    assert_eq!(told(&gw, Kind::EmergencyOpened).len(), 4, "lead, officer, program; the own head");
    let last = Timestamp::parse(first["until"].as_str().unwrap()).unwrap();
    clock.set(last.seconds() - now().seconds() - 60);
    assert_eq!(mobile(&gw, &[PERSON], CASE, ACCOUNT).await, PLAIN, "in its last minute");
    clock.set(last.seconds() - now().seconds() + 1);
    assert_eq!(mobile(&gw, &[PERSON], CASE, ACCOUNT).await, MASKED, "the hour is over");
    until("its review is asked for", async || {
        (told(&gw, Kind::EmergencyReviewNeeded).len() == 2).then_some(())
    })
    .await;

    // One that is reviewed costs nothing; by the sharing lead or the confidentiality officer.
    let officer = sign_in(&gw, &people.officer).await;
    assert_eq!(review(&officer, &first["emergency"], "proper").await.json()["verdict"], "proper");
    assert_eq!(review(&officer, &first["emergency"], "misuse").await.problem(), "409 wrong-state");
    let opener = sign_in(&gw, &people.opener).await;
    let second = opened(&opener).await;
    assert_eq!(review(&opener, &second["emergency"], "proper").await.problem(), "403 forbidden");

    // The second is left until the end of its last day, two working days on, in Asia/Shanghai.
    let due = second["review_due"].as_str().unwrap();
    let over = Timestamp::parse(&format!("{due}T00:00:00+08:00")).unwrap().plus_seconds(DAY);
    assert!(over.seconds() - now().seconds() > DAY, "{due}");
    clock.set(over.seconds() - now().seconds() - 600);
    let opener = sign_in(&gw, &people.opener).await;
    assert_eq!(open(&opener).await.problem(), "409 wrong-state", "nobody has looked at the second yet");
    clock.set(over.seconds() - now().seconds() + 1);
    until("the enrolment is suspended", async || {
        (open(&opener).await.problem() == "403 forbidden").then_some(())
    })
    .await;
    // Once the log has it: the person, its head, the provider's lead.
    until("it is told", async || (told(&gw, Kind::EnrolmentSuspended).len() == 3).then_some(())).await;
    let acts = acts(&gw, &[&json!(ACCOUNT), &second["emergency"]]).await;
    let suspended = ["emergency-review-overdue", "emergency-enrolment-suspended"];
    assert_eq!(acts[acts.len() - 2..], suspended, "{acts:?}");

    // The lead may enrol the person again, who opens nothing before the review that is late.
    let lead = sign_in(&gw, &people.lead).await;
    enrol(&lead, "").await;
    assert_eq!(open(&opener).await.problem(), "409 wrong-state");
    assert_eq!(review(&lead, &second["emergency"], "proper").await.status, 200);
    assert_eq!(open(&opener).await.status, 201);
}

#[tokio::test]
async fn misuse_ends_what_is_open_and_suspends_the_enrolment_at_once() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw);
    let (lead, opener) = (sign_in(&gw, &people.lead).await, sign_in(&gw, &people.opener).await);
    enrol(&lead, "").await;
    let access = opened(&opener).await;
    assert_eq!(mobile(&gw, &[PERSON], CASE, ACCOUNT).await, PLAIN);
    assert_eq!(review(&lead, &access["emergency"], "misuse").await.json()["verdict"], "misuse");
    assert_eq!(mobile(&gw, &[PERSON], CASE, ACCOUNT).await, MASKED);
    assert_eq!(open(&opener).await.problem(), "403 forbidden");
    let told = told(&gw, Kind::EnrolmentSuspended);
    assert_eq!(told.len(), 3, "the person, its head, the provider's lead: {told:?}");
    let expected = [
        "emergency-enrolled",
        "emergency-opened",
        "grant-active",
        "emergency-reviewed",
        "emergency-enrolment-suspended",
        "grant-ended",
    ];
    assert_eq!(acts(&gw, &[&json!(ACCOUNT), &access["emergency"]]).await, expected);
}

#[tokio::test]
async fn nobody_enrols_or_reviews_another_account_of_oneself() {
    let gw = TestGateway::start().await;
    // One person: lead at the provider, clerk at the desk.
    let twice = gw.person("lin/c.lin", "civil", &["sharing_lead"]).await;
    let opener = gw.person(&format!("lin/{ACCOUNT}"), "service", &["section_head"]).await;
    assert_eq!(enrol(&twice, "").await.problem(), "403 not-separate");
    let lead = gw.person("c.lead", "civil", &["sharing_lead"]).await;
    assert_eq!(enrol(&lead, "").await.status, 200);
    let access = opened(&opener).await;
    assert_eq!(review(&twice, &access["emergency"], "proper").await.problem(), "403 not-separate");
    let early = review(&lead, &access["emergency"], "proper").await;
    assert_eq!(early.problem(), "409 wrong-state", "what goes on is not proper yet");
    assert_eq!(review(&lead, &access["emergency"], "misuse").await.status, 200);
    // Of another department's datasets nobody here decides.
    let stranger = gw.person("h.lead", "housing", &["sharing_lead"]).await;
    assert_eq!(enrol(&stranger, "").await.problem(), "404 not-found");
    assert_eq!(review(&stranger, &access["emergency"], "misuse").await.problem(), "404 not-found");
}
