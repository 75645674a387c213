//! The demo: a complete world in a folder, made of real processes and synthetic people.
//!
//! Invariant: the same seed gives the same world; nobody in it exists. It starts what production
//! starts, by the same commands and with the same kind of configuration.

mod applications;
pub mod certificates;
mod children;
pub mod departments;
mod examples;
mod files;
mod officials;
pub mod people;
mod world;

use std::io;
use std::path::Path;

pub use children::Children;
pub use examples::Example;
pub use files::Ports;
pub use officials::way_in;
pub use world::{Recipe, World};

/// Starts the processes of `world`: each department's adapter, the old service, the gateway.
/// Everything answers when this returns.
///
/// # Errors
/// When a process cannot be started, or ends while starting.
pub async fn start(world: &World) -> io::Result<Children> {
    let mut children = Children::of(std::env::current_exe()?);
    let logs = world.dir.join("logs");
    std::fs::create_dir_all(&logs)?;
    let log = |name: &str| logs.join(format!("{name}.log"));
    for provider in world::PROVIDERS {
        let home = world.dir.join("departments").join(provider);
        children.start(provider, &["adapter", "--config", "adapter.toml"], &home, &log(provider))?;
    }
    let port = world.ports.legacy.to_string();
    let legacy = ["demo-legacy", "--port", &port, "--register", "legacy.json", "--headers", "legacy-headers"];
    children.start(
        "housing-legacy",
        &legacy,
        &world.dir.join("departments/housing"),
        &log("housing-legacy"),
    )?;
    let departments = world.ports.adapters.values().copied().chain([world.ports.legacy]);
    for port in departments {
        children.listening(port).await?;
    }
    children.start("gateway", &["serve", "--config", "sluice.toml"], &world.dir, &log("gateway"))?;
    children.listening(world.ports.gateway).await?;
    applications::file(world, &children).await?;
    Ok(children)
}

/// Writes `demo.json`: what a program needs to use the world.
///
/// # Errors
/// When the file cannot be written.
pub fn describe(world: &World) -> io::Result<()> {
    examples::describe(world)
}

/// What to try, in ten lines for a shell that stands anywhere.
pub fn invitation(world: &World, dir: &Path) -> String {
    examples::invitation(world, dir)
}
