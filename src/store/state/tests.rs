//! The state on disk, with a real database.

use std::collections::BTreeMap;

use tempfile::TempDir;
use time::macros::date;

use super::*;
use crate::base::ids::{AccountId, DepartmentId, Fingerprint, PersonId, RuleId, SystemId};
use crate::base::{Lang, Secret, Sources, Timestamp};
use crate::identity::{Account, Role};

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);

fn open() -> (StateStore, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (StateStore::open(&dir.path().join("state.db")).unwrap(), dir)
}

fn sources(schema: &str, rule: &str) -> Sources {
    Sources(BTreeMap::from([
        ("schemas/a.json".into(), schema.into()),
        ("policies/a.csv".into(), rule.into()),
    ]))
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

fn charge(grants: &[(&str, u32)], day: time::Date, subjects: u32) -> Charge {
    let grants = grants.iter().map(|(id, limit)| (RuleId::parse(id).unwrap(), *limit)).collect();
    Charge { grants, day, subjects }
}

const TODAY: time::Date = date!(2026 - 11 - 22);

#[tokio::test]
async fn parallel_charges_never_pass_the_limit() {
    let (state, _dir) = open();
    let quotas = std::sync::Arc::new(Quotas::start(state).unwrap());
    let tasks: Vec<_> = (0..80)
        .map(|_| {
            let quotas = std::sync::Arc::clone(&quotas);
            tokio::spawn(async move { quotas.charge(charge(&[("grant:G-1", 100)], TODAY, 3)).await.unwrap() })
        })
        .collect();
    let mut charged = 0;
    for task in tasks {
        charged += u32::from(task.await.unwrap() == Charged::Yes) * 3;
    }
    assert_eq!(charged, 99);
}

#[tokio::test]
async fn the_count_begins_anew_each_day_and_a_refused_charge_costs_nothing() {
    let (state, _dir) = open();
    let quotas = Quotas::start(state).unwrap();
    let ask = async |day, subjects| quotas.charge(charge(&[("grant:G-1", 10)], day, subjects)).await.unwrap();
    assert_eq!(ask(TODAY, 11).await, Charged::Exhausted { limit: 10, remaining: 10 });
    assert_eq!(ask(TODAY, 8).await, Charged::Yes);
    assert_eq!(ask(TODAY, 3).await, Charged::Exhausted { limit: 10, remaining: 2 });
    assert_eq!(ask(TODAY, 2).await, Charged::Yes);
    assert_eq!(ask(TODAY, 1).await, Charged::Exhausted { limit: 10, remaining: 0 });
    assert_eq!(ask(date!(2026 - 11 - 23), 10).await, Charged::Yes);
}

#[tokio::test]
async fn a_query_charges_all_its_grants_or_none() {
    let (state, _dir) = open();
    let quotas = Quotas::start(state).unwrap();
    let both = charge(&[("grant:A", 10), ("grant:B", 1)], TODAY, 2);
    assert_eq!(quotas.charge(both).await.unwrap(), Charged::Exhausted { limit: 1, remaining: 1 });
    assert_eq!(quotas.charge(charge(&[("grant:A", 10)], TODAY, 10)).await.unwrap(), Charged::Yes);
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

const LASTING: Lasting = Lasting { idle: 900, whole: 28_800, per_account: 2 };

fn account(id: &str, person: &str, roles: &[Role]) -> Account {
    Account {
        id: AccountId::parse(id).unwrap(),
        person: PersonId::parse(person).unwrap(),
        name: "张伟".into(),
        department: DepartmentId::parse("civil").unwrap(),
        roles: roles.to_vec(),
        email: None,
        lang: Lang::Zh,
        active: true,
    }
}

fn made(state: &StateStore, id: &str, person: &str, roles: &[Role]) -> (AccountId, Changed) {
    let account = account(id, person, roles);
    let kept = Secret::new("kept".to_owned());
    let new = NewAccount { account: &account, password: &kept, until: NOW, code_secret: None };
    let changed = state.make_account(&new, "uid 0", NOW).unwrap();
    (account.id, changed)
}

fn begun(state: &StateStore, account: &AccountId, id: &str, step: Option<i64>, now: Timestamp) -> bool {
    let new = NewSession { id, token: id, account, means: Means::Password, code_step: step };
    state.begin_session(&new, LASTING, now).unwrap()
}

#[test]
fn a_code_signs_in_once_however_many_send_it_at_one_time() {
    let (state, _dir) = open();
    let (wang, _) = made(&state, "wang", "P-1", &[]);
    let let_in: Vec<bool> = std::thread::scope(|scope| {
        let tries = (0..8).map(|n| {
            let (state, wang) = (state.clone(), &wang);
            scope.spawn(move || begun(&state, wang, &format!("s{n}"), Some(7), NOW))
        });
        tries.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(let_in.iter().filter(|one| **one).count(), 1);
    assert!(!begun(&state, &wang, "s", Some(6), NOW), "nor does one from before");
    assert!(begun(&state, &wang, "t", Some(8), NOW));
}

#[test]
fn a_session_ends_by_time_by_number_and_by_any_change_of_its_account() {
    let (state, _dir) = open();
    let (wang, _) = made(&state, "wang", "P-1", &[]);
    let stands = |id: &str, seconds| state.session(id, LASTING, NOW.plus_seconds(seconds)).unwrap().is_some();
    assert!(begun(&state, &wang, "a", None, NOW));
    assert!(stands("a", 899) && !stands("a", 900));
    state.touch_session("a", NOW.plus_seconds(28_000)).unwrap();
    assert!(stands("a", 28_799) && !stands("a", 28_800));

    for (n, id) in (1..).zip(["b", "c"]) {
        assert!(begun(&state, &wang, id, None, NOW.plus_seconds(n)));
    }
    assert!(!stands("a", 3) && stands("b", 3) && stands("c", 3), "the oldest made room");
    let (li, _) = made(&state, "li", "P-2", &[]);
    assert!(begun(&state, &li, "d", None, NOW));
    state.change_account(&wang, &Change::GiveRole(Role::Leader), "sec", NOW).unwrap();
    assert!(!stands("b", 3) && !stands("c", 3) && stands("d", 3));
    state.change_account(&wang, &Change::Disable, "sec", NOW).unwrap();
    assert!(!begun(&state, &wang, "e", None, NOW));
    let told = ["account-made", "account-made", "role-granted", "account-disabled"];
    assert_eq!(kinds(&state), told);
}

#[test]
fn two_duties_that_exclude_each_other_are_never_one_persons() {
    let (state, _dir) = open();
    made(&state, "wang.1", "P-1", &[Role::Auditor]);
    assert_eq!(made(&state, "wang.2", "P-1", &[Role::SystemAdmin]).1, Changed::Exclusive);
    let (second, changed) = made(&state, "wang.2", "P-1", &[]);
    assert_eq!(changed, Changed::Yes);
    let give = |role| state.change_account(&second, &Change::GiveRole(role), "sec", NOW).unwrap();
    assert_eq!(give(Role::SecurityAdmin), Some(Changed::Exclusive));
    assert_eq!(give(Role::Leader), Some(Changed::Yes));
    assert_eq!(give(Role::Leader), Some(Changed::Unchanged));
    assert_eq!(made(&state, "wang.2", "P-9", &[]).1, Changed::Taken);
}
