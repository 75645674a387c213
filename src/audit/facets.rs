//! The members by which records are searched and exported.
//!
//! Invariant: these names are an agreement with whoever drafts records; a record without one of
//! them is a sound record that this facet does not find. Nothing here is a person's identifier.

use std::borrow::Cow;

use serde::Deserialize;

use super::record::{LeafSubject, Own};

/// The facets of one leaf. Absent members read as empty.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Facets<'a> {
    /// `index`.
    pub index: u64,
    /// `time`, RFC 3339.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// `kind`.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// `request_id`.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// `caller`.
    #[serde(borrow)]
    pub caller: Caller<'a>,
    /// `operator`: the official on whose behalf the system asked.
    #[serde(borrow)]
    pub operator: Cow<'a, str>,
    /// `case`: the business case.
    #[serde(borrow)]
    pub case: Cow<'a, str>,
    /// `dataset`.
    #[serde(borrow)]
    pub dataset: Cow<'a, str>,
    /// `purpose`.
    #[serde(borrow)]
    pub purpose: Cow<'a, str>,
    /// `outcome`: the code that the caller saw.
    #[serde(borrow)]
    pub outcome: Cow<'a, str>,
    /// `subjects`: whom it names, by commitments.
    #[serde(borrow)]
    pub subjects: Vec<LeafSubject<'a>>,
    /// `log`: in the log's own records, what it says of itself.
    pub log: Own,
}

/// `caller`: which system, of which department.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Caller<'a> {
    /// `caller.department`.
    #[serde(borrow)]
    pub department: Cow<'a, str>,
    /// `caller.system`.
    #[serde(borrow)]
    pub system: Cow<'a, str>,
}

impl<'a> Facets<'a> {
    /// Reads them out of a leaf; what cannot be read is empty.
    pub fn of(leaf: &'a [u8]) -> Self {
        serde_json::from_slice(leaf).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_are_read_where_they_stand_and_empty_where_not() {
        let facets =
            Facets::of(br#"{"caller":{"department":"housing","system":"s"},"fields":[1],"outcome":"ok"}"#);
        assert_eq!((&*facets.caller.department, &*facets.outcome, &*facets.dataset), ("housing", "ok", ""));
        assert_eq!(Facets::of(b"no record"), Facets::default());
    }
}
