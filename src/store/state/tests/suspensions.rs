//! Callers that are stopped, and let go on by two.

use std::collections::BTreeMap;

use super::open;
use crate::base::ids::{AccountId, DepartmentId, PersonId};
use crate::base::{Lang, Secret, Timestamp};
use crate::identity::Account;
use crate::store::state::suspensions::{Resumed, Voice, Whom};
use crate::store::state::{Change, NewAccount, StateStore};

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);

fn account(store: &StateStore, id: &str, person: &str) -> AccountId {
    let account = Account {
        id: AccountId::parse(id).unwrap(),
        person: PersonId::parse(person).unwrap(),
        name: id.to_owned(),
        department: DepartmentId::parse("data").unwrap(),
        roles: Vec::new(),
        email: None,
        lang: Lang::Zh,
        active: true,
    };
    let password = Secret::new(String::new());
    let new = NewAccount { account: &account, password: &password, until: None, code_secret: None };
    store.make_account(&new, "uid 0", NOW).unwrap();
    account.id
}

/// What everybody may say who may act at all.
fn active(account: &Account) -> Option<Voice> {
    account.active.then_some(Voice::Either)
}

fn operator(name: &str, department: Option<&str>) -> Whom {
    Whom::operator(name, department.map(|id| DepartmentId::parse(id).unwrap()))
}

/// Who is stopped, and why.
fn stopped(store: &StateStore) -> Vec<(Whom, String)> {
    store.suspensions().unwrap().into_iter().map(|s| (s.whom, s.reason)).collect()
}

#[test]
fn one_stops_and_it_takes_two_people_to_let_go_on() {
    let (store, _home) = open();
    let li = account(&store, "data.li", "P-1");
    let li_too = account(&store, "data.li2", "P-1");
    let wang = account(&store, "data.wang", "P-2");
    let system = Whom::system("housing.aid");
    assert!(store.suspend_caller(&system, "investigation", &li, NOW).unwrap());
    assert!(!store.suspend_caller(&system, "investigation", &wang, NOW).unwrap());
    let h7 = operator("h:7", None);
    assert!(store.suspend_caller(&h7, "unusual-volume", &li, NOW).unwrap());
    assert_eq!(
        stopped(&store),
        [(system.clone(), "investigation".to_owned()), (h7, "unusual-volume".to_owned())]
    );

    let resume = |by| store.resume_caller(&system, by, active, NOW).unwrap();
    assert_eq!(resume(&li), Resumed::Asked);
    assert_eq!(resume(&li_too), Resumed::SamePerson);
    assert_eq!(store.suspensions().unwrap().len(), 2, "one person, whichever account, is one");
    assert_eq!(resume(&wang), Resumed::Done);
    assert_eq!(resume(&wang), Resumed::NotSuspended);
    assert_eq!(store.suspensions().unwrap().len(), 1);
    // What was asked before it was stopped again counts no more.
    assert!(store.suspend_caller(&system, "investigation", &wang, NOW).unwrap());
    assert_eq!(resume(&li), Resumed::Asked);
    // Nor what was asked by one who may not ask it any more; and whoever may not, asks nothing.
    store.change_account(&li, &Change::Disable, "sys", NOW).unwrap();
    assert_eq!(resume(&li), Resumed::NotAllowed);
    assert_eq!(resume(&wang), Resumed::Asked);
    assert_eq!(store.suspensions().unwrap().len(), 2);
}

#[test]
fn who_may_only_agree_is_the_second_and_never_the_first() {
    let (store, _home) = open();
    let [li, sys, sys_too] =
        [("data.li", "P-1"), ("data.sys", "P-2"), ("data.sys2", "P-3")].map(|(id, p)| account(&store, id, p));
    let system = Whom::system("housing.aid");
    store.suspend_caller(&system, "investigation", &li, NOW).unwrap();
    let voice = |account: &Account| {
        Some(if account.id.as_str() == "data.li" { Voice::Either } else { Voice::Second })
    };
    let resume = |by| store.resume_caller(&system, by, voice, NOW).unwrap();
    assert_eq!([resume(&sys), resume(&sys_too)], [Resumed::NotAllowed; 2], "two of them are none");
    assert_eq!(resume(&li), Resumed::Asked);
    // The first has lost the role meanwhile.
    let demoted = |_: &Account| Some(Voice::Second);
    assert_eq!(store.resume_caller(&system, &sys, demoted, NOW).unwrap(), Resumed::NotAllowed);
    assert_eq!(resume(&li), Resumed::SamePerson);
    assert_eq!(resume(&sys), Resumed::Done);
    assert_eq!(stopped(&store), []);
}

#[test]
fn an_operator_is_stopped_in_each_department_by_itself_or_in_all() {
    let (store, _home) = open();
    let [li, wang] = [("data.li", "P-1"), ("data.wang", "P-2")].map(|(id, p)| account(&store, id, p));
    let [medical, civil, all] = [Some("medical"), Some("civil"), None].map(|of| operator("h:7", of));
    let stop = |whom: &Whom, reason| store.suspend_caller(whom, reason, &li, NOW).unwrap();
    let resume = |whom: &Whom| [&li, &wang].map(|by| store.resume_caller(whom, by, active, NOW).unwrap());
    assert!(stop(&medical, "investigation") && stop(&civil, "unusual-volume"));
    assert!(!stop(&civil, "investigation"));
    assert_eq!(resume(&all)[0], Resumed::NotSuspended);
    assert_eq!(resume(&medical), [Resumed::Asked, Resumed::Done]);
    let later = NOW.plus_seconds(60);
    assert!(store.suspensions().unwrap().iter().all(|s| s.since < later && s.by == "data.li"));
    assert_eq!(
        stopped(&store),
        [(civil.clone(), "unusual-volume".to_owned())],
        "the other one is not let go on"
    );

    assert!(stop(&all, "suspected-misuse"));
    assert!(!stop(&medical, "investigation"), "that is stopped as it is");
    assert_eq!(resume(&all)[1], Resumed::Done);
    assert_eq!(stopped(&store), [(civil.clone(), "unusual-volume".to_owned())]);
    assert_eq!(resume(&civil)[1], Resumed::Done);
    assert_eq!(stopped(&store), []);
}

/// What a program makes of the acts that knows no departments: of each object the newest counts.
fn before_departments(store: &StateStore) -> BTreeMap<String, bool> {
    let acts = store.pending_acts(1000).unwrap().into_iter();
    let callers = acts.filter(|act| act.kind.starts_with("caller-"));
    callers.map(|act| (act.object, act.kind != "caller-resumed")).collect()
}

#[test]
fn a_program_of_the_release_before_stops_whoever_is_stopped_in_any_department() {
    let (store, _home) = open();
    let [li, wang] = [("data.li", "P-1"), ("data.wang", "P-2")].map(|(id, p)| account(&store, id, p));
    let everybody = [Some("medical"), Some("civil"), None].map(|of| operator("h:7", of));
    for whom in &everybody {
        assert!(store.suspend_caller(whom, "investigation", &li, NOW).unwrap());
    }
    for (left, whom) in (0..3).rev().zip(&everybody) {
        assert!(before_departments(&store)["operator:h:7"], "{left} are stopped");
        let said = [&li, &wang].map(|by| store.resume_caller(whom, by, active, NOW).unwrap());
        assert_eq!(said[1], Resumed::Done);
        assert_eq!(stopped(&store).len(), left);
    }
    assert!(!before_departments(&store)["operator:h:7"]);
}
