//! What a newer program has written, read by this one: left to the newer one, and in nobody's way.

use diesel::connection::SimpleConnection;

use super::open;
use crate::approval::command::TimerKind;
use crate::base::Timestamp;
use crate::base::ids::{AccountId, ApplicationId, DatasetId, DepartmentId};
use crate::identity::Role;
use crate::store::state::StateStore;
use crate::store::state::notice::{About, Kind, Notice, Recipient};
use crate::store::state::outbox::{Address, Channel};

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
