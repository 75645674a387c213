//! Grants from outside the files, beside those of the files.

use std::sync::Arc;

use super::world::{World, at, field, grant, said, try_load, with, world};
use crate::base::Value;
use crate::base::ids::{DatasetId, DepartmentId, FieldName, PurposeId, RuleId, SystemId};
use crate::catalogue::Form;
use crate::policy::{Condition, Grant, GrantedField, Offer, Policy};

fn id(text: &str) -> RuleId {
    RuleId::parse(text).unwrap()
}

/// `h.one` may have these fields of `civil.list`, in these forms, for `aid`.
fn stored(name: &str, fields: &[(&str, Form)]) -> Grant {
    Grant {
        rule: Grant::rule(&id(name)).unwrap(),
        id: id(name),
        dataset: DatasetId::parse("civil.list").unwrap(),
        department: DepartmentId::parse("hrss").unwrap(),
        systems: vec![SystemId::parse("h.one").unwrap()],
        purpose: PurposeId::parse("aid").unwrap(),
        fields: fields
            .iter()
            .map(|(field, form)| GrantedField {
                field: FieldName::parse(field).unwrap(),
                form: *form,
                compare: vec![],
            })
            .collect(),
        from: at("2026-01-01T00:00:00Z"),
        until: at("2027-01-01T00:00:00Z"),
        suspended: false,
        per_day: 10,
        people: None,
        condition: None,
        basis: "法".into(),
        line: 0,
    }
}

/// The world with these grants, as far as they are let through.
fn beside(world: World, grants: Vec<Grant>) -> World {
    let admitted = grants.into_iter().filter_map(|g| world.policy.admit(&Arc::new(g), &world.catalogue).0);
    let policy = world.policy.with_grants(admitted.collect::<Vec<_>>().into_iter(), |_| None);
    World { policy, ..world }
}

const A_RULE: &str = "p, dep:civil, civil.list, status, aid, plain, allow, R1";
const OF_THE_FILE: &str = "{ field = \"income\", form = \"band\" }";

fn with_one_in_the_file() -> World {
    world("", &grant("G-2026-0001", "civil.list", "hrss", "h.one", "aid", OF_THE_FILE, "2026-12-31"))
}

#[test]
fn a_stored_grant_gives_what_it_says_beside_those_of_the_files_and_nothing_once_it_is_gone() {
    let w = with_one_in_the_file();
    assert_eq!(w.says("h.one", "id_number", None), "grant-required");
    let w = beside(w, vec![stored("G-2026-000001", &[("id_number", Form::Mask)])]);
    for _ in 0..2 {
        assert_eq!(w.says("h.one", "id_number", None), "mask by grant:G-2026-000001");
        assert_eq!(w.says("h.one", "income", None), "band by grant:G-2026-0001");
        assert_eq!(w.says("h.two", "id_number", None), "grant-required");
    }
    let w =
        beside(w, vec![Grant { suspended: true, ..stored("G-2026-000001", &[("id_number", Form::Mask)]) }]);
    assert_eq!(w.says("h.one", "id_number", None), "grant-not-valid by grant:G-2026-000001");
    let w = beside(w, vec![]);
    assert_eq!(w.says("h.one", "id_number", None), "grant-required");
    assert_eq!(w.says("h.one", "income", None), "band by grant:G-2026-0001");
}

#[test]
fn a_grant_of_the_files_is_stopped_and_put_back_without_the_file() {
    let w = with_one_in_the_file();
    let stop = |policy: &Policy, suspended| {
        policy.with_grants(std::iter::empty(), |grant| (*grant == id("G-2026-0001")).then_some(suspended))
    };
    let stopped = World { policy: stop(&w.policy, true), ..w };
    assert_eq!(stopped.says("h.one", "income", None), "grant-not-valid by grant:G-2026-0001");
    let back = World { policy: stop(&stopped.policy, false), ..stopped };
    assert_eq!(back.says("h.one", "income", None), "band by grant:G-2026-0001");
}

#[test]
fn of_a_stored_grant_only_what_the_catalogue_allows_today_is_given() {
    let w = world(A_RULE, "");
    let of = |grant: Grant| w.policy.admit(&Arc::new(grant), &w.catalogue);
    let good = stored("G-2026-000001", &[("income", Form::Band), ("id_number", Form::Mask)]);
    let (admitted, left_out) = of(good.clone());
    assert_eq!((admitted.as_deref(), left_out.len()), (Some(&good), 0));

    // One field fell out of the catalogue, or is listed in no such form, or is withheld by now.
    for gone in [("wage", Form::Band), ("id_number", Form::Band), ("custody", Form::Plain)] {
        let (admitted, left_out) = of(stored("G-2026-000001", &[("income", Form::Band), gone]));
        assert_eq!(admitted.unwrap().fields, stored("G", &[("income", Form::Band)]).fields, "{gone:?}");
        assert!(left_out[0].contains(gone.0), "{left_out:?}");
        assert_eq!(of(stored("G-2026-000001", &[gone])).0, None);
    }
    // A form that its owner lists for another purpose; a system that is not the department's.
    assert_eq!(of(Grant { purpose: PurposeId::parse("tax").unwrap(), ..good.clone() }).0, None);
    assert_eq!(of(Grant { dataset: DatasetId::parse("civil.lost").unwrap(), ..good.clone() }).0, None);
    let systems = ["j.one", "h.two", "h.lost"].map(|s| SystemId::parse(s).unwrap()).to_vec();
    let (admitted, left_out) = of(Grant { systems: systems.clone(), ..good });
    assert_eq!((admitted.unwrap().systems.as_slice(), left_out.len()), (&systems[1..2], 2));
}

#[test]
fn a_grant_with_a_condition_is_for_one_subject_in_its_case_by_its_person_and_nobody_else_learns_of_it() {
    let condition = Some(Condition { case: "YJ-7".into(), operator: "hrss.li".into() });
    let grant = Grant { condition, ..stored("E-2026-000001", &[("income", Form::Plain)]) };
    let w = beside(world(A_RULE, ""), vec![grant]);
    let says = |case: &str, operator: &str, subjects: usize| {
        let mut ask = w.ask("civil.list", "aid", vec![field("income", None, None)]);
        (ask.case, ask.operator) = (case.into(), operator.into());
        ask.subjects = vec![Value::new("11010519491231002X".into()); subjects];
        said(&w.policy.decide(&w.system("h.one"), &ask, at("2026-06-01T00:00:00Z")).fields[0])
    };
    for _ in 0..2 {
        assert_eq!(says("YJ-7", "hrss.li", 1), "plain by grant:E-2026-000001");
        assert_eq!(says("YJ-8", "hrss.li", 1), "grant-required");
        assert_eq!(says("YJ-7", "hrss.wu", 1), "grant-required");
        assert_eq!(says("YJ-7", "hrss.li", 2), "grant-required");
    }
    // Beside an ordinary grant its own form is given, and only in the case.
    let beside_it =
        beside(with_one_in_the_file(), w.policy.grants().iter().map(|g| Grant::clone(g)).collect());
    let mut ask = beside_it.ask("civil.list", "aid", vec![field("income", None, None)]);
    let mut says = |case: &str| {
        (ask.case, ask.operator) = (case.into(), "hrss.li".into());
        ask.subjects = vec![Value::new("11010519491231002X".into())];
        let verdict = beside_it.policy.decide(&beside_it.system("h.one"), &ask, at("2026-06-01T00:00:00Z"));
        said(&verdict.fields[0])
    };
    assert_eq!(says("YJ-7"), "plain by grant:E-2026-000001");
    assert_eq!(says("YJ-8"), "band by grant:G-2026-0001");

    let aid = PurposeId::parse("aid").unwrap();
    let (system, dataset) = (w.system("h.one"), &w.catalogue.datasets["civil.list"]);
    let offers = w.policy.offers(&system, dataset, &aid, at("2026-06-01T00:00:00Z"));
    assert!(offers.iter().all(|offer| matches!(offer, Offer::Refused(_))), "{offers:?}");
}

#[test]
fn ten_thousand_grants_of_others_change_nothing_in_what_one_question_looks_at() {
    let many = (0..10_000).map(|n| Grant {
        systems: vec![SystemId::parse("h.two").unwrap()],
        ..stored(&format!("G-2026-{n:06}"), &[("id_number", Form::Mask)])
    });
    let w =
        beside(world(A_RULE, ""), many.chain([stored("G-2027-000001", &[("income", Form::Band)])]).collect());
    assert_eq!(w.says("h.one", "income", None), "band by grant:G-2027-000001");
    assert_eq!(w.policy.usable_by("h.one", "civil.list", "aid"), 1);
    assert_eq!(w.policy.grants().len(), 10_001);
}

#[test]
fn ids_that_the_gateway_gives_are_not_for_the_file() {
    let faults = |name: &str| {
        let text = grant(name, "civil.list", "hrss", "h.one", "aid", OF_THE_FILE, "2026-12-31");
        let sources = with(super::world::sources(), &[("policies/grants.toml", &text)]);
        try_load(&sources).err().map(|found| found.0[0].code)
    };
    for name in ["G-2026-000001", "E-2026-000001", "E-1"] {
        assert_eq!(faults(name), Some("grant-id-taken"), "{name}");
    }
    assert_eq!(faults("G-2026-0001"), None);
}
