//! What the adapter process reads: views or tables of the department's own database.
//!
//! Invariant: read-only, one statement a request, built from the configuration with the subjects
//! bound; a record holds the fields asked for and nothing else; several rows for one subject are
//! an error unless the configuration says which one counts. Blocking: not for an actix worker.

mod lookup;
mod statement;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use self::lookup::{Lookup, Row, Source};
use self::statement::Plan;
use crate::base::ids::{DatasetId, FieldName};
use crate::base::{Code, Error, Finding, Findings, Result};
use crate::config::adapter::ProcessConfig;

pub use self::statement::MAX_SUBJECTS;

/// The department's database, and how each dataset is read from it.
pub struct SqlSource {
    source: Source,
    plans: BTreeMap<DatasetId, Plan>,
}

impl SqlSource {
    /// Opens the database that the configuration read from `file` names, and tries every
    /// dataset's statement once, without a subject.
    ///
    /// # Errors
    /// The database or the datasets that cannot be read, and why.
    pub fn open(file: &str, config: &ProcessConfig) -> Result<Self, Findings> {
        let timeout = Duration::from_millis(config.statement_timeout_ms);
        let source = Source::open(&config.database, config.statements.get(), timeout).map_err(|what| {
            let fix = "name a database that this process may read";
            Findings(vec![Finding::error("adapter-database", file, 0, format!("[database]: {what}"), fix)])
        })?;
        let mut findings = Findings::default();
        let mut plans = BTreeMap::new();
        for (id, view) in &config.dataset {
            let plan = Plan::new(source.dialect(), view).and_then(|plan| try_out(&source, plan));
            match plan {
                Ok(plan) => {
                    plans.insert(id.clone(), plan);
                }
                Err(what) => findings.push(Finding::error(
                    "adapter-view",
                    file,
                    0,
                    format!("[dataset.\"{id}\"]: {what}"),
                    "name a view this process may read, its key column and the columns of its fields",
                )),
            }
        }
        match findings.has_errors() {
            true => Err(findings),
            false => Ok(Self { source, plans }),
        }
    }

    /// The records of `subjects` (at most [`MAX_SUBJECTS`]) with `fields`, as the text of a JSON
    /// array: for each subject, in order, an object, or null where there is no row.
    ///
    /// # Errors
    /// `not-found` for a dataset that is not configured; `invalid-request` for a field that is not, or for
    /// too many subjects; `data-fault` for several rows of one subject; `provider-busy`,
    /// `provider-failed`.
    pub fn fetch(&self, dataset: &str, fields: &[FieldName], subjects: &[&str]) -> Result<String> {
        let plan = self.plans.get(dataset).ok_or(Code::NotFound)?;
        if subjects.len() > MAX_SUBJECTS {
            return Err(Error::at(Code::InvalidRequest, "/subjects", Code::TooManyItems));
        }
        let mut chosen = 0;
        for (at, field) in fields.iter().enumerate() {
            chosen |= plan.bit(field).ok_or_else(|| {
                Error::at(Code::InvalidRequest, format!("/fields/{at}"), Code::UnknownField)
            })?;
        }
        if subjects.is_empty() {
            return Err(Error::at(Code::InvalidRequest, "/subjects", Code::TooFewItems));
        }
        let (statement, keep) = plan.statement(chosen);
        let rows = self.source.run(Lookup { statement: &statement, subjects, keep })?;
        in_order(subjects, rows)
    }
}

fn try_out(source: &Source, plan: Plan) -> std::result::Result<Plan, String> {
    let (statement, _) = plan.statement(plan.all());
    source.try_out(Lookup { statement: &statement, subjects: &[""], keep: false })?;
    Ok(plan)
}

/// Puts each row in its subject's place.
fn in_order(subjects: &[&str], rows: Vec<Row>) -> Result<String> {
    let fault = |what: &'static str| Error::new(Code::DataFault).because(what);
    let size = rows.iter().map(|(_, record)| record.len() + 1).sum::<usize>() + 5 * subjects.len() + 2;
    let count = rows.len();
    let rows: HashMap<String, String> = rows.into_iter().collect();
    if rows.len() < count {
        return Err(fault("a subject has several rows; set `latest_by`, or make the view choose"));
    }
    // A key that the database holds equal but that is not the same text, by a collation say: to
    // leave it out would say "no record" of somebody who has one.
    if !rows.keys().all(|key| subjects.contains(&key.as_str())) {
        return Err(fault("a row's key is not the text that was asked for"));
    }
    let mut out = String::with_capacity(size);
    for (at, subject) in subjects.iter().enumerate() {
        out.push(if at == 0 { '[' } else { ',' });
        out.push_str(rows.get(*subject).map_or("null", String::as_str));
    }
    out.push(']');
    Ok(out)
}

#[cfg(test)]
pub(crate) mod tests;
