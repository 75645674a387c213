//! A disk that is full or read-only: nothing is disclosed, and nothing need be restarted.
//!
//! The disk is a small file system in memory, mounted for the test. Permissions would not do:
//! they do not stop root. A disk that fails to sync is played by a library (`support/syncs.c`)
//! that is loaded into the gateway.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::client::Answer;
use crate::support::vault::answers;
use crate::support::{PATIENCE, TestGateway, until};

/// A mounted file system; gone with the test.
pub struct Mount(PathBuf);

impl Mount {
    /// A file system in memory of this many MiB.
    pub fn memory(at: PathBuf, size: u32) -> Self {
        std::fs::create_dir_all(&at).unwrap();
        mount(&["-t", "tmpfs", "-o", &format!("size={size}m"), "tmpfs"], &at);
        Self(at)
    }

    /// A second, read-only face over a folder: whatever is opened from now on cannot be written.
    fn read_only_over(folder: &Path) -> Self {
        mount(&["--bind", folder.to_str().unwrap()], folder);
        let face = Self(folder.to_owned());
        mount(&["-o", "remount,bind,ro"], folder);
        face
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

fn mount(arguments: &[&str], at: &Path) {
    let out = Command::new("mount").args(arguments).arg(at).output().expect("`mount` is needed");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "this test must be allowed to mount (run it as root): {said}");
}

/// A gateway whose databases are on a disk of 4 MiB.
async fn on_a_small_disk() -> (TestGateway, Mount) {
    let mut gw = TestGateway::prepare().await;
    let disk = Mount::memory(gw.path().join("disk"), 4);
    let data = gw.path().join("data");
    for entry in std::fs::read_dir(&data).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), disk.0.join(entry.file_name())).unwrap();
    }
    std::fs::remove_dir_all(data).unwrap();
    gw.configure("data_dir = \"data\"", "data_dir = \"disk\"");
    gw.serve().unwrap();
    (gw, disk)
}

/// Fills the disk to the last byte.
pub fn fill(disk: &Mount) {
    let mut ballast = File::create(disk.0.join("ballast")).unwrap();
    for block in [64 * 1024, 4096, 512, 1] {
        while ballast.write_all(&vec![1; block]).is_ok() {}
    }
}

pub fn empty(disk: &Mount) {
    std::fs::remove_file(disk.0.join("ballast")).unwrap();
}

async fn ask(gw: &TestGateway) -> Answer {
    gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await
}

/// A 503 that says when to come again and nothing of what was asked for.
fn withheld(answer: &Answer) {
    assert_eq!(answer.problem(), "503 audit-unavailable", "{}", answer.text());
    assert!(answer.header("retry-after").is_some_and(|s| s.parse::<u32>().is_ok()), "{:?}", answer.headers);
    for value in ["receiving", "results", "receipt"] {
        assert!(!answer.text().contains(value), "{value}: {}", answer.text());
    }
}

/// Asks until answered with 200: the gateway may need a moment to find its disk again.
async fn served_again(gw: &TestGateway) {
    let again = async { while ask(gw).await.status != 200 {} };
    tokio::time::timeout(PATIENCE, again).await.expect("the same process serves again");
}

fn intact(gw: &TestGateway) {
    let verify = [
        "audit",
        "verify",
        "--db",
        "disk",
        "--pubkey",
        "keys/audit.vkey",
        "--checkpoint",
        "second-place/checkpoint",
    ];
    let (code, out, err) = gw.sluice(&verify);
    assert_eq!(code, 0, "{out}{err}");
}

#[tokio::test]
async fn a_full_disk_discloses_nothing_and_the_same_process_recovers() {
    let (mut gw, disk) = on_a_small_disk().await;
    answers(&gw, 3).await;
    for _ in 0..3 {
        fill(&disk);
        // What fits into space that is already taken is durable, and may still be answered.
        let mut answer = ask(&gw).await;
        while answer.status == 200 {
            answer = ask(&gw).await;
        }
        withheld(&answer);
        for _ in 0..5 {
            withheld(&ask(&gw).await);
        }
        // A refusal cannot be recorded either: then it is not a refusal but an outage.
        let refused =
            gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["mobile"]).await;
        assert_eq!(refused.problem(), "503 audit-unavailable", "{}", refused.text());

        empty(&disk);
        served_again(&gw).await;
        answers(&gw, 3).await;
        intact(&gw);
    }
    gw.stop();
    intact(&gw);
}

#[tokio::test]
async fn a_gateway_that_cannot_write_says_so_and_finds_its_disk_by_itself() {
    let (gw, disk) = on_a_small_disk().await;
    assert_eq!(gw.ops("/readyz").await.0, 200);
    fill(&disk);
    while ask(&gw).await.status == 200 {}
    let (status, told) = gw.ops("/readyz").await;
    assert!(status == 503 && told.contains("\"log\":false"), "{status} {told}");
    // A balancer now sends it nothing; it has to notice by itself that there is room again.
    empty(&disk);
    until("it is ready again", async || (gw.ops("/readyz").await.0 == 200).then_some(())).await;
    assert_eq!(ask(&gw).await.status, 200);
    intact(&gw);
}

#[tokio::test]
async fn a_kill_on_a_full_disk_loses_nothing_that_was_answered() {
    let (mut gw, disk) = on_a_small_disk().await;
    answers(&gw, 5).await;
    fill(&disk);
    while ask(&gw).await.status == 200 {}
    gw.kill();
    // It may or may not be able to start without room; it must not serve a log that is shorter.
    if gw.serve().is_ok() {
        gw.kill();
    }
    empty(&disk);
    gw.serve().unwrap();
    answers(&gw, 2).await;
    intact(&gw);
}

#[tokio::test]
async fn a_disk_that_turns_read_only_discloses_nothing_and_the_same_process_recovers() {
    let (gw, disk) = on_a_small_disk().await;
    answers(&gw, 3).await;
    // Files that are open stay writable whatever happens to the mount: so the disk fails first,
    // and is read-only, with room on it, when the gateway opens it again.
    fill(&disk);
    while ask(&gw).await.status == 200 {}
    let ballast = File::options().write(true).open(disk.0.join("ballast")).unwrap();
    let face = Mount::read_only_over(&disk.0);
    ballast.set_len(0).unwrap();
    for _ in 0..5 {
        withheld(&ask(&gw).await);
    }
    drop(face);
    served_again(&gw).await;
    answers(&gw, 3).await;
    intact(&gw);
}

#[tokio::test]
async fn a_read_only_disk_at_the_start_is_refused_and_can_still_be_verified() {
    let (mut gw, disk) = on_a_small_disk().await;
    answers(&gw, 3).await;
    gw.stop();
    let face = Mount::read_only_over(&disk.0);
    let (code, said) = gw.refusal();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("disk"), "it names what cannot be written: {said}");
    intact(&gw);
    drop(face);
    gw.serve().unwrap();
    answers(&gw, 1).await;
    intact(&gw);
}

/// Where the library that stands between the gateway and the disk keeps its account.
struct Syncs {
    log: PathBuf,
    fail: PathBuf,
}

impl Syncs {
    /// Puts the library between a gateway that is not yet serving and its disk.
    fn before(gw: &mut TestGateway) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/syncs.c");
        let library = gw.path().join("syncs.so");
        let arguments = ["-shared", "-fPIC", "-o"];
        let built = Command::new("cc").args(arguments).arg(&library).arg(source).arg("-ldl").status();
        assert!(built.expect("a C compiler is needed").success());
        let syncs = Self { log: gw.path().join("syncs.log"), fail: gw.path().join("syncs.fail") };
        gw.environment.insert("LD_PRELOAD".into(), library);
        gw.environment.insert("SYNCS_LOG".into(), syncs.log.clone());
        gw.environment.insert("SYNCS_FAIL".into(), syncs.fail.clone());
        syncs
    }

    /// How often the log's WAL was synced so far.
    fn of_wal(&self) -> usize {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().filter(|file| file.ends_with("/audit.db-wal")).count()
    }
}

#[tokio::test]
async fn each_answer_was_synced_to_disk_before_it_left() {
    let mut gw = TestGateway::prepare().await;
    let syncs = Syncs::before(&mut gw);
    gw.serve().unwrap();
    for _ in 0..20 {
        let before = syncs.of_wal();
        assert_eq!(ask(&gw).await.status, 200);
        assert!(syncs.of_wal() > before, "answered, but not synced");
    }
}

#[tokio::test]
async fn a_disk_that_fails_to_sync_discloses_nothing_and_the_same_process_recovers() {
    let mut gw = TestGateway::prepare().await;
    let syncs = Syncs::before(&mut gw);
    gw.serve().unwrap();
    for _ in 0..3 {
        answers(&gw, 3).await;
        std::fs::write(&syncs.fail, "").unwrap();
        for _ in 0..5 {
            withheld(&ask(&gw).await);
        }
        std::fs::remove_file(&syncs.fail).unwrap();
        served_again(&gw).await;
        assert_eq!(gw.verify().0, 0, "{}", gw.verify().1);
    }
    // Unclear commits, then a sudden end.
    std::fs::write(&syncs.fail, "").unwrap();
    withheld(&ask(&gw).await);
    gw.kill();
    std::fs::remove_file(&syncs.fail).unwrap();
    gw.serve().unwrap();
    answers(&gw, 2).await;
    let (code, said) = gw.verify_with(&["--checkpoint", "second-place/checkpoint"]);
    assert_eq!(code, 0, "{said}");
}
