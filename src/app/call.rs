//! Who calls, and under which request id.
//!
//! Invariant: a caller's kind is part of its type, so that a story for one kind cannot be told to
//! another.

use std::sync::Arc;

use crate::audit::record::Object;
use crate::base::ids::{AccountId, DepartmentId, Fingerprint, RequestId, SystemId};
use crate::identity::{Account, System};
use crate::policy::{Action, Policy};

/// One request of a known caller.
#[derive(Debug, Clone)]
pub struct Call<C> {
    /// The id of the request.
    pub request_id: RequestId,
    /// Its W3C `traceparent`: the one that came in, or a new one.
    pub trace: String,
    /// Who calls.
    pub caller: C,
}

/// A system, and the certificate that it showed.
#[derive(Debug, Clone)]
pub struct SystemCaller {
    /// The registered system.
    pub system: Arc<System>,
    /// SHA-256 of the certificate in DER.
    pub certificate: Fingerprint,
    /// SHA-256 of its public key: what the system is registered by.
    pub key: Fingerprint,
}

/// A person, signed in.
#[derive(Debug, Clone)]
pub struct PersonCaller {
    /// The account.
    pub account: Arc<Account>,
    /// The session: not its cookie, but what the log names it by.
    pub session: Arc<str>,
}

/// A system or a person: for stories that may be told to both.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A system.
    System(SystemCaller),
    /// A person.
    Person(PersonCaller),
}

/// What a caller's budget is kept under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CallerId {
    /// A system's.
    System(SystemId),
    /// An account's.
    Account(AccountId),
}

/// What is the same for every kind of caller.
pub trait Known {
    /// What the caller's budget is kept under.
    fn id(&self) -> CallerId;
    /// The department that it belongs to.
    fn department(&self) -> &DepartmentId;
    /// How a record names it.
    fn describe(&self) -> Object;
    /// May it do that in the interface?
    fn may(&self, policy: &Policy, action: Action) -> bool;
}

impl Known for SystemCaller {
    fn id(&self) -> CallerId {
        CallerId::System(self.system.id.clone())
    }

    fn department(&self) -> &DepartmentId {
        &self.system.department
    }

    fn describe(&self) -> Object {
        let mut object = Object::new();
        object.text("system", self.system.id.as_str());
        object.text("department", self.system.department.as_str());
        object.text("certificate", &self.certificate.to_string());
        object
    }

    fn may(&self, policy: &Policy, action: Action) -> bool {
        policy.may(&self.system, action)
    }
}

impl Known for PersonCaller {
    fn id(&self) -> CallerId {
        CallerId::Account(self.account.id.clone())
    }

    fn department(&self) -> &DepartmentId {
        &self.account.department
    }

    fn describe(&self) -> Object {
        let mut object = Object::new();
        object.text("account", self.account.id.as_str());
        object.text("department", self.account.department.as_str());
        object.text("session", &self.session);
        object
    }

    fn may(&self, policy: &Policy, action: Action) -> bool {
        policy.person_may(&self.account, action)
    }
}

impl Caller {
    fn known(&self) -> &dyn Known {
        match self {
            Caller::System(system) => system,
            Caller::Person(person) => person,
        }
    }
}

impl Known for Caller {
    fn id(&self) -> CallerId {
        self.known().id()
    }

    fn department(&self) -> &DepartmentId {
        self.known().department()
    }

    fn describe(&self) -> Object {
        self.known().describe()
    }

    fn may(&self, policy: &Policy, action: Action) -> bool {
        self.known().may(policy, action)
    }
}
