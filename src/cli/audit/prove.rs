//! `sluice audit prove` and `check-proof`: one record with what proves it, and the check of it.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::source::Source;
use super::{Failure, public_key};
use crate::audit::SignedRecord;
use crate::audit::verify::Stored;

/// Which record of which log.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    log: Source,
    /// Which record.
    #[arg(long, value_name = "N")]
    index: u64,
}

/// What to check.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The signed record; `-` for standard input.
    file: PathBuf,
    /// Verifier key, or a file that holds one.
    #[arg(long, value_name = "KEY|FILE")]
    pubkey: String,
}

/// Prints the record.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut database = args.log.open()?;
    let (size, checkpoint) = database.head()?.ok_or("the log is empty")?;
    let leaf = database.leaf(args.index)?.filter(|_| args.index < size);
    let leaf =
        leaf.ok_or_else(|| format!("the log has {size} records, from 0; there is no {}", args.index))?;
    let proof = database.proofs(args.index, 1, size)?.pop().unwrap_or_default();
    let record = SignedRecord { index: args.index, leaf: String::from_utf8(leaf)?, proof, checkpoint };
    println!("{}", serde_json::to_string_pretty(&record)?);
    Ok(ExitCode::SUCCESS)
}

/// Says whether the record is proven, and prints it.
pub fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let key = public_key(&args.pubkey)?;
    let text = match args.file.as_os_str().to_str() {
        Some("-") => io::read_to_string(io::stdin())?,
        _ => std::fs::read_to_string(&args.file).map_err(|e| format!("{}: {e}", args.file.display()))?,
    };
    let record: SignedRecord =
        serde_json::from_str(&text).map_err(|e| format!("not a signed record: line {}", e.line()))?;
    let covered = record.check(&key)?;
    println!("proven: {}: record {} of {}", covered.origin, record.index, covered.size);
    println!("{}", record.leaf);
    Ok(ExitCode::SUCCESS)
}
