//! People sign in at an identity provider: a real one of others, with a browser that follows its
//! pages; and one that lies, to see that it is not believed.

use serde_json::{Value, json};
use sluice::base::ids::AccountId;
use sluice::identity::Outside;
use sluice::store::state::{Change, Changed};
use url::Url;

use crate::support::browser::{Browser, CALLBACK, GATEWAY};
use crate::support::client::Answer;
use crate::support::clock::Clock;
use crate::support::idp::{IdentityProvider, SECRET, configure};
use crate::support::issuer::Issuer;
use crate::support::person::COOKIE;
use crate::support::{TestGateway, now};

const JOURNEY: &str = "__Host-sluice-journey";

/// Binds an account to a subject at the provider; the account has no role.
fn bind(gw: &TestGateway, account: &str, port: u16, subject: &str) {
    gw.enrol(account, "civil", &[]);
    let outside = Outside::new(&format!("https://localhost:{port}"), subject).unwrap();
    let id = AccountId::parse(account).unwrap();
    let bound = gw.state().change_account(&id, &Change::BindOutside(outside), "uid 0", now()).unwrap();
    assert_eq!(bound, Some(Changed::Yes));
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{url}: no {name}")).1.into()
}

#[tokio::test]
async fn a_person_signs_in_at_the_provider_and_a_code_is_good_once() {
    let mut gw = TestGateway::prepare().await;
    let provider = IdentityProvider::start(&gw, "client_secret_basic", "RS256");
    configure(&mut gw, provider.port);
    gw.configure("workers = 2\n", "workers = 2\n\n[log]\nlevel = \"debug\"\n");
    gw.serve().unwrap();
    // It takes two to give somebody who signs in there a power.
    let system_admin = gw.person("zhao", "audit", &["system_admin"]).await;
    let security_admin = gw.person("qian", "audit", &["security_admin"]).await;
    let made = json!({ "account": "civil.wang", "person": "P-0102", "name": "王办", "department": "civil" });
    assert_eq!(system_admin.post("/v1/people", &made).await.status, 200);
    let there = json!({ "issuer": format!("https://localhost:{}", provider.port), "subject": "wang-7731" });
    let path = "/v1/people/civil.wang/bind-oidc";
    assert_eq!(security_admin.post(path, &there).await.problem(), "403 forbidden");
    let bound = system_admin.post(path, &there).await;
    assert_eq!((bound.status, &bound.json()["oidc"]), (200, &there), "{}", bound.text());
    let role = json!({ "role": "applicant" });
    assert_eq!(security_admin.post("/v1/people/civil.wang/give-role", &role).await.status, 200);

    let mut browser = Browser::new(&gw, provider.port);
    let back = browser.sign_in_there("wang-7731").await;
    let (kept, before) = (browser.cookie(JOURNEY).unwrap().to_owned(), browser.clone());
    let answer = browser.come_back(&back).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), gw.log());
    assert!(answer.text().contains("You are signed in"), "a page, for a moment: {}", answer.text());
    let view = browser.open("/v1/session").await.json();
    assert_eq!((&view["account"], &view["means"]), (&json!("civil.wang"), &json!("oidc")));
    assert_eq!((&view["must_change_password"], &view["must_set_up_code"]), (&json!(false), &json!(false)));
    for flag in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(answer.set_cookie(COOKIE).unwrap().contains(flag), "{flag}");
    }
    assert_eq!(browser.cookie(JOURNEY), None, "the journey is over");
    // The answer has the browser go on by itself: from a page of the gateway, so the cookie goes along.
    assert_eq!(answer.header("refresh"), Some("0; url=/console"));
    assert_eq!(browser.open("/v1/session").await.json()["account"], "civil.wang");
    assert_eq!(browser.open("/v1/sessions").await.status, 200);
    let elsewhere = Url::parse(&format!("{GATEWAY}/v1/session")).unwrap();
    let linked = browser.request("https://evil.example", &elsewhere, None).await;
    assert_eq!(linked.problem(), "401 sign-in-required", "a link of another site is not signed in");
    let record = gw.record_of(&answer).await;
    assert_eq!((&record["kind"], &record["means"]), (&json!("sign-in"), &json!("oidc")));
    assert_eq!(record["caller"]["account"], "civil.wang");

    // The same code again, from the very browser, with the cookie that it had.
    let again = before.clone().come_back(&back).await;
    assert_eq!(again.problem(), "401 sign-in-failed");
    assert_eq!(again.set_cookie(COOKIE), None);
    let record = gw.record_of(&again).await;
    assert_eq!((&record["kind"], &record["outcome"]), (&json!("sign-in"), &json!("sign-in-failed")));

    let secrets = [SECRET, &parameter(&back, "code"), &parameter(&back, "state"), &kept, "wang-7731"];
    let records = serde_json::to_string(&gw.records("").await).unwrap();
    for secret in secrets {
        assert!(!gw.log().contains(secret) && !records.contains(secret), "{secret} is written down");
    }
    let acts = gw.records("kind=administration").await;
    let act = acts.iter().find(|act| act["action"] == "oidc-bound").unwrap();
    assert_eq!((&act["object"], &act["done_by"]), (&json!("civil.wang"), &json!("zhao")));
}

#[tokio::test]
async fn a_provider_that_signs_otherwise_and_takes_the_secret_otherwise_does_as_well() {
    let mut gw = TestGateway::prepare().await;
    let provider = IdentityProvider::start(&gw, "client_secret_post", "ES256");
    configure(&mut gw, provider.port);
    gw.serve().unwrap();
    bind(&gw, "wang", provider.port, "wang-7731");
    let mut browser = Browser::new(&gw, provider.port);
    let back = browser.sign_in_there("wang-7731").await;
    let answer = browser.come_back(&back).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), gw.log());
    assert_eq!(browser.open("/v1/session").await.json()["account"], "wang");

    // Somebody else there is nobody here.
    let mut stranger = Browser::new(&gw, provider.port);
    let back = stranger.sign_in_there("li-7732").await;
    let answer = stranger.come_back(&back).await;
    assert_eq!(answer.problem(), "401 sign-in-failed");
    assert!(gw.record_of(&answer).await.get("account").is_none());

    // Nobody ends with the browser of one what another began: not with a state of one's own, not
    // with the other's, not without a cookie.
    let mut victim = Browser::new(&gw, provider.port);
    let mut attacker = Browser::new(&gw, provider.port);
    let (own, planted) = (victim.sign_in_there("wang-7731").await, attacker.sign_in_there("li-7732").await);
    let mut mixed = own.clone();
    mixed.query_pairs_mut().clear().append_pair("code", &parameter(&own, "code")).append_pair("state", "x");
    for (what, url) in [("another's answer", &planted), ("a state that was made up", &mixed)] {
        assert_eq!(victim.clone().come_back(url).await.problem(), "401 sign-in-failed", "{what}");
    }
    assert_eq!(Browser::new(&gw, provider.port).come_back(&own).await.problem(), "401 sign-in-failed");
    assert_eq!(victim.come_back(&own).await.status, 200);

    // Somebody changes their mind there.
    let mut hesitant = Browser::new(&gw, provider.port);
    let (page, _) = hesitant.go(GATEWAY, &format!("{GATEWAY}/v1/session/oidc"), None).await;
    let there = page.origin().ascii_serialization();
    let (back, _) = hesitant.go(&there, &format!("{page}/abort"), None).await;
    assert_eq!(parameter(&back, "error"), "access_denied");
    assert_eq!(hesitant.come_back(&back).await.problem(), "401 sign-in-failed");
}

/// A gateway before a provider that says what it is told, with `wang` bound to the subject `w`.
async fn before_a_liar(gw: &mut TestGateway) -> Issuer {
    let issuer = Issuer::start(gw).await;
    configure(gw, issuer.port);
    gw.serve().unwrap();
    bind(gw, "wang", issuer.port, "w");
    issuer
}

/// Is sent there: the browser, and the address it is sent to.
async fn departed(gw: &TestGateway, issuer: &Issuer) -> (Browser, Url) {
    let mut browser = Browser::new(gw, issuer.port);
    let answer = browser.open("/v1/session/oidc").await;
    assert_eq!(answer.status, 303, "{}\n{}", answer.text(), gw.log());
    (browser, Url::parse(answer.header("location").unwrap()).unwrap())
}

/// Comes back from there with some code.
async fn returned(browser: &mut Browser, there: &Url) -> Answer {
    let state = parameter(there, "state");
    browser.come_back(&Url::parse(&format!("{CALLBACK}?code=c0de&state={state}")).unwrap()).await
}

/// Signs in with a token whose claims are changed.
async fn with_claims(gw: &TestGateway, issuer: &Issuer, change: &Value) -> Answer {
    let (mut browser, there) = departed(gw, issuer).await;
    let mut claims = issuer.claims("w", &parameter(&there, "nonce"));
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    issuer.tell(|script| script.claims = claims);
    returned(&mut browser, &there).await
}

#[tokio::test]
async fn a_token_that_is_not_for_this_very_sign_in_signs_nobody_in() {
    let mut gw = TestGateway::prepare().await;
    let issuer = before_a_liar(&mut gw).await;
    let (browser, there) = departed(&gw, &issuer).await;
    for (name, value) in [
        ("response_type", "code"),
        ("scope", "openid"),
        ("client_id", "sluice"),
        ("redirect_uri", CALLBACK),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameter(&there, name), value);
    }
    assert!(browser.cookie(JOURNEY).is_some());
    let answer = browser.clone().open("/v1/session/oidc").await;
    let line = answer.set_cookie(JOURNEY).unwrap();
    for flag in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"] {
        assert!(line.contains(flag), "{line}");
    }

    let good = with_claims(&gw, &issuer, &json!({})).await;
    assert_eq!(good.status, 200, "{}\n{}", good.text(), gw.log());
    let now = now().seconds();
    for change in [
        json!({ "nonce": "another's" }),
        json!({ "nonce": null }),
        json!({ "aud": "other" }),
        json!({ "aud": ["sluice", "other"] }),
        json!({ "azp": "other" }),
        json!({ "iss": "https://localhost" }),
        json!({ "exp": now - 120 }),
        json!({ "iat": now + 600 }),
        json!({ "sub": "v" }),
        json!({ "sub": "" }),
        json!({ "sub": "W" }),
    ] {
        let answer = with_claims(&gw, &issuer, &change).await;
        assert_eq!(answer.problem(), "401 sign-in-failed", "{change}");
        assert_eq!(answer.set_cookie(COOKIE), None, "{change}");
        assert_eq!(gw.record_of(&answer).await["outcome"], "sign-in-failed", "{change}");
    }
    for (header, signature) in [
        (json!({ "alg": "none" }), Some("")),
        (json!({ "alg": "HS256", "kid": "k1" }), None),
        (json!({ "alg": "RS256", "kid": "k1" }), None),
        (json!({ "alg": "ES256", "kid": "k1" }), Some("")),
        (json!({ "alg": "ES256", "kid": "nobody's" }), None),
    ] {
        issuer.tell(|script| {
            script.header = header.clone();
            script.signature = signature.map(str::to_owned);
        });
        let answer = with_claims(&gw, &issuer, &json!({})).await;
        assert_eq!(answer.problem(), "401 sign-in-failed", "{header}");
    }
    // The verifier that was shown is the one whose digest was sent ahead; the secret is not in the body.
    let (path, body) = issuer.tell(|script| script.asked.last().unwrap().clone());
    assert!(path == "/token" && body.contains("code_verifier=") && !body.contains("canary"), "{body}");
}

#[tokio::test]
async fn the_provider_changes_its_key_and_is_asked_for_it_no_more_often_than_that() {
    let mut gw = TestGateway::prepare().await;
    let clock = Clock::of(&mut gw);
    let issuer = before_a_liar(&mut gw).await;
    for _ in 0..3 {
        assert_eq!(with_claims(&gw, &issuer, &json!({})).await.status, 200);
    }
    assert_eq!(issuer.asked("/jwks"), 1, "its keys are asked for once for all");
    issuer.tell(|script| script.change_key("k2"));
    clock.set(11);
    for _ in 0..3 {
        assert_eq!(with_claims(&gw, &issuer, &json!({})).await.status, 200);
    }
    assert_eq!(issuer.asked("/jwks"), 2, "and once more for a key that was not known");
    // A token that names keys at will has them asked for every ten seconds at most.
    issuer.tell(|script| script.header["kid"] = "nobody's".into());
    clock.set(22);
    for _ in 0..3 {
        assert_eq!(with_claims(&gw, &issuer, &json!({})).await.problem(), "401 sign-in-failed");
    }
    assert_eq!(issuer.asked("/jwks"), 3);

    let (mut late, there) = departed(&gw, &issuer).await;
    issuer.tell(|script| script.header["kid"] = "k2".into());
    let claims = issuer.claims("w", &parameter(&there, "nonce"));
    issuer.tell(|script| script.claims = claims);
    clock.set(22 + 600);
    let asked = issuer.asked("/token");
    assert_eq!(returned(&mut late, &there).await.problem(), "401 sign-in-failed", "ten minutes are over");
    assert_eq!(issuer.asked("/token"), asked, "nothing is asked about it");
}

#[tokio::test]
async fn a_provider_that_is_down_or_talks_nonsense_keeps_out_those_who_come_from_there_and_nobody_else() {
    let mut gw = TestGateway::prepare().await;
    let clock = Clock::of(&mut gw);
    // Nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let issuer = Issuer::start(&gw).await;
    configure(&mut gw, free);
    gw.serve().unwrap();
    let answer = gw.nobody().get("/v1/session/oidc").await;
    assert_eq!(answer.problem(), "502 identity-provider-failed");
    assert_eq!(gw.record_of(&answer).await["outcome"], "identity-provider-failed");
    assert_eq!(gw.person("li", "civil", &["applicant"]).await.get("/v1/session").await.status, 200);
    gw.stop();

    gw.configure(&free.to_string(), &issuer.port.to_string());
    gw.serve().unwrap();
    bind(&gw, "wang", issuer.port, "w");
    let mut fast = 0;
    for discovery in [
        json!({ "issuer": "https://elsewhere.example" }),
        json!({ "token_endpoint": format!("http://localhost:{}/token", issuer.port) }),
        json!({ "jwks_uri": "https://169.254.169.254/keys" }),
        json!({ "jwks_uri": null }),
    ] {
        issuer.tell(|script| script.discovery = discovery.clone());
        let answer = gw.nobody().get("/v1/session/oidc").await;
        assert_eq!(answer.problem(), "502 identity-provider-failed", "{discovery}");
        fast += 11;
        clock.set(fast);
    }
    issuer.tell(|script| script.discovery = json!({}));
    assert_eq!(with_claims(&gw, &issuer, &json!({})).await.status, 200, "it is well again");
    for (status, error, problem) in [
        (400, json!({ "error": "invalid_grant" }), "401 sign-in-failed"),
        (401, json!({ "error": "invalid_client" }), "502 identity-provider-failed"),
        (500, json!({}), "502 identity-provider-failed"),
        (302, json!({}), "502 identity-provider-failed"),
        (200, json!({ "access_token": "canary" }), "502 identity-provider-failed"),
        (200, json!("x".repeat(300 << 10)), "502 identity-provider-failed"),
    ] {
        issuer.tell(|script| script.error = Some((status, error)));
        let answer = with_claims(&gw, &issuer, &json!({})).await;
        assert_eq!(answer.problem(), problem, "{status}");
    }
    assert!(!gw.log().contains("canary"));
}

#[tokio::test]
async fn an_account_is_bound_once_without_roles_and_a_gateway_without_a_provider_has_no_such_way_in() {
    let gw = TestGateway::start().await;
    for path in ["/v1/session/oidc", "/v1/session/oidc/callback?code=c&state=s"] {
        assert_eq!(gw.nobody().get(path).await.problem(), "404 not-found", "{path}");
    }
    let admin = gw.person("zhao", "audit", &["system_admin"]).await;
    gw.enrol("wang", "civil", &[]);
    gw.enrol("li", "civil", &[]);
    gw.enrol("sun", "civil", &["applicant"]);
    let bind = async |account: &str, subject: &str| {
        let body = json!({ "issuer": "https://id.example", "subject": subject });
        admin.post(&format!("/v1/people/{account}/bind-oidc"), &body).await
    };
    assert_eq!(bind("wang", "w").await.status, 200);
    assert_eq!(bind("wang", "w").await.status, 200, "it is so already");
    assert_eq!(bind("wang", "v").await.problem(), "409 wrong-state", "once and for all");
    assert_eq!(bind("li", "w").await.problem(), "409 account-taken");
    assert_eq!(bind("sun", "s").await.problem(), "409 wrong-state", "it has a role");
    assert_eq!(
        bind("zhao", "z").await.problem(),
        "403 not-separate",
        "nobody changes an account of their own"
    );
    assert_eq!(bind("li", "11010519491231002X").await.problem(), "422 invalid-request");
}
