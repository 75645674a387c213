//! Gateways upgraded one by one while clients ask, and one of them put back: the release before and
//! this one on one database.
//!
//! `tests/run upgrade` builds the release before; RELEASE_BEFORE names the folder of its sources, with
//! the program in its `target`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tokio::runtime::Handle;

use crate::support::gateway::program;
use crate::support::history::{Clients, Doomed, History, Revoked, answered};
use crate::support::replicas::{Replicas, world};
use crate::support::until;

/// What the grant allows in a day, before and after the policies are changed on the way.
const QUOTA: [usize; 2] = [100, 150];

const GRANTS: &str = "policies/grants.toml";

#[tokio::test]
#[ignore = "needs the release before, which `tests/run upgrade` builds"]
async fn old_and_new_gateways_serve_side_by_side_and_the_way_back_is_open() {
    let before =
        PathBuf::from(std::env::var("RELEASE_BEFORE").expect("RELEASE_BEFORE: see tests/run upgrade"));
    let (old, new) = (before.join("target/debug/sluice"), Path::new(program()));
    let began = Instant::now();
    let world = world();
    let mut replicas = Replicas::start_as(&old, &world, |gw| {
        // Its own files: those of today may say what it cannot read.
        for folder in ["schemas", "policies"] {
            std::fs::remove_dir_all(gw.path().join(folder)).unwrap();
            let mut copy = Command::new("cp");
            assert!(copy.arg("-r").arg(before.join(folder)).arg(gw.path()).status().unwrap().success());
        }
        gw.edit(GRANTS, "per_day = 5000", &format!("per_day = {}", QUOTA[0]));
    })
    .await;
    let mut history = History::default();
    let onestop = replicas.client(&replicas.gw.issued["service.onestop"]);
    let mut clients = Clients::new();
    clients.ask(&world, &onestop, 4, "status", &history.open);
    clients.ask(&world, &onestop, 2, "name", &history.bounded);
    goes_on(&history).await;

    // On the schema before, the new program does not start; the old ones do not mind the new schema.
    replicas.equip(new);
    let said = replicas.office(&["migrate", "--status"]);
    assert!(said.contains("`sluice migrate` brings it there"), "the schema before is an older one: {said}");
    replicas.gateways[0].stop_for(new);
    let why = replicas.gateways[0].try_to_serve().unwrap_err();
    assert!(why.contains("run `sluice migrate`"), "{why}");
    replicas.migrate();
    let said = replicas.office(&["migrate", "--status"]);
    assert!(said.lines().all(|line| line.ends_with("nothing to do")), "{said}");
    goes_on(&history).await;

    // One new gateway beside two old ones: a key is revoked.
    replicas.gateways[0].serve();
    replicas.all_ready().await;
    history.revoked.push(revoke(&world, &replicas).await);
    // Two beside one: the policies change.
    replicas.gateways[1].stop_for(new);
    replicas.gateways[1].serve();
    let [from, to] = QUOTA.map(|quota| format!("per_day = {quota}"));
    until("the quota is used up", async || (answered(&history.bounded) == QUOTA[0]).then_some(())).await;
    replicas.gw.edit(GRANTS, &from, &to);
    replicas.office(&["apply"]);
    for gateway in 0..3 {
        until("every gateway knows the new policies", async || {
            replicas.readiness(gateway).await.1.contains("\"policy_version\":2").then_some(())
        })
        .await;
    }
    goes_on(&history).await;
    // All of them.
    replicas.gateways[2].stop_for(new);
    replicas.gateways[2].serve();
    replicas.all_ready().await;
    goes_on(&history).await;

    // And one back, while another key is revoked.
    let back = go_back(&mut replicas, &before, &old);
    replicas.all_ready().await;
    history.revoked.push(revoke(&world, &replicas).await);
    goes_on(&history).await;
    replicas.gateways[0].stop_for(new);
    replicas.gateways[0].serve();
    replicas.all_ready().await;
    goes_on(&history).await;
    clients.stop().await;

    let problems = history.problems();
    for problem in problems.keys() {
        // Connections that ended, what one asks again after, the grant that is used up, the keys that
        // were revoked.
        let documented =
            ["", "503 not-ready", "503 audit-unavailable", "429 quota-exhausted", "401 certificate-unknown"];
        assert!(documented.contains(&problem.as_str()), "{problems:?}");
    }
    let counts = history.check(&replicas, QUOTA[1]);
    replicas.equip(&old);
    let (code, said) = replicas.verify();
    assert_eq!(code, 0, "the old program verifies what both have written: {said}");
    eprintln!(
        "upgraded in {:.0} s: {counts}, with the old program too; not 200: {problems:?}; {back}",
        began.elapsed().as_secs_f64()
    );
}

/// The clients are answered, whatever was done.
async fn goes_on(history: &History) {
    let so_far = answered(&history.open);
    until("the clients are answered", async || (answered(&history.open) > so_far + 50).then_some(())).await;
}

async fn revoke(world: &Handle, replicas: &Replicas) -> Revoked {
    let doomed = Doomed::start(world, replicas).await;
    let acknowledged = replicas.revoke(&doomed.key);
    doomed.revoked(acknowledged).await
}

/// Puts the old program back in the place of one gateway, and says how that went. A program from
/// before the rule that migrations only add refuses: it does not know that it may.
fn go_back(replicas: &mut Replicas, before: &Path, old: &Path) -> &'static str {
    let gateway = &mut replicas.gateways[0];
    gateway.stop_for(old);
    if before.join("tests/it/additive.rs").exists() {
        gateway.serve();
        return "an old gateway was started again beside the new ones";
    }
    let why = gateway.try_to_serve().unwrap_err();
    assert!(why.contains("a newer program wrote it"), "{why}");
    gateway.equip(Path::new(program()));
    gateway.serve();
    "the old program is from before the rule, and was refused on the new schema"
}
