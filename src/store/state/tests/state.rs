//! Versions, keys, accounts, sessions, attempts, emergency access.

use std::collections::BTreeMap;

use super::{Home, open};
use crate::base::ids::{AccountId, DepartmentId, Fingerprint, PersonId, SystemId};
use crate::base::{Lang, Secret, Sources, Timestamp};
use crate::identity::{Account, Role};
use crate::store::state::*;

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);

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

#[test]
fn the_state_survives_being_opened_again() {
    let (state, home) = open();
    state.apply(&sources("one", "one"), NOW).unwrap();
    let revision = state.revision().unwrap();
    drop(state);
    let state = home.open();
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
    let new = NewAccount { account: &account, password: &kept, until: Some(NOW), code_secret: None };
    let changed = state.make_account(&new, "uid 0", NOW).unwrap();
    (account.id, changed)
}

fn begun(state: &StateStore, account: &AccountId, id: &str, step: Option<i64>, now: Timestamp) -> bool {
    let new = NewSession { id, token: id, seal: "", account, means: Means::Password, code_step: step };
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
fn a_change_that_rests_on_what_is_no_longer_so_is_not_made() {
    use crate::store::state::idempotency::Basis;
    let (state, _dir) = open();
    let (wang, _) = made(&state, "wang", "P-1", &[]);
    let seen = state.revision().unwrap();
    let basis = Basis { seen, answer: None };
    let give = |role| state.change_account_if(&basis, &wang, &Change::GiveRole(role), "sec", NOW).unwrap();
    assert_eq!(give(Role::Leader), Some(Changed::Yes));
    assert_eq!(give(Role::Applicant), Some(Changed::Stale));
    assert_eq!(state.account(&wang).unwrap().unwrap().account.roles, [Role::Leader]);
    let li = account("li", "P-2", &[]);
    let kept = Secret::new("kept".to_owned());
    let new = NewAccount { account: &li, password: &kept, until: Some(NOW), code_secret: None };
    assert_eq!(state.make_account_if(&basis, &new, "sys", NOW).unwrap(), Changed::Stale);
    assert_eq!(state.account(&li.id).unwrap(), None);
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

#[test]
fn attempts_are_judged_one_after_the_other_and_forgotten_when_told_to() {
    let (state, home) = open();
    let (one, two) = ([1; 16], [2; 16]);
    let more = |state: &StateStore| {
        let counted = state.judge_attempt(&[one, two], |kept| {
            assert_eq!(kept[1], None);
            let count = kept[0].map_or(0, |tries| tries.count) + 1;
            kept[0] = Some(Tries { count, last: NOW });
            if count > 30 { Err("enough") } else { Ok(()) }
        });
        counted.unwrap().is_ok()
    };
    let gateways = [state.clone(), home.open(), state.clone(), home.open()];
    let allowed: usize = std::thread::scope(|scope| {
        let tries: Vec<_> =
            gateways.iter().map(|state| scope.spawn(|| (0..10).filter(|_| more(state)).count())).collect();
        tries.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(allowed, 30, "of 40, and none was missed");
    let found = |mark: Mark| {
        let mut found = None;
        let judged = state.judge_attempt(&[mark], |kept| {
            found = kept[0];
            Ok::<_, ()>(())
        });
        judged.unwrap().unwrap();
        found
    };
    assert_eq!(found(one), Some(Tries { count: 30, last: NOW }));
    let judged = state.judge_attempt(&[one, two], |kept| {
        (kept[0], kept[1]) = (None, Some(Tries { count: 7, last: NOW }));
        Ok::<_, ()>(())
    });
    judged.unwrap().unwrap();
    let mut namesake = two;
    namesake[15] = 9;
    assert_eq!((found(one), found(two)), (None, Some(Tries { count: 7, last: NOW })));
    assert_eq!(found(namesake), None, "in the same slot, and somebody else");
}

#[test]
fn an_act_is_in_one_pair_of_hands_until_it_is_recorded_or_let_go() {
    let (state, _home) = open();
    state.apply(&sources("one", "one"), NOW).unwrap();
    let first = state.take_act().unwrap().unwrap();
    assert_eq!(first.act().kind, "catalogue-applied");
    drop(first);
    let again = state.take_act().unwrap().unwrap();
    assert_eq!(again.act().kind, "catalogue-applied", "it was let go");
    again.recorded(7).unwrap();
    let second = state.take_act().unwrap().unwrap();
    assert_eq!(second.act().kind, "policy-applied");
    second.recorded(8).unwrap();
    assert!(state.take_act().unwrap().is_none());
}

mod emergencies {
    use super::*;
    use crate::base::ids::{AccountId, DatasetId};
    use crate::store::state::emergency::{Emergency, Enrolment, Opened, Review};

    const ACCOUNT: &str = "service.chen";
    const DATASET: &str = "civil.subsistence";

    fn enrol(state: &StateStore, to: Enrolment) -> bool {
        let (account, dataset) = (AccountId::parse(ACCOUNT).unwrap(), DatasetId::parse(DATASET).unwrap());
        state.enrol(&account, &dataset, to, "civil.lead", NOW).unwrap()
    }

    fn open_at(state: &StateStore, now: Timestamp) -> Opened {
        let new = Emergency {
            id: String::new(),
            account: ACCOUNT.into(),
            person: "P-7".into(),
            department: "service".into(),
            provider: "civil".into(),
            dataset: DATASET.into(),
            terms: "{}".into(),
            digest: "d".into(),
            reason: "r".into(),
            since: now.micros(),
            until: now.plus_seconds(3600).micros(),
            state: "active".into(),
            review_due: "2026-11-24".into(),
            overdue: false,
            verdict: None,
            note: None,
            reviewer: None,
            reviewed_at: None,
        };
        state.open_emergency(new, |_| vec![], now).unwrap()
    }

    fn opened(state: &StateStore, now: Timestamp) -> Emergency {
        match open_at(state, now) {
            Opened::Yes(opened) => *opened,
            other => panic!("{other:?}"),
        }
    }

    fn sweep(state: &StateStore, now: Timestamp) -> usize {
        state.sweep_emergencies(now, |_, _| vec![]).unwrap()
    }

    fn reviewed(state: &StateStore, id: &str, now: Timestamp) {
        let (reviewer, found) =
            (AccountId::parse("civil.lead").unwrap(), state.emergency(id).unwrap().unwrap());
        let review = Review { misuse: false, note: "", reviewer: &reviewer };
        assert!(state.review_emergency(&found, &review, |_| vec![], now).unwrap());
    }

    fn in_force(state: &StateStore) -> Vec<String> {
        state.grants().unwrap().iter().map(|grant| grant.id.to_string()).collect()
    }

    #[test]
    fn only_who_is_enrolled_opens_and_one_at_a_time() {
        let (state, _dir) = open();
        assert_eq!(open_at(&state, NOW), Opened::NotEnrolled);
        assert!(enrol(&state, Enrolment::Active));
        assert!(!enrol(&state, Enrolment::Active), "nothing changed");
        assert_eq!(opened(&state, NOW).id, "E-2026-000001");
        assert_eq!(open_at(&state, NOW), Opened::Already);
        assert_eq!(in_force(&state), ["E-2026-000001"]);
        let later = NOW.plus_seconds(3600);
        assert_eq!(sweep(&state, later), 1, "the first is over");
        assert_eq!(open_at(&state, later), Opened::Already, "and not reviewed");
        reviewed(&state, "E-2026-000001", later);
        assert_eq!(opened(&state, later).id, "E-2026-000002");
        assert_eq!(in_force(&state), ["E-2026-000002"]);
        assert_eq!(
            kinds(&state),
            [
                "emergency-enrolled",
                "emergency-opened",
                "grant-active",
                "grant-ended",
                "emergency-reviewed",
                "emergency-opened",
                "grant-active",
            ]
        );
        assert_eq!(sweep(&state, later), 0, "nothing is done twice");
    }

    #[test]
    fn whose_enrolment_is_taken_back_has_nothing_open_any_more() {
        let (state, _dir) = open();
        assert!(!enrol(&state, Enrolment::Withdrawn), "nobody was in");
        enrol(&state, Enrolment::Active);
        opened(&state, NOW);
        assert!(enrol(&state, Enrolment::Withdrawn));
        assert_eq!(in_force(&state), [""; 0]);
        assert_eq!(open_at(&state, NOW), Opened::NotEnrolled);
    }

    #[test]
    fn whoever_is_disabled_has_nothing_open_any_more() {
        let (state, _dir) = open();
        made(&state, ACCOUNT, "P-7", &[]);
        enrol(&state, Enrolment::Active);
        opened(&state, NOW);
        let account = AccountId::parse(ACCOUNT).unwrap();
        assert_eq!(state.change_account(&account, &Change::Disable, "sys", NOW).unwrap(), Some(Changed::Yes));
        assert_eq!(in_force(&state), [""; 0]);
    }

    #[test]
    fn what_nobody_reviews_by_the_end_of_its_day_costs_the_enrolment_once() {
        let (state, _dir) = open();
        enrol(&state, Enrolment::Active);
        opened(&state, NOW);
        // 2026-11-24 ends at 16:00 UTC.
        let last = Timestamp::parse("2026-11-24T15:59:59Z").unwrap();
        assert_eq!(sweep(&state, last), 1, "its end");
        assert_eq!(sweep(&state, last.plus_seconds(1)), 1, "its review");
        assert_eq!(open_at(&state, last), Opened::NotEnrolled);
        assert!(enrol(&state, Enrolment::Active), "the provider may enrol again");
        assert_eq!(sweep(&state, last.plus_seconds(2)), 0);
        reviewed(&state, "E-2026-000001", last);
        assert!(matches!(open_at(&state, last), Opened::Yes(_)));
    }

    #[test]
    fn a_review_is_made_once_and_misuse_ends_everything() {
        let (state, _dir) = open();
        let reviewer = AccountId::parse("civil.lead").unwrap();
        let review = |misuse| Review { misuse, note: "", reviewer: &reviewer };
        enrol(&state, Enrolment::Active);
        let first = opened(&state, NOW);
        assert!(!state.review_emergency(&first, &review(false), |_| vec![], NOW).unwrap(), "it goes on");
        let later = NOW.plus_seconds(3600);
        assert!(state.review_emergency(&first, &review(false), |_| vec![], later).unwrap());
        assert!(!state.review_emergency(&first, &review(true), |_| vec![], later).unwrap());
        sweep(&state, later);
        let second = opened(&state, NOW.plus_seconds(3600));
        assert_eq!(in_force(&state), ["E-2026-000002"]);
        assert!(state.review_emergency(&second, &review(true), |_| vec![], NOW).unwrap());
        assert_eq!(in_force(&state), [""; 0]);
        assert_eq!(open_at(&state, NOW.plus_seconds(3600)), Opened::NotEnrolled);
        let verdicts = state.emergencies(&AccountId::parse(ACCOUNT).unwrap(), None).unwrap();
        let verdicts: Vec<_> = verdicts.into_iter().map(|e| e.verdict.unwrap()).collect();
        assert_eq!(verdicts, ["misuse", "proper"], "the newest first");
    }
}
