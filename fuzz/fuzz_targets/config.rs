//! The gateway's and an adapter's configuration: read whole, or each fault named with its line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::base::Findings;
use sluice::config::adapter::ProcessConfig;
use sluice::config::{Config, file};

const FILE: &str = "sluice.toml";

fuzz_target!(|data: &str| {
    let lines = data.lines().count() + 1;
    let named = |findings: &Findings| {
        findings.has_errors() && findings.0.iter().all(|f| f.file == FILE && f.line <= lines)
    };
    let wrong =
        [file::parse::<Config>(FILE, data, &[]).err(), file::parse::<ProcessConfig>(FILE, data, &[]).err()];
    for findings in wrong.iter().flatten() {
        assert!(named(findings), "{findings:?}");
    }
});
