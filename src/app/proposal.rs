//! What another wording of the catalogue or the policies would change, before it is applied.
//!
//! Invariant: nothing is stored and nothing takes effect. Both wordings are asked the same questions by
//! the same decision that answers queries: who gets which field in which form, and what would have
//! become of what was asked in the last days. The laws of the decision are not tried: casbin takes them
//! for a program, and what somebody types is not run in a gateway.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::applications::{blocking, state};
use super::call::{Call, Known, PersonCaller};
use super::changes::LINES;
pub use super::changes::{Change, Changes};
use super::gateway::Gateway;
use super::records;
use super::trail::Trail;
use super::world::{self, World};
use crate::base::ids::{DatasetId, PurposeId, SystemId};
use crate::base::{Code, Error, Findings, Result, Sources, Timestamp};
use crate::catalogue::{Catalogue, Form};
use crate::identity::Registry;
use crate::policy::{Action, Offer, Policy};
use crate::store::audit::Filter;

/// The longest file that may be proposed, in bytes.
pub const MAX_FILE: usize = 48 << 10;
/// The most days that are played back.
pub const MAX_DAYS: u32 = 90;
/// The most records that are played back.
const MAX_RECORDS: usize = 5_000;
/// Records that are read at a time.
const PAGE: usize = 1_000;
const DAY: i64 = 86_400;

/// The kinds of records that tell of it.
const READ: &str = "policy-read";
const TRY: &str = "policy-what-if";

/// A file of the version in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Its path.
    pub path: String,
    /// Its bytes.
    pub size: usize,
}

/// What a proposal would change.
#[derive(Debug)]
pub struct Proposed {
    /// What the check says of the files: with an error, nothing could be compared.
    pub findings: Findings,
    /// Who would get which field otherwise.
    pub changes: Changes,
    /// What of the last days would have been decided otherwise.
    pub replay: Option<Replay>,
}

/// The last days, played back under both wordings.
#[derive(Debug, PartialEq, Eq)]
pub struct Replay {
    /// How many days.
    pub days: u32,
    /// Queries that were played back.
    pub queries: u64,
    /// Were there more, which were not?
    pub cut: bool,
    /// Of those, how many would come to something else.
    pub changed: u64,
    /// What would come to something else; none to a reader who may not read the log.
    pub lines: Option<Vec<ReplayLine>>,
}

/// A field that was asked for in the last days and would be decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayLine {
    /// What would change.
    pub change: Change,
    /// How often it was asked for.
    pub times: u64,
    /// The newest record of it.
    pub record: u64,
}

/// The files of the version in force of which another wording can be tried.
///
/// # Errors
/// `forbidden`; `audit-unavailable`.
pub async fn files(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<Vec<RuleFile>> {
    let sources = sources(gateway, call, READ).await?;
    gateway.record(Trail::new(READ, call).end(Code::Ok)).await?;
    let tried = sources.0.iter().filter(|(path, _)| may_be_tried(path));
    Ok(tried.map(|(path, text)| RuleFile { path: path.clone(), size: text.len() }).collect())
}

/// The text of one of those files.
///
/// # Errors
/// `forbidden`; `not-found` when there is no such file; `audit-unavailable`.
pub async fn file(gateway: &Gateway, call: &Call<PersonCaller>, path: &str) -> Result<String> {
    let sources = sources(gateway, call, READ).await?;
    let mut trail = Trail::new(READ, call);
    let Some(text) = sources.file(path).filter(|_| may_be_tried(path)) else {
        return Err(gateway.record_failure(&call.caller, trail, Code::NotFound.into()).await);
    };
    trail.note("of_file", path);
    gateway.record(trail.end(Code::Ok)).await?;
    Ok(text.to_owned())
}

/// Can another wording of the file be tried? A `.conf` is a law of the decision.
fn may_be_tried(path: &str) -> bool {
    [".csv", ".json", ".toml"].iter().any(|ending| path.ends_with(ending))
}

/// What it would change to write `text` into the file `path`, and what of the last `days` would have
/// been decided otherwise. That somebody tried is recorded, with the file's name.
///
/// # Errors
/// `forbidden`; `not-found` when there is no such file; `invalid-request` when it is too long or
/// `days` is none; `overloaded` while somebody else tries one; `audit-unavailable`.
pub async fn propose(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    path: &str,
    text: String,
    days: u32,
) -> Result<Proposed> {
    let mut sources = sources(gateway, call, TRY).await?;
    let mut trail = Trail::new(TRY, call);
    let fault = if sources.file(path).is_none() || !may_be_tried(path) {
        Some(Code::NotFound.into())
    } else if text.len() > MAX_FILE {
        Some(Error::at(Code::InvalidRequest, "/text", Code::OutOfBounds))
    } else if !(1..=MAX_DAYS).contains(&days) {
        Some(Error::at(Code::InvalidRequest, "/days", Code::OutOfBounds))
    } else {
        None
    };
    if let Some(fault) = fault {
        return Err(gateway.record_failure(&call.caller, trail, fault).await);
    }
    trail.note("of_file", path);
    trail.count("days", u64::from(days));
    gateway.record(trail.end(Code::Ok)).await?;
    // Browsers send lines as a form has them.
    sources.0.insert(path.to_owned(), text.replace("\r\n", "\n"));
    let (world, now) = (gateway.world(), gateway.now());
    let asked = asked(gateway, now.plus_seconds(-i64::from(days) * DAY)).await?;
    let reads_log = call.caller.may(&world.policy, Action::AuditReadAll);
    let mut proposed = gateway.trying.run(move || compare(&world, &sources, &asked, days, now)).await?;
    if let Some(replay) = proposed.replay.as_mut().filter(|_| !reads_log) {
        replay.lines = None;
    }
    Ok(proposed)
}

async fn sources(gateway: &Gateway, call: &Call<PersonCaller>, kind: &'static str) -> Result<Sources> {
    if !call.caller.may(&gateway.world().policy, Action::OperationsRead) {
        let trail = Trail::new(kind, call);
        return Err(gateway.record_failure(&call.caller, trail, Code::Forbidden.into()).await);
    }
    let store = gateway.state();
    let version = blocking(move || store.newest_version().map_err(state)).await?;
    version.map(|version| version.sources).ok_or_else(|| Code::NotReady.into())
}

/// Fields that were asked for alike: how often, and the newest record.
#[derive(Debug, Default)]
struct Asked {
    queries: u64,
    cut: bool,
    fields: BTreeMap<Question, Times>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    system: String,
    dataset: String,
    purpose: String,
    field: String,
}

#[derive(Debug, Default)]
struct Times {
    records: Vec<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Query {
    index: u64,
    caller: QueryCaller,
    dataset: String,
    purpose: String,
    fields: Vec<QueryField>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct QueryCaller {
    system: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct QueryField {
    field: String,
}

impl Asked {
    fn take(&mut self, leaf: &str) {
        let query: Query = serde_json::from_str(leaf).unwrap_or_default();
        self.queries += 1;
        for QueryField { field } in query.fields {
            let question = Question {
                system: query.caller.system.clone(),
                dataset: query.dataset.clone(),
                purpose: query.purpose.clone(),
                field,
            };
            self.fields.entry(question).or_default().records.push(query.index);
        }
    }
}

/// What was asked for since a moment: the newest queries, up to a bound.
async fn asked(gateway: &Gateway, since: Timestamp) -> Result<Asked> {
    records::read(gateway, move |log| {
        let filter = Filter { from: Some(since), kind: Some("query".to_owned()), ..Filter::default() };
        let (mut asked, mut before) = (Asked::default(), None);
        loop {
            let found = log.newest(&filter, before, PAGE)?;
            found.records.iter().for_each(|record| asked.take(&record.leaf));
            before = found.next;
            asked.cut = before.is_some();
            if before.is_none() || asked.queries >= MAX_RECORDS as u64 {
                return Ok(asked);
            }
        }
    })
    .await
}

/// One wording: what it says about a question.
pub(super) struct Wording<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) registry: &'a Registry,
    pub(super) policy: &'a Policy,
}

type Said = (Option<Form>, Option<String>);
/// What is said about each field.
type Answers = BTreeMap<String, Said>;

impl Wording<'_> {
    /// What every field of the dataset comes to for that system and purpose: at `now`, or as it is
    /// written where no time is given.
    fn say(&self, system: &str, dataset: &str, purpose: &str, now: Option<Timestamp>) -> Answers {
        let dataset = DatasetId::parse(dataset).and_then(|id| self.catalogue.datasets.get(&id));
        let known = (self.registry.system(system), dataset, PurposeId::parse(purpose));
        let (Some(system), Some(dataset), Some(purpose)) = known else { return BTreeMap::new() };
        let offers = match now {
            Some(now) => self.policy.offers(system, dataset, &purpose, now),
            None => self.policy.written(system, dataset, &purpose),
        };
        let said = offers.into_iter().map(|offer| match offer {
            Offer::UpTo { name, form, rule, .. } => (name.to_string(), (Some(form), Some(rule.to_string()))),
            Offer::Refused(refusal) => {
                (refusal.field.to_string(), (None, refusal.rule.map(|rule| rule.to_string())))
            }
        });
        said.collect()
    }

    fn questions(&self) -> impl Iterator<Item = (SystemId, DatasetId, PurposeId)> {
        let datasets = self.catalogue.datasets.values();
        let pairs = datasets.flat_map(|d| d.entry.purposes.iter().map(move |purpose| (d.id(), purpose)));
        pairs.flat_map(|(dataset, purpose)| {
            self.registry.systems().map(move |s| (s.id.clone(), dataset.clone(), purpose.clone()))
        })
    }

    fn department(&self, system: &str) -> Option<String> {
        self.registry.system(system).map(|system| system.department.to_string())
    }
}

fn compare(world: &Arc<World>, sources: &Sources, asked: &Asked, days: u32, now: Timestamp) -> Proposed {
    let checked = match world::check(sources) {
        Ok(checked) => checked,
        Err(findings) => {
            return Proposed { findings, changes: Changes::default(), replay: None };
        }
    };
    let policy = world.standing.put_into(&checked.policy, &checked.catalogue);
    let before = Wording { catalogue: &world.catalogue, registry: &world.registry, policy: &world.policy };
    let after = Wording { catalogue: &checked.catalogue, registry: &checked.registry, policy: &policy };
    let changes = changes(&before, &after);
    let replay = Some(replay(&before, &after, asked, days, now));
    Proposed { findings: checked.warnings, changes, replay }
}

/// Who would get which field otherwise.
pub(super) fn changes(before: &Wording<'_>, after: &Wording<'_>) -> Changes {
    let questions: std::collections::BTreeSet<_> = before.questions().chain(after.questions()).collect();
    let mut changes = Vec::new();
    for (system, dataset, purpose) in questions {
        let (system, dataset, purpose) = (system.as_str(), dataset.as_str(), purpose.as_str());
        let said = |wording: &Wording<'_>| wording.say(system, dataset, purpose, None);
        let (old, new) = (said(before), said(after));
        let fields: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for field in fields {
            let question = Question {
                system: system.to_owned(),
                dataset: dataset.to_owned(),
                purpose: purpose.to_owned(),
                field: field.clone(),
            };
            changes.extend(change(&question, old.get(field), new.get(field), before, after));
        }
    }
    Changes::new(changes)
}

fn change(
    question: &Question,
    old: Option<&Said>,
    new: Option<&Said>,
    before: &Wording<'_>,
    after: &Wording<'_>,
) -> Option<Change> {
    let form = |said: Option<&Said>| said.and_then(|(form, _)| *form);
    let rule = |said: Option<&Said>| said.and_then(|(_, rule)| rule.clone());
    (form(old) != form(new)).then(|| Change {
        system: question.system.clone(),
        department: after
            .department(&question.system)
            .or_else(|| before.department(&question.system))
            .unwrap_or_default(),
        dataset: question.dataset.clone(),
        purpose: question.purpose.clone(),
        field: question.field.clone(),
        before: form(old),
        after: form(new),
        rule: rule(new).or_else(|| rule(old)),
    })
}

/// Asks both wordings what was asked, each sort of question once.
fn replay(before: &Wording<'_>, after: &Wording<'_>, asked: &Asked, days: u32, now: Timestamp) -> Replay {
    let mut known: BTreeMap<(&str, &str, &str), [Answers; 2]> = BTreeMap::new();
    let mut lines = Vec::new();
    let mut touched = std::collections::BTreeSet::new();
    for (question, times) in &asked.fields {
        let key = (&*question.system, &*question.dataset, &*question.purpose);
        let said = known
            .entry(key)
            .or_insert_with(|| [before, after].map(|wording| wording.say(key.0, key.1, key.2, Some(now))));
        let [old, new] = said;
        let (old, new) = (old.get(&question.field), new.get(&question.field));
        if let Some(change) = change(question, old, new, before, after) {
            touched.extend(times.records.iter().copied());
            let (times, record) =
                (times.records.len() as u64, times.records.iter().copied().max().unwrap_or_default());
            lines.push(ReplayLine { change, times, record });
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.times));
    lines.truncate(LINES);
    let changed = touched.len() as u64;
    Replay { days, queries: asked.queries, cut: asked.cut, changed, lines: Some(lines) }
}

#[cfg(test)]
mod tests;
