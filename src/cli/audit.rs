//! `sluice audit`: verify, prove, check and export the log.
//!
//! Invariant: nothing here writes to the log or needs a private key; `verify` and `check-proof`
//! need the public key and nothing else. Results go to standard output, progress and errors to
//! standard error.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueEnum};

use crate::audit::export::{CSV_HEADER, ExportCheck, Header, Line, csv_row, ocsf};
use crate::audit::verify::{Kind, Place, Report, Stored, Unreadable, verify};
use crate::audit::{Checkpoint, SignedRecord, VerifyingKey};
use crate::store::audit::{Database, OpenError, SqliteError, checkpoints_in_copy};

/// Verify, prove, check and export the log.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify a whole log with the public key alone.
    ///
    /// Exit codes: 0 intact, 1 could not verify, 10 altered, 11 missing, 12 reordered, 13 forked,
    /// 14 rolled back, 15 bad signature, 16 torn, 17 extra.
    Verify(Verify),
    /// Print a record with the proof that it is in the log.
    Prove(Prove),
    /// Check what `prove` printed, with the public key alone.
    CheckProof(CheckProof),
    /// Write the log to a file.
    Export(Export),
}

/// What to verify, and against what.
#[derive(Debug, Args)]
pub struct Verify {
    /// Data directory of a gateway, which may be running.
    #[arg(long, value_name = "DIR", required_unless_present = "export", conflicts_with = "export")]
    db: Option<PathBuf>,
    /// A JSON Lines export.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Verifier key, or a file that holds one.
    #[arg(long, value_name = "KEY|FILE")]
    pubkey: String,
    /// A checkpoint seen before, such as the checkpoint copy or one from a receipt: the log must
    /// have grown from it.
    #[arg(long, value_name = "FILE", requires = "db")]
    checkpoint: Vec<PathBuf>,
}

/// Which record of which log.
#[derive(Debug, Args)]
pub struct Prove {
    /// Data directory of a gateway, which may be running.
    #[arg(long, value_name = "DIR")]
    db: PathBuf,
    /// Which record.
    #[arg(long, value_name = "N")]
    index: u64,
}

/// What to check.
#[derive(Debug, Args)]
pub struct CheckProof {
    /// The signed record; `-` for standard input.
    file: PathBuf,
    /// Verifier key, or a file that holds one.
    #[arg(long, value_name = "KEY|FILE")]
    pubkey: String,
}

/// What to write, where and how.
#[derive(Debug, Args)]
pub struct Export {
    /// Data directory of a gateway, which may be running.
    #[arg(long, value_name = "DIR")]
    db: PathBuf,
    /// Where to write; it must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// In which form.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// First record.
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// How many records; all when left out.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON Lines with proofs: can be verified.
    Jsonl,
    /// For spreadsheets.
    Csv,
    /// OCSF API Activity events, one a line, for SIEMs.
    Ocsf,
}

/// What ends a command without a result.
type Failure = Box<dyn std::error::Error>;

/// Runs the command. 0: done and sound; 1: could not be done; others: see `verify --help`.
pub fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Verify(args) => run_verify(&args),
        Command::Prove(args) => run_prove(&args),
        Command::CheckProof(args) => run_check_proof(&args),
        Command::Export(args) => run_export(&args),
    };
    done.unwrap_or_else(super::fail)
}

fn run_verify(args: &Verify) -> Result<ExitCode, Failure> {
    let key = public_key(&args.pubkey)?;
    let report = match (&args.db, &args.export) {
        (Some(dir), _) => verify_database(dir, &key, &args.checkpoint)?,
        (None, Some(file)) => verify_export(file, &key)?,
        (None, None) => return Err("give --db or --export".into()),
    };
    for damage in &report.damage {
        println!("{damage}");
    }
    if report.more > 0 {
        println!("and {} more", report.more);
    }
    let root = report.root.map(|root| root.to_string()).unwrap_or_default();
    let verdict = if report.is_intact() { "intact" } else { "NOT INTACT" };
    println!("{verdict}: {}: {} records, root {root}", report.origin, report.size);
    Ok(ExitCode::from(report.code()))
}

fn verify_database(dir: &Path, key: &VerifyingKey, seen: &[PathBuf]) -> Result<Report, Failure> {
    let mut pinned = Vec::new();
    for path in seen {
        let notes =
            checkpoints_in_copy(&std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?);
        let opened: Vec<_> = notes.iter().filter_map(|note| Checkpoint::open(note, key).ok()).collect();
        if opened.is_empty() {
            return Err(format!("{}: no checkpoint signed by the given key", path.display()).into());
        }
        pinned.extend(opened);
    }
    let mut database = match Database::open(dir) {
        Ok(database) => database,
        // It is there, but no longer a database, or not this one's.
        Err(OpenError::Sqlite(SqliteError::Query(_))) => {
            let mut report = Report { origin: key.name().into(), ..Report::default() };
            report.add(Kind::Torn, Place::Store, "the database cannot be read");
            return Ok(report);
        }
        Err(e) => return Err(e.into()),
    };
    let mut progress = Progress::new("verified");
    let verified = verify(&mut database, key, &pinned, &mut |done, of| progress.show(done, of));
    progress.end();
    let mut report = verified.unwrap_or_else(|Unreadable { place, mut report, .. }| {
        report.add(Kind::Torn, place, "the database cannot be read here, nor any further");
        *report
    });
    if let Some(what) = database.unsound().unwrap_or(Some("the database's pages cannot be read")) {
        report.add(Kind::Torn, Place::Store, what);
    }
    Ok(report)
}

fn verify_export(file: &Path, key: &VerifyingKey) -> Result<Report, Failure> {
    let mut lines =
        BufReader::new(File::open(file).map_err(|e| format!("{}: {e}", file.display()))?).split(b'\n');
    let text = |line: Vec<u8>| String::from_utf8_lossy(&line).into_owned();
    let mut check = ExportCheck::new(&text(lines.next().unwrap_or(Ok(Vec::new()))?), key);
    let mut progress = Progress::new("verified");
    for line in lines {
        check.line(&text(line?));
        let (done, of) = check.progress();
        progress.show(done, of);
    }
    progress.end();
    Ok(check.finish())
}

fn run_prove(args: &Prove) -> Result<ExitCode, Failure> {
    let mut database = Database::open(&args.db)?;
    let (size, checkpoint) = database.head()?.ok_or("the log is empty")?;
    let leaf = database.leaf(args.index)?.filter(|_| args.index < size);
    let leaf =
        leaf.ok_or_else(|| format!("the log has {size} records, from 0; there is no {}", args.index))?;
    let proof = database.proofs(args.index, 1, size)?.pop().unwrap_or_default();
    let record = SignedRecord { index: args.index, leaf: String::from_utf8(leaf)?, proof, checkpoint };
    println!("{}", serde_json::to_string_pretty(&record)?);
    Ok(ExitCode::SUCCESS)
}

fn run_check_proof(args: &CheckProof) -> Result<ExitCode, Failure> {
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

/// Records that are read and written at a time.
const CHUNK: u64 = 256;

fn run_export(args: &Export) -> Result<ExitCode, Failure> {
    let mut database = Database::open(&args.db)?;
    let (size, checkpoint) = database.head()?.ok_or("the log is empty")?;
    let origin = checkpoint.lines().next().unwrap_or_default().to_owned();
    let count = args.count.unwrap_or(u64::MAX).min(size.saturating_sub(args.first));
    let file = File::create_new(&args.out).map_err(|e| format!("{}: {e}", args.out.display()))?;
    let mut out = BufWriter::new(file);
    match args.format {
        Format::Jsonl => {
            serde_json::to_writer(&mut out, &Header { checkpoint, first: args.first, count })?;
            out.write_all(b"\n")?;
        }
        Format::Csv => out.write_all(CSV_HEADER.as_bytes())?,
        Format::Ocsf => {}
    }
    let mut progress = Progress::new("exported");
    let end = args.first + count;
    let mut start = args.first;
    while start < end {
        let stop = end.min(start + CHUNK);
        let records = database.records(start, stop)?;
        if records.len() as u64 != stop - start {
            return Err(
                format!("records are missing between {start} and {stop}: run `sluice audit verify`").into()
            );
        }
        let proofs = match args.format {
            Format::Jsonl => database.proofs(start, stop - start, size)?,
            _ => vec![Vec::new(); records.len()],
        };
        for ((index, leaf), proof) in records.into_iter().zip(proofs) {
            match args.format {
                Format::Jsonl => {
                    let line = Line { index, leaf: String::from_utf8(leaf)?, proof };
                    serde_json::to_writer(&mut out, &line)?;
                    out.write_all(b"\n")?;
                }
                Format::Csv => out.write_all(csv_row(&leaf).as_bytes())?,
                Format::Ocsf => writeln!(out, "{}", ocsf(&origin, &leaf))?,
            }
        }
        start = stop;
        progress.show(start - args.first, count);
    }
    out.into_inner()?.sync_all()?;
    progress.end();
    println!("{count} records of {origin} in {}", args.out.display());
    Ok(ExitCode::SUCCESS)
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
