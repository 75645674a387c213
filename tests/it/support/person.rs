//! People at a gateway: accounts, and clients that are signed in.

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{RunQueryDsl, dsl};
use serde_json::{Value, json};
use sluice::base::ids::{AccountId, DepartmentId, PersonId};
use sluice::base::{Lang, Secret};
use sluice::demo::certificates::{Issued, Usage};
use sluice::identity::{Account, CodeSecret, Role};
use sluice::store::state::{Act, Change, Changed, NewAccount, StateStore};

use super::client::{Answer, Client};
use super::{TestGateway, now};

/// The name of the session's cookie.
pub const COOKIE: &str = "__Host-sluice";
/// The name of the cookie by which a device is known.
pub const DEVICE: &str = "__Host-sluice-device";
/// What everybody here chooses for a password.
pub const CHOSEN: &str = "seven ducks on the canal";

/// An administrator's account, as `sluice admin create` printed it.
pub struct Admin {
    pub account: String,
    pub password: String,
    pub code: CodeSecret,
}

impl TestGateway {
    /// Someone with these roles in a department, signed in. The person is one of their own, unless
    /// the account's name has a `/`: what stands before it is the person then.
    pub async fn person(&self, account: &str, department: &str, roles: &[&str]) -> Client {
        let certificate = self.enrol(account, department, roles);
        let answer = certificate.post("/v1/session", &json!({ "by": "certificate" })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.nobody().with_cookies(&answer)
    }

    /// The same, not signed in yet: a client with a certificate that is bound to the account.
    pub fn enrol(&self, account: &str, department: &str, roles: &[&str]) -> Client {
        self.client(&self.enrolled(account, department, roles))
    }

    /// The same: the certificate itself, for who comes back after a restart.
    pub fn enrolled(&self, account: &str, department: &str, roles: &[&str]) -> Issued {
        self.enrolled_in(&self.state(), account, department, roles)
    }

    /// The same in a state that is elsewhere.
    pub fn enrolled_in(&self, state: &StateStore, account: &str, department: &str, roles: &[&str]) -> Issued {
        let (person, id) = account.split_once('/').unwrap_or((account, account));
        let id = AccountId::parse(id).unwrap();
        let made = Account {
            id: id.clone(),
            person: PersonId::parse(&format!("P-{person}")).unwrap(),
            name: "王办".into(),
            department: DepartmentId::parse(department).unwrap(),
            roles: vec![],
            email: None,
            lang: Lang::Zh,
            active: true,
        };
        let none = Secret::new(String::new());
        let new = NewAccount { account: &made, password: &none, until: Some(now()), code_secret: None };
        assert_eq!(state.make_account(&new, "uid 0", now()).unwrap(), Changed::Yes);
        let issued = self.authority.issue(id.as_str(), &[], Usage::Client, now()).unwrap();
        let roles = roles.iter().map(|role| Change::GiveRole(Role::parse(role).unwrap()));
        for change in std::iter::once(Change::BindCertificate(issued.fingerprint)).chain(roles) {
            let changed = state.change_account(&id, &change, "uid 0", now()).unwrap();
            assert_eq!(changed, Some(Changed::Yes), "{change:?}");
        }
        issued
    }

    /// The state database of the gateway, beside it.
    pub fn state(&self) -> StateStore {
        StateStore::open(&self.path().join("data/state.db"), self.seals()).unwrap()
    }

    /// Writes into the state database, as somebody who has it and not the keys.
    pub fn tamper(&self, sql: &str) {
        let mut state = super::vault::open(&self.path().join("data/state.db"));
        state.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
        state.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Does something as a program with the gateway's keys does: `sql`, with the sealed act that tells of it.
    pub fn act(&self, sql: &str, act: Act) {
        let mut state = super::vault::open(&self.path().join("data/state.db"));
        state.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
        let done = state.immediate_transaction(|state| {
            state.batch_execute(sql)?;
            let newest = diesel::select(dsl::sql::<Nullable<BigInt>>("(SELECT max(seq) FROM acts)"));
            let act = Act { seq: newest.first::<Option<i64>>(state)?.unwrap_or_default() + 1, ..act };
            diesel::sql_query(
                "INSERT INTO acts (seq, at, kind, object, detail, actor, seal) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind::<BigInt, _>(act.seq)
            .bind::<BigInt, _>(act.at.micros())
            .bind::<Text, _>(&act.kind)
            .bind::<Text, _>(&act.object)
            .bind::<Text, _>(&act.detail)
            .bind::<Text, _>(&act.actor)
            .bind::<Text, _>(self.seals().seal(&act))
            .execute(state)?;
            state.batch_execute("UPDATE revision SET value = value + 1")
        });
        done.unwrap_or_else(|e: diesel::result::Error| panic!("{sql}: {e}"));
    }

    /// `sluice admin create`.
    pub fn admin(&self, account: &str, role: &str) -> Admin {
        let person = format!("P-{account}");
        let (code, out, err) = self.sluice(&[
            "admin",
            "create",
            "--config",
            "sluice.toml",
            "--account",
            account,
            "--person",
            &person,
            "--name",
            "赵管理",
            "--department",
            "audit",
            "--role",
            role,
        ]);
        assert_eq!(code, 0, "{err}");
        let after =
            |what: &str| out.split(what).nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        let secret = after("secret=").split('&').next().unwrap().to_owned();
        Admin { account: account.into(), password: after("one-time password: "), code: secret_of(&secret) }
    }
}

impl Admin {
    /// The body that signs in `seconds` from now.
    pub fn body_at(&self, seconds: i64) -> Value {
        let code = self.code.code_at(now().plus_seconds(seconds));
        json!({ "account": self.account, "password": self.password, "totp": code })
    }

    /// The body that signs in.
    pub fn body(&self) -> Value {
        self.body_at(0)
    }
}

/// The secret of a code generator out of its base32.
pub fn secret_of(base32: &str) -> CodeSecret {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String =
        base32.chars().map(|c| format!("{:05b}", ALPHABET.find(c).unwrap())).collect::<Vec<_>>().concat();
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|b| u8::from_str_radix(std::str::from_utf8(b).unwrap(), 2).unwrap())
        .collect();
    CodeSecret::of(bytes.try_into().unwrap())
}

impl Client {
    /// With the cookies that an answer set, in place of any before.
    pub fn with_cookies(self, answer: &Answer) -> Self {
        let cookies: Vec<String> = [COOKIE, DEVICE]
            .into_iter()
            .filter_map(|name| Some(format!("{name}={}", answer.cookie(name)?)))
            .collect();
        self.with_header("cookie", &cookies.join("; "))
    }

    /// With that cookie alone.
    pub fn with_cookie(self, name: &str, answer: &Answer) -> Self {
        let value = answer.cookie(name).unwrap_or_else(|| panic!("no cookie {name}"));
        self.with_header("cookie", &format!("{name}={value}"))
    }

    /// `DELETE path`, which must be answered.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await.unwrap()
    }
}

impl Answer {
    /// The value of a cookie that it sets.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let line = self.set_cookie(name)?;
        line.split(';').next()?.split_once('=').map(|(_, value)| value)
    }

    /// The whole line by which it sets a cookie.
    pub fn set_cookie(&self, name: &str) -> Option<&str> {
        let lines =
            self.headers.iter().filter(|(known, _)| known == "set-cookie").map(|(_, line)| line.as_str());
        lines.into_iter().find(|line| line.starts_with(&format!("{name}=")))
    }
}
