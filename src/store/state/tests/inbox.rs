//! What waits for somebody, in the order in which it is due, on either engine.

use diesel::RunQueryDsl;

use super::open;
use crate::base::ids::{ApplicationId, DepartmentId};
use crate::identity::Role;
use crate::store::state::StateStore;
use crate::store::state::applications::{Due, Place, Wait};

fn execute(state: &StateStore, sql: &str) {
    diesel::sql_query(sql).execute(&mut *state.connection().unwrap()).unwrap();
}

/// Ten thousand that wait for the section heads of civil affairs, due on 28 days, the newest id first
/// among them; every hundredth is due on no day, and every third waits for the leaders too. Written as a
/// gateway writes that knows nothing of days beside waits.
fn ten_thousand(state: &StateStore) {
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)";
    execute(
        state,
        &format!(
            "INSERT INTO applications (id, version, state, requester, provider, dataset, due_on, open, rules, updated_at)
             {numbers} SELECT 'A-2026-' || substr(CAST(1000000 + i AS TEXT), 2), 3, 'in-review', 'housing', 'civil',
             'civil.subsistence', CASE WHEN i % 100 = 0 THEN NULL
             ELSE '2026-12-' || substr(CAST(101 + (10000 - i) % 28 AS TEXT), 2) END, TRUE, 1, 0 FROM n"
        ),
    );
    for (role, every) in [("section_head", 1), ("leader", 3)] {
        execute(
            state,
            &format!(
                "INSERT INTO application_waits (department, role, application)
                 SELECT 'civil', '{role}', id FROM applications WHERE CAST(substr(id, 8) AS INTEGER) % {every} = 0"
            ),
        );
    }
}

fn roles() -> Vec<Wait> {
    let of = |department: &str, role| Wait { department: DepartmentId::parse(department), role };
    vec![
        of("civil", Role::SectionHead),
        of("civil", Role::Leader),
        of("housing", Role::SectionHead),
        Wait { department: None, role: Role::Leader },
    ]
}

fn ids(found: &[Due]) -> Vec<String> {
    found.iter().map(|due| due.row.id.to_string()).collect()
}

#[test]
fn pages_of_what_waits_follow_each_other_by_day_over_all_of_it() {
    let (state, _home) = open();
    ten_thousand(&state);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = state.inbox(&roles(), after.as_ref(), 700).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(Place::of(&last.row));
        assert_eq!(
            Place::parse(&Place::of(&last.row).to_string()).as_ref(),
            after.as_ref(),
            "as it is written"
        );
        seen.extend(page);
    }
    assert_eq!(seen.len(), 10_000, "each once, whatever number of roles it waits for");
    let mut sorted = seen.clone();
    sorted.sort_by_key(|Due { row, .. }| (row.due.is_none(), row.due.clone(), row.id.clone()));
    assert_eq!(ids(&seen), ids(&sorted), "what is due first first, and what is due on no day last");
    assert_eq!(seen.iter().filter(|due| due.row.due.is_none()).count(), 100);
    let twice = seen.iter().filter(|due| due.waits == roles()[..2]).count();
    assert_eq!((twice, seen[0].waits.is_empty()), (3_333, false), "and it is said for whom");
    assert!(state.inbox(&roles()[2..], None, 10).unwrap().is_empty(), "not for other roles");
    assert_eq!(state.number_waiting(&roles(), 1_000).unwrap(), 1_000, "counted up to there");
    assert_eq!(state.number_waiting(&roles(), 20_000).unwrap(), 10_000);
}

#[test]
fn what_is_decided_between_two_pages_moves_nothing_else() {
    let (state, _home) = open();
    ten_thousand(&state);
    let before = ids(&state.inbox(&roles(), None, 200).unwrap());
    let first = state.inbox(&roles(), None, 50).unwrap();
    // Of the page that was shown some are decided, the last too; and one that is still to come.
    let last = first.last().unwrap().row.id.to_string();
    for gone in [before[0].as_str(), before[7].as_str(), &last, before[60].as_str()] {
        execute(&state, &format!("DELETE FROM application_waits WHERE application = '{gone}'"));
    }
    let second = ids(&state.inbox(&roles(), Some(&Place::of(&first[49].row)), 50).unwrap());
    let expected: Vec<String> =
        before[50..].iter().filter(|id| **id != before[60]).take(50).cloned().collect();
    assert_eq!(second, expected);
}

#[test]
fn a_day_that_moves_moves_what_waits_with_it() {
    let (state, _home) = open();
    ten_thousand(&state);
    let id = ids(&state.inbox(&roles(), None, 1).unwrap()).remove(0);
    execute(&state, &format!("UPDATE applications SET due_on = '2027-02-01' WHERE id = '{id}'"));
    execute(&state, &format!("DELETE FROM application_waits WHERE application = '{id}'"));
    execute(
        &state,
        &format!(
            "INSERT INTO application_waits (department, role, application) VALUES ('civil', 'section_head', '{id}')"
        ),
    );
    let place = Place::parse("2027-01-31.A-2026-000000").unwrap();
    assert_eq!(ids(&state.inbox(&roles(), Some(&place), 1).unwrap()), [id]);
}

#[test]
fn a_place_is_a_day_and_an_id() {
    let id = ApplicationId::parse("A-2026-000001").unwrap();
    assert_eq!(Place::parse("2026-12-31.A-2026-000001").unwrap().to_string(), format!("2026-12-31.{id}"));
    for other in ["", "A-2026-000001", "2026-12-31", "2026-12-3.A-2026-000001", "2026-12-31.' OR 1=1", "x.y"]
    {
        assert_eq!(Place::parse(other), None, "{other}");
    }
}
