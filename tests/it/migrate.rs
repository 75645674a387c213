//! `sluice migrate`: up to this program's schema and no further, and never from a newer one.

use std::fs;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use crate::support::TestGateway;
use crate::support::vault::answers;

const MIGRATE: [&str; 3] = ["migrate", "--config", "sluice.toml"];

#[tokio::test]
async fn a_state_of_the_schema_before_is_brought_up_once_and_serves() {
    let mut gw = TestGateway::start().await;
    answers(&gw, 1).await;
    let (code, out, _) = gw.sluice(&[&MIGRATE[..], &["--status"]].concat());
    assert!(code == 0 && out.lines().all(|line| line.ends_with("nothing to do")), "{out}");
    gw.stop();

    let (before, newest) = undo_the_newest(&gw.path().join("data/state.db"));
    let (code, out, err) = gw.sluice(&[&MIGRATE[..], &["--status"]].concat());
    assert!(
        code == 0 && out.contains(&format!("state.db: schema {before}, this program's is {newest}")),
        "{out}{err}"
    );
    let (code, out, err) = gw.sluice(&MIGRATE);
    assert!(code == 0 && out.contains(&format!("state.db: schema {before} -> {newest}")), "{out}{err}");
    assert!(out.contains("audit.db: schema 1, nothing to do"), "{out}");
    let (code, out, _) = gw.sluice(&MIGRATE);
    assert!(code == 0 && out.contains(&format!("state.db: schema {newest}, nothing to do")), "{out}");
    gw.serve().unwrap();
    answers(&gw, 1).await;
}

#[tokio::test]
async fn under_a_running_gateway_nothing_is_migrated() {
    let gw = TestGateway::start().await;
    let (before, _) = undo_the_newest(&gw.path().join("data/state.db"));
    let (code, _, err) = gw.sluice(&MIGRATE);
    assert!(code == 1 && err.contains("in use by another gateway"), "{err}");
    let (_, out, _) = gw.sluice(&[&MIGRATE[..], &["--status"]].concat());
    assert!(out.contains(&format!("schema {before},")), "{out}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_by_migrate_serve_and_apply() {
    for (file, statement, undo) in [
        (
            "state.db",
            "INSERT INTO __diesel_schema_migrations (version) VALUES ('99999999999999')",
            "DELETE FROM __diesel_schema_migrations WHERE version = '99999999999999'",
        ),
        ("audit.db", "PRAGMA user_version = 99", "PRAGMA user_version = 1"),
    ] {
        let mut gw = TestGateway::start().await;
        answers(&gw, 1).await;
        gw.stop();
        let path = gw.path().join("data").join(file);
        sql(&path, statement);
        for arguments in [&MIGRATE[..], &[&MIGRATE[..], &["--status"]].concat()] {
            let (code, out, err) = gw.sluice(arguments);
            assert!(code == 1 && err.contains("a newer program wrote it"), "{file}: {out}{err}");
        }
        let (code, said) = gw.refusal();
        assert!(code == 1 && said.contains("a newer program wrote it"), "{file}: {said}");
        if file == "state.db" {
            let (code, _, err) = gw.sluice(&["apply", "--config", "sluice.toml"]);
            assert!(code == 1 && err.contains("a newer program wrote it"), "{err}");
        }
        sql(&path, undo);
        gw.serve().unwrap();
        answers(&gw, 1).await;
    }
}

/// Takes the newest migration back; gives the numbers of the one before and of the newest.
fn undo_the_newest(state: &Path) -> (u64, u64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite/state");
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    let version = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        name.split('_').next().unwrap().to_owned()
    };
    let [.., before, newest] = &all[..] else { panic!("two migrations at least") };
    sql(state, &fs::read_to_string(newest.join("down.sql")).unwrap());
    sql(state, &format!("DELETE FROM __diesel_schema_migrations WHERE version = '{}'", version(newest)));
    (version(before).parse().unwrap(), version(newest).parse().unwrap())
}

fn sql(path: &Path, statement: &str) {
    let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    conn.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
    conn.batch_execute(statement).unwrap();
}
