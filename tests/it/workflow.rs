//! What the whole way must hold to, over real TLS and by people who are signed in: what was stopped
//! stays stopped under load and through a failing log, clocks run out once, nobody decides twice,
//! and who is waited for gets a letter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use sluice::base::ids::AccountId;
use sluice::demo::certificates::Usage;
use sluice::store::state::Change;

use crate::applications::{People, give, terms};
use crate::io_faults::Faults;
use crate::support::client::{Answer, Client, ask};
use crate::support::clock::Clock;
use crate::support::load::PATH;
use crate::support::mail::MailServer;
use crate::support::office::private;
use crate::support::{PERSON, TestGateway, now, until};

const GRANT: &str = "G-2026-000001";
const DAY: i64 = 86_400;

/// Asks for the field that the grant of [`terms`] gives.
async fn allowance(gw: &TestGateway) -> Answer {
    gw.system("housing.aid").query("civil.subsistence", "housing-aid.review", &["monthly_allowance"]).await
}

/// The same terms for as many queries as a load has.
fn for_many() -> Value {
    let mut terms = terms();
    terms["per_day"] = json!(1_000_000);
    terms
}

/// Clients that ask for the grant's field all the time.
struct Load {
    over: Arc<AtomicBool>,
    asking: Vec<tokio::task::JoinHandle<usize>>,
}

impl Load {
    /// Eight of them, each of which was answered.
    async fn on(gw: &TestGateway) -> Self {
        let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let asking = (0..8).map(|_| {
            let (client, over, answered) =
                (gw.system("housing.aid"), Arc::clone(&over), Arc::clone(&answered));
            tokio::spawn(async move {
                let body = ask("housing-aid.review", &[PERSON], json!(["monthly_allowance"])).to_string();
                let mut connection = client.connect().await.unwrap();
                let (mut before, mut after) = (0, 0);
                while after < 20 {
                    let sent_after = over.load(Ordering::SeqCst);
                    let answer = connection.send("POST", PATH, &[], Some(body.as_bytes())).await.unwrap();
                    assert!(!sent_after || answer.problem() == "403 refused", "{}", answer.text());
                    before += usize::from(answer.status == 200);
                    after += usize::from(sent_after);
                    answered.fetch_add(usize::from(answer.status == 200), Ordering::SeqCst);
                }
                before
            })
        });
        let asking = asking.collect();
        until("the load runs", async || (answered.load(Ordering::SeqCst) > 80).then_some(())).await;
        Self { over, asking }
    }

    /// The grant is at its end: whatever is sent from now on must be refused.
    async fn over(self) {
        self.over.store(true, Ordering::SeqCst);
        for task in self.asking {
            assert!(task.await.unwrap() > 0, "it was answered before");
        }
    }
}

#[tokio::test]
async fn a_grant_that_was_suspended_or_revoked_answers_nothing_that_is_sent_afterwards_under_load() {
    let gw = TestGateway::start_with("\n[limits]\nrefusals_per_minute = 100000\n").await;
    let people = People::of(&gw).await;
    people.granted(&for_many()).await;
    let order = async |who: &Client, name: &str, mut body: Value| {
        body["version"] = who.get(&format!("/v1/grants/{GRANT}")).await.json()["version"].clone();
        let answer = who.post(&format!("/v1/grants/{GRANT}/{name}"), &body).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    };
    let load = Load::on(&gw).await;
    order(&people.owner, "suspend", json!({ "note": "发现超范围使用" })).await;
    load.over().await;
    order(&people.owner, "resume", json!({})).await;
    assert_eq!(allowance(&gw).await.problem(), "403 refused", "one is not enough");
    order(&people.leader, "resume", json!({})).await;
    assert_eq!(allowance(&gw).await.status, 200, "on the next query");

    let load = Load::on(&gw).await;
    order(&people.leader, "revoke", json!({ "note": "目的已达到" })).await;
    load.over().await;
    let version = people.owner.get(&format!("/v1/grants/{GRANT}")).await.json()["version"].clone();
    let again =
        people.owner.post(&format!("/v1/grants/{GRANT}/resume"), &json!({ "version": version })).await;
    assert_eq!(again.problem(), "409 wrong-state", "what was revoked stays so");
}

#[tokio::test]
async fn a_grant_whose_last_day_is_over_answers_nothing_that_is_sent_afterwards_under_load() {
    let mut gw = TestGateway::prepare().await;
    gw.configure("[tls]", "[limits]\nrefusals_per_minute = 100000\n\n[tls]");
    gw.revoke(&[], now().plus_seconds(30 * DAY));
    let clock = Clock::of(&mut gw);
    gw.serve().unwrap();
    let people = People::of(&gw).await;
    let last = now().plus_seconds(2 * DAY).day();
    let mut terms = for_many();
    terms["until"] = json!(last.to_string());
    let id = people.granted(&terms).await;
    let load = Load::on(&gw).await;
    clock.set(3 * DAY);
    load.over().await;
    let expired = until("its end is on record", async || {
        let acts = gw.records("kind=administration").await;
        Some(
            acts.into_iter()
                .filter(|a| a["object"] == json!(id) && a["action"] == "application-expired")
                .count(),
        )
        .filter(|count| *count > 0)
    });
    assert_eq!(expired.await, 1);
}

#[tokio::test]
async fn while_the_log_cannot_be_written_a_command_is_not_in_force_and_its_key_is_answered_later() {
    let mut gw = TestGateway::prepare().await;
    let mut faults = Faults::under(&mut gw);
    gw.serve().unwrap();
    let people = People::of(&gw).await;
    let id = people.up_to(&terms(), 5).await;
    let lead = people.lead.clone().with_header("idempotency-key", "accept-1");
    let owner = people.owner.clone().with_header("idempotency-key", "revoke-1");
    let accept = (&lead, format!("/v1/applications/{id}/accept"), json!({ "version": 7 }));
    let revoke =
        (&owner, format!("/v1/grants/{GRANT}/revoke"), json!({ "version": 8, "note": "目的已达到" }));
    let orders = [(accept, "active", "200"), (revoke, "revoked", "403 refused")];
    for (round, ((who, path, body), state, afterwards)) in orders.into_iter().enumerate() {
        faults.plan("eio", 0, 1);
        for _ in 0..2 {
            assert_eq!(who.post(&path, &body).await.problem(), "503 audit-unavailable");
            assert_eq!(allowance(&gw).await.problem(), "503 audit-unavailable", "nothing is answered");
        }
        assert!(!faults.hits().is_empty());
        // It is stored, and not in force: a catalogue that can be read shows what was before.
        let shown = gw.system("housing.aid").get("/v1/datasets/civil.subsistence").await.text();
        assert_eq!(shown.contains(GRANT), round == 1 && !shown.contains("audit-unavailable"), "{shown}");
        faults.none();
        let answer = until("the log is back", async || {
            Some(who.post(&path, &body).await).filter(|answer| answer.status != 503)
        });
        let answer = answer.await;
        assert_eq!((answer.status, &answer.json()["state"]), (200, &json!(state)), "{}", answer.text());
        assert_eq!(who.post(&path, &body).await.body, answer.body, "the same key, the same answer");
        let query = allowance(&gw).await;
        let query = if query.status == 200 { "200".to_owned() } else { query.problem() };
        assert_eq!(query, afterwards);
    }
    let events = people.lead.get(&format!("/v1/applications/{id}/events")).await.json();
    let events: Vec<_> = events["events"].as_array().unwrap().iter().map(|e| e["event"].clone()).collect();
    assert_eq!(events[7..], ["accepted", "revoked"], "each was done once");
    let acts = gw.records("kind=administration").await;
    for action in ["application-accepted", "application-revoked"] {
        let recorded =
            acts.iter().filter(|act| act["action"] == action && act["object"] == json!(id)).count();
        assert_eq!(recorded, 1, "{action}");
    }
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

#[tokio::test]
async fn clocks_that_ran_out_while_the_gateway_stood_come_about_once_also_after_the_next_start() {
    let mut gw = TestGateway::prepare().await;
    gw.revoke(&[], now().plus_seconds(700 * DAY));
    let clock = Clock::of(&mut gw);
    gw.serve().unwrap();
    let people = People::of(&gw).await;
    let in_review = people.up_to(&terms(), 2).await;
    let draft = people.up_to(&terms(), 0).await;
    let came = async |gw: &TestGateway, id: &str, action: &str| {
        let acts = gw.records("kind=administration").await;
        acts.iter().filter(|act| act["object"] == json!(id) && act["action"] == json!(action)).count()
    };
    gw.kill();
    clock.set(200 * DAY);
    gw.serve().unwrap();
    for (id, action) in [(&in_review, "application-overdue"), (&draft, "application-lapsed")] {
        until(action, async || (came(&gw, id, action).await > 0).then_some(())).await;
    }
    // A clock that only the next start can find says when that start has looked at them all.
    let clerk = gw.person("h.clerk", "housing", &["applicant"]).await;
    let later = clerk.post("/v1/applications", &json!({ "terms": terms() })).await.json();
    let later = later["application"].as_str().unwrap();
    gw.stop();
    clock.set(400 * DAY);
    gw.serve().unwrap();
    until("the later one", async || (came(&gw, later, "application-lapsed").await > 0).then_some(())).await;
    for (id, action) in [
        (in_review.as_str(), "application-overdue"),
        (&draft, "application-lapsed"),
        (later, "application-lapsed"),
    ] {
        assert_eq!(came(&gw, id, action).await, 1, "{id} {action}");
    }
    let owner = gw.person("c.other", "civil", &["sharing_lead"]).await;
    let view = owner.get(&format!("/v1/applications/{in_review}")).await.json();
    assert_eq!(view["state"], "in-review", "silence decides nothing");
}

#[tokio::test]
async fn nobody_decides_in_two_parts_whatever_account_role_loan_or_certificate_it_is_done_with() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw).await;
    let refused = async |who: &Client, id: &str, name: &str, members: Value| {
        let version = people.owner.get(&format!("/v1/applications/{id}")).await.json()["version"].clone();
        let answer = give(who, id, name, members).await;
        assert_eq!(answer.problem(), "403 not-separate", "{name}");
        let after = people.owner.get(&format!("/v1/applications/{id}")).await.json()["version"].clone();
        assert_eq!(after, version, "{name}: nothing was done");
    };
    let lend = async |from: &Client, to: &str, role: &str| {
        let (since, until) = (now().plus_seconds(-1), now().plus_seconds(DAY));
        let body = json!({ "to": to, "role": role, "since": since.to_string(), "until": until.to_string() });
        let answer = from.post("/v1/delegations", &body).await;
        assert!(answer.status < 300, "{}", answer.text());
    };
    let lent = |role: &str, from: &str| json!({ "as": { "role": role, "for_account": from } });

    // The applicant consents neither by the certificate of another account, nor with its role lent,
    // nor through somebody to whom the applicant lent it.
    let author_as_lead = gw.person("h.applicant/h.applicant-lead", "housing", &["sharing_lead"]).await;
    let deputy = gw.person("h.deputy", "housing", &["section_head"]).await;
    let id = people.up_to(&terms(), 1).await;
    refused(&author_as_lead, &id, "consent", json!({})).await;
    lend(&people.lead, "h.applicant", "sharing_lead").await;
    refused(&people.applicant, &id, "consent", lent("sharing_lead", "h.lead")).await;
    lend(&author_as_lead, "h.deputy", "sharing_lead").await;
    refused(&deputy, &id, "consent", lent("sharing_lead", "h.applicant-lead")).await;

    // The head of the applicant who wrote the application: to the deputy as to the head itself.
    let boss = gw.person("h.boss", "housing", &["applicant", "sharing_lead"]).await;
    let drafted = boss.post("/v1/applications", &json!({ "terms": terms() })).await.json();
    let of_boss = drafted["application"].as_str().unwrap().to_owned();
    assert_eq!(give(&boss, &of_boss, "submit", json!({})).await.status, 200);
    refused(&boss, &of_boss, "consent", json!({})).await;
    lend(&people.lead, "h.boss", "sharing_lead").await;
    refused(&boss, &of_boss, "consent", lent("sharing_lead", "h.lead")).await;
    lend(&boss, "h.deputy", "sharing_lead").await;
    refused(&deputy, &of_boss, "consent", lent("sharing_lead", "h.boss")).await;

    // Nor does the applicant vote, from an account in the provider.
    assert_eq!(give(&people.lead, &id, "consent", json!({})).await.status, 200);
    let newcomer = gw.person("h.applicant/c.newcomer", "civil", &["section_head"]).await;
    refused(&newcomer, &id, "approve", json!({})).await;

    // One person, one quorum: not by a second role, a second account, or a role that was lent.
    let both = gw.person("c.both", "civil", &["section_head", "leader"]).await;
    let both_too = gw.person("c.both/c.both-too", "civil", &["leader", "sharing_lead"]).await;
    assert_eq!(give(&both, &id, "approve", json!({})).await.status, 200);
    refused(&both, &id, "approve", json!({})).await;
    refused(&both_too, &id, "approve", json!({})).await;
    lend(&people.leader, "c.both", "leader").await;
    refused(&both, &id, "approve", lent("leader", "c.leader")).await;
    assert_eq!(give(&people.leader, &id, "approve", json!({})).await.status, 200);
    refused(&both_too, &id, "approve", json!({})).await;
    assert_eq!(give(&people.owner, &id, "approve", json!({})).await.status, 200);
    assert_eq!(give(&people.lead, &id, "accept", json!({})).await.status, 200);

    // What was suspended is resumed by two people, not by one with two accounts.
    let owner_too = gw.person("c.lead/c.lead-too", "civil", &["leader"]).await;
    assert_eq!(give(&people.owner, &id, "suspend", json!({ "note": "核查" })).await.status, 200);
    assert_eq!(give(&people.owner, &id, "resume", json!({})).await.status, 200);
    refused(&people.owner, &id, "resume", json!({})).await;
    refused(&owner_too, &id, "resume", json!({})).await;
    assert_eq!(allowance(&gw).await.status, 403);
    assert_eq!(give(&people.leader, &id, "resume", json!({})).await.status, 200);
    assert_eq!(allowance(&gw).await.status, 200);
}

#[tokio::test]
async fn the_session_counts_and_not_the_certificate_of_the_connection_that_it_comes_over() {
    let gw = TestGateway::start().await;
    let people = People::of(&gw).await;
    let id = people.up_to(&terms(), 1).await;
    // The applicant's session over a connection that shows the certificate of another lead.
    let other = gw.enrol("h.lead2", "housing", &["sharing_lead"]);
    let cookie = people.applicant.headers().iter().find(|(name, _)| name == "cookie").unwrap().1.clone();
    let mixed = other.with_header("cookie", &cookie);
    assert_eq!(give(&mixed, &id, "consent", json!({})).await.problem(), "403 forbidden");
    assert_eq!(give(&people.lead, &id, "consent", json!({})).await.status, 200);
}

#[tokio::test]
async fn an_application_that_waits_for_a_vote_is_told_to_the_voter_by_mail() {
    let mut gw = TestGateway::prepare().await;
    let issued = gw.adapters.issue("mail", &["localhost"], Usage::Server, now()).unwrap();
    issued.write(&gw.path().join("tls"), "mail").unwrap();
    let server = MailServer::start(&gw.path().join("tls"), "mail", "tls", 0);
    private(&gw.dir, "password", "canary-password\n");
    let port = server.port;
    gw.configure(
        "[[adapter]]",
        &format!(
            "[notices]\nlink = \"https://sluice.example/applications/\"\n\n[notices.mail]\nhost = \"localhost\"\n\
             port = {port}\nallow = [\"127.0.0.1:{port}\"]\nsecurity = \"tls\"\nca = \"ca/adapters/ca.pem\"\n\
             from = \"sluice@sluice.example\"\nuser = \"sluice\"\npassword_file = \"password\"\n\n[[adapter]]"
        ),
    );
    gw.serve().unwrap();
    let people = People::of(&gw).await;
    for account in ["c.head", "c.leader", "h.lead"] {
        let (id, mail) = (AccountId::parse(account).unwrap(), format!("{account}@post.example"));
        gw.state().change_account(&id, &Change::SetEmail(Some(mail)), "uid 0", now()).unwrap();
    }
    // Whoever's address changed has to sign in anew; these two did not change.
    let drafted = people.applicant.post("/v1/applications", &json!({ "terms": terms() })).await.json();
    let id = drafted["application"].as_str().unwrap();
    assert_eq!(give(&people.applicant, id, "submit", json!({})).await.status, 200);
    let to = |letters: &[Value]| -> Vec<String> {
        letters.iter().map(|letter| letter["to"][0].as_str().unwrap().to_owned()).collect()
    };
    until("the lead is told", async || (to(&server.taken()) == ["h.lead@post.example"]).then_some(())).await;
    let second = gw.person("h.lead2", "housing", &["sharing_lead"]).await;
    assert_eq!(give(&second, id, "consent", json!({})).await.status, 200);
    let letters =
        until("the first voter is told", async || Some(server.taken()).filter(|letters| letters.len() >= 2))
            .await;
    assert_eq!(to(&letters), ["h.lead@post.example", "c.head@post.example"], "and not yet the leader");
    let (subject, text) = (letters[1]["subject"].as_str().unwrap(), letters[1]["text"].as_str().unwrap());
    assert_eq!(subject, format!("【数闸】请审批共享申请 {id}"));
    assert!(text.contains(&format!("https://sluice.example/applications/{id}")), "{text}");
    for typed in ["公租房申请资格审核", "核对补助", "住房保障科经办人员", PERSON] {
        assert!(!text.contains(typed) && !subject.contains(typed), "{typed}: {text}");
    }
    assert_eq!(letters[1]["encrypted"], json!(true));
}
