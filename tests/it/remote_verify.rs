//! An auditor elsewhere: a running gateway's log verified over HTTP, with the public key alone.

use std::path::Path;

use serde_json::json;
use sluice::app::keys;
use sluice::base::{Clock, SystemClock};
use sluice::demo::certificates::{Authority, Usage};
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::support::client::{Client, ask};
use crate::support::gateway::program;
use crate::support::vault::{answers, change_key, put_back};
use crate::support::{PERSON, TestGateway, until};

/// `sluice audit verify --url` from another machine's folder: exit code and what it said. It runs
/// beside the test, whose provider must go on answering.
struct Auditor<'g> {
    gw: &'g TestGateway,
    system: &'g str,
    ca: &'g str,
    key: &'g str,
}

impl<'g> Auditor<'g> {
    fn of(gw: &'g TestGateway) -> Self {
        Self { gw, system: "audit.office", ca: "ca/systems/ca.pem", key: "keys/audit.vkey" }
    }

    async fn verify(&self, more: &[&str]) -> (i32, String) {
        self.verify_at(&format!("https://localhost:{}", self.gw.address().port()), more).await
    }

    async fn verify_at(&self, url: &str, more: &[&str]) -> (i32, String) {
        let dir = self.gw.path();
        let shown = tempfile::tempdir().unwrap();
        self.gw.issued[self.system].write(shown.path(), "auditor").unwrap();
        let [cert, key] = ["auditor.pem", "auditor.key"].map(|file| shown.path().join(file));
        let out = Command::new(program())
            .args(["audit", "verify", "--url", url, "--ca", self.ca, "--pubkey", self.key])
            .args(["--cert".as_ref(), cert.as_os_str(), "--key".as_ref(), key.as_os_str()])
            .args(more)
            .current_dir(dir)
            .output()
            .await
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code().unwrap_or(-1), format!("{}{}", text(&out.stdout), text(&out.stderr)))
    }
}

/// Clients that ask, each on a connection of its own, until they are aborted.
fn load(gw: &TestGateway) -> Vec<JoinHandle<()>> {
    let client = || tokio::spawn(ask_on(gw.system("service.onestop")));
    std::iter::repeat_with(client).take(4).collect()
}

async fn ask_on(client: Client) {
    let body = ask("housing-aid.review", &[PERSON], json!(["status"])).to_string();
    let mut connection = client.connect().await.unwrap();
    let path = "/v1/datasets/civil.subsistence/query";
    while let Ok(answer) = connection.send("POST", path, &[], Some(body.as_bytes())).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// Lets the log grow to more than `records`, and leaves the clients at it.
async fn grown_beyond(gw: &TestGateway, records: u64) -> Vec<JoinHandle<()>> {
    let clients = load(gw);
    until("the log grows", async || (size(&checkpoint(gw).await) > records).then_some(())).await;
    clients
}

async fn checkpoint(gw: &TestGateway) -> String {
    let answer = gw.system("audit.office").get("/v1/audit/checkpoint").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// The number of records that a checkpoint covers.
fn size(checkpoint: &str) -> u64 {
    checkpoint.lines().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_growing_log_of_several_pages_is_intact_and_has_grown_from_what_was_seen() {
    let gw = TestGateway::start().await;
    let seen = checkpoint(&gw).await;
    std::fs::write(gw.path().join("seen"), &seen).unwrap();
    // More than two pages, and tiles above the lowest level.
    let clients = grown_beyond(&gw, 2_100).await;
    let (code, said) = Auditor::of(&gw).verify(&["--checkpoint", "seen"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("intact: sluice.test/log: "), "{said}");
    let verified: u64 = said.split(": ").nth(2).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(verified > 2_100 && size(&checkpoint(&gw).await) > verified, "it grew meanwhile: {said}");
    clients.iter().for_each(JoinHandle::abort);

    let searches = gw.records("kind=audit-search").await;
    let pages = searches.iter().filter(|search| search["caller"]["system"] == "audit.office").count();
    assert!(pages >= 3, "each page that the auditor read is itself recorded: {pages}");
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

#[tokio::test]
async fn a_wrong_public_key_verifies_nothing() {
    let gw = TestGateway::start().await;
    answers(&gw, 3).await;
    keys::make(&gw.path().join("stranger"), "sluice.test/log").unwrap();
    let (code, said) = Auditor { key: "stranger/audit.vkey", ..Auditor::of(&gw) }.verify(&[]).await;
    assert_eq!(code, 15, "{said}");
    assert!(said.contains("bad-signature: head") && said.contains("NOT INTACT"), "{said}");
}

#[tokio::test]
async fn after_a_change_of_keys_the_key_in_effect_verifies_the_whole() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 3).await;
    gw.stop();
    change_key(&mut gw);
    gw.serve().unwrap();
    answers(&gw, 3).await;
    let (code, said) = Auditor::of(&gw).verify(&[]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = Auditor { key: "keys/previous.vkey", ..Auditor::of(&gw) }.verify(&[]).await;
    assert_eq!(code, 15, "{said}");
}

#[tokio::test]
async fn who_is_no_auditor_is_told_so() {
    let mut gw = TestGateway::prepare().await;
    gw.admit("civil.security");
    gw.serve().unwrap();
    answers(&gw, 2).await;
    // One may not read the log; the other reads its department's records, which are not the log.
    for system in ["service.onestop", "civil.security"] {
        let (code, said) = Auditor { system, ..Auditor::of(&gw) }.verify(&[]).await;
        assert_eq!(code, 1, "{system}: {said}");
        assert!(said.contains("not an auditor's"), "{system}: {said}");
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_who_it_should_be_or_not_there_is_told_from_a_damaged_log() {
    let mut gw = TestGateway::start().await;
    let now = SystemClock.now();
    let foreign = Authority::open(&gw.path().join("ca/foreign"), "foreign", now).unwrap();
    let (code, said) = Auditor { ca: "ca/foreign/ca.pem", ..Auditor::of(&gw) }.verify(&[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the CA in --ca has not issued the certificate of localhost"), "{said}");

    let by_number = format!("https://127.0.0.1:{}", gw.address().port());
    let (code, said) = Auditor::of(&gw).verify_at(&by_number, &[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is not valid") && said.contains("name"), "{said}");

    let outsider = foreign.issue("outsider", &[], Usage::Client, now).unwrap();
    gw.issued.insert("outsider".into(), outsider);
    let stranger = gw.authority.issue("stranger", &[], Usage::Client, now).unwrap();
    gw.issued.insert("stranger".into(), stranger);
    for (system, told) in
        [("outsider", "refused the certificate in --cert"), ("stranger", "401 (certificate-unknown")]
    {
        let (code, said) = Auditor { system, ..Auditor::of(&gw) }.verify(&[]).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(told), "{said}");
    }

    let (code, said) = Auditor { ca: "ca/nothing.pem", ..Auditor::of(&gw) }.verify(&[]).await;
    assert!(code == 1 && said.contains("ca/nothing.pem"), "{code} {said}");
    let url = format!("https://localhost:{}", gw.address().port());
    for wrong in [url.replace("https", "http"), format!("{url}/v1"), "localhost".into()] {
        let (code, said) = Auditor::of(&gw).verify_at(&wrong, &[]).await;
        assert!(code == 1 && said.contains("expected https://HOST:PORT"), "{code} {said}");
    }
    gw.stop();
    gw.issued.remove("outsider");
    let (code, said) = Auditor::of(&gw).verify_at(&url, &[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("cannot be reached"), "{said}");
}

#[tokio::test]
async fn a_log_put_back_or_rewritten_betrays_itself_by_a_checkpoint_seen_before() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 3).await;
    gw.stop();
    let files = ["data/audit.db", "second-place/checkpoint"].map(|file| gw.path().join(file));
    let older = files.each_ref().map(|file| std::fs::read(file).unwrap());
    gw.serve().unwrap();
    answers(&gw, 20).await;
    std::fs::write(gw.path().join("seen"), checkpoint(&gw).await).unwrap();
    gw.stop();

    // Whoever has both places can put both back: in itself the log is sound.
    put_back(&files[0], &older[0]);
    std::fs::write(&files[1], &older[1]).unwrap();
    std::fs::remove_file(gw.path().join("data/audit-index.db")).ok();
    gw.serve().unwrap();
    let (code, said) = Auditor::of(&gw).verify(&[]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = Auditor::of(&gw).verify(&["--checkpoint", "seen"]).await;
    assert_eq!(code, 14, "{said}");
    assert!(said.contains("rolled-back: head"), "{said}");

    // As long again, but another.
    answers(&gw, 40).await;
    let (code, said) = Auditor::of(&gw).verify(&["--checkpoint", "seen"]).await;
    assert_eq!(code, 13, "{said}");
    assert!(said.contains("forked: checkpoint at size"), "{said}");
}

#[tokio::test]
async fn a_record_changed_or_removed_is_named_though_the_gateway_serves_it() {
    let mut gw = TestGateway::start().await;
    // In the first tile of two, where the start check does not look.
    grown_beyond(&gw, 300).await.iter().for_each(JoinHandle::abort);
    gw.stop();
    for (sql, code, named) in [
        (
            "UPDATE record SET leaf = CAST(replace(leaf, 'ok', 'no') AS BLOB) WHERE idx = 17",
            10,
            "altered: record 17",
        ),
        ("DELETE FROM record WHERE idx = 40", 11, "missing: record 40"),
    ] {
        let log = gw.path().join("data/audit.db");
        let sound = std::fs::read(&log).unwrap();
        tamper(&log, sql);
        gw.serve().unwrap();
        let (got, said) = Auditor::of(&gw).verify(&[]).await;
        assert!(got == code && said.starts_with(named), "{got} {said}");
        gw.stop();
        put_back(&log, &sound);
        // As it was lost: an empty one lets the log begin there anew.
        std::fs::write(gw.path().join("second-place/checkpoint"), "").unwrap();
    }
}

fn tamper(log: &Path, sql: &str) {
    use diesel::connection::SimpleConnection;
    crate::support::vault::open(log).batch_execute(sql).unwrap();
}
