//! The departments' own databases: one SQLite file each, in tables of their own making.
//!
//! Invariant: the gateway never opens these files; only the department's adapter does. diesel is
//! used here because this module plays the departments.

use std::fs;
use std::io;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Map, Value};

use crate::catalogue::Dataset;

/// A table of a department's database.
#[derive(Debug)]
pub struct Table {
    /// The dataset that is answered from it.
    pub dataset: String,
    /// Its name.
    pub name: String,
    /// The column of the subject's identifier.
    pub key: String,
    /// Its columns.
    pub columns: Vec<TableColumn>,
}

/// A column of a table.
#[derive(Debug)]
pub struct TableColumn {
    /// The field that is read from it.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Does it hold true and false, as 1 and 0?
    pub boolean: bool,
    affinity: &'static str,
}

impl Table {
    /// The table that a department keeps for a dataset.
    pub fn of(dataset: &Dataset) -> Self {
        let id = dataset.id().as_str();
        let name = id.split_once('.').map_or(id, |(_, name)| name);
        let columns = dataset.fields.iter().map(|field| TableColumn {
            field: field.name.to_string(),
            name: field.name.as_str().to_ascii_uppercase(),
            boolean: field.kind.starts_with("boolean"),
            affinity: match field.kind.split(' ').next() {
                Some("integer" | "boolean") => "INTEGER",
                Some("number") => "REAL",
                _ => "TEXT",
            },
        });
        Self {
            dataset: id.to_owned(),
            name: format!("T_{}", name.to_ascii_uppercase()),
            key: dataset.entry.subject.member.to_ascii_uppercase(),
            columns: columns.collect(),
        }
    }
}

/// Makes the database at `path` with `tables` and their rows.
///
/// # Errors
/// When the file cannot be written.
pub fn make(path: &Path, tables: &[(Table, Vec<Map<String, Value>>)]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut connection =
        diesel::SqliteConnection::establish(&path.display().to_string()).map_err(io::Error::other)?;
    connection.batch_execute("PRAGMA journal_mode = WAL; BEGIN").map_err(io::Error::other)?;
    for (table, rows) in tables {
        fill(&mut connection, table, rows)?;
    }
    connection.batch_execute("COMMIT").map_err(io::Error::other)
}

fn fill(connection: &mut SqliteConnection, table: &Table, rows: &[Map<String, Value>]) -> io::Result<()> {
    let Table { name, key, columns, .. } = table;
    let list =
        |part: &dyn Fn(&TableColumn) -> String| columns.iter().map(part).collect::<Vec<_>>().join(", ");
    let definitions = list(&|c| format!("{} {}", c.name, c.affinity));
    let values = list(&|c| format!("json_extract(value, '$.{}')", c.field));
    let create =
        format!("CREATE TABLE {name} ({definitions}); CREATE UNIQUE INDEX {name}_KEY ON {name} ({key})");
    connection.batch_execute(&create).map_err(io::Error::other)?;
    // All rows in one bound parameter: SQLite takes them apart itself.
    let rows = serde_json::to_string(rows)?;
    diesel::sql_query(format!("INSERT INTO {name} SELECT {values} FROM json_each(?)"))
        .bind::<Text, _>(rows)
        .execute(connection)
        .map_err(io::Error::other)?;
    Ok(())
}
