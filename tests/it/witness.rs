//! The log has witnesses outside: they cosign it while it grows, and refuse it once it was put back.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::Value;
use sluice::audit::WitnessKey;
use sluice::base::Timestamp;
use sluice::store::anchors::{AnchorStore, Cosignature, DATABASE};

use crate::support::outside::{Stamper, Witness, openssl};
use crate::support::vault::answers;
use crate::support::{TestGateway, now, until};

const EVERY_SECOND: &str = "[anchors]\nevery_seconds = 1\n";

/// Adds sections to the configuration, for the next start.
fn add(gw: &mut TestGateway, sections: &str) {
    gw.configure("[[adapter]]", &format!("{sections}[[adapter]]"));
}

/// The newest checkpoint that so many have cosigned, and its size.
async fn cosigned(gw: &TestGateway, count: usize) -> Option<(u64, String)> {
    let answer = gw.system("audit.office").get(&format!("/v1/audit/checkpoint?cosigned={count}")).await;
    match answer.status {
        200 => Some((answer.text().lines().nth(1).unwrap().parse().unwrap(), answer.text())),
        _ => {
            assert_eq!(answer.problem(), "404 not-found");
            None
        }
    }
}

/// Waits until so many have cosigned a checkpoint over all answers that were given. Behind it there
/// may be the records of the anchors themselves, which an idle log does not show again.
async fn caught_up(gw: &TestGateway, count: usize) -> (u64, String) {
    let last = gw.records("kind=query").await.last().unwrap()["index"].as_u64().unwrap();
    until("the witnesses catch up", async || cosigned(gw, count).await.filter(|(size, _)| *size > last)).await
}

async fn ready(gw: &TestGateway) -> Value {
    serde_json::from_str(&gw.ops("/readyz").await.1).unwrap()
}

/// How often there was such an outcome.
async fn counted(gw: &TestGateway, by: &str, outcome: &str) -> u64 {
    let (_, text) = gw.ops("/metrics").await;
    let line = format!("sluice_anchors_total{{by=\"{by}\",outcome=\"{outcome}\"}} ");
    text.lines().find_map(|l| l.strip_prefix(&line)).map_or(0, |n| n.parse().unwrap())
}

/// How `sluice doctor` finds the anchors.
async fn doctor(gw: &TestGateway) -> String {
    doctor_on(gw, "anchors").await
}

/// How `sluice doctor` finds all that it calls so.
async fn doctor_on(gw: &TestGateway, check: &str) -> String {
    let (_, out, err) = gw.sluice_beside(&["doctor", "--config", "sluice.toml", "--json"]).await;
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
    let checks = told["checks"].as_array().unwrap();
    let named = checks.iter().filter(|one| one["check"] == check);
    named.map(|one| one["state"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

fn verify(gw: &TestGateway, witnesses: &[&Witness], require: &str) -> (i32, String) {
    let keys = witnesses.iter().flat_map(|witness| ["--witness-key", witness.key.as_str()]);
    gw.verify_with(&keys.chain(["--require", require]).collect::<Vec<_>>())
}

fn anchors(gw: &TestGateway) -> SqliteConnection {
    SqliteConnection::establish(gw.path().join("data").join(DATABASE).to_str().unwrap()).unwrap()
}

#[tokio::test]
async fn witnesses_cosign_the_log_and_verification_can_demand_them() {
    let mut gw = TestGateway::prepare().await;
    let (one, two) = (Witness::start(&gw, "civil"), Witness::start(&gw, "finance"));
    add(&mut gw, &format!("{EVERY_SECOND}{}{}", one.entry(), two.entry()));
    gw.serve().unwrap();
    answers(&gw, 3).await;
    let (size, note) = caught_up(&gw, 2).await;
    assert_eq!(doctor(&gw).await, "ok");
    for witness in [&one, &two] {
        WitnessKey::parse(&witness.key).unwrap().verify(&note).unwrap();
    }

    // What they said is in the log itself.
    for witness in ["civil", "finance"] {
        let record = until("what it said is recorded", async || {
            let records = gw.records("kind=anchor").await;
            records.into_iter().find(|record| record["witness"] == witness && record["size"] == size)
        });
        assert_eq!(record.await["cosignature"].as_str().unwrap().len(), 64);
    }
    assert_eq!(
        (ready(&gw).await["anchor_overdue"].clone(), counted(&gw, "civil", "forked").await),
        (false.into(), 0)
    );

    let (code, said) = verify(&gw, &[&one, &two], "2");
    assert!(code == 0 && said.contains("records by 2 of 2"), "{code}: {said}");
    let auditor = &gw.issued["audit.office"];
    auditor.write(gw.path(), "auditor").unwrap();
    let url = format!("https://localhost:{}", gw.address().port());
    let over = ["audit", "verify", "--url", &url, "--pubkey", "keys/audit.vkey", "--ca", "ca/systems/ca.pem"];
    let as_auditor =
        ["--cert", "auditor.pem", "--key", "auditor.key", "--witness-key", "finance/witness.vkey"];
    let (code, out, err) = gw.sluice(&[&over[..], &as_auditor].concat());
    assert!(code == 0 && out.contains("records by 1 of 1"), "{code}: {out}{err}");

    let client = gw.system("audit.office");
    for (asked, problem) in [
        ("cosigned=3", "404 not-found"),
        ("cosigned=x", "422 invalid-request"),
        ("canary=1", "422 invalid-request"),
    ] {
        assert_eq!(client.get(&format!("/v1/audit/checkpoint?{asked}")).await.problem(), problem, "{asked}");
    }
}

#[tokio::test]
async fn an_idle_log_is_vouched_for_again_and_does_not_grow() {
    let mut gw = TestGateway::prepare().await;
    let witness = Witness::start(&gw, "civil");
    add(&mut gw, &format!("{EVERY_SECOND}{}", witness.entry()));
    gw.serve().unwrap();
    let rounds = async |count| {
        until("rounds", async || (counted(&gw, "civil", "anchored").await >= count).then_some(())).await;
    };
    rounds(1).await;
    let size = ready(&gw).await["log_records"].clone();
    rounds(3).await;
    assert_eq!(ready(&gw).await["log_records"], size);
}

#[tokio::test]
async fn a_witness_that_is_down_is_missed_by_who_demands_it_and_catches_up() {
    let mut gw = TestGateway::prepare().await;
    let (one, mut two) = (Witness::start(&gw, "civil"), Witness::start(&gw, "finance"));
    two.kill();
    add(&mut gw, &format!("{EVERY_SECOND}{}{}", one.entry(), two.entry()));
    gw.serve().unwrap();
    answers(&gw, 3).await;
    caught_up(&gw, 1).await;
    assert_eq!(cosigned(&gw, 2).await, None);
    assert_eq!(doctor(&gw).await, "warn", "too few vouch");
    assert_eq!(doctor_on(&gw, "witness").await, "ok warn", "one can be reached");
    let (code, said) = verify(&gw, &[&one, &two], "1");
    assert!(code == 0 && said.contains("records by 1 of 2"), "{code}: {said}");
    let (code, said) = verify(&gw, &[&one, &two], "2");
    assert!(code == 18 && said.contains("unwitnessed: store"), "{code}: {said}");
    assert!(gw.log().contains("does not vouch for the log"), "{}", gw.log());

    two.serve();
    caught_up(&gw, 2).await;
    assert_eq!(verify(&gw, &[&one, &two], "2").0, 0);
}

#[tokio::test]
async fn a_cosignature_that_was_tampered_with_is_named_and_does_not_count() {
    let mut gw = TestGateway::prepare().await;
    let (one, two) = (Witness::start(&gw, "civil"), Witness::start(&gw, "finance"));
    add(&mut gw, &format!("{EVERY_SECOND}{}{}", one.entry(), two.entry()));
    gw.serve().unwrap();
    answers(&gw, 3).await;
    caught_up(&gw, 2).await;
    gw.stop();
    // The time that the witness said, or its signature: four characters of base64 in the middle.
    anchors(&gw)
        .batch_execute(
            "UPDATE cosignature SET line = substr(line, 1, length(line) - 40) || 'AAAA' || substr(line, length(line) - 35) \
             WHERE witness = 'finance'",
        )
        .unwrap();
    let (code, said) = verify(&gw, &[&one, &two], "2");
    assert!(code == 15 && said.contains("a witness's cosignature beside it does not hold"), "{code}: {said}");
    assert!(said.contains("unwitnessed"), "{said}");
    assert_eq!(verify(&gw, &[&one], "1").0, 0);
    // Another key of that name has cosigned nothing.
    let stranger = Witness::start(&gw, "stranger");
    assert_eq!(verify(&gw, &[&stranger], "1").0, 18);
}

#[tokio::test]
async fn a_log_that_was_put_back_and_went_on_differently_is_refused_and_alarmed() {
    let mut gw = TestGateway::prepare().await;
    let mut witness = Witness::start(&gw, "civil");
    add(&mut gw, &format!("{EVERY_SECOND}{}", witness.entry()));
    gw.serve().unwrap();
    answers(&gw, 2).await;
    caught_up(&gw, 1).await;
    gw.stop();
    let kept =
        ["data", "second-place"].map(|name| (gw.path().join(name), gw.path().join(format!("{name}-kept"))));
    kept.iter().for_each(|(from, to)| copy(from, to));
    gw.serve().unwrap();
    answers(&gw, 5).await;
    let (size, seen) = caught_up(&gw, 1).await;
    std::fs::write(gw.path().join("seen"), seen).unwrap();
    gw.stop();

    // The whole past is put back, the second place too: nothing on this machine can tell. Then it
    // goes on, past the size that the witness saw.
    for (from, to) in &kept {
        std::fs::remove_dir_all(from).unwrap();
        std::fs::rename(to, from).unwrap();
    }
    witness.kill();
    witness.serve();
    gw.serve().unwrap();
    until("the rollback is noticed", async || gw.log().contains("ALARM: the witness").then_some(())).await;
    while ready(&gw).await["log_records"].as_u64().unwrap() <= size + 3 {
        answers(&gw, 5).await;
    }
    until("the witness refuses the fork", async || {
        witness.log().contains("does not continue the one that was cosigned").then_some(())
    })
    .await;
    assert!(counted(&gw, "civil", "forked").await >= 1);
    let (newest, _) = cosigned(&gw, 1).await.unwrap();
    assert!(newest < size, "the fork was cosigned: {newest}");
    // Whoever kept a cosigned checkpoint can show it.
    let (code, said) = gw.verify_with(&["--checkpoint", "seen"]);
    assert!(code == 13, "{code}: {said}");
}

#[tokio::test]
async fn a_gateway_for_which_nobody_vouches_any_more_stops_until_somebody_does() {
    let mut gw = TestGateway::prepare().await;
    let mut witness = Witness::start(&gw, "civil");
    let limits = "alarm_after_minutes = 30\nstop_after_minutes = 60\n";
    add(&mut gw, &format!("{EVERY_SECOND}{limits}{}", witness.entry()));
    gw.serve().unwrap();
    answers(&gw, 1).await;
    caught_up(&gw, 1).await;
    gw.stop();
    witness.kill();
    age(&gw, &witness, now().plus_seconds(-3601));
    assert_eq!(doctor(&gw).await, "fail");
    gw.serve().unwrap();

    let client = gw.system("service.onestop");
    let query = async || client.query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!(query().await.problem(), "503 not-ready");
    let (status, body) = gw.ops("/readyz").await;
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &told["ready"], &told["anchor_stopped"]),
        (503, &false.into(), &true.into()),
        "{body}"
    );
    assert!(told["anchor_age_seconds"].as_i64().unwrap() > 3600, "{body}");
    until("the alarm", async || gw.log().contains("ALARM: nobody outside has vouched").then_some(())).await;
    assert_eq!(
        gw.system("audit.office").get("/v1/audit/checkpoint").await.status,
        200,
        "the log can be read"
    );

    witness.serve();
    until("it answers again", async || (query().await.status == 200).then_some(())).await;
    assert_eq!(gw.ops("/readyz").await.0, 200);
}

#[tokio::test]
async fn checkpoints_are_stamped_and_anybody_can_check_the_stamps() {
    let mut gw = TestGateway::prepare().await;
    let stamper = Stamper::start(&gw).await;
    add(&mut gw, &format!("{EVERY_SECOND}{}", stamper.section()));
    gw.serve().unwrap();
    answers(&gw, 2).await;
    let records = until("a timestamp", async || {
        Some(gw.records("kind=anchor-timestamp").await).filter(|r| !r.is_empty())
    });
    let record = records.await.remove(0);
    let (code, said) = gw.verify_with(&["--tsa-ca", "tsa/ca.pem"]);
    assert!(code == 0 && said.contains("stamped: "), "{code}: {said}");
    assert_eq!(doctor_on(&gw, "timestamp").await, "ok");
    gw.stop();

    // Without this program.
    let stamp = AnchorStore::open_beside(&gw.path().join("data")).unwrap().stamps(0, 10).unwrap().remove(0);
    assert_eq!(record["size"], stamp.size);
    assert!(now().seconds() - stamp.time.seconds() < 60);
    std::fs::write(gw.path().join("tsa/note"), &stamp.note).unwrap();
    std::fs::write(gw.path().join("tsa/token"), &stamp.token).unwrap();
    let checked = ["ts", "-verify", "-data", "note", "-in", "token", "-token_in", "-CAfile", "ca.pem"];
    assert!(openssl(&gw.path().join("tsa"), &checked).contains("Verification: OK"));

    let (code, said) = gw.verify_with(&["--tsa-ca", "tsa/other.pem"]);
    assert!(code == 19 && said.contains("its timestamp does not hold"), "{code}: {said}");
    anchors(&gw).batch_execute("UPDATE stamp SET note = note || ' '").unwrap();
    assert_eq!(gw.verify_with(&["--tsa-ca", "tsa/ca.pem"]).0, 19);
    anchors(&gw).batch_execute("DELETE FROM stamp").unwrap();
    let (code, said) = gw.verify_with(&["--tsa-ca", "tsa/ca.pem"]);
    assert!(code == 19 && said.contains("there is no timestamp that holds"), "{code}: {said}");
}

#[test]
fn a_witness_that_is_configured_wrongly_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("witness.toml");
    std::fs::write(&config, "listen = \"127.0.0.1:0\"\ncertificate = \"c\"\nkey = \"k\"\nlogs = [\"x\"]\n")
        .unwrap();
    let ran = std::process::Command::new(crate::support::gateway::program())
        .args(["witness", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(
        ran.status.code() == Some(1) && said.contains("witness.toml:4: error[config]: not a key"),
        "{said}"
    );
}

/// Makes the newest cosignature as old as `time`, signed by the witness as all are.
fn age(gw: &TestGateway, witness: &Witness, time: Timestamp) {
    let store = AnchorStore::open(&gw.path().join("data").join(DATABASE)).unwrap();
    let (size, note) = store.cosigned(1, None).unwrap().unwrap();
    let note = format!("{}\n", note.trim_end().rsplit_once('\n').unwrap().0);
    let line = witness.signing_key().cosign(&note, time).unwrap();
    store.keep_cosignature(&Cosignature { witness: "civil".into(), size, time, note, line }).unwrap();
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
