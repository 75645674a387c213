//! The sharing facts that stand beside a property in a dataset's schema, under `x-sharing`.
//!
//! Invariant: the terms of a form are the owner's and fixed in the catalogue; neither a caller
//! nor a policy can change them, only choose among them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::form::{Form, Predicate};
use super::model::{Class, Level};
use crate::base::ids::PurposeId;

/// How a field may be shared.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharing {
    /// The sharing class.
    pub class: Class,
    /// The level.
    pub level: Level,
    /// The law that the class rests on; required for `withheld` (Decree 809 Art. 14-15).
    #[serde(default)]
    pub basis: Option<String>,
    /// The forms that the owner allows, each with its terms.
    pub forms: BTreeMap<Form, FormTerms>,
}

/// The terms of one form of one field.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormTerms {
    /// The purposes that the form may serve; none named means all of the dataset's.
    #[serde(default)]
    pub purposes: Vec<PurposeId>,
    /// For `predicate`: the comparisons a caller may choose from.
    #[serde(default)]
    pub compare: Vec<Predicate>,
    /// For `band`: how values fall into bands.
    #[serde(default)]
    pub by: Option<BandBy>,
    /// For `mask`: what kind of text it is.
    #[serde(default)]
    pub mask: Option<MaskKind>,
}

impl FormTerms {
    /// May this form serve `purpose`?
    pub fn serves(&self, purpose: &PurposeId) -> bool {
        self.purposes.is_empty() || self.purposes.contains(purpose)
    }
}

/// How values fall into bands.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum BandBy {
    /// A whole number between edges: with `[0, 2000, 4000]`, 3200 is in `2000-3999`, 5000 in
    /// `4000+` and -1 in `<0`.
    Edges(Vec<i64>),
    /// The age in whole years on the day of the query, in bands of so many years, from an ISO
    /// 8601 birth date: with 10, `60-69`.
    Age(u16),
    /// The year, or the year and month, of an ISO 8601 date: `4` or `7` characters of it.
    DateTo(DateUnit),
    /// The first so many characters: with 6, the county of an administrative division code.
    Prefix(u8),
    /// Named groups of values: `{"aided": ["full", "partial"]}`. A value in no group is `other`.
    Groups(BTreeMap<String, Vec<String>>),
}

/// The unit to which a date is coarsened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateUnit {
    /// `1949`.
    Year,
    /// `1949-12`.
    Month,
}

/// What kind of text a mask is for (each keeps the number of characters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskKind {
    /// A person's name: 张*, 王*明, 欧阳*.
    Name,
    /// A resident ID: the first six and the last four stay.
    ResidentId,
    /// A mobile number: the first three and the last four stay.
    Mobile,
    /// A bank card: the last four stay.
    BankCard,
    /// Anything else: the first character stays, and the last where there are more than two.
    Text,
}
