//! Wordings that change something, nothing, or would do harm.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;

use super::*;
use crate::app::apply::read_sources;
use crate::store::state::Version;

const NOW: Timestamp = Timestamp::from_micros(1_795_334_400_000_000);
const FILE: &str = "policies/rules/civil.subsistence.csv";

fn world() -> (Arc<World>, Sources) {
    let sources = read_sources(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let version = Version { seq: 1, catalogue: 1, policy: 1, sources: sources.clone() };
    (Arc::new(World::build(&version, &[], None).unwrap_or_else(|f| panic!("{f}"))), sources)
}

fn asked() -> Asked {
    let mut asked = Asked::default();
    for index in [4, 9] {
        asked.take(&format!(
            r#"{{"index":{index},"kind":"query","caller":{{"system":"medical.settlement"}},
                "dataset":"civil.subsistence","purpose":"medical-aid.review",
                "fields":[{{"field":"status","form":"plain"}},{{"field":"category","form":"plain"}}]}}"#
        ));
    }
    asked
}

fn with_line(sources: &Sources, change: impl Fn(&str) -> Option<String>) -> Sources {
    let mut sources = sources.clone();
    let text: Vec<String> = sources.file(FILE).unwrap().lines().filter_map(change).collect();
    sources.0.insert(FILE.into(), text.join("\n") + "\n");
    sources
}

#[test]
fn the_same_wording_changes_nothing() {
    let (world, sources) = world();
    let proposed = compare(&world, &sources, &asked(), 30, NOW);
    assert_eq!(proposed.changes, Changes::default());
    let replay = proposed.replay.unwrap();
    assert_eq!((replay.queries, replay.changed, replay.lines.unwrap().len()), (2, 0, 0));
}

#[test]
fn a_rule_taken_away_shows_who_loses_what_and_which_past_queries() {
    let (world, sources) = world();
    let system = world.registry.systems().find(|s| s.department.as_str() == "medical").unwrap().id.clone();
    let without = with_line(&sources, |line| (!line.contains("CS-020")).then(|| line.to_owned()));
    let proposed = compare(&world, &without, &asked(), 30, NOW);
    assert!(!proposed.findings.has_errors(), "{}", proposed.findings);
    let changed = &proposed.changes.lines;
    let lost: Vec<_> = changed.iter().map(|c| (c.field.as_str(), c.after, c.is_gain())).collect();
    assert!(!lost.is_empty() && lost.iter().all(|change| *change == ("category", None, false)), "{lost:?}");
    assert!(changed.iter().any(|change| change.system == system.as_str()));
    assert_eq!((proposed.changes.gains, proposed.changes.losses), (0, changed.len()));
    let replay = proposed.replay.unwrap();
    assert_eq!(replay.changed, 2);
    let lines = replay.lines.unwrap();
    assert_eq!((lines[0].times, lines[0].record), (2, 9));
    assert_eq!(lines[0].change.before, Some(Form::Plain));
}

/// Texts that would be a program, or nest without end, if anything took them for more than a rule.
fn hostile() -> Vec<String> {
    let many = |piece: &str| piece.repeat(MAX_FILE / piece.len());
    let rule = |member: &str| {
        format!("p, {member}, civil.subsistence, status, housing-aid.review, plain, allow, {member}\n")
    };
    let expressions = ["eval(\"loop {}\")", "eval(p.who)", "r.system) || true || (r.system", "loop {}"];
    let nested = ["(", "[", "{", "a.", "{\"a\":", "x = [", "x={a=", "g, dep:civil, group:a\n", "\"", "&"];
    let headers = [format!("[{}a]", "a.".repeat(20_000)), format!("x.{}a = 1", "a.".repeat(20_000))];
    let pattern = format!("{{\"pattern\": \"{}\"}}", "(".repeat(20_000));
    let wordings = expressions.iter().map(|e| rule(e)).chain(nested.map(many)).chain(headers);
    wordings.chain([pattern]).collect()
}

#[test]
fn whatever_is_written_into_a_file_it_is_refused_and_the_gateway_goes_on() {
    let (world, sources) = world();
    for file in [
        FILE,
        "policies/groups.csv",
        "policies/roles.csv",
        "policies/grants.toml",
        "policies/systems.toml",
        "policies/workflow.toml",
        "schemas/departments.toml",
        "schemas/civil.subsistence.json",
    ] {
        assert!(may_be_tried(file) && sources.file(file).is_some(), "{file}");
        for text in hostile() {
            let mut wording = sources.clone();
            wording.0.insert(file.to_owned(), text.clone());
            let proposed = compare(&world, &wording, &Asked::default(), 1, NOW);
            let is_refused = proposed.findings.has_errors() && proposed.replay.is_none();
            assert!(is_refused, "{file}: {:.60}", text);
        }
    }
}

#[test]
fn a_wording_that_does_not_hold_together_says_where_and_compares_nothing() {
    let (world, sources) = world();
    let broken = with_line(&sources, |line| Some(line.replace("CS-020", "CS-010")));
    let proposed = compare(&world, &broken, &asked(), 30, NOW);
    assert!(proposed.findings.has_errors() && proposed.replay.is_none());
    assert!(proposed.findings.0.iter().any(|finding| finding.file == FILE && finding.line > 0));
}
