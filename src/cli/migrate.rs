//! `sluice migrate`: brings the databases to this program's schema, or says how they stand.
//!
//! A start does the same of its own accord; this does it when an operator wants it done, and apart
//! from the start. The tables on a server are another role's than the gateway's, so that a start does
//! not touch them: there this is the only way.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::base::Secret;
use crate::config::{Config, DatabaseSection, read_private};
use crate::store::audit::{self, DATABASE as LOG};
use crate::store::db::Server;
use crate::store::state::upkeep::{self as state, DATABASE as STATE};
use crate::store::upkeep::Schema;

/// Where the gateway is.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The gateway's configuration
    #[arg(long, short)]
    config: PathBuf,
    /// Only say how the databases stand
    #[arg(long)]
    status: bool,
    /// With [database]: the role that owns the tables
    #[arg(long = "as", value_name = "ROLE", default_value = "sluice_owner")]
    role: String,
    /// With [database]: the file with that role's password, which only you may read
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match migrate(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => super::fail(why),
    }
}

fn migrate(args: &Args) -> Result<(), String> {
    let config = Config::read(&args.config).map_err(|e| e.to_string())?;
    match &config.database {
        None => in_files(args, &config.gateway.data_dir),
        Some(section) => on_server(args, section),
    }
}

fn in_files(args: &Args, dir: &Path) -> Result<(), String> {
    let databases = standing(dir)?;
    refuse_newer(&databases)?;
    if args.status || databases.iter().all(|(_, schema)| matches!(schema, Schema::Current(_))) {
        databases.iter().for_each(|(name, schema)| println!("{}", told(name, schema)));
        return Ok(());
    }
    super::private_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    // A gateway that runs was started on the schema as it is.
    let held = audit::upkeep::hold(dir).map_err(|e| e.to_string())?;
    state::migrate(dir).map_err(|e| e.to_string())?;
    audit::upkeep::migrate(dir, &held).map_err(|e| format!("{LOG}: {e}"))?;
    tell_changes(&databases, &standing(dir)?);
    Ok(())
}

/// Gateways may be running meanwhile: what migrations there may do to them, each migration says.
fn on_server(args: &Args, section: &DatabaseSection) -> Result<(), String> {
    let password = args.password_file.as_deref().map(read_private).transpose().map_err(|e| e.to_string())?;
    let owner = Server::with_role(section, &args.role, password.map(Secret::new));
    let databases = standing_on(&owner)?;
    refuse_newer(&databases)?;
    if args.status {
        databases.iter().for_each(|(name, schema)| println!("{}", told(name, schema)));
        return Ok(());
    }
    // Even if nothing is pending: the rights are given anew.
    state::migrate_on(&owner).map_err(|e| e.to_string())?;
    audit::upkeep::migrate_on(&owner).map_err(|e| format!("sluice_log: {e}"))?;
    tell_changes(&databases, &standing_on(&owner)?);
    Ok(())
}

fn refuse_newer(databases: &Standing) -> Result<(), String> {
    for (name, schema) in databases {
        if let Schema::Newer { found, known } = schema {
            return Err(format!(
                "{name} has schema {found}, and this program knows {known}: a newer program wrote it. \
                 Run that one, or restore a backup from before"
            ));
        }
    }
    Ok(())
}

fn tell_changes(before: &Standing, after: &Standing) {
    for ((name, before), (_, after)) in before.iter().zip(after) {
        match before == after {
            true => println!("{}", told(name, after)),
            false => println!("{name}: schema {} -> {}", before.found(), after.found()),
        }
    }
}

/// What there is, and how it stands.
type Standing = [(&'static str, Schema); 2];

/// How both databases stand.
fn standing(dir: &Path) -> Result<Standing, String> {
    Ok([
        (STATE, state::schema(dir).map_err(|e| format!("{STATE}: {e}"))?),
        (LOG, audit::upkeep::schema(dir).map_err(|e| format!("{LOG}: {e}"))?),
    ])
}

/// How both schemas of a server stand.
fn standing_on(server: &Server) -> Result<Standing, String> {
    Ok([
        ("sluice_state", state::schema_on(server).map_err(|e| e.to_string())?),
        ("sluice_log", audit::upkeep::schema_on(server).map_err(|e| format!("sluice_log: {e}"))?),
    ])
}

fn told(name: &str, schema: &Schema) -> String {
    match schema {
        Schema::None => format!("{name}: not there yet; `sluice migrate` or the first start makes it"),
        Schema::Current(found) => format!("{name}: schema {found}, nothing to do"),
        Schema::Behind { found, known } | Schema::Newer { found, known } => {
            format!("{name}: schema {found}, this program's is {known}; `sluice migrate` brings it there")
        }
    }
}
