//! A small world: two datasets, three departments, every class.

use std::sync::Arc;

use crate::base::ids::{FieldName, PurposeId};
use crate::base::{Findings, Sources, Timestamp};
use crate::catalogue::load::sources_of;
use crate::catalogue::{Ask, AskedField, Catalogue, Form, OnRefusal, Predicate};
use crate::identity::{self, Registry, System};
use crate::policy::{FieldVerdict, Policy};

const DEPARTMENTS: &str = r#"
[[department]]
id = "civil"
title = { zh = "民政局", en = "Civil" }
[[department]]
id = "justice"
title = { zh = "司法局", en = "Justice" }
[[department]]
id = "hrss"
title = { zh = "人社局", en = "HRSS" }
"#;

const PURPOSES: &str = r#"
[[purpose]]
id = "aid"
title = { zh = "救助", en = "Aid" }
basis = "法"
[[purpose]]
id = "recheck"
title = { zh = "核查", en = "Recheck" }
basis = "法"
"#;

pub const SYSTEMS: [(&str, &str); 5] =
    [("c.one", "civil"), ("c.two", "civil"), ("j.one", "justice"), ("h.one", "hrss"), ("h.two", "hrss")];

/// Name, class, level and forms of every field of both datasets.
const FIELDS: [(&str, &str, &str, &str); 5] = [
    (
        "status",
        "unconditional",
        "internal",
        r#"{"exists":{},"predicate":{"compare":[{"op":"=","value":"on"}]},"plain":{}}"#,
    ),
    ("size", "unconditional", "internal", r#"{"band":{"by":{"edges":[1,3]}},"plain":{"purposes":["aid"]}}"#),
    (
        "income",
        "conditional",
        "sensitive",
        r#"{"exists":{},"predicate":{"compare":[{"op":"<","value":3000},{"op":"<","value":4000}]},"band":{"by":{"edges":[0,2000]}},"mask":{"mask":"text"},"plain":{}}"#,
    ),
    ("id_number", "conditional", "sensitive", r#"{"mask":{"mask":"resident-id"},"pseudonym":{},"plain":{}}"#),
    (
        "custody",
        "withheld",
        "core",
        r#"{"exists":{},"predicate":{"compare":[{"op":"=","value":true}]},"plain":{}}"#,
    ),
];

fn schema(code: &str, provider: &str) -> String {
    let fields: Vec<String> = FIELDS
        .iter()
        .map(|(name, class, level, forms)| {
            format!(
                r#""{name}":{{"title":"项","x-title-en":"Item","type":["string","integer","boolean"],"x-sharing":{{"class":"{class}","level":"{level}","basis":"法","forms":{forms}}}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","x-dataset":{{"code":"{code}","provider":"{provider}","title":{{"zh":"集","en":"Set"}},"summary":{{"zh":"集","en":"Set"}},"update_cycle":"daily","mode":"service","conditions":{{"zh":"无","en":"None"}},"subject":{{"member":"id_number","identifier":"resident-id"}},"purposes":["aid","recheck"]}},"properties":{{{}}}}}"#,
        fields.join(",")
    )
}

/// Everything but rules and grants.
pub fn sources() -> Sources {
    let systems: String = SYSTEMS
        .iter()
        .map(|(id, department)| {
            format!("[[system]]\nid = \"{id}\"\ndepartment = \"{department}\"\ntitle = {{ zh = \"系\", en = \"S\" }}\n")
        })
        .collect();
    sources_of(&[
        ("schemas/departments.toml", DEPARTMENTS),
        ("schemas/purposes.toml", PURPOSES),
        ("schemas/civil.list.json", &schema("civil.list", "civil")),
        ("schemas/justice.list.json", &schema("justice.list", "justice")),
        ("policies/systems.toml", &systems),
        ("policies/model.conf", include_str!("../../../policies/model.conf")),
        ("policies/roles.conf", include_str!("../../../policies/roles.conf")),
        ("policies/roles.csv", include_str!("../../../policies/roles.csv")),
    ])
}

/// A grant as it is authored.
pub fn grant(
    id: &str,
    dataset: &str,
    department: &str,
    system: &str,
    purpose: &str,
    fields: &str,
    until: &str,
) -> String {
    format!(
        "[[grant]]\nid = \"{id}\"\ndataset = \"{dataset}\"\ndepartment = \"{department}\"\nsystems = [\"{system}\"]\n\
         purpose = \"{purpose}\"\nfields = [{fields}]\nvalid_from = \"2026-01-01\"\nvalid_until = \"{until}\"\n\
         per_day = 10\nbasis = \"法\"\n"
    )
}

/// A loaded world.
pub struct World {
    pub catalogue: Catalogue,
    pub registry: Registry,
    pub policy: Policy,
    pub warnings: Findings,
}

pub fn try_load(sources: &Sources) -> Result<World, Findings> {
    let (catalogue, _) = Catalogue::load(sources)?;
    let registry = Registry::new(identity::load(sources)?);
    let (policy, warnings) = Policy::load(sources, &catalogue, &registry)?;
    Ok(World { catalogue, registry, policy, warnings })
}

pub fn with(mut sources: Sources, files: &[(&str, &str)]) -> Sources {
    sources.0.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    sources
}

/// The world with these rules about `civil.list` and these grants.
pub fn world(rules: &str, grants: &str) -> World {
    let files = [("policies/rules/civil.list.csv", rules), ("policies/grants.toml", grants)];
    try_load(&with(sources(), &files)).unwrap_or_else(|found| panic!("{found}"))
}

/// What the check finds about these files, as `file:line code`.
pub fn faults(files: &[(&str, &str)]) -> Vec<String> {
    let found = match try_load(&with(sources(), files)) {
        Ok(world) => world.warnings,
        Err(found) => found,
    };
    found.0.iter().map(|f| format!("{}:{} {}", f.file.rsplit('/').next().unwrap(), f.line, f.code)).collect()
}

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub fn field(name: &str, form: Option<Form>, predicate: Option<Predicate>) -> AskedField {
    AskedField { name: FieldName::parse(name).unwrap(), form, predicate }
}

impl World {
    pub fn system(&self, id: &str) -> Arc<System> {
        Arc::clone(self.registry.system(id).unwrap())
    }

    pub fn ask(&self, dataset: &str, purpose: &str, fields: Vec<AskedField>) -> Ask {
        Ask {
            dataset: Arc::clone(&self.catalogue.datasets[dataset]),
            purpose: PurposeId::parse(purpose).unwrap(),
            case: "QZ-1".into(),
            operator: "op-1".into(),
            subjects: vec![],
            fields,
            on_refusal: OnRefusal::Reject,
        }
    }

    /// One field of `civil.list` for `aid`, in the middle of 2026.
    pub fn one(&self, system: &str, asked: AskedField) -> FieldVerdict {
        self.one_at(system, asked, at("2026-06-01T00:00:00Z"))
    }

    pub fn one_at(&self, system: &str, asked: AskedField, now: Timestamp) -> FieldVerdict {
        let ask = self.ask("civil.list", "aid", vec![asked]);
        self.policy.decide(&self.system(system), &ask, now).fields.remove(0)
    }

    /// The same in few words: `plain by R1`, or the code of the refusal and what it names.
    pub fn says(&self, system: &str, name: &str, form: Option<Form>) -> String {
        said(&self.one(system, field(name, form, None)))
    }
}

pub fn said(verdict: &FieldVerdict) -> String {
    match verdict {
        FieldVerdict::Given { form, rule, .. } => format!("{form} by {rule}"),
        FieldVerdict::Refused(refusal) => {
            let mut text = refusal.code.as_str().to_owned();
            text.extend(refusal.rule.iter().map(|rule| format!(" by {rule}")));
            text.extend(refusal.permitted.map(|form| format!(", {form} is permitted")));
            text
        }
    }
}
