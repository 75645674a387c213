//! The log on disk, tried as its users and its enemies would.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod append;
mod erase;
mod harm;
mod read;
#[cfg(feature = "postgres")]
mod server;
mod start;

use std::path::Path;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use futures_util::future::join_all;
use ring::rand::SystemRandom;
use tempfile::TempDir;

use super::engine::on;
use super::*;
use crate::audit::record::LeafHead;
use crate::audit::verify::{ANCHOR, Kind, Place, Report, verify};
use crate::audit::{Checkpoint, Hash, VerifyingKey};
use crate::base::{ManualClock, Secret, Timestamp};
use crate::store::db::Db;

/// Long past by the clocks of servers, which may not be behind.
const NOON: Timestamp = Timestamp::from_micros(1_732_262_400_000_000);

/// Tells each of the stories on each engine.
macro_rules! on_both {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Site::new()).await;
            })+
        }
        #[cfg(feature = "postgres")]
        mod on_postgres {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Site::on_server()).await;
            })+
        }
    };
}
use on_both;

/// A log in a folder of its own, or on a server of its own, to be opened and closed at will.
struct Site {
    #[cfg(feature = "postgres")]
    postgres: Option<Arc<crate::store::testing::Postgres>>,
    /// How the server is reached.
    server: Option<Server>,
    dir: TempDir,
    key: String,
    previous: Option<String>,
    clock: Arc<ManualClock>,
    queue: usize,
}

impl Site {
    fn new() -> Self {
        let key = SigningKey::generate("sluice.test/log", &SystemRandom::new()).unwrap();
        Self {
            #[cfg(feature = "postgres")]
            postgres: None,
            server: None,
            dir: TempDir::new().unwrap(),
            key: key.to_secret_text().reveal().clone(),
            previous: None,
            clock: Arc::new(ManualClock::new(NOON)),
            queue: 20_000,
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn copy(&self) -> PathBuf {
        self.dir.path().join("elsewhere/checkpoint")
    }

    fn open(&self) -> Result<AuditLog, OpenError> {
        AuditLog::open(Options {
            data_dir: self.data(),
            server: self.server.clone(),
            checkpoint_copy: self.copy(),
            signing_key: SigningKey::parse(&self.key).unwrap(),
            previous_key: self.previous.as_deref().map(|key| SigningKey::parse(key).unwrap()),
            subject_key: SubjectKey::new(&Secret::new([7; 32])).unwrap(),
            clock: self.clock.clone(),
            queue: self.queue,
        })
    }

    fn refusal(&self) -> OpenError {
        self.open().map(|_| ()).unwrap_err()
    }

    fn public(&self) -> VerifyingKey {
        SigningKey::parse(&self.key).unwrap().public().clone()
    }

    fn report(&self, seen: &[Checkpoint]) -> Report {
        let mut database = self.database();
        assert_eq!(database.unsound().unwrap(), None);
        verify(&mut database, &self.public(), seen, &mut |_, _| {}).unwrap()
    }

    fn damage(&self) -> Vec<String> {
        self.report(&[]).damage.iter().map(ToString::to_string).collect()
    }

    /// A connection beside the log's own.
    fn writing(&self) -> Db {
        Home::of(&self.data(), self.server.as_ref()).unwrap().open_log().unwrap()
    }

    /// The beginning of a transaction beside which nobody writes.
    fn alone(&self) -> &'static str {
        match self.server {
            None => "BEGIN IMMEDIATE",
            Some(_) => "BEGIN; SELECT id FROM head FOR UPDATE",
        }
    }

    fn database(&self) -> Database {
        match &self.server {
            None => Database::open(&self.data()).unwrap(),
            Some(server) => Database::on(server).unwrap(),
        }
    }

    /// Changes the database behind the log's back.
    fn tamper(&self, sql: &str) {
        #[cfg(feature = "postgres")]
        if let Some(postgres) = &self.postgres {
            return postgres.execute("postgres", &format!("SET search_path TO sluice_log; {sql}"));
        }
        let mut conn = sqlite::open_log(&self.data().join(DATABASE)).unwrap();
        conn.batch_execute(sql).unwrap();
    }
}

fn query(number: u64) -> Draft {
    let mut caller = Object::new();
    caller
        .text("department", if number.is_multiple_of(2) { "housing" } else { "medical" })
        .text("system", "s");
    let mut draft = Draft::new("query");
    draft
        .members()
        .text("request_id", &format!("{number:032x}"))
        .object("caller", &caller)
        .text("dataset", "civil.subsistence")
        .text("purpose", "housing-aid.review")
        .text("outcome", "ok");
    draft
}

fn about(number: u64, identifier: &str) -> Draft {
    let mut draft = query(number);
    draft.subject("id_number", identifier);
    draft
}

async fn fill(log: &AuditLog, count: u64) -> Vec<Receipt> {
    join_all((0..count).map(|i| log.append(query(i)))).await.into_iter().map(Result::unwrap).collect()
}

/// A closed log of `count` queries, of which the first ten name a person each.
async fn filled(count: u64) -> Site {
    let place = Site::new();
    let log = place.open().unwrap();
    for i in 0..count.min(10) {
        log.append(about(i, &format!("person {i}"))).await.unwrap();
    }
    fill(&log, count - count.min(10)).await;
    drop(log);
    assert_eq!(place.damage(), [""; 0]);
    place
}
