//! Notices reach their readers: by a real mail server in a process of its own, and by a receiver
//! that checks signatures. Down, slow, unwilling or killed, nothing is lost and order is kept.

use serde_json::{Value, json};
use sluice::base::{Clock, Lang, Timestamp};
use sluice::demo::certificates::Usage;
use sluice::identity::Role;
use sluice::store::state::notice::{Kind, Recipient};
use sluice::store::state::outbox::Waiting;

use crate::support::mail::MailServer;
use crate::support::office::{
    Office, SECRET, account, department, leads, mail_section, notice, private, webhook_section,
};
use crate::support::receiver::Receiver;
use crate::support::{TestGateway, now, until};

/// To whom each letter went, and of which application its subject speaks.
fn told(letters: &[Value]) -> Vec<(String, String)> {
    let told = |letter: &Value| {
        let to = letter["to"][0].as_str().unwrap().split('@').next().unwrap().to_owned();
        (to, letter["subject"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned())
    };
    letters.iter().map(told).collect()
}

fn of<'a>(told: &'a [(String, String)], who: &str) -> Vec<&'a str> {
    told.iter().filter(|(to, _)| to == who).map(|(_, what)| what.as_str()).collect()
}

#[tokio::test]
async fn a_letter_is_encrypted_signed_in_and_in_the_readers_language() {
    for security in ["tls", "starttls"] {
        let mut office = Office::open();
        let server = MailServer::start(&office.dir.path().join("tls"), "mail", security, 0);
        office.employ(&mail_section(server.port, security));
        office.hire("civil.li", Role::SharingLead, Lang::Zh);
        office.hire("civil.wang", Role::SharingLead, Lang::En);
        office.hire("housing.wu", Role::SharingLead, Lang::En);
        office.post(leads(), Kind::VoteNeeded, [1]);
        office.round().await;
        let mut letters = server.taken();
        letters.sort_by_key(|letter| letter["to"][0].to_string());
        assert_eq!(letters.len(), 2, "{security}: the leads of that department, and nobody else");
        for letter in &letters {
            assert_eq!((&letter["encrypted"], &letter["signed_in"]), (&json!(true), &json!("sluice")));
            assert_eq!(letter["sender"], "sluice@sluice.example");
            assert_eq!(letter["automatic"], "auto-generated");
        }
        let [zh, en] = [&letters[0], &letters[1]];
        assert_ne!(zh["id"], en["id"]);
        assert_eq!(zh["subject"], "【数闸】请审批共享申请 A-2026-000001");
        assert_eq!(en["subject"], "[Sluice] An application waits for your vote A-2026-000001");
        let (zh, en) = (zh["text"].as_str().unwrap(), en["text"].as_str().unwrap());
        for part in
            ["张晓同志：", "目录项：", "办理期限：2026年11月25日", "/applications/A-2026-000001", "此致"]
        {
            assert!(zh.contains(part), "{part} is not in:\n{zh}");
        }
        for part in ["Last day: 2026-11-25", "https://sluice.example/applications/A-2026-000001", "Yours"] {
            assert!(en.contains(part), "{part} is not in:\n{en}");
        }
        assert_eq!(office.waiting(), Waiting::default());
    }
}

#[tokio::test]
async fn while_the_mail_server_is_down_nothing_is_lost_and_the_order_is_kept() {
    let mut office = Office::open();
    let tls = office.dir.path().join("tls");
    let server = MailServer::start(&tls, "mail", "tls", 0);
    let port = server.port;
    office.employ(&mail_section(port, "tls"));
    office.hire("civil.li", Role::SharingLead, Lang::Zh);
    office.hire("civil.wang", Role::SharingLead, Lang::Zh);
    office.post(leads(), Kind::VoteNeeded, [1]);
    office.round().await;
    drop(server);
    for number in 2..=4 {
        office.post(leads(), Kind::VoteNeeded, [number]);
        office.round().await;
        office.pass(1);
    }
    assert_eq!(office.waiting(), Waiting { mail: 6, ..Waiting::default() });
    let server = MailServer::start(&tls, "mail", "tls", port);
    office.round().await;
    assert_eq!(server.taken().len(), 0, "it is not asked again at once");
    office.pass(30);
    office.round().await;
    let told = told(&server.taken());
    for who in ["civil.li", "civil.wang"] {
        assert_eq!(of(&told, who), ["A-2026-000002", "A-2026-000003", "A-2026-000004"]);
    }
    assert_eq!(office.waiting(), Waiting::default());
}

#[tokio::test]
async fn whom_the_server_cannot_take_now_waits_and_the_others_go_on() {
    let mut office = Office::open();
    let mut server = MailServer::start(&office.dir.path().join("tls"), "mail", "tls", 0);
    office.employ(&mail_section(server.port, "tls"));
    office.hire("civil.li", Role::SharingLead, Lang::Zh);
    office.hire("civil.wang", Role::SharingLead, Lang::Zh);
    server.behave("rcpt civil.li@post.example 451");
    office.post(leads(), Kind::VoteNeeded, [1, 2]);
    office.round().await;
    let both = ["A-2026-000001", "A-2026-000002"];
    assert_eq!(of(&told(&server.taken()), "civil.wang"), both);
    assert_eq!(office.waiting(), Waiting { mail: 2, ..Waiting::default() });
    server.behave("rcpt civil.li@post.example 250");
    server.behave("data 452");
    office.pass(30);
    office.round().await;
    server.behave("data 250");
    office.pass(59);
    office.round().await;
    assert_eq!(of(&told(&server.taken()), "civil.li"), [""; 0], "the pause doubles");
    office.pass(1);
    office.round().await;
    assert_eq!(of(&told(&server.taken()), "civil.li"), both);
}

#[tokio::test]
async fn what_the_server_will_never_take_is_given_up_and_the_next_goes_on() {
    let mut office = Office::open();
    let mut server = MailServer::start(&office.dir.path().join("tls"), "mail", "tls", 0);
    office.employ(&mail_section(server.port, "tls"));
    office.hire("civil.li", Role::SharingLead, Lang::Zh);
    server.behave("data 554");
    office.post(leads(), Kind::VoteNeeded, [1]);
    office.round().await;
    assert_eq!(office.waiting(), Waiting { parked: 1, ..Waiting::default() });
    server.behave("data 250");
    office.post(leads(), Kind::VoteNeeded, [2]);
    office.round().await;
    assert_eq!(told(&server.taken()), [("civil.li".to_owned(), "A-2026-000002".to_owned())]);
}

#[tokio::test]
async fn a_letter_that_nobody_will_take_for_days_is_given_up() {
    let office = Office::with_mail(1, "tls");
    office.hire("civil.li", Role::SharingLead, Lang::Zh);
    office.post(leads(), Kind::VoteNeeded, [1]);
    for _ in 0..79 {
        office.round().await;
        assert_eq!(office.waiting().mail, 1);
        office.pass(3600);
    }
    office.round().await;
    assert_eq!(office.waiting(), Waiting { parked: 1, ..Waiting::default() });
}

#[tokio::test]
async fn a_letter_that_was_taken_in_silence_comes_again_under_the_same_id() {
    let mut office = Office::open();
    let mut server = MailServer::start(&office.dir.path().join("tls"), "mail", "tls", 0);
    office.employ(&mail_section(server.port, "tls"));
    office.hire("civil.li", Role::SharingLead, Lang::Zh);
    server.behave("hold");
    office.post(leads(), Kind::VoteNeeded, [1]);
    office.round().await;
    assert_eq!(office.waiting(), Waiting { mail: 1, ..Waiting::default() });
    server.behave("data 250");
    office.pass(30);
    office.round().await;
    let letters = server.taken();
    assert_eq!(letters.len(), 2);
    assert_eq!((&letters[0]["id"], &letters[0]["text"]), (&letters[1]["id"], &letters[1]["text"]));
    assert_eq!(office.waiting(), Waiting::default());
}

#[tokio::test]
async fn a_wrong_password_costs_no_letter() {
    let mut office = Office::open();
    let server = MailServer::start(&office.dir.path().join("tls"), "mail", "tls", 0);
    private(&office.dir, "password", "wrong");
    office.employ(&mail_section(server.port, "tls"));
    office.hire("civil.li", Role::SharingLead, Lang::Zh);
    office.post(leads(), Kind::VoteNeeded, [1]);
    office.round().await;
    assert_eq!(office.waiting(), Waiting { mail: 1, ..Waiting::default() });
    private(&office.dir, "password", "canary-password");
    office.employ(&mail_section(server.port, "tls"));
    office.pass(30);
    office.round().await;
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test]
async fn a_server_that_cannot_show_who_it_is_gets_nothing() {
    for (certificate, offers, wants, why) in [
        ("elsewhere", "tls", "tls", "another's certificate"),
        ("elsewhere", "starttls", "starttls", "another's certificate after STARTTLS"),
        ("mail", "none", "starttls", "no STARTTLS"),
        ("mail", "none", "tls", "no TLS"),
    ] {
        let mut office = Office::open();
        let server = MailServer::start(&office.dir.path().join("tls"), certificate, offers, 0);
        office.employ(&mail_section(server.port, wants));
        office.hire("civil.li", Role::SharingLead, Lang::Zh);
        office.post(leads(), Kind::VoteNeeded, [1]);
        office.round().await;
        assert_eq!(server.letters(), [Value::Null; 0], "{why}");
        assert_eq!(office.waiting(), Waiting { mail: 1, ..Waiting::default() }, "{why}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_connected_to() {
    let mut office = Office::open();
    let server = MailServer::start(&office.dir.path().join("tls"), "mail", "tls", 0);
    let allowed = format!("allow = [\"127.0.0.1:{}\"]", server.port);
    office.employ(&mail_section(server.port, "tls").replace(&allowed, "allow = [\"0.0.0.0/0\"]"));
    office.hire("civil.li", Role::SharingLead, Lang::Zh);
    office.post(leads(), Kind::VoteNeeded, [1]);
    office.round().await;
    assert_eq!((server.letters().len(), office.waiting().mail), (0, 1));
}

#[tokio::test]
async fn the_small_things_of_a_day_come_in_one_letter_at_its_hour() {
    let mut office = Office::open();
    let server = MailServer::start(&office.dir.path().join("tls"), "mail", "tls", 0);
    office.employ(&mail_section(server.port, "tls"));
    office.hire("housing.wu", Role::Applicant, Lang::Zh);
    let at = |text| Timestamp::parse(text).unwrap();
    office.clock.set(at("2026-11-23T09:00:00+08:00"));
    office.post(account("housing.wu"), Kind::Approved, [1, 2]);
    office.post(account("housing.wu"), Kind::Returned, [3]);
    office.round().await;
    assert_eq!(told(&server.taken()), [("housing.wu".to_owned(), "A-2026-000003".to_owned())]);
    office.clock.set(at("2026-11-24T07:59:59+08:00"));
    office.post(account("housing.wu"), Kind::Commented, [4]);
    office.round().await;
    assert_eq!(server.taken().len(), 1);
    office.clock.set(at("2026-11-24T08:00:00+08:00"));
    office.round().await;
    office.pass(3600);
    office.round().await;
    let letters = server.taken();
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[1]["subject"], "【数闸】每日办理情况（3 项）");
    let text = letters[1]["text"].as_str().unwrap();
    let places: Vec<_> = [1, 2, 4].map(|n| text.find(&format!("编号：A-2026-{n:06}")).unwrap()).into();
    assert!(places.is_sorted(), "{text}");
}

#[tokio::test]
async fn whoever_left_meanwhile_is_not_written_to_and_who_is_told_twice_is_told_once() {
    let mut office = Office::open();
    let server = MailServer::start(&office.dir.path().join("tls"), "mail", "tls", 0);
    office.employ(&mail_section(server.port, "tls"));
    office.hire("civil.li", Role::SharingLead, Lang::Zh);
    office.hire("civil.wang", Role::SharingLead, Lang::Zh);
    office.post(leads(), Kind::Refused, [1]);
    office.post(account("civil.wang"), Kind::Refused, [1]);
    office.postman.as_ref().unwrap().address().await.unwrap();
    office.accounts.lock().unwrap()[0].active = false;
    office.round().await;
    assert_eq!(told(&server.taken()), [("civil.wang".to_owned(), "A-2026-000001".to_owned())]);
    assert_eq!(office.waiting(), Waiting { parked: 1, ..Waiting::default() });
}

#[tokio::test]
async fn a_webhook_gets_each_notice_signed_and_in_order() {
    let mut office = Office::open();
    let receiver =
        Receiver::start(&office.authority.issue("hook", &["localhost"], Usage::Server, now()).unwrap()).await;
    office.employ(&webhook_section(receiver.address.port()));
    office.post(Recipient::Department(department("civil")), Kind::VoteNeeded, [1]);
    office.post(Recipient::Department(department("civil")), Kind::Approved, [2]);
    office.post(Recipient::Department(department("housing")), Kind::Approved, [2]);
    office.round().await;
    let taken = receiver.taken();
    assert_eq!(taken.len(), 2, "at once, small things too; housing has no webhook");
    for (request, kind, number) in [(&taken[0], "vote-needed", 1), (&taken[1], "approved", 2)] {
        assert_eq!(request.target, "/notices?from=sluice");
        assert_eq!(request.check(&SECRET, "civil"), Some(office.clock.now().seconds()));
        assert_eq!(request.check(&[1; 32], "civil"), None, "the check itself checks");
        let expected = json!({ "id": request.id(), "notices": [{
            "kind": kind,
            "object": format!("A-2026-{number:06}"),
            "at": office.clock.now(),
            "about": {
                "version": number,
                "dataset": "civil.subsistence",
                "requester": "housing",
                "provider": "civil",
                "due": "2026-11-25",
            },
        }] });
        assert_eq!(request.json(), expected);
    }
    assert_ne!(taken[0].id(), taken[1].id());
}

#[tokio::test]
async fn a_webhook_that_fails_is_asked_again_later_and_is_followed_nowhere() {
    for (answer, attempts, parked) in [
        ("500 -", 2, 0),
        ("404 -", 2, 0),
        ("401 -", 2, 0),
        ("302 -\r\nlocation: https://localhost:1/", 2, 0),
        ("422 -", 1, 1),
    ] {
        let mut office = Office::open();
        let issued = office.authority.issue("hook", &["localhost"], Usage::Server, now()).unwrap();
        let receiver = Receiver::start(&issued).await;
        office.employ(&webhook_section(receiver.address.port()));
        receiver.behave(answer);
        office.post(Recipient::Department(department("civil")), Kind::VoteNeeded, [1]);
        office.round().await;
        receiver.behave("200 -");
        office.pass(30);
        office.round().await;
        let taken = receiver.taken();
        assert_eq!((taken.len(), office.waiting().parked), (attempts, parked), "{answer}");
        assert!(taken.iter().all(|request| request.id() == taken[0].id()));
        let signed: Vec<_> = taken.iter().map(|request| request.check(&SECRET, "civil").unwrap()).collect();
        assert!(attempts == 1 || signed[1] == signed[0] + 30, "it is signed anew: {signed:?}");
    }
}

/// Between the receiver's taking a notice and the mark in the database the process is killed.
#[tokio::test]
async fn a_gateway_killed_before_it_marks_a_notice_sends_it_again_under_the_same_id() {
    let mut gw = TestGateway::prepare().await;
    let receiver =
        Receiver::start(&gw.adapters.issue("hook", &["localhost"], Usage::Server, now()).unwrap()).await;
    let port = receiver.address.port();
    private(&gw.dir, "secret", &"a5".repeat(32));
    gw.configure(
        "[[adapter]]",
        &format!(
            "[notices]\nlink = \"https://sluice.example/\"\ntimeout_seconds = 1\n\n\
             [[notices.webhook]]\ndepartment = \"civil\"\nurl = \"https://localhost:{port}/\"\n\
             allow = [\"127.0.0.1\"]\nca = \"ca/adapters/ca.pem\"\nsecret_file = \"secret\"\n\n[[adapter]]"
        ),
    );
    let state = gw.state();
    let to = Recipient::Department(department("civil"));
    let new: Vec<_> = (1..=2).map(|number| notice(to.clone(), Kind::VoteNeeded, number)).collect();
    receiver.hold();
    gw.serve().unwrap();
    state.post(&new, now()).unwrap();
    until("the first is taken", async || receiver.taken().first().cloned()).await;
    gw.kill();
    receiver.behave("204 -");
    gw.serve().unwrap();
    let taken = until("all are taken", async || Some(receiver.taken()).filter(|t| t.len() == 3)).await;
    let objects: Vec<_> = taken.iter().map(|t| t.json()["notices"][0]["object"].clone()).collect();
    assert_eq!(objects, ["A-2026-000001", "A-2026-000001", "A-2026-000002"]);
    assert_eq!(taken[0].id(), taken[1].id());
    assert!(taken.iter().all(|request| request.check(&SECRET, "civil").is_some()));
    until("the gateway says so", async || {
        let (_, text) = gw.ops("/metrics").await;
        text.contains("sluice_notices_waiting{channel=\"webhook\"} 0").then_some(())
    })
    .await;
    assert!(!gw.log().contains(&"a5".repeat(8)), "no secret is told");
}
