//! One department's record of a person, in the field names of its dataset's schema.
//!
//! Invariant: a record holds exactly the fields of `schemas/<dataset>.json`, in that order. What
//! departments must agree on comes from the [`Person`]; the rest is drawn from a stream that is
//! the person's and the dataset's own, so that adding a dataset changes no other record.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use time::macros::date;
use time::{Date, Duration};

use super::household::STANDARD;
use super::organisations::{employer, organisations};
use super::random::Random;
use super::{Custody, Marriage, Person, Rental, Sex, Subsistence, Work, plus_months};
use crate::catalogue::identifier::luhn_holds;

/// A record, by field name.
pub type Record = Map<String, Value>;

/// Makes the record of a person as of a day; `None` where the department has none.
type Make = fn(&Person, Date) -> Option<Record>;

/// The datasets about people and what makes their records.
const DATASETS: [(&str, Make); 10] = [
    ("civil.subsistence", subsistence),
    ("civil.marriage", marriage),
    ("hrss.employment", employment),
    ("hrss.pension", pension),
    ("medical.insurance", insurance),
    ("medical.assistance", assistance),
    ("justice.custody", custody),
    ("justice.correction", correction),
    ("housing.ownership", ownership),
    ("housing.public_rental", public_rental),
];

/// Number of social organisations in the register.
const ORGANISATIONS: u32 = 300;

/// Division code of the demo's district.
const DISTRICT: &str = "110105";

/// All records of every dataset, by its code: what the departments' databases are filled with.
pub fn all(seed: u64, people: &[Person], today: Date) -> BTreeMap<&'static str, Vec<Record>> {
    let make = |make: Make| people.iter().filter_map(|person| make(person, today)).collect();
    let mut records: BTreeMap<_, _> = DATASETS.into_iter().map(|(dataset, of)| (dataset, make(of))).collect();
    records.insert("civil.organisations", organisations(seed, ORGANISATIONS, today));
    records
}

/// `civil.subsistence`: every member of a household that receives or received the allowance.
pub fn subsistence(person: &Person, today: Date) -> Option<Record> {
    let household = &person.household;
    let standing = household.subsistence?;
    let mut random = Random::stream(person.seed, 1);
    let approved = random.day(plus_months(today, -72), today - Duration::days(60));
    let missing = (STANDARD * household.size).saturating_sub(household.income).max(50);
    let (status, income, allowance, review) = match standing {
        Subsistence::Receiving => {
            let review = random.day(today, plus_months(today, 12));
            ("receiving", Some(household.income), missing, Some(review))
        }
        Subsistence::Suspended => ("suspended", None, 0, Some(today)),
        Subsistence::Ended => ("ended", Some(household.income), 0, None),
    };
    Some(record([
        ("name", json!(person.name)),
        ("id_number", json!(person.id_number)),
        ("status", json!(status)),
        ("category", json!(if household.rural { "rural" } else { "urban" })),
        ("household_size", json!(household.size)),
        ("monthly_income", json!(income)),
        ("monthly_allowance", json!(allowance)),
        ("approved_on", day(approved)),
        ("review_due_on", json!(review.map(|day| day.to_string()))),
        ("mobile", json!(person.mobile)),
        ("bank_card", json!((person.age >= 18).then(|| bank_card(&mut random)))),
    ]))
}

/// `civil.marriage`: who ever registered a marriage.
pub fn marriage(person: &Person, _today: Date) -> Option<Record> {
    let (status, on, spouse) = match &person.marriage {
        Marriage::Never => return None,
        Marriage::Married { name, id_number, on } => ("married", on, Some((name, id_number))),
        Marriage::Divorced(on) => ("divorced", on, None),
    };
    Some(record([
        ("name", json!(person.name)),
        ("id_number", json!(person.id_number)),
        ("status", json!(status)),
        ("registered_on", day(*on)),
        ("registered_at", json!("区民政局婚姻登记处")),
        ("spouse_name", json!(spouse.map(|(name, _)| name))),
        ("spouse_id_number", json!(spouse.map(|(_, id_number)| id_number))),
    ]))
}

/// `hrss.employment`: who works or is registered as unemployed.
pub fn employment(person: &Person, today: Date) -> Option<Record> {
    let mut random = Random::stream(person.seed, 2);
    let of_age = plus_months(person.birth, 12 * 18);
    let since = random.day(of_age.max(plus_months(today, -180)), today);
    let (status, employer, wage, benefit) = match person.work {
        Work::Employed { employer: number, wage } => ("employed", Some(employer(number)), Some(wage), false),
        Work::SelfEmployed { .. } => ("self-employed", None, None, false),
        Work::Unemployed => ("unemployed", None, None, random.per_mille(450)),
        Work::Outside | Work::Retired { .. } => return None,
    };
    let (name, credit_code) = employer.unzip();
    let since = (status != "unemployed").then(|| since.to_string());
    Some(record([
        ("name", json!(person.name)),
        ("id_number", json!(person.id_number)),
        ("status", json!(status)),
        ("employer_name", json!(name)),
        ("employer_credit_code", json!(credit_code)),
        ("employed_since", json!(since)),
        ("monthly_wage", json!(wage)),
        ("unemployment_benefit", json!(benefit)),
    ]))
}

/// `hrss.pension`: adults who contribute, have contributed or receive.
pub fn pension(person: &Person, today: Date) -> Option<Record> {
    let mut random = Random::stream(person.seed, 3);
    let age = u32::try_from(person.age).unwrap_or(0);
    let worked = age.saturating_sub(22).min(38) * 12;
    let (scheme, status, months, pension) = match person.work {
        Work::Employed { .. } => ("employee", "contributing", random.between(worked / 2, worked), None),
        Work::SelfEmployed { .. } => ("resident", "contributing", random.between(worked / 3, worked), None),
        Work::Unemployed => ("employee", "suspended", random.between(0, worked), None),
        Work::Retired { pension, employee } => (
            if employee { "employee" } else { "resident" },
            "receiving",
            random.between(180, worked.max(180)),
            Some(pension),
        ),
        Work::Outside if age >= 23 => ("resident", "suspended", random.between(0, worked), None),
        Work::Outside => return None,
    };
    let retires_at = if person.sex == Sex::Male { 60 } else { 55 };
    let receiving = pension.is_some();
    let since = plus_months(person.birth, 12 * retires_at + 1).min(today);
    let verified = random.day(plus_months(today, -13), today);
    Some(record([
        ("name", json!(person.name)),
        ("id_number", json!(person.id_number)),
        ("birth_date", day(person.birth)),
        ("scheme", json!(scheme)),
        ("status", json!(status)),
        ("contribution_months", json!(months)),
        ("monthly_pension", json!(pension)),
        ("receiving_since", json!(receiving.then(|| since.to_string()))),
        ("verified_on", json!(receiving.then(|| verified.to_string()))),
    ]))
}

/// `medical.insurance`: nearly everybody.
pub fn insurance(person: &Person, today: Date) -> Option<Record> {
    let mut random = Random::stream(person.seed, 4);
    if random.per_mille(30) {
        return None;
    }
    let employee = matches!(person.work, Work::Employed { .. } | Work::Retired { employee: true, .. });
    let suspended =
        person.custody == Some(Custody::Serving) || person.work == Work::Unemployed && random.per_mille(300);
    let since = random.day(person.birth.max(date!(2001 - 04 - 01)), today);
    let cents = if employee { random.skewed(0, 4_000_000) } else { 0 };
    Some(record([
        ("name", json!(person.name)),
        ("id_number", json!(person.id_number)),
        ("scheme", json!(if employee { "employee" } else { "resident" })),
        ("status", json!(if suspended { "suspended" } else { "insured" })),
        ("insured_since", day(since)),
        ("region_code", json!(DISTRICT)),
        ("account_balance", json!(f64::from(cents) / 100.0)),
        ("chronic_disease", json!(person.ill || person.age > 60 && random.per_mille(350))),
    ]))
}

/// `medical.assistance`: the seriously ill, and some of those on the allowance.
pub fn assistance(person: &Person, today: Date) -> Option<Record> {
    let mut random = Random::stream(person.seed, 5);
    let on_allowance = person.household.subsistence == Some(Subsistence::Receiving);
    let helped = person.ill || on_allowance && random.per_mille(300);
    if !helped {
        return None;
    }
    let category = match (on_allowance, random.below(10)) {
        (true, 0) => "extreme-poverty",
        (true, _) => "subsistence",
        (false, 0..4) => "marginal",
        (false, _) => "illness-poverty",
    };
    let payments = random.between(if person.ill { 1 } else { 0 }, 6);
    let paid = (payments > 0).then(|| random.day(date_of_new_year(today), today).to_string());
    let diseases: &[&str] =
        if person.ill { &["malignancy", "renal-failure", "cardiovascular", "mental"] } else { &["other"] };
    Some(record([
        ("name", json!(person.name)),
        ("id_number", json!(person.id_number)),
        ("status", json!(if person.ill || random.per_mille(800) { "receiving" } else { "ended" })),
        ("category", json!(category)),
        ("payments_this_year", json!(payments)),
        ("amount_this_year", json!(payments * random.between(200, if person.ill { 9000 } else { 1500 }))),
        ("last_paid_on", json!(paid)),
        ("disease_category", json!(random.pick(diseases))),
    ]))
}

/// `justice.custody`: who serves a sentence, or was released within two years.
pub fn custody(person: &Person, today: Date) -> Option<Record> {
    let standing = person.custody?;
    let mut random = Random::stream(person.seed, 6);
    let adult_for = months(person.age - 18).max(12);
    let served = random.between(6, adult_for.min(96));
    let (sentence, admitted) = match standing {
        Custody::Serving => (served + random.between(2, 120), plus_months(today, -signed(served))),
        Custody::Released => (served, plus_months(today, -signed(served + random.between(1, 23)))),
    };
    Some(record([
        ("name", json!(person.name)),
        ("id_number", json!(person.id_number)),
        ("in_custody", json!(standing == Custody::Serving)),
        ("facility", json!(random.pick(&["青河监狱", "南山监狱", "柳湖监狱"]))),
        ("admitted_on", day(admitted)),
        ("release_due_on", day(plus_months(admitted, signed(sentence)))),
        ("sentence_months", json!(sentence)),
        (
            "offence_category",
            json!(random.pick(&["property", "property", "violence", "drugs", "traffic", "economic"])),
        ),
    ]))
}

/// `justice.correction`: who is or lately was under community correction.
pub fn correction(person: &Person, today: Date) -> Option<Record> {
    if !person.correction {
        return None;
    }
    let mut random = Random::stream(person.seed, 7);
    let started = plus_months(today, -signed(random.between(1, 24)));
    let ends = plus_months(started, signed(random.between(6, 36)));
    let status = if ends > today { "in-correction" } else { "completed" };
    Some(record([
        ("name", json!(person.name)),
        ("id_number", json!(person.id_number)),
        ("status", json!(status)),
        (
            "kind",
            json!(random.pick(&[
                "probation",
                "probation",
                "probation",
                "parole",
                "control",
                "outside-prison"
            ])),
        ),
        ("started_on", day(started)),
        ("ends_on", day(ends)),
        ("region_code", json!(DISTRICT)),
        ("needs_support", json!(person.work == Work::Unemployed || random.per_mille(250))),
    ]))
}

/// `housing.ownership`: who owns a home.
pub fn ownership(person: &Person, today: Date) -> Option<Record> {
    if person.homes == 0 {
        return None;
    }
    let mut random = Random::stream(person.seed, 8);
    let decimetres = u32::from(person.homes) * random.between(380, 1400);
    let earliest = plus_months(person.birth, 12 * 22).max(date!(1999 - 01 - 01));
    Some(record([
        ("name", json!(person.name)),
        ("id_number", json!(person.id_number)),
        ("homes", json!(person.homes)),
        ("total_area", json!(f64::from(decimetres) / 10.0)),
        ("region_code", json!(DISTRICT)),
        ("address", json!(person.household.address)),
        ("acquired_on", day(random.day(earliest, today - Duration::days(30)))),
        ("mortgaged", json!(person.age < 55 && random.per_mille(600))),
    ]))
}

/// `housing.public_rental`: adults of a household that rents or waits.
pub fn public_rental(person: &Person, today: Date) -> Option<Record> {
    let standing = person.household.rental.filter(|_| person.age >= 18)?;
    let mut random = Random::stream(person.seed, 9);
    let renting = standing == Rental::Renting;
    let ends = random.day(today, plus_months(today, 36)).to_string();
    Some(record([
        ("name", json!(person.name)),
        ("id_number", json!(person.id_number)),
        ("status", json!(if renting { "renting" } else { "waiting" })),
        ("applied_on", day(random.day(plus_months(today, -84), today - Duration::days(30)))),
        ("project", json!(renting.then(|| random.pick(&["安居家园", "惠民公寓", "春晖新苑"])))),
        ("monthly_rent", json!(renting.then(|| random.between(12, 90) * 10))),
        ("contract_until", json!(renting.then_some(ends))),
        ("in_arrears", json!(renting && random.per_mille(90))),
    ]))
}

/// A record of these fields, in this order.
pub(super) fn record<const N: usize>(fields: [(&str, Value); N]) -> Record {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn day(day: Date) -> Value {
    Value::String(day.to_string())
}

fn date_of_new_year(today: Date) -> Date {
    today.replace_ordinal(1).unwrap_or(today)
}

fn months(years: i32) -> u32 {
    u32::try_from(years * 12).unwrap_or(0)
}

fn signed(months: u32) -> i32 {
    i32::try_from(months).unwrap_or(i32::MAX)
}

/// Nineteen digits for which the Luhn check holds.
fn bank_card(random: &mut Random) -> String {
    let body = format!("622848{:06}{:06}", random.below(1_000_000), random.below(1_000_000));
    let digits = (0..10).map(|digit| format!("{body}{digit}"));
    digits.into_iter().find(|card| luhn_holds(card)).unwrap_or(body)
}
