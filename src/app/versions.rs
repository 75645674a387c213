//! The versions of catalogue and policies that were in force: when, and what each changed.
//!
//! Invariant: nothing is stored and nothing takes effect. What two versions say is compared as they are
//! written; grants out of applications, which belong to no version, are left out.

use std::collections::BTreeMap;

use super::applications::{blocking, state};
use super::call::{Call, Known, PersonCaller};
use super::gateway::Gateway;
use super::proposal::{Changes, Wording, changes};
use super::trail::Trail;
use super::world;
use crate::base::{Code, Result, Sources};
use crate::policy::Action;
pub use crate::store::state::VersionLine;

/// Versions on a page.
const PAGE: usize = 50;
/// The most lines of one file that are shown.
const LINES: usize = 100;

/// A page of versions, the newest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Versions {
    /// The versions.
    pub lines: Vec<VersionLine>,
    /// The number of the first on the next page; none when there is none.
    pub next: Option<i64>,
}

/// What a version changed.
#[derive(Debug)]
pub struct Changed {
    /// The version.
    pub version: VersionLine,
    /// The one before it; none when it was the first.
    pub before: Option<VersionLine>,
    /// Who got which field otherwise by it; none where this program cannot read one of the two.
    pub changes: Option<Changes>,
    /// The files that differ.
    pub files: Vec<FileChange>,
}

/// A file that differs.
#[derive(Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Its path.
    pub path: String,
    /// Lines that it had and has no more, with their numbers.
    pub gone: Vec<(usize, String)>,
    /// Lines that are new, with their numbers.
    pub new: Vec<(usize, String)>,
    /// Were there more lines than are shown?
    pub cut: bool,
}

/// The versions up to the number `seq`, or the newest.
///
/// # Errors
/// `forbidden`, `not-ready`, `audit-unavailable`.
pub async fn list(gateway: &Gateway, call: &Call<PersonCaller>, seq: Option<i64>) -> Result<Versions> {
    read(gateway, call, None).await?;
    let store = gateway.state();
    let found = blocking(move || store.versions(seq.unwrap_or(i64::MAX), PAGE as i64 + 1).map_err(state));
    let mut lines = found.await?;
    let next = lines.get(PAGE).map(|line| line.seq);
    lines.truncate(PAGE);
    Ok(Versions { lines, next })
}

/// What the version with the number `seq` changed.
///
/// # Errors
/// `forbidden`; `not-found` when there is no such version; `overloaded` while others are compared;
/// `not-ready`; `audit-unavailable`.
pub async fn changed(gateway: &Gateway, call: &Call<PersonCaller>, seq: i64) -> Result<Changed> {
    read(gateway, call, Some(seq)).await?;
    let store = gateway.state();
    let compared = move || {
        let mut lines = store.versions(seq, 2).map_err(state)?.into_iter();
        let version = lines.next().filter(|line| line.seq == seq).ok_or(Code::NotFound)?;
        let before = lines.next();
        let sources = |line: &VersionLine| store.version(line.seq).map_err(state);
        let new = sources(&version)?.ok_or(Code::NotFound)?.sources;
        let Some(line) = &before else {
            return Ok(Changed { version, before, changes: None, files: Vec::new() });
        };
        let old = sources(line)?.ok_or(Code::NotFound)?.sources;
        Ok(Changed { version, before, changes: compare(&old, &new), files: files(&old, &new) })
    };
    gateway.trying.run(compared).await?
}

/// Who reads the rules is recorded, like any other reading of what is kept.
async fn read(gateway: &Gateway, call: &Call<PersonCaller>, seq: Option<i64>) -> Result<()> {
    let mut trail = Trail::new("policy-read", call);
    if !call.caller.may(&gateway.world().policy, Action::OperationsRead) {
        return Err(gateway.record_failure(&call.caller, trail, Code::Forbidden.into()).await);
    }
    if let Some(seq) = seq.and_then(|seq| u64::try_from(seq).ok()) {
        trail.count("version", seq);
    }
    gateway.record(trail.end(Code::Ok)).await.map(drop)
}

fn compare(old: &Sources, new: &Sources) -> Option<Changes> {
    let (old, new) = (world::check(old).ok()?, world::check(new).ok()?);
    let [before, after] = [&old, &new].map(|checked| Wording {
        catalogue: &checked.catalogue,
        registry: &checked.registry,
        policy: &checked.policy,
    });
    Some(changes(&before, &after))
}

/// The files that differ, by their paths.
pub fn files(old: &Sources, new: &Sources) -> Vec<FileChange> {
    let paths: std::collections::BTreeSet<&String> = old.0.keys().chain(new.0.keys()).collect();
    let texts = paths.into_iter().map(|path| (path, old.file(path), new.file(path)));
    texts.filter(|(_, old, new)| old != new).map(|(path, old, new)| file(path, old, new)).collect()
}

/// Lines are compared as a set of as many: what was only moved is no change to a rule.
fn file(path: &str, old: Option<&str>, new: Option<&str>) -> FileChange {
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let (gone, new) = (without(old, new), without(new, old));
    let cut = gone.len().max(new.len()) > LINES;
    let shown = |lines: Vec<(usize, &str)>| {
        lines.into_iter().take(LINES).map(|(number, line)| (number, line.to_owned())).collect()
    };
    FileChange { path: path.to_owned(), gone: shown(gone), new: shown(new), cut }
}

/// The lines of `text` that `other` has not, or not as often, with their numbers.
fn without<'a>(text: &'a str, other: &str) -> Vec<(usize, &'a str)> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    other.lines().for_each(|line| *known.entry(line).or_default() += 1);
    let mut left = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match known.get_mut(line).filter(|times| **times > 0) {
            Some(times) => *times -= 1,
            None if line.trim().is_empty() => {}
            None => left.push((number, line)),
        }
    }
    left
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::app::apply::read_sources;

    #[test]
    fn a_file_shows_what_went_and_what_came_and_not_what_moved() {
        let change = file("f.csv", Some("a\nb\nb\n\nc\n"), Some("c\nb\na\nd\n"));
        assert_eq!(change.gone, [(3, "b".to_owned())]);
        assert_eq!(change.new, [(4, "d".to_owned())]);
        let long: String = (0..LINES + 1).map(|line| format!("{line}\n")).collect();
        let whole = file("f.csv", None, Some(&long));
        assert_eq!((whole.new.len(), whole.gone.len(), whole.cut), (LINES, 0, true));
    }

    #[test]
    fn two_versions_are_compared_by_who_gets_what() {
        const FILE: &str = "policies/rules/civil.subsistence.csv";
        let old = read_sources(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert_eq!(compare(&old, &old).unwrap(), Changes::default());
        assert_eq!(files(&old, &old), []);
        let mut new = old.clone();
        let kept: Vec<&str> =
            old.file(FILE).unwrap().lines().filter(|line| !line.contains("CS-020")).collect();
        new.0.insert(FILE.into(), kept.join("\n") + "\n");
        let lost = compare(&old, &new).unwrap();
        assert!(lost.gains == 0 && lost.losses > 0, "{lost:?}");
        assert!(lost.lines.iter().all(|change| change.field == "category" && change.after.is_none()));
        let gained = compare(&new, &old).unwrap();
        assert_eq!((gained.gains, gained.losses), (lost.losses, 0));
        let files = files(&old, &new);
        assert_eq!((files.len(), files[0].gone.len(), files[0].new.len()), (1, 1, 0));
        new.0.insert(FILE.into(), "p, nonsense\n".into());
        assert_eq!(compare(&old, &new), None, "what does not read is not compared");
    }
}
