//! The tables of a schema on a server: looked at by whoever may, made and changed by the role that
//! owns them.
//!
//! Invariant: tables to which a newer program did more than add are not touched; those that have
//! every migration have the rights that are named beside them, and no others; and gateways that run
//! meanwhile are not held up for longer than they notice. What is in the tables is not known here.

use std::error::Error;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use super::db::Server;
use super::upkeep::Schema;

/// How long a migration waits for a table. Whoever wants to read that table waits behind it, a gateway
/// that looks for changes too: so it is well below the time for which a look is good.
const LOCK: Duration = Duration::from_millis(300);
/// Between two tries: gateways look for changes several times meanwhile.
const PAUSE: Duration = Duration::from_secs(1);
/// How long it is tried until a table is let go of.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tables of one schema.
pub(super) struct Tables {
    /// The schema.
    pub schema: &'static str,
    /// What makes and changes them.
    pub migrations: EmbeddedMigrations,
    /// What the gateway's role may do there, as statements.
    pub rights: &'static str,
    /// The table of one row that gateways lock before they change anything.
    pub turns: &'static str,
}

/// Why tables could not be looked at, or brought up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum TablesError {
    /// The server is not reached, or does not let the role in.
    #[error("{0}")]
    Connect(#[from] ConnectionError),
    /// A statement failed.
    #[error("{0}")]
    Query(#[from] diesel::result::Error),
    /// A migration failed, or may not be tried.
    #[error("{0}")]
    Schema(String),
}

/// As the harness of the migrations has it.
type Step = Result<(), Box<dyn Error + Send + Sync>>;

impl Tables {
    /// How they stand to this program's. Changes nothing.
    pub fn standing(&self, server: &Server) -> Result<Schema, TablesError> {
        let session = format!("SET search_path = {}; SET statement_timeout = 5000", self.schema);
        self.look(&mut server.connect(&session)?)
    }

    /// The same by a session that has them on its path.
    pub fn look(&self, conn: &mut PgConnection) -> Result<Schema, TablesError> {
        #[derive(QueryableByName)]
        struct Applied {
            #[diesel(sql_type = Text)]
            version: String,
        }
        let mut applied = Vec::new();
        if is(conn, "to_regclass('__diesel_schema_migrations') IS NOT NULL")? {
            let rows = diesel::sql_query("SELECT version FROM __diesel_schema_migrations");
            applied.extend(rows.load::<Applied>(conn)?.into_iter().map(|row| row.version));
        }
        let known: Vec<String> = self.known()?.iter().map(|one| one.name().version().to_string()).collect();
        Ok(if applied.is_empty() { Schema::None } else { Schema::of(&applied, &known) })
    }

    /// Brings them to this program's, as the role that owns them, and gives the gateway's role its
    /// rights. Each migration is done whole or not at all, the last one together with the rights; who has
    /// more is left as it is. A table that somebody holds on to is waited for, a moment at a time.
    pub fn migrate(&self, owner: &Server) -> Result<(), TablesError> {
        self.migrate_within(PATIENCE, owner)
    }

    /// The same with another patience.
    pub fn migrate_within(&self, patience: Duration, owner: &Server) -> Result<(), TablesError> {
        let session = format!("SET search_path = {}; SET lock_timeout = {}", self.schema, LOCK.as_millis());
        let (mut conn, until) = (owner.connect_to_migrate(&session)?, Instant::now() + patience);
        alone(&mut conn, until)?;
        if !is(&mut conn, &format!("to_regnamespace('{}') IS NOT NULL", self.schema))? {
            let fix = "run deploy/postgres/roles.sql as an administrator of the database first";
            return Err(TablesError::Schema(format!("there is no schema {}: {fix}", self.schema)));
        }
        let standing = self.look(&mut conn)?;
        match standing {
            // Its rights are the newer program's: those of this one would take some of them away.
            Schema::Ahead { .. } => return Ok(()),
            Schema::Newer { .. } => return standing.demand().map_err(TablesError::Schema),
            Schema::None | Schema::Current(_) | Schema::Behind { .. } => {}
        }
        let mut pending = self.pending(&mut conn)?;
        let last = pending.pop();
        for migration in &pending {
            patiently(&mut conn, until, |conn| self.step(conn, Some(migration.as_ref()), None))?;
        }
        // In one transaction: what has the last migration has the rights too, and a gateway that runs
        // meanwhile never lacks one.
        patiently(&mut conn, until, |conn| self.step(conn, last.as_deref(), Some(self.rights)))
    }

    fn known(&self) -> Result<Vec<Box<dyn Migration<Pg>>>, TablesError> {
        MigrationSource::<Pg>::migrations(&self.migrations).map_err(|e| TablesError::Schema(e.to_string()))
    }

    /// What they lack, the oldest first.
    fn pending(&self, conn: &mut PgConnection) -> Result<Vec<Box<dyn Migration<Pg>>>, TablesError> {
        let applied = conn.applied_migrations().map_err(|e| TablesError::Schema(e.to_string()))?;
        let mut pending = self.known()?;
        pending.retain(|migration| !applied.contains(&migration.name().version()));
        pending.sort_by(|a, b| a.name().version().cmp(&b.name().version()));
        Ok(pending)
    }

    /// What is one transaction. It first waits until no change of a gateway is half done, and holds no
    /// table while it does; those who only read are not held up by that.
    fn step(
        &self,
        conn: &mut PgConnection,
        migration: Option<&dyn Migration<Pg>>,
        rights: Option<&str>,
    ) -> Step {
        if is(conn, &format!("to_regclass('{}') IS NOT NULL", self.turns))? {
            conn.batch_execute(&format!("SELECT FROM {} FOR UPDATE", self.turns))?;
        }
        if let Some(migration) = migration {
            conn.run_migration(migration)?;
        }
        Ok(rights.map_or(Ok(()), |rights| conn.batch_execute(rights))?)
    }
}

/// Waits until this session is the only one that migrates; it is for as long as it lasts.
fn alone(conn: &mut PgConnection, until: Instant) -> Result<(), TablesError> {
    while !is(conn, "pg_try_advisory_lock(hashtext('sluice migrate'))")? {
        if Instant::now() >= until {
            let why = "another `sluice migrate` is at work: wait until that is over, and run this again";
            return Err(TablesError::Schema(why.into()));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Tries a step until nobody holds on to what it needs.
fn patiently(
    conn: &mut PgConnection,
    until: Instant,
    step: impl Fn(&mut PgConnection) -> Step,
) -> Result<(), TablesError> {
    loop {
        let began = Instant::now();
        let Err(why) = conn.transaction(&step) else { return Ok(()) };
        // It waited in vain. What the server says of that is in the server's language.
        let waited = began.elapsed() >= LOCK;
        if !waited || Instant::now() >= until {
            let held = if waited { holders(conn).unwrap_or_default() } else { String::new() };
            return Err(TablesError::Schema(format!("{why}{held}")));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Who has tables of the schema in hand, as words behind a reason; empty when nobody has.
fn holders(conn: &mut PgConnection) -> QueryResult<String> {
    #[derive(QueryableByName)]
    struct Holder {
        #[diesel(sql_type = Integer)]
        pid: i32,
        #[diesel(sql_type = Text)]
        program: String,
        #[diesel(sql_type = Text)]
        role: String,
        #[diesel(sql_type = Array<Text>)]
        tables: Vec<String>,
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    // Program and role are all that the owner may see of the sessions of others.
    let found: Vec<Holder> = diesel::sql_query(
        "SELECT l.pid, coalesce(a.application_name, '') AS program, coalesce(a.usename::text, '') AS role,
            (array_agg(DISTINCT c.relname::text))[1:3] AS tables, count(DISTINCT c.oid) AS number
        FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
            JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
            LEFT JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.granted AND l.pid <> pg_backend_pid() AND c.relkind = 'r'
            AND c.relnamespace = to_regnamespace(current_schema())
        GROUP BY l.pid, 2, 3 ORDER BY number DESC, l.pid LIMIT 5",
    )
    .load(conn)?;
    let words = found.iter().map(|holder| {
        let Holder { pid, program, role, tables, number } = holder;
        let more = number - i64::try_from(tables.len()).unwrap_or_default();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("process {pid} ({program}, as {role}) holds {}{more}", tables.join(", "))
    });
    let words = words.collect::<Vec<_>>().join("; ");
    Ok(if words.is_empty() {
        words
    } else {
        format!(
            ". In use: {words}. Gateways go on as they are: wait until that is over, or end it, and run this again"
        )
    })
}

fn is(conn: &mut PgConnection, what: &str) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Is {
        #[diesel(sql_type = Bool)]
        so: bool,
    }
    let found: Is = diesel::sql_query(format!("SELECT {what} AS so")).get_result(conn)?;
    Ok(found.so)
}
