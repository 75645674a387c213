//! The catalogue as types.
//!
//! Invariant: built only by [`super::load`], which has checked it; immutable afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::identifier::IdentifierKind;
use super::sharing::Sharing;
use crate::base::Text;
use crate::base::ids::{DatasetId, DepartmentId, FieldName, PurposeId};

/// The sharing class (共享属性; Decree 809 Art. 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// 无条件共享: to the departments and purposes that a rule lists.
    Unconditional,
    /// 有条件共享: through a grant.
    Conditional,
    /// 不予共享: never in plain form outside the owner, and only with a cited basis.
    Withheld,
}

/// The level (分级).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// 公开
    Public,
    /// 内部
    Internal,
    /// 敏感
    Sensitive,
    /// 核心
    Core,
}

impl Class {
    /// The name in schemas, policies and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Unconditional => "unconditional",
            Class::Conditional => "conditional",
            Class::Withheld => "withheld",
        }
    }
}

impl Level {
    /// The name in schemas and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Public => "public",
            Level::Internal => "internal",
            Level::Sensitive => "sensitive",
            Level::Core => "core",
        }
    }
}

/// An organisation that owns or asks for data (部门).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Department {
    /// Its id.
    pub id: DepartmentId,
    /// Its name.
    pub title: Text,
}

/// A coded reason for asking, with its legal basis (用途).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// Its id.
    pub id: PurposeId,
    /// Its name.
    pub title: Text,
    /// The legal basis.
    pub basis: String,
}

/// One named value of a dataset (数据项).
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: FieldName,
    /// Its title.
    pub title: Text,
    /// Its JSON type as the schema has it, for the catalogue's readers.
    pub kind: String,
    /// The values it may have, where the schema lists them (`enum`).
    pub choices: Vec<serde_json::Value>,
    /// The identifier standard its values follow, where they do (`x-identifier`).
    pub identifier: Option<IdentifierKind>,
    /// How it may be shared.
    pub sharing: Sharing,
    /// The line of the schema file where it stands.
    pub line: usize,
    /// Must every record have it?
    pub(super) required: bool,
    /// Its schema, compiled.
    pub(super) value: jsonschema::Validator,
}

impl Field {
    /// Does a value from an adapter hold to the schema? Nothing, be it absent or null, does
    /// unless the field is required: a department's column that holds no value reads as null.
    pub fn accepts(&self, value: Option<&serde_json::Value>) -> bool {
        match value {
            None => !self.required,
            Some(serde_json::Value::Null) if !self.required => true,
            Some(value) => self.value.is_valid(value),
        }
    }
}

/// How a subject is named in a query.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectKey {
    /// The member of a subject object, such as `id_number`.
    pub member: String,
    /// The standard of the identifier.
    pub identifier: IdentifierKind,
}

/// The particulars of a catalogue entry (Decree 809 Art. 13), under `x-dataset`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The code: the id of the dataset.
    pub code: DatasetId,
    /// The department that owns it.
    pub provider: DepartmentId,
    /// The name.
    pub title: Text,
    /// What it holds.
    pub summary: Text,
    /// How often it is brought up to date, such as `daily`.
    pub update_cycle: String,
    /// How it is shared: `service` (服务接口).
    pub mode: String,
    /// Conditions of use.
    pub conditions: Text,
    /// How a subject is named.
    pub subject: SubjectKey,
    /// The purposes it serves.
    pub purposes: Vec<PurposeId>,
}

/// What one department can answer about one kind of subject (目录项).
#[derive(Debug)]
pub struct Dataset {
    /// The catalogue entry.
    pub entry: Entry,
    /// The fields, in the order of the schema.
    pub fields: Vec<Field>,
    /// The file it was read from.
    pub file: String,
    /// A query of it, compiled.
    pub(super) request: jsonschema::Validator,
    /// The request schema, derived from the fields, as published.
    pub request_schema: serde_json::Value,
}

impl Dataset {
    /// The id.
    pub fn id(&self) -> &DatasetId {
        &self.entry.code
    }

    /// The field of that name. Bounded by the 64 fields a dataset may have.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name.as_str() == name)
    }

    /// The sharing class of the whole: the strictest of its fields.
    pub fn class(&self) -> Class {
        self.fields.iter().map(|f| f.sharing.class).max().unwrap_or(Class::Withheld)
    }

    /// The level of the whole: the highest of its fields.
    pub fn level(&self) -> Level {
        self.fields.iter().map(|f| f.sharing.level).max().unwrap_or(Level::Core)
    }
}

/// Everything that can be asked, in one version.
#[derive(Debug, Default, Clone)]
pub struct Catalogue {
    /// Departments by id.
    pub departments: BTreeMap<DepartmentId, Department>,
    /// Purposes by id.
    pub purposes: BTreeMap<PurposeId, Purpose>,
    /// Datasets by id.
    pub datasets: BTreeMap<DatasetId, Arc<Dataset>>,
}
