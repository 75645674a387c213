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
    /// `account`: where nobody is known to have called, whose name was claimed.
    #[serde(borrow)]
    pub account: Cow<'a, str>,
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
    /// `fields`: what was decided, field by field.
    #[serde(borrow)]
    pub fields: Vec<Field<'a>>,
    /// `subjects`: whom it names, by commitments.
    #[serde(borrow)]
    pub subjects: Vec<LeafSubject<'a>>,
    /// `log`: in the log's own records, what it says of itself.
    pub log: Own,
}

/// `caller`: which system or account, of which department.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Caller<'a> {
    /// `caller.department`.
    #[serde(borrow)]
    pub department: Cow<'a, str>,
    /// `caller.system`.
    #[serde(borrow)]
    pub system: Cow<'a, str>,
    /// `caller.account`.
    #[serde(borrow)]
    pub account: Cow<'a, str>,
}

/// One of `fields`.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Field<'a> {
    /// `field`.
    #[serde(borrow)]
    pub field: Cow<'a, str>,
    /// `form`: the one that it was given in.
    #[serde(borrow)]
    pub form: Cow<'a, str>,
    /// `rule`: the rule or grant that decided.
    #[serde(borrow)]
    pub rule: Cow<'a, str>,
}

impl<'a> Facets<'a> {
    /// Reads them out of a leaf; what cannot be read is empty.
    pub fn of(leaf: &'a [u8]) -> Self {
        serde_json::from_slice(leaf).unwrap_or_default()
    }

    /// Who acted: the official on whose behalf a system asked, or the account itself; or the account
    /// that somebody tried to sign in to. A record of a caller who is known may name another account,
    /// that something was done to: that one did not act.
    pub fn actor(&self) -> &str {
        let called = [&self.operator, &self.caller.account].into_iter().find(|name| !name.is_empty());
        let claimed = || if self.caller == Caller::default() { &*self.account } else { "" };
        called.map(|name| &**name).unwrap_or_else(claimed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_are_read_where_they_stand_and_empty_where_not() {
        let facets = Facets::of(
            br#"{"caller":{"department":"housing","system":"s"},"fields":[{"field":"status","code":"no-rule"}],"outcome":"ok"}"#,
        );
        assert_eq!((&*facets.caller.department, &*facets.outcome, &*facets.dataset), ("housing", "ok", ""));
        assert_eq!(facets.fields, [Field { field: "status".into(), ..Field::default() }]);
        assert_eq!(Facets::of(b"no record"), Facets::default());
    }

    #[test]
    fn who_acted_is_the_official_or_the_account_or_whoever_could_not_sign_in() {
        for (leaf, actor) in [
            (r#"{"caller":{"department":"housing","system":"s"},"operator":"hc-0231"}"#, "hc-0231"),
            (r#"{"caller":{"department":"audit","account":"eve"}}"#, "eve"),
            (r#"{"kind":"sign-in","outcome":"sign-in-failed","account":"eve"}"#, "eve"),
            (r#"{"caller":{"department":"audit","account":"eve"},"account":"wang"}"#, "eve"),
            (r#"{"caller":{"department":"housing","system":"s"},"account":"wang"}"#, ""),
            (r#"{"kind":"sign-in","outcome":"sign-in-failed"}"#, ""),
        ] {
            assert_eq!(Facets::of(leaf.as_bytes()).actor(), actor, "{leaf}");
        }
    }
}
