//! Properties of the ladder: no form ever reveals more than the next.
//!
//! Made precise: a form reveals no more than another when whatever the other shows alike, it
//! shows alike too (its partition of the values is coarser). From that follows that a recipient
//! learns from it nothing that the other would not have told. It holds for any field whose terms
//! nest, and the last test holds every field of the catalogue to that.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation;

use super::Disclosure;
use super::tests::{TestField, answer, field};
use crate::catalogue::{BandBy, Field, Form, Op, Predicate, Sharing};

fn shown(field: &Field, form: Form, value: &Value) -> Value {
    let predicate = field.sharing.forms[&form].compare.first();
    let name = field.name.as_str();
    let plan = [Disclosure { field, form, predicate }];
    answer(&plan, json!({ name: value }), "housing", "housing-aid.review").unwrap()[name].clone()
}

/// For each step of the ladder that the field takes: equal above means equal below.
fn each_form_reveals_no_more_than_the_next(field: &Field, a: &Value, b: &Value) -> Result<(), TestCaseError> {
    let forms: Vec<Form> = field.sharing.forms.keys().copied().collect();
    for step in forms.windows(2) {
        let (less, more) = (step[0], step[1]);
        if shown(field, more, a) == shown(field, more, b) {
            prop_assert_eq!(shown(field, less, a), shown(field, less, b), "{} against {}", less, more);
        }
    }
    Ok(())
}

fn comparison() -> impl Strategy<Value = Op> {
    select(vec![Op::Lt, Op::Ge])
}

/// Names, double surnames, other scripts, combining marks and emoji; no star, which masks use.
fn words() -> impl Strategy<Value = String> {
    let grapheme = select(vec!["欧", "阳", "司", "马", "王", "明", "a", "·", "e\u{301}", "👨‍👩‍👧", "1"]);
    vec(grapheme, 1..12).prop_map(|graphemes| graphemes.concat())
}

proptest! {
    #[test]
    fn of_numbers(edges in btree_set(-20i64..20, 1..6), at in any::<prop::sample::Index>(), op in comparison(),
                  a in -25i64..25, b in -25i64..25) {
        let edges: Vec<i64> = edges.into_iter().collect();
        let constant = edges[at.index(edges.len())];
        let field = field("f", None, json!({
            "exists": {}, "predicate": {"compare": [{"op": op, "value": constant}]},
            "band": {"by": {"edges": edges}}, "pseudonym": {}, "plain": {}}));
        each_form_reveals_no_more_than_the_next(&field, &json!(a), &json!(b))?;
    }

    #[test]
    fn of_dates(a in (1940u16..1944, 1u8..13, 1u8..29), b in (1940u16..1944, 1u8..13, 1u8..29),
                by in select(vec![json!({"age": 2}), json!({"date-to": "year"}), json!({"date-to": "month"})])) {
        let field = field("f", None, json!({"exists": {}, "band": {"by": by}, "pseudonym": {}, "plain": {}}));
        let date = |(year, month, day)| json!(format!("{year:04}-{month:02}-{day:02}"));
        each_form_reveals_no_more_than_the_next(&field, &date(a), &date(b))?;
    }

    #[test]
    fn of_texts(a in words(), b in words(), kind in select(vec!["name", "text"])) {
        let field = field("f", None, json!({"exists": {}, "mask": {"mask": kind}, "pseudonym": {}, "plain": {}}));
        each_form_reveals_no_more_than_the_next(&field, &json!(a), &json!(b))?;
    }

    #[test]
    fn a_mask_keeps_the_number_of_graphemes_and_says_nothing_of_the_hidden_ones(
        text in words(), kind in select(vec!["name", "text"]),
    ) {
        let field = field("f", None, json!({"mask": {"mask": kind}}));
        let masked = shown(&field, Form::Mask, &json!(text));
        let masked: Vec<&str> = masked.as_str().unwrap().graphemes(true).collect();
        let own: Vec<&str> = text.graphemes(true).collect();
        prop_assert_eq!(masked.len(), own.len());
        prop_assert!(masked.contains(&"*"), "something is always hidden");
        prop_assert!(masked.iter().zip(&own).all(|(shown, own)| shown == own || *shown == "*"));

        let other: String = masked.iter().map(|shown| if *shown == "*" { "某" } else { shown }).collect();
        prop_assert_eq!(shown(&field, Form::Mask, &json!(other)), json!(masked.concat()));
    }

    #[test]
    fn what_was_not_planned_never_passes(
        record in btree_map("[a-f]", any::<i64>(), 0..6), planned in subsequence(vec!["a", "b", "c", "d"], 0..4),
    ) {
        let fields: Vec<TestField> = planned.iter().map(|name| field(name, None, json!({"plain": {}}))).collect();
        let plan: Vec<_> =
            fields.iter().map(|field| Disclosure { field, form: Form::Plain, predicate: None }).collect();
        let answer = answer(&plan, json!(record), "housing", "housing-aid.review").unwrap();
        let names: Vec<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
        prop_assert_eq!(names, planned);
    }
}

/// A band whose edges a predicate's constant does not meet would be cut in two by asking for both.
fn nests(predicate: &Predicate, by: &BandBy) -> bool {
    let (BandBy::Edges(edges), Some(constant)) = (by, predicate.value.as_i64()) else { return false };
    let cuts: &[i64] = match predicate.op {
        Op::Lt | Op::Ge => &[constant],
        Op::Le | Op::Gt => &[constant + 1],
        Op::Eq | Op::Ne => &[constant, constant + 1],
    };
    cuts.iter().all(|cut| edges.contains(cut))
}

#[test]
fn the_terms_of_every_field_of_the_catalogue_nest() {
    let mut seen = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for (name, property) in schema["properties"].as_object().unwrap() {
            let sharing: Sharing = serde_json::from_value(property["x-sharing"].clone()).unwrap();
            let forms: BTreeSet<Form> = sharing.forms.keys().copied().collect();
            let at = format!("{} {name}", path.display());
            if let (Some(predicate), Some(band)) =
                (sharing.forms.get(&Form::Predicate), sharing.forms.get(&Form::Band))
            {
                assert!(
                    predicate.compare.iter().all(|p| nests(p, band.by.as_ref().unwrap())),
                    "{at}: constants on edges"
                );
            }
            let coarser = [Form::Predicate, Form::Band].iter().any(|form| forms.contains(form));
            assert!(
                !(forms.contains(&Form::Mask) && coarser),
                "{at}: a mask is not finer than bands or comparisons"
            );
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen} fields");
}
