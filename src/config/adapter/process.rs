//! The file of `sluice adapter --config FILE`: the process that runs at the department.
//!
//! Invariant: whatever becomes part of a statement (tables, columns) is named here and nowhere
//! else. Names are checked when statements are built, not here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use crate::base::ids::{DatasetId, FieldName, Fingerprint};
use crate::config::LogSection;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessConfig {
    /// Where to listen, such as `0.0.0.0:8443`. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// PEM file: the certificate (chain) shown to the gateway.
    pub certificate: PathBuf,
    /// PEM file: its private key.
    pub key: PathBuf,
    /// PEM file: the CA that the gateway's certificate must come from.
    pub client_ca: PathBuf,
    /// Who may fetch, at least one: SHA-256 of the public key (SubjectPublicKeyInfo), 64 hex
    /// digits. Being a client of the CA is not enough: the CA signs others than gateways.
    #[serde(deserialize_with = "at_least_one")]
    pub clients: Vec<Fingerprint>,
    /// Threads that serve connections. Default 1.
    #[serde(default = "workers")]
    pub workers: NonZeroUsize,
    /// Statements at once. Default 4.
    #[serde(default = "statements")]
    pub statements: NonZeroU32,
    /// Milliseconds for one statement. Default 2000. SQLite applies it to waiting for locks only.
    #[serde(default = "statement_timeout_ms")]
    pub statement_timeout_ms: u64,
    /// What it says about its own running.
    #[serde(default)]
    pub log: LogSection,
    /// Where the data is.
    pub database: Database,
    /// The datasets it answers.
    pub dataset: BTreeMap<DatasetId, View>,
}

/// `[database.…]`. Opened read-only whatever rights the account has.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Database {
    /// A SQLite file.
    Sqlite(SqliteFile),
    /// A PostgreSQL server. Needs the cargo feature `postgres`.
    Postgres(PostgresFile),
}

/// `[database.sqlite]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqliteFile {
    /// The file.
    pub path: PathBuf,
}

/// `[database.postgres]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresFile {
    /// A file holding the connection URL, password and all, and nothing else.
    pub url_file: PathBuf,
}

/// `[dataset."…"]`: the view or table that a dataset is read from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Its name, with the schema where one is needed: `share.v_subsistence`.
    pub table: String,
    /// The column that holds the subject's identifier. It should be indexed.
    pub key: String,
    /// When a subject has several rows: take the one with the greatest value in this column.
    /// Default: several rows for one subject are an error.
    pub latest_by: Option<String>,
    /// The fields.
    pub fields: BTreeMap<FieldName, Column>,
}

/// A column, and what its values mean.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub column: String,
    /// What its values are made into. Default: as the database has them.
    #[serde(rename = "type")]
    pub kind: Option<ColumnType>,
}

/// What the values of a column are made into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnType {
    /// True and false from 1 and 0.
    Boolean,
}

impl ProcessConfig {
    /// Anchors relative paths at `dir`: the folder of the configuration file.
    pub fn resolve(&mut self, dir: &Path) {
        for path in [&mut self.certificate, &mut self.key, &mut self.client_ca] {
            *path = dir.join(&*path);
        }
        match &mut self.database {
            Database::Sqlite(sqlite) => sqlite.path = dir.join(&sqlite.path),
            Database::Postgres(postgres) => postgres.url_file = dir.join(&postgres.url_file),
        }
    }
}

fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Fingerprint>, D::Error> {
    let clients = Vec::deserialize(deserializer)?;
    match clients.is_empty() {
        true => Err(serde::de::Error::custom("`clients` is empty: list the keys of those who may fetch")),
        false => Ok(clients),
    }
}

fn workers() -> NonZeroUsize {
    NonZeroUsize::MIN
}

fn statements() -> NonZeroU32 {
    NonZeroU32::new(4).unwrap_or(NonZeroU32::MIN)
}

fn statement_timeout_ms() -> u64 {
    2_000
}
