//! Applications from draft to grant, told with a real log and a real database, at a time that the
//! tests set.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod bounds;
mod clocks;
mod keys;
mod on_postgres;
mod races;
mod seeing;
mod stories;

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::SystemRandom;
use serde_json::{Value, json};

use super::{Asked, Given};
use crate::app::call::{Call, PersonCaller};
use crate::app::consents::Consents;
use crate::app::gateway::{Gateway, Parts};
use crate::app::keys::{self as key_files, Keys};
use crate::app::lease::Lease;
use crate::app::session::Entry;
use crate::app::world::World;
use crate::app::{applications, apply};
use crate::base::ids::{AccountId, ApplicationId, DepartmentId, PersonId, RequestId};
use crate::base::{Clock, Code, Error, Lang, ManualClock, Secret, Timestamp};
use crate::config::{AuditSection, HistorySection, LimitsSection, SessionsSection};
use crate::identity::{Account, Role};
use crate::store::audit::{AuditLog, Options};
use crate::store::db::Server;
use crate::store::state::{Changed, NewAccount, Quotas, StateStore};
use crate::telemetry::Metrics;

/// A Monday morning in Shanghai.
pub const NOW: &str = "2026-11-23T01:00:00Z";

/// A gateway in a folder of its own, with the people of two departments.
pub struct Stage {
    pub gateway: Arc<Gateway>,
    pub clock: Arc<ManualClock>,
    _home: Box<dyn Any + Send + Sync>,
}

/// How often a race is run.
const ROUNDS: usize = 100;

async fn open() -> Stage {
    Stage::new().await
}

impl Stage {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = StateStore::open(&dir.path().join("data/state.db")).unwrap();
        Self::set(dir.path().to_owned(), NOW, state, None, Box::new(dir)).await
    }

    /// One whose log and state are on a server, if there is one, at the moment `now`; `home` goes with it.
    async fn set(
        dir: PathBuf,
        now: &str,
        state: StateStore,
        server: Option<Server>,
        home: Box<dyn Any + Send + Sync>,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::parse(now).unwrap()));
        let gateway = Arc::new(gateway(&dir, &clock, state, server));
        let stage = Self { gateway, clock, _home: home };
        for (name, department, roles) in PEOPLE {
            stage.enrol(name, name, department, roles);
        }
        stage.gateway.in_force().await.unwrap();
        stage
    }

    /// Makes an account.
    pub fn enrol(&self, name: &str, person: &str, department: &str, roles: &[Role]) {
        let account = Account {
            id: AccountId::parse(name).unwrap(),
            person: PersonId::parse(person).unwrap(),
            name: "王办".into(),
            department: DepartmentId::parse(department).unwrap(),
            roles: roles.to_vec(),
            email: None,
            lang: Lang::Zh,
            active: true,
        };
        let password = Secret::new(String::new());
        let until = self.clock.now();
        let new =
            NewAccount { account: &account, password: &password, until: Some(until), code_secret: None };
        assert_eq!(self.gateway.state.make_account(&new, "uid 0", until).unwrap(), Changed::Yes);
    }

    /// A request of somebody who is signed in.
    pub fn call(&self, name: &str) -> Call<PersonCaller> {
        let account = self.gateway.state.account(&AccountId::parse(name).unwrap()).unwrap().unwrap().account;
        Call {
            request_id: RequestId::new(Timestamp::default(), &SystemRandom::new()).unwrap(),
            trace: String::new(),
            caller: PersonCaller { account: Arc::new(account), session: "s".into() },
        }
    }

    pub fn store(&self) -> &StateStore {
        &self.gateway.state
    }

    pub fn at(&self, moment: &str) {
        self.clock.set(Timestamp::parse(moment).unwrap());
    }

    /// Drafts what housing asks of civil affairs; gives its id.
    pub async fn drafted(&self) -> String {
        let body = json!({ "terms": terms() });
        applications::draft(&self.gateway, &self.call("h.applicant"), asked(&body)).await.unwrap().application
    }

    /// Gives a command at the version that the application has.
    pub async fn give(&self, who: &str, id: &str, name: &str, members: Value) -> Result<Given, Error> {
        let mut body = members;
        body["version"] = json!(self.version(id));
        self.send(who, id, name, &body).await
    }

    /// Gives a command as it is.
    pub async fn send(&self, who: &str, id: &str, name: &str, body: &Value) -> Result<Given, Error> {
        applications::command(&self.gateway, &self.call(who), id, name, asked(body)).await
    }

    /// Gives commands that must be taken, one after the other.
    pub async fn all(&self, id: &str, commands: &[(&str, &str)]) -> Given {
        let mut last = None;
        for (who, name) in commands {
            let given = self.give(who, id, name, json!({})).await;
            last = Some(given.unwrap_or_else(|e| panic!("{who} {name}: {e} {:?}", e.invalid)));
        }
        last.unwrap()
    }

    /// An application with the provider.
    pub async fn in_review(&self) -> String {
        let id = self.drafted().await;
        self.all(&id, &[("h.applicant", "submit"), ("h.lead", "consent")]).await;
        id
    }

    /// A grant in force.
    pub async fn active(&self) -> String {
        let id = self.in_review().await;
        self.all(&id, &VOTES).await;
        self.all(&id, &[("h.lead", "accept")]).await;
        id
    }

    pub fn version(&self, id: &str) -> u32 {
        self.application(id).map_or(1, |a| a.version)
    }

    pub fn state(&self, id: &str) -> &'static str {
        self.application(id).unwrap().state.as_str()
    }

    pub fn application(&self, id: &str) -> Option<crate::approval::Application> {
        self.store().application(&ApplicationId::parse(id).unwrap()).unwrap()
    }

    /// The names of an application's events.
    pub fn events(&self, id: &str) -> Vec<String> {
        let name = |event: &crate::approval::Event| {
            serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned()
        };
        self.application(id).unwrap().events.iter().map(name).collect()
    }
}

/// The votes of the template for sensitive data.
pub const VOTES: [(&str, &str); 3] = [("c.head", "approve"), ("c.leader", "approve"), ("c.lead", "approve")];

const PEOPLE: [(&str, &str, &[Role]); 11] = [
    ("h.applicant", "housing", &[Role::Applicant]),
    ("h.lead", "housing", &[Role::SharingLead]),
    ("c.applicant", "civil", &[Role::Applicant]),
    ("c.head", "civil", &[Role::SectionHead]),
    ("c.leader", "civil", &[Role::Leader]),
    ("c.lead", "civil", &[Role::SharingLead]),
    ("c.lead2", "civil", &[Role::SharingLead]),
    ("m.applicant", "medical", &[Role::Applicant]),
    ("o.auditor", "audit", &[Role::Auditor]),
    ("o.security", "audit", &[Role::SecurityAdmin]),
    ("o.coordinator", "service", &[Role::Coordinator]),
];

pub fn terms() -> Value {
    json!({
        "dataset": "civil.subsistence",
        "purpose": "housing-aid.review",
        "basis": "公共租赁住房管理办法第七条",
        "scenario": "公租房申请资格审核",
        "scope": "住房保障科经办人员",
        "mode": "service",
        "systems": ["housing.aid"],
        "fields": [
            { "field": "monthly_allowance", "form": "band", "reason": "核对补助" },
            { "field": "approved_on", "form": "band", "reason": "核对时间" }
        ],
        "per_day": 200,
        "distinct_per_day": 100,
        "until": "2027-06-30"
    })
}

pub fn asked(body: &Value) -> Asked {
    Asked { body: Ok(body.to_string().into_bytes()), key: None, if_match: None }
}

pub fn code<T>(told: Result<T, Error>) -> Code {
    told.err().map_or(Code::Ok, |error| error.code)
}

fn gateway(dir: &Path, clock: &Arc<ManualClock>, state: StateStore, server: Option<Server>) -> Gateway {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    key_files::make(&dir.join("keys"), "test.example/log").unwrap();
    let audit = AuditSection {
        signing_key_file: dir.join("keys/audit.key"),
        previous_signing_key_file: None,
        subject_key_file: dir.join("keys/subjects.key"),
        checkpoint_copy_file: dir.join("checkpoint"),
        queue: 64.try_into().unwrap(),
    };
    let keys = Keys::read(&audit).unwrap();
    let log = AuditLog::open(Options {
        data_dir: dir.join("data"),
        server,
        checkpoint_copy: audit.checkpoint_copy_file,
        signing_key: keys.signing,
        previous_key: None,
        subject_key: keys.subjects,
        clock: Arc::clone(&clock),
        queue: 64,
    })
    .unwrap();
    apply::apply(&state, Path::new(env!("CARGO_MANIFEST_DIR")), clock.as_ref()).unwrap();
    let version = state.newest_version().unwrap().unwrap();
    let world = World::build(&version, &[], None).unwrap();
    let quotas = Quotas::start(&state).unwrap();
    let entry = Entry::new(keys.credentials, &SessionsSection::default()).unwrap();
    let consents = Consents::new(keys.consents, &HistorySection::default());
    let (limits, metrics) = (LimitsSection::default(), Arc::new(Metrics::default()));
    let (anchors, pseudonyms, counting) = (None, keys.pseudonyms, keys.counting);
    let lease = Lease::new(None);
    Gateway::new(Parts {
        clock,
        log,
        anchors,
        state,
        quotas,
        world,
        pseudonyms,
        counting,
        entry,
        consents,
        lease,
        limits,
        metrics,
    })
}
