//! The grants of the store, on their way into the decision.
//!
//! Invariant: a grant gives what its accepted terms say and the catalogue of today allows, and
//! gives nothing while its row is not borne out: by the digest of its terms, and by the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::emergency::terms::{EmergencyTerms, is_emergency};
use crate::approval::Terms;
use crate::base::Timestamp;
use crate::base::ids::RuleId;
use crate::catalogue::Catalogue;
use crate::policy::{Grant, GrantedField, People, Policy};
use crate::store::state::grants::{GrantState, StandingGrant};

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// The rows of the grants' table, read.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    kept: BTreeMap<RuleId, Kept>,
    /// Grants that the log does not say the same of as the table. One of the files is among them
    /// too when its row is missing.
    distrusted: BTreeSet<RuleId>,
}

#[derive(Debug, Clone)]
struct Kept {
    row: StandingGrant,
    /// What its terms give, whatever the catalogue says; none for a grant of the files, and none
    /// where the terms are not those of the digest.
    grant: Option<Arc<Grant>>,
}

impl Standing {
    /// Reads rows; one that `self` has already is not read again.
    pub fn with_rows(&self, rows: Vec<StandingGrant>) -> Self {
        let kept = rows.into_iter().map(|row| match self.kept.get(&row.id) {
            Some(kept) if kept.row == row => (row.id.clone(), kept.clone()),
            _ => (row.id.clone(), Kept { grant: read(&row).map(Arc::new), row }),
        });
        Self { kept: kept.collect(), distrusted: self.distrusted.clone() }
    }

    /// The same, with trust in all but these.
    pub fn distrusting(&self, distrusted: BTreeSet<RuleId>) -> Self {
        Self { kept: self.kept.clone(), distrusted }
    }

    /// Are these the rows that it has?
    pub fn is_of(&self, rows: &[StandingGrant]) -> bool {
        self.kept.len() == rows.len() && rows.iter().all(|row| self.row(&row.id) == Some(row))
    }

    /// The row of a grant.
    pub fn row(&self, id: &RuleId) -> Option<&StandingGrant> {
        self.kept.get(id).map(|kept| &kept.row)
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &StandingGrant> {
        self.kept.values().map(|kept| &kept.row)
    }

    /// The grants that are not given, because the log says something else of them.
    pub fn distrusted(&self) -> &BTreeSet<RuleId> {
        &self.distrusted
    }

    /// `policy` with these grants.
    pub fn put_into(&self, policy: &Policy, catalogue: &Catalogue) -> Policy {
        let trusted = self.kept.values().filter(|kept| !self.distrusted.contains(&kept.row.id));
        let admitted = trusted.filter_map(|kept| {
            let (admitted, left_out) = policy.admit(kept.grant.as_ref()?, catalogue);
            if !left_out.is_empty() {
                let left_out = left_out.join("; ");
                tracing::warn!(grant = %kept.row.id, left_out, "not all of a grant is allowed any more");
            }
            admitted
        });
        policy.with_grants(admitted, |id| match self.distrusted.contains(id) {
            true => Some(true),
            false => Some(
                self.kept.get(id).filter(|kept| of_the_files(&kept.row))?.row.state != GrantState::Active,
            ),
        })
    }

    /// Grants that do not stand as in `other`: their ids.
    pub fn changed_since<'a>(&'a self, other: &'a Standing) -> impl Iterator<Item = &'a RuleId> {
        let distrusted = self.distrusted.union(&other.distrusted);
        let ids: BTreeSet<_> = self.kept.keys().chain(other.kept.keys()).chain(distrusted).collect();
        let distrusts = |s: &Standing, id: &RuleId| s.distrusted.contains(id);
        ids.into_iter()
            .filter(move |id| self.row(id) != other.row(id) || distrusts(self, id) != distrusts(other, id))
    }
}

/// Is it the row of a grant that stands in the files? Such a one is its own application.
fn of_the_files(row: &StandingGrant) -> bool {
    row.application.as_str() == row.id.as_str() && !is_emergency(&row.id)
}

/// What the terms of a row give.
fn read(row: &StandingGrant) -> Option<Grant> {
    if of_the_files(row) {
        return None;
    }
    let grant = if is_emergency(&row.id) { EmergencyTerms::grant(row) } else { applied_for(row) };
    if grant.is_none() {
        tracing::error!(grant = %row.id, "the terms of a grant are not those that were accepted");
    }
    grant
}

fn applied_for(row: &StandingGrant) -> Option<Grant> {
    let terms: Terms = serde_json::from_str(&row.terms).ok()?;
    if terms.revision().as_str() != row.digest {
        return None;
    }
    let last_day = Timestamp::parse(&format!("{}T00:00:00+08:00", terms.until))?;
    Some(Grant {
        rule: Grant::rule(&row.id)?,
        id: row.id.clone(),
        dataset: terms.dataset,
        department: row.requester.clone(),
        systems: terms.systems,
        purpose: terms.purpose,
        fields: terms
            .fields
            .into_iter()
            .map(|asked| GrantedField { field: asked.field, form: asked.form, compare: asked.compare })
            .collect(),
        from: row.since,
        until: last_day.plus_seconds(DAY_SECONDS),
        suspended: row.state != GrantState::Active,
        per_day: terms.per_day,
        people: Some(People::ADay(terms.distinct_per_day)),
        condition: None,
        basis: terms.basis,
        line: 0,
    })
}
