//! Backups: taken while the gateway serves, refused when touched, put back when whole, and never
//! put back when callers know better.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use sluice::audit::verify::Stored;
use sluice::audit::{Checkpoint, SigningKey, VerifyingKey};
use sluice::base::ids::hex;
use sluice::store::anchors::{AnchorStore, Stamp};
use sluice::store::audit::{Database, checkpoints_in_copy};

use crate::support::client::ask;
#[cfg(feature = "postgres")]
use crate::support::postgres::Postgres;
use crate::support::vault::answers;
use crate::support::{PERSON, TestGateway, now, until};

const BACKUP: [&str; 5] = ["backup", "--config", "sluice.toml", "--to", "backup"];
const RESTORE: [&str; 5] = ["restore", "--config", "sluice.toml", "--from", "backup"];
const VERIFY: [&str; 6] = ["restore", "--config", "sluice.toml", "--from", "backup", "--verify"];

#[tokio::test]
async fn a_backup_taken_while_queries_are_answered_is_whole_and_private() {
    let gw = TestGateway::start().await;
    answers(&gw, 5).await;
    let desk = gw.system("service.onestop");
    let enough = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&enough);
    let load = tokio::spawn(async move {
        let mut answered = 0;
        while !stop.load(Ordering::Relaxed) {
            let answer = desk
                .post(
                    "/v1/datasets/civil.subsistence/query",
                    &ask("housing-aid.review", &[PERSON], json!(["status"])),
                )
                .await;
            answered += usize::from(answer.status == 200);
        }
        answered
    });
    let (code, out, err) = gw.sluice_beside(&BACKUP).await;
    assert_eq!(code, 0, "{out}{err}");
    until("the log goes on", async || {
        let (_, out, _) = gw.sluice_beside(&VERIFY).await;
        (!out.ends_with("has seen 0 more since\n")).then_some(())
    })
    .await;
    enough.store(true, Ordering::Relaxed);
    assert!(load.await.unwrap() > 0);

    let folder = gw.path().join("backup");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        names.push(entry.file_name().into_string().unwrap());
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
    names.sort();
    assert_eq!(names, ["audit.db", "checkpoint", "manifest", "state.db"]);
    let (code, out, err) = gw.sluice(&VERIFY);
    assert!(code == 0 && out.starts_with("sound: "), "{out}{err}");
    // It is a log like any other, for whoever has the public key.
    let by_key = ["audit", "verify", "--db", "backup", "--pubkey", "keys/audit.vkey"];
    let (code, out, _) = gw.sluice(&[&by_key[..], &["--checkpoint", "backup/checkpoint"]].concat());
    assert!(code == 0 && out.starts_with("intact"), "{out}");
    let (code, _, err) = gw.sluice(&BACKUP);
    assert!(code == 1 && err.contains("is not empty"), "a backup is never written over another: {err}");
}

#[tokio::test]
async fn a_backup_of_a_stopped_gateway_is_put_back_and_serves_as_before() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 3).await;
    gw.stop();
    assert_eq!(gw.sluice(&BACKUP).0, 0);
    let (code, _, err) = gw.sluice(&RESTORE);
    assert!(code == 1 && err.contains("is in the way"), "nothing is put over anything: {err}");
    fs::rename(gw.path().join("data"), gw.path().join("data.kept")).unwrap();
    let (code, out, err) = gw.sluice(&RESTORE);
    assert!(code == 0 && out.starts_with("restored: "), "{out}{err}");
    for file in ["audit.db", "state.db"] {
        let mode = fs::metadata(gw.path().join("data").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    gw.serve().unwrap();
    // The same keys, the same versions, and the log goes on where it was.
    answers(&gw, 1).await;
    let (code, said) = gw.verify_with(&["--checkpoint", "backup/checkpoint"]);
    assert_eq!(code, 0, "{said}");
    assert!(!gw.log().contains("checkpoint-copy-reset"));
}

/// A timestamp, as the gateway keeps it.
fn stamped(gw: &TestGateway) -> AnchorStore {
    let store = AnchorStore::open(&gw.path().join("data/anchors.db")).unwrap();
    let stamp = Stamp { size: 3, time: now(), note: "note\n".into(), token: vec![1, 2, 3] };
    assert!(store.keep_stamp(&stamp).unwrap());
    store
}

#[tokio::test]
async fn what_others_said_of_the_log_is_in_the_backup_and_comes_back() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 3).await;
    // Open, as a gateway has it.
    let store = stamped(&gw);
    let (code, out, err) = gw.sluice_beside(&BACKUP).await;
    assert_eq!(code, 0, "{out}{err}");
    let path = gw.path().join("backup/anchors.db");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = store.stamps(0, 10).unwrap();
    drop(store);
    gw.stop();
    fs::rename(gw.path().join("data"), gw.path().join("data.kept")).unwrap();
    let (code, out, err) = gw.sluice(&["restore", "--config", "sluice.toml", "--from", "backup", "--verify"]);
    assert_eq!(code, 0, "{out}{err}");
    let sound = fs::read(&path).unwrap();
    fs::write(&path, &sound[..sound.len() - 1]).unwrap();
    let (code, _, err) = gw.sluice(&VERIFY);
    assert!(code == 1 && err.contains("anchors.db"), "touched: {err}");
    fs::write(&path, sound).unwrap();
    // The second place may have seen more since: this is about the files that are put back.
    fs::copy(gw.path().join("backup/checkpoint"), gw.path().join("second-place/checkpoint")).unwrap();
    let (code, out, err) = gw.sluice(&RESTORE);
    assert_eq!(code, 0, "{out}{err}");
    let back = AnchorStore::open_beside(&gw.path().join("data")).unwrap();
    assert_eq!(back.stamps(0, 10).unwrap(), kept);
}

#[tokio::test]
async fn of_every_file_in_the_data_directory_it_is_said_whether_it_is_backed_up() {
    let gw = TestGateway::start().await;
    answers(&gw, 3).await;
    drop(stamped(&gw));
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
    let section = page.split("\n## Backing up\n").nth(1).unwrap().split("\n## ").next().unwrap();
    for entry in fs::read_dir(gw.path().join("data")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let database = name.trim_end_matches("-wal").trim_end_matches("-shm");
        assert!(section.contains(&format!("`{database}`")), "{name} is not in the table");
    }
}

#[tokio::test]
async fn a_backup_that_was_touched_anywhere_is_refused() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 3).await;
    gw.stop();
    assert_eq!(gw.sluice(&BACKUP).0, 0);
    let folder = gw.path().join("backup");
    for name in ["audit.db", "state.db", "checkpoint", "manifest"] {
        let path = folder.join(name);
        let sound = fs::read(&path).unwrap();
        let mut damaged = sound.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let (code, out, err) = gw.sluice(&VERIFY);
        assert!(code == 1 && err.contains(name), "{name} with one bit turned: {out}{err}");
        fs::remove_file(&path).unwrap();
        let (code, out, err) = gw.sluice(&VERIFY);
        assert!(code == 1 && err.contains(name), "without {name}: {out}{err}");
        fs::write(&path, &sound).unwrap();
    }
    assert_eq!(gw.sluice(&VERIFY).0, 0);

    // Whoever changes a file and its digest would also need the key.
    change_a_key_in(&folder.join("state.db"));
    let stranger = SigningKey::generate("sluice.test/log", &ring::rand::SystemRandom::new()).unwrap();
    sign_anew(&folder, &stranger);
    let (code, _, err) = gw.sluice(&VERIFY);
    assert!(code == 1 && err.contains("is not signed by this log's key"), "{err}");

    // And with the key, a log that was changed still shows it.
    change_a_record_in(&folder.join("audit.db"));
    let own = fs::read_to_string(gw.path().join("keys/audit.key")).unwrap();
    sign_anew(&folder, &SigningKey::parse(own.trim()).unwrap());
    let (code, _, err) = gw.sluice(&VERIFY);
    assert!(code == 1 && err.contains("not intact: altered: record 1"), "{err}");
}

#[tokio::test]
async fn a_backup_behind_a_known_checkpoint_is_refused_and_a_new_log_goes_on_from_it() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 3).await;
    assert_eq!(gw.sluice(&BACKUP).0, 0);
    answers(&gw, 2).await;
    gw.stop();
    fs::rename(gw.path().join("data"), gw.path().join("data.damaged")).unwrap();
    let (code, _, err) = gw.sluice(&RESTORE);
    assert!(code == 1 && err.contains("callers hold receipts") && err.contains("audit continue"), "{err}");
    // Known otherwise than by the second place: by a receipt, say.
    fs::copy(gw.path().join("second-place/checkpoint"), gw.path().join("known")).unwrap();
    let (code, _, err) = gw.sluice(&[&VERIFY[..], &["--checkpoint", "known"]].concat());
    assert!(code == 1 && err.contains("audit continue"), "{err}");
    assert!(!gw.path().join("data/audit.db").exists());

    let go_on = [
        "audit",
        "continue",
        "--config",
        "sluice.toml",
        "--from",
        "backup",
        "--pubkey",
        "keys.old/audit.vkey",
    ];
    rename_keys(&gw);
    new_key(&gw, "sluice.test/log");
    let (code, _, err) = gw.sluice(&go_on);
    assert!(code == 1 && err.contains("a new log needs a new name"), "{err}");
    new_key(&gw, "sluice.test/log2");
    let (code, out, err) = gw.sluice(&go_on);
    assert!(code == 0 && out.contains("sluice.test/log2 begins"), "{out}{err}");
    let (code, _, err) = gw.sluice(&go_on);
    assert_eq!(code, 1, "only once: {err}");

    gw.serve().unwrap();
    let answer =
        gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!((answer.status, &answer.json()["receipt"]["log"]), (200, &"sluice.test/log2".into()));
    gw.stop();
    let (code, said) = gw.verify();
    assert_eq!(code, 0, "{said}");
    // Record 0 names the last checkpoint that is known of the old log, under the old key.
    let old =
        VerifyingKey::parse(&fs::read_to_string(gw.path().join("keys.old/audit.vkey")).unwrap()).unwrap();
    let mut log = Database::open(&gw.path().join("data")).unwrap();
    let first: Value = serde_json::from_slice(&log.leaf(0).unwrap().unwrap()).unwrap();
    let named = Checkpoint::open(first["log"]["continues"]["checkpoint"].as_str().unwrap(), &old).unwrap();
    let known = checkpoints_in_copy(&fs::read(gw.path().join("known")).unwrap());
    let known = known.iter().map(|note| Checkpoint::open(note, &old).unwrap()).max_by_key(|at| at.size);
    assert_eq!(Some(named), known);
    let held = Database::open(&gw.path().join("backup")).unwrap().head().unwrap().unwrap().0;
    assert_eq!(first["log"]["continues"]["held"], held);
    // What is in force stands in the new log.
    let (_, out, _) = gw.sluice(&["audit", "export", "--db", "data", "--out", "new.jsonl"]);
    let text = fs::read_to_string(gw.path().join("new.jsonl")).unwrap();
    assert!(text.contains("policy-applied") && text.contains("key-registered"), "{out}");
    // And the checkpoints of the old log are kept.
    let kept = fs::read(gw.path().join("second-place/checkpoint.before")).unwrap();
    assert_eq!(kept, fs::read(gw.path().join("known")).unwrap());
}

#[tokio::test]
async fn no_new_log_is_begun_while_the_old_one_could_go_on() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 2).await;
    gw.stop();
    assert_eq!(gw.sluice(&BACKUP).0, 0);
    fs::rename(gw.path().join("data"), gw.path().join("data.kept")).unwrap();
    rename_keys(&gw);
    new_key(&gw, "sluice.test/log2");
    let go_on = [
        "audit",
        "continue",
        "--config",
        "sluice.toml",
        "--from",
        "backup",
        "--pubkey",
        "keys.old/audit.vkey",
    ];
    let (code, _, err) = gw.sluice(&go_on);
    assert!(code == 1 && err.contains("is not behind"), "{err}");
    assert!(gw.path().join("second-place/checkpoint").exists() && !gw.path().join("data").exists());
}

/// As after a restore to an earlier moment, or when a standby took over that did not have all.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn where_a_server_lost_what_was_answered_a_new_log_goes_on_in_a_copy_of_its_database() {
    let (mut gw, mut postgres) = (TestGateway::prepare().await, Postgres::prepare(0, &["fsync=off"]));
    postgres.run();
    let roles = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/postgres/roles.sql"));
    let roles = roles.unwrap();
    postgres.execute("postgres", "CREATE DATABASE sluice");
    postgres.execute("sluice", &roles);
    let database = |name| postgres.configured("sluice_gateway", name);
    gw.configure("[audit]", &format!("[database]\nurl = '{}'\n[audit]", database("sluice")));
    fs::write(gw.config_file(), gw.config()).unwrap();
    let migrate = ["migrate", "--config", "sluice.toml", "--owner", "sluice_owner"];
    assert_eq!(gw.sluice(&migrate).0, 0);
    fs::write(gw.path().join("key.pem"), &gw.issued["service.onestop"].certificate).unwrap();
    let register = ["key", "register", "--config", "sluice.toml", "--system", "service.onestop"];
    assert_eq!(gw.sluice(&[&register[..], &["--certificate", "key.pem"]].concat()).0, 0);
    gw.serve().unwrap();
    answers(&gw, 3).await;
    gw.stop();
    postgres.execute("postgres", "CREATE DATABASE earlier TEMPLATE sluice");
    gw.serve().unwrap();
    answers(&gw, 2).await;
    gw.stop();
    postgres.execute("postgres", "DROP DATABASE sluice");
    postgres.execute("postgres", "ALTER DATABASE earlier RENAME TO sluice");
    let refused = gw.serve().unwrap_err();
    assert!(refused.contains("rolled back"), "{refused}");

    rename_keys(&gw);
    new_key(&gw, "sluice.test/log2");
    fs::rename(gw.path().join("data"), gw.path().join("data.before")).unwrap();
    let old = database("sluice_1");
    let go_on =
        ["audit", "continue", "--config", "sluice.toml", "--server", &old, "--pubkey", "keys.old/audit.vkey"];
    postgres.execute("postgres", "ALTER DATABASE sluice RENAME TO sluice_1");
    postgres.execute("postgres", "CREATE DATABASE sluice TEMPLATE sluice_1");
    let (code, _, err) = gw.sluice(&go_on);
    assert!(code == 1 && err.contains("there is a log in the database"), "a copy with its log: {err}");
    postgres.execute("sluice", "DROP SCHEMA sluice_log CASCADE");
    postgres.execute("sluice", &roles);
    assert_eq!(gw.sluice(&migrate).0, 0);
    let (code, out, err) = gw.sluice(&go_on);
    assert!(code == 0 && out.contains("sluice.test/log2 begins"), "{out}{err}");
    let (code, _, err) = gw.sluice(&go_on);
    assert_eq!(code, 1, "only once: {err}");

    gw.serve().unwrap();
    let answer =
        gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!((answer.status, &answer.json()["receipt"]["log"]), (200, &"sluice.test/log2".into()));
    gw.stop();
    for (name, key) in [("sluice", "keys/audit.vkey"), ("sluice_1", "keys.old/audit.vkey")] {
        let (code, out, err) = gw.sluice(&["audit", "verify", "--server", &database(name), "--pubkey", key]);
        assert_eq!(code, 0, "{name}: {out}{err}");
    }
    let known = ["--checkpoint", "second-place/checkpoint.before"];
    let verify = ["audit", "verify", "--server", &old, "--pubkey", "keys.old/audit.vkey"];
    let (_, out, _) = gw.sluice(&[&verify[..], &known[..]].concat());
    assert!(out.contains("NOT INTACT"), "and the old one stays what it is: {out}");
    let (_, out, err) =
        gw.sluice(&["audit", "export", "--server", &database("sluice"), "--out", "new.jsonl"]);
    let text = fs::read_to_string(gw.path().join("new.jsonl")).unwrap_or_default();
    assert!(text.contains("continues") && text.contains("key-registered"), "{out}{err}");
}

/// The old signing key out of the way; the subject key stays.
fn rename_keys(gw: &TestGateway) {
    let old = gw.path().join("keys.old");
    fs::create_dir(&old).unwrap();
    for name in ["audit.key", "audit.vkey"] {
        fs::rename(gw.path().join("keys").join(name), old.join(name)).unwrap();
    }
}

fn new_key(gw: &TestGateway, origin: &str) {
    fs::remove_file(gw.path().join("keys/audit.key")).ok();
    assert_eq!(gw.sluice(&["keys", "--dir", "keys", "--origin", origin]).0, 0);
}

/// As somebody would who wants a key of their own in force.
fn change_a_key_in(state: &Path) {
    execute(state, "UPDATE system_keys SET system = 'audit.office'");
}

fn change_a_record_in(log: &Path) {
    execute(
        log,
        "UPDATE record SET leaf = CAST(replace(CAST(leaf AS TEXT), 'administration', 'administratiom') AS BLOB) WHERE idx = 1",
    );
}

fn execute(path: &Path, statement: &str) {
    use diesel::Connection;
    use diesel::connection::SimpleConnection;
    let mut conn = diesel::SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    conn.batch_execute(statement).unwrap();
}

/// Writes the manifest as the files are now, under a key.
fn sign_anew(folder: &Path, key: &SigningKey) {
    let path = folder.join("manifest");
    let text = fs::read_to_string(&path).unwrap();
    let (text, _) = text.rsplit_once("\n\n").unwrap();
    let (first, manifest) = text.split_once('\n').unwrap();
    let mut manifest: Value = serde_json::from_str(manifest).unwrap();
    for file in manifest["files"].as_array_mut().unwrap() {
        let bytes = fs::read(folder.join(file["name"].as_str().unwrap())).unwrap();
        file["bytes"] = bytes.len().into();
        file["sha256"] = hex(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref()).into();
    }
    fs::write(path, key.sign(&format!("{first}\n{manifest:#}\n"))).unwrap();
}
