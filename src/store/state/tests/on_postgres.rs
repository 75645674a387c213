//! On a server, with the rights of the gateway's role and no others.
#![cfg(feature = "postgres")]
#![allow(clippy::duplicate_mod, reason = "the same tests run on both engines")]

use std::path::PathBuf;

use super::{Home, at, seals};
use crate::store::db::Server;
use crate::store::state::{StateStore, upkeep};
use crate::store::testing::{ADMIN, Postgres};
use crate::store::testing_proxy::Proxy;

#[path = "forgeries.rs"]
mod forgeries;
#[path = "inbox.rs"]
mod inbox;
#[path = "officers.rs"]
mod officers;
#[path = "order.rs"]
mod order;
#[path = "outbox.rs"]
mod outbox;
#[path = "quotas.rs"]
mod quotas;
#[path = "replicas.rs"]
mod replicas;
#[path = "skew.rs"]
mod skew;
#[path = "state.rs"]
mod state;
#[path = "suspensions.rs"]
mod suspensions;

/// The roles and schemas that an administrator makes.
const ROLES: &str = include_str!("../../../../deploy/postgres/roles.sql");
/// The database.
const NAME: &str = "sluice";

/// A server with one database, and no tables in it yet.
struct Database(Postgres);

impl Database {
    fn new() -> Self {
        let server = Postgres::start();
        server.execute("postgres", "CREATE DATABASE sluice");
        server.execute(NAME, ROLES);
        Self(server)
    }

    fn as_role(&self, role: &str) -> Server {
        let section = format!("url = '{}'\nconnections = 4", self.0.configured(role, NAME));
        Server::new(&toml::from_str(&section).unwrap()).unwrap()
    }

    /// The state, with a network between it and the server.
    fn far(&self) -> (StateStore, Proxy) {
        let proxy = Proxy::start(PathBuf::from(self.0.socket()).join(".s.PGSQL.5432"));
        let section = format!("url = 'postgres://sluice_gateway@{}/{NAME}'\nconnections = 4", proxy.address);
        let server = Server::new(&toml::from_str(&section).unwrap()).unwrap();
        (StateStore::on(&server, seals()).unwrap(), proxy)
    }

    /// A session of an administrator.
    fn connect(&self) -> diesel::PgConnection {
        use diesel::connection::SimpleConnection;
        let mut session = self.0.connect(ADMIN, NAME);
        session.batch_execute("SET search_path = sluice_state").unwrap();
        session
    }

    /// Does what only an administrator may.
    fn execute(&self, sql: &str) {
        self.0.execute(NAME, sql);
    }
}

impl Home for Database {
    fn open(&self) -> StateStore {
        StateStore::on(&self.as_role("sluice_gateway"), seals()).unwrap()
    }
}

fn open() -> (StateStore, Database) {
    let database = Database::new();
    upkeep::migrate_on(&database.as_role("sluice_owner")).unwrap();
    at(database)
}
