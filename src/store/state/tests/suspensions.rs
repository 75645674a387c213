//! Callers that are stopped, and let go on by two.

use super::open;
use crate::base::ids::{AccountId, DepartmentId, PersonId};
use crate::base::{Lang, Secret, Timestamp};
use crate::identity::Account;
use crate::store::state::suspensions::{Resumed, Stopped};
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

#[test]
fn one_stops_and_it_takes_two_people_to_let_go_on() {
    let (store, _home) = open();
    let li = account(&store, "data.li", "P-1");
    let li_too = account(&store, "data.li2", "P-1");
    let wang = account(&store, "data.wang", "P-2");
    let system = Stopped::System;
    assert!(store.suspend_caller(system, "housing.aid", "investigation", &li, NOW).unwrap());
    assert!(!store.suspend_caller(system, "housing.aid", "investigation", &wang, NOW).unwrap());
    assert!(store.suspend_caller(Stopped::Operator, "h:7", "unusual-volume", &li, NOW).unwrap());
    let stopped = store.suspensions().unwrap();
    let names: Vec<_> = stopped.iter().map(|s| (s.what, s.name.as_str(), s.reason.as_str())).collect();
    assert_eq!(
        names,
        [(system, "housing.aid", "investigation"), (Stopped::Operator, "h:7", "unusual-volume")]
    );

    let resume = |by| store.resume_caller(system, "housing.aid", by, |account| account.active, NOW).unwrap();
    assert_eq!(resume(&li), Resumed::Asked);
    assert_eq!(resume(&li_too), Resumed::SamePerson);
    assert_eq!(store.suspensions().unwrap().len(), 2, "one person, whichever account, is one");
    assert_eq!(resume(&wang), Resumed::Done);
    assert_eq!(resume(&wang), Resumed::NotSuspended);
    assert_eq!(store.suspensions().unwrap().len(), 1);
    // What was asked before it was stopped again counts no more.
    assert!(store.suspend_caller(system, "housing.aid", "investigation", &wang, NOW).unwrap());
    assert_eq!(resume(&li), Resumed::Asked);
    // Nor what was asked by one who may not ask it any more; and whoever may not, asks nothing.
    store.change_account(&li, &Change::Disable, "sys", NOW).unwrap();
    assert_eq!(resume(&li), Resumed::NotAllowed);
    assert_eq!(resume(&wang), Resumed::Asked);
    assert_eq!(store.suspensions().unwrap().len(), 2);
}
