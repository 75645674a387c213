//! What a gateway starts with, and what it does not: each refusal names the file and the way out,
//! before anything listens.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use sluice::app::keys::{self, Keys};
use sluice::audit::verify::Stored;
use sluice::audit::{Checkpoint, Draft, VerifyingKey};
use sluice::base::{Clock, ManualClock, SystemClock};
use sluice::config::Config;
use sluice::demo::certificates::Usage;
use sluice::store::audit::{AuditLog, Database, Options, checkpoints_in_copy};

use crate::support::TestGateway;
use crate::support::vault::answers;

/// Texts that a refusal must have.
type Named = &'static [&'static str];

#[tokio::test]
async fn a_bad_configuration_is_refused_with_file_line_and_remedy() {
    let faults: &[(&str, &str, Named)] = &[
        ("workers = 2", "wrokers = 2", &["sluice.toml:6", "wrokers", "did you mean `workers`"]),
        ("workers = 2", "workers = \"two\"", &["sluice.toml:6", "invalid type"]),
        ("workers = 2", "workers = 0", &["sluice.toml:6", "zero"]),
        ("workers = 2", "workers = ", &["sluice.toml:6"]),
        ("listen = \"127.0.0.1:0\"\nops", "listen = \"localhost\"\nops", &["sluice.toml:2"]),
        ("data_dir = \"data\"\n", "", &["sluice.toml", "missing field `data_dir`"]),
        ("[[adapter]]", "[[adaptor]]", &["sluice.toml", "adaptor", "did you mean `adapter`"]),
        ("timeout_ms = 1500", "timeout_ms = -1", &["sluice.toml:23", "`-1`"]),
        ("tls/gateway.pem", "tls/nowhere.pem", &["tls/nowhere.pem", "No such file", "name an existing file"]),
        ("ca/systems/ca.pem", "policies/grants.toml", &["policies/grants.toml", "as PEM"]),
        ("tls/systems.crl.pem", "tls/no.crl", &["tls/no.crl", "No such file"]),
        ("keys/audit.key", "keys/nowhere.key", &["keys/nowhere.key", "sluice keys"]),
        ("keys/subjects.key", "keys/audit.vkey", &["keys/audit.vkey"]),
        ("catalogue_dir = \".\"", "catalogue_dir = \"nowhere\"", &["nowhere"]),
        ("data_dir = \"data\"", "data_dir = \"sluice.toml\"", &["sluice.toml"]),
        ("ca/adapters/ca.pem", "ca/nowhere.pem", &["ca/nowhere.pem"]),
        (
            "source.sluice.datasets = [\"civil.subsistence\"]",
            "source.sluice.datasets = []\nallow_all = true",
            &["sluice.toml", "allow_all"],
        ),
    ];
    let mut gw = TestGateway::prepare().await;
    let mut wrong = Vec::new();
    for (from, to, named) in faults {
        gw.configure(from, to);
        let (code, said) = gw.refusal();
        if code != 1 || named.iter().any(|name| !said.contains(name)) {
            wrong.push(format!("{to:?}: {code}, wanted {named:?}: {said}"));
        }
        if to.is_empty() {
            gw.configure("catalogue_dir", "data_dir = \"data\"\ncatalogue_dir");
        } else {
            gw.configure(to, from);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    gw.serve().unwrap();
    answers(&gw, 1).await;
}

#[tokio::test]
async fn a_missing_configuration_is_refused_by_name() {
    let gw = TestGateway::prepare().await;
    let (code, _, said) = gw.sluice(&["serve", "--config", "nowhere.toml"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("nowhere.toml") && said.contains("name an existing, readable file"), "{said}");
}

#[tokio::test]
async fn keys_that_others_may_read_or_that_do_not_fit_are_refused() {
    let mut gw = TestGateway::prepare().await;
    for key in ["keys/audit.key", "keys/subjects.key"] {
        fs::set_permissions(gw.path().join(key), Permissions::from_mode(0o644)).unwrap();
        refused(&mut gw, &[key, "others on this machine may read it", "chmod 600"]);
        fs::set_permissions(gw.path().join(key), Permissions::from_mode(0o600)).unwrap();
    }
    let sound = fs::read(gw.path().join("keys/audit.key")).unwrap();
    fs::write(gw.path().join("keys/audit.key"), "no key").unwrap();
    refused(&mut gw, &["keys/audit.key", "not a signing key", "sluice keys"]);
    fs::write(gw.path().join("keys/audit.key"), sound).unwrap();

    let other = gw.authority.issue("other", &["localhost"], Usage::Server, SystemClock.now()).unwrap();
    fs::write(gw.path().join("tls/gateway.key"), &other.key).unwrap();
    refused(&mut gw, &["tls/gateway.key", "certificate"]);
    fs::write(gw.path().join("tls/gateway.pem"), &other.certificate).unwrap();
    gw.serve().unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_refused_by_name() {
    let mut gw = TestGateway::prepare().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for key in ["listen", "ops_listen"] {
        let (free, used) = (format!("\n{key} = \"127.0.0.1:0\""), format!("\n{key} = \"{address}\""));
        gw.configure(&free, &used);
        refused(&mut gw, &["cannot listen on", &address, "in use"]);
        gw.configure(&used, &free);
    }
    gw.serve().unwrap();
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

#[tokio::test]
async fn a_lost_second_place_is_begun_anew_only_when_an_operator_says_so() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 2).await;
    gw.stop();
    let copy = gw.path().join("second-place/checkpoint");
    fs::remove_file(&copy).unwrap();
    for _ in 0..2 {
        refused(&mut gw, &["second-place/checkpoint", "is missing", "create it as an empty file"]);
    }
    fs::write(&copy, "rubbish").unwrap();
    refused(&mut gw, &["second-place/checkpoint", "no checkpoint"]);
    fs::write(&copy, "").unwrap();
    gw.serve().unwrap();
    let last = kinds(&gw.path().join("data"));
    assert!(last.contains(&"checkpoint-copy-reset".to_owned()), "{last:?}");
    answers(&gw, 1).await;
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

#[tokio::test]
async fn a_clock_behind_the_last_record_is_refused_until_it_is_right() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 1).await;
    gw.stop();
    // The same log, written to by a machine whose clock is an hour ahead.
    let config = Config::read(&gw.config_file()).unwrap();
    let keys = Keys::read(&config.audit).unwrap_or_else(|fault| panic!("{fault}"));
    let log = AuditLog::open(Options {
        data_dir: config.gateway.data_dir,
        server: None,
        checkpoint_copy: config.audit.checkpoint_copy_file,
        signing_key: keys.signing,
        previous_key: None,
        subject_key: keys.subjects,
        clock: Arc::new(ManualClock::new(SystemClock.now().plus_seconds(3_600))),
        queue: 8,
    })
    .unwrap();
    log.append(Draft::new("query")).await.unwrap();
    drop(log);
    refused(&mut gw, &["the clock is 3", "behind the last record", "Set the clock right"]);
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

/// What becomes of a file.
#[derive(Debug)]
enum Harm {
    None,
    Cut(u64),
    Flip(u64),
    Gone,
}

impl Harm {
    fn to(&self, file: &Path) {
        match self {
            Harm::None => {}
            Harm::Cut(length) => {
                fs::File::options().write(true).open(file).unwrap().set_len(*length).unwrap()
            }
            Harm::Flip(at) => {
                let mut bytes = fs::read(file).unwrap();
                bytes[*at as usize] ^= 0x10;
                fs::write(file, bytes).unwrap();
            }
            Harm::Gone => fs::remove_file(file).unwrap(),
        }
    }
}

/// A gateway killed in the midst of its work leaves a WAL; whatever becomes of that file, either
/// all that the second place has seen is still there, or the gateway does not serve.
#[tokio::test]
async fn a_torn_or_lost_wal_is_survived_or_refused_but_never_overlooked() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 12).await;
    gw.kill();
    let (data, left) = (gw.path().join("data"), gw.path().join("left"));
    copy(&data, &left);
    fs::copy(gw.path().join("second-place/checkpoint"), left.join("checkpoint")).unwrap();
    let seen = seen_elsewhere(&gw);
    let wal = fs::metadata(left.join("audit.db-wal")).unwrap().len();
    assert!(wal > 20_000, "the WAL was not yet taken in: {wal}");

    let (mut served, mut refusals) = (0, 0);
    let cuts =
        (0..24).map(|n| Harm::Cut(wal * n / 24 + n * 7)).chain([Harm::Cut(wal - 1), Harm::Gone, Harm::None]);
    let flips = (0..24).map(|n| Harm::Flip(wal * n / 24 + n * 5));
    for harm in cuts.chain(flips) {
        fs::remove_dir_all(&data).unwrap();
        copy(&left, &data);
        fs::copy(left.join("checkpoint"), gw.path().join("second-place/checkpoint")).unwrap();
        harm.to(&data.join("audit.db-wal"));
        match gw.serve() {
            Ok(()) => {
                served += 1;
                assert!(size(&data) >= seen, "{harm:?}: what was seen at {seen} is gone");
                answers(&gw, 1).await;
                let (code, said) = gw.verify_with(&["--checkpoint", "left/checkpoint"]);
                assert_eq!(code, 0, "{harm:?}: {said}");
                gw.kill();
            }
            Err(said) => {
                refusals += 1;
                let remedy = said.contains("Put back") || said.contains("put back");
                assert!(remedy && said.contains("audit log"), "{harm:?}: {said}");
                let (code, said) = gw.verify_with(&["--checkpoint", "left/checkpoint"]);
                assert!((10..=17).contains(&code), "{harm:?}: {code} {said}");
            }
        }
    }
    assert!(served > 0 && refusals > 0, "{served} served, {refusals} refused");
}

#[tokio::test]
async fn a_log_that_was_closed_is_one_file() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 3).await;
    gw.stop();
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(gw.path().join(format!("data/audit.db{suffix}"))).ok();
    }
    assert_eq!(gw.verify_with(&["--checkpoint", "second-place/checkpoint"]).0, 0);
    gw.serve().unwrap();
    answers(&gw, 1).await;
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

#[tokio::test]
async fn a_lost_database_or_search_index_is_told_apart() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 3).await;
    gw.stop();
    // The index is made anew.
    fs::write(gw.path().join("data/audit-index.db"), "rubbish").unwrap();
    gw.serve().unwrap();
    let found = async {
        loop {
            let page = gw.system("audit.office").get("/v1/audit/records?outcome=ok&limit=3").await.json();
            if page["records"].as_array().is_some_and(|records| records.len() == 3) {
                break;
            }
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, found).await.unwrap();
    gw.stop();
    // The log is not.
    fs::remove_file(gw.path().join("data/audit.db")).unwrap();
    refused(&mut gw, &["rolled back", "Put back the newer database"]);
}

#[tokio::test]
async fn a_key_for_another_log_is_refused() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 1).await;
    gw.stop();
    keys::make(&gw.path().join("other"), "another.test/log").unwrap();
    gw.configure("keys/audit.key", "other/audit.key");
    refused(&mut gw, &["signed"]);
    gw.configure("other/audit.key", "keys/audit.key");
    gw.serve().unwrap();
    assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
}

fn refused(gw: &mut TestGateway, named: &[&str]) {
    let (code, said) = gw.refusal();
    assert_eq!(code, 1, "{said}");
    for name in named {
        assert!(said.contains(name), "wanted {name:?}: {said}");
    }
}

/// The size that the second place knows of.
fn seen_elsewhere(gw: &TestGateway) -> u64 {
    let key = fs::read_to_string(gw.path().join("keys/audit.vkey")).unwrap();
    let key = VerifyingKey::parse(&key).unwrap();
    let copy = fs::read(gw.path().join("second-place/checkpoint")).unwrap();
    checkpoints_in_copy(&copy).iter().map(|note| Checkpoint::open(note, &key).unwrap().size).max().unwrap()
}

fn size(data: &Path) -> u64 {
    Database::open(data).unwrap().head().unwrap().unwrap().0
}

/// The kinds of all records.
fn kinds(data: &Path) -> Vec<String> {
    let records = Database::open(data).unwrap().records(0, u64::from(u32::MAX)).unwrap();
    let kind =
        |leaf: &[u8]| serde_json::from_slice::<Value>(leaf).unwrap()["kind"].as_str().unwrap().to_owned();
    records.iter().map(|(_, leaf)| kind(leaf)).collect()
}

fn copy(from: &PathBuf, to: &PathBuf) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
