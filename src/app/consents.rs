//! A second officer's consent, without which a person's history is not shown where the configuration
//! asks for one (`[history] consent_hours`).
//!
//! Invariant: the officer who consents is another person with the same right, has decided about this
//! person, this case and this officer, and the log says so; what was asked stands for so many hours and
//! is gone. Whom it is about is kept as a mark alone: HMAC-SHA256 (RFC 2104) under a key of its own, over
//! the id of what is asked and the identifier, so that no two marks can be compared and nobody without
//! the key can try identifiers. The officer enters the identifier again to see the history.

use std::sync::Arc;

use ring::hmac;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::applications::{blocking, state};
use super::call::{Call, Caller, Known, PersonCaller};
use super::gateway::Gateway;
use super::subject::{self, AboutPerson};
use super::trail::Trail;
use crate::base::{Code, Error, Result, Secret, Timestamp};
use crate::catalogue::{IdentifierKind, reference};
use crate::config::HistorySection;
use crate::identity::{Account, Role};
use crate::policy::Action;
use crate::store::state::consents::{Came, Consent, Word};

/// The most that one person asks at one time.
pub const MOST: usize = 20;
/// The longest reason, in characters.
pub const REASON: usize = 500;
/// The kind of the records.
const RECORD: &str = "history-consent";

/// What consents rest on.
pub struct Consents {
    key: ConsentKey,
    /// Seconds that what is asked stands; none where a case is enough.
    lasts: Option<i64>,
}

/// The key of the marks.
pub struct ConsentKey(hmac::Key);

impl ConsentKey {
    /// From a key derived for this.
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.reveal()))
    }

    fn mark(&self, id: &str, kind: &str, identifier: &str) -> Vec<u8> {
        hmac::sign(&self.0, &about(id, kind, identifier)).as_ref().to_vec()
    }

    /// Is it about that person?
    fn is_about(&self, consent: &Consent, kind: &str, identifier: &str) -> bool {
        hmac::verify(&self.0, &about(&consent.id, kind, identifier), &consent.mark).is_ok()
    }
}

fn about(id: &str, kind: &str, identifier: &str) -> Vec<u8> {
    // Neither an id nor a kind has a NUL.
    [id.as_bytes(), &[0], kind.as_bytes(), &[0], identifier.as_bytes()].concat()
}

impl Consents {
    /// As the configuration has it.
    pub fn new(key: ConsentKey, section: &HistorySection) -> Self {
        Self { key, lasts: section.consent_hours.map(|hours| i64::from(hours.get()) * 3600) }
    }

    /// Does it take a second officer?
    pub fn are_required(&self) -> bool {
        self.lasts.is_some()
    }
}

/// What is asked, as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asking {
    identifier: IdentifierKind,
    value: String,
    case: String,
    reason: String,
}

/// The second officer's word, as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deciding {
    word: Decision,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Decision {
    Consented,
    Refused,
}

/// What is asked and not over, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentList {
    /// The reader's own, and what others ask.
    pub consents: Vec<ConsentView>,
}

/// What an officer asks, and the second officer's word on it. Whose history it is about is not told.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentView {
    /// Its id.
    pub consent: String,
    /// Who asks.
    pub account: String,
    /// In which case.
    pub case: String,
    /// Why.
    pub reason: String,
    /// When it was asked, UTC.
    pub asked_at: String,
    /// Until when it stands, whatever is decided, UTC.
    pub until: String,
    /// `asked`, `consented` or `refused`.
    pub state: String,
    /// The account that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// Does it wait for the reader?
    pub waits: bool,
    /// Does the reader ask it?
    pub own: bool,
}

/// Asks for a second officer's consent to see a person's history.
///
/// # Errors
/// `forbidden`; the faults of the body; `wrong-state` where no consent is needed, where the same is asked
/// already and not over, or where as much is asked as may be; `audit-unavailable`, `not-ready`.
pub async fn ask(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<ConsentView> {
    let mut trail = story(call, "ask");
    let (asked, identifier, lasts) = match parse(gateway, call, body) {
        Ok(asked) => asked,
        Err(error) => return Err(gateway.record_failure(&call.caller, trail, error).await),
    };
    let kind = asked.identifier.as_str();
    trail.note("case", &asked.case);
    trail.subject(kind, identifier.reveal());
    let (id, now) = (gateway.new_request_id()?.to_string(), gateway.now());
    let account = &call.caller.account;
    let new = Consent {
        mark: gateway.consents.key.mark(&id, kind, identifier.reveal()),
        id,
        case_number: asked.case,
        reason: asked.reason,
        account: account.id.to_string(),
        person: account.person.to_string(),
        asked_at: now.micros(),
        until: now.plus_seconds(lasts).micros(),
        state: Word::Asked.as_str().to_owned(),
        decided_by: None,
        decided_at: None,
    };
    let (store, key) = (gateway.state(), Arc::clone(&gateway.consents));
    let came = blocking(move || {
        let is_same = |other: &Consent| key.key.is_about(other, kind, identifier.reveal());
        store.ask_consent(&new, is_same, MOST, now).map_err(state)
    });
    conclude(gateway, call, trail, came.await?).await
}

/// Says whether a history may be shown that another officer asks to see.
///
/// # Errors
/// `forbidden`; the faults of the body; `not-found` when nothing is asked under that id, or no longer;
/// `not-separate` for what the same person asks; `wrong-state` when it is decided; `audit-unavailable`,
/// `not-ready`.
pub async fn decide(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    id: &str,
    body: Result<impl AsRef<[u8]>>,
) -> Result<ConsentView> {
    let read = permit(gateway, call).and_then(|()| subject::read::<Deciding>(body?.as_ref()));
    let word = match read {
        Ok(Deciding { word: Decision::Consented }) => Word::Consented,
        Ok(Deciding { word: Decision::Refused }) => Word::Refused,
        Err(error) => return Err(gateway.record_failure(&call.caller, story(call, "decide"), error).await),
    };
    let (store, now, id) = (gateway.state(), gateway.now(), id.to_owned());
    let account = Arc::clone(&call.caller.account);
    let came =
        blocking(move || store.decide_consent(&id, word, (&account.id, &account.person), now).map_err(state));
    let trail = story(call, if word == Word::Consented { "consent" } else { "refuse" });
    conclude(gateway, call, trail, came.await?).await
}

/// Everything that is asked and not over: the caller's own, and what others ask.
///
/// # Errors
/// `forbidden`; `audit-unavailable`, `not-ready`.
pub async fn list(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<ConsentList> {
    if let Err(error) = permit(gateway, call) {
        return Err(gateway.record_failure(&call.caller, story(call, "list"), error).await);
    }
    let (store, now) = (gateway.state(), gateway.now());
    let found = blocking(move || store.consents(now).map_err(state)).await?;
    let account = &call.caller.account;
    Ok(ConsentList { consents: found.into_iter().map(|consent| view(consent, account)).collect() })
}

/// The consent under which the caller is shown the history of that person in that case; none where none
/// is needed.
///
/// # Errors
/// `consent-required`; `audit-unavailable` when the log does not bear out what the state has; `not-ready`.
pub(super) async fn found(gateway: &Gateway, caller: &Caller, about: &AboutPerson) -> Result<Option<String>> {
    if !gateway.consents.are_required() {
        return Ok(None);
    }
    let officer = match caller {
        Caller::Person(officer) => Arc::clone(&officer.account),
        // It asks for the person whose history it is, and no officer is behind it.
        Caller::System(caller) if caller.system.roles.contains(&Role::CitizenService) => return Ok(None),
        // Nobody can consent to what a program does for an officer whom it does not name.
        Caller::System(_) => return Err(Code::ConsentRequired.into()),
    };
    let (store, now, person) = (gateway.state(), gateway.now(), officer.person.clone());
    let asked = blocking(move || store.consents_of(&person, now).map_err(state)).await?;
    let (kind, identifier) = (about.kind.as_str(), about.identifier.reveal());
    let given = asked.into_iter().find(|consent| {
        consent.is(Word::Consented)
            && consent.account == officer.id.as_str()
            && consent.case_number == about.case
            && gateway.consents.key.is_about(consent, kind, identifier)
    });
    let given = given.ok_or(Code::ConsentRequired)?;
    let confirmed = gateway.confirm_consent(&given).await;
    confirmed.map_err(|e| Error::new(Code::AuditUnavailable).because(e))?;
    Ok(Some(given.id))
}

impl Gateway {
    /// Does it take a second officer to see a person's history here?
    pub fn requires_consent(&self) -> bool {
        self.consents.are_required()
    }

    /// Deletes what was asked and is over; gives how many that were.
    ///
    /// # Errors
    /// `not-ready`.
    pub async fn forget_consents(&self) -> Result<usize> {
        let (store, now) = (self.state(), self.now());
        blocking(move || store.forget_consents(now).map_err(state)).await
    }
}

fn story(call: &Call<PersonCaller>, command: &'static str) -> Trail {
    let mut trail = Trail::new(RECORD, call);
    trail.note("command", command);
    trail
}

fn permit(gateway: &Gateway, call: &Call<PersonCaller>) -> Result<()> {
    let may = call.caller.may(&gateway.world().policy, Action::SubjectsHistory);
    if may { Ok(()) } else { Err(Code::Forbidden.into()) }
}

fn parse(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<(Asking, Secret<String>, i64)> {
    permit(gateway, call)?;
    let asked: Asking = subject::read(body?.as_ref())?;
    let today = gateway.now().day();
    let identifier = subject::named(asked.identifier, &asked.value, &asked.case, today)?;
    let fault = match asked.reason.trim() {
        "" => Some(Code::MissingMember),
        long if long.chars().count() > REASON => Some(Code::OutOfBounds),
        who if reference::names_somebody(who, today) => Some(Code::NotAllowedValue),
        _ => None,
    };
    match (fault, gateway.consents.lasts) {
        (Some(fault), _) => Err(Error::at(Code::InvalidRequest, "/reason", fault)),
        (None, None) => Err(Code::WrongState.into()),
        (None, Some(lasts)) => Ok((asked, identifier, lasts)),
    }
}

/// Has what was done recorded and in force, and only then answers.
async fn conclude(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    mut trail: Trail,
    came: Came,
) -> Result<ConsentView> {
    let fault = match came {
        Came::Done(consent) => {
            gateway.in_force().await?;
            trail.note("consent", &consent.id);
            gateway.record(trail.end(Code::Ok)).await?;
            return Ok(view(*consent, &call.caller.account));
        }
        Came::Nothing => Code::NotFound,
        Came::Already | Came::TooMany => Code::WrongState,
        Came::SamePerson => Code::NotSeparate,
    };
    Err(gateway.record_failure(&call.caller, trail, fault.into()).await)
}

fn view(consent: Consent, reader: &Account) -> ConsentView {
    let time = |micros| Timestamp::from_micros(micros).to_string();
    let own = consent.account == reader.id.as_str();
    ConsentView {
        waits: consent.is(Word::Asked) && consent.person != reader.person.as_str(),
        own,
        asked_at: time(consent.asked_at),
        until: time(consent.until),
        consent: consent.id,
        account: consent.account,
        case: consent.case_number,
        reason: consent.reason,
        state: consent.state,
        decided_by: consent.decided_by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_person_under_one_id_and_one_key() {
        let (key, other) = (ConsentKey::new(&Secret::new([1; 32])), ConsentKey::new(&Secret::new([2; 32])));
        let consent = |id: &str| Consent {
            id: id.to_owned(),
            mark: key.mark(id, "resident-id", "11010519491231002X"),
            case_number: "JC-1".to_owned(),
            reason: "r".to_owned(),
            account: "a".to_owned(),
            person: "p".to_owned(),
            asked_at: 0,
            until: 1,
            state: "asked".to_owned(),
            decided_by: None,
            decided_at: None,
        };
        let one = consent("1");
        assert!(key.is_about(&one, "resident-id", "11010519491231002X"));
        assert!(!key.is_about(&one, "resident-id", "110101199003074610"));
        assert!(!key.is_about(&one, "mobile", "11010519491231002X"));
        assert!(!other.is_about(&one, "resident-id", "11010519491231002X"));
        assert_ne!(one.mark, consent("2").mark, "two marks of one person cannot be compared");
        let moved = Consent { id: "2".to_owned(), ..one };
        assert!(!key.is_about(&moved, "resident-id", "11010519491231002X"), "nor moved to another");
    }
}
