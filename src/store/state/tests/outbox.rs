//! The outbox, with a real database.

use std::collections::HashSet;
use std::sync::Barrier;

use time::macros::date;

use super::{Home, open};
use crate::base::Timestamp;
use crate::base::ids::{AccountId, ApplicationId, DatasetId, DepartmentId};
use crate::identity::Role;
use crate::store::state::notice::{About, Kind, Notice, Recipient};
use crate::store::state::outbox::{self, Address, Channel, Letter, Outcome, Posted, Waiting};
use crate::store::state::{StateError, StateStore, acts};

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);
const HOUR: Timestamp = NOW.plus_seconds(-3600);

fn department(id: &str) -> DepartmentId {
    DepartmentId::parse(id).unwrap()
}

fn notice(recipient: Recipient, kind: Kind, number: u32) -> Notice {
    Notice {
        recipient,
        kind,
        object: ApplicationId::parse(&format!("A-2026-{number:06}")).unwrap(),
        about: About {
            version: 3,
            dataset: DatasetId::parse("civil.subsistence").unwrap(),
            requester: department("housing"),
            provider: department("civil"),
            due: Some(date!(2026 - 11 - 25)),
        },
    }
}

fn account(id: &str) -> Address {
    Address::Mail(AccountId::parse(id).unwrap())
}

/// A letter to each of `to` for each of so many notices, in order.
fn letters(state: &StateStore, to: &[&str], count: u32) {
    let lead = || Recipient::Role(Role::SharingLead, department("civil"));
    let new: Vec<_> = (1..=count).map(|number| notice(lead(), Kind::Refused, number)).collect();
    state.post(&new, NOW).unwrap();
    address(state, to, NOW);
}

fn address(state: &StateStore, to: &[&str], now: Timestamp) {
    let waiting = state.unaddressed(HOUR, 1000).unwrap();
    let addressed: Vec<_> =
        waiting.into_iter().map(|posted| (posted, to.iter().map(|to| account(to)).collect())).collect();
    state.address(&addressed, HOUR, now).unwrap();
}

fn claim(state: &StateStore, now: Timestamp) -> Vec<Letter> {
    state.claim(Channel::Mail, now, now.plus_seconds(30), 100).unwrap()
}

fn told(letters: &[Letter]) -> Vec<(String, Vec<String>)> {
    let mut told: Vec<_> = letters
        .iter()
        .map(|letter| {
            let Address::Mail(to) = &letter.address else { panic!("no mail") };
            (to.to_string(), letter.notices.iter().map(|posted| posted.notice.object.to_string()).collect())
        })
        .collect();
    told.sort();
    told
}

#[test]
fn a_notice_comes_out_as_it_went_in() {
    let (state, _dir) = open();
    let new = [
        notice(Recipient::Office(Role::Coordinator), Kind::ExtensionNeeded, 1),
        notice(Recipient::Department(department("civil")), Kind::Late, 2),
    ];
    state.post(&new, NOW).unwrap();
    let waiting = state.unaddressed(HOUR, 10).unwrap();
    assert_eq!(waiting.iter().map(|posted| posted.notice.clone()).collect::<Vec<_>>(), new);
    assert!(waiting.iter().all(|posted| posted.at == NOW));
}

#[test]
fn a_notice_is_there_exactly_if_its_change_happened() {
    let (state, _dir) = open();
    let new = [notice(Recipient::Office(Role::Coordinator), Kind::ExtensionNeeded, 1)];
    let undone = state.write(|connection| {
        outbox::add(connection, &new, 0, NOW)?;
        Err::<(), _>(StateError::new("the change failed"))
    });
    assert!(undone.is_err());
    assert_eq!(state.unaddressed(HOUR, 10).unwrap(), []);
}

#[test]
fn a_notice_leaves_only_after_the_log_has_recorded_its_change() {
    let (state, _dir) = open();
    let change = |number| {
        let new = [notice(Recipient::Office(Role::Coordinator), Kind::ExtensionNeeded, number)];
        state
            .write(|connection| {
                let (kind, object) = ("application-extension-asked", "A-2026-000001");
                let act = acts::add(connection, &state.seals, kind, object, "", NOW, "civil.li")?;
                outbox::add(connection, &new, act, NOW)
            })
            .unwrap();
    };
    change(1);
    change(2);
    assert_eq!(state.unaddressed(HOUR, 10).unwrap(), []);
    let acts = state.pending_acts(10).unwrap();
    // The second first: the first change still keeps its notice back, and with it the second.
    state.act_recorded(acts[1].seq, 8).unwrap();
    assert_eq!(state.unaddressed(HOUR, 10).unwrap(), []);
    state.act_recorded(acts[0].seq, 7).unwrap();
    assert_eq!(state.unaddressed(HOUR, 10).unwrap().len(), 2);
}

#[test]
fn an_act_without_a_seal_keeps_back_no_notice_but_its_own() {
    let (state, _dir) = open();
    state.tamper(
        "INSERT INTO acts (kind, object, detail, at, actor, seal) VALUES ('noted-x', 'o', '', 1, 'u', 'x')",
    );
    let tell = |act, number| {
        let new = [notice(Recipient::Office(Role::Coordinator), Kind::ExtensionNeeded, number)];
        state.write(|connection| outbox::add(connection, &new, act, NOW)).unwrap();
    };
    let real = state.write(|c| acts::add(c, &state.seals, "noted-x", "o", "", NOW, "civil.li")).unwrap();
    tell(1, 1);
    tell(real, 2);
    assert_eq!(state.unaddressed(HOUR, 10).unwrap(), [], "the real one is not recorded yet");
    state.act_recorded(real, 7).unwrap();
    let free = state.unaddressed(HOUR, 10).unwrap();
    assert_eq!(
        free.iter().map(|posted| posted.notice.object.as_str()).collect::<Vec<_>>(),
        ["A-2026-000002"]
    );
}

#[test]
fn who_cannot_be_reached_waits_in_order_and_the_others_go_on() {
    let (state, _dir) = open();
    letters(&state, &["civil.an", "civil.bai"], 2);
    let first = claim(&state, NOW);
    let one = |to: &str, number: u32| (to.to_owned(), vec![format!("A-2026-{number:06}")]);
    assert_eq!(told(&first), [one("civil.an", 1), one("civil.bai", 1)]);
    let later = NOW.plus_seconds(60);
    for letter in &first {
        let outcome =
            if letter.address == account("civil.an") { Outcome::Again(later) } else { Outcome::Sent };
        assert!(state.settle(letter, outcome, NOW).unwrap());
    }
    assert_eq!(told(&claim(&state, NOW)), [one("civil.bai", 2)]);
    assert_eq!(told(&claim(&state, later)), [one("civil.an", 1), one("civil.bai", 2)]);
}

#[test]
fn what_is_given_up_lets_those_behind_it_go_on() {
    let (state, _dir) = open();
    letters(&state, &["civil.an"], 2);
    let letter = claim(&state, NOW).remove(0);
    assert!(state.settle(&letter, Outcome::Parked, NOW).unwrap());
    assert_eq!(told(&claim(&state, NOW)), [("civil.an".to_owned(), vec!["A-2026-000002".to_owned()])]);
    let expected = Waiting { mail: 1, webhook: 0, parked: 1, oldest: Some(NOW) };
    assert_eq!(state.waiting().unwrap(), expected);
}

#[test]
fn a_postman_who_was_killed_leaves_his_letter_to_the_next_and_can_no_longer_mark_it() {
    let (state, _dir) = open();
    letters(&state, &["civil.an"], 1);
    let killed = claim(&state, NOW).remove(0);
    assert!(claim(&state, NOW.plus_seconds(29)).is_empty(), "it is still his");
    let next = claim(&state, NOW.plus_seconds(30)).remove(0);
    assert_eq!((next.code(), next.attempt), (killed.code(), 2));
    assert!(!state.settle(&killed, Outcome::Sent, NOW).unwrap());
    assert!(state.settle(&next, Outcome::Sent, NOW).unwrap());
    assert!(claim(&state, NOW.plus_seconds(86_400)).is_empty());
}

/// Several processes have databases of their own opened on one file.
#[test]
fn a_letter_is_in_the_hands_of_one_postman_at_a_time() {
    let (state, home) = open();
    let people: Vec<String> = (0..60).map(|number| format!("civil.p{number}")).collect();
    letters(&state, &people.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    let barrier = Barrier::new(4);
    let claimed: Vec<Vec<i64>> = std::thread::scope(|scope| {
        let postmen: Vec<_> = (0..4)
            .map(|_| {
                let (barrier, state) = (&barrier, home.open());
                scope.spawn(move || {
                    barrier.wait();
                    let mut mine = Vec::new();
                    loop {
                        let some = state.claim(Channel::Mail, NOW, NOW.plus_seconds(30), 3).unwrap();
                        if some.is_empty() {
                            return mine;
                        }
                        mine.extend(some.iter().map(|letter| letter.id));
                    }
                })
            })
            .collect();
        postmen.into_iter().map(|postman| postman.join().unwrap()).collect()
    });
    let all: Vec<i64> = claimed.into_iter().flatten().collect();
    assert_eq!((all.len(), all.iter().collect::<HashSet<_>>().len()), (60, 60));
}

#[test]
fn a_notice_is_addressed_once_however_many_try() {
    let (state, _dir) = open();
    state.post(&[notice(Recipient::Office(Role::Coordinator), Kind::ExtensionNeeded, 1)], NOW).unwrap();
    let seen = state.unaddressed(HOUR, 10).unwrap().remove(0);
    for _ in 0..2 {
        state.address(&[(seen.clone(), vec![account("civil.an")])], HOUR, NOW).unwrap();
    }
    assert_eq!(state.waiting().unwrap().mail, 1);
}

#[test]
fn the_day_goes_into_one_letter_at_its_hour() {
    let (state, _dir) = open();
    let to = || Recipient::Account(AccountId::parse("housing.wu").unwrap());
    let earlier = HOUR.plus_seconds(-60);
    state.post(&[notice(to(), Kind::Approved, 1), notice(to(), Kind::Commented, 2)], earlier).unwrap();
    state.post(&[notice(to(), Kind::Approved, 3)], HOUR).unwrap();
    // In two batches, as a long day has them.
    for _ in 0..2 {
        let one: Posted = state.unaddressed(HOUR, 1).unwrap().remove(0);
        state.address(&[(one, vec![account("housing.wu")])], HOUR, NOW).unwrap();
    }
    assert_eq!(state.unaddressed(HOUR, 10).unwrap(), [], "the third is of the next day");
    let day = claim(&state, NOW);
    let both = vec!["A-2026-000001".to_owned(), "A-2026-000002".to_owned()];
    assert_eq!(told(&day), [("housing.wu".to_owned(), both)]);
    assert!(day[0].digest && day[0].made_at == HOUR);
}

#[test]
fn what_was_finished_long_ago_is_forgotten_and_nothing_else() {
    let (state, _dir) = open();
    letters(&state, &["civil.an"], 2);
    let sent = claim(&state, NOW).remove(0);
    assert!(state.settle(&sent, Outcome::Sent, NOW).unwrap());
    state.post(&[notice(Recipient::Office(Role::Coordinator), Kind::ExtensionNeeded, 3)], NOW).unwrap();
    state.forget_letters(NOW).unwrap();
    assert_eq!(state.unaddressed(HOUR, 10).unwrap().len(), 1);
    state.forget_letters(NOW.plus_seconds(1)).unwrap();
    assert_eq!(state.unaddressed(HOUR, 10).unwrap(), [], "nobody was there to address it");
    assert_eq!(told(&claim(&state, NOW)), [("civil.an".to_owned(), vec!["A-2026-000002".to_owned()])]);
}
