//! The log's tables on a server: made and changed by the role that owns them, looked at by the
//! gateway's.
//!
//! Invariant: a log to which a newer program did more than add is not touched; after every migration
//! the gateway's role has the rights that are named beside them, and no others.

use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::engine::DatabaseError;
use crate::store::db::Server;
use crate::store::upkeep::Schema;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres/audit");

/// What the gateway's role may do there.
const RIGHTS: &str = include_str!("../../../migrations/postgres/audit.rights.sql");

const LOOKING: &str = "SET search_path TO sluice_log; SET statement_timeout TO '5s'";

/// The lock is held for as long as the session lasts: two who migrate at once wait for each other.
const CHANGING: &str = "SET search_path TO sluice_log; SET lock_timeout TO '5s'; \
    SELECT pg_advisory_lock(hashtext('sluice migrate'))";

/// How the schema on the server stands to this program's.
pub(super) fn standing(server: &Server) -> Result<Schema, DatabaseError> {
    look(&mut server.connect(LOOKING)?)
}

/// Brings it to this program's.
pub(super) fn migrate(owner: &Server) -> Result<(), DatabaseError> {
    let mut conn = owner.connect_to_migrate(CHANGING)?;
    if !is(&mut conn, "to_regnamespace('sluice_log') IS NOT NULL")? {
        let fix = "run deploy/postgres/roles.sql as an administrator of the database first";
        return Err(DatabaseError::Schema(format!("there is no schema sluice_log: {fix}")));
    }
    match look(&mut conn)? {
        Schema::Newer { found, known } => return Err(DatabaseError::newer(&found, &known)),
        // Its rights are the newer program's: those of this one would take some of them away.
        Schema::Ahead { .. } => return Ok(()),
        Schema::None | Schema::Current(_) | Schema::Behind { .. } => {}
    }
    conn.run_pending_migrations(MIGRATIONS).map_err(|e| DatabaseError::Schema(e.to_string()))?;
    // In one transaction: a gateway that runs meanwhile never lacks a right.
    Ok(conn.transaction(|conn| conn.batch_execute(RIGHTS))?)
}

fn look(conn: &mut PgConnection) -> Result<Schema, DatabaseError> {
    let applied = applied(conn)?;
    let known =
        MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(|e| DatabaseError::Schema(e.to_string()))?;
    let known: Vec<String> = known.iter().map(|one| one.name().version().to_string()).collect();
    Ok(if applied.is_empty() { Schema::None } else { Schema::of(&applied, &known) })
}

/// The numbers of the migrations that the database has.
fn applied(conn: &mut PgConnection) -> Result<Vec<String>, DatabaseError> {
    #[derive(QueryableByName)]
    struct Applied {
        #[diesel(sql_type = Text)]
        version: String,
    }
    if !is(conn, "to_regclass('__diesel_schema_migrations') IS NOT NULL")? {
        return Ok(Vec::new());
    }
    let rows = diesel::sql_query("SELECT version FROM __diesel_schema_migrations");
    Ok(rows.load::<Applied>(conn)?.into_iter().map(|row| row.version).collect())
}

fn is(conn: &mut PgConnection, what: &str) -> Result<bool, DatabaseError> {
    #[derive(QueryableByName)]
    struct Is {
        #[diesel(sql_type = Bool)]
        so: bool,
    }
    let found: Is = diesel::sql_query(format!("SELECT {what} AS so")).get_result(conn)?;
    Ok(found.so)
}
