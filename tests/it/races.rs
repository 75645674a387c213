//! Two at one time, over real TLS: one is first, the other is told, and what was taken back is
//! never given afterwards. `RACE_ROUNDS` says how often each race is run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::applications::{People, terms};
use crate::support::client::{Answer, Client, ask};
use crate::support::load::PATH;
use crate::support::{PERSON, TestGateway, until};

/// How often each race is run.
fn rounds() -> usize {
    std::env::var("RACE_ROUNDS").ok().map_or(20, |number| number.parse().expect("RACE_ROUNDS is a number"))
}

/// Makes the moment between the last look at a grant and the record of the answer a long one
/// (`support/pause.c`).
struct Pause(PathBuf);

impl Pause {
    /// Puts the library under a gateway that is not yet serving.
    fn under(gw: &mut TestGateway) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/pause.c");
        let library = gw.path().join("pause.so");
        let arguments = ["-shared", "-fPIC", "-o"];
        let built = Command::new("cc").args(arguments).arg(&library).arg(source).arg("-ldl").status();
        assert!(built.expect("a C compiler is needed").success());
        let pause = gw.path().join("pause");
        gw.environment.insert("LD_PRELOAD".into(), library);
        gw.environment.insert("PAUSE".into(), pause.clone());
        Self(pause)
    }

    fn on(&self) {
        std::fs::write(&self.0, "").unwrap();
    }

    fn off(&self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

/// Asks for the grant's field on one connection until one was sent after `over`; the places in the
/// log of the answers.
async fn asking(client: Client, over: Arc<AtomicBool>, answered: Arc<AtomicUsize>) -> Vec<u64> {
    let body = ask("housing-aid.review", &[PERSON], json!(["monthly_allowance"])).to_string();
    let mut connection = client.connect().await.unwrap();
    let mut places = Vec::new();
    loop {
        let sent_after = over.load(Ordering::SeqCst);
        let answer = connection.send("POST", PATH, &[], Some(body.as_bytes())).await.unwrap();
        if answer.status == 200 {
            assert!(!sent_after, "answered after the revocation: {}", answer.text());
            places.push(answer.json()["receipt"]["index"].as_u64().unwrap());
            answered.fetch_add(1, Ordering::SeqCst);
        } else {
            assert_eq!(answer.problem(), "403 refused", "{}", answer.text());
        }
        if sent_after {
            return places;
        }
    }
}

#[tokio::test]
async fn no_answer_stands_in_the_log_after_the_revocation_that_was_acknowledged() {
    let mut gw = TestGateway::prepare().await;
    let pause = Pause::under(&mut gw);
    gw.configure("timeout_ms = 1500", "timeout_ms = 20000");
    gw.serve().unwrap();
    let people = People::of(&gw).await;
    let mut races = Vec::new();
    for _ in 0..rounds() {
        let id = people.granted(&terms()).await;
        let mut owner = people.owner.connect().await.unwrap();
        let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..4)
            .map(|_| tokio::spawn(asking(gw.system("housing.aid"), Arc::clone(&over), Arc::clone(&answered))))
            .collect();
        until("the queries run", async || (answered.load(Ordering::SeqCst) >= 4).then_some(())).await;
        pause.on();
        let body = json!({ "version": 8, "note": "目的已达到" }).to_string();
        let path = format!("/v1/grants/{}/revoke", id.replacen('A', "G", 1));
        let revoked = owner.send("POST", &path, people.owner.headers(), Some(body.as_bytes())).await.unwrap();
        over.store(true, Ordering::SeqCst);
        assert_eq!(revoked.status, 200, "{}", revoked.text());
        pause.off();
        let mut places = Vec::new();
        for task in tasks {
            places.extend(task.await.unwrap());
        }
        races.push((revoked.header("x-request-id").unwrap().to_owned(), places));
    }
    let records = records_of_commands(&gw).await;
    for (revoked, places) in races {
        let acknowledged = records[&revoked];
        let after: Vec<_> = places.iter().filter(|place| **place > acknowledged).collect();
        assert!(after.is_empty(), "the revocation is at {acknowledged}, answers at {after:?}");
    }
}

/// Where the log has the commands: by the id of the request.
async fn records_of_commands(gw: &TestGateway) -> std::collections::HashMap<String, u64> {
    let auditor = gw.system("audit.office");
    let (mut found, mut after) = (std::collections::HashMap::new(), String::new());
    loop {
        let page = until("the search index catches up", async || {
            let page =
                auditor.get(&format!("/v1/audit/records?kind=application-command{after}")).await.json();
            (page["index_lag"] == 0).then_some(page)
        })
        .await;
        for line in page["records"].as_array().unwrap() {
            let leaf: Value = serde_json::from_str(line["leaf"].as_str().unwrap()).unwrap();
            found.insert(leaf["request_id"].as_str().unwrap().to_owned(), line["index"].as_u64().unwrap());
        }
        match page["next"].as_u64() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

/// Two commands for the same version, sent at one time on connections that are open already.
async fn race(id: &str, version: u32, contenders: [(&Client, &str); 2]) -> [Answer; 2] {
    let body = json!({ "version": version }).to_string();
    let [(a, first), (b, second)] = contenders;
    let (mut to_a, mut to_b) = (a.connect().await.unwrap(), b.connect().await.unwrap());
    let path = |name: &str| format!("/v1/applications/{id}/{name}");
    let (first, second) = (path(first), path(second));
    let (one, other) = tokio::join!(
        to_a.send("POST", &first, a.headers(), Some(body.as_bytes())),
        to_b.send("POST", &second, b.headers(), Some(body.as_bytes())),
    );
    [one.unwrap(), other.unwrap()]
}

/// One was done; the other was told that the application had changed. Which was done.
fn one_won(answers: &[Answer; 2]) -> usize {
    let won = answers.iter().position(|answer| answer.status == 200);
    let won = won.unwrap_or_else(|| panic!("neither was done: {}", answers[0].text()));
    assert_eq!(answers[1 - won].problem(), "412 version-mismatch", "both for the same version");
    won
}

/// The names of the events, each of which has its place in the log.
async fn events(reader: &Client, id: &str) -> Vec<String> {
    let events = reader.get(&format!("/v1/applications/{id}/events")).await.json();
    let events = events["events"].as_array().unwrap().clone();
    assert!(events.iter().all(|event| event["record"].is_u64()), "{events:?}");
    events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn of_the_last_vote_and_a_withdrawal_one_is_done() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw).await;
    for _ in 0..rounds() {
        let id = people.up_to(&terms(), 4).await;
        let answers = race(&id, 5, [(&people.owner, "approve"), (&people.applicant, "withdraw")]).await;
        let won = one_won(&answers);
        let events = events(&people.lead, &id).await;
        let expected: &[&str] = if won == 0 { &["approved", "offered"] } else { &["withdrawn"] };
        assert_eq!(&events[5..], expected);
    }
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

#[tokio::test]
async fn of_two_last_votes_one_counts_and_there_is_one_offer() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw).await;
    let deputy = gw.person("c.lead2", "civil", &["sharing_lead"]).await;
    for _ in 0..rounds() {
        let id = people.up_to(&terms(), 4).await;
        one_won(&race(&id, 5, [(&people.owner, "approve"), (&deputy, "approve")]).await);
        assert_eq!(events(&people.lead, &id).await[5..], ["approved", "offered"]);
    }
}

#[tokio::test]
async fn submitted_by_two_clients_at_one_time_it_is_submitted_once() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw).await;
    // The same person, signed in at two desks.
    let certificate = gw.enrol("h.clerk", "housing", &["applicant"]);
    let mut desks = Vec::new();
    for _ in 0..2 {
        let session = certificate.post("/v1/session", &json!({ "by": "certificate" })).await;
        desks.push(gw.nobody().with_cookies(&session));
    }
    for round in 0..rounds() {
        let drafted = desks[0].post("/v1/applications", &json!({ "terms": terms() })).await.json();
        let id = drafted["application"].as_str().unwrap();
        if round % 2 == 0 {
            one_won(&race(id, 1, [(&desks[0], "submit"), (&desks[1], "submit")]).await);
        } else {
            // Under one key both are told the same.
            let keyed = |desk: &Client| desk.clone().with_header("idempotency-key", &format!("k-{round}"));
            let (one, other) = (keyed(&desks[0]), keyed(&desks[1]));
            let [first, second] = race(id, 1, [(&one, "submit"), (&other, "submit")]).await;
            assert_eq!((first.status, second.status), (200, 200), "{} {}", first.text(), second.text());
            assert_eq!(first.json(), second.json());
        }
        assert_eq!(events(&people.lead, id).await, ["drafted", "submitted"]);
    }
}
