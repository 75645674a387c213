//! A rule file: loaded, or each fault named with its line.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sluice::app::apply::read_sources;
use sluice::app::world::{Checked, check};
use sluice::base::Sources;
use sluice::policy::Policy;

const FILE: &str = "policies/rules/civil.subsistence.csv";

static SOURCES: LazyLock<Sources> =
    LazyLock::new(|| read_sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))).unwrap());
static WORLD: LazyLock<Checked> = LazyLock::new(|| check(&SOURCES).unwrap());

fuzz_target!(|data: &str| {
    let mut sources = SOURCES.clone();
    sources.0.insert(FILE.to_owned(), data.to_owned());
    let lines = data.lines().count() + 1;
    match Policy::load_after(Some(&WORLD.policy), &sources, &WORLD.catalogue, &WORLD.registry) {
        Ok((policy, warnings)) => {
            assert!(!warnings.has_errors());
            assert!(policy.size().0 <= WORLD.policy.size().0 + lines);
        }
        Err(findings) => assert!(findings.has_errors()),
    }
});
