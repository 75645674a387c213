//! What several gateways on one server are to each other, and what their role may not do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::Bool;
use futures_util::FutureExt;
use time::macros::date;

use super::{Database, Home, open};
use crate::base::ids::{Fingerprint, RuleId, SystemId};
use crate::base::{Clock, Sources, SystemClock, Timestamp};
use crate::identity::Role;
use crate::store::state::applications::Wait;
use crate::store::state::{Charge, Charged, Quotas, StateStore, Use, UsePeople, upkeep};
use crate::store::testing_proxy::Network;
use crate::store::upkeep::Schema;

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);
/// Longer than anything here takes, and shorter than a test may.
const PATIENCE: Duration = Duration::from_secs(20);

fn changed(state: &StateStore, text: &str) {
    let sources = Sources(BTreeMap::from([("schemas/a.json".to_owned(), text.to_owned())]));
    assert!(state.apply(&sources, NOW).unwrap().changed);
}

fn charge(grants: &[&str], people: &[u8]) -> Charge {
    let day = date!(2026 - 11 - 22);
    let of = |grant: &&str| Use {
        grant: RuleId::parse(grant).unwrap(),
        per_day: 1000,
        people: Some(UsePeople { limit: 60, day, tokens: people.iter().map(|n| [*n; 16]).collect() }),
    };
    Charge { uses: grants.iter().map(of).collect(), day, subjects: people.len() as u32 }
}

#[tokio::test]
async fn no_quota_is_passed_however_many_gateways_charge_and_whatever_the_order_of_the_grants() {
    let (one, home) = open();
    let gateways = [one, home.open(), home.open()].map(|state| Arc::new(Quotas::start(&state).unwrap()));
    let tasks: Vec<_> = (0..240u32)
        .map(|n| {
            let quotas = Arc::clone(&gateways[n as usize % 3]);
            let grants = if n % 2 == 0 { ["grant:A", "grant:B"] } else { ["grant:B", "grant:A"] };
            tokio::spawn(async move { quotas.charge(charge(&grants, &[(n % 120) as u8])).await.unwrap() })
        })
        .collect();
    let mut met = std::collections::BTreeSet::new();
    for (n, task) in (0u32..).zip(tasks) {
        if task.await.unwrap() == Charged::Yes {
            met.insert(n % 120);
        }
    }
    assert_eq!(met.len(), 60, "different people, over all gateways");
}

#[tokio::test]
async fn whoever_comes_while_another_gateway_counts_is_charged_in_the_same_turn_or_the_next() {
    let (state, home) = open();
    let quotas = Quotas::start(&state).unwrap();
    assert_eq!(quotas.charge(charge(&["grant:A", "grant:B"], &[])).await.unwrap(), Charged::Yes);
    let mut other = home.connect();
    other.batch_execute("BEGIN; SELECT * FROM quota WHERE grant_id = 'grant:A' FOR UPDATE").unwrap();
    let ask = |grant| Box::pin(quotas.charge(charge(&[grant], &[1])));
    let mut waiting = vec![ask("grant:A")];
    assert!((&mut waiting[0]).now_or_never().is_none());
    let waits = sql::<Bool>("EXISTS (SELECT FROM pg_locks WHERE NOT granted)");
    while !diesel::select(waits.clone()).get_result::<bool>(&mut other).unwrap() {}
    for grant in ["grant:A", "grant:B", "grant:A", "grant:B"] {
        waiting.push(ask(grant));
        assert!(waiting.last_mut().unwrap().now_or_never().is_none());
    }
    other.batch_execute("COMMIT").unwrap();
    for charged in waiting {
        assert_eq!(charged.await.unwrap(), Charged::Yes);
    }
    let used = |grant| state.used(&RuleId::parse(grant).unwrap(), date!(2026 - 11 - 22)).unwrap()[0].used;
    assert_eq!((used("grant:A"), used("grant:B")), (3, 2));
}

#[test]
fn a_gateway_whose_clock_is_ahead_of_the_servers_takes_up_nothing() {
    let (state, _home) = open();
    let now = SystemClock.now();
    assert_eq!(state.look(now).unwrap(), state.revision().unwrap());
    assert_eq!(state.look(now.plus_seconds(-3600)).unwrap(), state.revision().unwrap(), "others are ahead");
    let why = state.look(now.plus_seconds(60)).unwrap_err().to_string();
    assert!(why.contains("ahead of the database server's"), "{why}");
}

#[tokio::test]
async fn the_counting_goes_on_when_the_server_was_away() {
    let (state, home) = open();
    let quotas = Quotas::start(&state).unwrap();
    assert_eq!(quotas.charge(charge(&["grant:A"], &[1])).await.unwrap(), Charged::Yes);
    cut_off(&home);
    assert!(quotas.charge(charge(&["grant:A"], &[2])).await.is_err(), "that connection is lost");
    assert_eq!(quotas.charge(charge(&["grant:A"], &[2])).await.unwrap(), Charged::Yes);
    assert!(state.revision().is_ok(), "and others were replaced");
}

#[test]
fn a_session_is_durable_and_sees_what_was_committed_whatever_its_role_is_set_to() {
    let (_state, home) = open();
    home.execute(
        "ALTER ROLE sluice_gateway SET synchronous_commit = off;
         ALTER ROLE sluice_gateway SET default_transaction_isolation = 'repeatable read'",
    );
    let state = home.open();
    for (setting, wanted) in [("synchronous_commit", "on"), ("transaction_isolation", "read committed")] {
        let ask = diesel::sql_query(format!("SELECT current_setting('{setting}') AS value"));
        let set: Setting = ask.get_result(&mut *state.connection().unwrap()).unwrap();
        assert_eq!(set.value, wanted, "{setting}");
    }
    home.execute("ALTER ROLE sluice_gateway SET synchronous_commit = remote_apply");
    let ask = diesel::sql_query("SELECT current_setting('synchronous_commit') AS value");
    let set: Setting = ask.get_result(&mut *home.open().connection().unwrap()).unwrap();
    assert_eq!(set.value, "remote_apply", "more is as well");
}

#[test]
fn every_text_is_ordered_by_its_bytes_whatever_the_server_speaks() {
    let (state, home) = open();
    crate::store::audit::upkeep::migrate_on(&home.as_role("sluice_owner")).unwrap();
    let connection = &mut *state.connection().unwrap();
    let mut ask = |sql: &str| -> Vec<String> {
        let found: Vec<Setting> = diesel::sql_query(sql).load(connection).unwrap();
        found.into_iter().map(|found| found.value).collect()
    };
    let provider = "SELECT datlocprovider::text AS value FROM pg_database WHERE datname = current_database()";
    assert_eq!(ask(provider), ["i"], "it does not order by bytes by itself");
    // The table of the migrations is not ours; its numbers are of one length.
    let otherwise = "SELECT c.relname || '.' || a.attname AS value FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_collation o ON o.oid = a.attcollation
        WHERE n.nspname IN ('sluice_state', 'sluice_log') AND c.relkind = 'r' AND o.collname <> 'C'
        AND c.relname <> '__diesel_schema_migrations'";
    assert_eq!(ask(otherwise), [""; 0]);
    home.execute("ALTER TABLE sluice_state.acts ADD COLUMN loose TEXT");
    assert_eq!(ask(otherwise), ["acts.loose"], "one that is not would be found");
}

#[derive(diesel::QueryableByName)]
struct Setting {
    #[diesel(sql_type = diesel::sql_types::Text)]
    value: String,
}

/// For how many seconds a silent server is waited for.
const WAITED: std::ops::Range<u64> = 8..13;

#[test]
fn a_server_that_takes_what_is_sent_and_says_nothing_is_given_up() {
    let (_state, home) = open();
    let (far, proxy) = home.far();
    assert_eq!(far.revision().unwrap(), 0);
    proxy.set(Network::Silent);
    let began = Instant::now();
    assert!(far.revision().is_err());
    assert!(WAITED.contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    proxy.set(Network::Up);
    assert_eq!(far.revision().unwrap(), 0, "and is spoken to again");
}

#[tokio::test]
async fn connections_that_stay_dumb_are_replaced() {
    let (_state, home) = open();
    let (far, proxy) = home.far();
    let quotas = Quotas::start(&far).unwrap();
    assert_eq!(quotas.charge(charge(&["grant:A"], &[1])).await.unwrap(), Charged::Yes);
    proxy.deafen();
    let began = Instant::now();
    assert!(quotas.charge(charge(&["grant:A"], &[2])).await.is_err());
    assert!(WAITED.contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let again = Instant::now();
    assert_eq!(quotas.charge(charge(&["grant:A"], &[2])).await.unwrap(), Charged::Yes);
    changed(&far, "one");
    assert_eq!(far.revision().unwrap(), 1);
    // The others are not waited for one after the other.
    assert!(again.elapsed() < Duration::from_secs(4), "{:?}", again.elapsed());
}

/// Ends every connection of the gateway's role, as a server that restarts does.
fn cut_off(home: &Database) {
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE usename = 'sluice_gateway' AND datname = current_database()";
    home.execute(end);
}

#[tokio::test]
async fn a_change_is_heard_of_before_anybody_asks() {
    let (state, home) = open();
    let watch = home.open().watch().unwrap();
    // The first is the beginning of listening itself.
    watch.changed().await;
    let mut heard = Vec::new();
    for n in 0..5 {
        // Nothing is outstanding.
        watch.changed().await;
        changed(&state, &n.to_string());
        let began = Instant::now();
        watch.changed().await;
        heard.push(began.elapsed());
    }
    heard.sort();
    assert!(heard[2] < Duration::from_millis(150), "most are heard of, not found out: {heard:?}");
}

#[test]
fn writers_of_two_gateways_queue_up() {
    let (one, home) = open();
    let two = home.open();
    std::thread::scope(|scope| {
        for (state, system) in [(&one, "a"), (&two, "b")] {
            scope.spawn(move || {
                let system = SystemId::parse(system).unwrap();
                for n in 0..40 {
                    let key = Fingerprint::of_spki(format!("{system}{n}").as_bytes());
                    state.register_key(key, &system, NOW).unwrap();
                }
            });
        }
    });
    assert_eq!((one.keys().unwrap().len(), one.revision().unwrap()), (80, 80));
    let acts = one.pending_acts(100).unwrap();
    assert_eq!(acts.len(), 80);
}

#[test]
fn who_stands_still_with_an_act_in_hand_loses_it_to_the_next() {
    let (one, home) = open();
    let two = home.open();
    let (key, system) = (Fingerprint::of_spki(b"key"), SystemId::parse("a").unwrap());
    one.register_key(key, &system, NOW).unwrap();
    let held = one.take_act().unwrap().unwrap();
    // It waits until the server has had enough of the first, and is then the only one.
    let began = Instant::now();
    let taken = two.take_act().unwrap().unwrap();
    assert!(began.elapsed() < PATIENCE);
    assert_eq!(taken.act(), held.act());
    taken.recorded(7).unwrap();
    assert!(held.recorded(9).is_err(), "what it says now is not believed");
    assert!(two.take_act().unwrap().is_none());
    assert_eq!(one.pending_acts(1).unwrap(), []);
}

#[test]
fn the_gateways_role_changes_nothing_that_happened_and_no_schema() {
    let (state, home) = open();
    changed(&state, "one");
    let mut connection = home.as_role("sluice_gateway").connect("SET search_path = sluice_state").unwrap();
    for forbidden in [
        "UPDATE acts SET detail = ''",
        "DELETE FROM acts",
        "UPDATE versions SET sources = ''",
        "DELETE FROM versions",
        "UPDATE application_events SET event = ''",
        "DELETE FROM application_events",
        "DELETE FROM accounts",
        "UPDATE system_keys SET system = ''",
        "DELETE FROM grants",
        "DELETE FROM emergencies",
        "DELETE FROM quota",
        "TRUNCATE acts",
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('9')",
        "CREATE TABLE t (x int)",
        "CREATE TABLE public.t (x int)",
        "CREATE SCHEMA s",
        "ALTER TABLE acts ADD COLUMN x int",
        "SET ROLE sluice_owner",
    ] {
        let done = connection.batch_execute(forbidden);
        assert!(
            done.is_err_and(|e| e.to_string().contains("denied") || e.to_string().contains("owner")),
            "{forbidden}"
        );
    }
}

#[test]
fn a_schema_that_is_not_this_programs_is_refused_with_what_to_do() {
    let database = Database::new();
    let (gateway, owner) = (database.as_role("sluice_gateway"), database.as_role("sluice_owner"));
    let refused = |database: &Database| {
        StateStore::on(&database.as_role("sluice_gateway")).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(upkeep::schema_on(&owner).unwrap(), Schema::None);
    assert!(refused(&database).contains("sluice migrate"));
    assert!(upkeep::migrate_on(&gateway).is_err(), "the gateway's role cannot");
    upkeep::migrate_on(&owner).unwrap();
    upkeep::migrate_on(&owner).unwrap();
    assert!(matches!(upkeep::schema_on(&gateway).unwrap(), Schema::Current(_)));
    database.open();
    database.execute("DELETE FROM sluice_state.__diesel_schema_migrations WHERE version = '00000000000011'");
    assert!(refused(&database).contains("sluice migrate"));
    database
        .execute("INSERT INTO sluice_state.__diesel_schema_migrations (version) VALUES ('99999999999999')");
    assert!(refused(&database).contains("newer program"));
    assert!(upkeep::migrate_on(&owner).unwrap_err().to_string().contains("newer program"));
}

#[test]
fn a_migrate_that_ends_before_the_rights_are_given_is_not_done() {
    let database = Database::new();
    let (gateway, owner) = (database.as_role("sluice_gateway"), database.as_role("sluice_owner"));
    database.execute("ALTER ROLE sluice_gateway RENAME TO nobody");
    assert!(upkeep::migrate_on(&owner).is_err_and(|why| why.to_string().contains("sluice_gateway")));
    assert!(matches!(upkeep::schema_on(&owner).unwrap(), Schema::Behind { .. }));
    database.execute("ALTER ROLE nobody RENAME TO sluice_gateway");
    upkeep::migrate_on(&owner).unwrap();
    assert!(matches!(upkeep::schema_on(&gateway).unwrap(), Schema::Current(_)));
    changed(&database.open(), "one");
}

/// What a migration changes that gateways read all the time.
const CHANGES: &str = "application_waits";

/// The state as the migration found it that changed [`CHANGES`], and somebody who reads that table for
/// as long as the transaction lasts.
fn before_a_change() -> (StateStore, Database, diesel::PgConnection) {
    let (state, home) = open();
    let mut admin = home.connect();
    admin
        .batch_execute(include_str!("../../../../migrations/postgres/state/00000000000050_inbox/down.sql"))
        .unwrap();
    admin.batch_execute("DELETE FROM __diesel_schema_migrations WHERE version = '00000000000050'").unwrap();
    admin
        .batch_execute(&format!("SET application_name = pg_dump; BEGIN; SELECT count(*) FROM {CHANGES}"))
        .unwrap();
    (state, home, admin)
}

#[test]
fn a_migration_waits_for_a_long_reader_and_gateways_do_not_wait_for_it() {
    let (state, home, mut reader) = before_a_change();
    let owner = home.as_role("sluice_owner");
    let migrating = std::thread::spawn(move || upkeep::migrate_on(&owner));
    let mut watcher = home.connect();
    let waits = sql::<Bool>(&format!(
        "EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'sluice_state.{CHANGES}'::regclass)"
    ));
    // Not only the first time.
    for _ in 0..2 {
        while !diesel::select(waits.clone()).get_result::<bool>(&mut watcher).unwrap() {
            assert!(!migrating.is_finished());
        }
        let began = Instant::now();
        state.look(SystemClock.now()).unwrap();
        assert!(
            began.elapsed() < Duration::from_millis(100),
            "a look waits for no table: {:?}",
            began.elapsed()
        );
        assert_eq!(state.number_waiting(&[coordinators()], 10).unwrap(), 0);
        changed(&state, &format!("{began:?}"));
        assert!(began.elapsed() < LEASE, "behind the migration: {:?}", began.elapsed());
        while diesel::select(waits.clone()).get_result::<bool>(&mut watcher).unwrap() {}
    }
    reader.batch_execute("COMMIT").unwrap();
    migrating.join().unwrap().unwrap();
    assert!(matches!(upkeep::schema_on(&home.as_role("sluice_gateway")).unwrap(), Schema::Current(_)));
}

/// `stale_after_ms` as it is by default.
const LEASE: Duration = Duration::from_secs(1);

fn coordinators() -> Wait {
    Wait { department: None, role: Role::Coordinator }
}

#[test]
fn a_migration_that_waited_for_too_long_says_for_whom_and_changes_nothing() {
    let (state, home, mut reader) = before_a_change();
    let owner = home.as_role("sluice_owner");
    let why = upkeep::ON_SERVER.migrate_within(Duration::ZERO, &owner).unwrap_err().to_string();
    for part in ["00000000000050_inbox", "(pg_dump, as sluice) holds application_waits"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert!(matches!(upkeep::schema_on(&owner).unwrap(), Schema::Behind { .. }));
    assert!(state.revision().is_ok());
    reader.batch_execute("COMMIT").unwrap();
    upkeep::ON_SERVER.migrate_within(Duration::ZERO, &owner).unwrap();
    assert!(matches!(upkeep::schema_on(&owner).unwrap(), Schema::Current(_)));
}

#[test]
fn of_two_who_migrate_at_once_one_waits_and_says_so_if_that_is_too_long() {
    let database = Database::new();
    let mut other = database.connect();
    other.batch_execute("SELECT pg_advisory_lock(hashtext('sluice migrate'))").unwrap();
    let owner = database.as_role("sluice_owner");
    let why = upkeep::ON_SERVER.migrate_within(Duration::ZERO, &owner).unwrap_err();
    assert!(why.to_string().contains("another `sluice migrate`"), "{why}");
    drop(other);
    upkeep::migrate_on(&owner).unwrap();
}

#[test]
fn a_change_that_is_under_way_is_over_before_a_migration_touches_a_table() {
    let (_state, home, mut reader) = before_a_change();
    reader.batch_execute("ROLLBACK; BEGIN; SELECT FROM revision FOR UPDATE").unwrap();
    let why = upkeep::ON_SERVER.migrate_within(Duration::ZERO, &home.as_role("sluice_owner")).unwrap_err();
    assert!(
        why.to_string().contains("holds revision") && !why.to_string().contains("00000000000050"),
        "{why}"
    );
}

#[test]
fn what_a_newer_program_added_is_done_without_and_keeps_its_rights() {
    let database = Database::new();
    let owner = database.as_role("sluice_owner");
    upkeep::migrate_on(&owner).unwrap();
    database.execute(
        "INSERT INTO sluice_state.__diesel_schema_migrations (version) VALUES ('00000000000099');
         CREATE TABLE sluice_state.newer (id INTEGER);
         GRANT INSERT ON sluice_state.newer TO sluice_gateway;",
    );
    assert!(matches!(upkeep::schema_on(&owner).unwrap(), Schema::Ahead { found, .. } if found == "99"));
    upkeep::migrate_on(&owner).unwrap();
    let state = database.open();
    let added = state.write(|connection| Ok(connection.batch_execute("INSERT INTO newer VALUES (1)")?));
    assert!(added.is_ok(), "{added:?}");
    // What it lacks is not done without, though there is more.
    database.execute("DELETE FROM sluice_state.__diesel_schema_migrations WHERE version = '00000000000012'");
    let refused = StateStore::on(&database.as_role("sluice_gateway")).map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("a newer program wrote it"), "{refused}");
}

#[test]
fn a_server_without_the_roles_says_what_to_run() {
    let database = Database::new();
    database.execute("DROP SCHEMA sluice_state");
    let why = upkeep::migrate_on(&database.as_role("sluice_owner")).unwrap_err().to_string();
    assert!(why.contains("roles.sql"), "{why}");
}
