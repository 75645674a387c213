//! Reads `policies/systems.toml`: which systems there are, whose they are, what roles they have.
//!
//! Invariant: ids are unique and hold no colon, so a system can never be mistaken for a
//! department (`dep:…`) or a group (`group:…`) in a rule. Keys are not here: they are registered
//! by fingerprint, with the configuration of the gateway.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::registry::System;
use crate::base::locate::line_at;
use crate::base::{Finding, Findings, Sources};

/// Where systems are authored.
pub const SYSTEMS: &str = "policies/systems.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    system: Vec<Spanned<System>>,
}

/// The systems of `sources`, in the order of the file.
///
/// # Errors
/// Every fault found, with file and line.
pub fn load(sources: &Sources) -> Result<Vec<System>, Findings> {
    let mut findings = Findings::default();
    let file = sources.toml::<File>(SYSTEMS, &mut findings);
    let text = sources.file(SYSTEMS).unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut systems = Vec::new();
    for entry in file.map(|f| f.system).unwrap_or_default() {
        let line = line_at(text, entry.span().start);
        let system = entry.into_inner();
        let id = system.id.as_str();
        if id.contains(':') {
            let what = format!("`{id}` has a colon, which only departments and groups have in rules");
            findings.push(Finding::error("system-id", SYSTEMS, line, what, "write `housing.aid`, say"));
        }
        if !seen.insert(system.id.clone()) {
            let what = format!("system `{id}` stands here twice");
            findings.push(Finding::error("system-twice", SYSTEMS, line, what, "keep one of the two"));
        }
        systems.push(system);
    }
    if findings.has_errors() { Err(findings) } else { Ok(systems) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<System>, Findings> {
        load(&Sources([(SYSTEMS.to_owned(), text.to_owned())].into()))
    }

    fn entry(id: &str) -> String {
        format!(
            "[[system]]\nid = \"{id}\"\ndepartment = \"civil\"\ntitle = {{ zh = \"系统\", en = \"System\" }}\n\n"
        )
    }

    #[test]
    fn systems_come_in_the_order_of_the_file() {
        let systems = of(&["b", "a"].map(entry).concat()).unwrap_or_default();
        assert_eq!(systems.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    }

    #[test]
    fn a_system_that_stands_twice_or_poses_as_a_department_is_found_with_its_line() {
        let found = of(&["a", "a", "dep:civil"].map(entry).concat()).unwrap_err();
        let codes: Vec<_> = found.0.iter().map(|f| (f.line, f.code)).collect();
        assert_eq!(codes, [(6, "system-twice"), (11, "system-id")]);
    }

    #[test]
    fn an_unknown_role_is_a_syntax_error_on_its_line() {
        let found = of(&(entry("a").trim_end().to_owned() + "\nroles = [\"king\"]\n")).unwrap_err();
        assert_eq!(found.0.first().map(|f| (f.line, f.code)), Some((5, "toml-syntax")));
    }
}
