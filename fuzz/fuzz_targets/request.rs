//! The body of a query: refused with places and codes that repeat nothing of a person, or an ask
//! within its bounds.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sluice::app::apply::read_sources;
use sluice::base::Code;
use sluice::catalogue::request::{MAX_FIELDS, MAX_SUBJECTS, parse};
use sluice::catalogue::{Catalogue, Dataset};
use time::macros::date;

static DATASET: LazyLock<Arc<Dataset>> = LazyLock::new(|| {
    let sources = read_sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))).unwrap();
    let (catalogue, _) = Catalogue::load(&sources).unwrap();
    let found = catalogue.datasets.values().find(|dataset| dataset.id().as_str() == "civil.subsistence");
    Arc::clone(found.unwrap())
});

fuzz_target!(|data: &[u8]| {
    match parse(&DATASET, data, date!(2026 - 11 - 22)) {
        Ok(ask) => {
            assert!((1..=MAX_SUBJECTS).contains(&ask.subjects.len()));
            assert!((1..=MAX_FIELDS).contains(&ask.fields.len()));
            assert!(ask.fields.iter().all(|field| DATASET.field(field.name.as_str()).is_some()));
            assert!(ask.case.len() <= 64 && ask.operator.len() <= 64);
        }
        Err(error) => {
            assert_ne!(error.code, Code::Internal);
            assert!((1..=32).contains(&error.invalid.len()));
            for fault in &error.invalid {
                // No run of digits that could be a part of a person's number.
                let digits = |text: &str| text.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() > 5);
                assert!(!digits(&fault.pointer), "{}", fault.pointer);
            }
        }
    }
});
