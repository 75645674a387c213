//! An office with an outbox and a postman, at a time that stands still.

use std::sync::{Arc, Mutex};

use sluice::app::apply::read_sources;
use sluice::app::notices::{Channel, Postman};
use sluice::base::clock::ManualClock;
use sluice::base::ids::{AccountId, ApplicationId, DatasetId, DepartmentId, PersonId};
use sluice::base::{Clock, Lang, Secret};
use sluice::catalogue::Catalogue;
use sluice::config::file;
use sluice::demo::certificates::{Authority, Usage};
use sluice::identity::{Account, Role};
use sluice::store::state::notice::{About, Kind, Notice, Recipient};
use sluice::store::state::outbox::Waiting;
use sluice::store::state::{ActKey, StateStore};
use sluice::telemetry::Metrics;
use tempfile::TempDir;
use time::macros::date;

use super::now;

/// The secret of the webhook of `civil`.
pub const SECRET: [u8; 32] = [0xa5; 32];

/// The office.
pub struct Office {
    pub dir: TempDir,
    pub clock: Arc<ManualClock>,
    pub state: StateStore,
    catalogue: Catalogue,
    pub accounts: Arc<Mutex<Vec<Account>>>,
    pub authority: Authority,
    pub postman: Option<Postman>,
}

impl Office {
    /// Without a postman yet.
    pub fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = now();
        let sources = read_sources(env!("CARGO_MANIFEST_DIR").as_ref()).unwrap();
        let authority = Authority::open(&dir.path().join("ca"), "mail", now).unwrap();
        for (name, host) in [("mail", "localhost"), ("elsewhere", "elsewhere.example")] {
            let issued = authority.issue(name, &[host], Usage::Server, now).unwrap();
            issued.write(&dir.path().join("tls"), name).unwrap();
        }
        private(&dir, "password", "canary-password\n");
        private(&dir, "secret", &"a5".repeat(32));
        Self {
            clock: Arc::new(ManualClock::new(now)),
            state: StateStore::open(&dir.path().join("state.db"), ActKey::new(&Secret::new([7; 32])))
                .unwrap(),
            catalogue: Catalogue::load(&sources).unwrap().0,
            accounts: Arc::default(),
            authority,
            dir,
            postman: None,
        }
    }

    /// With a postman who knows this mail server.
    pub fn with_mail(port: u16, security: &str) -> Self {
        let mut office = Self::open();
        office.employ(&mail_section(port, security));
        office
    }

    pub fn employ(&mut self, sections: &str) {
        let text =
            format!("link = \"https://sluice.example/applications/\"\ntimeout_seconds = 2\n{sections}");
        let mut section: sluice::config::NoticesSection = file::parse("sluice.toml", &text, &[]).unwrap();
        section.resolve(self.dir.path());
        let accounts = Arc::clone(&self.accounts);
        let directory = move |recipient: &Recipient| {
            let holds = |account: &&Account| match recipient {
                Recipient::Account(id) => account.id == *id,
                Recipient::Role(role, department) => {
                    account.department == *department && account.holds(*role)
                }
                Recipient::Office(role) => account.holds(*role),
                Recipient::Department(_) => panic!("a department is not an account"),
            };
            Ok(accounts.lock().unwrap().iter().filter(holds).cloned().collect())
        };
        let (state, clock) = (self.state.clone(), Arc::clone(&self.clock) as Arc<dyn Clock>);
        let postman = Postman::new(&section, state, clock, Arc::new(Metrics::default()), Arc::new(directory));
        self.postman = Some(postman.unwrap_or_else(|finding| panic!("{finding}")));
    }

    pub fn hire(&self, id: &str, role: Role, lang: Lang) {
        self.accounts.lock().unwrap().push(Account {
            id: AccountId::parse(id).unwrap(),
            person: PersonId::parse(id).unwrap(),
            name: "张晓".into(),
            department: department(id.split('.').next().unwrap()),
            roles: vec![role],
            email: Some(format!("{id}@post.example")),
            lang,
            active: true,
        });
    }

    pub fn post(&self, recipient: Recipient, kind: Kind, numbers: impl IntoIterator<Item = u32>) {
        let notices: Vec<_> =
            numbers.into_iter().map(|number| notice(recipient.clone(), kind, number)).collect();
        self.state.post(&notices, self.clock.now()).unwrap();
    }

    /// Has the postman do his round.
    pub async fn round(&self) {
        let postman = self.postman.as_ref().unwrap();
        postman.address().await.unwrap();
        postman.deliver(Channel::Mail, &self.catalogue).await.unwrap();
        postman.deliver(Channel::Webhook, &self.catalogue).await.unwrap();
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.set(self.clock.now().plus_seconds(seconds));
    }

    pub fn waiting(&self) -> Waiting {
        Waiting { oldest: None, ..self.state.waiting().unwrap() }
    }
}

pub fn mail_section(port: u16, security: &str) -> String {
    format!(
        "[mail]\nhost = \"localhost\"\nport = {port}\nallow = [\"127.0.0.1:{port}\"]\n\
         security = \"{security}\"\nca = \"ca/ca.pem\"\nfrom = \"sluice@sluice.example\"\n\
         user = \"sluice\"\npassword_file = \"password\"\n"
    )
}

pub fn webhook_section(port: u16) -> String {
    format!(
        "[[webhook]]\ndepartment = \"civil\"\nurl = \"https://localhost:{port}/notices?from=sluice\"\n\
         allow = [\"127.0.0.1:{port}\"]\nca = \"ca/ca.pem\"\nsecret_file = \"secret\"\n"
    )
}

pub fn private(dir: &TempDir, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let file = dir.path().join(name);
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub fn department(id: &str) -> DepartmentId {
    DepartmentId::parse(id).unwrap()
}

pub fn account(id: &str) -> Recipient {
    Recipient::Account(AccountId::parse(id).unwrap())
}

pub fn leads() -> Recipient {
    Recipient::Role(Role::SharingLead, department("civil"))
}

pub fn notice(recipient: Recipient, kind: Kind, number: u32) -> Notice {
    Notice {
        recipient,
        kind,
        object: ApplicationId::parse(&format!("A-2026-{number:06}")).unwrap(),
        about: About {
            version: number,
            dataset: DatasetId::parse("civil.subsistence").unwrap(),
            requester: department("housing"),
            provider: department("civil"),
            due: Some(date!(2026 - 11 - 25)),
        },
    }
}
