//! What people do in the console, from the first field in the cart to a grant in use: by forms alone,
//! as a browser without script would send them.

use crate::console::{send, token};
use crate::support::TestGateway;
use crate::support::client::{Answer, Client};
use crate::support::now;

/// What somebody might type to harm who reads it.
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> \u{202e}倒 مرحبا";

/// The value of an input of a page.
fn input(page: &Answer, name: &str) -> String {
    let text = page.text();
    let line = text.split(&format!("name=\"{name}\" value=\"")).nth(1);
    let line = line.unwrap_or_else(|| panic!("no input {name}: {text}"));
    line.split('"').next().unwrap().to_owned()
}

/// Sends a form of a page: with its token, and these inputs.
async fn fill(client: &Client, page: &Answer, path: &str, inputs: &[(&str, &str)]) -> Answer {
    let token = token(page);
    let all: Vec<(&str, &str)> = [("token", token.as_str())].iter().chain(inputs).copied().collect();
    send(client, path, &all).await
}

/// The inputs of an application for two fields of the subsistence list.
fn application(until: &str) -> Vec<(&str, &str)> {
    vec![
        ("/terms/dataset", "civil.subsistence"),
        ("/terms/purpose", "housing-aid.review"),
        ("/terms/mode", "service"),
        ("/terms/basis", "《公共租赁住房管理办法》第七条"),
        ("/terms/scenario", "公租房资格审核"),
        ("/terms/scope", "住房保障科经办人员"),
        ("/terms/systems/0", "housing.aid"),
        ("/terms/per_day", "200"),
        ("/terms/distinct_per_day", "100"),
        ("/terms/until", until),
        ("/terms/fields/5/field", "monthly_income"),
        ("/terms/fields/5/choice", "predicate {\"op\":\"<\",\"value\":3000}"),
        ("/terms/fields/5/reason", HOSTILE),
        ("/terms/fields/6/field", "monthly_allowance"),
        ("/terms/fields/6/choice", "plain"),
        ("/terms/fields/6/reason", "核定补贴额"),
        // Not ticked: its form and reason do not count.
        ("/terms/fields/7/choice", "plain"),
        ("/terms/fields/7/reason", "x"),
    ]
}

/// Gives a command by its form on the application's page.
async fn give(client: &Client, id: &str, command: &str, inputs: &[(&str, &str)]) -> Answer {
    let path = format!("/console/applications/{id}");
    let page = client.get(&path).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let version = input(&page, "/version");
    let all: Vec<(&str, &str)> = [("/version", version.as_str())].iter().chain(inputs).copied().collect();
    let given = fill(client, &page, &format!("{path}/{command}"), &all).await;
    assert_eq!(given.status, 303, "{command}: {}", given.text());
    client.get(&path).await
}

#[tokio::test]
async fn an_application_is_written_decided_field_by_field_and_used_without_a_line_of_script() {
    let gw = TestGateway::start().await;
    let applicant = gw.person("h.applicant", "housing", &["applicant"]).await;
    let lead = gw.person("h.lead", "housing", &["sharing_lead"]).await;
    let head = gw.person("c.head", "civil", &["section_head"]).await;
    let leader = gw.person("c.leader", "civil", &["leader"]).await;
    let owner = gw.person("c.lead", "civil", &["sharing_lead"]).await;
    let stranger = gw.person("m.applicant", "medical", &["applicant"]).await;
    let until = now().plus_seconds(300 * 86_400).day().to_string();

    // Searched for, put into the cart, and proposed in the least revealing form.
    let found = applicant.get("/console/catalogue?q=income").await;
    assert!(found.text().contains("/console/catalogue/civil.subsistence"), "{}", found.text());
    let dataset = applicant.get("/console/catalogue/civil.subsistence").await;
    let chosen = [("dataset", "civil.subsistence"), ("do", "add"), ("field", "monthly_income")];
    let put = fill(&applicant, &dataset, "/console/cart", &chosen).await;
    let cart = put.cookie("__Host-sluice-cart").unwrap().to_owned();
    assert_eq!(cart, "civil.subsistence~monthly_income");
    let session = applicant.headers().iter().find(|(name, _)| name == "cookie").unwrap().1.clone();
    let with_cart = applicant.clone().with_header("cookie", &format!("{session}; __Host-sluice-cart={cart}"));
    let form = with_cart.get("/console/apply?dataset=civil.subsistence&purpose=housing-aid.review").await;
    let row = form.text().split("value=\"monthly_income\"").nth(1).unwrap_or_default().to_owned();
    assert!(row.starts_with(" checked"), "what is in the cart is ticked: {row:.80}");
    let least = row.split("<option value=\"").nth(1).unwrap();
    assert!(least.starts_with("exists\" selected"), "the least revealing form: {least:.80}");

    // What is wrong is shown at its input, and what was typed is kept.
    let mut inputs = application(&until);
    inputs.retain(|(name, _)| *name != "/terms/scenario");
    inputs.extend([("do", "submit"), ("key", "k-1")]);
    let faulty = fill(&applicant, &form, "/console/apply", &inputs).await;
    assert_eq!(faulty.status, 422);
    let text = faulty.text();
    assert!(
        text.contains("href=\"#/terms/scenario\"") && text.contains("id=\"/terms/scenario-fault\""),
        "{text}"
    );
    assert!(text.contains("《公共租赁住房管理办法》第七条") && text.contains("核定补贴额"), "{text}");
    let seen = fill(&applicant, &form, "/console/apply/check", &application(&until)).await;
    let foresight = seen.json()["foresight"].to_string();
    assert!(foresight.contains("Section head → Leader in charge → Sharing lead"), "{foresight}");
    assert!(foresight.contains("10 working days"), "{foresight}");

    let mut inputs = application(&until);
    inputs.extend([("do", "submit"), ("key", "k-2")]);
    let handed_in = fill(&applicant, &form, "/console/apply", &inputs).await;
    assert_eq!(handed_in.status, 303, "{}", handed_in.text());
    let place = handed_in.header("location").unwrap().to_owned();
    let id = place.rsplit('/').next().unwrap().to_owned();
    let again = fill(&applicant, &form, "/console/apply", &inputs).await;
    assert_eq!(again.header("location"), Some(place.as_str()), "sent twice, written once");
    assert_eq!(stranger.get(&place).await.status, 404, "no business of another department");

    // Nothing of what was typed is more than text.
    let page = lead.get(&place).await.text();
    assert!(
        page.contains("Awaits own consent") && page.contains("&lt;script&gt;") | page.contains("&#60;script"),
        "{page}"
    );
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
    assert!(
        page.contains("⟨U+202E⟩倒") && !page.contains('\u{202e}'),
        "nothing turns the text around it: {page}"
    );
    assert!(page.contains("&#60; 3000") | page.contains("&lt; 3000"), "the comparison: {page}");

    give(&lead, &id, "consent", &[]).await;
    // Several at one time from the inbox: one vote each.
    let inbox = head.get("/console/inbox").await;
    let value = input(&inbox, "chosen");
    assert!(inbox.text().contains("working days left"), "{}", inbox.text());
    let voted = fill(
        &head,
        &inbox,
        "/console/inbox",
        &[("key", "k-3"), ("chosen", &value), ("chosen", "A-2026-999999 1")],
    )
    .await;
    assert!(
        voted.text().contains("✓ Your approval is recorded") && voted.text().contains("✕ Not found"),
        "{}",
        voted.text()
    );
    assert_eq!(head.get("/console/inbox").await.text().matches("type=\"checkbox\"").count(), 0);

    // One field is left out, with its reason; the other is offered in a lesser form.
    let left = [
        ("/without/1/field", "monthly_allowance"),
        ("/without/1/reason", "beyond-need"),
        ("/without/1/note", "补贴额与资格无关"),
        ("/without/0/reason", "beyond-need"),
    ];
    let page = give(&leader, &id, "approve", &left).await;
    assert!(page.text().contains("Left out") && page.text().contains("补贴额与资格无关"), "{}", page.text());
    let stale =
        fill(&owner, &owner.get(&place).await, &format!("{place}/approve"), &[("/version", "2")]).await;
    assert_eq!(stale.status, 412);
    assert!(stale.text().contains("Somebody changed it meanwhile"), "{}", stale.text());
    let page = give(&owner, &id, "approve", &[]).await;
    assert!(page.text().contains("What is offered"), "{}", page.text());

    let page = give(&lead, &id, "accept", &[]).await;
    assert!(page.text().contains("In force"), "{}", page.text());
    let grant = id.replace("A-", "G-");
    let own = applicant.get(&format!("/console/grants/{grant}")).await.text();
    assert!(
        own.contains("curl --cacert ca.pem")
            && own.contains("monthly_income")
            && own.contains("0 of 200 today"),
        "{own}"
    );
    assert!(applicant.get("/console/grants").await.text().contains(&grant));
    let other = owner.get(&format!("/console/grants/{grant}")).await.text();
    assert!(!other.contains("curl --cacert"), "the owner is not shown how to ask");
    let events = owner.get(&format!("/v1/applications/{id}/events")).await.json();
    let names: Vec<&str> =
        events["events"].as_array().unwrap().iter().filter_map(|e| e["event"].as_str()).collect();
    assert_eq!(
        names,
        ["drafted", "submitted", "consented", "approved", "approved", "approved", "offered", "accepted"]
    );
}

#[tokio::test]
async fn less_is_offered_in_one_form_and_what_is_missing_is_told_at_one_time() {
    let gw = TestGateway::start().await;
    let applicant = gw.person("h.applicant", "housing", &["applicant"]).await;
    let lead = gw.person("h.lead", "housing", &["sharing_lead"]).await;
    let until = now().plus_seconds(300 * 86_400).day().to_string();
    let mut people = Vec::new();
    for (account, role) in [("c.head", "section_head"), ("c.leader", "leader"), ("c.lead", "sharing_lead")] {
        people.push(gw.person(account, "civil", &[role]).await);
    }
    let [head, leader, owner] = people.try_into().unwrap_or_else(|_| panic!("three"));
    let form = applicant.get("/console/apply?dataset=civil.subsistence&purpose=housing-aid.review").await;
    let mut inputs = application(&until);
    inputs.extend([("do", "submit"), ("key", "k-1")]);
    let handed_in = fill(&applicant, &form, "/console/apply", &inputs).await;
    let id = handed_in.header("location").unwrap().rsplit('/').next().unwrap().to_owned();
    give(&lead, &id, "consent", &[]).await;

    let missing = [
        ("/missing/0/pointer", "/basis"),
        ("/missing/0/note", "请写明条款"),
        ("/missing/1/pointer", "/scenario"),
        ("/missing/1/note", ""),
    ];
    let page = give(&head, &id, "return", &missing).await;
    assert!(page.text().contains("Sent back") && page.text().contains("请写明条款"), "{}", page.text());

    // Written anew: the form has what was asked for.
    let anew = applicant.get(&format!("/console/apply?revise={id}")).await;
    assert!(anew.text().contains("公租房资格审核") && anew.text().contains("核定补贴额"), "{}", anew.text());
    let version = input(&anew, "/version");
    let mut inputs = application(&until);
    inputs.retain(|(name, _)| *name != "/terms/basis");
    inputs.extend([
        ("/terms/basis", "《公共租赁住房管理办法》第七条第二款"),
        ("revise", &id),
        ("/version", &version),
        ("do", "submit"),
        ("key", "k-2"),
    ]);
    let revised = fill(&applicant, &anew, "/console/apply", &inputs).await;
    assert_eq!(revised.status, 303, "{}", revised.text());
    give(&lead, &id, "consent", &[]).await;
    give(&head, &id, "approve", &[]).await;
    give(&leader, &id, "approve", &[]).await;

    let place = format!("/console/applications/{id}");
    let page = owner.get(&place).await;
    let names = ["dataset", "purpose", "basis", "scenario", "scope", "mode", "systems/0"]
        .map(|name| format!("/terms/{name}"));
    let fields = ["field", "form", "compare/0", "reason"].map(|name| format!("/terms/fields/0/{name}"));
    let second = ["field", "form", "reason"].map(|name| format!("/terms/fields/1/{name}"));
    let kept: Vec<(String, String)> = names
        .into_iter()
        .chain(fields)
        .chain(second)
        .map(|name| (name.clone(), unescaped(&input(&page, &name))))
        .collect();
    let mut inputs: Vec<(&str, &str)> =
        kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    inputs.extend([
        ("/terms/per_day", "50"),
        ("/terms/distinct_per_day", "50"),
        ("/terms/until", &until),
        ("/terms/fields/1/choice", "band"),
    ]);
    let page = give(&owner, &id, "counter", &inputs).await;
    assert!(page.text().contains("50 subjects a day"), "{}", page.text());
    let view = owner.get(&format!("/v1/applications/{id}")).await.json();
    assert_eq!(
        (&view["state"], &view["offer"]["fields"][1]["form"]),
        (&"offered".into(), &"band".into()),
        "{view}"
    );
}

#[tokio::test]
async fn a_refusal_is_explained_by_its_number_and_a_role_is_lent() {
    let gw = TestGateway::start().await;
    let applicant = gw.person("h.applicant", "housing", &["applicant"]).await;
    let head = gw.person("c.head", "civil", &["section_head"]).await;
    gw.person("c.deputy", "civil", &["applicant"]).await;
    let refused =
        gw.system("housing.aid").query("civil.subsistence", "housing-aid.review", &["bank_card"]).await;
    assert_eq!(refused.problem(), "403 refused");
    let id = refused.json()["request_id"].as_str().unwrap().to_owned();
    let why = applicant.get(&format!("/console/why?request_id={id}")).await;
    assert!(
        why.status == 200 && why.text().contains("Query refused") && why.text().contains("bank_card"),
        "{}",
        why.text()
    );
    let lost = head.get(&format!("/console/why?request_id={id}")).await;
    assert!(
        lost.status == 404 && lost.text().contains("no such request"),
        "another department's: {}",
        lost.text()
    );

    let page = head.get("/console/delegations").await;
    let day = |seconds: i64| now().plus_seconds(seconds).day().to_string();
    let loan =
        [("/to", "c.deputy"), ("/role", "section_head"), ("/since", &day(0)), ("/until", &day(5 * 86_400))];
    let lent = fill(&head, &page, "/console/delegations", &loan).await;
    assert_eq!(lent.status, 303, "{}", lent.text());
    assert!(head.get("/console/delegations").await.text().contains("c.deputy"));
    let nobody = [loan[0], ("/role", "leader"), loan[2], loan[3]];
    let faulty = fill(&head, &page, "/console/delegations", &nobody).await;
    assert!(faulty.status == 422 && faulty.text().contains("id=\"/role-fault\""), "{}", faulty.text());
}

/// Ten thousand of an application that was handed in, as if as many had been.
fn multiply(gw: &TestGateway, id: &str) {
    let each = |table: &str, key: &str, columns: &str| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
             INSERT INTO {table} ({key}, {columns})
             SELECT printf('A-2026-%06d', i), {columns} FROM {table}, n WHERE {key} = '{id}';"
        )
    };
    gw.tamper(&each(
        "applications",
        "id",
        "version, state, requester, provider, dataset, due_on, granted_at, open, rules, updated_at",
    ));
    gw.tamper(&each("application_events", "application", "seq, event, act"));
    gw.tamper(&each("application_waits", "application", "department, role"));
}

#[tokio::test]
async fn ten_thousand_applications_are_pages_of_which_each_is_small() {
    let gw = TestGateway::start().await;
    let applicant = gw.person("h.applicant", "housing", &["applicant"]).await;
    let lead = gw.person("h.lead", "housing", &["sharing_lead"]).await;
    let coordinator = gw.person("a.coordinator", "audit", &["coordinator"]).await;
    let until = now().plus_seconds(300 * 86_400).day().to_string();
    let form = applicant.get("/console/apply?dataset=civil.subsistence&purpose=housing-aid.review").await;
    let mut inputs = application(&until);
    inputs.extend([("do", "submit"), ("key", "k-1")]);
    let handed_in = fill(&applicant, &form, "/console/apply", &inputs).await;
    let id = handed_in.header("location").unwrap().rsplit('/').next().unwrap().to_owned();
    multiply(&gw, &id);

    for (who, path, most) in [
        (&coordinator, "/console/coordinator", 50),
        (&coordinator, "/console/coordinator?department=housing&after=9950", 50),
        (&coordinator, "/console/applications", 50),
        (&lead, "/console/inbox", 50),
        (&lead, "/console", 5),
    ] {
        let begun = std::time::Instant::now();
        let page = who.get(path).await;
        let took = begun.elapsed();
        let text = page.text();
        let links = text.split("href=\"/console/applications/A-").skip(1);
        let rows: std::collections::BTreeSet<&str> = links.map(|link| &link[..11]).collect();
        assert_eq!((page.status, rows.len()), (200, most), "{path}");
        assert!(page.body.len() < 100_000, "{path}: {} bytes", page.body.len());
        assert!(took.as_secs() < 10, "{path}: {took:?}");
    }
    let all = coordinator.get("/console/coordinator").await.text();
    assert!(all.contains("10,000") && all.contains("1–50 of 10,000"), "{all}");
    let last = coordinator.get("/console/coordinator?after=9950").await.text();
    assert!(last.contains("9,951–10,000 of 10,000") && !last.contains("after=10000"), "{last}");
}

/// A value of an input as a browser sends it.
fn unescaped(value: &str) -> String {
    let entities = [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ];
    entities.iter().fold(value.to_owned(), |text, (entity, char)| text.replace(entity, char))
}
