//! `sluice demo`: a complete world in a folder, served.

use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::leash;
use crate::base::{Clock, SystemClock};
use crate::config::read_private;
use crate::demo::{self, Recipe, World};
use crate::web::legacy as service;

/// Which world, and where.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The folder; made if it is not there, served again if it is
    #[arg(long, default_value = "demo")]
    dir: PathBuf,
    /// The same seed gives the same people
    #[arg(long, default_value_t = 2026)]
    seed: u64,
    /// How many people
    #[arg(long, default_value_t = 12_000, value_parser = clap::value_parser!(u32).range(100..=200_000))]
    people: u32,
    /// Serve nothing: tell how this official of any demo signs in to the console at this moment
    #[arg(long, value_name = "ACCOUNT")]
    code: Option<String>,
}

pub(super) fn run(args: &Args) -> ExitCode {
    if let Some(account) = &args.code {
        return match demo::way_in(account, SystemClock.now()) {
            Some((password, code)) => {
                println!("account {account}, password \"{password}\", code {code}");
                ExitCode::SUCCESS
            }
            None => super::fail(format!("the demo has no official `{account}`; demo.json lists them")),
        };
    }
    let recipe = Recipe { seed: args.seed, people: args.people as usize };
    let world = match World::open(&args.dir, &recipe, &SystemClock) {
        Ok(world) => world,
        Err(error) => return super::fail(format!("{}: {error}", args.dir.display())),
    };
    let dir = args.dir.canonicalize().unwrap_or_else(|_| args.dir.clone());
    let served = actix_rt::System::new().block_on(async {
        // Before anything is printed: whoever reads it may ask for the end at once.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut children = demo::start(&world).await?;
        demo::describe(&world)?;
        println!("{}", demo::invitation(&world, &dir));
        let ended = tokio::select! {
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
            ended = children.first_to_end() => Some(ended?),
        };
        children.stop().await;
        ended.map_or(Ok(()), |name| {
            Err(std::io::Error::other(format!("{name} ended; logs/{name}.log says why")))
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::fail(format!("{}: {error}", args.dir.display())),
    }
}

/// The old service: where it listens, what it knows.
#[derive(clap::Args)]
pub(super) struct LegacyArgs {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    register: PathBuf,
    /// A file with the header that callers must show: not an argument, which others on the
    /// machine may see
    #[arg(long)]
    headers: PathBuf,
    #[arg(long)]
    leash: bool,
}

pub(super) fn legacy(args: &LegacyArgs) -> ExitCode {
    let listen = (std::net::Ipv4Addr::LOCALHOST, args.port).into();
    let leashed = args.leash;
    let headers = match read_private(&args.headers) {
        Ok(headers) => headers,
        Err(finding) => return super::fail(finding),
    };
    let served =
        actix_rt::System::new().block_on(service::serve(listen, &args.register, &headers, |server| {
            if leashed {
                leash::hold(move || drop(server.stop(true)));
            }
        }));
    served.map_or_else(super::fail, |()| ExitCode::SUCCESS)
}
