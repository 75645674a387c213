//! Where a log is that is read beside its gateways: in a data directory, or on a server.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use super::Failure;
use crate::config::DatabaseSection;
use crate::config::postgres::PostgresUrl;
use crate::store::audit::Database;
use crate::store::db::Server;

/// A log that is read.
#[derive(Debug, clap::Args)]
pub struct Source {
    /// Data directory of a gateway, which may be running.
    #[arg(long, value_name = "DIR", required_unless_present = "server", conflicts_with = "server")]
    db: Option<PathBuf>,
    /// The server that holds the log of several gateways: postgres://user@host/database. The user
    /// needs to read it, no more.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// How a server is spoken to.
#[derive(Debug, clap::Args)]
pub struct Access {
    /// With --server: the CA of the server's certificate. Required unless it is this machine.
    #[arg(long, value_name = "FILE", requires = "server")]
    server_ca: Option<PathBuf>,
    /// With --server: the file with the user's password, which only you may read.
    #[arg(long, value_name = "FILE", requires = "server")]
    server_password_file: Option<PathBuf>,
}

impl Source {
    /// Opens the log to read it.
    pub fn open(&self) -> Result<Database, Failure> {
        match (&self.server, &self.db) {
            (Some(url), _) => self.access.open(url),
            (None, Some(dir)) => Ok(Database::open(dir)?),
            (None, None) => Err("give --db or --server".into()),
        }
    }
}

impl Access {
    /// Opens the log on the server at `url`.
    pub fn open(&self, url: &str) -> Result<Database, Failure> {
        // Not repeated: somebody may have put a password there.
        let url = PostgresUrl::parse(url).ok_or("--server: expected postgres://user@host:port/database")?;
        if self.server_ca.is_none() && !url.hosts.iter().all(|(host, _)| host.is_this_machine()) {
            return Err(
                "--server names another machine: name the CA of its certificate with --server-ca".into()
            );
        }
        let section = DatabaseSection {
            url,
            password_file: self.server_password_file.clone(),
            ca: self.server_ca.clone(),
            client_certificate: None,
            client_key: None,
            connections: NonZeroU32::MIN,
            stale_after_ms: NonZeroU64::MAX,
        };
        Ok(Database::on(&Server::new(&section).map_err(|e| e.to_string())?.to_read())?)
    }
}
