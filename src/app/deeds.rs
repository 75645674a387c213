//! What the log says was done by administrators, matter by matter: the newest word on each.
//!
//! Whoever can write the state database could put back what was taken away, and take away the act
//! that tells of it. The log keeps both, so what counts is its newest record of the matter.
//!
//! A newer program may do what this one does not know. An act of an unknown kind may have taken away
//! what is given here, so it is not passed over: whoever works by this stops.
//!
//! Invariant: this is read from the log, all of it when the gateway starts, some at a time, and from then
//! on what is new there, whoever has recorded it; nothing in it comes from the state database. There is
//! one entry for each account, role, key, grant, delegation and asked consent that there ever was, so it
//! is bounded by those.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Deserialize;

use crate::base::Timestamp;
use crate::store::state::Act;
use crate::store::state::suspensions::Whom;

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

/// What an act is about.
enum About {
    /// A matter, and its name there.
    Matter(Matter, Box<str>),
    /// Nothing that anything rests on.
    Nothing,
    /// That is not known here.
    Unknown,
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
    /// Its place in the log.
    pub index: u64,
    /// The number of the act.
    act: u64,
    /// When it was recorded.
    time: Box<str>,
    /// When it was done, by the one who did it.
    done_at: Box<str>,
    // What a deed has, one by one: a gateway reads very many of these when it starts, and what is
    // flattened is read twice.
    action: Box<str>,
    object: Box<str>,
    detail: Box<str>,
    done_by: Box<str>,
}

impl Told {
    /// What a record of an act says. One that cannot be read is of an unknown kind.
    pub fn read(leaf: &str) -> Self {
        serde_json::from_str(leaf).unwrap_or_else(|_| Self {
            index: u64::MAX,
            act: u64::MAX,
            time: Box::default(),
            done_at: Box::default(),
            action: "(unreadable)".into(),
            object: Box::default(),
            detail: Box::default(),
            done_by: Box::default(),
        })
    }

    /// Does it tell of this act?
    pub fn is(&self, act: &Act) -> bool {
        Some(self.act) == u64::try_from(act.seq).ok()
            && *self.done_at == *act.at.to_string()
            && (&*self.action, &*self.object) == (&*act.kind, &*act.object)
            && (&*self.detail, &*self.done_by) == (&*act.detail, &*act.actor)
    }

    /// Its place among the acts.
    fn place(&self) -> Place {
        // Never later than its record: an act of a day to come, which in a log of the release before
        // anybody may have made who wrote into the state database, would hide all that is done until then.
        let at = Timestamp::parse(&self.done_at).min(Timestamp::parse(&self.time));
        Place { act: self.act, at }
    }
}

/// The place of an act among the others.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Its number. Numbers rise, and begin anew when the state database is put back.
    act: u64,
    /// When it was done; not always in the order of numbers, since there are several clocks.
    at: Option<Timestamp>,
}

impl Place {
    /// Is it that of `other`, or before it?
    fn is_within(self, other: Place) -> bool {
        self.act <= other.act && self.at <= other.at
    }
}

/// The newest deed in each matter.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    newest: HashMap<(Matter, Box<str>), (Place, Deed)>,
    /// The first deed of an unknown kind.
    unknown: Option<String>,
    /// The records of the log that were read: all before this one.
    read: u64,
    /// How many of them tell of acts.
    taken: u64,
    /// The highest number since numbers began, and the latest time of any act.
    last: Place,
    /// The latest time of any act from before numbers began.
    began: Option<Timestamp>,
}

impl Deeds {
    /// The records of the log that were read: all before this one.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// How many acts were read.
    pub fn taken(&self) -> u64 {
        self.taken
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

    /// Takes in the next record of an act. It counts unless a later act on its matter is known: a gateway
    /// that stood still with an act in hand may record it once more after another one has, and has gone
    /// on; and of two gateways of two releases, the one may be quicker with the later act. A state
    /// database that was put back begins anew with its numbers, but not with the time.
    fn take(&mut self, told: Told) {
        let place = told.place();
        self.taken += 1;
        self.number(place);
        let Told { action, object, detail, done_by, .. } = told;
        let deed = Deed { action, object, detail, done_by };
        match about(&deed) {
            About::Matter(matter, name) => match self.newest.entry((matter, name)) {
                Entry::Occupied(known) if place.is_within(known.get().0) => {}
                Entry::Occupied(mut known) => _ = known.insert((place, deed)),
                Entry::Vacant(new) => _ = new.insert((place, deed)),
            },
            About::Nothing => {}
            About::Unknown => {
                let Deed { action, object, .. } = &deed;
                self.unknown.get_or_insert_with(|| {
                    format!("the log has an act of an unknown kind, {action} {object}")
                });
            }
        }
    }

    /// Notes the number of an act that was recorded.
    fn number(&mut self, place: Place) {
        if place.act > self.last.act {
            self.last.act = place.act;
        } else if place.at > self.last.at {
            (self.began, self.last.act) = (self.last.at, place.act);
        }
        self.last.at = self.last.at.max(place.at);
    }

    /// Can it be said without a look that no record tells of this act? Its number is then higher than
    /// that of any that was recorded since numbers began, and it was done after them all that were
    /// recorded before.
    pub fn is_new(&self, number: u64, at: Timestamp) -> bool {
        number > self.last.act && Some(at) > self.began
    }

    /// What a newer program has done and this one does not know, if there is any such thing.
    pub fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// The newest deed in the matter of `name`.
    pub fn newest(&self, matter: Matter, name: &str) -> Option<&Deed> {
        self.newest.get(&(matter, name.into())).map(|(_, deed)| deed)
    }

    /// The systems and operators that are stopped.
    pub fn stopped(&self) -> impl Iterator<Item = Whom> {
        let newest = self.newest.iter().filter(|((matter, _), _)| *matter == Matter::Suspension);
        let stopped = newest.map(|(_, (_, deed))| deed).filter(|deed| &*deed.action != "caller-resumed");
        stopped.filter_map(|deed| Whom::of_act(&deed.object, &deed.detail)).map(|(whom, _)| whom)
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
        let newest = match about(&claim) {
            About::Matter(matter, name) => self.newest(matter, &name),
            About::Nothing | About::Unknown => None,
        };
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

/// What of an application was done stands in its events; what it gives and takes away, in acts on its
/// grant. A newer program may know more of the former, and they are passed over.
const OF_APPLICATIONS: &str = "application-";

/// How the kind of an act begins that nothing rests on: for kinds that are still to come, so that the
/// programs of today pass over them. It has to be in the name, since a gateway of the release before
/// may be the one that records the act, and carries over nothing that it does not know.
const NOTED: &str = "noted-";

/// What a deed is about.
fn about(deed: &Deed) -> About {
    let Deed { action, object, detail, .. } = deed;
    let (matter, name) = match &**action {
        "account-made" => (Matter::Account, object.clone()),
        "account-enabled" | "account-disabled" => (Matter::Activity, object.clone()),
        "role-granted" | "role-withdrawn" => (Matter::Role, format!("{object} {detail}").into()),
        "certificate-bound" | "certificate-unbound" => (Matter::Certificate, detail.clone()),
        "oidc-bound" => (Matter::Outside, object.clone()),
        "code-changed" | "code-reset" => (Matter::Generator, object.clone()),
        "grant-active" | "grant-suspended" | "grant-ended" => (Matter::Grant, object.clone()),
        "key-registered" | "key-revoked" => (Matter::Key, detail.clone()),
        "delegation-given" | "delegation-ended" => (Matter::Delegation, object.clone()),
        // Whoever else can be stopped some day is not let go on meanwhile.
        "caller-suspended" | "caller-resume-asked" | "caller-resumed" => {
            let Some((whom, _)) = Whom::of_act(object, detail) else { return About::Unknown };
            (Matter::Suspension, whom.id().into())
        }
        "history-asked" | "history-consented" | "history-refused" => (Matter::Consent, object.clone()),
        "catalogue-applied" => (Matter::Catalogue, Box::default()),
        "policy-applied" => (Matter::Policy, Box::default()),
        "password-changed"
        | "password-reset"
        | "email-set"
        | "emergency-opened"
        | "emergency-reviewed"
        | "emergency-review-overdue"
        | "emergency-enrolled"
        | "emergency-enrolment-suspended"
        | "emergency-enrolment-withdrawn" => return About::Nothing,
        other if other.starts_with(OF_APPLICATIONS) || other.starts_with(NOTED) => return About::Nothing,
        _ => return About::Unknown,
    };
    About::Matter(matter, name)
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
            r#"{{"index":9,"time":"2026-11-22T00:00:50.000000Z","act":{act},"action":"{action}","object":"{object}","detail":"{detail}","done_at":"2026-11-22T00:00:{second:02}.000000Z","done_by":"sys"}}"#
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
    fn of_two_acts_on_a_matter_the_later_counts_whichever_was_recorded_first() {
        let mut deeds = Deeds::default();
        let [registered, revoked] = ["key-registered", "key-revoked"]
            .map(|kind| record(7 + u64::from(kind == "key-revoked"), 10, kind, "a", "aa"));
        // In between, another gateway was quicker with what was done later on another matter.
        let ended = record(9, 12, "grant-ended", "G-1", "d");
        assert!(deeds.take_in(0, vec![ended, revoked, registered], 3));
        assert!(deeds.bear_out("key-registered", "a", "aa").is_err());
        assert!(deeds.bear_out("grant-ended", "G-1", "d").is_ok());
        assert!(deeds.take_in(3, vec![record(8, 11, "grant-active", "G-2", "d")], 4));
        assert!(deeds.bear_out("grant-active", "G-2", "d").is_ok(), "it is not passed over for being late");
    }

    #[test]
    fn an_act_is_new_only_if_no_record_can_tell_of_it() {
        let at = |s: u32| Timestamp::parse(&format!("2026-11-22T00:00:{s:02}.000000Z")).unwrap();
        let mut deeds = Deeds::default();
        let told =
            [(1, 1), (2, 2), (3, 3)].map(|(number, second)| record(number, second, "noted-x", "a", ""));
        assert!(deeds.take_in(0, told.to_vec(), 3));
        assert!(deeds.is_new(4, at(2)), "by another clock");
        assert!(!deeds.is_new(3, at(3)) && !deeds.is_new(2, at(9)));
        // The state was put back, and has one act since: what was done before is not new by its number.
        assert!(deeds.take_in(3, vec![record(2, 10, "noted-x", "b", "")], 4));
        assert!(!deeds.is_new(3, at(3)) && !deeds.is_new(2, at(2)));
        assert!(deeds.is_new(3, at(11)));
    }

    #[test]
    fn an_act_of_a_day_to_come_hides_nothing_that_is_done_after_it_was_recorded() {
        let mut forged = record(9_000_000_000_000_000_000, 0, "key-registered", "a", "bb");
        forged.done_at = "2999-01-01T00:00:00.000000Z".into();
        let [mut revoked, mut ended] =
            [record(8, 55, "key-revoked", "a", "aa"), record(9, 55, "grant-ended", "G-1", "d")];
        for act in [&mut revoked, &mut ended] {
            act.time = "2026-11-22T00:00:56.000000Z".into();
        }
        let mut deeds = Deeds::default();
        let registered = record(7, 10, "key-registered", "a", "aa");
        assert!(deeds.take_in(0, vec![registered, forged, revoked, ended], 4));
        assert!(deeds.bear_out("key-registered", "a", "aa").is_err());
        assert!(deeds.bear_out("grant-ended", "G-1", "d").is_ok(), "done at the same time as the one before");
    }

    #[test]
    fn an_act_of_an_unknown_kind_is_not_passed_over() {
        for (action, object) in [
            ("department-suspended", "housing"),
            ("grant-narrowed", "G-1"),
            ("caller-suspended", "department:housing"),
            ("caller-resumed", "system:housing.aid"),
        ] {
            let detail = "investigation@housing";
            let deeds = deeds(&[
                ("grant-active", "G-1", "d"),
                (action, object, detail),
                ("role-granted", "li", "leader"),
            ]);
            let why = deeds.unknown().unwrap();
            assert!(why.contains(action) && why.contains(object), "{why}");
        }
        let mut deeds = Deeds::default();
        assert!(deeds.take_in(0, vec![Told::read(r#"{"index":9,"act":7,"action":["grant-ended"]}"#)], 1));
        assert!(deeds.unknown().is_some(), "an act that is told in another way");
    }

    #[test]
    fn what_nothing_rests_on_is_passed_over() {
        let deeds = deeds(&[
            ("noted-search-saved", "li", ""),
            ("application-frozen", "A-2026-000001", ""),
            ("emergency-opened", "E-1", "civil.subsistence"),
            ("caller-suspended", "operator:li", "investigation"),
        ]);
        assert_eq!(deeds.unknown(), None);
        assert_eq!(deeds.stopped().collect::<Vec<_>>(), [Whom::operator("li", None)]);
    }

    #[test]
    fn an_operator_is_stopped_and_let_go_on_in_each_department_by_itself() {
        let [medical, civil] =
            ["medical", "civil"].map(|id| Whom::operator("li", crate::base::ids::DepartmentId::parse(id)));
        let stopped = |told: &[(&str, &str, &str)]| {
            let deeds = deeds(told);
            assert_eq!(deeds.unknown(), None);
            let mut stopped: Vec<Whom> = deeds.stopped().collect();
            stopped.sort();
            stopped
        };
        let both = [
            ("caller-suspended", "operator:li", "investigation@medical"),
            ("caller-suspended", "operator:li", "unusual-volume@civil"),
        ];
        assert_eq!(stopped(&both), [civil.clone(), medical]);
        let one = [&both[..], &[("caller-resumed", "operator:li", "investigation@medical")]].concat();
        assert_eq!(stopped(&one), [civil]);
        let everywhere = [&one[..], &[("caller-suspended", "operator:li", "investigation")]].concat();
        assert_eq!(stopped(&everywhere).len(), 2);
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
