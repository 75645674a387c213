//! `sluice check`: do a catalogue and its policies hold together?

use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::{apply, world};
use crate::approval;
use crate::base::{Clock, SystemClock};
use crate::policy;

/// What to check.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder that holds `schemas/` and `policies/`
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Print who gets what: system x dataset x field x purpose -> form
    #[arg(long)]
    matrix: bool,
    /// Print who may do what to an application: state x command x role
    #[arg(long, conflicts_with = "matrix")]
    workflow: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let checked = apply::read_sources(&args.dir).and_then(|sources| world::check(&sources));
    let checked = match checked {
        Ok(checked) => checked,
        Err(findings) => return super::fail(findings),
    };
    if args.matrix {
        print!("{}", policy::matrix(&checked.policy, &checked.catalogue, &checked.registry));
        return ExitCode::SUCCESS;
    }
    if args.workflow {
        print!("{}", approval::matrix(&checked.workflow, &checked.catalogue, &checked.registry));
        return ExitCode::SUCCESS;
    }
    let now = SystemClock.now();
    let mut worn = checked.policy.worn(now);
    worn.0.extend(checked.workflow.worn(now).0);
    print!("{}{worn}", checked.warnings);
    println!(
        "ok: {} datasets of {} departments, {} systems; {} warnings",
        checked.catalogue.datasets.len(),
        checked.catalogue.departments.len(),
        checked.registry.systems().count(),
        checked.warnings.0.len() + worn.0.len()
    );
    ExitCode::SUCCESS
}
