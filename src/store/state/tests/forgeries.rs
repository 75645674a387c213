//! Rows that somebody else put among the acts.

use super::open;
use crate::base::ids::{AccountId, Fingerprint, SystemId};
use crate::base::{Sources, Timestamp};
use crate::store::state::suspensions::Whom;
use crate::store::state::{Act, Registration, StateStore};

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);

/// What of an act is in a row, but for its number.
const ACT: &str = "kind, object, detail, at, actor";

fn register(state: &StateStore, system: &str) {
    let key = Fingerprint::of_spki(system.as_bytes());
    state.register_key(key, &SystemId::parse(system).unwrap(), NOW).unwrap();
}

fn objects(acts: &[Act]) -> Vec<&str> {
    acts.iter().map(|act| act.object.as_str()).collect()
}

#[test]
fn an_act_without_a_seal_that_holds_is_passed_over_and_holds_up_none_behind_it() {
    let (state, _home) = open();
    register(&state, "real");
    state.tamper(&format!("INSERT INTO acts ({ACT}) VALUES ('key-registered', 'forged', 'aa', 1, 'uid 0')"));
    // A real one again, one for another system, and one by another person, each with the real seal.
    for (object, actor) in [("object", "actor"), ("'moved'", "actor"), ("object", "'uid 1'")] {
        state.tamper(&format!(
            "INSERT INTO acts ({ACT}, seal) SELECT kind, {object}, detail, at, {actor}, seal FROM acts WHERE seq = 1"
        ));
    }
    register(&state, "next");
    assert_eq!(objects(&state.pending_acts(9).unwrap()), ["real", "next"]);
    assert_eq!(objects(&state.unsealed_acts(9).unwrap()), ["forged", "real", "moved", "real"]);
    assert_eq!(objects(&state.unsealed_acts(1).unwrap()), ["forged"]);
    assert!(state.is_pending("real").unwrap() && !state.is_pending("moved").unwrap());
    for expected in ["real", "next"] {
        let taken = state.take_act().unwrap().unwrap();
        assert_eq!(taken.act().object, expected);
        taken.recorded(7).unwrap();
    }
    assert!(state.take_act().unwrap().is_none());
}

#[test]
fn however_many_are_forged_those_behind_them_are_found() {
    let (state, _home) = open();
    let forged = vec!["('key-registered', 'forged', 'aa', 1, 'uid 0')"; 250].join(", ");
    state.tamper(&format!("INSERT INTO acts ({ACT}) VALUES {forged}"));
    register(&state, "real");
    assert_eq!(state.take_act().unwrap().unwrap().act().object, "real");
    assert_eq!(state.unsealed_acts(1_000).unwrap().len(), 250);
}

#[test]
fn what_a_program_without_seals_did_before_is_done_again_by_doing_the_same() {
    let (state, _home) = open();
    let sources = Sources([("policies/model.conf".to_owned(), "one".to_owned())].into());
    let done =
        |system| state.register_key(Fingerprint::of_spki(b"key"), &SystemId::parse(system).unwrap(), NOW);
    state.apply(&sources, NOW).unwrap();
    assert_eq!(done("a").unwrap(), Registration::Registered);
    assert_eq!(done("a").unwrap(), Registration::Unchanged);
    assert!(!state.apply(&sources, NOW).unwrap().changed);
    state.tamper("UPDATE acts SET seal = NULL");
    assert_eq!(state.pending_acts(9).unwrap(), []);
    assert_eq!(done("b").unwrap(), Registration::Taken);
    assert_eq!(done("a").unwrap(), Registration::Registered);
    assert!(state.apply(&sources, NOW).unwrap().changed);
    assert_eq!(done("a").unwrap(), Registration::Unchanged);
    assert!(!state.apply(&sources, NOW).unwrap().changed);
    assert_eq!(objects(&state.pending_acts(9).unwrap()), ["a", "1", "1"]);
    assert_eq!(state.versions(i64::MAX, 9).unwrap().len(), 1, "it is the same version");
}

#[test]
fn nobody_is_let_go_on_by_a_word_that_was_forged() {
    let (state, _home) = open();
    let li = AccountId::parse("data.li").unwrap();
    assert!(state.suspend_caller(&Whom::system("housing.aid"), "investigation", &li, NOW).unwrap());
    let asked = "('caller-resume-asked', 'system:housing.aid', 'investigation', 1, 'data.wang')";
    state.tamper(&format!("INSERT INTO acts ({ACT}) VALUES {asked}"));
    assert_eq!(state.suspensions().unwrap()[0].resuming, None);
}

#[test]
fn a_state_that_goes_on_beside_another_log_takes_over_what_the_old_log_bears_out() {
    let (state, _home) = open();
    for system in ["sealed", "old", "forged"] {
        register(&state, system);
        let taken = state.take_act().unwrap().unwrap();
        let index = taken.act().seq.unsigned_abs() * 10;
        taken.recorded(index).unwrap();
    }
    state.tamper("UPDATE acts SET seal = NULL WHERE object <> 'sealed'");
    let told = state.forget_log(|act, index| act.object == "old" && index == 20).unwrap();
    assert_eq!(told, (2, 1));
    assert_eq!(objects(&state.pending_acts(9).unwrap()), ["sealed", "old"]);
    assert_eq!(objects(&state.unsealed_acts(9).unwrap()), ["forged"]);
}
