//! The adapter process's reading of PostgreSQL, against a real server started for the test.
//!
//! `tests/run` installs the server programs; without them the test fails.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use sluice::adapters::sql::SqlSource;
use sluice::base::Code;
use sluice::base::ids::FieldName;
use sluice::config::adapter::ProcessConfig;

use crate::support::postgres::{ADMIN, Postgres};

fn open(postgres: &Postgres, dataset: &str) -> Result<SqlSource, String> {
    let dir = tempfile::tempdir().unwrap();
    let url_file = dir.path().join("url");
    let url = format!("postgresql:///postgres?host={}&user={ADMIN}\n", postgres.socket());
    std::fs::write(&url_file, url).unwrap();
    std::fs::set_permissions(&url_file, Permissions::from_mode(0o600)).unwrap();
    let config: ProcessConfig = toml::from_str(&format!(
        "listen = '127.0.0.1:0'\ncertificate = 'c'\nkey = 'k'\nclient_ca = 'a'\nclients = ['{CLIENT}']\nstatement_timeout_ms = 500\n\
         [database.postgres]\nurl_file = '{}'\n[dataset.'civil.subsistence']\n{dataset}",
        url_file.display()
    ))
    .unwrap();
    SqlSource::open("adapter.toml", &config).map_err(|findings| findings.to_string())
}

/// A key that nobody has.
const CLIENT: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

const VIEW: &str = "table = 'share.v_people'\nkey = 'id'\n\
    fields.status = { column = 'status' }\nfields.income = { column = 'income' }\n\
    fields.since = { column = 'since' }\nfields.disabled = { column = 'disabled', type = 'boolean' }";

const PEOPLE: &str = "CREATE SCHEMA share;
    CREATE TABLE share.people (id varchar(18), status text, income numeric(10,2), since date, disabled smallint, at timestamptz);
    INSERT INTO share.people VALUES
        ('A', 'receiving', 2800.50, '2026-01-31', 1, '2026-01-01'),
        ('B', NULL, NULL, NULL, 0, '2026-01-01'),
        ('C', 'first', 1, NULL, NULL, '2025-01-01'),
        ('C', 'second', 2, NULL, NULL, '2026-01-01'),
        ('C', 'undated', 3, NULL, NULL, NULL);
    CREATE VIEW share.v_people AS SELECT * FROM share.people;";

fn fetch(source: &SqlSource, fields: &[&str], subjects: &[&str]) -> Result<String, Code> {
    let fields: Vec<_> = fields.iter().map(|field| FieldName::parse(field).unwrap()).collect();
    source.fetch("civil.subsistence", &fields, subjects).map_err(|error| error.code)
}

/// One server for all of it: starting one takes longer than everything it is asked.
#[test]
fn an_adapter_reads_postgresql_and_cannot_write_it() {
    let mut postgres = Postgres::start();
    postgres.execute("postgres", PEOPLE);
    let source = open(&postgres, VIEW).map_err(|what| panic!("{what}")).unwrap();

    // Records come in the order of the subjects, with their types and null for none.
    let answer = fetch(&source, &["status", "income", "since", "disabled"], &["B", "nobody", "A"]).unwrap();
    let records: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        records,
        serde_json::json!([
            { "status": null, "income": null, "since": null, "disabled": false },
            null,
            { "status": "receiving", "income": 2800.50, "since": "2026-01-31", "disabled": true }
        ])
    );
    assert_eq!(fetch(&source, &[], &["A", "nobody"]).unwrap(), "[{},null]");

    // A subject is bound and never part of the statement.
    for subject in ["' OR 1=1 --", "{A}", "A'; DROP TABLE share.people; --"] {
        assert_eq!(fetch(&source, &["status"], &[subject]).unwrap(), "[null]", "{subject}");
    }

    // Several rows are an error, or the latest counts.
    assert_eq!(fetch(&source, &["status"], &["A", "C"]), Err(Code::DataFault));
    let latest =
        open(&postgres, &VIEW.replace("key = 'id'", "key = 'id'\nlatest_by = 'at'")).map_err(|_| ()).unwrap();
    let answer = fetch(&latest, &["status"], &["C"]).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&answer).unwrap(),
        serde_json::json!([{ "status": "second" }])
    );

    // A view that writes when it is read finds the session read-only.
    postgres.execute(
        "postgres",
        "CREATE FUNCTION share.spy() RETURNS text LANGUAGE plpgsql VOLATILE AS \
         $$ BEGIN INSERT INTO share.people (id) VALUES ('spied'); RETURN 'x'; END $$;
         CREATE VIEW share.v_spy AS SELECT id, share.spy() AS status FROM share.people;
         CREATE VIEW share.v_slow AS SELECT id, pg_sleep(60)::text AS status FROM share.people;",
    );
    let view =
        |name: &str| format!("table = 'share.{name}'\nkey = 'id'\nfields.status = {{ column = 'status' }}");
    let spy = open(&postgres, &view("v_spy")).map_err(|_| ()).unwrap();
    assert_eq!(fetch(&spy, &["status"], &["A"]), Err(Code::ProviderFailed));

    // A slow statement is cut off by the server.
    let slow = open(&postgres, &view("v_slow")).map_err(|_| ()).unwrap();
    assert_eq!(fetch(&slow, &["status"], &["A"]), Err(Code::ProviderFailed));

    // A missing view is told at the start.
    assert!(open(&postgres, &view("v_nothing")).map(|_| ()).unwrap_err().contains("v_nothing"));

    // After the server was away, the connections heal.
    postgres.stop("INT");
    postgres.run();
    assert!(fetch(&source, &["status"], &["A"]).unwrap().contains("receiving"));
}
