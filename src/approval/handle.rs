//! The one command handler.
//!
//! Invariant: pure. It looks at who acts ([`super::duties`]), then at what the command says, and
//! only then makes events; a command that comes to nothing has changed nothing.

use super::application::{Application, Parts};
use super::calendar::Due;
use super::command::{Command, Kind, TimerKind};
use super::content::{self, none};
use super::duties::{applicant, permit};
use super::event::{Actor, Event, LeftOut, Missing, What};
use super::facts::{By, Facts};
use super::progress::Progress;
use super::terms::Terms;
use super::{narrowing, toxic};
use crate::base::ids::ApplicationId;
use crate::base::{Code, Error, Invalid, Result, Timestamp};
use crate::identity::Role;

/// Things that an application may have said and written into it at most, so that it stays readable;
/// whatever ends or stops something is never refused for it.
const MAX_EVENTS: usize = 500;
/// Events that one account may add to an application on one day: far above what a day's work comes
/// to, and few enough that one account cannot fill the application, or the log, alone. Whatever ends or
/// stops something is never refused for it.
const MAX_A_DAY: usize = 60;
/// Things that may be missing at most.
const MAX_MISSING: usize = 64;
/// The longest pointer, in bytes.
const MAX_POINTER: usize = 200;

/// What a command comes to: the events that it adds, in order. A timer that has nothing to do any
/// more adds none.
///
/// # Errors
/// `forbidden`; `wrong-state`; `too-many-commands`; `not-separate` when the person may not for having had another part
/// in it; `invalid-request` with pointers into the command, those to the terms that were written
/// before beginning with `/terms` like those of terms that are sent.
pub fn handle(
    application: &Application,
    command: &Command,
    by: &By<'_>,
    facts: &Facts<'_>,
) -> Result<Vec<Event>> {
    let (actor, happened) = match command {
        Command::Fire { timer } if matches!(by, By::Timer) => {
            (Actor::Timer, fire(application, *timer, facts).into_iter().collect())
        }
        _ => {
            let kind = command.kind();
            let actor = permit(application, kind, by, facts)?;
            // Nobody can talk an application to a standstill: half the room is for what moves it.
            let room = match kind {
                Kind::Comment => Some(MAX_EVENTS / 2),
                Kind::Revise | Kind::Submit => Some(MAX_EVENTS),
                _ => None,
            };
            if room.is_some_and(|room| application.events.len() >= room) {
                return Err(Error::new(Code::WrongState));
            }
            if room.is_some() && of_today(application, &actor, facts) >= MAX_A_DAY {
                return Err(Error::new(Code::TooManyCommands));
            }
            let happened = decide(application, command, &actor, facts)?;
            (actor, happened)
        }
    };
    let numbered = (application.version.saturating_add(1)..).zip(happened);
    Ok(numbered.map(|(seq, what)| Event { seq, at: facts.now, by: actor.clone(), what }).collect())
}

/// How many events an account has added to the application today.
fn of_today(application: &Application, actor: &Actor, facts: &Facts<'_>) -> usize {
    let today = |event: &&Event| event.at.day() == facts.now.day() && event.by.account() == actor.account();
    application.events.iter().filter(today).count()
}

/// The commands that the caller may give now, by role, state and separation of duties.
pub fn permitted(application: &Application, by: &By<'_>, facts: &Facts<'_>) -> Vec<Kind> {
    Kind::OF_PEOPLE.into_iter().filter(|kind| permit(application, *kind, by, facts).is_ok()).collect()
}

/// A new application.
///
/// # Errors
/// As for [`handle`]; a renewal that is not of a grant of the same department and dataset is
/// faulted at `/renews`.
pub fn draft(terms: Terms, renews: Option<ApplicationId>, by: &By<'_>, facts: &Facts<'_>) -> Result<Event> {
    let actor = applicant(by, facts)?;
    let By::Person { account, .. } = by else { return Err(Error::new(Code::Forbidden)) };
    let requester = account.department.clone();
    content::check(&terms, &requester, facts)?;
    if let Some(id) = &renews {
        let renewed = facts.renewed.filter(|old| {
            old.id == *id
                && old.requester == requester
                && old.terms.dataset == terms.dataset
                && old.granted_at().is_some()
        });
        if renewed.is_none() {
            return Err(Error::at(Code::InvalidRequest, "/renews", Code::NotAllowedValue));
        }
    }
    // Checked above: the dataset is there.
    let dataset = facts.catalogue.datasets.get(&terms.dataset).ok_or(Code::Internal)?;
    let provider = dataset.entry.provider.clone();
    let what = What::Drafted { requester, provider, terms, renews };
    Ok(Event { seq: 1, at: facts.now, by: actor, what })
}

fn decide(
    application: &Application,
    command: &Command,
    actor: &Actor,
    facts: &Facts<'_>,
) -> Result<Vec<What>> {
    if matches!(
        command,
        Command::Consent | Command::Approve { .. } | Command::Counter { .. } | Command::Accept
    ) {
        up_to_date(application, facts)?;
    }
    let said = |note: &String| content::text("/note", note, facts).map(|()| note.clone());
    let what = match command {
        Command::Revise { terms } => revise(application, terms, facts)?,
        Command::Submit => submit(application, facts)?,
        Command::Consent => return Ok(consent(application, facts)),
        Command::Decline { note } => What::Declined { note: said(note)? },
        Command::Approve { without } => return approve(application, without, actor, facts),
        Command::Return { missing } => sent_back(application, missing, facts)?,
        Command::Refuse { reason, basis, note } => refuse(reason, basis, note, facts)?,
        Command::Counter { terms } => return counter(application, terms, actor, facts),
        Command::Accept => accept(application, facts)?,
        Command::Extend { days, note } => {
            let left = facts.workflow.answer.extension.saturating_sub(application.progress.extended);
            if *days == 0 || *days > left {
                return Err(Error::at(Code::InvalidRequest, "/days", Code::OutOfBounds));
            }
            What::ExtensionAsked { days: *days, note: said(note)? }
        }
        Command::GrantExtension => {
            let Progress { since, asked, .. } = &application.progress;
            let more = asked.unwrap_or(0);
            What::ExtensionGranted { due: application.progress.answer_due(facts.workflow, since.day(), more) }
        }
        Command::RefuseExtension { note } => What::ExtensionRefused { note: said(note)? },
        Command::Comment { text } => {
            content::text("/text", text, facts)?;
            What::Commented { text: text.clone() }
        }
        Command::Withdraw => What::Withdrawn,
        Command::Suspend { note } => What::Suspended { note: said(note)? },
        Command::Resume => resume(application, actor, facts),
        Command::Revoke { note } => What::Revoked { note: said(note)? },
        Command::Close => What::Closed,
        // No person is permitted to say that a clock ran out.
        Command::Fire { .. } => return Err(Error::new(Code::Forbidden)),
    };
    Ok(vec![what])
}

/// Would today's catalogue and templates ask for no more than was asked for when it was handed in? If
/// the dataset is another department's now, or needs votes that nobody is asked for, it must be
/// handed in anew.
fn up_to_date(application: &Application, facts: &Facts<'_>) -> Result<()> {
    let terms = &application.terms;
    let dataset = facts.catalogue.datasets.get(&terms.dataset).ok_or(Code::WrongState)?;
    let asked: Vec<Role> = application.stages.iter().flat_map(|stage| stage.roles.iter().copied()).collect();
    let needed = facts.workflow.stages(terms, facts.catalogue);
    let mut needed = needed.iter().flat_map(|stage| &stage.roles);
    if dataset.entry.provider == application.provider && needed.all(|role| asked.contains(role)) {
        Ok(())
    } else {
        Err(Error::new(Code::WrongState))
    }
}

fn revise(application: &Application, terms: &Terms, facts: &Facts<'_>) -> Result<What> {
    // Another dataset may be another department's: that is another application.
    if terms.dataset != application.terms.dataset {
        return Err(Error::at(Code::InvalidRequest, "/terms/dataset", Code::NotAllowedValue));
    }
    content::check(terms, &application.requester, facts)?;
    Ok(What::Revised { terms: terms.clone() })
}

fn submit(application: &Application, facts: &Facts<'_>) -> Result<What> {
    let terms = &application.terms;
    content::check(terms, &application.requester, facts)?;
    let found = toxic::found(terms, facts.in_force, facts.catalogue, facts.workflow);
    if !found.is_empty() && terms.toxic_reason.is_none() {
        // The names say what is to be justified; they are the catalogue's words, not the caller's.
        let names: Vec<&str> = found.iter().map(|toxic| toxic.name.as_str()).collect();
        let (pointer, expected) = ("/terms/toxic_reason".to_owned(), Some(names.join(", ")));
        let fault = Invalid { pointer, code: Code::MissingMember, expected };
        return Err(Error::invalid(Code::InvalidRequest, vec![fault]));
    }
    Ok(What::Submitted {
        revision: terms.revision(),
        toxic: found.iter().map(|toxic| toxic.name.clone()).collect(),
        stages: facts.workflow.stages(terms, facts.catalogue),
        answer_days: facts.workflow.answer_days(terms, facts.catalogue),
    })
}

fn consent(application: &Application, facts: &Facts<'_>) -> Vec<What> {
    let due = application.progress.answer_due(facts.workflow, facts.now.day(), 0);
    let consented = What::Consented { due };
    // What is shared unconditionally needs nobody's vote: the catalogue has said yes.
    if application.stages.is_empty() {
        vec![consented, offer(application.terms.clone())]
    } else {
        vec![consented]
    }
}

fn offer(terms: Terms) -> What {
    What::Offered { revision: terms.revision(), terms }
}

fn approve(
    application: &Application,
    without: &[LeftOut],
    actor: &Actor,
    facts: &Facts<'_>,
) -> Result<Vec<What>> {
    let mut remaining = application.remaining();
    let mut faults = Vec::new();
    for (i, out) in without.iter().enumerate() {
        let mut fault = |member: &str, code| {
            faults.push(Invalid { pointer: format!("/without/{i}/{member}"), code, expected: None });
        };
        let before = remaining.fields.len();
        remaining.fields.retain(|field| field.field != out.field);
        if remaining.fields.len() == before {
            fault("field", Code::UnknownField);
        }
        if !facts.workflow.reasons.contains_key(&out.reason) {
            fault("reason", Code::NotAllowedValue);
        }
        if let Err(error) = content::text(&format!("/without/{i}/note"), &out.note, facts) {
            faults.extend(error.invalid);
        }
    }
    if remaining.fields.is_empty() {
        // Nothing would be left: that is a refusal, which has its own command and reasons.
        faults.push(Invalid { pointer: "/without".to_owned(), code: Code::OutOfBounds, expected: None });
    }
    none(faults)?;
    let mut happened = vote(application, without.to_vec(), actor, facts)?;
    let missing = application.outstanding().map(|(stage, roles)| (stage, roles.len()));
    let last = application.stages.len().checked_sub(1);
    if missing.is_some_and(|(stage, roles)| Some(stage) == last && roles == 1) {
        happened.push(offer(remaining));
    }
    Ok(happened)
}

/// A vote, and what the auditor is to see beside it.
fn vote(
    application: &Application,
    without: Vec<LeftOut>,
    actor: &Actor,
    facts: &Facts<'_>,
) -> Result<Vec<What>> {
    let (stage, _) = application.outstanding().ok_or(Code::WrongState)?;
    let revision = application.terms.revision();
    if application.revision.as_ref() != Some(&revision) {
        return Err(Error::new(Code::WrongState));
    }
    let mut happened = vec![What::Approved { revision, stage, without }];
    happened.extend(ring(&application.parts, actor, facts));
    Ok(happened)
}

/// Did an author of this application approve one of the voter's within the window?
fn ring(parts: &Parts, actor: &Actor, facts: &Facts<'_>) -> Option<What> {
    let window = i64::from(facts.workflow.people.ring) * 24 * 60 * 60;
    let mutual = facts.approvals.iter().find(|past| {
        past.at >= facts.now.plus_seconds(-window)
            && parts.authors.contains(&past.approver)
            && actor.people().any(|person| *person == past.applicant)
    });
    mutual.map(|past| What::RingFlagged { with: past.approver.clone() })
}

fn sent_back(application: &Application, missing: &[Missing], facts: &Facts<'_>) -> Result<What> {
    if missing.is_empty() || missing.len() > MAX_MISSING {
        let code = if missing.is_empty() { Code::TooFewItems } else { Code::OutOfBounds };
        return Err(Error::at(Code::InvalidRequest, "/missing", code));
    }
    let terms = serde_json::to_value(&application.terms).unwrap_or_default();
    let mut faults = Vec::new();
    for (i, item) in missing.iter().enumerate() {
        // A member that is not there yet may well be what is missing: its parent must be there.
        let parent = item.pointer.rsplit_once('/').map(|(parent, _)| parent);
        if item.pointer.len() > MAX_POINTER || parent.and_then(|parent| terms.pointer(parent)).is_none() {
            let pointer = format!("/missing/{i}/pointer");
            faults.push(Invalid { pointer, code: Code::NotAllowedValue, expected: None });
        }
        if let Err(error) = content::text(&format!("/missing/{i}/note"), &item.note, facts) {
            faults.extend(error.invalid);
        }
    }
    none(faults)?;
    Ok(What::Returned { missing: missing.to_vec() })
}

fn refuse(reason: &str, basis: &str, note: &str, facts: &Facts<'_>) -> Result<What> {
    if !facts.workflow.reasons.contains_key(reason) {
        return Err(Error::at(Code::InvalidRequest, "/reason", Code::NotAllowedValue));
    }
    content::text("/basis", basis, facts)?;
    content::text("/note", note, facts)?;
    Ok(What::Refused { reason: reason.to_owned(), basis: basis.to_owned(), note: note.to_owned() })
}

/// The sharing lead's vote, for less.
fn counter(application: &Application, terms: &Terms, actor: &Actor, facts: &Facts<'_>) -> Result<Vec<What>> {
    let asked = application.remaining();
    none(narrowing::faults(terms, &asked))?;
    if *terms == asked {
        // The same is no counter-offer: that would be a vote.
        return Err(Error::at(Code::InvalidRequest, "/terms", Code::NotAllowedValue));
    }
    content::check(terms, &application.requester, facts)?;
    let mut happened = vote(application, Vec::new(), actor, facts)?;
    happened.push(offer(terms.clone()));
    Ok(happened)
}

/// The grant: everything that it rests on is looked at once more.
fn accept(application: &Application, facts: &Facts<'_>) -> Result<What> {
    let offer = application.offer.as_ref().ok_or(Code::WrongState)?;
    let asked = application.remaining();
    if !application.has_every_quorum() || !narrowing::faults(offer, &asked).is_empty() {
        return Err(Error::new(Code::WrongState));
    }
    content::check(offer, &application.requester, facts)?;
    // What came into force meanwhile may make a combination that nobody has justified or approved.
    let found = toxic::found(offer, facts.in_force, facts.catalogue, facts.workflow);
    if found.iter().any(|toxic| !application.toxic.contains(&toxic.name)) {
        return Err(Error::at(Code::WrongState, "/terms/toxic_reason", Code::MissingMember));
    }
    Ok(What::Accepted { revision: offer.revision() })
}

/// Who said so before were other people: that was looked at first. What the owner has stopped goes on
/// only if somebody of the owner's is among them.
fn resume(application: &Application, actor: &Actor, facts: &Facts<'_>) -> What {
    let events = application.events.iter().rev();
    let stopped = events.clone().find(|event| matches!(event.what, What::Suspended { .. }));
    let since = events.take_while(|event| !matches!(event.what, What::Suspended { .. }));
    let said = since.filter(|event| matches!(event.what, What::ResumeAsked)).map(|event| &event.by);
    let said: Vec<&Actor> = said.chain([actor]).collect();
    let enough = said.len() >= usize::from(facts.workflow.grant.resume);
    let by_owner = |actor: &Actor| {
        actor.department() == Some(&application.provider) && actor.role() != Some(Role::SecurityAdmin)
    };
    let heard = !stopped.is_some_and(|event| by_owner(&event.by)) || said.into_iter().any(by_owner);
    if enough && heard { What::Resumed } else { What::ResumeAsked }
}

/// What a clock that ran out comes to; nothing, when it does not run any more or not yet.
fn fire(application: &Application, kind: TimerKind, facts: &Facts<'_>) -> Option<What> {
    let timers = application.timers(facts.workflow);
    timers.iter().find(|timer| timer.kind == kind && timer.at <= facts.now)?;
    Some(match kind {
        TimerKind::Remind => What::Reminded,
        TimerKind::Overdue => What::Overdue,
        TimerKind::Lapse => What::Lapsed,
        TimerKind::Expire => What::Expired,
        TimerKind::OfferRenewal => What::RenewalOffered,
        TimerKind::Recompute => What::Recomputed { due: recomputed(application, facts)? },
    })
}

fn recomputed(application: &Application, facts: &Facts<'_>) -> Option<Due> {
    application.due(facts.workflow, Timestamp::default()).map(|awaited| awaited.due)
}
