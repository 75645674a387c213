//! The officials of a demo: those who apply, decide and look after the whole.
//!
//! Invariant: accounts, passwords and code generators are the same in every world. They are secret
//! to nobody, so nothing here may be used outside a demo.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;

use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use serde::Serialize;

use super::certificates::{Authority, Usage};
use crate::app::keys::Keys;
use crate::base::ids::{AccountId, DepartmentId, PersonId};
use crate::base::{Lang, Secret, Timestamp};
use crate::config::AuditSection;
use crate::identity::{Account, CodeSecret, Role, password};
use crate::store::state::{Change, Changed, NewAccount, StateStore};

/// Account, name, role; the account begins with the department.
const OFFICIALS: [(&str, &str, Role); 15] = [
    ("housing.applicant", "周敏", Role::Applicant),
    ("housing.lead", "吴国强", Role::SharingLead),
    ("service.applicant", "郑洁", Role::Applicant),
    ("service.lead", "冯涛", Role::SharingLead),
    ("hrss.applicant", "陈晓东", Role::Applicant),
    ("hrss.lead", "褚红", Role::SharingLead),
    ("civil.head", "卫东平", Role::SectionHead),
    ("civil.leader", "蒋文", Role::Leader),
    ("civil.lead", "沈丽", Role::SharingLead),
    ("civil.secrecy", "韩松", Role::ConfidentialityOfficer),
    ("audit.system", "杨帆", Role::SystemAdmin),
    ("audit.security", "朱琳", Role::SecurityAdmin),
    ("audit.auditor", "秦岭", Role::Auditor),
    ("audit.coordinator", "许宁", Role::Coordinator),
    ("audit.second", "尤静", Role::Auditor),
];

/// How one of them signs in: with the certificate, or with password and code.
#[derive(Debug, Clone, Serialize)]
pub struct Official {
    /// The account.
    pub name: &'static str,
    /// The password.
    pub password: String,
    /// The secret of the code generator, in base32 (RFC 6238: SHA-1, 6 digits, 30 seconds).
    pub code_secret: String,
    /// The certificate, below the folder of the demo.
    pub cert: String,
    /// Its key.
    pub key: String,
    /// What the account may do.
    pub roles: Vec<Role>,
    /// Where it may do so.
    pub department: &'static str,
}

/// All of them.
pub fn all() -> Vec<Official> {
    let official = |(name, _, role): (&'static str, &str, Role)| Official {
        name,
        password: password_of(name),
        code_secret: code_of(name).text().reveal().clone(),
        cert: format!("people/{name}.pem"),
        key: format!("people/{name}.key"),
        roles: vec![role],
        department: department_of(name),
    };
    OFFICIALS.into_iter().map(official).collect()
}

/// How one of them signs in with password and code at that moment: the two, if there is such an
/// official.
pub fn way_in(name: &str, now: Timestamp) -> Option<(String, String)> {
    let (name, ..) = OFFICIALS.iter().find(|(known, ..)| *known == name)?;
    Some((password_of(name), code_of(name).code_at(now)))
}

/// Makes their accounts, and their certificates below `people/`.
///
/// # Errors
/// When a file or the state database cannot be written.
pub fn enrol(dir: &Path, authority: &Authority, now: Timestamp) -> io::Result<()> {
    let keys = dir.join("keys");
    let audit = AuditSection {
        signing_key_file: keys.join("audit.key"),
        previous_signing_key_file: None,
        subject_key_file: keys.join("subjects.key"),
        checkpoint_copy_file: dir.join("second-place/checkpoint"),
        queue: NonZeroUsize::MIN,
    };
    let Keys { credentials: key, acts, .. } =
        Keys::read(&audit).map_err(|finding| io::Error::other(finding.to_string()))?;
    let state = StateStore::open(&dir.join("data/state.db"), acts).map_err(io::Error::other)?;
    let rng = SystemRandom::new();
    let broken = || io::Error::other("an official of the demo cannot be enrolled");
    for (number, (name, called, role)) in (1001..).zip(OFFICIALS) {
        let account = Account {
            id: AccountId::parse(name).ok_or_else(broken)?,
            person: PersonId::parse(&format!("P-{number}")).ok_or_else(broken)?,
            name: called.to_owned(),
            department: DepartmentId::parse(department_of(name)).ok_or_else(broken)?,
            roles: vec![],
            email: None,
            lang: Lang::default(),
            active: true,
        };
        let kept: Secret<String> =
            password::keep(&password_of(name), key.pepper(), &rng).ok_or_else(broken)?;
        let sealed = key.seal(&account.id, &code_of(name), &rng).ok_or_else(broken)?;
        let new = NewAccount { account: &account, password: &kept, until: None, code_secret: Some(&sealed) };
        let issued = authority.issue(name, &[], Usage::Client, now)?;
        issued.write(&dir.join("people"), name)?;
        let mut done = vec![state.make_account(&new, "demo", now).map(Some)];
        // The certificate first: it is not bound to an account that has roles.
        for change in [Change::BindCertificate(issued.fingerprint), Change::GiveRole(role)] {
            done.push(state.change_account(&account.id, &change, "demo", now));
        }
        for changed in done {
            if changed.map_err(io::Error::other)? != Some(Changed::Yes) {
                return Err(broken());
            }
        }
    }
    Ok(())
}

fn department_of(name: &'static str) -> &'static str {
    name.split('.').next().unwrap_or_default()
}

fn password_of(name: &str) -> String {
    format!("{name} in the demo")
}

fn code_of(name: &str) -> CodeSecret {
    let hash = digest(&SHA256, format!("sluice demo {name}").as_bytes());
    CodeSecret::of(hash.as_ref().first_chunk().copied().unwrap_or_default())
}
