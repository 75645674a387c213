//! The statements of a view, built from its configuration alone.
//!
//! Invariant: a statement's text is made of checked, quoted names from the configuration and of
//! constants. Subjects are bound, always; a request only chooses among the configured fields.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::{collections::HashMap, sync::Arc};

use crate::base::ids::FieldName;
use crate::config::adapter::{Column, ColumnType, View};

/// Most subjects of one request, and so of one statement.
pub const MAX_SUBJECTS: usize = 100;
/// Most fields of one view: a choice of them is the bits of a `u64`.
const MAX_FIELDS: usize = 64;
/// Choices of fields whose statements are kept. Callers' needs are few and settled; a caller who
/// tries every choice must not fill the memory.
const MAX_KEPT: usize = 256;

/// Whose SQL is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "only tests write it then"))]
    Postgres,
}

/// A statement around the place where the subjects are bound.
#[derive(Debug, PartialEq, Eq)]
pub struct Statement {
    /// Up to the subjects.
    pub head: String,
    /// From there on.
    pub tail: String,
}

/// How a view is read.
#[derive(Debug)]
pub struct Plan {
    dialect: Dialect,
    table: String,
    key: String,
    latest_by: Option<String>,
    /// Each field with the SQL that gives its value.
    columns: Vec<(FieldName, String)>,
    kept: Mutex<HashMap<u64, Arc<Statement>>>,
}

impl Plan {
    /// Checks and quotes every name of `view`.
    ///
    /// # Errors
    /// The name that cannot be one.
    pub fn new(dialect: Dialect, view: &View) -> Result<Self, String> {
        if view.fields.is_empty() || view.fields.len() > MAX_FIELDS {
            return Err(format!("a view has 1 to {MAX_FIELDS} fields"));
        }
        let table: Result<Vec<_>, _> = view.table.split('.').map(quoted).collect();
        Ok(Self {
            dialect,
            table: table?.join("."),
            key: column(&view.key)?,
            latest_by: view.latest_by.as_deref().map(column).transpose()?,
            columns: columns(dialect, &view.fields)?,
            kept: Mutex::default(),
        })
    }

    /// The bit of a field in a choice of fields.
    pub fn bit(&self, field: &FieldName) -> Option<u64> {
        self.columns.iter().position(|(name, _)| name == field).map(|at| 1 << at)
    }

    /// Every field.
    pub fn all(&self) -> u64 {
        self.columns.iter().enumerate().fold(0, |all, (at, _)| all | 1 << at)
    }

    /// The statement for a choice of fields, and whether it is one of those that are kept, so
    /// that the database may keep it prepared as well.
    pub fn statement(&self, chosen: u64) -> (Arc<Statement>, bool) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = kept.get(&chosen) {
            return (statement.clone(), true);
        }
        let statement = Arc::new(self.build(chosen));
        let keep = kept.len() < MAX_KEPT;
        if keep {
            kept.insert(chosen, statement.clone());
        }
        (statement, keep)
    }

    /// Two columns: the subject's key, and the record as the text of a JSON object.
    fn build(&self, chosen: u64) -> Statement {
        let Self { table, key, .. } = self;
        let pairs: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(at, _)| chosen & 1 << at != 0)
            // A field's name is an id: it has no quotes.
            .map(|(_, (field, sql))| format!("'{field}', {sql}"))
            .collect();
        let (object, matches) = match self.dialect {
            Dialect::Sqlite => (format!("json_object({})", pairs.join(", ")), "IN"),
            Dialect::Postgres => (format!("json_build_object({})::text", pairs.join(", ")), "= ANY"),
        };
        // One row more than the subjects there can be: more rows than subjects are then always
        // seen as such, however many there are.
        let limit = MAX_SUBJECTS + 1;
        let rows = format!("CAST({key} AS TEXT) AS k, {object} AS j");
        match &self.latest_by {
            None => Statement {
                head: format!("SELECT {rows} FROM {table} AS t WHERE {key} {matches} ("),
                tail: format!(") LIMIT {limit}"),
            },
            Some(latest) => Statement {
                head: format!(
                    "SELECT r.k, r.j FROM (SELECT {rows}, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY \
                     {latest} DESC NULLS LAST) AS n FROM {table} AS t WHERE {key} {matches} ("
                ),
                tail: format!(")) AS r WHERE r.n = 1 LIMIT {limit}"),
            },
        }
    }
}

fn columns(
    dialect: Dialect,
    fields: &BTreeMap<FieldName, Column>,
) -> Result<Vec<(FieldName, String)>, String> {
    fields
        .iter()
        .map(|(field, source)| {
            let name = column(&source.column)?;
            let sql = match (source.kind, dialect) {
                (None, _) => name,
                // Anything but 0 and 1 passes as it is, and is refused by the gateway's schema.
                (Some(ColumnType::Boolean), Dialect::Sqlite) => {
                    format!("CASE {name} WHEN 0 THEN json('false') WHEN 1 THEN json('true') ELSE {name} END")
                }
                (Some(ColumnType::Boolean), Dialect::Postgres) => format!(
                    "CASE {name}::text WHEN '0' THEN to_json(false) WHEN '1' THEN to_json(true) \
                     ELSE to_json({name}) END"
                ),
            };
            Ok((field.clone(), sql))
        })
        .collect()
}

/// A column of the view. Qualified, for SQLite reads a quoted name that no table has as a text.
fn column(name: &str) -> Result<String, String> {
    Ok(format!("t.{}", quoted(name)?))
}

/// A name in double quotes. Letters of any script, digits, `_` and `$` only, so that there is
/// nothing to escape.
fn quoted(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    match (1..=63).contains(&name.len()) && name.chars().all(plain) {
        true => Ok(format!("\"{name}\"")),
        false => Err(format!("`{name}` is not a name of letters, digits, _ and $ in at most 63 bytes")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn view(table: &str, key: &str, latest_by: Option<&str>) -> View {
        let column = |name: &str, kind| Column { column: name.into(), kind };
        View {
            table: table.into(),
            key: key.into(),
            latest_by: latest_by.map(Into::into),
            fields: BTreeMap::from([
                (FieldName::parse("insured").unwrap(), column("cbzt", Some(ColumnType::Boolean))),
                (FieldName::parse("name").unwrap(), column("姓名", None)),
            ]),
        }
    }

    fn text(dialect: Dialect, latest_by: Option<&str>, chosen: u64) -> String {
        let plan = Plan::new(dialect, &view("share.v_person", "sfzh", latest_by)).unwrap();
        let (statement, _) = plan.statement(chosen);
        format!("{}<subjects>{}", statement.head, statement.tail)
    }

    #[test]
    fn a_statement_names_only_the_chosen_columns() {
        assert_eq!(
            text(Dialect::Sqlite, None, 0b10),
            r#"SELECT CAST(t."sfzh" AS TEXT) AS k, json_object('name', t."姓名") AS j FROM "share"."v_person" AS t WHERE t."sfzh" IN (<subjects>) LIMIT 101"#
        );
        assert_eq!(
            text(Dialect::Postgres, None, 0b01),
            r#"SELECT CAST(t."sfzh" AS TEXT) AS k, json_build_object('insured', CASE t."cbzt"::text WHEN '0' THEN to_json(false) WHEN '1' THEN to_json(true) ELSE to_json(t."cbzt") END)::text AS j FROM "share"."v_person" AS t WHERE t."sfzh" = ANY (<subjects>) LIMIT 101"#
        );
    }

    #[test]
    fn the_latest_row_is_chosen_by_the_database() {
        assert_eq!(
            text(Dialect::Sqlite, Some("gxsj"), 0b10),
            r#"SELECT r.k, r.j FROM (SELECT CAST(t."sfzh" AS TEXT) AS k, json_object('name', t."姓名") AS j, ROW_NUMBER() OVER (PARTITION BY t."sfzh" ORDER BY t."gxsj" DESC NULLS LAST) AS n FROM "share"."v_person" AS t WHERE t."sfzh" IN (<subjects>)) AS r WHERE r.n = 1 LIMIT 101"#
        );
    }

    #[test]
    fn a_name_that_could_end_its_quotes_is_refused() {
        for bad in ["", "a\"b", "a b", "a;", "a'b", "a--", "a\0", &"x".repeat(64)] {
            assert!(Plan::new(Dialect::Sqlite, &view(bad, "k", None)).is_err(), "{bad:?}");
            assert!(Plan::new(Dialect::Sqlite, &view("t", bad, None)).is_err(), "{bad:?}");
            assert!(Plan::new(Dialect::Sqlite, &view("t", "k", Some(bad))).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_so_many_choices_are_kept() {
        let mut wide = view("t", "k", None);
        for n in 0..20 {
            let column = Column { column: format!("c{n}"), kind: None };
            wide.fields.insert(FieldName::parse(&format!("f{n}")).unwrap(), column);
        }
        let plan = Plan::new(Dialect::Sqlite, &wide).unwrap();
        let kept = (1..=1_000).filter(|&chosen| plan.statement(chosen).1).count();
        assert_eq!(kept, MAX_KEPT);
    }
}
