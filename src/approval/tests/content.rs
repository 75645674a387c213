//! What terms may say, and which fields identify a person together.

use super::world::{World, approve, at, field, terms};
use crate::approval::terms::FieldTerms;
use crate::approval::{Command, Terms, toxic};
use crate::base::Code;
use crate::base::ids::{DatasetId, PurposeId, SystemId};
use crate::catalogue::Form;

fn faults(terms: Terms) -> Vec<(String, Code)> {
    let error = World::new().draft(terms).unwrap_err();
    assert_eq!(error.code, Code::InvalidRequest);
    error.invalid.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

fn of(dataset: &str, fields: Vec<FieldTerms>) -> Terms {
    Terms { dataset: DatasetId::parse(dataset).unwrap(), fields, ..terms() }
}

#[test]
fn each_fault_of_the_terms_is_found_at_its_place() {
    let system = |id: &str| SystemId::parse(id).unwrap();
    let predicate = |value: i32| {
        let mut asked = field("income", Form::Predicate);
        asked.compare[1].value = value.into();
        vec![asked]
    };
    let recheck = PurposeId::parse("recheck").unwrap();
    let fields = |fields| Terms { fields, ..terms() };
    let cases: Vec<(&str, Code, Terms)> = vec![
        ("/terms/dataset", Code::NotAllowedValue, of("civil.none", vec![field("name", Form::Plain)])),
        (
            "/terms/purpose",
            Code::UnknownPurpose,
            Terms { purpose: PurposeId::parse("other").unwrap(), ..fields(vec![field("name", Form::Plain)]) },
        ),
        ("/terms/mode", Code::NotAllowedValue, Terms { mode: "file".into(), ..terms() }),
        ("/terms/basis", Code::MissingMember, Terms { basis: " ".into(), ..terms() }),
        ("/terms/scenario", Code::OutOfBounds, Terms { scenario: "长".repeat(2_001), ..terms() }),
        (
            "/terms/scope",
            Code::NotAllowedValue,
            Terms { scope: "张三 110105 19491231 002X 的案子".into(), ..terms() },
        ),
        (
            "/terms/toxic_reason",
            Code::NotAllowedValue,
            Terms { toxic_reason: Some("电话13812345678。".into()), ..terms() },
        ),
        ("/terms/systems", Code::TooFewItems, Terms { systems: vec![], ..terms() }),
        ("/terms/systems/0", Code::NotAllowedValue, Terms { systems: vec![system("hrss.pay")], ..terms() }),
        (
            "/terms/systems/1",
            Code::DuplicateItem,
            Terms { systems: vec![system("service.app"), system("service.app")], ..terms() },
        ),
        ("/terms/fields", Code::TooFewItems, fields(vec![])),
        ("/terms/fields/0/field", Code::UnknownField, fields(vec![field("amount", Form::Plain)])),
        (
            "/terms/fields/1",
            Code::DuplicateItem,
            fields(vec![field("name", Form::Plain), field("name", Form::Mask)]),
        ),
        ("/terms/fields/0/form", Code::FormNotPermitted, fields(vec![field("name", Form::Band)])),
        (
            "/terms/fields/0/form",
            Code::FormNotPermitted,
            Terms { purpose: recheck, ..fields(vec![field("income", Form::Plain)]) },
        ),
        ("/terms/fields/0/form", Code::Withheld, fields(vec![field("custody", Form::Plain)])),
        ("/terms/fields/0/compare/1", Code::PredicateNotPermitted, fields(predicate(3500))),
        ("/terms/fields/0/compare/1", Code::DuplicateItem, fields(predicate(3000))),
        (
            "/terms/fields/0/compare",
            Code::TooFewItems,
            fields(vec![FieldTerms { compare: vec![], ..field("income", Form::Predicate) }]),
        ),
        (
            "/terms/fields/0/compare",
            Code::NotAllowedValue,
            fields(vec![FieldTerms { form: Form::Band, ..field("income", Form::Predicate) }]),
        ),
        (
            "/terms/fields/0/reason",
            Code::MissingMember,
            fields(vec![FieldTerms { reason: String::new(), ..field("name", Form::Mask) }]),
        ),
        ("/terms/per_day", Code::OutOfBounds, Terms { per_day: 0, distinct_per_day: 0, ..terms() }),
        ("/terms/distinct_per_day", Code::OutOfBounds, Terms { distinct_per_day: 101, ..terms() }),
        ("/terms/until", Code::OutOfBounds, Terms { until: at("2026-11-22T00:00:00Z").day(), ..terms() }),
        ("/terms/until", Code::OutOfBounds, Terms { until: at("2029-08-21T00:00:00Z").day(), ..terms() }),
    ];
    for (pointer, code, terms) in cases {
        let found = faults(terms);
        assert!(found.contains(&(pointer.to_owned(), code)), "{pointer} {code:?}: {found:?}");
        assert!(found.len() <= 2, "{pointer}: {found:?}");
    }
}

#[test]
fn nobody_applies_for_their_own_department_s_data() {
    let error = World::new().draft_as("civil.applicant", terms(), None).unwrap_err();
    assert!(error.invalid.iter().any(|fault| fault.pointer == "/terms/dataset"));
    assert_eq!(World::new().draft_as("service.leader", terms(), None).unwrap_err().code, Code::Forbidden);
}

#[test]
fn faults_are_bounded_in_number() {
    let many = vec![field("none", Form::Plain); 10_000];
    assert!(faults(Terms { fields: many, ..terms() }).len() <= 32);
}

#[test]
fn a_toxic_combination_is_justified_before_it_is_handed_in_and_seen_by_the_voters() {
    let fields = ["birth_date", "sex", "community"].map(|name| field(name, Form::Plain)).to_vec();
    let mut world = World::new();
    world.draft(Terms { fields: fields.clone(), ..terms() }).unwrap();
    let error = world.does("service.applicant", Command::Submit).unwrap_err();
    assert_eq!(error.invalid[0].pointer, "/terms/toxic_reason");
    assert_eq!(error.invalid[0].expected.as_deref(), Some("birth-sex-community"));
    let justified = Terms { fields, toxic_reason: Some("须逐人核对".to_owned()), ..terms() };
    world.does("service.applicant", Command::Revise { terms: justified }).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    assert_eq!(world.application().toxic, ["birth-sex-community"]);
}

#[test]
fn a_combination_is_also_made_with_what_is_in_force() {
    let world = World::new();
    let names = |terms: &Terms, in_force: &[Terms]| -> Vec<String> {
        let found = toxic::found(terms, in_force, &world.catalogue, &world.workflow);
        found.into_iter().map(|toxic| toxic.name.clone()).collect()
    };
    let two = of("civil.list", vec![field("birth_date", Form::Band), field("sex", Form::Plain)]);
    let third = of("civil.pay", vec![field("community", Form::Plain)]);
    assert_eq!(names(&two, &[]), [""; 0]);
    assert_eq!(names(&third, &[]), [""; 0]);
    assert_eq!(names(&third, std::slice::from_ref(&two)), ["birth-sex-community"]);
    assert_eq!(names(&two, std::slice::from_ref(&third)), ["birth-sex-community"]);
    // What was there before, and to which nothing is added, was justified before.
    let other = of("civil.pay", vec![field("amount", Form::Plain)]);
    assert_eq!(names(&other, &[two.clone(), third.clone()]), [""; 0]);
    // A form that does not tell it makes none.
    let mask = of("civil.list", vec![field("id_number", Form::Mask)]);
    let token = of("civil.list", vec![field("id_number", Form::Pseudonym)]);
    let age = of("civil.list", vec![field("birth_date", Form::Band)]);
    assert_eq!(names(&mask, std::slice::from_ref(&age)), ["masked-id-and-age"]);
    assert_eq!(names(&token, std::slice::from_ref(&age)), [""; 0]);
    assert_eq!(names(&mask, &[of("civil.list", vec![field("birth_date", Form::Exists)])]), [""; 0]);
}

#[test]
fn two_applications_at_the_same_time_do_not_make_a_pair_that_nobody_saw() {
    let mut world = World::new();
    world.draft(of("civil.list", vec![field("id_number", Form::Mask)])).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    world.does("service.sharing_lead", Command::Consent).unwrap();
    for who in ["section_head", "leader", "confidentiality_officer", "sharing_lead"] {
        world.does(&format!("civil.{who}"), approve()).unwrap();
    }
    world.in_force = vec![of("civil.list", vec![field("birth_date", Form::Plain)])];
    assert_eq!(world.refused("service.sharing_lead", Command::Accept), Code::WrongState);
    world.in_force.clear();
    world.does("service.sharing_lead", Command::Accept).unwrap();
}
