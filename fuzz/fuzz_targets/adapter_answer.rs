//! What a provider answers, in the adapter protocol and through a mapping of an older interface:
//! invalid as a whole, or exactly the fields that were asked for.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sluice::adapters::{Record, rest, sluice as protocol};
use sluice::base::ids::FieldName;
use sluice::base::{Code, Error};
use sluice::config::adapter::RestDataset;

static FIELDS: LazyLock<Vec<FieldName>> = LazyLock::new(|| {
    ["status", "income", "since", "active"].iter().map(|name| FieldName::parse(name).unwrap()).collect()
});

static MAPPING: LazyLock<RestDataset> = LazyLock::new(|| {
    toml::from_str(
        r#"
        path = "/query?id={subject}"
        record = "/data"
        success = { pointer = "/code", equals = "0" }
        absent = { pointer = "/code", equals = "404" }
        fields.status = { pointer = "/zt", map = { "1" = "receiving", "2" = "stopped" } }
        fields.income = { pointer = "/sr", type = "number" }
        fields.since = { pointer = "/rq", type = "date8" }
        fields.active = { pointer = "/yx", type = "boolean" }
        "#,
    )
    .unwrap()
});

fuzz_target!(|data: &[u8]| {
    let fields: Vec<&FieldName> = FIELDS.iter().collect();
    match protocol::records(data, &fields, 2) {
        Ok(records) => {
            assert_eq!(records.len(), 2);
            records.iter().flatten().for_each(exact);
        }
        Err(error) => invalid(&error),
    }
    match rest::record(&MAPPING, &fields, data) {
        Ok(record) => record.iter().for_each(exact),
        Err(error) => invalid(&error),
    }
});

fn exact(record: &Record) {
    assert_eq!(record.len(), FIELDS.len());
    assert!(FIELDS.iter().all(|field| record.contains_key(field.as_str())));
}

/// The cause, for the operator, says where it stopped and never what stood there.
fn invalid(error: &Error) {
    assert!(matches!(error.code, Code::ProviderInvalid | Code::ProviderFailed));
    assert!(error.cause().is_none_or(|cause| cause.to_string().len() < 200));
}
