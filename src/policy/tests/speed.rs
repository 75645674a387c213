//! How long a decision never met before takes, and a change among many rules. Run by hand:
//! `cargo nextest run --run-ignored only --no-capture -E 'test(policy::tests::speed)'`.
#![allow(clippy::print_stdout, reason = "a measurement is read by whoever runs it")]

use std::time::Instant;

use super::world::{at, field, sources, with};
use crate::catalogue::Catalogue;
use crate::identity::{self, Registry, System};
use crate::policy::Policy;

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or_default() / 1024
}

/// `systems` systems, of whom each has its share of the `rules` of each of `datasets`.
fn many(
    sources: &crate::base::Sources,
    systems: usize,
    datasets: usize,
    rules: usize,
) -> crate::base::Sources {
    let mut out = sources.clone();
    let text: String = (0..systems)
        .map(|n| {
            format!(
                "[[system]]\nid = \"s.{n}\"\ndepartment = \"hrss\"\ntitle = {{ zh = \"系\", en = \"S\" }}\n"
            )
        })
        .collect();
    out.0.insert("policies/systems.toml".into(), text);
    let schema = sources.file("schemas/civil.list.json").unwrap();
    for d in 0..datasets {
        let id = format!("civil.d{d}");
        out.0.insert(format!("schemas/{id}.json"), schema.replace("civil.list", &id));
        let lines: String = (0..rules)
            .map(|n| {
                let (field, form) = if n % 2 == 0 { ("status", "predicate") } else { ("size", "band") };
                let purpose = if n / 2 % 2 == 0 { "aid" } else { "recheck" };
                format!("p, s.{}, {id}, {field}, {purpose}, {form}, allow, R{n}\n", (n / 4) % systems)
            })
            .collect();
        out.0.insert(format!("policies/rules/{id}.csv"), lines);
    }
    out
}

#[test]
#[ignore = "a measurement, not a test"]
fn a_decision_never_met_before_and_a_change_among_many_rules() {
    for (systems, datasets, rules) in [(2500, 1, 10_000), (25, 1000, 100)] {
        let mut sources = many(&sources(), systems, datasets, rules);
        let (catalogue, _) = Catalogue::load(&sources).unwrap();
        let before = resident();
        let registry = Registry::new(identity::load(&sources).unwrap());
        let start = Instant::now();
        let (policy, _) = Policy::load(&sources, &catalogue, &registry).unwrap();
        let load = start.elapsed();
        let memory = resident().saturating_sub(before);

        let ask = crate::catalogue::Ask {
            dataset: std::sync::Arc::clone(&catalogue.datasets["civil.d0"]),
            purpose: crate::base::ids::PurposeId::parse("aid").unwrap(),
            case: "c".into(),
            operator: "o".into(),
            subjects: vec![],
            fields: ["status", "size", "income", "custody"].map(|name| field(name, None, None)).to_vec(),
            on_refusal: crate::catalogue::OnRefusal::Omit,
        };
        let now = at("2026-06-01T00:00:00Z");
        let all: Vec<_> = registry.systems().cloned().collect();
        let time = |systems: &[std::sync::Arc<System>]| {
            let start = Instant::now();
            systems.iter().for_each(|system| drop(policy.decide(system, &ask, now)));
            start.elapsed() / u32::try_from(systems.len()).unwrap()
        };
        let (fresh, met) = (time(&all), time(&all));

        sources = with(
            sources,
            &[("policies/rules/civil.d0.csv", "p, *, civil.d0, status, aid, exists, allow, R0")],
        );
        let start = Instant::now();
        drop(Policy::load_after(Some(&policy), &sources, &catalogue, &registry).unwrap());
        let change = start.elapsed();
        println!(
            "{rules} rules on each of {datasets}: load {load:?}, {memory} MiB more; query of four fields never met {fresh:?}, met {met:?}; one file changed {change:?}"
        );
    }
}
