//! Reads `policies/workflow.toml` into a [`Workflow`], or says everything that is wrong with it.
//!
//! Invariant: all or nothing; every fault is found in one run, with its file and line.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::check::Check;
use super::{
    Answer, Emergency, EmergencyAccess, GrantRules, Lapse, PeopleRules, Reason, Templates, Toxic, ToxicPart,
    WORKFLOW, Workflow, calendar,
};
use crate::approval::event::Stage;
use crate::base::ids::DatasetId;
use crate::base::{Findings, Sources, Text};
use crate::catalogue::{Catalogue, Form, IdentifierKind, Level};
use crate::identity::Role;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    stages: Stages,
    answer: Spanned<Answer>,
    lapse: Spanned<Lapse>,
    grant: Spanned<GrantRules>,
    people: Spanned<PeopleRules>,
    #[serde(default)]
    reason: Vec<Spanned<ReasonEntry>>,
    #[serde(default)]
    toxic: Vec<Spanned<ToxicEntry>>,
    emergency: Spanned<EmergencyEntry>,
}

/// A template as it is written: roles in stages.
type Template = Spanned<Vec<Vec<Role>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stages {
    unconditional: Template,
    public: Template,
    internal: Template,
    sensitive: Template,
    core: Template,
    #[serde(default)]
    dataset: Vec<Spanned<OwnStages>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnStages {
    dataset: DatasetId,
    stages: Template,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonEntry {
    code: String,
    zh: String,
    en: String,
    basis: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToxicEntry {
    name: String,
    zh: String,
    en: String,
    parts: Vec<Spanned<PartEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartEntry {
    #[serde(default)]
    fields: Vec<Spanned<String>>,
    identifier: Option<IdentifierKind>,
    forms: Vec<Form>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmergencyEntry {
    minutes: u16,
    subjects: u16,
    review: u16,
    #[serde(default)]
    dataset: Vec<Spanned<EmergencyAccess>>,
}

impl Workflow {
    /// Reads the rules of the workflow from `sources`, with the warnings that are worth a look.
    ///
    /// # Errors
    /// Every fault found, with file and line, when at least one is an error.
    pub fn load(sources: &Sources, catalogue: &Catalogue) -> Result<(Workflow, Findings), Findings> {
        let mut findings = Findings::default();
        let calendar = calendar::load(sources, &mut findings);
        let Some(file) = sources.toml::<File>(WORKFLOW, &mut findings) else { return Err(findings) };
        let text = sources.file(WORKFLOW).unwrap_or_default();
        let mut check = Check { text, catalogue, findings: &mut findings };
        check.answer(&file.answer);
        check.lapse(&file.lapse);
        check.grant(&file.grant);
        check.people(&file.people);
        let workflow = Workflow {
            calendar,
            stages: templates(file.stages, &mut check),
            answer: file.answer.into_inner(),
            lapse: file.lapse.into_inner(),
            grant: file.grant.into_inner(),
            people: file.people.into_inner(),
            reasons: reasons(file.reason, &mut check),
            toxic: toxic(file.toxic, &mut check),
            emergency: emergency(file.emergency, &mut check),
        };
        findings.0.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        if findings.has_errors() { Err(findings) } else { Ok((workflow, findings)) }
    }
}

fn templates(file: Stages, check: &mut Check<'_>) -> Templates {
    let unconditional = template(file.unconditional, true, check);
    let levels = [
        (Level::Public, file.public),
        (Level::Internal, file.internal),
        (Level::Sensitive, file.sensitive),
        (Level::Core, file.core),
    ];
    let levels = levels.map(|(level, stages)| (level, template(stages, false, check)));
    let mut datasets = BTreeMap::new();
    for entry in file.dataset {
        let (at, own) = (entry.span().start, entry.into_inner());
        check.dataset(at, &own.dataset);
        let stages = template(own.stages, false, check);
        if datasets.insert(own.dataset.clone(), stages).is_some() {
            let what = format!("`{}` stands here twice", own.dataset);
            check.error("stages-twice", at, what, "keep one of the two");
        }
    }
    Templates { unconditional, levels: levels.into(), datasets }
}

fn template(written: Template, may_be_empty: bool, check: &mut Check<'_>) -> Vec<Stage> {
    let at = written.span().start;
    let stages: Vec<Stage> = written.into_inner().into_iter().map(|roles| Stage { roles }).collect();
    check.template(at, &stages, may_be_empty);
    stages
}

fn reasons(entries: Vec<Spanned<ReasonEntry>>, check: &mut Check<'_>) -> BTreeMap<String, Reason> {
    if entries.is_empty() {
        let fix = "a refusal states its reason (Decree 809 Art. 21): add the reasons there are";
        check.error("no-reasons", 0, "there is no reason to refuse for".to_owned(), fix);
    }
    let mut reasons = BTreeMap::new();
    for entry in entries {
        let (at, entry) = (entry.span().start, entry.into_inner());
        let reason = Reason { title: Text { zh: entry.zh, en: entry.en }, basis: entry.basis };
        check.reason(at, &entry.code, &reason);
        if reasons.insert(entry.code.clone(), reason).is_some() {
            let what = format!("reason `{}` stands here twice", entry.code);
            check.error("reason-twice", at, what, "keep one of the two");
        }
    }
    reasons
}

fn toxic(entries: Vec<Spanned<ToxicEntry>>, check: &mut Check<'_>) -> Vec<Toxic> {
    let mut names = BTreeSet::new();
    let mut all = Vec::new();
    for entry in entries {
        let (at, entry) = (entry.span().start, entry.into_inner());
        check.name(at, &entry.name);
        if !names.insert(entry.name.clone()) {
            let what = format!("`{}` stands here twice", entry.name);
            check.error("toxic-twice", at, what, "keep one of the two");
        }
        if entry.parts.len() < 2 {
            let what = format!("`{}` is no combination", entry.name);
            check.error("toxic-parts", at, what, "name at least two parts");
        }
        let parts = entry.parts.into_iter().map(|part| {
            let (at, part) = (part.span().start, part.into_inner());
            let mut fields = check.named(&part.fields, &part.forms);
            fields.extend(part.identifier.into_iter().flat_map(|kind| check.following(kind)));
            if fields.is_empty() || part.forms.is_empty() {
                check.error(
                    "toxic-part",
                    at,
                    "the part has no field or no form".to_owned(),
                    "name `forms`, and `fields` or an `identifier` that some field follows",
                );
            }
            ToxicPart { fields, forms: part.forms }
        });
        let parts = parts.collect();
        all.push(Toxic { name: entry.name, title: Text { zh: entry.zh, en: entry.en }, parts });
    }
    all
}

fn emergency(entry: Spanned<EmergencyEntry>, check: &mut Check<'_>) -> Emergency {
    let (at, entry) = (entry.span().start, entry.into_inner());
    check.bounds(
        at,
        &[
            ("minutes", entry.minutes, 1, 24 * 60),
            ("subjects", entry.subjects, 1, 1_000),
            ("review", entry.review, 1, 30),
        ],
    );
    let mut access = BTreeMap::new();
    for open in entry.dataset {
        let (at, open) = (open.span().start, open.into_inner());
        check.emergency(at, &open);
        let dataset = open.dataset.clone();
        if access.insert(dataset.clone(), open).is_some() {
            let what = format!("`{dataset}` stands here twice");
            check.error("emergency-twice", at, what, "keep one of the two");
        }
    }
    Emergency { minutes: entry.minutes, subjects: entry.subjects, review: entry.review, access }
}
