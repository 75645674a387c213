//! `[database]`: the PostgreSQL server on which several gateways keep one log and one state.
//!
//! Invariant: what leaves the machine is encrypted and goes to a server whose certificate was
//! checked, with its name; the password stands in a file of its own, and never in the URL.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::postgres::PostgresUrl;
use crate::base::{Finding, Findings};

/// `[database]`. Left out, the gateway keeps everything in files of its data folder, and is the
/// only one that does.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSection {
    /// Where the server is: `postgres://user@host:port,other:port/database`.
    pub url: PostgresUrl,
    /// The file with the user's password. Readable by the gateway alone. Left out where the server
    /// knows the user by a certificate or by the machine's user.
    pub password_file: Option<PathBuf>,
    /// The CA of the server's certificate, PEM. Required unless every host is this machine.
    pub ca: Option<PathBuf>,
    /// The certificate that the gateway shows, PEM.
    pub client_certificate: Option<PathBuf>,
    /// Its private key. Readable by the gateway alone.
    pub client_key: Option<PathBuf>,
    /// Connections that are kept for reading and changing the state. The log and the counting of
    /// quotas have one more each.
    #[serde(default = "connections")]
    pub connections: NonZeroU32,
    /// Milliseconds without a look at the database that succeeded, after which the gateway answers
    /// no more queries: somebody may have taken back what they rest on.
    #[serde(default = "stale_after_ms")]
    pub stale_after_ms: NonZeroU64,
}

impl DatabaseSection {
    /// How long what was in force when the database was last looked at may be relied on.
    pub fn stale_after(&self) -> Duration {
        Duration::from_millis(self.stale_after_ms.get())
    }

    pub(super) fn resolve(&mut self, dir: &Path) {
        let files =
            [&mut self.password_file, &mut self.ca, &mut self.client_certificate, &mut self.client_key];
        for path in files.into_iter().flatten() {
            *path = dir.join(&*path);
        }
    }

    /// What types cannot say.
    pub(super) fn check(&self, file: &str) -> Findings {
        let mut findings = Findings::default();
        let mut wrong = |what: &str, fix: &str| findings.push(Finding::error("database", file, 0, what, fix));
        if !cfg!(feature = "postgres") {
            wrong(
                "[database] needs PostgreSQL, which this program was built without",
                "build it with `--features postgres`",
            );
        }
        if self.ca.is_none() && !self.url.hosts.iter().all(|(host, _)| host.is_this_machine()) {
            wrong("[database] names another machine, but no `ca`", "name the CA of the server's certificate");
        }
        if self.client_certificate.is_some() != self.client_key.is_some() {
            wrong("[database] has one of `client_certificate` and `client_key`", "name both, or neither");
        }
        for name in MEDDLING.iter().filter(|name| std::env::var_os(name).is_some()) {
            wrong(
                &format!("${name} would change what [database] says"),
                "unset it: everything about the database stands in [database]",
            );
        }
        if self.stale_after() < SHORTEST {
            wrong(
                "`stale_after_ms` of [database] is below 250",
                "leave room for a few looks at the database",
            );
        }
        findings
    }
}

/// Variables of the environment from which libpq takes what it was not told: where the server is, how it
/// is trusted, what a session is set to. What it was told counts before the others.
const MEDDLING: [&str; 15] = [
    "PGHOSTADDR",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "PGOPTIONS",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGCHANNELBINDING",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLMINPROTOCOLVERSION",
    "PGSSLMAXPROTOCOLVERSION",
    "PGTZ",
];

/// Fewer milliseconds would make a gateway stale between two looks at a database that is well.
const SHORTEST: Duration = Duration::from_millis(250);

fn connections() -> NonZeroU32 {
    NonZeroU32::new(8).unwrap_or(NonZeroU32::MIN)
}

fn stale_after_ms() -> NonZeroU64 {
    NonZeroU64::new(1000).unwrap_or(NonZeroU64::MIN)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::config::file;

    fn parse(text: &str) -> Result<DatabaseSection, Finding> {
        file::parse("sluice.toml", text, &[]).map_err(|findings| findings.0[0].clone())
    }

    /// What is found beside the missing feature.
    fn found(text: &str) -> Vec<String> {
        let found = parse(text).unwrap().check("sluice.toml").0;
        found.into_iter().map(|f| f.what).filter(|what| !what.contains("was built without")).collect()
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_a_ca() {
        for this in ["127.0.0.1", "[::1]", "%2Frun%2Fpostgresql", "127.0.0.1:1,127.0.0.2:2"] {
            assert_eq!(found(&format!("url = \"postgres://u@{this}/d\"")), [""; 0], "{this}");
        }
        for other in ["db.example", "10.0.0.1", "127.0.0.1,10.0.0.1", "localhost.example", "0.0.0.0"] {
            let bare = found(&format!("url = \"postgres://u@{other}/d\""));
            assert!(bare.len() == 1 && bare[0].contains("`ca`"), "{other}: {bare:?}");
            assert_eq!(found(&format!("url = \"postgres://u@{other}/d\"\nca = \"ca.pem\"")), [""; 0]);
        }
    }

    #[test]
    fn half_a_certificate_and_no_patience_are_found() {
        let with = |line: &str| found(&format!("url = \"postgres://u@127.0.0.1/d\"\n{line}"));
        assert_eq!(with("client_certificate = \"c\"").len(), 1);
        assert_eq!(with("client_key = \"k\"").len(), 1);
        assert_eq!(with("stale_after_ms = 100").len(), 1);
        assert_eq!(with("client_key = \"k\"\nclient_certificate = \"c\""), [""; 0]);
    }

    #[test]
    fn a_program_without_postgresql_says_so() {
        let section = parse("url = \"postgres://u@127.0.0.1/d\"").unwrap();
        assert_eq!(section.check("sluice.toml").has_errors(), !cfg!(feature = "postgres"));
    }
}
