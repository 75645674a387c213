//! A load generator: many kept connections over mutual TLS, one request at a time on each.
//!
//! It sends requests as bytes that were made beforehand and reads no more of an answer than its
//! status and length, so that it takes little of the processors it shares with what it measures;
//! how much it took is in its result. The load is closed: a connection sends its next request when
//! it has the answer to the last. Invariant: it talks to this machine alone, and it ends.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod answer;
mod connection;
mod requests;
mod tally;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use tokio::task::LocalSet;

use crate::connection::{Connector, Plan};
use crate::requests::{Kind, Requests};
use crate::tally::{Tally, cpu_seconds};

/// Sends the same few requests over many connections, and says how fast the answers came.
#[derive(Parser)]
struct Args {
    /// The port, on 127.0.0.1; may be repeated, and then each gets its share of the connections
    #[arg(long = "port", required = true)]
    ports: Vec<u16>,
    /// The CA of the server's certificate, which must be for `localhost`, in PEM
    #[arg(long)]
    ca: PathBuf,
    /// The client's certificate, in PEM
    #[arg(long)]
    cert: PathBuf,
    /// Its key, in PEM
    #[arg(long)]
    key: PathBuf,
    #[arg(long, default_value_t = 32, value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096))]
    connections: usize,
    /// How long to measure
    #[arg(long, default_value_t = 5, value_parser = RangedU64ValueParser::<u64>::new().range(1..=3600))]
    seconds: u64,
    /// How long to send before measuring
    #[arg(long, default_value_t = 1, value_parser = RangedU64ValueParser::<u64>::new().range(0..=60))]
    warmup_seconds: u64,
    /// WEIGHT,PATH,FILE: POST the file's JSON to the path, WEIGHT times in a round; may be repeated
    #[arg(long = "request", required = true)]
    requests: Vec<Kind>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("sluice-load: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<serde_json::Value, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
    let addresses = args.ports.iter().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), *port));
    let connector = Connector::new(addresses.collect(), &args.ca, &args.cert, &args.key)?;
    let begin = Instant::now() + Duration::from_secs(args.warmup_seconds);
    let plan = Plan {
        connector,
        requests: Requests::new(&args.requests)?,
        begin,
        end: begin + Duration::from_secs(args.seconds),
    };
    LocalSet::new().block_on(&runtime, measure(plan, args.connections))
}

async fn measure(plan: Plan, connections: usize) -> Result<serde_json::Value, String> {
    let plan = Rc::new(plan);
    let tasks: Vec<_> = (0..connections)
        .map(|number| tokio::task::spawn_local(connection::drive(Rc::clone(&plan), number)))
        .collect();
    tokio::time::sleep_until(plan.begin.into()).await;
    let before = cpu_seconds()?;
    tokio::time::sleep_until(plan.end.into()).await;
    let own = cpu_seconds()? - before;

    let mut tally = Tally::default();
    for task in tasks {
        tally.add(task.await.map_err(text)?);
    }
    Ok(tally.result(plan.end - plan.begin, own))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
