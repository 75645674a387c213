//! One TOML file, then the environment, then types: or file, line and what was expected.
//!
//! Invariant: this is the only place in the package that reads environment variables, and a
//! configuration that exists has been checked whole before anything starts.

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::base::locate::line_at;
use crate::base::{Finding, Findings};

/// What environment overrides begin with: `SLUICE_GATEWAY__LISTEN` sets `gateway.listen`.
pub const PREFIX: &str = "SLUICE_";

/// The variables that override the configuration, from the process's environment.
pub fn environment() -> Vec<(String, String)> {
    let mut variables: Vec<_> = std::env::vars().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    variables
}

/// Reads the file at `path`, applies `overrides`, and parses the whole into a `T`.
///
/// # Errors
/// What is wrong, with file and line (or the name of the variable) and what was expected.
pub fn read<T: DeserializeOwned>(path: &Path, overrides: &[(String, String)]) -> Result<T, Findings> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| {
        one(Finding::error(
            "config-unreadable",
            &file,
            0,
            e.to_string(),
            "name an existing, readable file with --config",
        ))
    })?;
    parse(&file, &text, overrides)
}

/// Parses the text of a file, with `overrides` over it, into a `T`. `file` is what findings call it.
///
/// # Errors
/// As for [`read`].
pub fn parse<T: DeserializeOwned>(
    file: &str,
    text: &str,
    overrides: &[(String, String)],
) -> Result<T, Findings> {
    let mut table: Table = toml::from_str(text).map_err(|e| one(finding(file, text, &e)))?;
    for (name, value) in overrides {
        let wrong = |what: &str| {
            one(Finding::error(
                "config-environment",
                &format!("${name}"),
                0,
                what,
                "SLUICE_SECTION__KEY sets `key` of `[section]`",
            ))
        };
        let keys = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase();
        let mut keys: Vec<&str> = keys.split("__").collect();
        let Some(last) = keys.pop().filter(|k| !k.is_empty()) else { return Err(wrong("names no key")) };
        let mut at = &mut table;
        for key in keys {
            let section = at.entry(key).or_insert_with(|| Value::Table(Table::new()));
            at = section.as_table_mut().ok_or_else(|| wrong("names a value where a section is expected"))?;
        }
        at.insert(last.to_owned(), scalar(value));
    }
    let merged = table.try_into::<T>();
    merged.map_err(|merged| match toml::from_str::<T>(text) {
        // The file itself is at fault: say where.
        Err(e) => one(finding(file, text, &e)),
        Ok(_) => {
            let names: Vec<&str> = overrides.iter().map(|(name, _)| name.as_str()).collect();
            let fix = "correct or unset the variable";
            one(Finding::error(
                "config-environment",
                &format!("${}", names.join(", $")),
                0,
                merged.message(),
                fix,
            ))
        }
    })
}

/// A value of the environment: a TOML number, boolean or array where it reads as one, else text.
fn scalar(text: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("v = {text}")).ok().and_then(|mut table| table.remove("v"));
    match parsed {
        Some(value @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Array(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

fn finding(file: &str, text: &str, error: &toml::de::Error) -> Finding {
    let line = error.span().map_or(0, |span| line_at(text, span.start));
    let message = error.message();
    let fix = suggestion(message).map_or_else(
        || "the annotated examples in deploy/ explain every key".to_owned(),
        |near| format!("did you mean `{near}`? The annotated examples in deploy/ explain every key"),
    );
    Finding::error("config", file, line, message, fix)
}

/// The known key nearest to an unknown one, read from serde's "unknown field `x`, expected ...".
fn suggestion(message: &str) -> Option<&str> {
    let mut quoted = message.strip_prefix("unknown field")?.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    quoted
        .map(|known| (strsim::jaro_winkler(unknown, known), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .filter(|(likeness, _)| *likeness > 0.8)
        .map(|(_, known)| known)
}

fn one(finding: Finding) -> Findings {
    Findings(vec![finding])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        gateway: Section,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Section {
        listen: String,
        workers: usize,
    }

    fn sample(text: &str, overrides: &[(&str, &str)]) -> Result<Sample, Finding> {
        let overrides: Vec<_> = overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        parse("sluice.toml", text, &overrides).map_err(|f: Findings| f.0[0].clone())
    }

    const GOOD: &str = "[gateway]\nlisten = \"a:1\"\nworkers = 2\n";

    #[test]
    fn the_environment_overrides_the_file() {
        let read =
            sample(GOOD, &[("SLUICE_GATEWAY__WORKERS", "4"), ("SLUICE_GATEWAY__LISTEN", "[::1]:2")]).unwrap();
        assert_eq!(read.gateway, Section { listen: "[::1]:2".into(), workers: 4 });
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_a_suggestion() {
        let fault = sample("[gateway]\nlisten = \"a:1\"\nworker = 2\n", &[]).unwrap_err();
        assert_eq!((fault.file.as_str(), fault.line), ("sluice.toml", 3));
        assert!(fault.fix.contains("did you mean `workers`"), "{}", fault.fix);
    }

    #[test]
    fn a_wrong_type_and_a_broken_line_are_named_with_their_line() {
        assert_eq!(sample("[gateway]\nlisten = \"a:1\"\nworkers = \"two\"\n", &[]).unwrap_err().line, 3);
        assert_eq!(sample("[gateway]\nlisten = a\n", &[]).unwrap_err().line, 2);
    }

    #[test]
    fn a_wrong_override_names_the_variable() {
        let fault = sample(GOOD, &[("SLUICE_GATEWAY__WORKERS", "many")]).unwrap_err();
        assert!(fault.file.contains("SLUICE_GATEWAY__WORKERS"), "{}", fault.file);
        let fault = sample(GOOD, &[("SLUICE_GATEWAY__LISTEN__DEEPER", "x")]).unwrap_err();
        assert!(fault.what.contains("section"), "{}", fault.what);
    }
}
