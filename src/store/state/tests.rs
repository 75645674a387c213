//! The state on disk, with a real database.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use time::macros::date;

use super::*;
use crate::base::ids::{Fingerprint, RuleId, SystemId};
use crate::base::{Sources, Timestamp};

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);

fn open() -> (StateStore, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (StateStore::open(&dir.path().join("state.db")).unwrap(), dir)
}

fn sources(schema: &str, rule: &str) -> Sources {
    Sources(BTreeMap::from([("schemas/a.json".into(), schema.into()), ("policies/a.csv".into(), rule.into())]))
}

fn kinds(state: &StateStore) -> Vec<String> {
    state.pending_acts(100).unwrap().into_iter().map(|act| act.kind).collect()
}

#[test]
fn each_part_has_a_number_that_rises_when_it_changes() {
    let (state, _dir) = open();
    assert_eq!(state.newest_version().unwrap(), None);
    let numbers = |schema, rule| {
        let applied = state.apply(&sources(schema, rule), NOW).unwrap();
        (applied.catalogue, applied.policy, applied.changed)
    };
    assert_eq!(numbers("one", "one"), (1, 1, true));
    assert_eq!(numbers("one", "one"), (1, 1, false));
    assert_eq!(numbers("one", "two"), (1, 2, true));
    assert_eq!(numbers("two", "two"), (2, 2, true));
    assert_eq!(numbers("one", "one"), (3, 3, true), "an old text applied again is a new version");
    let newest = state.newest_version().unwrap().unwrap();
    assert_eq!((newest.catalogue, newest.policy, newest.sources), (3, 3, sources("one", "one")));
    assert_eq!(state.newest_seq().unwrap(), Some(newest.seq));
}

#[test]
fn every_change_raises_the_revision_and_leaves_an_act() {
    let (state, _dir) = open();
    let before = state.revision().unwrap();
    state.apply(&sources("one", "one"), NOW).unwrap();
    state.apply(&sources("one", "one"), NOW).unwrap();
    assert_eq!(state.revision().unwrap(), before + 1, "what changes nothing is no change");
    assert_eq!(kinds(&state), ["catalogue-applied", "policy-applied"]);
    let first = state.pending_acts(1).unwrap().remove(0);
    state.act_recorded(first.seq, 7).unwrap();
    assert_eq!(kinds(&state), ["policy-applied"]);
}

#[test]
fn a_key_belongs_to_one_system_for_ever() {
    let (state, _dir) = open();
    let key = Fingerprint::of_spki(b"key");
    let (a, b) = (SystemId::parse("a").unwrap(), SystemId::parse("b").unwrap());
    assert_eq!(state.register_key(key, &a, NOW).unwrap(), Registration::Registered);
    assert_eq!(state.register_key(key, &a, NOW).unwrap(), Registration::Unchanged);
    assert_eq!(state.register_key(key, &b, NOW).unwrap(), Registration::Taken);
    assert_eq!(state.keys().unwrap(), [RegisteredKey { fingerprint: key, system: a.clone() }]);
    assert!(state.revoke_key(key, NOW).unwrap());
    assert!(!state.revoke_key(key, NOW).unwrap());
    assert_eq!(state.keys().unwrap(), []);
    assert_eq!(state.register_key(key, &a, NOW).unwrap(), Registration::Taken, "a revoked key stays revoked");
    assert_eq!(kinds(&state), ["key-registered", "key-revoked"]);
}

#[test]
fn parallel_charges_never_pass_the_limit() {
    let (state, _dir) = open();
    let grant = RuleId::parse("grant:G-1").unwrap();
    let charged = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let charge = state.charge(&grant, date!(2026 - 11 - 22), 3, 100).unwrap();
                    if matches!(charge, Charge::Charged { .. }) {
                        charged.fetch_add(3, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(charged.into_inner(), 99);
}

#[test]
fn the_count_begins_anew_each_day_and_a_refused_charge_costs_nothing() {
    let (state, _dir) = open();
    let grant = RuleId::parse("grant:G-1").unwrap();
    let today = date!(2026 - 11 - 22);
    let charge = |day, subjects| state.charge(&grant, day, subjects, 10).unwrap();
    assert_eq!(charge(today, 11), Charge::Exhausted { remaining: 10 });
    assert_eq!(charge(today, 8), Charge::Charged { remaining: 2 });
    assert_eq!(charge(today, 3), Charge::Exhausted { remaining: 2 });
    assert_eq!(charge(today, 2), Charge::Charged { remaining: 0 });
    assert_eq!(charge(date!(2026 - 11 - 23), 10), Charge::Charged { remaining: 0 });
}

#[test]
fn the_state_survives_being_opened_again() {
    let (state, dir) = open();
    state.apply(&sources("one", "one"), NOW).unwrap();
    let revision = state.revision().unwrap();
    drop(state);
    let state = StateStore::open(&dir.path().join("state.db")).unwrap();
    assert_eq!(state.revision().unwrap(), revision);
    assert!(state.newest_version().unwrap().is_some());
}
