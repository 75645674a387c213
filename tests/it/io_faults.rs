//! Each single write and sync of the log may fail, and any number of them at random: nobody holds
//! a promise that the log does not keep, and service resumes when the disk does.
//!
//! A library (`support/faults.c`) stands between the gateway and its disk and lets calls fail:
//! without an effect, with half of it, or after the whole of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::client::{Connection, ask};
use crate::support::ledger::{Promise, intact};
use crate::support::load::{PATH, prepare, press};
use crate::support::{PERSON, TestGateway, until};

/// More calls than one commit has.
const STEPS: usize = 24;

/// The library between a gateway and its disk.
pub struct Faults {
    plan: PathBuf,
    round: usize,
}

impl Faults {
    /// Puts the library under a gateway that is not yet serving.
    pub fn under(gw: &mut TestGateway) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/faults.c");
        let library = gw.path().join("faults.so");
        let arguments = ["-shared", "-fPIC", "-o"];
        let built = Command::new("cc").args(arguments).arg(&library).arg(source).arg("-ldl").status();
        assert!(built.expect("a C compiler is needed").success());
        let plan = gw.path().join("faults");
        gw.environment.insert("LD_PRELOAD".into(), library);
        gw.environment.insert("FAULTS".into(), plan.clone());
        Self { plan, round: 0 }
    }

    /// From now on the call number `step` fails in this way (0: none), and of the others one in `every`
    /// (0: none).
    pub fn plan(&mut self, kind: &str, step: usize, every: usize) {
        self.round += 1;
        let line = format!("{} {kind} {step} {every}\n", self.round);
        // At once and whole, whoever reads it meanwhile.
        std::fs::write(self.plan.with_extension("new"), line).unwrap();
        std::fs::rename(self.plan.with_extension("new"), &self.plan).unwrap();
    }

    /// Nothing fails any more.
    pub fn none(&self) {
        std::fs::remove_file(&self.plan).ok();
    }

    /// The calls that failed under the present plan.
    pub fn hits(&self) -> Vec<String> {
        let hits = std::fs::read_to_string(self.plan.with_extension("hits")).unwrap_or_default();
        let round = format!("{} ", self.round);
        hits.lines().filter_map(|line| line.strip_prefix(&round)).map(str::to_owned).collect()
    }
}

/// Asks once: a promise, or `audit-unavailable` and nothing of what was asked for.
async fn ask_once(desk: &mut Connection) -> Option<Promise> {
    let body = ask("housing-aid.review", &[PERSON], json!(["status"])).to_string();
    let answer = desk.send("POST", PATH, &[], Some(body.as_bytes())).await.unwrap();
    if answer.status == 200 {
        return Some(Promise::of(&answer));
    }
    assert_eq!(answer.problem(), "503 audit-unavailable");
    assert!(!answer.text().contains("receiving"), "{}", answer.text());
    None
}

#[tokio::test]
async fn whichever_call_of_a_commit_fails_no_promise_is_broken_and_the_next_query_is_served() {
    let mut gw = prepare().await;
    let mut faults = Faults::under(&mut gw);
    gw.serve().unwrap();
    let mut ledger = Vec::new();
    let (mut failed, mut refused) = (Vec::new(), 0);
    for kind in ["eio", "enospc", "torn", "late"] {
        let mut desk = gw.system("service.onestop").connect().await.unwrap();
        for step in 1..=STEPS {
            faults.plan(kind, step, 0);
            for _ in 0..=STEPS {
                if !faults.hits().is_empty() {
                    break;
                }
                match ask_once(&mut desk).await {
                    Some(promise) => ledger.push(promise),
                    None => refused += 1,
                }
            }
            assert_eq!(faults.hits().len(), 1, "{kind} at {step}");
            failed.extend(faults.hits());
            faults.none();
            until("served again", async || {
                let promise = ask_once(&mut desk).await?;
                ledger.push(promise);
                Some(())
            })
            .await;
        }
        intact(&gw, &ledger, kind);
        // What a commit that failed late left behind must not come back as something else.
        gw.kill();
        gw.serve().unwrap_or_else(|said| panic!("{kind}: {said}"));
        intact(&gw, &ledger, kind);
    }
    let of = |call: &str| failed.iter().filter(|hit| hit.contains(call)).count();
    eprintln!(
        "{} answers; {refused} refused; failed: {} writes, {} syncs",
        ledger.len(),
        of("write"),
        of("sync")
    );
    assert!(of("write") > 0 && of("sync") > 0, "writes and syncs have failed: {failed:?}");
    assert!(refused > 0);
}

#[tokio::test]
async fn under_load_a_disk_that_fails_at_random_breaks_no_promise() {
    let mut gw = prepare().await;
    let mut faults = Faults::under(&mut gw);
    gw.serve().unwrap();
    let mut ledger = Vec::new();
    let mut refused = 0;
    for (round, kind) in ["eio", "torn", "enospc", "late"].into_iter().enumerate() {
        let desk = gw.system("service.onestop");
        faults.plan(kind, 0, 60);
        let tally = press(&desk, 8, Duration::from_millis(1500)).await;
        assert!(!faults.hits().is_empty(), "{kind}: nothing failed");
        assert!(
            tally.problems.keys().all(|problem| problem == "503 audit-unavailable"),
            "{:?}",
            tally.problems
        );
        refused += tally.refused.len();
        ledger.extend(tally.promises);
        // A sudden end while it fails; or the same process goes on.
        if round % 2 == 0 {
            gw.kill();
            faults.none();
            gw.serve().unwrap_or_else(|said| panic!("{kind}: {said}"));
        }
        faults.none();
        let after = press(&gw.system("service.onestop"), 8, Duration::from_millis(300)).await;
        assert!(after.refused.is_empty(), "{kind}: {:?}", after.problems);
        ledger.extend(after.promises);
        intact(&gw, &ledger, kind);
    }
    eprintln!("{} answers, {refused} refused", ledger.len());
    assert!(refused > 0);
    // At a stop the WAL is moved into the database: that may fail as well, half-way. Which call
    // fails is chance, so each kind has some tries to fail where the database is written.
    for kind in ["torn", "eio", "late"] {
        let mut reached = false;
        for _ in 0..20 {
            faults.plan(kind, 0, 4);
            gw.stop();
            reached = faults.hits().iter().any(|hit| hit.ends_with(" audit.db"));
            faults.none();
            intact(&gw, &ledger, "stopped");
            gw.serve().unwrap_or_else(|said| panic!("{kind}: {said}"));
            ledger.extend(press(&gw.system("service.onestop"), 8, Duration::from_millis(300)).await.promises);
            intact(&gw, &ledger, "served again");
            if reached {
                break;
            }
        }
        assert!(reached, "{kind}: no stop failed while it wrote the database");
    }
}
