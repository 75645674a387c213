//! The two engines of the store: SQLite in the data folder, and PostgreSQL on a server.
//!
//! Invariant: whoever has a [`Server`] speaks to it encrypted, with its certificate checked, or
//! to this machine; and a server that went silent is given up after seconds, unless it is spoken to
//! by a socket in a folder. What is stored, and in which transactions, is not decided here.

use std::fmt::Write;
use std::sync::Arc;

use diesel::SqliteConnection;

#[cfg(feature = "postgres")]
use super::wire::Silences;
use crate::base::{Finding, Secret, Timestamp};
use crate::config::{DatabaseSection, Host, read_private};

pub use self::multi::{Db, MultiBackend};

mod multi {
    // What the derivation writes is not ours to mend. Without PostgreSQL it has one engine, and
    // matches on it as if there were others.
    #![allow(missing_docs, unreachable_patterns, unused_variables)]
    #![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

    use super::SqliteConnection;

    /// A connection to either engine, on which statements run that both understand.
    #[derive(diesel::MultiConnection)]
    pub enum Db {
        /// To a file.
        Sqlite(SqliteConnection),
        /// To a server.
        #[cfg(feature = "postgres")]
        Postgres(diesel::PgConnection),
    }
}

/// A PostgreSQL server, and what it takes to be let in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    /// As libpq takes it, without the places.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "there is nobody to connect with"))]
    pub(super) conninfo: Arc<Secret<String>>,
    /// Where it may be, in the order in which they are tried.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "there is nobody to connect with"))]
    pub(super) hosts: Arc<[(Host, u16)]>,
    connections: u32,
    #[cfg(feature = "postgres")]
    pub(super) silences: Silences,
}

impl Server {
    /// The server of the configuration, as the role that its URL names.
    ///
    /// # Errors
    /// The password's file, when it cannot be read or others can read it.
    pub fn new(section: &DatabaseSection) -> Result<Self, Finding> {
        let password = section.password_file.as_deref().map(read_private).transpose()?;
        Ok(Self::with_role(section, &section.url.user, password.map(Secret::new)))
    }

    /// The same server as another role: the one that owns the tables, to change their schema.
    pub fn with_role(section: &DatabaseSection, user: &str, password: Option<Secret<String>>) -> Self {
        let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let settings = [
            ("user", Some(user.to_owned())),
            ("dbname", Some(section.url.database.clone())),
            ("password", password.map(|password| password.reveal().trim_end().to_owned())),
            ("sslmode", Some(if section.ca.is_some() { "verify-full" } else { "disable" }.to_owned())),
            ("sslrootcert", path(&section.ca)),
            ("sslcert", path(&section.client_certificate)),
            ("sslkey", path(&section.client_key)),
        ];
        let mut conninfo = String::from(FIXED);
        for (name, value) in settings {
            if let Some(value) = value {
                set(&mut conninfo, name, &value);
            }
        }
        Self {
            conninfo: Arc::new(Secret::new(conninfo)),
            hosts: section.url.hosts.as_slice().into(),
            connections: section.connections.get(),
            #[cfg(feature = "postgres")]
            silences: Silences::default(),
        }
    }

    /// The same server, or a standby of it, for who only reads: also with a role that can do no more.
    pub fn to_read(&self) -> Self {
        // Of a setting that is named twice, the second holds.
        let conninfo = format!("{} target_session_attrs=any", self.conninfo.reveal());
        Self { conninfo: Arc::new(Secret::new(conninfo)), ..self.clone() }
    }

    /// How many connections the configuration allows beside those of the log and the quotas.
    pub fn connections(&self) -> u32 {
        self.connections
    }
}

/// Adds a setting to what libpq takes.
pub(super) fn set(conninfo: &mut String, name: &str, value: &str) {
    let value = value.replace('\\', "\\\\").replace('\'', "\\'");
    // Writing to a string does not fail.
    write!(conninfo, " {name}='{value}'").ok();
}

/// A server's clock, in microseconds since 1970, as an expression.
#[cfg(feature = "postgres")]
pub(in crate::store) const CLOCK: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// How far, in seconds, this machine's clock may be ahead of the server's.
const AHEAD: i64 = 5;

/// The clock is so far ahead of the server's that one of the two is wrong. What is written under a
/// clock that is ahead stops every gateway whose clock is right, and what has come about too early
/// is not undone: so nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clock is {0} s ahead of the database server's; set right whichever is wrong")]
pub struct Ahead(i64);

impl Ahead {
    /// Compares the time here with that of the server, asked *after* it.
    ///
    /// # Errors
    /// When this machine is too far ahead.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "there is nobody to compare with"))]
    pub(in crate::store) fn check(here: Timestamp, server: Timestamp) -> Result<(), Self> {
        let ahead = here.micros().saturating_sub(server.micros()) / 1_000_000;
        if ahead > AHEAD { Err(Self(ahead)) } else { Ok(()) }
    }
}

/// The server that takes writes; and the end of waiting for one that takes a connection and does not
/// let anybody in.
const FIXED: &str = "application_name=sluice client_encoding=UTF8 gssencmode=disable \
    target_session_attrs=read-write connect_timeout=2";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn section(text: &str) -> DatabaseSection {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_and_the_certificate_checked() {
        let remote = section(
            "url = 'postgres://u@db1.example:1,db2.example/d'\nca = '/ca.pem'\n\
             client_certificate = '/c.pem'\nclient_key = '/k.pem'",
        );
        let server = Server::with_role(&remote, "owner", None);
        let conninfo = server.conninfo.reveal();
        for part in [
            "user='owner' dbname='d'",
            "sslmode='verify-full' sslrootcert='/ca.pem' sslcert='/c.pem' sslkey='/k.pem'",
            "target_session_attrs=read-write",
        ] {
            assert!(conninfo.contains(part), "{conninfo}");
        }
        assert!(!conninfo.contains("password="));
    }

    #[test]
    fn a_password_is_quoted_and_never_printed() {
        let local = section("url = 'postgres://u@127.0.0.1/d'");
        let server = Server::with_role(&local, "u", Some(Secret::new("ca'na\\ry host=evil\n".into())));
        assert!(server.conninfo.reveal().contains(r"password='ca\'na\\ry host=evil'"));
        assert!(!format!("{server:?}").contains("evil"), "{server:?}");
    }

    #[cfg(feature = "postgres")]
    mod on_the_wire {
        use std::net::TcpListener;
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
        use std::path::Path;

        use diesel::QueryableByName;
        use diesel::prelude::*;
        use diesel::sql_types::Bool;
        use tempfile::TempDir;

        use super::*;
        use crate::base::{Clock, SystemClock};
        use crate::demo::certificates::{Authority, Usage};
        use crate::store::testing::{ADMIN, Postgres};

        /// A server that calls itself `localhost`, and the folder of its CA and of another one.
        fn start() -> (Postgres, TempDir) {
            let (dir, now) = (tempfile::tempdir().unwrap(), SystemClock.now());
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
            let authority = Authority::open(&dir.path().join("ca"), "databases", now).unwrap();
            Authority::open(&dir.path().join("other"), "others", now).unwrap();
            let files = dir.path().join("server");
            authority.issue("db", &["localhost"], Usage::Server, now).unwrap().write(&files, "db").unwrap();
            // Of whoever the server runs as.
            let (folder, key) = (std::fs::metadata("/proc/self").unwrap(), files.join("db.key"));
            if folder.uid() == 0 {
                chown(&key, Some(65_534), Some(65_534)).unwrap();
            }
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut server = Postgres::prepare(
                port,
                &[
                    "fsync=off",
                    "ssl=on",
                    &format!("ssl_cert_file={}", files.join("db.pem").display()),
                    &format!("ssl_key_file={}", key.display()),
                ],
            );
            server.run();
            (server, dir)
        }

        fn connect(server: &Postgres, host: &str, ca: Option<&Path>) -> Result<bool, String> {
            #[derive(QueryableByName)]
            struct Encrypted {
                #[diesel(sql_type = Bool)]
                ssl: bool,
            }
            let mut text = format!("url = 'postgres://{ADMIN}@{host}:{}/postgres'", server.port);
            if let Some(ca) = ca {
                write!(text, "\nca = '{}'", ca.display()).unwrap();
            }
            let mut connection = Server::new(&section(&text))
                .unwrap()
                .connect("SET lock_timeout = 0")
                .map_err(|e| e.to_string())?;
            let asked = diesel::sql_query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
            Ok(asked.get_result::<Encrypted>(&mut connection).unwrap().ssl)
        }

        #[test]
        fn a_server_is_spoken_to_only_if_its_certificate_is_of_the_ca_and_of_its_name() {
            let (server, dir) = start();
            let [ca, other] = ["ca", "other"].map(|name| dir.path().join(name).join("ca.pem"));
            assert_eq!(connect(&server, "localhost", Some(&ca)), Ok(true), "encrypted");
            let why = connect(&server, "localhost", Some(&other)).unwrap_err();
            assert!(why.contains("certificate verify failed"), "{why}");
            let why = connect(&server, "127.0.0.1", Some(&ca)).unwrap_err();
            assert!(why.contains("127.0.0.1"), "another name: {why}");
            let why = connect(&server, "localhost", Some(&dir.path().join("nothing.pem"))).unwrap_err();
            assert!(why.contains("nothing.pem"), "{why}");
            assert_eq!(
                connect(&server, "127.0.0.1", None),
                Ok(false),
                "what stays on the machine need not be"
            );
        }
    }
}
