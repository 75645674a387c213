//! `sluice migrate`: brings the databases to this program's schema, or says how they stand.
//!
//! A start does the same of its own accord; this does it when an operator wants it done, and apart
//! from the start.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::Config;
use crate::store::audit::{self, DATABASE as LOG};
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
}

pub(super) fn run(args: &Args) -> ExitCode {
    match migrate(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => super::fail(why),
    }
}

fn migrate(args: &Args) -> Result<(), String> {
    let config = Config::read(&args.config).map_err(|e| e.to_string())?;
    let dir = &config.gateway.data_dir;
    let databases = standing(dir)?;
    for (name, schema) in &databases {
        if let Schema::Newer { found, known } = schema {
            return Err(format!(
                "{name} has schema {found}, and this program knows {known}: a newer program wrote it. \
                 Run that one, or restore a backup from before"
            ));
        }
    }
    if args.status {
        databases.iter().for_each(|(name, schema)| println!("{}", told(name, schema)));
        return Ok(());
    }
    if databases.iter().all(|(_, schema)| matches!(schema, Schema::Current(_))) {
        databases.iter().for_each(|(name, schema)| println!("{}", told(name, schema)));
        return Ok(());
    }
    super::private_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    // A gateway that runs was started on the schema as it is.
    let held = audit::upkeep::hold(dir).map_err(|e| e.to_string())?;
    state::migrate(dir).map_err(|e| e.to_string())?;
    audit::upkeep::migrate(dir, &held).map_err(|e| format!("{LOG}: {e}"))?;
    for ((name, before), (_, after)) in databases.iter().zip(standing(dir)?) {
        match before == &after {
            true => println!("{}", told(name, &after)),
            false => println!("{name}: schema {} -> {}", before.found(), after.found()),
        }
    }
    Ok(())
}

/// How both databases stand.
fn standing(dir: &Path) -> Result<[(&'static str, Schema); 2], String> {
    Ok([
        (STATE, state::schema(dir).map_err(|e| format!("{STATE}: {e}"))?),
        (LOG, audit::upkeep::schema(dir).map_err(|e| format!("{LOG}: {e}"))?),
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
