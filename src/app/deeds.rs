//! What the log says was done by administrators, matter by matter: the newest word on each.
//!
//! Whoever can write the state database could put back what was taken away, and take away the act
//! that tells of it. The log keeps both, so what counts is its newest record of the matter.
//!
//! Invariant: this is read from the log, all of it when the gateway starts, some at a time, and from then
//! on what is new there, whoever has recorded it; nothing in it comes from the state database. There is
//! one entry for each account, role, key, grant, delegation and asked consent that there ever was, so it
//! is bounded by those.

use std::collections::HashMap;

use serde::Deserialize;

use crate::base::Timestamp;

/// What two acts must have in common for the one to undo the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Matter {
    /// An account: whose it is.
    Account,
    /// Whether an account may act.
    Activity,
    /// Whether an account has a role.
    Role,
    /// Whose certificate's key it is.
    Certificate,
    /// Who an account is at the identity provider.
    Outside,
    /// Whether an account has a code generator.
    Generator,
    /// How a grant stands.
    Grant,
    /// Which system's key it is.
    Key,
    /// What is lent.
    Delegation,
    /// Whether a system or an operator is stopped.
    Suspension,
    /// Whether a person's history may be shown.
    Consent,
    /// The catalogue in force.
    Catalogue,
    /// The policies in force.
    Policy,
}

/// An act, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deed {
    /// What was done.
    pub action: Box<str>,
    /// To what.
    pub object: Box<str>,
    /// Particulars.
    pub detail: Box<str>,
    /// By whom.
    pub done_by: Box<str>,
}

/// What a record of an act says.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Told {
    /// The number of the act.
    act: u64,
    /// When it was done.
    done_at: Box<str>,
    // What a deed has, one by one: a gateway reads very many of these when it starts, and what is
    // flattened is read twice.
    action: Box<str>,
    object: Box<str>,
    detail: Box<str>,
    done_by: Box<str>,
}

/// The newest deed in each matter.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    newest: HashMap<(Matter, Box<str>), Deed>,
    /// The records of the log that were read: all before this one.
    read: u64,
    /// The number of the last act, and the latest time of any.
    last: (u64, Option<Timestamp>),
}

impl Deeds {
    /// The records of the log that were read: all before this one.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Takes in the deeds of the records from `from` to before `to`, in their order; false, and nothing
    /// is taken in, when somebody else has read on meanwhile.
    pub fn take_in(&mut self, from: u64, told: Vec<Told>, to: u64) -> bool {
        if self.read != from {
            return false;
        }
        told.into_iter().for_each(|told| self.take(told));
        self.read = to;
        true
    }

    /// Takes in the next record of an act, unless it repeats one: a gateway that stood still with an
    /// act in hand may record it once more after another one has, and has gone on. A state database
    /// that was put back begins anew with its numbers, but not with the time.
    fn take(&mut self, told: Told) {
        let Told { act, done_at, action, object, detail, done_by } = told;
        let deed = Deed { action, object, detail, done_by };
        let at = Timestamp::parse(&done_at);
        let (last, latest) = self.last;
        if act <= last && at <= latest {
            return;
        }
        self.last = (act, at.max(latest));
        if let Some(about) = about(&deed) {
            self.newest.insert(about, deed);
        }
    }

    /// The newest deed in the matter of `name`.
    pub fn newest(&self, matter: Matter, name: &str) -> Option<&Deed> {
        self.newest.get(&(matter, name.into()))
    }

    /// The systems and operators that are stopped, as the acts name them.
    pub fn stopped(&self) -> impl Iterator<Item = &str> {
        let newest = self.newest.iter().filter(|((matter, _), _)| *matter == Matter::Suspension);
        newest.filter(|(_, deed)| &*deed.action != "caller-resumed").map(|((_, object), _)| &**object)
    }

    /// Is this the newest word on its matter?
    ///
    /// # Errors
    /// What is, for the operator's log.
    pub fn bear_out(&self, action: &str, object: &str, detail: &str) -> Result<(), String> {
        let claim = Deed {
            action: action.into(),
            object: object.into(),
            detail: detail.into(),
            done_by: Box::default(),
        };
        let newest = about(&claim).and_then(|about| self.newest.get(&about));
        match newest {
            Some(newest) if newest.says(action, object, detail) => Ok(()),
            Some(Deed { action: other, object: of, detail: so, .. }) => {
                Err(format!("no record of {action} {object} {detail} after {other} {of} {so}"))
            }
            None => Err(format!("no record of {action} {object} {detail}")),
        }
    }
}

impl Deed {
    /// Does it say that?
    pub fn says(&self, action: &str, object: &str, detail: &str) -> bool {
        *self.action == *action && *self.object == *object && *self.detail == *detail
    }
}

/// The matter that a deed is about, and its name there; none for what nothing rests on.
fn about(deed: &Deed) -> Option<(Matter, Box<str>)> {
    let Deed { action, object, detail, .. } = deed;
    Some(match &**action {
        "account-made" => (Matter::Account, object.clone()),
        "account-enabled" | "account-disabled" => (Matter::Activity, object.clone()),
        "role-granted" | "role-withdrawn" => (Matter::Role, format!("{object} {detail}").into()),
        "certificate-bound" | "certificate-unbound" => (Matter::Certificate, detail.clone()),
        "oidc-bound" => (Matter::Outside, object.clone()),
        "code-changed" | "code-reset" => (Matter::Generator, object.clone()),
        "grant-active" | "grant-suspended" | "grant-ended" => (Matter::Grant, object.clone()),
        "key-registered" | "key-revoked" => (Matter::Key, detail.clone()),
        "delegation-given" | "delegation-ended" => (Matter::Delegation, object.clone()),
        "caller-suspended" | "caller-resume-asked" | "caller-resumed" => (Matter::Suspension, object.clone()),
        "history-asked" | "history-consented" | "history-refused" => (Matter::Consent, object.clone()),
        "catalogue-applied" => (Matter::Catalogue, Box::default()),
        "policy-applied" => (Matter::Policy, Box::default()),
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn deeds(told: &[(&str, &str, &str)]) -> Deeds {
        let told: Vec<Told> = (1..)
            .zip(told)
            .map(|(act, (action, object, detail))| record(act, 0, action, object, detail))
            .collect();
        let mut deeds = Deeds::default();
        assert!(deeds.take_in(0, told.clone(), 100));
        assert!(!deeds.take_in(0, told, 50), "that was read before");
        deeds
    }

    fn record(act: u64, second: u32, action: &str, object: &str, detail: &str) -> Told {
        let line = format!(
            r#"{{"index":9,"act":{act},"action":"{action}","object":"{object}","detail":"{detail}","done_at":"2026-11-22T00:00:{second:02}.000000Z","done_by":"sys"}}"#
        );
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn an_act_that_is_recorded_once_more_undoes_nothing_that_came_after_it() {
        let mut deeds = Deeds::default();
        let suspended = record(7, 10, "grant-suspended", "G-1", "d");
        let resumed = record(8, 20, "grant-active", "G-1", "d");
        assert!(deeds.take_in(0, vec![suspended.clone(), resumed, suspended], 3));
        assert!(deeds.bear_out("grant-active", "G-1", "d").is_ok());
        // The numbers begin anew with a state database that was put back, and acts go on.
        assert!(deeds.take_in(3, vec![record(3, 40, "grant-ended", "G-1", "d")], 4));
        assert!(deeds.bear_out("grant-ended", "G-1", "d").is_ok());
        assert!(deeds.take_in(4, vec![record(4, 35, "key-registered", "a", "aa")], 5));
        assert!(deeds.bear_out("key-registered", "a", "aa").is_ok(), "by another clock");
    }

    #[test]
    fn what_was_undone_is_not_borne_out_however_often_it_was_done_before() {
        let deeds = deeds(&[
            ("role-granted", "li", "leader"),
            ("role-granted", "li", "applicant"),
            ("role-withdrawn", "li", "leader"),
            ("key-registered", "housing.aid", "aa"),
            ("key-revoked", "housing.aid", "aa"),
            ("catalogue-applied", "1", "c1"),
            ("catalogue-applied", "2", "c2"),
            ("grant-active", "G-1", "d"),
        ]);
        let is = |action, object, detail| deeds.bear_out(action, object, detail).is_ok();
        assert!(is("role-granted", "li", "applicant") && is("grant-active", "G-1", "d"));
        assert!(is("catalogue-applied", "2", "c2"));
        for (action, object, detail) in [
            ("role-granted", "li", "leader"),
            ("role-granted", "wang", "applicant"),
            ("key-registered", "housing.aid", "aa"),
            ("catalogue-applied", "1", "c1"),
            ("grant-active", "G-1", "e"),
            ("grant-suspended", "G-1", "d"),
        ] {
            assert!(!is(action, object, detail), "{action} {object} {detail}");
        }
    }

    #[test]
    fn a_key_is_whose_it_was_last() {
        let deeds = deeds(&[
            ("certificate-bound", "li", "aa"),
            ("certificate-unbound", "li", "aa"),
            ("certificate-bound", "wang", "aa"),
        ]);
        assert!(deeds.bear_out("certificate-bound", "wang", "aa").is_ok());
        let why = deeds.bear_out("certificate-bound", "li", "aa").unwrap_err();
        assert_eq!(why, "no record of certificate-bound li aa after certificate-bound wang aa");
    }
}
