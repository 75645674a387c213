//! A person's history behind a second officer's consent: over the wire, as programs and people ask.

use serde_json::{Value, json};

use crate::console::{send, token};
use crate::support::client::{Answer, Client};
use crate::support::clock::Clock;
use crate::support::{OTHER, PERSON, TestGateway, now};

const HISTORY: &str = "/v1/subjects/history";
const CONSENTS: &str = "/v1/consents";
const PAGE: &str = "/console/security/person";
const CASE: &str = "JC-2026-0007";
const SET_UP: &str = "\n[history]\nconsent_hours = 1\n";
const HOUR: i64 = 3600;

fn about(person: &str, case: &str) -> Value {
    json!({ "identifier": "resident-id", "value": person, "case": case })
}

async fn look(officer: &Client, person: &str) -> Answer {
    officer.post(HISTORY, &about(person, CASE)).await
}

async fn ask(officer: &Client, person: &str) -> Answer {
    let mut body = about(person, CASE);
    body["reason"] = json!("投诉核查");
    officer.post(CONSENTS, &body).await
}

async fn decide(officer: &Client, id: &str, word: &str) -> Answer {
    officer.post(&format!("{CONSENTS}/{id}/decide"), &json!({ "word": word })).await
}

fn id(asked: &Answer) -> String {
    assert_eq!(asked.status, 201, "{}", asked.text());
    asked.json()["consent"].as_str().unwrap().to_owned()
}

/// Is it in what is listed for the officer, and does it wait there?
async fn waits(officer: &Client, id: &str) -> Option<bool> {
    let list = officer.get(CONSENTS).await.json();
    let one = list["consents"].as_array().unwrap().iter().find(|one| one["consent"] == id)?.clone();
    one["waits"].as_bool()
}

#[tokio::test]
async fn an_officer_sees_a_history_once_another_person_has_consented() {
    let gw = TestGateway::start_with(SET_UP).await;
    let query =
        gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    gw.record_of(&query).await;
    let eve = gw.person("eve", "audit", &["auditor"]).await;
    let same = gw.person("eve/eve2", "audit", &["auditor"]).await;
    let bob = gw.person("bob", "audit", &["auditor"]).await;

    assert_eq!(look(&eve, PERSON).await.problem(), "403 consent-required");
    let asked = ask(&eve, PERSON).await;
    let asked_id = id(&asked);
    assert_eq!(look(&eve, PERSON).await.problem(), "403 consent-required", "asking is not enough");
    for own in [&eve, &same] {
        assert_eq!(waits(own, &asked_id).await, Some(false));
        let decided = decide(own, &asked_id, "consented").await;
        assert_eq!(decided.problem(), "403 not-separate", "one person, whichever account, is one");
    }
    assert_eq!(waits(&bob, &asked_id).await, Some(true));
    let given = decide(&bob, &asked_id, "consented").await;
    assert_eq!((given.status, &given.json()["state"]), (200, &json!("consented")), "{}", given.text());
    assert_eq!(decide(&bob, &asked_id, "refused").await.problem(), "409 wrong-state", "decided once");

    let seen = look(&eve, PERSON).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert!(seen.text().contains(query.header("x-request-id").unwrap()));
    assert_eq!(look(&eve, PERSON).await.status, 200, "until it ends");
    // For that person, that case and that officer, and for nobody and nothing else.
    assert_eq!(look(&eve, OTHER).await.problem(), "403 consent-required");
    assert_eq!(eve.post(HISTORY, &about(PERSON, "JC-2026-0008")).await.problem(), "403 consent-required");
    for other in [&same, &bob] {
        assert_eq!(look(other, PERSON).await.problem(), "403 consent-required");
    }
    let system = gw.system("audit.office").post(HISTORY, &about(PERSON, CASE)).await;
    assert_eq!(system.problem(), "403 consent-required", "nobody stands behind a program");
    let citizen = gw.system("citizen.portal").post(HISTORY, &about(PERSON, "GR-1")).await;
    assert_eq!(citizen.status, 200, "who asks about themselves asks nobody: {}", citizen.text());

    // Each step is in the log, and whom it was about nowhere in the clear.
    let record = gw.record_of(&asked).await;
    assert_eq!(
        [&record["kind"], &record["command"], &record["case"], &record["consent"]],
        [&json!("history-consent"), &json!("ask"), &json!(CASE), &json!(asked_id)]
    );
    assert_eq!(record["subjects"].as_array().unwrap().len(), 1, "the person learns of it");
    let record = gw.record_of(&seen).await;
    assert_eq!([&record["consent"], &record["case"]], [&json!(asked_id), &json!(CASE)]);
    let acts = gw.records("kind=administration").await;
    let told: Vec<_> = acts
        .iter()
        .filter(|act| act["object"] == asked_id.as_str())
        .map(|act| (act["action"].as_str().unwrap(), act["done_by"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("history-asked", "eve"), ("history-consented", "bob")]);
    for file in std::fs::read_dir(gw.path().join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(PERSON.len()).any(|window| window == PERSON.as_bytes()));
    }
}

#[tokio::test]
async fn what_is_refused_is_not_shown_and_not_asked_again_of_somebody_else() {
    let gw = TestGateway::start_with(SET_UP).await;
    let eve = gw.person("eve", "audit", &["auditor"]).await;
    let bob = gw.person("bob", "audit", &["auditor"]).await;
    let asked = id(&ask(&eve, PERSON).await);
    assert_eq!(ask(&eve, PERSON).await.problem(), "409 wrong-state", "it is asked already");
    assert_eq!(decide(&bob, &asked, "refused").await.status, 200);
    assert_eq!(look(&eve, PERSON).await.problem(), "403 consent-required");
    assert_eq!(ask(&eve, PERSON).await.problem(), "409 wrong-state");
    assert_eq!(decide(&bob, &asked, "consented").await.problem(), "409 wrong-state");
    assert_eq!(decide(&bob, &asked, "perhaps").await.problem(), "422 invalid-request");
    assert_eq!(decide(&bob, "0011", "consented").await.problem(), "404 not-found");

    // Who may not see histories learns nothing of who asks.
    let clerk = gw.person("wang", "civil", &["applicant"]).await;
    assert_eq!(clerk.get(CONSENTS).await.problem(), "403 forbidden");
    assert_eq!(ask(&clerk, PERSON).await.problem(), "403 forbidden");
    assert_eq!(decide(&clerk, &asked, "consented").await.problem(), "403 forbidden");
    // Nobody is named in the words.
    let mut body = about(PERSON, CASE);
    body["reason"] = json!(format!("核查 {PERSON}"));
    let named = eve.post(CONSENTS, &body).await;
    assert_eq!(named.problem(), "422 invalid-request");
    assert_eq!(named.json()["errors"][0]["pointer"], "/reason");
}

#[tokio::test]
async fn what_is_asked_and_what_was_consented_to_ends_with_its_hour() {
    let mut gw = TestGateway::prepare().await;
    gw.configure("[tls]", &format!("{SET_UP}[tls]"));
    let clock = Clock::of(&mut gw);
    gw.serve().unwrap();
    let (eve, bob) = (gw.enrol("eve", "audit", &["auditor"]), gw.enrol("bob", "audit", &["auditor"]));
    let signed_in = async |certificate: &Client| {
        let answer = certificate.post("/v1/session", &json!({ "by": "certificate" })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        gw.nobody().with_cookies(&answer)
    };
    let (officer, second) = (signed_in(&eve).await, signed_in(&bob).await);
    let (one, two) = (id(&ask(&officer, PERSON).await), id(&ask(&officer, OTHER).await));
    assert_eq!(decide(&second, &one, "consented").await.status, 200);
    clock.set(HOUR - 60);
    let (officer, second) = (signed_in(&eve).await, signed_in(&bob).await);
    assert_eq!(look(&officer, PERSON).await.status, 200);
    clock.set(HOUR + 1);
    let over = look(&officer, PERSON).await;
    assert_eq!(over.problem(), "403 consent-required");
    assert_eq!(decide(&second, &two, "consented").await.problem(), "404 not-found", "consent after its end");
    assert_eq!(waits(&second, &two).await, None);
    // It is gone, not merely over.
    let gone = crate::support::until("what is over is deleted", async || {
        let left = gw.state().consents(now().plus_seconds(-HOUR)).unwrap();
        left.is_empty().then_some(())
    });
    gone.await;
}

#[tokio::test]
async fn a_consent_written_into_the_database_shows_nothing() {
    let gw = TestGateway::start_with(SET_UP).await;
    let eve = gw.person("eve", "audit", &["auditor"]).await;
    let bob = gw.person("bob", "audit", &["auditor"]).await;
    ask(&eve, PERSON).await;
    gw.tamper("UPDATE consents SET state = 'consented', decided_by = 'bob', decided_at = asked_at");
    assert_eq!(look(&eve, PERSON).await.problem(), "503 audit-unavailable");
    // What was refused, and one that is made to last.
    let other = id(&ask(&eve, OTHER).await);
    decide(&bob, &other, "refused").await;
    gw.tamper(&format!("UPDATE consents SET state = 'consented' WHERE id = '{other}'"));
    assert_eq!(look(&eve, OTHER).await.problem(), "503 audit-unavailable");
    let third = "110101199003074610";
    let asked = id(&ask(&eve, third).await);
    assert_eq!(decide(&bob, &asked, "consented").await.status, 200);
    assert_eq!(look(&eve, third).await.status, 200);
    gw.tamper(&format!("UPDATE consents SET until = until + 1 WHERE id = '{asked}'"));
    assert_eq!(look(&eve, third).await.problem(), "503 audit-unavailable");
}

#[tokio::test]
async fn where_it_is_not_set_up_a_case_is_enough_and_nothing_can_be_asked() {
    let gw = TestGateway::start().await;
    let eve = gw.person("eve", "audit", &["auditor"]).await;
    assert_eq!(look(&eve, PERSON).await.status, 200);
    assert_eq!(ask(&eve, PERSON).await.problem(), "409 wrong-state");
    assert!(!eve.get(PAGE).await.text().contains("id=\"ask\""));
    let mut gw = TestGateway::prepare().await;
    gw.configure("[tls]", "[history]\nconsent_hours = 0\n[tls]");
    let (code, said) = gw.refusal();
    assert_eq!(code, 1);
    assert!(
        said.contains("sluice.toml:") && said.contains("expected a whole number from 1 to 168"),
        "{said}"
    );
}

#[tokio::test]
async fn both_officers_do_their_part_by_the_pages() {
    let gw = TestGateway::start_with(SET_UP).await;
    let eve = gw.person("eve", "audit", &["auditor"]).await;
    let bob = gw.person("bob", "audit", &["auditor"]).await;
    let fill = async |who: &Client, path: &str, inputs: &[(&str, &str)]| {
        let token = token(&who.get(PAGE).await);
        let inputs: Vec<(&str, &str)> =
            [("token", token.as_str())].into_iter().chain(inputs.iter().copied()).collect();
        send(who, path, &inputs).await
    };
    let person = [("/identifier", "resident-id"), ("/value", PERSON), ("/case", CASE)];
    let refused = fill(&eve, PAGE, &person).await;
    assert_eq!(refused.status, 403);
    let shown = refused.text();
    assert!(shown.contains("A second officer") && !shown.contains(PERSON), "{shown}");
    assert!(
        shown.contains(&format!("id=\"ask/case\" name=\"/case\" required maxlength=\"64\" value=\"{CASE}\"")),
        "{shown}"
    );

    let long = "长".repeat(501);
    let asking: Vec<_> = person.into_iter().chain([("/reason", long.as_str())]).collect();
    let faulty = fill(&eve, "/console/security/person/ask", &asking).await;
    assert_eq!(faulty.status, 422);
    let faulty = faulty.text();
    assert!(faulty.contains("ask/reason-fault") && !faulty.contains(PERSON), "{faulty}");

    let hostile = "<script>alert(1)</script> \u{202e}倒";
    let asking: Vec<_> = person.into_iter().chain([("/reason", hostile)]).collect();
    assert_eq!(fill(&eve, "/console/security/person/ask", &asking).await.status, 303);
    let own = eve.get(PAGE).await.text();
    assert!(own.contains("Waiting") && !own.contains("name=\"consent\""), "{own}");
    for at in ["/console", "/console/security"] {
        assert!(bob.get(at).await.text().contains("1 waiting for your consent"), "{at}");
        assert!(!eve.get(at).await.text().contains("waiting for your consent"), "{at}");
    }
    let page = bob.get(PAGE).await.text();
    assert!(
        !page.contains("<script>alert") && !page.contains('\u{202e}') && page.contains("U+202E"),
        "{page}"
    );
    assert!(page.contains("eve") && page.contains(CASE) && !page.contains(PERSON));
    let consent =
        page.split("name=\"consent\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let word = |word: &'static str| [("consent", consent.clone()), ("word", word.to_owned())];
    let given = word("consented");
    let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(fill(&bob, "/console/security/person/decide", &given).await.status, 303);
    // Sent twice, it is told how it stands.
    assert_eq!(fill(&bob, "/console/security/person/decide", &given).await.status, 409);
    let seen = fill(&eve, PAGE, &person).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert!(seen.text().contains("Consent to a history"), "the asking is in the history: {}", seen.text());
}

/// The balancer leads each connection to the next gateway.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn of_several_gateways_one_is_asked_another_told_and_the_third_shows_it() {
    let world = crate::support::replicas::world();
    let replicas = crate::support::replicas::Replicas::start(&world, |gw| {
        gw.configure("[tls]", &format!("{SET_UP}[tls]"));
    })
    .await;
    let mut officers = Vec::new();
    for name in ["eve", "bob"] {
        let issued = replicas.gw.enrolled_in(&replicas.state(), name, "audit", &["auditor"]);
        let certificate = replicas.client(&issued);
        let answer = certificate.post("/v1/session", &json!({ "by": "certificate" })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        officers.push(certificate.with_cookies(&answer));
    }
    let [eve, bob] = officers.try_into().unwrap_or_else(|_| panic!("two officers"));
    // However they meet: each begins at another gateway.
    for (round, person) in [PERSON, OTHER, "110101199003074610"].into_iter().enumerate() {
        for _ in 0..round {
            eve.get("/v1/session").await;
        }
        assert_eq!(look(&eve, person).await.problem(), "403 consent-required", "{round}");
        let asked = id(&ask(&eve, person).await);
        assert_eq!(look(&eve, person).await.problem(), "403 consent-required", "{round}");
        let decided = decide(&bob, &asked, "consented").await;
        assert_eq!(decided.status, 200, "{round}: {}", decided.text());
        for _ in 0..3 {
            let seen = look(&eve, person).await;
            assert_eq!(seen.status, 200, "{round}: {}", seen.text());
        }
    }
    let (code, said) = replicas.verify();
    assert_eq!(code, 0, "{said}");
}
