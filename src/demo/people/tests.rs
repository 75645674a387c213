//! What the demo's world promises.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{HashMap, HashSet};

use jsonschema::Validator;
use serde_json::Value;
use time::macros::date;

use super::organisations::organisations;
use super::rows::Record;
use super::*;
use crate::catalogue::IdentifierKind;

const TODAY: Date = date!(2026 - 11 - 22);

fn schema(dataset: &str) -> (Validator, Vec<String>) {
    let path = format!("{}/schemas/{dataset}.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let fields = schema["properties"].as_object().unwrap().keys().cloned().collect();
    (jsonschema::options().should_validate_formats(true).build(&schema).unwrap(), fields)
}

fn check(dataset: &str, records: Vec<Record>) -> usize {
    let (validator, fields) = schema(dataset);
    let mut count = 0;
    for record in records {
        let names: Vec<&String> = record.keys().collect();
        assert_eq!(names, fields.iter().collect::<Vec<_>>(), "{dataset}");
        let record = Value::Object(record);
        let errors: Vec<String> = validator.iter_errors(&record).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{dataset}: {errors:?}");
        count += 1;
    }
    count
}

#[test]
fn every_record_is_valid_by_its_schema_and_every_dataset_has_some() {
    let people = people(1, 3000, TODAY);
    let records = rows::all(1, &people, TODAY);
    assert_eq!(records.len(), 11);
    for (dataset, records) in records {
        let count = check(dataset, records);
        assert!((5..people.len()).contains(&count), "{dataset}: {count}");
    }
}

#[test]
fn identifiers_are_valid_and_distinct_and_agree_with_birth_and_sex() {
    let people = people(7, 12_000, TODAY);
    assert_eq!(people.len(), 12_000);
    let mut seen = HashSet::new();
    for person in &people {
        let id = person.id_number.as_str();
        assert_eq!(IdentifierKind::ResidentId.parse(id, TODAY).as_deref(), Ok(id));
        assert!(seen.insert(id), "twice");
        assert_eq!(id[6..14], person.birth.to_string().replace('-', ""));
        assert_eq!(id.as_bytes()[16] % 2 == 1, person.sex == Sex::Male);
        assert_eq!(person.age, years_between(person.birth, TODAY));
        if let Some(mobile) = &person.mobile {
            assert!(IdentifierKind::Mobile.parse(mobile, TODAY).is_ok());
        }
    }
    assert!(!seen.contains(cast::NOBODY));

    let organisations = organisations(7, 300, TODAY);
    let codes: HashSet<&str> = organisations.iter().map(|row| row["credit_code"].as_str().unwrap()).collect();
    assert_eq!(codes.len(), organisations.len());
    let employers: Vec<String> = (0..400).map(|number| organisations::employer(number).1).collect();
    for code in codes.into_iter().chain(employers.iter().map(String::as_str)) {
        assert!(IdentifierKind::SocialCreditCode.parse(code, TODAY).is_ok(), "{code}");
    }
    assert_eq!(organisations[0]["credit_code"], organisations::FIRST);
}

#[test]
fn the_same_seed_gives_the_same_world_and_another_seed_another() {
    let world = |seed| {
        let people = people(seed, 500, TODAY);
        rows::all(seed, &people, TODAY)
    };
    assert_eq!(world(1), world(1));
    assert_ne!(world(1), world(2));
}

#[test]
fn some_draw_the_allowance_while_in_custody_and_custody_is_rare() {
    for seed in 1..4 {
        let people = people(seed, 10_000, TODAY);
        let serving = || people.iter().filter(|person| person.custody == Some(Custody::Serving));
        assert!((15..60).contains(&serving().count()), "{}", serving().count());
        let receiving = |person: &&Person| person.household.subsistence == Some(Subsistence::Receiving);
        assert!(serving().filter(receiving).count() >= 5);
        let share = people.iter().filter(receiving).count();
        assert!((200..1500).contains(&share), "{share}");
    }
}

#[test]
fn facts_agree_across_departments() {
    let people = people(3, 5000, TODAY);
    let by_id: HashMap<&str, &Person> =
        people.iter().map(|person| (person.id_number.as_str(), person)).collect();
    for person in &people {
        let has = |make: fn(&Person, Date) -> Option<Record>| make(person, TODAY);
        if person.age < 16 {
            assert!(has(rows::employment).is_none() && has(rows::pension).is_none());
            assert!(has(rows::marriage).is_none() && has(rows::ownership).is_none());
        }
        if person.custody == Some(Custody::Serving) {
            assert!(has(rows::employment).is_none());
            let custody = has(rows::custody).unwrap();
            assert!(custody["release_due_on"].as_str() > Some(&TODAY.to_string()));
        }
        if let Marriage::Married { id_number, on, .. } = &person.marriage {
            assert!(*on >= plus_months(person.birth, 12 * 20) && *on <= TODAY);
            let back = &by_id[id_number.as_str()].marriage;
            assert!(matches!(back, Marriage::Married { id_number, .. } if *id_number == person.id_number));
        }
        if person.household.subsistence == Some(Subsistence::Receiving) {
            assert!(person.household.income < household::STANDARD * person.household.size);
        }
    }
}

#[test]
fn the_cast_is_as_the_examples_say() {
    let people = people(99, 20, TODAY);
    let named = |id| people.iter().find(|person| person.id_number == id).unwrap();
    assert_eq!(people[0].id_number, cast::RECIPIENT);
    let row = rows::subsistence(named(cast::RECIPIENT), TODAY).unwrap();
    assert_eq!((&row["status"], &row["monthly_income"]), (&"receiving".into(), &2800.into()));
    let prisoner = named(cast::IN_CUSTODY);
    assert_eq!(rows::subsistence(prisoner, TODAY).unwrap()["status"], "receiving");
    assert_eq!(rows::custody(prisoner, TODAY).unwrap()["in_custody"], true);
    let owner = named(cast::OWNER);
    assert_eq!(rows::employment(owner, TODAY).unwrap()["status"], "employed");
    assert_eq!(rows::ownership(owner, TODAY).unwrap()["homes"], 1);
    assert!(rows::subsistence(owner, TODAY).is_none());
    assert_eq!(rows::employment(named(cast::UNEMPLOYED), TODAY).unwrap()["status"], "unemployed");
}

#[test]
fn months_end_where_the_calendar_does() {
    assert_eq!(plus_months(date!(2025 - 01 - 31), 1), date!(2025 - 02 - 28));
    assert_eq!(plus_months(date!(2024 - 12 - 31), -10), date!(2024 - 02 - 29));
    assert_eq!(plus_months(date!(2025 - 03 - 15), -15), date!(2023 - 12 - 15));
}
