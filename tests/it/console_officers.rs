//! The officers' pages over the wire: what is found, proven, tried and counted there.

use sluice::audit::{SignedRecord, VerifyingKey};

use crate::console::{send, token};
use crate::support::client::{Client, ask};
use crate::support::{PERSON, TestGateway};

/// A page, which must be shown.
pub async fn page(client: &Client, path: &str) -> String {
    let answer = client.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text()
}

/// Posts a form of the page `from`.
pub async fn posted(client: &Client, path: &str, from: &str, inputs: &[(&str, &str)]) -> u16 {
    let token = token(&client.get(from).await);
    let inputs: Vec<(&str, &str)> =
        [("token", token.as_str())].into_iter().chain(inputs.iter().copied()).collect();
    send(client, path, &inputs).await.status
}

fn public_key(gw: &TestGateway) -> VerifyingKey {
    VerifyingKey::parse(&std::fs::read_to_string(gw.path().join("keys/audit.vkey")).unwrap()).unwrap()
}

/// The text of the element with that id, as a browser would have it.
fn element(page: &str, id: &str) -> String {
    let behind = page.split(&format!("id=\"{id}\">")).nth(1).unwrap_or_else(|| panic!("no {id}: {page}"));
    let text = behind.split('<').next().unwrap();
    text.replace("&#34;", "\"").replace("&quot;", "\"").replace("&#38;", "&").replace("&amp;", "&")
}

#[tokio::test]
async fn an_auditor_finds_an_event_and_what_the_page_shows_is_what_is_proven() {
    let gw = TestGateway::start().await;
    let asked =
        gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    let auditor = gw.person("eve", "audit", &["auditor"]).await;

    let found =
        page(&auditor, "/console/security/events?kind=query&system=service.onestop&field=status").await;
    let links: Vec<&str> = found.matches("href=\"/console/security/events/").collect();
    assert_eq!(links.len(), 1, "one event and no other: {found}");
    let index = found.split("href=\"/console/security/events/").nth(1).unwrap().split('"').next().unwrap();
    let none = page(&auditor, "/console/security/events?kind=query&form=mask").await;
    assert!(none.contains("class=\"empty\""), "{none}");

    // What a browser hashes is what stands in the page, and it is the record, proven.
    let shown = page(&auditor, &format!("/console/security/events/{index}")).await;
    let path = shown.split("<ol id=\"path\">").nth(1).unwrap().split("</ol>").next().unwrap();
    let hashes: Vec<&str> =
        path.split("<code class=\"id\">").skip(1).map(|h| h.split('<').next().unwrap()).collect();
    let record = serde_json::json!({
        "index": index.parse::<u64>().unwrap(), "leaf": element(&shown, "leaf"), "proof": hashes,
        "checkpoint": element(&shown, "checkpoint"),
    });
    let record: SignedRecord = serde_json::from_value(record).unwrap();
    let key = public_key(&gw);
    record.check(&key).unwrap();

    let file = auditor.get(&format!("/console/security/events/{index}/proof")).await;
    let file: SignedRecord = serde_json::from_slice(&file.body).unwrap();
    assert_eq!(file.leaf, record.leaf);
}

/// What somebody might call a search to harm who reads it.
const HOSTILE: &str = "<img src=x onerror=alert(1)>\"' \u{202e}倒";

#[tokio::test]
async fn an_officer_keeps_a_search_opens_it_replaces_it_and_forgets_it() {
    let gw = TestGateway::start().await;
    let eve = gw.person("eve", "audit", &["auditor"]).await;
    let at = "/console/security/events";
    let save = async |name: &str, time: &str, more: &[(&str, &str)]| {
        let inputs: Vec<(&str, &str)> =
            [("/name", name), ("time", time)].into_iter().chain(more.iter().copied()).collect();
        let token = token(&eve.get(at).await);
        let inputs: Vec<(&str, &str)> = [("token", token.as_str())].into_iter().chain(inputs).collect();
        send(&eve, at, &inputs).await
    };
    let search = [("kind", "query"), ("outcome", "no-rule"), ("operator", "hc-0231")];
    let saved = save("夜间拒绝", "7", &search).await;
    assert_eq!(saved.status, 303, "{}", saved.text());
    let address = "/console/security/events?kind=query&amp;last=7&amp;operator=hc-0231&amp;outcome=no-rule";
    let listed = page(&eve, at).await.replace("&#38;", "&amp;");
    assert!(listed.contains(address) && listed.contains("夜间拒绝"), "{listed}");
    let opened = page(&eve, &address.replace("&amp;", "&")).await;
    assert!(opened.contains("aria-current=\"true\"><bdi>"), "the one that is open: {opened}");

    // What is not a parameter of a search is not kept, whatever a form sends along.
    let more = [("kind", "query"), ("redirect", "https://evil.example"), ("before", "7")];
    assert_eq!(save(HOSTILE, "stays", &more).await.status, 303);
    let listed = page(&eve, at).await;
    assert!(!listed.contains("<img src=x") && !listed.contains('\u{202e}') && !listed.contains("evil"));
    assert!(listed.contains("U+202E"), "{listed}");

    let number = crate::support::PERSON;
    for (name, time, more) in [
        (number, "7", ("kind", "query")),
        ("operator", "7", ("operator", number)),
        ("rule", "7", ("rule", "13812345678")),
        ("", "7", ("kind", "query")),
        (&*"长".repeat(61), "7", ("kind", "query")),
        ("time", "0", ("kind", "query")),
        ("time", "soon", ("kind", "query")),
    ] {
        let refused = save(name, time, &[more]).await;
        assert_eq!(refused.status, 422, "{name} {time} {more:?}: {}", refused.text());
    }
    assert_eq!(page(&eve, at).await.matches("name=\"id\"").count(), 2);

    assert_eq!(save("夜间拒绝", "1", &search).await.status, 303);
    let listed = page(&eve, at).await;
    assert_eq!(listed.matches("name=\"id\"").count(), 2, "saved anew, not twice");
    let ids: Vec<String> = listed
        .split("name=\"id\" value=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    let forget = "/console/security/searches/forget";
    let bob = gw.person("bob", "audit", &["auditor"]).await;
    assert!(!page(&bob, at).await.contains("name=\"id\""), "each their own");
    assert_eq!(posted(&bob, forget, at, &[("id", &ids[0])]).await, 404);
    for id in &ids {
        assert_eq!(posted(&eve, forget, at, &[("id", id)]).await, 303);
    }
    assert!(!page(&eve, at).await.contains("name=\"id\""));
    for wrong in ["last=0", "last=x", "last=99999", "last=-1"] {
        let shown = page(&eve, &format!("{at}?{wrong}")).await;
        assert!(shown.contains("id=\"faults\""), "{wrong}: {shown}");
    }
}

#[tokio::test]
async fn a_persons_number_typed_into_the_search_gets_into_no_address() {
    let gw = TestGateway::start().await;
    let eve = gw.person("eve", "audit", &["auditor"]).await;
    let (at, typed) = ("/console/security/events", "/console/security/search");
    let shown = eve.get(at).await;
    assert!(
        shown.text().contains(
            "<form class=\"card\" id=\"narrow\" method=\"post\" action=\"/console/security/search\""
        )
    );
    let token = token(&shown);
    let sent = async |inputs: &[(&str, &str)]| {
        let answer = send(&eve, typed, &[&[("token", token.as_str())], inputs].concat()).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        (answer.header("location").unwrap().to_owned(), answer)
    };
    let (place, _) = sent(&[("operator", "hc-0231"), ("kind", "query"), ("rule", ""), ("more", "x")]).await;
    assert_eq!(place, "/console/security/events?kind=query&operator=hc-0231");
    assert!(page(&eve, &place).await.contains("value=\"hc-0231\""), "the address is the search");
    for name in ["operator", "field", "rule", "case"] {
        let inputs = [("kind", "query"), ("outcome", "no-rule"), (name, PERSON)];
        let kept = "/console/security/events?kind=query&outcome=no-rule";
        assert_eq!(sent(&inputs).await.0, kept, "{name}");
        // Who comes with such an address is led away from it.
        let opened = eve.get(&format!("{kept}&{name}={PERSON}")).await;
        assert_eq!((opened.status, opened.header("location")), (303, Some(kept)), "{name}");
    }
    assert_eq!(sent(&[("operator", "138-1234 5678")]).await.0, at);
    let (place, answer) = sent(&[("operator", "tel. 13812345678")]).await;
    assert_eq!(place, at);
    assert_eq!(answer.cookie("__Host-sluice-said"), Some("search-number"), "and is told so");
    let looked = gw.records("kind=audit-search&outcome=invalid-request").await;
    assert!(looked.len() >= 8, "that somebody looked for a number is in the log: {}", looked.len());
    assert!(!serde_json::to_string(&looked).unwrap().contains(PERSON));
}

#[tokio::test]
async fn another_wording_is_tried_and_changes_nothing() {
    let gw = TestGateway::start().await;
    let system = gw.system("service.onestop");
    let ask = || async { system.query("civil.subsistence", "housing-aid.review", &["status"]).await.status };
    assert_eq!(ask().await, 200);
    let admin = gw.person("sam", "audit", &["system_admin"]).await;
    let file = "policies/rules/civil.subsistence.csv";
    let at = format!("/console/admin/rules/try?file={file}");
    let shown = admin.get(&at).await;
    let token = token(&shown);
    // Only what the wording says is left: the rule that gives housing aid the status is gone.
    let text = "p, dep:service, civil.subsistence, status, livelihood.review, plain, allow, CS-011\n";
    let inputs = [("token", token.as_str()), ("file", file), ("text", text), ("days", "7")];
    let tried = send(&admin, "/console/admin/rules/try", &inputs).await;
    assert_eq!(tried.status, 200, "{}", tried.text());
    assert!(
        tried.text().contains("class=\"loss\"") && tried.text().contains("service.onestop"),
        "{}",
        tried.text()
    );
    assert!(
        tried.text().contains("1 of 1") || tried.text().contains("1 / 1"),
        "what was asked is played back"
    );
    assert_eq!(ask().await, 200, "nothing took effect");
    let broken = [("token", token.as_str()), ("file", file), ("text", "p, nonsense\n"), ("days", "7")];
    let broken = send(&admin, "/console/admin/rules/try", &broken).await;
    assert!(broken.text().contains(&format!("{file}:1")), "{}", broken.text());
}

#[tokio::test]
async fn a_query_is_tried_out_on_data_that_is_nobodys() {
    let gw = TestGateway::start().await;
    let person = gw.person("ivy", "service", &["applicant"]).await;
    let at = "/console/integrator/try?dataset=civil.subsistence";
    let token = token(&person.get(at).await);
    let body = ask("housing-aid.review", &[PERSON], serde_json::json!(["status"])).to_string();
    let attempt = |system: &'static str, body: String| {
        let (person, token) = (person.clone(), token.clone());
        async move {
            let inputs = [
                ("token", token.as_str()),
                ("dataset", "civil.subsistence"),
                ("system", system),
                ("body", &body),
            ];
            send(&person, "/console/integrator/try", &inputs).await
        }
    };
    let tried = attempt("service.onestop", body.clone()).await;
    assert_eq!(tried.status, 200, "{}", tried.text());
    assert!(tried.text().contains("receiving"), "{}", tried.text());
    assert_eq!(attempt("medical.settlement", body.clone()).await.status, 404, "another department's system");
    let faulty = attempt("service.onestop", body.replace("\"status\"", "\"no_such\"")).await;
    assert_eq!(faulty.status, 422, "{}", faulty.text());
    assert!(faulty.text().contains("/fields/0"), "{}", faulty.text());

    // Nobody was asked about anybody, and the log knows that somebody tried, and not about whom.
    assert_eq!(gw.civil.asked().len(), 0);
    let records = gw.records("kind=rehearsal").await;
    assert_eq!(records.len(), 3, "{records:?}");
    assert!(records.iter().all(|record| record.get("subjects").is_none()), "{records:?}");
    assert!(!format!("{records:?}").contains(PERSON));

    // Thirty a minute, and what goes beyond is counted, not recorded.
    let mut last = 200;
    for _ in 0..30 {
        last = attempt("service.onestop", body.clone()).await.status;
    }
    assert_eq!(last, 429);
    assert!(gw.records("kind=rehearsal").await.len() <= 31);
    assert_eq!(gw.civil.asked().len(), 0);
}

#[tokio::test]
async fn every_version_shows_what_it_changed() {
    let gw = TestGateway::start().await;
    let admin = gw.person("sam", "audit", &["system_admin"]).await;
    let first = page(&admin, "/console/admin/versions").await;
    assert!(first.matches("href=\"/console/admin/versions/1\"").count() == 1, "{first}");
    assert!(page(&admin, "/console/admin/versions/1").await.contains("first version"));
    // The rule that gives the kind of allowance goes.
    let file = gw.path().join("policies/rules/civil.subsistence.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains("category")).collect();
    std::fs::write(&file, kept.join("\n") + "\n").unwrap();
    assert_eq!(gw.apply().0, 0);
    let changed = page(&admin, "/console/admin/versions/2").await;
    assert!(
        changed.contains("class=\"loss\"") && changed.contains("civil.subsistence.category"),
        "{changed}"
    );
    assert!(changed.contains("<del>") && !changed.contains("<ins>"), "{changed}");
    assert_eq!(admin.get("/console/admin/versions/3").await.status, 404);
    assert_eq!(admin.get("/console/admin/versions/x").await.status, 404);
    let stranger = gw.person("ivy", "service", &["applicant"]).await;
    assert_eq!(stranger.get("/console/admin/versions/2").await.status, 403);
}

#[tokio::test]
async fn a_name_that_turns_what_stands_around_it_is_nobodys() {
    let gw = TestGateway::start().await;
    let admin = gw.person("sam", "audit", &["system_admin"]).await;
    let make = |name: &'static str| {
        [("/account", "civil.new"), ("/person", "P-2001"), ("/name", name), ("/department", "civil")]
    };
    let at = "/console/admin/people";
    for name in ["魏\u{202e}", "魏\u{61c}", "魏\u{3164}", "魏\u{e0041}"] {
        assert_eq!(posted(&admin, at, at, &make(name)).await, 422, "{name:?}");
    }
    assert_eq!(posted(&admin, at, at, &make("魏 مرحبا")).await, 200);
}

#[tokio::test]
async fn whoever_has_roles_is_put_back_in_force_by_who_gives_them() {
    let gw = TestGateway::start().await;
    let (maker, giver) = (
        gw.person("sam", "audit", &["system_admin"]).await,
        gw.person("eve", "audit", &["security_admin"]).await,
    );
    gw.person("c.head", "civil", &["section_head"]).await;
    let at = "/console/admin/people/c.head";
    assert_eq!(posted(&maker, &format!("{at}/disable"), at, &[]).await, 303);
    let enable = format!("action=\"{at}/enable\"");
    assert!(!page(&maker, at).await.contains(&enable), "who makes accounts gives back no roles");
    assert!(page(&giver, at).await.contains(&enable));
    assert_eq!(posted(&giver, &format!("{at}/enable"), at, &[]).await, 303);
    assert!(page(&giver, at).await.contains("/disable\""));
}

#[tokio::test]
async fn a_part_of_the_log_is_taken_away_and_proves_itself() {
    let gw = TestGateway::start().await;
    let auditor = gw.person("eve", "audit", &["auditor"]).await;
    let part = auditor.get("/console/security/export/part?first=0&count=5").await;
    assert_eq!(part.status, 200, "{}", part.text());
    let key = public_key(&gw);
    let text = part.text();
    let mut lines = text.lines();
    let mut check = sluice::audit::export::ExportCheck::new(lines.next().unwrap(), &key);
    lines.for_each(|line| check.line(line));
    let report = check.finish();
    assert!(report.damage.is_empty(), "{:?}", report.damage);
    // Without script one file is taken after the other, and the page says how far that is.
    let taking = auditor.get("/console/security/export?first=0&count=5").await;
    assert_eq!(taking.header("refresh"), Some("0; url=/console/security/export/part?first=0&count=5"));
    assert!(taking.text().contains("<progress max=\"5\" value=\"5\""), "{}", taking.text());
    let beyond = auditor.get("/console/security/export?first=99999999&count=5").await;
    assert!(beyond.header("refresh").is_none() && beyond.text().contains("role=\"alert\""));
    assert_eq!(auditor.get("/console/security/export/part?first=0&count=5000").await.status, 422);
    assert_eq!(auditor.get("/console/security/export/part?first=99999999&count=5").await.status, 404);
}
