//! What a newer program has written, read by this one: left to the newer one, and in nobody's way.

use diesel::connection::SimpleConnection;
use time::macros::date;

use super::open;
use crate::approval::command::TimerKind;
use crate::approval::event::{Actor, Event, What};
use crate::approval::{State, Terms};
use crate::base::ids::{AccountId, ApplicationId, DatasetId, DepartmentId, Fingerprint, PersonId, PurposeId};
use crate::base::{Lang, Secret, Timestamp};
use crate::identity::{Account, Role};
use crate::store::state::notice::{About, Kind, Notice, Recipient};
use crate::store::state::outbox::{Address, Channel};
use crate::store::state::{Change, Changed, Lasting, Means, NewAccount, NewSession, StateStore};

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);

fn notice() -> Notice {
    Notice {
        recipient: Recipient::Office(Role::Coordinator),
        kind: Kind::Refused,
        object: ApplicationId::parse("A-2026-000001").unwrap(),
        about: About {
            version: 3,
            dataset: DatasetId::parse("civil.subsistence").unwrap(),
            requester: DepartmentId::parse("housing").unwrap(),
            provider: DepartmentId::parse("civil").unwrap(),
            due: None,
        },
    }
}

/// Does what a newer program does: with the rights of the gateway's role.
fn newer(state: &StateStore, sql: &str) {
    state.write(|connection| Ok(connection.batch_execute(sql)?)).unwrap();
}

/// Adds a notice like the newest, of that kind, and with more to say.
fn one_more(state: &StateStore, kind: &str) {
    newer(
        state,
        &format!(
            "INSERT INTO notices (recipient, kind, object, about, urgency, created_at, act) \
             SELECT recipient, '{kind}', object, replace(about, '{{', '{{\"case\":7,'), urgency, created_at, act \
             FROM notices ORDER BY seq DESC LIMIT 1"
        ),
    );
}

#[test]
fn a_notice_of_an_unknown_kind_holds_up_no_other() {
    let (state, _home) = open();
    state.post(&[notice()], NOW).unwrap();
    let bai = Address::Mail(AccountId::parse("civil.bai").unwrap());
    let [posted] = state.unaddressed(NOW, 10).unwrap().try_into().unwrap();
    state.address(&[(posted, vec![bai.clone()])], NOW, NOW).unwrap();
    one_more(&state, "thawed");
    assert_eq!(state.unaddressed(NOW, 10).unwrap(), []);
    newer(
        &state,
        "INSERT INTO letters (channel, address, digest, created_at, next_try) \
         VALUES ('mail', 'civil.an', FALSE, 1, 1); \
         INSERT INTO letter_notices (letter, notice) \
         SELECT (SELECT max(id) FROM letters), max(seq) FROM notices",
    );
    let claimed = state.claim(Channel::Mail, NOW, NOW.plus_seconds(30), 10).unwrap();
    assert_eq!(claimed.into_iter().map(|letter| letter.address).collect::<Vec<_>>(), [bai]);

    one_more(&state, "refused");
    let [posted] = state.unaddressed(NOW, 1).unwrap().try_into().unwrap();
    assert_eq!(posted.notice, notice(), "what else it says is passed over");
}

#[test]
fn a_clock_of_an_unknown_kind_holds_up_no_other() {
    let (state, _home) = open();
    newer(
        &state,
        "INSERT INTO applications (id, version, state, requester, provider, dataset, open, rules, updated_at) \
         VALUES ('A-2026-000001', 1, 'draft', 'housing', 'civil', 'civil.subsistence', TRUE, 1, 0); \
         INSERT INTO timers (application, kind, at) VALUES ('A-2026-000001', 'thaw', 1), ('A-2026-000001', 'lapse', 2)",
    );
    let due = state.due_timers(NOW, 1).unwrap();
    assert_eq!(due.iter().map(|(_, timer)| timer.kind).collect::<Vec<_>>(), [TimerKind::Lapse]);
}

fn made(state: &StateStore, id: &str, roles: &[Role]) -> AccountId {
    let account = Account {
        id: AccountId::parse(id).unwrap(),
        person: PersonId::parse(&format!("P-{id}")).unwrap(),
        name: "王芳".into(),
        department: DepartmentId::parse("civil").unwrap(),
        roles: roles.to_vec(),
        email: None,
        lang: Lang::Zh,
        active: true,
    };
    let password = Secret::new("kept".to_owned());
    let new = NewAccount { account: &account, password: &password, until: None, code_secret: None };
    assert_eq!(state.make_account(&new, "uid 0", NOW).unwrap(), Changed::Yes);
    account.id
}

#[test]
fn an_unknown_role_permits_nothing_and_is_a_role_all_the_same() {
    let (state, _home) = open();
    let (wang, li) = (made(&state, "wang", &[]), made(&state, "li", &[Role::Leader]));
    newer(
        &state,
        "INSERT INTO account_roles (account, role) VALUES ('wang', 'archivist'), ('li', 'archivist')",
    );
    let all = state.accounts(None, "", 10).unwrap();
    let roles: Vec<_> = all.iter().map(|one| (one.account.roles.as_slice(), one.has_roles)).collect();
    assert_eq!(roles, [(&[Role::Leader][..], true), (&[][..], true)]);
    assert_eq!(state.holders(Role::Leader, None).unwrap().len(), 1);

    // What would let somebody else into what the role gives elsewhere.
    let changed = |id, change| state.change_account(id, &change, "sys", NOW);
    let certificate = Change::BindCertificate(Fingerprint::of_spki(b"key"));
    assert_eq!(changed(&wang, certificate).unwrap(), Some(Changed::HasRoles));
    let password = Secret::new("other".to_owned());
    let reset = Change::ResetPassword { password, until: NOW, guarded: true };
    assert_eq!(changed(&wang, reset).unwrap(), Some(Changed::HasRoles));
    // What it excludes is not known.
    let why = changed(&wang, Change::GiveRole(Role::Auditor)).unwrap_err().to_string();
    assert!(why.contains("unknown role"), "{why}");
    // What takes away goes on.
    assert_eq!(changed(&li, Change::WithdrawRole(Role::Leader)).unwrap(), Some(Changed::Yes));
    assert_eq!(changed(&wang, Change::Disable).unwrap(), Some(Changed::Yes));
}

#[test]
fn a_session_of_an_unknown_kind_is_none_and_hides_no_other() {
    let (state, _home) = open();
    let wang = made(&state, "wang", &[]);
    let lasting = Lasting { idle: 900, whole: 28_800, per_account: 2 };
    for id in ["a", "b"] {
        let (account, means) = (&wang, Means::Password);
        let new = NewSession { id, token: id, seal: "", account, means, code_step: None };
        assert!(state.begin_session(&new, lasting, NOW).unwrap());
    }
    newer(&state, "UPDATE sessions SET means = 'passkey' WHERE id = 'a'");
    let stands = |token| state.session(token, lasting, NOW).unwrap().is_some();
    assert!(!stands("a") && stands("b"));
    let listed = state.sessions_of(&wang, lasting, NOW).unwrap();
    assert_eq!(listed.iter().map(|session| &*session.id).collect::<Vec<_>>(), ["b"]);
}

/// The first event of an application.
fn drafted() -> Event {
    let terms = Terms {
        dataset: DatasetId::parse("civil.subsistence").unwrap(),
        purpose: PurposeId::parse("housing-aid.review").unwrap(),
        basis: String::new(),
        scenario: String::new(),
        scope: String::new(),
        mode: "service".into(),
        systems: Vec::new(),
        fields: Vec::new(),
        per_day: 1,
        distinct_per_day: 1,
        until: date!(2027 - 11 - 22),
        toxic_reason: None,
    };
    let [requester, provider] = ["housing", "civil"].map(|id| DepartmentId::parse(id).unwrap());
    let what = What::Drafted { requester, provider, terms, renews: None };
    Event { seq: 1, at: NOW, by: Actor::Timer, what }
}

#[test]
fn an_application_with_an_unknown_event_is_left_out_of_the_newest_and_hides_no_other() {
    let (state, _home) = open();
    let application = |n: u32, event: &str| {
        format!(
            "INSERT INTO applications (id, version, state, requester, provider, dataset, open, rules, updated_at) \
             VALUES ('A-2026-00000{n}', 1, 'draft', 'housing', 'civil', 'civil.subsistence', TRUE, 1, 0); \
             INSERT INTO acts (kind, object, detail, at, actor) VALUES ('application-x', '', '', 0, ''); \
             INSERT INTO application_events (application, seq, event, act) \
             SELECT 'A-2026-00000{n}', 1, '{event}', max(seq) FROM acts;"
        )
    };
    let known = serde_json::to_string(&drafted()).unwrap();
    let unknown = known.replace("drafted", "thawed");
    newer(&state, &[application(1, &known), application(2, &unknown)].concat());
    let newest = state.newest_applications(&[State::Draft], 10).unwrap();
    assert_eq!(newest.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["A-2026-000001"]);
    assert!(
        state.application(&ApplicationId::parse("A-2026-000002").unwrap()).is_err(),
        "asked for by itself"
    );
}
