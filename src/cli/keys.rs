//! `sluice keys`: makes the gateway's own keys.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::keys;

/// Where to put them.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder; a key that is already there is kept
    #[arg(long)]
    dir: PathBuf,
    /// The log's name in its checkpoints, such as sluice.district.example/log
    #[arg(long)]
    origin: String,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match keys::make(&args.dir, &args.origin) {
        Ok(made) => {
            println!("{made}");
            ExitCode::SUCCESS
        }
        Err(error) => super::fail(format!("{}: {error}", args.dir.display())),
    }
}
