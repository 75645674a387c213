//! The console over the wire: who gets which page, what every page carries, what a form must show.

use std::collections::BTreeSet;

use sluice::identity::Role;
use sluice::policy::Action;
use sluice::web::console::pages::{self, Who};
use sluice::web::routes::Verb;

use crate::support::TestGateway;
use crate::support::client::{Answer, Client};

/// The policy that every page has, word by word.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// A path of the table with something in the place of its parts.
fn filled(path: &str) -> String {
    let parts = [
        ("{id}", "A-2026-000001"),
        ("{command}", "comment"),
        ("{session}", "0011223344556677"),
        ("{dataset}", "civil.subsistence"),
        ("{grant}", "G-2026-000001"),
        ("{name}", "style.css"),
        ("{delegation}", "1"),
        ("{index}", "0"),
        ("{account}", "nobody.here"),
        ("{version}", "1"),
        ("{operation}", "post-v1-datasets-dataset-query"),
    ];
    parts.iter().fold(path.to_owned(), |path, (part, value)| path.replace(part, value))
}

/// The value of the token that a page's forms send.
pub fn token(page: &Answer) -> String {
    let text = page.text();
    let value = text.split("name=\"token\" value=\"").nth(1).unwrap_or_else(|| panic!("no token: {text}"));
    value.split('"').next().unwrap().to_owned()
}

/// Posts a form.
pub async fn send(client: &Client, path: &str, inputs: &[(&str, &str)]) -> Answer {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(inputs);
    let client = client.clone().with_header("content-type", "application/x-www-form-urlencoded");
    client.send("POST", path, Some(form.finish().as_bytes())).await.unwrap()
}

/// May the role do one of the actions, as `policies/roles.csv` says?
fn may(role: Role, actions: &[Action]) -> bool {
    let file = include_str!("../../policies/roles.csv");
    let rows = file.lines().filter_map(|line| {
        let mut parts = line.split(',').map(str::trim);
        (parts.next() == Some("p"))
            .then(|| (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()))
    });
    let mut allowed = rows.filter(|(who, _)| *who == "person" || *who == role.as_str());
    allowed.any(|(_, action)| actions.iter().any(|wanted| wanted.as_str() == action))
}

fn is_page(answer: &Answer) -> bool {
    answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
}

#[tokio::test]
async fn every_page_as_every_role_is_given_or_refused_as_the_table_says_and_never_a_hole() {
    // What is turned away counts against whoever asks.
    let gw = TestGateway::start_with("\n[limits]\nrefusals_per_minute = 60000\n").await;
    let (mut seen, mut acted) = (BTreeSet::new(), BTreeSet::new());
    for role in Role::ALL.into_iter().filter(|role| *role != Role::CitizenService) {
        let department =
            if matches!(role, Role::Applicant | Role::SharingLead) { "housing" } else { "audit" };
        let person = gw.person(role.as_str(), department, &[role.as_str()]).await;
        for page in pages::all() {
            let path = filled(page.path);
            let answer = match page.verb {
                Verb::Get => person.get(&path).await,
                _ => send(&person, &path, &[]).await,
            };
            let what = format!("{} {path} as {}: {}", page.verb.as_str(), role.as_str(), answer.status);
            assert!(answer.status < 500, "{what}: {}", answer.text());
            assert_eq!(answer.header("content-security-policy"), Some(POLICY), "{what}");
            let kept = answer.header("cache-control");
            assert_eq!(kept, Some("no-store"), "{what}");
            if page.verb != Verb::Get {
                // Without the token nothing is done, whoever it is; with the wrong role it does not get so far.
                assert_eq!(answer.status, 403, "{what}: {}", answer.text());
            } else if let Who::May(actions) = page.who {
                assert_eq!(answer.status == 403, !may(role, actions), "{what}: {}", answer.text());
            } else {
                assert!(answer.status == 200 || path.contains("/assets/"), "{what}");
            }
            // A record with its proof is a file to take away.
            let is_file = page.path.ends_with("/proof") && answer.status == 200;
            // What a page asks for by itself is for its script.
            let is_file = is_file || page.path == "/console/live";
            assert!(is_page(&answer) || answer.status == 303 || is_file, "{what}");
            seen.insert((page.path, answer.status));
        }
        // And with the token: whoever may do it is told what is wrong with an empty form, or that it is
        // done; nobody else gets so far.
        let own = token(&person.get("/console").await);
        let mut posts: Vec<_> = pages::all().filter(|page| page.verb != Verb::Get).collect();
        // Signing out comes last.
        posts.sort_by_key(|page| page.path.ends_with("/sign-out"));
        for page in posts {
            let answer = send(&person, &filled(page.path), &[("token", &own)]).await;
            let what = format!("POST {} as {}: {}", page.path, role.as_str(), answer.status);
            assert!(answer.status < 500, "{what}: {}", answer.text());
            let forbidden = answer.text().contains("<code>forbidden</code>");
            let permitted = match page.who {
                Who::May(actions) => may(role, actions),
                _ => true,
            };
            assert_eq!(forbidden, !permitted, "{what}: {}", answer.text());
            acted.insert((page.path, answer.status));
        }
    }
    let done = acted.iter().filter(|(_, status)| *status != 403).count();
    assert!(done >= pages::all().filter(|page| page.verb != Verb::Get).count(), "{acted:?}");
    assert!(seen.len() > pages::all().count() / 2, "{seen:?}");
}

#[tokio::test]
async fn who_is_not_signed_in_is_led_to_sign_in_and_back_and_sees_nothing_else() {
    let gw = TestGateway::start().await;
    for page in pages::all().filter(|page| page.who != Who::Visitor) {
        let path = filled(page.path);
        match page.verb {
            Verb::Get => {
                let answer = gw.nobody().get(&path).await;
                assert_eq!(answer.status, 303, "{path}: {}", answer.text());
                assert!(answer.header("location").unwrap().starts_with("/console/sign-in"), "{path}");
            }
            _ => assert_eq!(send(&gw.nobody(), &path, &[]).await.status, 401, "{path}"),
        }
    }
    let sent = gw.nobody().get("/console/inbox?after=2026-12-01.A-2026-000009").await;
    let place = sent.header("location").unwrap().to_owned();
    assert_eq!(place, "/console/sign-in?back=%2Fconsole%2Finbox%3Fafter%3D2026-12-01.A-2026-000009");
    let page = gw.nobody().get(&place).await;
    assert!(
        page.text().contains("name=\"back\" value=\"/console/inbox?after=2026-12-01.A-2026-000009\""),
        "{}",
        page.text()
    );
    let led = gw.nobody().get("/console/sign-in?back=https://evil.example/").await;
    assert!(led.text().contains("name=\"back\" value=\"/console\""), "{}", led.text());
    let lost = gw.nobody().get("/console/there-is-no-such-page").await;
    assert_eq!((lost.status, is_page(&lost)), (404, true), "a page for people, not JSON");
}

#[tokio::test]
async fn somebody_signs_in_with_password_and_code_reads_a_page_and_signs_out() {
    let gw = TestGateway::start().await;
    let admin = gw.admin("first", "system_admin");
    let page = gw.nobody().get("/console/sign-in").await;
    let seed = page.cookie("__Host-sluice-seed").unwrap().to_owned();
    let visitor = gw.nobody().with_header("cookie", &format!("__Host-sluice-seed={seed}"));
    let token = token(&page);
    let code = admin.code.code_at(crate::support::now());
    let wrong = [
        ("token", token.as_str()),
        ("/account", "first"),
        ("/password", "not it, whatever it is"),
        ("/totp", &code),
    ];
    let refused = send(&visitor, "/console/sign-in", &wrong).await;
    assert_eq!(refused.status, 401, "{}", refused.text());
    assert!(refused.text().contains("Sign-in failed") && refused.text().contains("value=\"first\""));
    assert!(!refused.text().contains("not it, whatever"), "a password is not sent back");
    let right =
        [("token", token.as_str()), ("/account", "first"), ("/password", &admin.password), ("/totp", &code)];
    assert_eq!(send(&gw.nobody(), "/console/sign-in", &right).await.status, 403, "without the seed's cookie");
    let begun = send(&visitor, "/console/sign-in", &right).await;
    assert_eq!((begun.status, begun.header("location")), (303, Some("/console/account")), "{}", begun.text());

    // The one-time password is to be changed first.
    let client = gw.nobody().with_cookies(&begun);
    assert_eq!(client.get("/console").await.header("location"), Some("/console/account"));
    let account = client.get("/console/account").await;
    assert!(account.text().contains("Change the one-time password"), "{}", account.text());
    let own = self::token(&account);
    let change = [
        ("token", own.as_str()),
        ("/password", &admin.password),
        ("/new", crate::support::person::CHOSEN),
        ("again", "another"),
    ];
    let differs = send(&client, "/console/account/password", &change).await;
    assert_eq!(differs.status, 422, "{}", differs.text());
    let change = [change[0], change[1], change[2], ("again", crate::support::person::CHOSEN)];
    let changed = send(&client, "/console/account/password", &change).await;
    assert_eq!(changed.status, 303, "{}", changed.text());
    let client = gw.nobody().with_cookies(&changed);
    let home = client.get("/console").await;
    assert_eq!(home.status, 200, "{}", home.text());
    assert!(home.text().contains("System administrator"));

    let offer = send(
        &client,
        "/console/account/code",
        &[("token", &self::token(&home)), ("/password", crate::support::person::CHOSEN)],
    )
    .await;
    assert!(
        offer.text().contains("class=\"qr\"") && offer.text().contains("otpauth://totp/Sluice:first"),
        "{}",
        offer.text()
    );

    assert_eq!(
        send(&client, "/console/sign-out", &[("token", &own)]).await.status,
        403,
        "the token of the cookie before"
    );
    let out = send(&client, "/console/sign-out", &[("token", &self::token(&home))]).await;
    assert_eq!((out.status, out.header("location")), (303, Some("/console/sign-in")), "{}", out.text());
    assert_eq!(client.get("/console").await.status, 303, "signed out");
}

#[tokio::test]
async fn a_certificate_signs_in_and_sessions_elsewhere_can_be_ended() {
    let gw = TestGateway::start().await;
    let certificate = gw.enrol("c.head", "civil", &["section_head"]);
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let page = gw.nobody().get("/console/sign-in?back=/console/inbox").await;
        let seed = format!("__Host-sluice-seed={}", page.cookie("__Host-sluice-seed").unwrap());
        let inputs = [("token", &*token(&page)), ("/by", "certificate"), ("back", "/console/inbox")];
        let begun =
            send(&certificate.clone().with_header("cookie", &seed), "/console/sign-in", &inputs).await;
        assert_eq!(begun.header("location"), Some("/console/inbox"), "{}", begun.text());
        sessions.push(gw.nobody().with_cookies(&begun));
    }
    let [here, there] = sessions.try_into().unwrap_or_else(|_| panic!("two"));
    let account = here.get("/console/account").await;
    let other = account.text().split("/console/account/sessions/").nth(1).unwrap()[..16].to_owned();
    assert_eq!(there.get("/console/inbox").await.status, 200);
    let ended =
        send(&here, &format!("/console/account/sessions/{other}/end"), &[("token", &token(&account))]).await;
    assert_eq!(ended.status, 303, "{}", ended.text());
    assert_eq!(there.get("/console/inbox").await.status, 303, "signed out there");
    let note = ended.cookie("__Host-sluice-said").unwrap().to_owned();
    let cookies = here.headers().iter().find(|(name, _)| name == "cookie").unwrap().1.clone();
    let here = here.with_header("cookie", &format!("{cookies}; __Host-sluice-said={note}"));
    let again = here.get("/console/account").await;
    assert!(again.text().contains("That session has ended."), "{}", again.text());
    assert!(again.set_cookie("__Host-sluice-said").unwrap().contains("Max-Age=0"), "said once");
}

#[tokio::test]
async fn language_and_theme_are_chosen_and_kept_by_the_browser() {
    let gw = TestGateway::start().await;
    let page = gw.nobody().with_header("accept-language", "zh").get("/console/sign-in").await;
    assert!(page.text().contains("<html lang=\"zh-CN\""), "{}", page.text());
    let seed = page.cookie("__Host-sluice-seed").unwrap().to_owned();
    let visitor = gw.nobody().with_header("cookie", &format!("__Host-sluice-seed={seed}"));
    let inputs = [
        ("token", token(&page)),
        ("lang", "en".into()),
        ("theme", "dark".into()),
        ("back", "/console/sign-in".into()),
    ];
    let inputs: Vec<(&str, &str)> = inputs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let chosen = send(&visitor, "/console/preferences", &inputs).await;
    assert_eq!(
        (chosen.status, chosen.header("location")),
        (303, Some("/console/sign-in")),
        "{}",
        chosen.text()
    );
    let kept = "__Host-sluice-lang=en; __Host-sluice-theme=dark";
    let again = gw
        .nobody()
        .with_header("accept-language", "zh")
        .with_header("cookie", kept)
        .get("/console/sign-in")
        .await;
    assert!(again.text().contains("<html lang=\"en\" data-theme=\"dark\""), "{}", again.text());
    let made_up = gw
        .nobody()
        .with_header("cookie", "__Host-sluice-theme=x\"onload; __Host-sluice-said=<b>")
        .get("/console/sign-in")
        .await;
    assert!(!made_up.text().contains("onload") && !made_up.text().contains("<b>"));
}

#[tokio::test]
async fn style_and_script_are_kept_by_the_browser_under_names_of_their_own() {
    let gw = TestGateway::start().await;
    let page = gw.nobody().get("/console/sign-in").await.text();
    let mut whole = page.len();
    for link in page.split('"').filter(|part| part.starts_with("/console/assets/")) {
        let file = gw.nobody().get(link).await;
        assert_eq!(file.status, 200, "{link}");
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        whole += file.body.len();
    }
    assert!(whole < 100_000, "the first page is {whole} bytes before compression");
    assert!(!page.contains(" style=") && !page.contains("<script>") && !page.contains("onclick"), "{page}");
}
