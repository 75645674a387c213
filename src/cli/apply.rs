//! `sluice apply`: puts a new version of the catalogue and the policies in force.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::apply::{self, NotApplied};
use crate::base::SystemClock;
use crate::config::Config;

/// Where the gateway is.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The gateway's configuration
    #[arg(long, short)]
    config: PathBuf,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let config = match Config::read(&args.config) {
        Ok(config) => config,
        Err(findings) => return super::fail(findings),
    };
    let state = match super::state(&config) {
        Ok(state) => state,
        Err(why) => return super::fail(why),
    };
    match apply::apply(&state, &config.gateway.catalogue_dir, &SystemClock) {
        Ok((applied, warnings)) => {
            print!("{warnings}");
            let what = if applied.changed {
                "a running gateway takes it up within a second"
            } else {
                "nothing changed"
            };
            println!("catalogue {}, policies {}: {what}", applied.catalogue, applied.policy);
            ExitCode::SUCCESS
        }
        Err(NotApplied::Refused(findings)) => {
            super::fail(format!("{findings}refused whole: the version in force stays as it is"))
        }
        Err(NotApplied::State(error)) => super::fail(error),
    }
}
