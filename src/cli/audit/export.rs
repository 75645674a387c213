//! `sluice audit export`: the log in a file, in one of three forms.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::source::Source;
use super::{Failure, Progress};
use crate::audit::export::{CSV_HEADER, Header, Line, csv_row, ocsf};
use crate::audit::verify::Stored;

/// What to write, where and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    log: Source,
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

/// Records that are read and written at a time.
const CHUNK: u64 = 256;

/// Writes the file, and says what is in it.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut database = args.log.open()?;
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
