//! `sluice migrate`: brings the databases to this program's schema, or says how they stand.
//!
//! With files a start does the same of its own accord; this does it when an operator wants it done,
//! and apart from the start. On a server only this does it, as the role that owns the tables: the
//! gateway's own role cannot.

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
    /// With [database]: the role that owns the tables, such as sluice_owner
    #[arg(long, value_name = "ROLE", conflicts_with = "status")]
    owner: Option<String>,
    /// With [database]: the file that holds the owner's password, where it has one
    #[arg(long, value_name = "FILE", requires = "owner")]
    owner_password_file: Option<PathBuf>,
}

/// What is kept, and how its schema stands.
type Standing = Vec<(&'static str, Schema)>;

pub(super) fn run(args: &Args) -> ExitCode {
    match migrate(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => super::fail(why),
    }
}

fn migrate(args: &Args) -> Result<(), String> {
    let config = Config::read(&args.config).map_err(|e| e.to_string())?;
    let dir = &config.gateway.data_dir;
    match &config.database {
        None if args.owner.is_some() => Err("--owner is for a configuration with [database]".into()),
        None => bring(args, || in_files(dir), || migrate_files(dir)),
        Some(section) => {
            let server = Server::new(section).map_err(|e| e.to_string())?;
            bring(args, || on_server(&server), || migrate_server(args, section))
        }
    }
}

/// Says how things stand and, unless that is all that is wanted, or there is nothing to do, has
/// them brought up to date.
fn bring(
    args: &Args,
    standing: impl Fn() -> Result<Standing, String>,
    migrate: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let databases = standing()?;
    for (name, schema) in &databases {
        if let Schema::Newer { found, known } = schema {
            return Err(format!(
                "{name} has schema {found}, and this program knows {known}: a newer program wrote it. \
                 Run that one, or restore a backup from before"
            ));
        }
    }
    let current = databases.iter().all(|(_, schema)| schema.is_usable());
    // An owner's turn also sees to the rights of the gateway's role.
    if args.status || (current && args.owner.is_none()) {
        databases.iter().for_each(|(name, schema)| println!("{}", told(name, schema)));
        return Ok(());
    }
    migrate()?;
    for ((name, before), (_, after)) in databases.iter().zip(standing()?) {
        match before == &after {
            true => println!("{}", told(name, &after)),
            false => println!("{name}: schema {} -> {}", before.found(), after.found()),
        }
    }
    Ok(())
}

/// How both databases of a folder stand.
fn in_files(dir: &Path) -> Result<Standing, String> {
    Ok(vec![
        (STATE, state::schema(dir).map_err(|e| format!("{STATE}: {e}"))?),
        (LOG, audit::upkeep::schema(dir).map_err(|e| format!("{LOG}: {e}"))?),
    ])
}

fn migrate_files(dir: &Path) -> Result<(), String> {
    super::private_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    // A gateway that runs was started on the schema as it is.
    let held = audit::upkeep::hold(dir).map_err(|e| e.to_string())?;
    state::migrate(dir).map_err(|e| e.to_string())?;
    audit::upkeep::migrate(dir, &held).map_err(|e| format!("{LOG}: {e}"))
}

/// How the schemas on a server stand.
fn on_server(server: &Server) -> Result<Standing, String> {
    Ok(vec![
        ("sluice_state", state::schema_on(server).map_err(|e| e.to_string())?),
        ("sluice_log", audit::upkeep::schema_on(server).map_err(|e| format!("sluice_log: {e}"))?),
    ])
}

/// Gateways that run go on: what is new, those of the version before do without.
fn migrate_server(args: &Args, section: &DatabaseSection) -> Result<(), String> {
    let role =
        args.owner.as_deref().ok_or("name --owner, the role that owns the tables, such as sluice_owner")?;
    let password = args.owner_password_file.as_deref().map(read_private).transpose();
    let password = password.map_err(|e| e.to_string())?.map(Secret::new);
    let owner = Server::with_role(section, role, password);
    state::migrate_on(&owner).map_err(|e| e.to_string())?;
    audit::upkeep::migrate_on(&owner).map_err(|e| format!("sluice_log: {e}"))
}

fn told(name: &str, schema: &Schema) -> String {
    match schema {
        Schema::None => format!("{name}: not there yet; `sluice migrate` or the first start makes it"),
        Schema::Current(found) => format!("{name}: schema {found}, nothing to do"),
        Schema::Ahead { found, known } => format!(
            "{name}: schema {found}, this program's is {known}; a newer program added to it, nothing to do"
        ),
        Schema::Behind { found, known } | Schema::Newer { found, known } => {
            format!("{name}: schema {found}, this program's is {known}; `sluice migrate` brings it there")
        }
    }
}
