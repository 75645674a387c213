//! `sluice witness`: what another department runs to witness the logs of gateways, and its key.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use ring::rand::SystemRandom;

use crate::app::keys::write_private;
use crate::app::witness::WitnessService;
use crate::audit::WitnessSigningKey;
use crate::base::SystemClock;
use crate::config::{WitnessConfig, file, read_private};
use crate::store::witness::WitnessStore;
use crate::telemetry;
use crate::web::witness::{self, Bound};

/// Options of `sluice witness`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration: where to listen, which logs to witness; deploy/witness.example.toml
    /// explains every key
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Stop when standard input closes
    #[arg(long, hide = true)]
    leash: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Make the witness's key, and print the public one
    Keys(KeyArgs),
}

#[derive(clap::Args)]
struct KeyArgs {
    /// The folder; a key that is already there is kept
    #[arg(long)]
    dir: PathBuf,
    /// The witness's name in its cosignatures, such as witness.finance.example
    #[arg(long)]
    name: String,
}

/// Makes the key, or serves until SIGTERM or SIGINT.
pub(super) fn run(args: &Args) -> ExitCode {
    let done = match (&args.command, &args.config) {
        (Some(Command::Keys(keys)), _) => make(keys),
        (None, Some(config)) => serve(args, config),
        (None, None) => Err("give --config".into()),
    };
    done.map_or_else(super::fail, |()| ExitCode::SUCCESS)
}

fn make(args: &KeyArgs) -> Result<(), String> {
    let (secret, public) = (args.dir.join("witness.key"), args.dir.join("witness.vkey"));
    std::fs::create_dir_all(&args.dir).map_err(|e| format!("{}: {e}", args.dir.display()))?;
    if !secret.exists() {
        let key = WitnessSigningKey::generate(&args.name, &SystemRandom::new())
            .ok_or("the machine gives no randomness, or the name has a space or a plus sign")?;
        write_private(&secret, key.to_secret_text().reveal())
            .map_err(|e| format!("{}: {e}", secret.display()))?;
    }
    let key = signing_key(&secret)?;
    std::fs::write(&public, format!("{}\n", key.public()))
        .map_err(|e| format!("{}: {e}", public.display()))?;
    println!("{}", key.public());
    Ok(())
}

fn serve(args: &Args, path: &Path) -> Result<(), String> {
    let mut config: WitnessConfig = file::read(path, &[]).map_err(|findings| findings.to_string())?;
    config.resolve(path.parent().unwrap_or(Path::new("")));
    let _log = telemetry::log::start(&config.log).map_err(|finding| finding.to_string())?;
    let key = signing_key(&config.signing_key_file)?;
    let store =
        WitnessStore::open(&config.database).map_err(|e| format!("{}: {e}", config.database.display()))?;
    let service = WitnessService::new(config.logs.clone(), key, store, Arc::new(SystemClock));
    actix_rt::System::new().block_on(async {
        let bound: Bound = witness::bind(&config, service).map_err(|finding| finding.to_string())?;
        if args.leash {
            super::leash::hold(bound.stopper());
        }
        tracing::info!(listen = %bound.address, "ready");
        bound.serve().await.map_err(|error| error.to_string())
    })
}

fn signing_key(path: &Path) -> Result<WitnessSigningKey, String> {
    let text = read_private(path).map_err(|finding| finding.to_string())?;
    WitnessSigningKey::parse(text.trim())
        .map_err(|_| format!("{}: not a witness's key: make one with `sluice witness keys`", path.display()))
}
