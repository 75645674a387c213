//! `sluice key`: the keys by which systems are known.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::base::ids::{Fingerprint, SystemId};
use crate::base::{Clock, SystemClock};
use crate::config::Config;
use crate::store::state::{Registration, StateStore};
use crate::web::tls;

/// What to do with a key.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Register the key of a certificate for a system that policies/systems.toml names
    Register {
        #[command(flatten)]
        at: At,
        /// The system
        #[arg(long)]
        system: String,
    },
    /// Take a key out of force: the next request with it is refused
    Revoke {
        #[command(flatten)]
        at: At,
    },
}

/// Which key, of which gateway.
#[derive(clap::Args)]
pub(super) struct At {
    /// The gateway's configuration
    #[arg(long, short)]
    config: PathBuf,
    /// The certificate, in PEM
    #[arg(long, required_unless_present = "fingerprint")]
    certificate: Option<PathBuf>,
    /// Or the SHA-256 of its public key, 64 hex digits
    #[arg(long, conflicts_with = "certificate")]
    fingerprint: Option<String>,
}

pub(super) fn run(command: &Command) -> ExitCode {
    let done = match command {
        Command::Register { at, system } => register(at, system),
        Command::Revoke { at } => revoke(at),
    };
    match done {
        Ok(said) => {
            println!("{said}; a running gateway takes it up within a second");
            ExitCode::SUCCESS
        }
        Err(why) => super::fail(why),
    }
}

fn register(at: &At, system: &str) -> Result<String, String> {
    let (state, key) = open(at)?;
    let system = SystemId::parse(system).ok_or("--system: 1 to 64 characters of a-z A-Z 0-9 . _ : -")?;
    match state.register_key(key, &system, SystemClock.now()).map_err(|e| e.to_string())? {
        Registration::Registered => Ok(format!("{key} is now the key of {system}")),
        Registration::Unchanged => Ok(format!("{key} was already the key of {system}")),
        Registration::Taken => Err(format!("{key} belongs to another system or was revoked: make a new key")),
    }
}

fn revoke(at: &At) -> Result<String, String> {
    let (state, key) = open(at)?;
    match state.revoke_key(key, SystemClock.now()).map_err(|e| e.to_string())? {
        true => Ok(format!("{key} is revoked")),
        false => Err(format!("{key} is not in force")),
    }
}

fn open(at: &At) -> Result<(StateStore, Fingerprint), String> {
    let config = Config::read(&at.config).map_err(|e| e.to_string())?;
    let key = match (&at.certificate, &at.fingerprint) {
        (Some(path), _) => tls::key_of_certificate(path).map_err(|e| e.to_string())?,
        (None, Some(text)) => Fingerprint::parse(text).ok_or("--fingerprint: 64 lower-case hex digits")?,
        (None, None) => return Err("name --certificate or --fingerprint".into()),
    };
    Ok((super::state(&config)?, key))
}
