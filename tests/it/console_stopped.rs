//! Systems, operators and grants are stopped and let go on, by the pages and by programs.

use crate::console::{send, token};
use crate::console_officers::{page, posted};
use crate::support::{PERSON, TestGateway};

#[tokio::test]
async fn programs_stop_and_let_go_on_as_people_do_by_the_pages() {
    let gw = TestGateway::start().await;
    let system = gw.system("service.onestop");
    let ask = || async { system.query("civil.subsistence", "housing-aid.review", &["status"]).await.status };
    let (one, two, eve) = (
        gw.person("one", "audit", &["security_admin"]).await,
        gw.person("two", "audit", &["security_admin"]).await,
        gw.person("eve", "audit", &["auditor"]).await,
    );
    let at = "/v1/suspensions";
    let stop = serde_json::json!({ "what": "system", "name": "service.onestop", "reason": "unusual-volume" });
    assert_eq!(eve.post(at, &stop).await.problem(), "403 forbidden");
    let stopped = one.post(at, &stop).await;
    assert_eq!(stopped.status, 201, "{}", stopped.text());
    assert_eq!(ask().await, 403);
    let listed = eve.get(at).await.json()["suspensions"][0].clone();
    assert_eq!(listed, stopped.json());
    assert_eq!(one.post(at, &stop).await.problem(), "409 wrong-state");
    for (member, wrong, problem) in [
        ("name", "no.such", "404 not-found"),
        ("reason", "because", "422 invalid-request"),
        ("what", "department", "422 invalid-request"),
        ("more", "x", "422 invalid-request"),
    ] {
        let mut body = stop.clone();
        body[member] = serde_json::json!(wrong);
        assert_eq!(one.post(at, &body).await.problem(), problem, "{member}");
    }
    let go_on = serde_json::json!({ "what": "system", "name": "service.onestop" });
    let resume = "/v1/suspensions/resume";
    assert_eq!(eve.post(resume, &go_on).await.problem(), "403 forbidden");
    assert_eq!(one.post(resume, &go_on).await.json()["state"], "asked");
    assert_eq!(one.post(resume, &go_on).await.problem(), "403 not-separate");
    assert_eq!(eve.get(at).await.json()["suspensions"][0]["resuming"], "one");
    assert_eq!(two.post(resume, &go_on).await.json()["state"], "resumed");
    assert_eq!(two.post(resume, &go_on).await.problem(), "409 wrong-state");
    assert_eq!(ask().await, 200);
    assert_eq!(eve.get(at).await.json(), serde_json::json!({ "suspensions": [] }));
}

#[tokio::test]
async fn a_word_that_was_used_up_lets_nobody_go_on_again() {
    let gw = TestGateway::start().await;
    let (one, two) = (
        gw.person("one", "audit", &["security_admin"]).await,
        gw.person("two", "audit", &["security_admin"]).await,
    );
    let stop = serde_json::json!({ "what": "system", "name": "service.onestop", "reason": "investigation" });
    let go_on = serde_json::json!({ "what": "system", "name": "service.onestop" });
    let resume = "/v1/suspensions/resume";
    assert_eq!(one.post("/v1/suspensions", &stop).await.status, 201);
    assert_eq!(one.post(resume, &go_on).await.json()["state"], "asked");
    assert_eq!(two.post(resume, &go_on).await.json()["state"], "resumed");
    assert_eq!(two.post("/v1/suspensions", &stop).await.status, 201);
    // As if the first stop had never ended: what one said then is in its place again.
    gw.tamper("DELETE FROM acts WHERE kind = 'caller-resumed'");
    assert_eq!(two.get("/v1/suspensions").await.json()["suspensions"][0]["resuming"], "one");
    assert_eq!(two.post(resume, &go_on).await.json()["state"], "asked");
    assert_eq!(two.post(resume, &go_on).await.problem(), "403 not-separate");
    assert_eq!(one.post(resume, &go_on).await.json()["state"], "resumed");
}

#[tokio::test]
async fn from_where_the_trouble_is_seen_the_form_that_stops_it_is_filled_in() {
    let gw = TestGateway::start().await;
    let asked = gw.system("housing.aid").query("civil.subsistence", "housing-aid.review", &["name"]).await;
    gw.record_of(&asked).await;
    let (eve, sam) =
        (gw.person("eve", "audit", &["auditor"]).await, gw.person("sam", "audit", &["security_admin"]).await);
    let system = "/console/security/stopped?system=housing.aid#system";
    let operator = "/console/security/stopped?operator=hc-0231#operator";
    let found = page(&eve, "/console/security/events?system=housing.aid&operator=hc-0231").await;
    assert!(found.contains(system) && found.contains(operator), "{found}");
    let index = found.split("href=\"/console/security/events/").nth(1).unwrap().split('"').next().unwrap();
    let event = page(&eve, &format!("/console/security/events/{index}")).await;
    // The same name may be somebody else's in another department.
    let of_department = "/console/security/stopped?department=housing&amp;operator=hc-0231#operator";
    assert!(event.contains(system) && event.contains(of_department), "{event}");
    let overview = page(&sam, "/console/security").await;
    assert!(overview.contains(system), "a new caller: {overview}");
    // And so is when its certificate ends, which it has shown.
    assert!(overview.contains("the first to end of those shown since this gateway started"), "{overview}");
    let operations = page(&sam, "/console/admin?q=housing.aid").await;
    assert!(operations.contains("Certificate last shown ends"), "{operations}");
    let silent = page(&sam, "/console/admin?q=service.onestop").await;
    assert!(!silent.contains("Certificate last shown ends"), "{silent}");

    // Who stops it finds the form filled in; who does not is told who does.
    let at = "/console/security/stopped";
    let filled = page(&sam, &format!("{at}?system=housing.aid")).await;
    assert!(filled.contains("<option value=\"housing.aid\" selected>"), "{filled}");
    let told = page(&eve, &format!("{at}?system=housing.aid")).await;
    assert!(told.contains("/console/security/stopped?system=housing.aid</pre>"), "{told}");
    let filled =
        page(&sam, &format!("{at}?department=housing&operator=hc-0231&grant=grant:G-2026-0002")).await;
    assert!(filled.contains("value=\"hc-0231\"") && filled.contains("value=\"G-2026-0002\""), "{filled}");
    assert!(filled.contains("<option value=\"housing\" selected>"), "{filled}");
    let narrowed = page(&sam, &format!("{at}?department=housing")).await;
    assert!(narrowed.contains("housing.aid") && !narrowed.contains("service.onestop"), "{narrowed}");
    // Nothing is filled in that there is not, and nothing of what was sent comes back.
    for wrong in [
        "system=no.such",
        "operator=11010519491231002X",
        "grant=%3Cb%3E",
        "grant=G-2026-999999",
        "department=x%22%3E",
        "system=%3Cb%3E",
    ] {
        let shown = page(&sam, &format!("{at}?{wrong}")).await;
        assert!(shown.contains("There is no such thing"), "{wrong}: {shown}");
        // The head has the address itself, to come back to.
        let shown = shown.split("<main").nth(1).unwrap();
        assert!(
            !shown.contains(" selected>") && !shown.contains("11010519491231002X") && !shown.contains("<b>")
        );
    }
    let nothing = page(&sam, at).await;
    assert!(!nothing.contains(" selected>"), "nobody is stopped because it came first: {nothing}");
}

#[tokio::test]
async fn a_stopped_system_is_refused_at_once_and_two_people_let_it_go_on() {
    let gw = TestGateway::start().await;
    let system = gw.system("service.onestop");
    let ask = || async { system.query("civil.subsistence", "housing-aid.review", &["status"]).await };
    assert_eq!(ask().await.status, 200);
    let (one, two) = (
        gw.person("one", "audit", &["security_admin"]).await,
        gw.person("two", "audit", &["security_admin"]).await,
    );
    let at = "/console/security/stopped";
    let stop = [("what", "system"), ("name", "service.onestop"), ("reason", "investigation")];
    assert_eq!(posted(&one, "/console/security/stopped/suspend", at, &stop).await, 303);
    let refused = ask().await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (403, Some("caller-suspended")),
        "{}",
        refused.text()
    );
    let resume = [("what", "system"), ("name", "service.onestop")];
    assert_eq!(posted(&one, "/console/security/stopped/resume", at, &resume).await, 303);
    assert_eq!(ask().await.status, 403, "one person is not enough");
    assert_eq!(
        posted(&one, "/console/security/stopped/resume", at, &resume).await,
        403,
        "nor the same one twice"
    );
    assert_eq!(posted(&two, "/console/security/stopped/resume", at, &resume).await, 303);
    assert_eq!(ask().await.status, 200);

    let stop = [("what", "operator"), ("name", "hc-0231"), ("reason", "suspected-misuse")];
    let suspend = async |department: &str| {
        let inputs = [&stop[..], &[("department", department)]].concat();
        posted(&two, "/console/security/stopped/suspend", at, &inputs).await
    };
    assert_eq!(suspend("").await, 404, "nobody is stopped everywhere because nothing was chosen");
    assert_eq!(suspend("housing").await, 303);
    assert_eq!(ask().await.status, 200, "of that name, and of another department");
    assert_eq!(suspend("service").await, 303);
    assert_eq!(ask().await.json()["code"].as_str(), Some("caller-suspended"));
    assert_eq!(suspend("*").await, 303);
    let shown = page(&one, at).await;
    assert_eq!(shown.matches("<code>hc-0231</code>").count(), 3, "{shown}");
}

#[tokio::test]
async fn with_one_security_administrator_a_system_administrator_is_the_second_to_let_go_on() {
    let gw = TestGateway::start().await;
    let (sam, sys) = (
        gw.person("sam", "audit", &["security_admin"]).await,
        gw.person("sys", "audit", &["system_admin"]).await,
    );
    let (at, resume) = ("/console/security/stopped", "/console/security/stopped/resume");
    let stop = serde_json::json!({
        "what": "operator", "name": "hc-0231", "department": "housing", "reason": "unusual-volume"
    });
    let stopped = sam.post("/v1/suspensions", &stop).await;
    assert_eq!((stopped.status, &stopped.json()["department"]), (201, &serde_json::json!("housing")));
    assert_eq!(sam.post("/v1/suspensions", &stop).await.problem(), "409 wrong-state");
    assert_eq!(sys.post("/v1/suspensions", &stop).await.problem(), "403 forbidden");
    for (member, wrong, problem) in [
        ("department", "no.such", "404 not-found"),
        ("department", "x y", "422 invalid-request"),
        ("what", "system", "422 invalid-request"),
    ] {
        let mut body = stop.clone();
        body[member] = serde_json::json!(wrong);
        assert_eq!(sam.post("/v1/suspensions", &body).await.problem(), problem, "{member} {wrong}");
    }

    let go_on = [("what", "operator"), ("name", "hc-0231"), ("department", "housing")];
    let shown = page(&sys, at).await;
    assert!(shown.contains("hc-0231") && !shown.contains(resume), "not the first to say so: {shown}");
    assert!(!shown.contains("href=\"/console/security\""), "nor led to what is not theirs: {shown}");
    assert!(page(&sys, "/console").await.contains("href=\"/console/security/stopped\""));
    let token = token(&sys.get(at).await);
    let early = send(&sys, resume, &[&go_on[..], &[("token", &token)]].concat()).await;
    assert!(early.status == 403 && early.text().contains("<code>forbidden</code>"), "{}", early.text());
    assert_eq!(posted(&sam, resume, at, &go_on).await, 303);
    assert_eq!(posted(&sam, resume, at, &go_on).await, 403, "the same one is not two");
    assert!(page(&sys, at).await.contains(resume));
    assert_eq!(posted(&sys, resume, at, &go_on).await, 303);
    let left = sys.get("/v1/suspensions").await.json();
    assert_eq!(left, serde_json::json!({ "suspensions": [] }));
}

#[tokio::test]
async fn a_grant_is_stopped_in_the_version_that_was_shown() {
    let gw = TestGateway::start().await;
    let sam = gw.person("sam", "audit", &["security_admin"]).await;
    let (at, stop) = ("/console/security/stopped", "/console/security/stopped/grant");
    let token = token(&sam.get(at).await);
    let sent = async |inputs: &[(&str, &str)]| {
        send(&sam, stop, &[&[("token", token.as_str())], inputs].concat()).await
    };
    let number = sent(&[("grant", PERSON)]).await;
    assert_eq!((number.status, number.header("location")), (404, None), "no number gets into an address");
    let typed = sent(&[("grant", "grant:G-2026-0002")]).await;
    let place = typed.header("location").unwrap();
    assert_eq!((typed.status, place), (303, "/console/security/stopped?grant=G-2026-0002#grant"));
    let shown = page(&sam, place.trim_end_matches("#grant")).await;
    let version = shown.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap();

    let told = [("grant", "G-2026-0002"), ("version", version), ("note", "用量异常")];
    assert_eq!(sent(&told).await.status, 303);
    let late = sent(&told).await;
    assert_eq!(late.status, 412, "somebody else has done something since it was shown: {}", late.text());
    let stopped = page(&sam, place.trim_end_matches("#grant")).await;
    assert!(!stopped.contains("name=\"version\""), "what is stopped is not stopped again: {stopped}");
}
