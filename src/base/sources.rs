//! The text files that a version of the catalogue and its policies is made of.
//!
//! Invariant: pure data. Reading folders is the business of whoever builds this; the same
//! sources always have the same digest, whatever machine they were read on.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::finding::{Finding, Findings};
use super::ids::hex;
use super::locate::line_at;

/// Text files by their path relative to the root, with `/`: `schemas/civil.subsistence.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources(pub BTreeMap<String, String>);

impl Sources {
    /// The files below `folder` (such as `schemas/`) whose names end with `ending`.
    pub fn under<'a>(&'a self, folder: &'a str, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .iter()
            .filter(move |(path, _)| path.starts_with(folder) && path.ends_with(ending))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// One file.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// One TOML file as a `T`; a file that is missing or does not read is an error among `findings`.
    pub fn toml<T: DeserializeOwned>(&self, path: &str, findings: &mut Findings) -> Option<T> {
        let Some(text) = self.file(path) else {
            findings.push(Finding::error("file-missing", path, 0, "the file is missing", "add it"));
            return None;
        };
        toml::from_str(text)
            .map_err(|e| {
                let line = e.span().map_or(0, |span| line_at(text, span.start));
                findings.push(Finding::error("toml-syntax", path, line, e.message(), "correct the line"));
            })
            .ok()
    }

    /// Only the files below `folder`.
    pub fn part(&self, folder: &str) -> Sources {
        Sources(
            self.0
                .iter()
                .filter(|(p, _)| p.starts_with(folder))
                .map(|(p, t)| (p.clone(), t.clone()))
                .collect(),
        )
    }

    /// SHA-256 over every path and text with their lengths, in hex.
    pub fn digest(&self) -> String {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for text in self.0.iter().flat_map(|(path, text)| [path, text]) {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        hex(context.finish().as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_between_two_files_changes_the_digest() {
        let of = |a: &str, b: &str| {
            Sources(BTreeMap::from([("a".into(), a.into()), ("b".into(), b.into())])).digest()
        };
        assert_eq!(of("x", "y"), of("x", "y"));
        assert_ne!(of("xy", ""), of("x", "y"));
    }
}
