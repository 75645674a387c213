//! The log's tables on a server.

use diesel_migrations::embed_migrations;

use super::engine::DatabaseError;
use crate::store::tables::{Tables, TablesError};

/// All of them: the writers of gateways take turns at the row of `head`.
pub(super) const ON_SERVER: Tables = Tables {
    schema: "sluice_log",
    migrations: embed_migrations!("migrations/postgres/audit"),
    rights: include_str!("../../../migrations/postgres/audit.rights.sql"),
    turns: "head",
};

impl From<TablesError> for DatabaseError {
    fn from(error: TablesError) -> Self {
        match error {
            TablesError::Connect(error) => Self::Connect(error),
            TablesError::Query(error) => Self::Query(error),
            TablesError::Schema(why) => Self::Schema(why),
        }
    }
}
