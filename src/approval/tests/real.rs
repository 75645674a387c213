//! The rules that are checked in, and every role x state x command that comes of them.

use std::path::Path;

use crate::approval::{Kind, State, Workflow, matrix};
use crate::base::{Sources, Timestamp};
use crate::catalogue::Catalogue;
use crate::identity::{self, Registry, Role};

fn checked_in() -> (Workflow, Catalogue, Registry) {
    let mut sources = Sources::default();
    for folder in ["schemas", "policies"] {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
                sources.0.insert(path, std::fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    let (catalogue, _) = Catalogue::load(&sources).unwrap();
    let (workflow, warnings) = Workflow::load(&sources, &catalogue).unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(warnings.to_string(), "");
    let registry = Registry::new(identity::load(&sources).unwrap());
    (workflow, catalogue, registry)
}

#[test]
fn the_matrix_that_is_checked_in_is_what_the_handler_does() {
    let (workflow, catalogue, registry) = checked_in();
    let now = matrix(&workflow, &catalogue, &registry);
    let then = include_str!("../../../policies/workflow.txt");
    let differ = now.lines().zip(then.lines()).position(|(now, then)| now != then);
    let at = differ.unwrap_or(now.lines().count().min(then.lines().count()));
    assert!(
        now == then,
        "policies/workflow.txt is out of date from line {}\n- {}\n+ {}\nRead the difference; if it is meant: cargo run -- check --workflow > policies/workflow.txt",
        at + 1,
        then.lines().nth(at).unwrap_or_default(),
        now.lines().nth(at).unwrap_or_default(),
    );
}

#[test]
fn the_matrix_has_every_state_and_command_and_leaves_nobody_out() {
    let text = include_str!("../../../policies/workflow.txt");
    for state in State::ALL {
        assert!(text.contains(&format!("\n== {}  ", state.as_str())), "{state:?}");
    }
    for kind in Kind::OF_PEOPLE {
        assert!(text.contains(&format!("\n   {} ", kind.as_str())), "{kind:?}");
    }
    // Roles that have no part in applications may do nothing to them.
    for role in [Role::SystemAdmin, Role::Auditor, Role::CitizenService] {
        assert!(!text.contains(role.as_str()), "{role:?}");
    }
    assert!(!text.contains("third:"), "another department has no part");
    // What is over is over.
    for state in State::ALL.into_iter().filter(|state| state.is_final()) {
        let block = text.split(&format!("\n== {}  ", state.as_str())).nth(1).unwrap();
        assert_eq!(block.lines().nth(1), Some("   (nobody, nothing)"), "{state:?}");
    }
}

#[test]
fn the_calendar_that_is_checked_in_is_the_published_one() {
    let (workflow, ..) = checked_in();
    let published: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/vectors/calendar.json")).unwrap();
    let mut years = 0;
    for (year, notice) in published.as_object().unwrap().iter().filter(|(_, notice)| notice.is_object()) {
        let read = &workflow.calendar.years[&year.parse().unwrap()];
        for (days, name) in [(&read.off, "off"), (&read.work, "work")] {
            assert_eq!(serde_json::to_value(days).unwrap(), notice[name], "{year} {name}");
        }
        years += 1;
    }
    assert_eq!(years, workflow.calendar.years.len());
    assert_eq!(workflow.worn(Timestamp::parse("2026-11-22T00:00:00Z").unwrap()).0, []);
}
