//! `sluice audit verify`: a database, an export or a running gateway's log, against the public key.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::outside::{Demands, Outside};
use super::remote::Remote;
use super::source::Access;
use super::{Failure, Progress, public_key};
use crate::audit::export::ExportCheck;
use crate::audit::verify::{Kind, Place, Report, Unreadable, verify};
use crate::audit::{Checkpoint, VerifyingKey};
use crate::config::adapter::ClientTls;
use crate::store::audit::{Database, DatabaseError, OpenError, checkpoints_in_copy};

/// What to verify, and against what.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    log: Log,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    outside: Demands,
    /// Verifier key, or a file that holds one. With --url, the key in effect.
    #[arg(long, value_name = "KEY|FILE")]
    pubkey: String,
    /// A checkpoint seen before, such as the checkpoint copy or one from a receipt: the log must
    /// have grown from it.
    #[arg(long, value_name = "FILE", conflicts_with = "export")]
    checkpoint: Vec<PathBuf>,
    /// With --url: the CA that issued the gateway's certificate.
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// With --url: an auditor's client certificate.
    #[arg(long, value_name = "FILE", requires = "url")]
    cert: Option<PathBuf>,
    /// With --url: its private key.
    #[arg(long, value_name = "FILE", requires = "url")]
    key: Option<PathBuf>,
}

/// Where the log is.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Log {
    /// Data directory of a gateway, which may be running.
    #[arg(long, value_name = "DIR")]
    db: Option<PathBuf>,
    /// The server that holds the log of several gateways: postgres://user@host/database. The user
    /// needs to read it, no more.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A JSON Lines export.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// A running gateway, such as https://gateway.example:8443, read over HTTP.
    #[arg(long, requires_all = ["ca", "cert", "key"])]
    url: Option<String>,
}

/// Prints what is wrong, if anything, and the verdict.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let key = public_key(&args.pubkey)?;
    let mut seen = seen(&args.checkpoint, &key)?;
    let mut outside = Outside::default();
    let mut report = match (&args.log, &args.ca, &args.cert, &args.key) {
        (Log { db: Some(dir), .. }, ..) => {
            // Before the log, which grows meanwhile: it must contain what others saw by then.
            outside = args.outside.beside(dir, key.name())?;
            seen.append(&mut outside.seen);
            database(dir, &key, &seen)?
        }
        (Log { server: Some(url), .. }, ..) => verified(&mut args.access.open(url)?, &key, &seen),
        (Log { export: Some(file), .. }, ..) => export(file, &key)?,
        (Log { url: Some(url), .. }, Some(ca), Some(certificate), Some(private)) => {
            let tls = ClientTls { ca: ca.clone(), certificate: certificate.clone(), key: private.clone() };
            let mut gateway = Remote::new(url, &tls)?;
            outside = args.outside.of_gateway(&mut gateway, key.name())?;
            seen.append(&mut outside.seen);
            remote(gateway, &key, &seen)?
        }
        _ => return Err("give --db, --server, --export, or --url with --ca, --cert and --key".into()),
    };
    outside.conclude(&mut report);
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

/// The checkpoints in `files`; each file must hold one that is signed by the key.
pub(in crate::cli) fn seen(files: &[PathBuf], key: &VerifyingKey) -> Result<Vec<Checkpoint>, Failure> {
    let mut seen = Vec::new();
    for path in files {
        let notes =
            checkpoints_in_copy(&std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?);
        let opened: Vec<_> = notes.iter().filter_map(|note| Checkpoint::open(note, key).ok()).collect();
        if opened.is_empty() {
            return Err(format!("{}: no checkpoint signed by the given key", path.display()).into());
        }
        seen.extend(opened);
    }
    Ok(seen)
}

/// Verifies the log in a data directory, which may be in use.
pub(in crate::cli) fn database(
    dir: &Path,
    key: &VerifyingKey,
    seen: &[Checkpoint],
) -> Result<Report, Failure> {
    let mut database = match Database::open(dir) {
        Ok(database) => database,
        // It is there, but no longer a database, or not this one's.
        Err(OpenError::Database(DatabaseError::Query(_))) => {
            let mut report = Report { origin: key.name().into(), ..Report::default() };
            report.add(Kind::Torn, Place::Store, "the database cannot be read");
            return Ok(report);
        }
        Err(e) => return Err(e.into()),
    };
    Ok(verified(&mut database, key, seen))
}

/// Verifies a log that is open.
pub(super) fn verified(database: &mut Database, key: &VerifyingKey, seen: &[Checkpoint]) -> Report {
    let mut progress = Progress::new("verified");
    let verified = verify(database, key, seen, &mut |done, of| progress.show(done, of));
    progress.end();
    let mut report = verified.unwrap_or_else(|Unreadable { place, mut report, .. }| {
        report.add(Kind::Torn, place, "the database cannot be read here, nor any further");
        *report
    });
    if let Some(what) = database.unsound().unwrap_or(Some("the database's pages cannot be read")) {
        report.add(Kind::Torn, Place::Store, what);
    }
    report
}

fn export(file: &Path, key: &VerifyingKey) -> Result<Report, Failure> {
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

/// A gateway that does not answer has proven nothing against the log; what was found before has.
fn remote(mut log: Remote, key: &VerifyingKey, seen: &[Checkpoint]) -> Result<Report, Failure> {
    let mut progress = Progress::new("verified");
    let verified = verify(&mut log, key, seen, &mut |done, of| progress.show(done, of));
    progress.end();
    match verified {
        Ok(report) => Ok(report),
        Err(Unreadable { error, report, .. }) if report.is_intact() => Err(error.into()),
        Err(Unreadable { error, place, report }) => {
            eprintln!("{place} and what follows could not be read: {error}");
            Ok(*report)
        }
    }
}
