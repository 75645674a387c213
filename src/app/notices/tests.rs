//! Who is told of what, and what letters say.

use time::macros::date;

use super::{about, letter};
use crate::approval::calendar::Due;
use crate::approval::event::{LeftOut, Missing, Stage};
use crate::approval::{Actor, Application, Event, State, Terms, What};
use crate::base::ids::{AccountId, ApplicationId, DatasetId, DepartmentId, FieldName, PersonId, PurposeId};
use crate::base::{Lang, Timestamp};
use crate::catalogue::Catalogue;
use crate::identity::{Account, Role};
use crate::store::state::notice::{Kind, Notice, Recipient, Urgency};
use crate::store::state::outbox::{Address, Letter, Posted};

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);
/// What somebody typed.
const CANARY: &str = "canary-11010519491231002X";

fn department(id: &str) -> DepartmentId {
    DepartmentId::parse(id).unwrap()
}

fn terms() -> Terms {
    Terms {
        dataset: DatasetId::parse("civil.subsistence").unwrap(),
        purpose: PurposeId::parse("housing-aid.review").unwrap(),
        basis: CANARY.into(),
        scenario: CANARY.into(),
        scope: CANARY.into(),
        mode: "service".into(),
        systems: Vec::new(),
        fields: Vec::new(),
        per_day: 100,
        distinct_per_day: 100,
        until: date!(2027 - 11 - 22),
        toxic_reason: Some(CANARY.into()),
    }
}

fn by(account: &str, role: Role) -> Actor {
    Actor::Person {
        account: AccountId::parse(account).unwrap(),
        person: PersonId::parse(account).unwrap(),
        for_person: None,
        department: department(account.split('.').next().unwrap()),
        role,
        for_account: None,
    }
}

fn stages() -> Vec<Stage> {
    vec![
        Stage { roles: vec![Role::SectionHead, Role::ConfidentialityOfficer] },
        Stage { roles: vec![Role::SharingLead] },
    ]
}

/// An application in `state` to which all this happened; the first two events are put before.
fn application(state: State, happened: &[(Actor, What)]) -> Application {
    let wu = || by("housing.wu", Role::Applicant);
    let drafted = What::Drafted {
        requester: department("housing"),
        provider: department("civil"),
        terms: terms(),
        renews: None,
    };
    let submitted = What::Submitted {
        revision: terms().revision(),
        toxic: Vec::new(),
        stages: stages(),
        answer_days: 10,
    };
    let all = [(wu(), drafted), (wu(), submitted)].into_iter().chain(happened.iter().cloned());
    let events: Vec<Event> =
        (1..).zip(all).map(|(seq, (by, what))| Event { seq, at: NOW, by, what }).collect();
    let draft =
        Application::of(ApplicationId::parse("A-2026-000001").unwrap(), events[..1].to_vec()).unwrap();
    Application {
        version: u32::try_from(events.len()).unwrap(),
        state,
        revision: Some(terms().revision()),
        stages: stages(),
        events,
        ..draft
    }
}

/// Who is told of the last of these events: recipient and kind, as text.
fn told(state: State, happened: &[(Actor, What)]) -> Vec<String> {
    let application = application(state, happened);
    let new = &application.events[application.events.len() - 1..];
    about(&application, new, None).iter().map(as_text).collect()
}

fn as_text(notice: &Notice) -> String {
    let to = match &notice.recipient {
        Recipient::Account(account) => account.to_string(),
        Recipient::Role(role, department) => format!("{department}/{}", role.as_str()),
        Recipient::Office(role) => role.as_str().to_owned(),
        Recipient::Department(department) => format!("hook:{department}"),
    };
    let when = if notice.urgency() == Urgency::Immediate { "now" } else { "day" };
    format!("{to} {} {when}", notice.kind.as_str())
}

fn vote(account: &str, role: Role, stage: usize) -> (Actor, What) {
    let without = vec![LeftOut {
        field: FieldName::parse("name").unwrap(),
        reason: "not-needed".into(),
        note: CANARY.into(),
    }];
    (by(account, role), What::Approved { revision: terms().revision(), stage, without })
}

#[test]
fn whoever_must_act_is_told_at_once() {
    assert_eq!(
        told(State::Consent, &[]),
        ["housing/sharing_lead consent-needed now", "hook:housing consent-needed now"]
    );
    let consented = (
        by("housing.lead", Role::SharingLead),
        What::Consented { due: Due { day: date!(2026 - 12 - 04), provisional: false } },
    );
    assert_eq!(
        told(State::InReview, &[consented]),
        [
            "housing.wu consented day",
            "hook:housing consented now",
            "civil/section_head vote-needed now",
            "hook:civil vote-needed now",
            "civil/confidentiality_officer vote-needed now",
        ]
    );
}

#[test]
fn the_next_stage_is_told_once_every_role_of_this_one_has_voted() {
    let first = vote("civil.head", Role::SectionHead, 0);
    let second = vote("civil.bao", Role::ConfidentialityOfficer, 0);
    let applicant = ["housing.wu approved day", "hook:housing approved now"];
    assert_eq!(told(State::InReview, std::slice::from_ref(&first)), applicant);
    let next = ["civil/sharing_lead vote-needed now", "hook:civil vote-needed now"];
    assert_eq!(told(State::InReview, &[first, second]), [applicant, next].concat());
}

#[test]
fn a_vote_on_an_earlier_revision_counts_for_nothing() {
    let (voter, mut old) = vote("civil.head", Role::SectionHead, 0);
    if let What::Approved { revision, .. } = &mut old {
        *revision = Terms { per_day: 1, ..terms() }.revision();
    }
    let overdue = (Actor::Timer, What::Overdue);
    assert_eq!(
        told(State::InReview, &[(voter, old), overdue]),
        [
            "civil/section_head overdue now",
            "hook:civil overdue now",
            "civil/confidentiality_officer overdue now",
            "coordinator late day",
        ]
    );
}

#[test]
fn a_deadline_concerns_whoever_holds_it_up() {
    let reminded = |state| told(state, &[(Actor::Timer, What::Reminded)]);
    let lead = ["housing/sharing_lead reminded day", "hook:housing reminded now"];
    assert_eq!(
        (reminded(State::Consent), reminded(State::Offered)),
        (lead.map(String::from).into(), lead.map(String::from).into())
    );
    assert_eq!(reminded(State::Returned), ["housing.wu reminded day", "hook:housing reminded now"]);
    assert_eq!(reminded(State::Active), [""; 0]);
    let voted = vote("civil.head", Role::SectionHead, 0);
    assert_eq!(
        told(State::InReview, &[voted, (Actor::Timer, What::Reminded)]),
        ["civil/confidentiality_officer reminded day", "hook:civil reminded now"]
    );
}

#[test]
fn a_provider_that_it_never_came_to_hears_nothing_of_it() {
    let withdrawn = (by("housing.wu", Role::Applicant), What::Withdrawn);
    let heard = told(State::Withdrawn, std::slice::from_ref(&withdrawn));
    assert_eq!(heard, ["housing/sharing_lead withdrawn day", "hook:housing withdrawn now"]);
    let consented = (
        by("housing.lead", Role::SharingLead),
        What::Consented { due: Due { day: date!(2026 - 12 - 04), provisional: false } },
    );
    assert!(
        told(State::Withdrawn, &[consented, withdrawn]).contains(&"civil/sharing_lead withdrawn day".into())
    );
}

#[test]
fn a_comment_goes_to_the_other_side() {
    let comment = || What::Commented { text: CANARY.into() };
    assert_eq!(
        told(State::InReview, &[(by("housing.wu", Role::Applicant), comment())]),
        ["civil/sharing_lead commented day", "hook:civil commented now"]
    );
    assert_eq!(
        told(State::InReview, &[(by("civil.head", Role::SectionHead), comment())]),
        ["housing.wu commented day", "hook:housing commented now"]
    );
}

/// Every event with words in it, and what is made of it, letters included.
#[test]
fn nothing_that_a_person_typed_leaves() {
    let head = || by("civil.head", Role::SectionHead);
    let note = || CANARY.to_owned();
    let events = [
        What::Declined { note: note() },
        What::Returned { missing: vec![Missing { pointer: note(), note: note() }] },
        What::Refused { reason: "no-basis".into(), basis: note(), note: note() },
        What::ExtensionAsked { days: 5, note: note() },
        What::ExtensionRefused { note: note() },
        What::Commented { text: note() },
        What::Suspended { note: note() },
        What::Revoked { note: note() },
        What::Offered { terms: terms(), revision: terms().revision() },
        vote("civil.head", Role::SectionHead, 0).1,
    ];
    for event in events {
        let application = application(State::InReview, &[(head(), event.clone())]);
        let notices = about(&application, &application.events, Some(date!(2026 - 11 - 25)));
        assert!(notices.len() > 3, "{event:?}");
        let all = letter_of(notices, true);
        let catalogue = Catalogue::default();
        for lang in [Lang::Zh, Lang::En] {
            let written = letter::mail(&all, &reader(lang), &catalogue, "https://sluice.example/", NOW);
            assert!(!written.text.contains("canary") && !written.subject.contains("canary"), "{event:?}");
        }
        assert!(!String::from_utf8(letter::webhook(&all)).unwrap().contains("canary"), "{event:?}");
    }
}

fn reader(lang: Lang) -> Account {
    Account {
        id: AccountId::parse("civil.li").unwrap(),
        person: PersonId::parse("1024").unwrap(),
        name: "李\r\nBcc: all".into(),
        department: department("civil"),
        roles: vec![Role::SharingLead],
        email: Some("li@civil.example".into()),
        lang,
        active: true,
    }
}

fn letter_of(notices: Vec<Notice>, digest: bool) -> Letter {
    let posted = |(seq, notice)| Posted { seq, at: NOW, notice };
    Letter {
        id: 7,
        address: Address::Mail(AccountId::parse("civil.li").unwrap()),
        digest,
        made_at: NOW,
        attempt: 1,
        notices: (1..).zip(notices).map(posted).collect(),
    }
}

#[test]
fn every_kind_makes_a_letter_in_both_languages() {
    let application = application(State::Consent, &[]);
    let one = about(&application, &application.events, Some(date!(2026 - 11 - 25))).remove(0);
    for kind in Kind::ALL {
        let letter = letter_of(vec![Notice { kind: *kind, ..one.clone() }], false);
        for (lang, due) in [(Lang::Zh, "2026年11月25日"), (Lang::En, "2026-11-25")] {
            let written = letter::mail(&letter, &reader(lang), &Catalogue::default(), "https://s/", NOW);
            assert!(written.subject.ends_with("A-2026-000001"), "{}", written.subject);
            for part in [due, "https://s/A-2026-000001", "civil.subsistence", "李Bcc: all"] {
                assert!(written.text.contains(part), "{part} is not in:\n{}", written.text);
            }
            assert!(lang == Lang::Zh || written.subject.is_ascii());
        }
    }
}

#[test]
fn a_long_day_says_how_much_it_leaves_out() {
    let application = application(State::Consent, &[]);
    let one = about(&application, &application.events, None).remove(0);
    let letter = letter_of(vec![one; 130], true);
    let written = letter::mail(&letter, &reader(Lang::En), &Catalogue::default(), "https://s/", NOW);
    assert!(written.subject.contains("(130)"));
    assert!(written.text.contains("\n100. ") && !written.text.contains("\n101. "));
    assert!(written.text.contains("There are 30 more"));
}
