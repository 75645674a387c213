//! What is written for people is true: configurations, codes, measurements, names of tests, links.
//!
//! `UPDATE_DOCS=1` with these tests writes docs/problems.md anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use sluice::base::{Code, Lang};
use sluice::config::adapter::ProcessConfig;
use sluice::config::{Config, WitnessConfig, file};
use sluice::telemetry::Metrics;

const GATEWAY: &str = "deploy/sluice.example.toml";
const ADAPTER: &str = "deploy/adapter.example.toml";
const WITNESS: &str = "deploy/witness.example.toml";

#[test]
fn the_example_configurations_are_accepted_and_the_defaults_they_name_are_the_defaults() {
    let compared = [
        (parsed::<Config>(GATEWAY, &read(GATEWAY)), parsed::<Config>(GATEWAY, &with_defaults(GATEWAY))),
        (
            parsed::<ProcessConfig>(ADAPTER, &read(ADAPTER)),
            parsed::<ProcessConfig>(ADAPTER, &with_defaults(ADAPTER)),
        ),
        (
            parsed::<WitnessConfig>(WITNESS, &read(WITNESS)),
            parsed::<WitnessConfig>(WITNESS, &with_defaults(WITNESS)),
        ),
    ];
    for (left_out, written) in compared {
        let lines = left_out.lines().zip(written.lines());
        let wrong: Vec<_> = lines.filter(|(left_out, written)| left_out != written).collect();
        assert!(wrong.is_empty(), "the default, and what the example says: {wrong:#?}");
        assert_eq!(left_out.len(), written.len());
    }
}

#[test]
fn every_key_of_the_configuration_stands_in_an_example() {
    let files = [
        "mod", "gateway", "sessions", "history", "tls", "log", "notices", "oidc", "adapter", "anchors",
        "database",
    ];
    for (example, sources) in [
        (GATEWAY, files.map(|name| format!("src/config/{name}.rs")).to_vec()),
        (ADAPTER, vec!["src/config/adapter/process.rs".to_owned()]),
        (WITNESS, vec!["src/config/witness.rs".to_owned()]),
    ] {
        let known = keys_of_example(&read(example));
        let missing: Vec<String> = sources
            .iter()
            .flat_map(|source| keys_of_source(&read(source)))
            .filter(|key| !known.contains(key))
            .collect();
        assert!(missing.is_empty(), "{example} does not explain {missing:?}");
    }
}

#[test]
fn docs_problems_md_lists_every_code() {
    let mut page = String::from(
        "# Problem codes 问题代码\n\n\
         Every code that a caller can meet: as `code` of a problem (`application/problem+json`), of one of its\n\
         `errors` or `fields`, or as the `outcome` of an audit record. A code never changes its meaning.\n\
         Title and detail come in the language of `Accept-Language`: zh-CN by default, or en.\n\n\
         | code | status | en | zh-CN |\n|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let text = |lang| format!("**{}** {}", code.title(lang), code.detail(lang));
        let (en, zh) = (text(Lang::En), text(Lang::Zh));
        writeln!(page, "| `{}` | {} | {en} | {zh} |", code.as_str(), code.status()).unwrap();
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root("docs/problems.md"), &page).unwrap();
    }
    assert_eq!(read("docs/problems.md"), page, "UPDATE_DOCS=1 writes the page anew");
}

#[test]
fn docs_operations_md_names_every_measurement() {
    let (page, metrics) = (read("docs/operations.md"), Metrics::default().text());
    let names = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let missing: Vec<&str> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not explained: {missing:?}");
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let sources: String = files("src", "rs").iter().chain(&files("tests", "rs")).map(read).collect();
    let page = read("docs/threat-model.md");
    let named: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.rsplit_once("::"))
        .map(|(_, name)| name)
        .collect();
    assert!(named.len() > 30, "only {} tests are named", named.len());
    let unknown: Vec<_> = named.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(unknown.is_empty(), "no such tests: {unknown:#?}");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut pages = files("docs", "md");
    pages.extend(["README.md", "README.zh-CN.md"].map(PathBuf::from));
    let mut broken = Vec::new();
    for page in &pages {
        let text = read(page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let local = !target.is_empty() && !target.contains("://");
            if local && !root(page).parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A configuration as its type shows it, so that two can be compared.
fn parsed<T: DeserializeOwned + std::fmt::Debug>(name: &str, text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("example.toml");
    fs::write(&path, text).unwrap();
    let config: T = file::read(&path, &[]).unwrap_or_else(|findings| panic!("{name}: {findings}"));
    format!("{config:#?}")
}

/// The example with the keys that stand behind a `#` put in force.
fn with_defaults(example: &str) -> String {
    let text = read(example);
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The keys and sections of an example, in force or not.
fn keys_of_example(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(|line| line.trim_start_matches(['#', ' ']));
    let mut keys = BTreeSet::new();
    for line in lines {
        let (before, after) = line.split_once(" = ").unwrap_or((line, ""));
        let inline = after.split(['{', ',']).filter_map(|part| part.split_once(" = ")).map(|(key, _)| key);
        let own = if line.starts_with('[') || !after.is_empty() { before } else { "" };
        let parts = own.split(['.', '[', ']']).chain(inline);
        keys.extend(parts.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()));
    }
    keys
}

/// The members of the configuration's types, by the names they have in a file.
fn keys_of_source(text: &str) -> Vec<String> {
    let mut renamed = None;
    let mut keys = Vec::new();
    for line in text.split("#[cfg(test)]").next().unwrap().lines() {
        if let Some(name) = line.trim().strip_prefix("#[serde(rename = \"") {
            renamed = name.split('"').next().map(str::to_owned);
        } else if let Some((name, _)) = line.strip_prefix("    pub ").and_then(|rest| rest.split_once(": "))
            && !name.contains(' ')
        {
            keys.push(renamed.take().unwrap_or_else(|| name.to_owned()));
        }
    }
    keys
}

fn root(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The files below a folder that end so, relative to the root.
fn files(folder: impl AsRef<Path>, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root(&folder)).unwrap().map(Result::unwrap) {
        let path = folder.as_ref().join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(path, ending));
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found
}
