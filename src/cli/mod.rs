//! The command line: one file for each command.
//!
//! Invariant: a command prints its result to standard output and everything else to standard
//! error; it exits with 0 when it did what it was asked, 1 when it could not, 2 when it was asked
//! wrongly. `sluice audit verify` has further codes of its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a command line does")]

mod adapter;
mod admin;
mod application;
mod apply;
mod audit;
mod backup;
mod check;
mod demo;
mod doctor;
mod https;
mod key;
mod keys;
mod leash;
mod migrate;
mod notify;
mod serve;
mod witness;

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::keys::act_key;
use crate::config::Config;
use crate::store::state::StateStore;

/// Sluice (数闸): departments share data field by field, with privacy, approval and proof.
#[derive(Parser)]
#[command(version, propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a complete world in a folder, serve it, and print what to try
    Demo(demo::Args),
    /// Serve: the gateway
    Serve(serve::Args),
    /// Run at a department: answer the gateway from a view or table, read-only
    Adapter(adapter::Args),
    /// Say whether a catalogue and its policies hold together
    Check(check::Args),
    /// Check the catalogue and policies and put them in force, without a restart
    Apply(apply::Args),
    /// Register or revoke the key by which a system is known
    #[command(subcommand)]
    Key(key::Command),
    /// Make the first administrators, and let one who is locked out back in
    #[command(subcommand)]
    Admin(admin::Command),
    /// Make the gateway's own keys
    Keys(keys::Args),
    /// Bring the databases to this program's schema, or say how they stand
    Migrate(migrate::Args),
    /// Say whether everything is in order that a gateway stands on, and what to do where not.
    ///
    /// Exit codes: 0 in order, 1 worth a look, 2 the gateway cannot serve or evidence is at risk.
    Doctor(doctor::Args),
    /// Copy the log and the state into a folder, while the gateway runs
    Backup(backup::BackupArgs),
    /// Verify a backup and put it in place
    Restore(backup::RestoreArgs),
    /// Verify, prove and export the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Run at another department: witness the logs of gateways, so that none can be rewritten unseen
    Witness(witness::Args),
    /// Applications and grants at a running gateway, with a certificate bound to an account
    Application(application::Args),
    /// A ten-year-old REST service, for the demo
    #[command(hide = true)]
    DemoLegacy(demo::LegacyArgs),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    // One provider for the whole process, before anything can pick another.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("sluice: another cryptography provider is already installed");
        return ExitCode::FAILURE;
    }
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Adapter(args) => adapter::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Apply(args) => apply::run(&args),
        Command::Key(command) => key::run(&command),
        Command::Admin(command) => admin::run(&command),
        Command::Keys(args) => keys::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Audit(command) => audit::run(command),
        Command::Witness(args) => witness::run(&args),
        Command::Application(args) => application::run(&args),
        Command::DemoLegacy(args) => demo::legacy(&args),
    }
}

/// Makes a folder for this user alone, where there is none.
fn private_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Opens the state for a command that does an act, which is sealed under the gateway's key.
fn state(config: &Config) -> Result<StateStore, String> {
    let seals = act_key(&config.audit.subject_key_file).map_err(|finding| finding.to_string())?;
    StateStore::of(config, seals).map_err(|e| e.to_string())
}

/// Prints why a command could not do what it was asked.
fn fail(why: impl std::fmt::Display) -> ExitCode {
    eprintln!("{}", why.to_string().trim_end());
    ExitCode::FAILURE
}
