//! `sluice doctor`: what is wrong is named with what to do, in both languages, and the exit code
//! says how bad it is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use sluice::base::ids::hex;
use tokio::process::Command;

use crate::support::gateway::program;
use crate::support::idp;
use crate::support::issuer::Issuer;
use crate::support::vault::answers;
use crate::support::{PERSON, TestGateway, now};

/// What the doctor says of a gateway: exit code, and the checks by name.
struct Told {
    code: i32,
    all: Value,
}

impl Told {
    fn state(&self, check: &str) -> Vec<&str> {
        let named = self.all["checks"].as_array().unwrap().iter().filter(|one| one["check"] == check);
        named.map(|one| one["state"].as_str().unwrap()).collect()
    }

    fn what(&self, check: &str) -> &str {
        self.one(check)["what"].as_str().unwrap()
    }

    fn fix(&self, check: &str) -> &str {
        self.one(check)["fix"].as_str().unwrap_or_default()
    }

    fn one(&self, check: &str) -> &Value {
        self.all["checks"].as_array().unwrap().iter().find(|one| one["check"] == check).unwrap()
    }
}

async fn doctor(gw: &TestGateway, arguments: &[&str], before: &[&str]) -> Told {
    let mut words = before.to_vec();
    words.extend([program(), "doctor", "--config", "sluice.toml", "--json"]);
    words.extend(arguments);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(gw.path());
    if gw.serves() {
        command.env("SLUICE_GATEWAY__OPS_LISTEN", gw.ops_address().to_string());
    }
    let out = command.output().await.unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(!text.contains(PERSON), "nobody is named");
    let all = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&out.stderr)));
    Told { code: out.status.code().unwrap(), all }
}

#[tokio::test]
async fn a_gateway_in_order_is_said_to_be_and_nothing_is_changed() {
    let gw = TestGateway::start().await;
    answers(&gw, 2).await;
    fs::set_permissions(gw.path().join("data"), Permissions::from_mode(0o700)).unwrap();
    let before = gw.verify().1;
    let told = doctor(&gw, &[], &[]).await;
    for check in ["config", "keys", "certificate", "data", "state", "log", "clock", "adapter", "gateway"] {
        assert_eq!(told.state(check), ["ok"], "{check}: {:#}", told.all);
    }
    // The stage has one disk, and lists that hold for a day.
    assert_eq!((told.state("second-place"), told.state("revocation")), (vec!["warn"], vec!["warn"]));
    assert_eq!((told.code, &told.all["state"]), (1, &"warn".into()));
    assert_eq!(gw.verify().1, before);
}

#[tokio::test]
async fn each_fault_is_named_with_what_to_do() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 2).await;
    let key = gw.path().join("keys/subjects.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let told = doctor(&gw, &[], &[]).await;
    assert_eq!((told.code, told.state("keys")), (2, vec!["fail"]), "{:#}", told.all);
    let secret = fs::read_to_string(&key).unwrap();
    assert!(!told.all.to_string().contains(secret.trim()));
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();

    gw.revoke(&[], now().plus_seconds(-1));
    let told = doctor(&gw, &[], &[]).await;
    assert_eq!((told.code, told.state("revocation")), (2, vec!["fail"]), "{:#}", told.all);
    assert!(told.fix("revocation").contains("publish a fresh list"));
    gw.revoke(&[], now().plus_seconds(30 * 86_400));
    assert_eq!(doctor(&gw, &[], &[]).await.state("revocation"), ["ok"]);

    let told = doctor(&gw, &[], &["faketime", "-f", "-1d"]).await;
    assert_eq!((told.code, told.state("clock")), (2, vec!["fail"]), "{:#}", told.all);
    let told = doctor(&gw, &[], &["faketime", "-f", "+3650d"]).await;
    assert_eq!((told.code, told.state("certificate")), (2, vec!["fail"]), "{:#}", told.all);

    gw.tamper("INSERT INTO acts (kind, object, detail, at, actor) VALUES ('role-granted', 'li', 'leader', 1, 'sys')");
    let told = doctor(&gw, &[], &[]).await;
    assert_eq!((told.code, told.state("acts")), (2, vec!["fail"]), "{:#}", told.all);
    assert!(told.what("acts").contains(r#"("role-granted" "li","#), "{:#}", told.all);
    gw.tamper("DELETE FROM acts WHERE kind = 'role-granted'");
    assert_eq!(doctor(&gw, &[], &[]).await.state("acts"), ["ok"]);

    let copy = gw.path().join("second-place/checkpoint");
    let earlier = fs::read(&copy).unwrap();
    answers(&gw, 2).await;
    gw.stop();
    let told = doctor(&gw, &[], &[]).await;
    assert_eq!((told.code, told.state("gateway")), (1, vec!["warn"]), "{:#}", told.all);
    let newer = fs::read(&copy).unwrap();
    fs::write(&copy, hex(&earlier)).unwrap();
    assert_eq!(doctor(&gw, &[], &[]).await.state("second-place"), ["fail"], "it holds no checkpoint");
    fs::remove_file(&copy).unwrap();
    assert_eq!(doctor(&gw, &[], &[]).await.state("second-place"), ["fail"], "it is gone");
    fs::write(&copy, newer).unwrap();

    let log = gw.path().join("data/audit.db");
    let sound = fs::read(&log).unwrap();
    fs::write(&log, &sound[..sound.len() / 2]).unwrap();
    let told = doctor(&gw, &[], &[]).await;
    assert_eq!((told.code, told.state("log")), (2, vec!["fail"]), "{:#}", told.all);
    fs::write(&log, sound).unwrap();
    fs::write(gw.path().join("sluice.toml"), "[gateway]\nlisten = 1\n").unwrap();
    let told = doctor(&gw, &[], &[]).await;
    assert_eq!((told.code, told.state("config")), (2, vec!["fail"]), "{:#}", told.all);
}

/// Writes the configuration of a gateway that does not serve.
fn write(gw: &TestGateway) {
    fs::write(gw.path().join("sluice.toml"), gw.config()).unwrap();
}

#[tokio::test]
async fn an_identity_provider_is_asked_for_its_description_and_keys() {
    let mut gw = TestGateway::prepare().await;
    let issuer = Issuer::start(&gw).await;
    idp::configure(&mut gw, issuer.port);
    write(&gw);
    let told = doctor(&gw, &[], &[]).await;
    assert_eq!(told.state("oidc"), ["ok"], "{:#}", told.all);
    assert_eq!((issuer.asked("/jwks"), issuer.asked("/token")), (1, 0));

    let own = |path: &str| format!("https://localhost:{}{path}", issuer.port);
    for (member, lie, said) in [
        ("issuer", "https://localhost:1".to_owned(), "of another issuer"),
        ("jwks_uri", own("/.well-known/openid-configuration"), "keys cannot be read"),
        ("jwks_uri", "http://localhost/jwks".to_owned(), "not https throughout"),
    ] {
        issuer.tell(|script| script.discovery = json!({ member: lie }));
        let told = doctor(&gw, &[], &[]).await;
        assert_eq!(told.state("oidc"), ["warn"], "{said}: {:#}", told.all);
        assert!(told.what("oidc").contains(said), "{said}: {:#}", told.all);
        assert!(told.fix("oidc").contains("`issuer`"));
    }
    issuer.tell(|script| script.discovery = json!({}));

    // A certificate of another CA, an address that is not allowed, a secret that others may read.
    gw.configure("ca = \"ca/systems/ca.pem\"\n\n[tls]", "ca = \"ca/adapters/ca.pem\"\n\n[tls]");
    write(&gw);
    let told = doctor(&gw, &[], &[]).await;
    assert_eq!(told.state("oidc"), ["warn"], "{:#}", told.all);
    assert!(told.what("oidc").contains("certificate"), "{:#}", told.all);
    fs::set_permissions(gw.path().join("oidc.secret"), Permissions::from_mode(0o644)).unwrap();
    let told = doctor(&gw, &["--lang", "zh-CN"], &[]).await;
    assert_eq!((told.code, told.state("oidc")), (2, vec!["fail"]), "{:#}", told.all);
}

#[tokio::test]
async fn an_adapter_that_is_down_is_worth_a_look_and_said_in_chinese_where_asked() {
    let mut gw = TestGateway::prepare().await;
    let port = gw.civil.address.port().to_string();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    gw.configure(&port, &free);
    gw.serve().unwrap();
    let told = doctor(&gw, &["--lang", "zh-CN"], &[]).await;
    assert_eq!((told.code, told.state("adapter")), (1, vec!["warn"]), "{:#}", told.all);
    assert!(told.fix("adapter").contains("请检查适配器"), "{:#}", told.all);
    for check in told.all["checks"].as_array().unwrap() {
        let text = format!("{}{}", check["what"], check["fix"]);
        assert!(text.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c)), "not in Chinese: {check}");
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_database_that_says_nothing_is_given_up_and_the_environment_says_nothing_about_it() {
    let mut gw = TestGateway::prepare().await;
    let dumb = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = dumb.local_addr().unwrap().port();
    // It takes what is sent.
    let held = std::thread::spawn(move || dumb.incoming().flatten().take(3).collect::<Vec<_>>());
    let section = format!("[database]\nurl = \"postgres://gateway@127.0.0.1:{port}/sluice\"\n[tls]\n");
    gw.configure("[tls]\n", &section);
    write(&gw);
    let began = std::time::Instant::now();
    let told = doctor(&gw, &[], &[]).await;
    assert_eq!((told.code, told.state("state"), told.state("log")), (2, vec!["fail"], vec!["fail"]));
    assert!(told.what("state").contains("timeout"), "{:#}", told.all);
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    assert_eq!(held.join().unwrap().len(), 3);

    for meddling in ["PGHOSTADDR=127.0.0.1", "PGSERVICE=other", "PGOPTIONS=-c synchronous_commit=off"] {
        let told = doctor(&gw, &[], &["env", meddling]).await;
        assert_eq!((told.code, told.state("config")), (2, vec!["fail"]), "{meddling}: {:#}", told.all);
        assert!(told.what("config").contains(&meddling[..6]), "{:#}", told.all);
    }
    let told = doctor(&gw, &[], &["env", "PGHOST=elsewhere"]).await;
    assert_eq!(told.state("config"), ["ok"], "what is said counts before it");
}
