//! People sign in, stay signed in for a while, and are signed out.

use serde_json::{Value, json};
use sluice::demo::certificates::Usage;

use crate::support::client::{Answer, Client};
use crate::support::clock::Clock;
use crate::support::person::{Admin, CHOSEN, COOKIE, DEVICE, secret_of};
use crate::support::{TestGateway, now, until};

const SESSION: &str = "/v1/session";

async fn sign_in(client: &Client, body: &Value) -> Answer {
    client.post(SESSION, body).await
}

/// Signs in for the first time.
async fn signed_in(gw: &TestGateway, admin: &Admin) -> Answer {
    let answer = sign_in(&gw.nobody(), &admin.body()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

/// A problem without what differs from request to request.
fn shown(answer: &Answer) -> Value {
    let mut problem = answer.json();
    problem["request_id"].take();
    problem
}

/// An administrator with a password of the own choice; gives the client that is signed in.
async fn settled(gw: &TestGateway, account: &str, role: &str) -> (Admin, Client, Answer) {
    let mut admin = gw.admin(account, role);
    let answer = signed_in(gw, &admin).await;
    let client = gw.nobody().with_cookies(&answer);
    let body = json!({ "password": admin.password, "new": CHOSEN });
    let changed = client.post("/v1/session/password", &body).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    admin.password = CHOSEN.into();
    (admin, gw.nobody().with_cookie(COOKIE, &changed), answer)
}

#[tokio::test]
async fn the_first_administrator_changes_the_password_and_only_then_goes_on() {
    let gw = TestGateway::start().await;
    let admin = gw.admin("first", "system_admin");
    let answer = signed_in(&gw, &admin).await;
    let view = answer.json();
    assert_eq!((&view["account"], &view["roles"]), (&json!("first"), &json!(["system_admin"])));
    assert_eq!((&view["must_change_password"], &view["must_set_up_code"]), (&json!(true), &json!(false)));
    for name in [COOKIE, DEVICE] {
        let line = answer.set_cookie(name).unwrap();
        for flag in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(line.contains(flag), "{line}");
        }
        assert!(!line.contains("Domain"), "{line}");
    }

    let client = gw.nobody().with_cookies(&answer);
    assert_eq!(client.get(SESSION).await.json()["must_change_password"], true);
    for path in ["/v1/sessions", "/v1/people", "/v1/datasets"] {
        assert_eq!(client.get(path).await.problem(), "403 sign-in-unfinished", "{path}");
    }
    let change = |password: &str, new: &str| json!({ "password": password, "new": new });
    for (body, pointer) in [
        (change(&admin.password, "short"), "/new"),
        (change(&admin.password, "Password1234"), "/new"),
        (change(&admin.password, &admin.password), "/new"),
        (change("not the password", CHOSEN), "/password"),
    ] {
        let refused = client.post("/v1/session/password", &body).await;
        assert_eq!(refused.problem(), "422 invalid-request");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
    }
    let other = gw.nobody().with_cookies(&sign_in(&gw.nobody(), &admin.body_at(30)).await);
    let changed = client.post("/v1/session/password", &change(&admin.password, CHOSEN)).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(changed.json()["session"], view["session"], "the session is the same");
    assert_eq!(client.get(SESSION).await.problem(), "401 sign-in-required", "its cookie is another");
    assert_eq!(other.get(SESSION).await.problem(), "401 sign-in-required", "the account's others ended");
    let client = gw.nobody().with_cookies(&changed);
    assert_eq!(client.get("/v1/sessions").await.json()["sessions"].as_array().unwrap().len(), 1);

    let acts = gw.records("kind=administration").await;
    let of = |action: &str| acts.iter().find(|act| act["action"] == action).unwrap();
    assert_eq!(of("account-made")["object"], "first");
    assert!(of("account-made")["done_by"].as_str().unwrap().starts_with("uid "));
    assert_eq!(of("role-granted")["detail"], "system_admin");
    assert_eq!(of("password-changed")["done_by"], "first");
    let record = gw.record_of(&answer).await;
    assert_eq!((&record["kind"], &record["outcome"]), (&json!("sign-in"), &json!("ok")));
    assert_eq!(record["caller"]["account"], "first");
    assert_eq!(record["caller"]["session"], view["session"]);
    assert!(gw.log().contains("\"caller.account\":\"first\""), "the access line names the account");
}

#[tokio::test]
async fn nobody_learns_why_a_sign_in_failed_and_no_secret_is_kept_in_the_clear() {
    const TYPED: &str = "canary.nobody.7731";
    let mut gw = TestGateway::start_with("\n[log]\nlevel = \"debug\"\n").await;
    let (admin, client, first) = settled(&gw, "first", "auditor").await;
    let code = admin.code.code_at(now().plus_seconds(30));
    let with = |account: &str, password: &str, totp: &str| json!({ "account": account, "password": password, "totp": totp });
    let mut told = Vec::new();
    for (what, body) in [
        ("no such account", with(TYPED, CHOSEN, &code)),
        ("wrong password", with("first", "seven geese on the canal", &code)),
        ("wrong code", with("first", CHOSEN, "000000")),
    ] {
        // From the device that is known, so that none of them has to wait.
        let device = gw.nobody().with_cookie(DEVICE, &first);
        let answer = sign_in(&device, &body).await;
        assert_eq!(answer.problem(), "401 sign-in-failed", "{what}");
        assert_eq!(answer.set_cookie(COOKIE), None, "{what}");
        told.push(shown(&answer));
        let record = gw.record_of(&answer).await;
        let named = record["account"].as_str();
        assert_eq!(named, (what != "no such account").then_some("first"), "{what}: {record}");
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");

    // An auditor finds those of an account by its name.
    let failed = "/console/security/events?outcome=sign-in-failed&operator=first";
    until("the index has seen them", async || {
        let page = client.get(failed).await.text();
        (page.matches("<code class=\"hint\">first</code>").count() == 2).then_some(())
    })
    .await;

    let right = sign_in(&gw.nobody().with_cookie(DEVICE, &first), &with("first", CHOSEN, &code)).await;
    assert_eq!(right.status, 200, "{}", right.text());
    let again = sign_in(&gw.nobody().with_cookie(DEVICE, &first), &with("first", CHOSEN, &code)).await;
    assert_eq!(again.problem(), "401 sign-in-failed", "a code is good once");
    assert_eq!(shown(&again), told[0]);
    let offered = client.post("/v1/session/totp", &json!({ "password": CHOSEN })).await;
    let uri = offered.json()["otpauth"].as_str().unwrap().to_owned();

    let secret = uri.split("secret=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let token = right.cookie(COOKIE).unwrap().to_owned();
    let mark = right.cookie(DEVICE).unwrap().to_owned();
    let secrets = [TYPED.to_owned(), CHOSEN.into(), admin.password.clone(), secret.clone(), token, mark];
    let raw = secret_of(&secret);
    let records = serde_json::to_string(&gw.records("").await).unwrap();
    let log = gw.log();
    gw.stop();
    let mut kept: Vec<(String, Vec<u8>)> =
        vec![("records".into(), records.into()), ("log".into(), log.into())];
    for entry in std::fs::read_dir(gw.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        kept.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    for (place, bytes) in kept {
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        for secret in &secrets {
            assert!(!holds(secret.as_bytes()), "{secret} stands in {place}");
        }
        assert!(!holds(raw.reveal()), "the secret's bytes stand in {place}");
    }
}

#[tokio::test]
async fn who_tries_passwords_has_to_wait_and_keeps_nobody_else_out() {
    let mut gw = TestGateway::prepare().await;
    let clock = Clock::of(&mut gw);
    gw.serve().unwrap();
    let (admin, _, first) = settled(&gw, "first", "auditor").await;
    let wrong = json!({ "account": "first", "password": "seven geese on the canal", "totp": "000000" });
    let (mut fast, mut waits) = (0, Vec::new());
    // Goes on as soon as it may, until the wait is so long that this test is over before it is.
    let refused = loop {
        let answer = sign_in(&gw.nobody(), &wrong).await;
        if answer.status == 429 {
            assert_eq!(answer.problem(), "429 too-many-attempts");
            let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
            waits.push(wait);
            if wait > 100 {
                break answer;
            }
            fast += wait;
            clock.set(fast);
        } else {
            assert_eq!(answer.problem(), "401 sign-in-failed");
        }
    };
    assert!(waits.is_sorted(), "{waits:?}");
    let record = gw.record_of(&refused).await;
    assert_eq!((&record["outcome"], &record["account"]), (&json!("too-many-attempts"), &json!("first")));

    // The right password fares no better from there: that it is right must not show.
    let right = admin.body_at(fast + 30);
    assert_eq!(sign_in(&gw.nobody(), &right).await.problem(), "429 too-many-attempts");
    let forged = format!("{DEVICE}={}.{}", "0".repeat(32), "0".repeat(64));
    let forged = gw.nobody().with_header("cookie", &forged);
    assert_eq!(sign_in(&forged, &right).await.problem(), "429 too-many-attempts");
    // The device on which the account's holder signed in before is let in.
    let known = sign_in(&gw.nobody().with_cookie(DEVICE, &first), &right).await;
    assert_eq!(known.status, 200, "{}", known.text());
    // Nor is another account kept out; and one that is not there is treated like one that is.
    let other = gw.admin("second", "security_admin");
    assert_eq!(sign_in(&gw.nobody(), &other.body_at(fast)).await.status, 200);
    let nobody = json!({ "account": "nobody", "password": "seven geese on the canal" });
    let mut problems = Vec::new();
    while problems.len() < 20 && problems.last().is_none_or(|last| last != "429 too-many-attempts") {
        problems.push(sign_in(&gw.nobody(), &nobody).await.problem());
    }
    assert_eq!(problems.pop().unwrap(), "429 too-many-attempts");
    assert!(problems.len() >= 4 && problems.iter().all(|p| p == "401 sign-in-failed"), "{problems:?}");
}

#[tokio::test]
async fn a_certificate_signs_in_while_it_is_good_and_bound() {
    let gw = TestGateway::start().await;
    let by = json!({ "by": "certificate" });
    assert_eq!(sign_in(&gw.nobody(), &by).await.problem(), "401 certificate-required");
    let stranger = gw.authority.issue("wang", &[], Usage::Client, now()).unwrap();
    assert_eq!(sign_in(&gw.client(&stranger), &by).await.problem(), "401 certificate-unknown");
    assert_eq!(sign_in(&gw.system("housing.aid"), &by).await.problem(), "401 certificate-unknown");

    let wang = gw.enrol("wang", "civil", &["applicant"]);
    let answer = sign_in(&wang, &by).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let view = answer.json();
    assert_eq!((&view["account"], &view["means"]), (&json!("wang"), &json!("certificate")));
    assert_eq!(view["must_change_password"], false);
    assert_eq!(answer.set_cookie(DEVICE), None);
    let person = gw.nobody().with_cookies(&answer);
    assert_eq!(person.get("/v1/sessions").await.status, 200);
    // A certificate alone, without a session, is not a person; nor does a person's make a system.
    assert_eq!(wang.get("/v1/sessions").await.problem(), "401 sign-in-required");
    assert_eq!(wang.get("/v1/datasets").await.problem(), "401 certificate-unknown");
    let query = person.query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!(query.problem(), "401 certificate-required", "data is for systems");
}

#[tokio::test]
async fn a_session_lasts_no_longer_than_the_certificate_that_it_was_begun_with() {
    let gw = TestGateway::start().await;
    let security = gw.person("sec", "audit", &["security_admin"]).await;
    let system = gw.person("sys", "audit", &["system_admin"]).await;
    let first = gw.enrol("wang", "civil", &[]);
    let second = gw.authority.issue("wang", &[], Usage::Client, now()).unwrap();
    let key = json!({ "fingerprint": second.fingerprint.to_string() });
    assert_eq!(system.post("/v1/people/wang/bind-certificate", &key).await.status, 200);
    let by = json!({ "by": "certificate" });
    let begun = async |client: &Client| gw.nobody().with_cookies(&sign_in(client, &by).await);
    let (with_first, with_second) = (begun(&first).await, begun(&gw.client(&second)).await);
    assert_eq!(with_second.get(SESSION).await.status, 200);

    // A list names it: the session is over, though it shows no certificate any more.
    gw.revoke(std::slice::from_ref(&second.serial), now().plus_seconds(86_400));
    until("the session is over", async || {
        (with_second.get(SESSION).await.problem() == "401 certificate-revoked").then_some(())
    })
    .await;
    assert_eq!(with_first.get(SESSION).await.status, 200, "the other certificate is good");

    // It is no longer bound: by either administrator, or on the machine.
    assert_eq!(security.post("/v1/people/wang/unbind-certificate", &key).await.status, 200);
    assert_eq!(with_first.get(SESSION).await.problem(), "401 sign-in-required", "all sessions end");
    let with_first = begun(&first).await;
    let shown = system.get("/v1/people/wang").await.json()["certificates"].clone();
    let left = shown[0].as_str().unwrap();
    let unbind = [
        "admin",
        "unbind-certificate",
        "--config",
        "sluice.toml",
        "--account",
        "wang",
        "--fingerprint",
        left,
    ];
    let (code, out, err) = gw.sluice(&unbind);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(left), "{out}");
    assert_eq!(with_first.get(SESSION).await.problem(), "401 sign-in-required");
    assert_eq!(sign_in(&first, &by).await.problem(), "401 certificate-unknown");
    until("the acts are recorded", async || {
        let acts = gw.records("kind=administration").await;
        let told =
            acts.iter().filter(|act| act["action"] == "certificate-unbound" && act["object"] == "wang");
        (told.count() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_session_is_one_that_the_gateway_has_begun() {
    let gw = TestGateway::start().await;
    let victim = gw.person("victim", "civil", &["applicant"]).await;
    for (n, tampering) in (0..).zip([
        // The own session is another's now; lasts longer; was begun otherwise; was never sealed.
        "UPDATE sessions SET account = 'victim' WHERE account = 'WHO'",
        "UPDATE sessions SET since = since + 1 WHERE account = 'WHO'",
        "UPDATE sessions SET means = 'password' WHERE account = 'WHO'",
        "UPDATE sessions SET seal = '' WHERE account = 'WHO'",
        // The own token opens another's session.
        "CREATE TEMP TABLE own AS SELECT token FROM sessions WHERE account = 'WHO';
         DELETE FROM sessions WHERE account = 'WHO';
         DELETE FROM sessions WHERE account = 'victim' AND seal NOT IN (SELECT max(seal) FROM sessions WHERE account = 'victim');
         UPDATE sessions SET token = (SELECT token FROM own) WHERE account = 'victim'",
    ]) {
        let who = format!("mallory{n}");
        let mallory = gw.person(&who, "civil", &["applicant"]).await;
        assert_eq!(mallory.get(SESSION).await.status, 200);
        gw.tamper(&tampering.replace("WHO", &who));
        assert_eq!(mallory.get(SESSION).await.problem(), "401 sign-in-required", "{tampering}");
    }
    assert_eq!(victim.get(SESSION).await.problem(), "401 sign-in-required", "its row has another's token");
    assert!(gw.log().contains("not as the gateway made it"));
}

#[tokio::test]
async fn a_session_ends_without_use_and_after_its_hours_in_any_case() {
    let mut gw = TestGateway::prepare().await;
    let clock = Clock::of(&mut gw);
    gw.serve().unwrap();
    let wang = gw.person("wang", "civil", &["applicant"]).await;
    let li = gw.person("li", "civil", &["applicant"]).await;
    clock.set(14 * 60);
    assert_eq!(wang.get(SESSION).await.status, 200);
    clock.set(16 * 60);
    assert_eq!(wang.get(SESSION).await.status, 200, "its use is what counts");
    assert_eq!(li.get(SESSION).await.problem(), "401 sign-in-required");

    for times in 2..34 {
        clock.set(times * 14 * 60);
        assert_eq!(wang.get(SESSION).await.status, 200, "{times}");
    }
    clock.set(8 * 3600 - 600);
    assert_eq!(wang.get(SESSION).await.status, 200);
    clock.set(8 * 3600 + 1);
    assert_eq!(wang.get(SESSION).await.problem(), "401 sign-in-required", "eight hours are over");
}

#[tokio::test]
async fn an_account_has_five_sessions_and_signs_out_of_any() {
    let gw = TestGateway::start().await;
    let certificate = gw.enrol("wang", "civil", &["applicant"]);
    let mut clients = Vec::new();
    for _ in 0..6 {
        let answer = sign_in(&certificate, &json!({ "by": "certificate" })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        clients
            .push((gw.nobody().with_cookies(&answer), answer.json()["session"].as_str().unwrap().to_owned()));
    }
    assert_eq!(clients[0].0.get(SESSION).await.problem(), "401 sign-in-required", "the oldest ended");
    let (last, own) = &clients[5];
    let sessions = last.get("/v1/sessions").await.json()["sessions"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 5);
    let current: Vec<&Value> =
        sessions.iter().filter(|s| s["current"] == true).map(|s| &s["session"]).collect();
    assert_eq!(current, [own.as_str()]);

    let elsewhere = format!("/v1/sessions/{}", clients[1].1);
    let li = gw.person("li", "civil", &["applicant"]).await;
    assert_eq!(li.delete(&elsewhere).await.problem(), "404 not-found", "another's session is nobody's");
    assert_eq!(clients[1].0.get(SESSION).await.status, 200);
    assert_eq!(last.delete(&elsewhere).await.status, 204);
    assert_eq!(clients[1].0.get(SESSION).await.problem(), "401 sign-in-required");

    let out = last.delete(SESSION).await;
    assert_eq!(out.status, 204);
    assert_eq!(out.cookie(COOKIE), Some(""), "the cookie is taken away");
    assert_eq!(last.get(SESSION).await.problem(), "401 sign-in-required");
    assert_eq!(gw.record_of(&out).await["kind"], "sign-out");
}

#[tokio::test]
async fn a_page_of_another_site_can_do_nothing_in_a_persons_name() {
    let gw = TestGateway::start().await;
    let wang = gw.person("wang", "civil", &["applicant"]).await;
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let page = wang.clone().with_header(name, value);
        let answer = page.delete(SESSION).await;
        assert_eq!(answer.problem(), "403 cross-site", "{name}: {value}");
        assert_eq!(gw.record_of(&answer).await["outcome"], "cross-site");
        assert_eq!(
            page.post("/v1/session", &json!({ "by": "certificate" })).await.problem(),
            "403 cross-site"
        );
        let form = page.with_header("content-type", "text/plain");
        assert_eq!(form.post("/v1/session/password", &json!({})).await.problem(), "403 cross-site");
    }
    assert_eq!(wang.get(SESSION).await.status, 200, "still signed in");
    let form = wang.clone().with_header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.post("/v1/session/password", &json!({})).await.problem(), "415 unsupported-media-type");
    assert_eq!(wang.with_header("sec-fetch-site", "same-origin").delete(SESSION).await.status, 204);
}

#[tokio::test]
async fn a_code_generator_is_set_up_with_the_password_and_shown_to_work() {
    let gw = TestGateway::start().await;
    let (admin, client, first) = settled(&gw, "first", "auditor").await;
    let totp = "/v1/session/totp";
    assert_eq!(client.post(totp, &json!({ "password": "wrong" })).await.problem(), "422 invalid-request");
    assert_eq!(client.post(totp, &json!({})).await.problem(), "422 invalid-request");
    let offered = client.post(totp, &json!({ "password": CHOSEN })).await.json();
    let uri = offered["otpauth"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/Sluice:first?secret="), "{uri}");
    let secret = secret_of(uri.split("secret=").nth(1).unwrap().split('&').next().unwrap());
    assert_eq!(client.post(totp, &json!({ "code": "000000" })).await.problem(), "422 invalid-request");
    // Until it was shown to work, the one before is in force.
    let device = gw.nobody().with_cookie(DEVICE, &first);
    let old = sign_in(&device, &admin.body_at(30)).await;
    assert_eq!(old.status, 200, "{}", old.text());
    let taken = client.post(totp, &json!({ "code": secret.code_at(now()) })).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(client.get(SESSION).await.problem(), "401 sign-in-required", "another cookie");
    assert_eq!(gw.nobody().with_cookies(&old).get(SESSION).await.problem(), "401 sign-in-required");
    assert_eq!(gw.nobody().with_cookies(&taken).get(SESSION).await.status, 200);

    let renewed = Admin { code: secret, ..admin };
    assert_eq!(sign_in(&device, &renewed.body_at(30)).await.status, 200);
    let acts = gw.records("kind=administration").await;
    assert!(acts.iter().any(|act| act["action"] == "code-changed" && act["done_by"] == "first"));
}

#[tokio::test]
async fn an_administrator_who_is_locked_out_or_stopped_on_the_machine_is_so_on_the_next_request() {
    let gw = TestGateway::start().await;
    let (admin, client, first) = settled(&gw, "first", "auditor").await;
    let run = |command: &str| gw.sluice(&["admin", command, "--config", "sluice.toml", "--account", "first"]);
    let (code, out, err) = run("reset");
    assert_eq!(code, 0, "{err}");
    assert_eq!(client.get(SESSION).await.problem(), "401 sign-in-required");
    let password = out.split("one-time password: ").nth(1).unwrap().split_whitespace().next().unwrap();
    let device = gw.nobody().with_cookie(DEVICE, &first);
    assert_eq!(sign_in(&device, &admin.body_at(30)).await.problem(), "401 sign-in-failed");
    let back = sign_in(&device, &json!({ "account": "first", "password": password })).await;
    assert_eq!(back.status, 200, "{}", back.text());
    assert_eq!(back.json()["must_set_up_code"], true);

    assert_eq!(run("disable").0, 0);
    let client = gw.nobody().with_cookies(&back);
    assert_eq!(client.get(SESSION).await.problem(), "401 sign-in-required");
    let stopped = sign_in(&device, &json!({ "account": "first", "password": password })).await;
    assert_eq!(stopped.problem(), "401 sign-in-failed");
    until("the acts are recorded", async || {
        let acts = gw.records("kind=administration").await;
        let told = |action: &str| acts.iter().any(|act| act["action"] == action && act["object"] == "first");
        (told("password-reset") && told("code-reset") && told("account-disabled")).then_some(())
    })
    .await;

    let (code, _, err) = gw.sluice(&[
        "admin",
        "create",
        "--config",
        "sluice.toml",
        "--account",
        "second",
        "--person",
        "P-first",
        "--name",
        "王",
        "--department",
        "audit",
        "--role",
        "system_admin",
    ]);
    assert!(code == 1 && err.contains("may hold one only"), "{err}");
    for (flag, value) in [("--person", "11010519491231002X"), ("--department", "moon"), ("--account", "a b")]
    {
        let mut arguments = vec!["admin", "create", "--config", "sluice.toml", "--name", "王"];
        for (known, good) in [("--account", "third"), ("--person", "P-3"), ("--department", "audit")] {
            arguments.extend([known, if known == flag { value } else { good }]);
        }
        let (code, _, err) = gw.sluice(&arguments);
        assert!(code == 1 && err.contains(flag) && !err.contains(value), "{err}");
    }
}
