//! A query, parsed: after this nothing about its form can be wrong.
//!
//! Invariant: every field named here exists in the dataset, every subject's identifier passed
//! its standard's check and is normalised, and none stands twice.

use std::sync::Arc;

use super::form::{Form, Predicate};
use super::model::Dataset;
use crate::base::Value;
use crate::base::ids::{FieldName, PurposeId};

/// One request for data (查询).
#[derive(Debug)]
pub struct Ask {
    /// What is asked about.
    pub dataset: Arc<Dataset>,
    /// Why.
    pub purpose: PurposeId,
    /// The business case.
    pub case: String,
    /// The official on whose behalf the system asks.
    pub operator: String,
    /// The normalised identifiers, in the order asked. Never printed.
    pub subjects: Vec<Value>,
    /// The fields, in the order asked.
    pub fields: Vec<AskedField>,
    /// What to do when some fields may not be given.
    pub on_refusal: OnRefusal,
}

/// One field asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedField {
    /// The field.
    pub name: FieldName,
    /// The form asked for; none means the one that is permitted.
    pub form: Option<Form>,
    /// The comparison asked for.
    pub predicate: Option<Predicate>,
}

/// What to do when some of the fields may not be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRefusal {
    /// Refuse the whole query.
    #[default]
    Reject,
    /// Answer with the permitted fields and list the others.
    Omit,
}
