//! What is delivered beside the program says the same as the program: measurements, alerts, units,
//! image and chart. Tools of others look at the same files in `tests/probe-deploy`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sluice::base::Code;
use sluice::base::ids::DepartmentId;
use sluice::config::{Config, LimitsSection, file};
use sluice::telemetry::Metrics;

const DASHBOARD: &str = "deploy/monitoring/sluice.dashboard.json";
const RULES: &str = "deploy/monitoring/sluice.rules.yml";
const RULE_TESTS: &str = "deploy/monitoring/sluice.rules.test.yml";
const STATEFULSET: &str = "deploy/helm/sluice/templates/statefulset.yaml";

#[test]
fn dashboard_and_alerts_name_measurements_that_exist_and_every_one_is_shown() {
    let text = measured();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let known: BTreeSet<String> = types.map(|(name, kind)| series(name, kind)).collect();
    let shown = named(&expressions());
    let unknown: Vec<_> = shown.iter().filter(|name| !known.contains(*name)).collect();
    assert!(unknown.is_empty(), "no such measurements in the dashboard: {unknown:?}");
    let hidden: Vec<_> = known.iter().filter(|name| !shown.contains(*name)).collect();
    assert!(hidden.is_empty(), "not in the dashboard: {hidden:?}");
    for file in [RULES, RULE_TESTS] {
        let unknown: Vec<_> = named(&read(file)).into_iter().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "no such measurements in {file}: {unknown:?}");
    }
}

#[test]
fn every_alert_is_tried_and_the_operators_page_says_what_to_do() {
    let (rules, tests, page) = (read(RULES), read(RULE_TESTS), read("docs/operations.md"));
    let alerts: Vec<&str> = values(&rules, "- alert: ").collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        assert!(values(&tests, "alertname: ").any(|tried| tried == alert), "{alert} is not tried");
        assert!(page.contains(&format!("\n### {alert}\n")), "{alert} is not explained");
        let anchor = format!("runbook: docs/operations.md#{}", alert.to_lowercase());
        assert!(rules.contains(&anchor), "{alert} does not lead to its explanation");
    }
    // An alert on a code that is never answered would be silent for ever.
    for code in rules.split("code=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(Code::ALL.iter().any(|known| known.as_str() == code), "no such code: {code}");
    }
}

#[test]
fn units_and_chart_leave_a_stop_the_time_that_it_may_take() {
    let stop = LimitsSection::default().shutdown_seconds.get();
    let unit = read("deploy/sluice.service");
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u32>().unwrap();
    assert!(seconds(values(&unit, "TimeoutStopSec=").next().unwrap()) > stop);
    assert_eq!(values(&unit, "Type=").next(), Some("notify"));
    // It is started again however often that failed: systemd gives up after five times in ten seconds.
    assert_eq!(values(&unit, "StartLimitIntervalSec=").next(), Some("0"));
    let service = unit.find("[Service]").unwrap();
    assert!(
        unit.find("StartLimitIntervalSec").unwrap() < service && unit.find("Restart=").unwrap() > service
    );
    let grace = read("deploy/helm/sluice/values.yaml");
    let grace = seconds(values(&grace, "terminationGracePeriodSeconds: ").next().unwrap());
    let leaving = read(STATEFULSET).split("LEAVING_SECONDS\n").nth(1).unwrap().to_owned();
    let leaving = seconds(values(&leaving, "value: ").next().unwrap().trim_matches('"'));
    assert!(grace > leaving + stop, "{grace} s are less than {leaving} and {stop}");
}

#[test]
fn the_chart_sets_keys_that_the_configuration_has_and_is_of_this_version() {
    let chart = read(STATEFULSET);
    let names = values(&chart, "- name: SLUICE_").map(|name| format!("SLUICE_{name}"));
    let texts = chart.split("- name: SLUICE_").skip(1).map(|rest| {
        let value = rest.split("value: ").nth(1).unwrap().lines().next().unwrap();
        // What the values say may be anything of its kind.
        let filled = match value {
            "{{ .url | quote }}" => "postgres://gateway@db.example/sluice",
            "{{ . | quote }}" => "1000",
            said => said.trim_matches(['"', '\'']),
        };
        filled.to_owned()
    });
    let overrides: Vec<(String, String)> = names.zip(texts).collect();
    assert!(overrides.len() > 8, "{overrides:?}");
    let config: Config = file::parse("sluice.toml", &read("deploy/sluice.example.toml"), &overrides).unwrap();
    assert_eq!(config.tls.client_crls, [Path::new("/etc/sluice/tls/systems.crl.pem")]);
    assert_eq!(config.database.unwrap().connections.get(), 1000);
    assert_eq!(config.anchors.stop_after_minutes.unwrap().get(), 1000);
    let version = env!("CARGO_PKG_VERSION");
    let about = read("deploy/helm/sluice/Chart.yaml");
    assert_eq!(values(&about, "appVersion: ").next(), Some(format!("\"{version}\"").as_str()));
    assert_eq!(values(&about, "version: ").next(), Some(version));
}

#[test]
fn the_image_is_built_by_a_compiler_that_the_package_takes_and_runs_as_nobody() {
    let image = read("deploy/Dockerfile");
    let number = |text: &str| text.split('.').take(2).map(|n| n.parse().unwrap()).collect::<Vec<u32>>();
    let compiler = number(values(&image, "FROM rust:").next().unwrap().split('-').next().unwrap());
    let package = read("Cargo.toml");
    let least = number(values(&package, "rust-version = \"").next().unwrap().trim_end_matches('"'));
    assert!(compiler >= least, "{compiler:?} is older than {least:?}");
    assert_eq!(values(&image, "USER ").last(), Some("65532:65532"));
}

/// All measurements, after something of each kind has happened.
fn measured() -> String {
    let metrics = Metrics::default();
    metrics.answered("/v1/datasets", 200, Code::Ok.as_str(), Duration::ZERO);
    metrics.field_refused(Code::GrantRequired);
    metrics.adapter_answered(&DepartmentId::parse("civil").unwrap(), Code::Ok, Duration::ZERO);
    metrics.anchored("civil", "anchored");
    metrics.notices(0, 0, 0, 0);
    metrics.text()
}

/// The expressions of the dashboard's panels.
fn expressions() -> String {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The name that a measurement has in a query, without the parts of a histogram.
fn series(name: &str, kind: &str) -> String {
    match kind {
        "counter" => format!("{name}_total"),
        "info" => format!("{name}_info"),
        _ => name.to_owned(),
    }
}

/// The measurements of ours that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("sluice_"));
    ours.map(|word| word.trim_end_matches("_bucket").to_owned()).collect()
}

/// What stands behind `key` on the lines that begin with it.
fn values<'t>(text: &'t str, key: &str) -> impl Iterator<Item = &'t str> {
    text.lines().filter_map(move |line| line.trim_start().strip_prefix(key))
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
