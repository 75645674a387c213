//! What officers keep and ask: searches of the log, and consents to see a person's history.

use std::sync::Barrier;
use std::thread;

use super::{Home, open};
use crate::base::Timestamp;
use crate::base::ids::{AccountId, PersonId};
use crate::store::state::StateStore;
use crate::store::state::consents::{Came, Consent, Word};

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);
const DAY: i64 = 86_400;

fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

fn person(id: &str) -> PersonId {
    PersonId::parse(id).unwrap()
}

fn names(state: &StateStore, of: &str) -> Vec<String> {
    state.saved_searches(&account(of)).unwrap().into_iter().map(|search| search.name).collect()
}

#[test]
fn a_search_is_kept_under_its_name_once_and_by_its_account_alone() {
    let (state, _home) = open();
    let save =
        |of: &str, name: &str, query: &str| state.save_search(&account(of), name, query, 3, NOW).unwrap();
    assert!(save("eve", "夜间", "{}") && save("eve", "'; DROP TABLE saved_searches; --", "{}"));
    assert!(save("eve", "夜间", r#"{"last":7}"#), "saved anew");
    assert!(save("bob", "夜间", r#"{"last":1}"#), "another's of the same name");
    assert_eq!(names(&state, "eve"), ["'; DROP TABLE saved_searches; --", "夜间"]);
    let kept = state.saved_searches(&account("eve")).unwrap();
    assert_eq!(kept[1].query, r#"{"last":7}"#);

    assert!(!state.forget_search(&account("bob"), kept[1].id).unwrap(), "somebody else's");
    assert!(state.forget_search(&account("eve"), kept[1].id).unwrap());
    assert!(!state.forget_search(&account("eve"), kept[1].id).unwrap());
    assert_eq!((names(&state, "eve").len(), names(&state, "bob").len()), (1, 1));
}

#[test]
fn no_more_searches_are_kept_than_may_be_and_what_is_there_can_still_be_replaced() {
    let (state, _home) = open();
    let save = |name: &str| state.save_search(&account("eve"), name, "{}", 3, NOW).unwrap();
    assert!(["a", "b", "c"].into_iter().all(save));
    assert!(!save("d"));
    assert_eq!(names(&state, "eve"), ["a", "b", "c"], "nothing was pushed out");
    assert!(save("b"));
}

fn asked(id: &str, who: &str, since: Timestamp) -> Consent {
    Consent {
        id: id.to_owned(),
        mark: vec![7; 32],
        case_number: "JC-2026-0007".to_owned(),
        reason: "投诉核查".to_owned(),
        account: who.to_owned(),
        person: format!("P-{who}"),
        asked_at: since.micros(),
        until: since.plus_seconds(DAY).micros(),
        state: "asked".to_owned(),
        decided_by: None,
        decided_at: None,
    }
}

fn ask(state: &StateStore, id: &str, who: &str) -> Came {
    state.ask_consent(&asked(id, who, NOW), |_| false, 2, NOW).unwrap()
}

fn decide(state: &StateStore, id: &str, word: Word, by: &str, now: Timestamp) -> Came {
    state.decide_consent(id, word, (&account(by), &person(&format!("P-{by}"))), now).unwrap()
}

#[test]
fn another_person_decides_once_and_each_step_is_an_act() {
    let (state, _home) = open();
    let before = state.revision().unwrap();
    assert!(matches!(ask(&state, "1", "eve"), Came::Done(_)));
    let same = state.decide_consent("1", Word::Consented, (&account("eve2"), &person("P-eve")), NOW);
    assert_eq!(same.unwrap(), Came::SamePerson, "by whatever account");
    let Came::Done(decided) = decide(&state, "1", Word::Consented, "bob", NOW) else { panic!() };
    assert_eq!((decided.state.as_str(), decided.decided_by.as_deref()), ("consented", Some("bob")));
    assert_eq!(decide(&state, "1", Word::Refused, "ann", NOW), Came::Already);
    assert_eq!(decide(&state, "2", Word::Consented, "bob", NOW), Came::Nothing);
    assert_eq!(state.consents(NOW).unwrap(), [*decided.clone()]);

    let acts = state.pending_acts(9).unwrap();
    let told: Vec<_> = acts.iter().map(|a| (a.kind.as_str(), a.object.as_str(), a.actor.as_str())).collect();
    assert_eq!(told, [("history-asked", "1", "eve"), ("history-consented", "1", "bob")]);
    assert!(acts.iter().all(|act| act.detail == decided.digest()));
    assert_eq!(state.revision().unwrap(), before + 2, "other gateways hear of it");
}

#[test]
fn the_digest_tells_whatever_somebody_changes() {
    let one = asked("1", "eve", NOW);
    let changed = [
        Consent { id: "2".into(), ..one.clone() },
        Consent { mark: vec![8; 32], ..one.clone() },
        Consent { case_number: "JC-2026-0008".into(), ..one.clone() },
        Consent { reason: "r".into(), ..one.clone() },
        Consent { account: "bob".into(), ..one.clone() },
        Consent { person: "P-bob".into(), ..one.clone() },
        Consent { until: one.until + 1, ..one.clone() },
    ];
    for other in changed {
        assert_ne!(one.digest(), other.digest(), "{other:?}");
    }
    let decided = Consent { state: "consented".into(), decided_by: Some("bob".into()), ..one.clone() };
    assert_eq!(one.digest(), decided.digest());
}

#[test]
fn what_is_over_is_decided_by_nobody_and_deleted() {
    let (state, _home) = open();
    ask(&state, "1", "eve");
    let (last, over) = (NOW.plus_seconds(DAY - 1), NOW.plus_seconds(DAY));
    assert_eq!(state.consents(last).unwrap().len(), 1);
    assert_eq!(decide(&state, "1", Word::Consented, "bob", over), Came::Nothing);
    assert!(
        state.consents(over).unwrap().is_empty()
            && state.consents_of(&person("P-eve"), over).unwrap().is_empty()
    );
    assert_eq!(state.forget_consents(last).unwrap(), 0);
    assert_eq!(state.forget_consents(over).unwrap(), 1);
    assert!(state.consents(NOW).unwrap().is_empty(), "gone");
}

#[test]
fn a_person_asks_the_same_once_and_so_much_at_one_time() {
    let (state, _home) = open();
    assert!(matches!(ask(&state, "1", "eve"), Came::Done(_)));
    let again = asked("2", "eve", NOW);
    assert_eq!(state.ask_consent(&again, |other| other.mark == again.mark, 9, NOW).unwrap(), Came::Already);
    // Refused, it is not asked again of somebody else.
    decide(&state, "1", Word::Refused, "bob", NOW);
    assert_eq!(state.ask_consent(&again, |other| other.mark == again.mark, 9, NOW).unwrap(), Came::Already);
    assert!(matches!(ask(&state, "2", "eve"), Came::Done(_)));
    assert_eq!(ask(&state, "3", "eve"), Came::TooMany);
    assert!(matches!(ask(&state, "3", "bob"), Came::Done(_)), "others may");
    let later = NOW.plus_seconds(DAY);
    let next = asked("4", "eve", later);
    assert!(
        matches!(state.ask_consent(&next, |_| false, 2, later).unwrap(), Came::Done(_)),
        "what is over counts no more"
    );
}

#[test]
fn of_those_who_decide_at_one_time_one_does() {
    let (state, home) = open();
    ask(&state, "1", "eve");
    let begin = Barrier::new(4);
    let came: Vec<Came> = thread::scope(|scope| {
        let decides = (0..4).map(|n| {
            let (begin, state) = (&begin, home.open());
            scope.spawn(move || {
                let word = if n % 2 == 0 { Word::Consented } else { Word::Refused };
                begin.wait();
                decide(&state, "1", word, &format!("officer{n}"), NOW)
            })
        });
        decides.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(came.iter().filter(|came| matches!(came, Came::Done(_))).count(), 1, "{came:?}");
    assert_eq!(came.iter().filter(|came| **came == Came::Already).count(), 3, "{came:?}");
    assert_eq!(state.pending_acts(9).unwrap().len(), 2, "asked, and decided once");
}
