//! The adapter process's reading of PostgreSQL, against a real server started for the test.
//!
//! `tests/run` installs the server programs; without them the test fails.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use sluice::adapters::sql::SqlSource;
use sluice::base::Code;
use sluice::base::ids::FieldName;
use sluice::config::adapter::ProcessConfig;
use tempfile::TempDir;

/// A server of its own, on a socket in a folder of its own; it ends with the test.
struct Postgres {
    dir: TempDir,
    programs: PathBuf,
}

impl Postgres {
    fn start() -> Self {
        let programs = programs().expect("PostgreSQL's initdb and pg_ctl: apt-get install postgresql");
        let dir = tempfile::tempdir().unwrap();
        let postgres = Self { dir, programs };
        let data = postgres.data();
        std::fs::create_dir(&data).unwrap();
        if let Some((user, group)) = unprivileged() {
            chown(postgres.dir.path(), Some(user), Some(group)).unwrap();
            chown(&data, Some(user), Some(group)).unwrap();
        }
        postgres.run("initdb", &["--username=sluice", "--auth=trust", "--encoding=UTF8", "--no-sync"]);
        let options = format!("-F -c listen_addresses='' -c unix_socket_directories='{}'", postgres.socket());
        postgres.run(
            "pg_ctl",
            &["--wait", "-o", &options, "--log", &format!("{}/log", postgres.socket()), "start"],
        );
        postgres
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn socket(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    fn url(&self) -> String {
        format!("postgresql:///postgres?host={}&user=sluice", self.socket())
    }

    /// Runs one of the server's programs, which refuse to run as root.
    fn run(&self, program: &str, arguments: &[&str]) {
        let path = self.programs.join(program);
        let mut command = match unprivileged() {
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"]);
                command.arg(path);
                command
            }
            None => Command::new(path),
        };
        command.arg("--pgdata").arg(self.data()).args(arguments);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/").status().unwrap();
        assert!(status.success(), "{program}: {status}");
    }

    fn open(&self, dataset: &str) -> Result<SqlSource, String> {
        let url_file = self.dir.path().join("url");
        std::fs::write(&url_file, self.url() + "\n").unwrap();
        std::fs::set_permissions(&url_file, Permissions::from_mode(0o600)).unwrap();
        let config: ProcessConfig = toml::from_str(&format!(
            "listen = '127.0.0.1:0'\ncertificate = 'c'\nkey = 'k'\nclient_ca = 'a'\nclients = ['{CLIENT}']\nstatement_timeout_ms = 500\n\
             [database.postgres]\nurl_file = '{}'\n[dataset.'civil.subsistence']\n{dataset}",
            url_file.display()
        ))
        .unwrap();
        SqlSource::open("adapter.toml", &config).map_err(|findings| findings.to_string())
    }

    fn execute(&self, sql: &str) {
        PgConnection::establish(&self.url()).unwrap().batch_execute(sql).unwrap();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.run("pg_ctl", &["--mode=immediate", "stop"]);
    }
}

/// Where `initdb` and `pg_ctl` are.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.push("/usr/local/bin".into());
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

/// Whom to become where the test runs as root: the user `nobody`, by its customary number.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let own = Path::new("/proc/self").metadata().ok()?.uid();
    (own == 0).then_some((65_534, 65_534))
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
    let postgres = Postgres::start();
    postgres.execute(PEOPLE);
    let source = postgres.open(VIEW).map_err(|what| panic!("{what}")).unwrap();

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
        postgres.open(&VIEW.replace("key = 'id'", "key = 'id'\nlatest_by = 'at'")).map_err(|_| ()).unwrap();
    let answer = fetch(&latest, &["status"], &["C"]).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&answer).unwrap(),
        serde_json::json!([{ "status": "second" }])
    );

    // A view that writes when it is read finds the session read-only.
    postgres.execute(
        "CREATE FUNCTION share.spy() RETURNS text LANGUAGE plpgsql VOLATILE AS \
         $$ BEGIN INSERT INTO share.people (id) VALUES ('spied'); RETURN 'x'; END $$;
         CREATE VIEW share.v_spy AS SELECT id, share.spy() AS status FROM share.people;
         CREATE VIEW share.v_slow AS SELECT id, pg_sleep(60)::text AS status FROM share.people;",
    );
    let view =
        |name: &str| format!("table = 'share.{name}'\nkey = 'id'\nfields.status = {{ column = 'status' }}");
    let spy = postgres.open(&view("v_spy")).map_err(|_| ()).unwrap();
    assert_eq!(fetch(&spy, &["status"], &["A"]), Err(Code::ProviderFailed));

    // A slow statement is cut off by the server.
    let slow = postgres.open(&view("v_slow")).map_err(|_| ()).unwrap();
    assert_eq!(fetch(&slow, &["status"], &["A"]), Err(Code::ProviderFailed));

    // A missing view is told at the start.
    assert!(postgres.open(&view("v_nothing")).map(|_| ()).unwrap_err().contains("v_nothing"));

    // After the server was away, the connections heal.
    postgres
        .run("pg_ctl", &["--mode=fast", "--wait", "restart", "--log", &format!("{}/log", postgres.socket())]);
    assert!(fetch(&source, &["status"], &["A"]).unwrap().contains("receiving"));
}
