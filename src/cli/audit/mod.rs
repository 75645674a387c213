//! `sluice audit`: verify, prove, check and export the log. A file for each verb.
//!
//! Invariant: nothing here writes to a log that exists or needs a private key of it, except that
//! `continue` begins a new one; `verify` and `check-proof` need the public key and nothing else. Results go to standard output, progress and
//! errors to standard error.

mod export;
mod go_on;
mod outside;
mod prove;
mod remote;
mod source;
mod verify;

pub(super) use self::verify::{database as verified, seen};

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Subcommand;

use crate::audit::VerifyingKey;

/// Verify, prove, check and export the log.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify a whole log with the public key alone.
    ///
    /// Exit codes: 0 intact, 1 could not verify, 10 altered, 11 missing, 12 reordered, 13 forked,
    /// 14 rolled back, 15 bad signature, 16 torn, 17 extra, 18 unwitnessed, 19 bad timestamp.
    Verify(verify::Args),
    /// Print a record with the proof that it is in the log.
    Prove(prove::Args),
    /// Check what `prove` printed, with the public key alone.
    CheckProof(prove::CheckArgs),
    /// Write the log to a file.
    Export(export::Args),
    /// Begin a new log that names the last checkpoint of one whose newest records are lost.
    Continue(go_on::Args),
}

/// What ends a command without a result.
type Failure = Box<dyn std::error::Error>;

/// Runs the command. 0: done and sound; 1: could not be done; others: see `verify --help`.
pub fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Verify(args) => verify::run(&args),
        Command::Prove(args) => prove::run(&args),
        Command::CheckProof(args) => prove::check(&args),
        Command::Export(args) => export::run(&args),
        Command::Continue(args) => go_on::run(&args),
    };
    done.unwrap_or_else(super::fail)
}

/// A verifier key, given as such or in a file.
fn public_key(given: &str) -> Result<VerifyingKey, Failure> {
    match VerifyingKey::parse(given) {
        Ok(key) => Ok(key),
        Err(_) => {
            let text = std::fs::read_to_string(given).map_err(|e| {
                format!("--pubkey is neither a verifier key nor a file that can be read: {e}")
            })?;
            Ok(VerifyingKey::parse(&text).map_err(|e| format!("{given}: {e}"))?)
        }
    }
}

/// A line on the terminal that says how far it is; nothing where there is no terminal.
struct Progress {
    word: &'static str,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    fn new(word: &'static str) -> Self {
        Self { word, shown: None, terminal: io::stderr().is_terminal() }
    }

    fn show(&mut self, done: u64, of: u64) {
        let due = self.shown.is_none_or(|shown| shown.elapsed() > Duration::from_millis(200));
        if self.terminal && due {
            let percent = done.saturating_mul(100) / of.max(1);
            eprint!("\r{} {done} of {of} records ({percent}%)", self.word);
            self.shown = Some(Instant::now());
        }
    }

    fn end(&mut self) {
        if self.terminal && self.shown.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
