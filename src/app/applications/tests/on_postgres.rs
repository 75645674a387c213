//! What depends on how a database keeps changes apart, on a server as well, with the rights of the
//! gateway's role alone.
#![cfg(feature = "postgres")]
#![allow(clippy::duplicate_mod, reason = "the same tests run on both engines")]

use super::*;
use crate::store::audit::upkeep as log;
use crate::store::state::upkeep as state;
use crate::store::testing::Postgres;

#[path = "races.rs"]
mod races;

/// A Friday morning in Shanghai that is over by the server's clock, or the server would refuse.
const PAST: &str = "2026-11-20T01:00:00Z";
const ROUNDS: usize = 10;

/// The roles and schemas that an administrator makes.
const ROLES: &str = include_str!("../../../../deploy/postgres/roles.sql");

async fn open() -> Stage {
    let (dir, postgres) = (tempfile::tempdir().unwrap(), Postgres::start());
    postgres.execute("postgres", "CREATE DATABASE sluice");
    postgres.execute("sluice", ROLES);
    let as_role = |role| {
        let section = format!("url = '{}'", postgres.configured(role, "sluice"));
        Server::new(&toml::from_str(&section).unwrap()).unwrap()
    };
    let owner = as_role("sluice_owner");
    state::migrate_on(&owner).unwrap();
    log::migrate_on(&owner).unwrap();
    let server = as_role("sluice_gateway");
    let state = StateStore::on(&server).unwrap();
    Stage::set(dir.path().to_owned(), PAST, state, Some(server), Box::new((dir, postgres))).await
}
