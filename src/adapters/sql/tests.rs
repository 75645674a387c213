//! The SQL source against real SQLite files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use tempfile::TempDir;

use super::*;

/// Makes a SQLite file.
pub(crate) fn database(path: &std::path::Path, sql: &str) {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap().batch_execute(sql).unwrap();
}

/// A key that nobody has.
const CLIENT: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

struct World {
    dir: TempDir,
}

impl World {
    fn new(sql: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // A name that would end the path part of a URI if it were not escaped.
        let path = dir.path().join("civil?mode=rw#%41.db");
        // Made under a plain name first, since SQLite would take this one as a URI.
        let plain = dir.path().join("plain.db");
        database(&plain, sql);
        std::fs::rename(plain, path).unwrap();
        Self { dir }
    }

    fn config(&self, dataset: &str) -> ProcessConfig {
        let mut config: ProcessConfig = toml::from_str(&format!(
            "listen = '127.0.0.1:0'\ncertificate = 'c'\nkey = 'k'\nclient_ca = 'a'\nclients = ['{CLIENT}']\nstatement_timeout_ms = 300\n\
             [database.sqlite]\npath = 'civil?mode=rw#%41.db'\n[dataset.'civil.subsistence']\n{dataset}"
        ))
        .unwrap();
        config.resolve(self.dir.path());
        config
    }

    fn open(&self, dataset: &str) -> Result<SqlSource, Findings> {
        SqlSource::open("adapter.toml", &self.config(dataset))
    }
}

const PEOPLE: &str = "CREATE TABLE people (id TEXT, status TEXT, income REAL, disabled INTEGER, day TEXT);
    INSERT INTO people VALUES
        ('A', 'receiving', 2800.5, 1, '2026-01-01'),
        ('B', 'stopped', NULL, 0, '2026-01-02'),
        ('C', 'first', 1, 2, '2025-01-01'),
        ('C', 'second', 2, NULL, '2026-01-01'),
        ('C', 'undated', 3, NULL, NULL);";

const VIEW: &str = "table = 'people'\nkey = 'id'\n[dataset.'civil.subsistence'.fields]\n\
    status = { column = 'status' }\nincome = { column = 'income' }\n\
    disabled = { column = 'disabled', type = 'boolean' }";

fn fetch(source: &SqlSource, fields: &[&str], subjects: &[&str]) -> Result<String, Code> {
    let fields: Vec<_> = fields.iter().map(|field| FieldName::parse(field).unwrap()).collect();
    source.fetch("civil.subsistence", &fields, subjects).map_err(|error| error.code)
}

#[test]
fn records_come_in_the_order_of_the_subjects_with_null_for_none() {
    let source = World::new(PEOPLE).open(VIEW).unwrap();
    assert_eq!(
        fetch(&source, &["status", "income", "disabled"], &["B", "nobody", "A"]).unwrap(),
        r#"[{"disabled":false,"income":null,"status":"stopped"},null,{"disabled":true,"income":2800.5,"status":"receiving"}]"#
    );
    assert_eq!(fetch(&source, &["status"], &["A"]).unwrap(), r#"[{"status":"receiving"}]"#);
    assert_eq!(fetch(&source, &["status"], &["nobody"]).unwrap(), "[null]");
    assert_eq!(fetch(&source, &[], &["nobody", "A"]).unwrap(), "[null,{}]");
}

#[test]
fn every_number_of_subjects_up_to_the_bound_is_answered() {
    let source = World::new(PEOPLE).open(VIEW).unwrap();
    for count in [1, 2, 9, 10, 11, 99, 100] {
        let mut subjects = vec!["nobody"; count];
        subjects[count - 1] = "A";
        let answer = fetch(&source, &["status"], &subjects).unwrap();
        let records: Vec<serde_json::Value> = serde_json::from_str(&answer).unwrap();
        assert_eq!(records.len(), count);
        assert_eq!(records[count - 1]["status"], "receiving");
    }
    assert_eq!(fetch(&source, &["status"], &["A"; 101]), Err(Code::InvalidRequest));
    assert_eq!(fetch(&source, &["status"], &[]), Err(Code::InvalidRequest));
}

#[test]
fn several_rows_for_one_subject_are_an_error() {
    let source = World::new(PEOPLE).open(VIEW).unwrap();
    assert_eq!(fetch(&source, &["status"], &["A", "C"]), Err(Code::DataFault));
}

#[test]
fn several_rows_are_seen_however_many_other_rows_there_are() {
    let mut sql = PEOPLE.to_owned();
    for _ in 0..300 {
        sql.push_str("INSERT INTO people (id, status) VALUES ('D', 'x');");
    }
    let source = World::new(&sql).open(VIEW).unwrap();
    assert_eq!(fetch(&source, &["status"], &["D", "A"]), Err(Code::DataFault));
}

#[test]
fn the_latest_row_counts_where_the_configuration_says_so() {
    let view = VIEW.replace("key = 'id'", "key = 'id'\nlatest_by = 'day'");
    let source = World::new(PEOPLE).open(&view).unwrap();
    assert_eq!(
        fetch(&source, &["status"], &["C", "A"]).unwrap(),
        r#"[{"status":"second"},{"status":"receiving"}]"#
    );
}

#[test]
fn a_subject_is_bound_and_never_part_of_the_statement() {
    let source = World::new(PEOPLE).open(VIEW).unwrap();
    for subject in ["' OR 1=1 --", "A' OR 'a'='a", "\"; DROP TABLE people; --", "%", "A\0"] {
        assert_eq!(fetch(&source, &["status"], &[subject]).unwrap(), "[null]", "{subject:?}");
    }
    assert_eq!(fetch(&source, &["status"], &["A"]).unwrap(), r#"[{"status":"receiving"}]"#);
}

#[test]
fn an_unknown_dataset_or_field_is_refused() {
    let source = World::new(PEOPLE).open(VIEW).unwrap();
    assert_eq!(fetch(&source, &["name"], &["A"]), Err(Code::InvalidRequest));
    let status = FieldName::parse("status").unwrap();
    assert_eq!(source.fetch("civil.other", &[status], &["A"]).unwrap_err().code, Code::NotFound);
}

#[test]
fn a_boolean_that_is_neither_0_nor_1_is_left_for_the_schema_to_refuse() {
    let source = World::new(
        "CREATE TABLE people (id TEXT, status TEXT, income REAL, disabled INTEGER);
        INSERT INTO people VALUES ('A', 'x', 1, 2);",
    )
    .open(VIEW)
    .unwrap();
    assert_eq!(fetch(&source, &["disabled"], &["A"]).unwrap(), r#"[{"disabled":2}]"#);
}

#[test]
fn a_key_equal_only_by_collation_is_an_error_rather_than_no_record() {
    let source = World::new(
        "CREATE TABLE people (id TEXT COLLATE NOCASE, status TEXT, income REAL, disabled INTEGER);
        INSERT INTO people VALUES ('11010519491231002X', 'x', 1, 1);",
    )
    .open(VIEW)
    .unwrap();
    assert_eq!(fetch(&source, &["status"], &["11010519491231002x"]), Err(Code::DataFault));
}

#[test]
fn a_missing_file_table_or_column_is_told_at_the_start() {
    let world = World::new(PEOPLE);
    for (before, after, named) in [
        ("table = 'people'", "table = 'nobody'", "nobody"),
        ("column = 'status'", "column = 'no_such_column'", "no_such_column"),
        ("key = 'id'", "key = 'no_such_key'", "no_such_key"),
    ] {
        let findings = world.open(&VIEW.replace(before, after)).map(|_| ()).unwrap_err();
        assert!(findings.to_string().contains(named), "{findings}");
    }
    let mut config = world.config(VIEW);
    config.resolve(std::path::Path::new("/"));
    std::fs::remove_file(world.dir.path().join("civil?mode=rw#%41.db")).unwrap();
    assert!(SqlSource::open("adapter.toml", &config).is_err());
    assert_eq!(std::fs::read_dir(world.dir.path()).unwrap().count(), 0, "nothing was created");
}

#[test]
fn the_database_cannot_be_written() {
    let world = World::new(PEOPLE);
    let source = world.open(VIEW).unwrap();
    #[allow(irrefutable_let_patterns, reason = "there is a second kind with the feature `postgres`")]
    let Source::Sqlite(pool) = &source.source else { unreachable!("the configuration names a SQLite file") };
    let mut connection = pool.get().unwrap();
    for statement in
        ["DELETE FROM people", "CREATE TABLE x (y)", "PRAGMA query_only = OFF; DELETE FROM people"]
    {
        assert!(connection.batch_execute(statement).is_err(), "{statement}");
    }
}
