//! A newer program has been at work on the databases: what it added is done without, and what may have
//! taken rights away stops the older one.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use sluice::base::{Clock, Sources, SystemClock};
use sluice::store::state::Act;

use crate::support::vault::answers;
use crate::support::{TestGateway, until};

const MIGRATE: [&str; 3] = ["migrate", "--config", "sluice.toml"];

/// A table and a migration that no program of today knows.
const ADDED: &str = "CREATE TABLE newer (id INTEGER NOT NULL PRIMARY KEY, note TEXT); \
    INSERT INTO newer (id) VALUES (1); \
    ALTER TABLE grants ADD COLUMN note TEXT; \
    INSERT INTO __diesel_schema_migrations (version) VALUES ('00000000000099')";

#[tokio::test]
async fn the_way_back_to_the_release_before_is_to_start_it() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 1).await;
    gw.stop();
    sql(&gw, ADDED);
    for arguments in [&MIGRATE[..], &[&MIGRATE[..], &["--status"]].concat()] {
        let (code, out, err) = gw.sluice(arguments);
        assert!(code == 0 && out.contains("state.db: schema 99, this program's is "), "{out}{err}");
        assert!(out.contains("a newer program added to it, nothing to do"), "{out}{err}");
    }
    gw.serve().unwrap();
    answers(&gw, 1).await;
    gw.edit("policies/grants.toml", "per_day = 5000", "per_day = 4000");
    let (code, _, err) = gw.sluice(&["apply", "--config", "sluice.toml"]);
    assert_eq!(code, 0, "{err}");
    until("it takes up what is applied", async || {
        gw.ops("/readyz").await.1.contains("\"policy_version\":2").then_some(())
    })
    .await;
    let (code, said) = gw.verify();
    assert_eq!(code, 0, "{said}");
    // It took nothing away either.
    sql(&gw, "UPDATE newer SET note = 'here' WHERE id = 1");
}

#[tokio::test]
async fn an_act_of_an_unknown_kind_is_recorded_and_nothing_is_answered_from_then_on() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 1).await;
    act(&gw, "noted-search-saved", "li");
    // The next one is taken up after it.
    gw.edit("policies/grants.toml", "per_day = 5000", "per_day = 4000");
    assert_eq!(gw.sluice(&["apply", "--config", "sluice.toml"]).0, 0);
    until("it takes up what is applied", async || {
        gw.ops("/readyz").await.1.contains("\"policy_version\":2").then_some(())
    })
    .await;
    answers(&gw, 1).await;

    act(&gw, "department-suspended", "housing");
    stopped(&gw).await;
    assert!(gw.log().contains("department-suspended housing"), "{}", gw.log());
    let (code, said) = gw.verify();
    assert_eq!(code, 0, "{said}");
    gw.stop();
    let (code, said) = gw.refusal();
    assert!(code == 1 && said.contains("department-suspended housing"), "{said}");
    assert!(said.contains("run the newer one"), "{said}");
}

#[tokio::test]
async fn policies_that_only_a_newer_program_can_read_stop_an_older_one_until_there_are_others() {
    let gw = TestGateway::start().await;
    answers(&gw, 1).await;
    let state = gw.state();
    let known = state.newest_version().unwrap().unwrap().sources;
    let mut unknown: Sources = known.clone();
    *unknown.0.get_mut("policies/systems.toml").unwrap() += "\n[curfew]\nfrom = \"22:00\"\n";
    state.apply(&unknown, SystemClock.now()).unwrap();
    stopped(&gw).await;
    state.apply(&known, SystemClock.now()).unwrap();
    until("it answers again", async || (gw.ops("/readyz").await.0 == 200).then_some(())).await;
    answers(&gw, 1).await;
}

/// It says that it is not ready, why, and answers accordingly.
async fn stopped(gw: &TestGateway) {
    let said = until("it stops", async || {
        let (status, said) = gw.ops("/readyz").await;
        (status == 503).then_some(said)
    })
    .await;
    assert!(said.contains("\"outgrown\":true"), "{said}");
    let answer =
        gw.system("service.onestop").query("civil.subsistence", "housing-aid.review", &["status"]).await;
    assert_eq!(answer.problem(), "503 not-ready", "{}", answer.text());
}

/// Does an act, as a newer program would.
fn act(gw: &TestGateway, kind: &str, object: &str) {
    let (kind, object, actor) = (kind.to_owned(), object.to_owned(), "li".to_owned());
    gw.act("", Act { seq: 0, kind, object, detail: String::new(), at: SystemClock.now(), actor });
}

fn sql(gw: &TestGateway, statements: &str) {
    let path: &Path = &gw.path().join("data/state.db");
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    conn.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
    conn.immediate_transaction(|conn| conn.batch_execute(statements)).unwrap();
}
