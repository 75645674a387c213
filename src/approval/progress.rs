//! The clocks of an application: who is waited for, until when, and what happens then.
//!
//! Invariant: a clock never decides for the provider. Its statutory clock starts with the
//! requester's consent, stands while the requester is waited for, and when it runs out the
//! application is overdue and nothing else: silence approves nothing and ends nothing.

use time::Date;

use super::application::{Application, State};
use super::calendar::{Due, Span};
use super::command::TimerKind;
use super::event::{Event, What};
use super::workflow::Workflow;
use crate::base::Timestamp;
use crate::base::ids::DepartmentId;
use crate::identity::Role;

/// How the clocks stand, by the events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Since when it waits where it stands.
    pub since: Timestamp,
    /// The day on which the provider received it: the first consent.
    pub received: Option<Date>,
    /// Working days for the provider's answer, by the law.
    pub days: u16,
    /// Working days granted in addition.
    pub extended: u16,
    /// Working days that the provider has asked for in addition, until that is decided.
    pub asked: Option<u16>,
    /// Days on which the requester was waited for.
    pub paused: Vec<Span>,
    /// Since which day the requester is waited for.
    pub paused_since: Option<Date>,
    /// The last day that both sides were told.
    pub told: Option<Due>,
    /// Was a reminder of the present deadline given?
    pub reminded: bool,
    /// Did the provider's present deadline pass?
    pub overdue: bool,
    /// Was a renewal offered?
    pub renewal_offered: bool,
}

impl Progress {
    pub(super) fn wait_since(&mut self, at: Timestamp) {
        self.since = at;
        self.reminded = false;
    }

    pub(super) fn take(&mut self, event: &Event, moved: bool) {
        let day = event.at.day();
        if moved || matches!(event.what, What::Revised { .. }) {
            self.wait_since(event.at);
        }
        match &event.what {
            What::Submitted { answer_days, .. } => self.days = *answer_days,
            What::Consented { due } => {
                self.received.get_or_insert(day);
                let paused = self.paused_since.take().map(|first| Span { first, last: day });
                self.paused.extend(paused);
                self.tell(*due);
            }
            What::Returned { .. } => {
                self.paused_since = Some(day);
                self.told = None;
            }
            What::ExtensionAsked { days, .. } => self.asked = Some(*days),
            What::ExtensionGranted { due } => {
                self.extended = self.extended.saturating_add(self.asked.take().unwrap_or(0));
                self.tell(*due);
            }
            What::ExtensionRefused { .. } => self.asked = None,
            What::Recomputed { due } => self.tell(*due),
            What::Reminded => self.reminded = true,
            What::Overdue => self.overdue = true,
            What::RenewalOffered => self.renewal_offered = true,
            _ => {}
        }
    }

    fn tell(&mut self, due: Due) {
        self.told = Some(due);
        self.reminded = false;
        self.overdue = false;
    }

    /// The provider's last day, when it receives it on `day` or goes on with it then, and is given
    /// `more` working days.
    pub(super) fn answer_due(&self, workflow: &Workflow, day: Date, more: u16) -> Due {
        let waiting = self.paused_since.map(|first| Span { first, last: day });
        let paused: Vec<Span> = self.paused.iter().copied().chain(waiting).collect();
        let days = self.days.saturating_add(self.extended).saturating_add(more);
        let due = workflow.calendar.due(self.received.unwrap_or(day), days, &paused);
        // All days may have been used up before the requester was waited for: its answer is then
        // due on the day on which it comes back, and no earlier.
        Due { day: due.day.max(day), ..due }
    }
}

/// Who is waited for, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The department.
    pub department: DepartmentId,
    /// In it, people of these roles.
    pub roles: Vec<Role>,
    /// The last day.
    pub due: Due,
    /// Working days left after today, the last one included; below zero when it has passed.
    pub left: i32,
}

/// A clock that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// What it is about.
    pub kind: TimerKind,
    /// When it runs out.
    pub at: Timestamp,
}

impl Application {
    /// Who is waited for, until when: what both sides see. Nobody, once it is decided.
    pub fn due(&self, workflow: &Workflow, now: Timestamp) -> Option<Awaited> {
        let due = self.deadline(workflow)?;
        let (department, roles) = match self.state {
            State::InReview => (&self.provider, self.outstanding().map_or_else(Vec::new, |(_, roles)| roles)),
            State::Consent | State::Offered => (&self.requester, vec![Role::SharingLead]),
            _ => (&self.requester, vec![Role::Applicant]),
        };
        let left = workflow.calendar.between(now.day(), due.day);
        Some(Awaited { department: department.clone(), roles, due, left })
    }

    /// The clocks that run now: what the timers' table holds for it. They change with its events,
    /// and with the calendar.
    pub fn timers(&self, workflow: &Workflow) -> Vec<Timer> {
        if State::GRANTED.contains(&self.state) {
            return self.timers_of_grant(workflow);
        }
        let Some(due) = self.deadline(workflow) else { return Vec::new() };
        let end = Timestamp::end_of(due.day);
        let mut timers = Vec::new();
        if !self.progress.reminded && !self.progress.overdue {
            let day = workflow.calendar.before(due.day, workflow.answer.remind);
            // A deadline that is near from its beginning needs no reminder on the same day.
            if day > self.progress.since.day() {
                timers.push(Timer { kind: TimerKind::Remind, at: Timestamp::start_of(day) });
            }
        }
        match self.state {
            State::InReview => {
                if !self.progress.overdue {
                    timers.push(Timer { kind: TimerKind::Overdue, at: end });
                }
                // The calendar has changed since both sides were told.
                if self.progress.told.is_some_and(|told| told != due) {
                    timers.push(Timer { kind: TimerKind::Recompute, at: self.progress.since });
                }
            }
            _ => timers.push(Timer { kind: TimerKind::Lapse, at: end }),
        }
        timers
    }

    fn timers_of_grant(&self, workflow: &Workflow) -> Vec<Timer> {
        let Some(offer) = &self.offer else { return Vec::new() };
        let expire = Timer { kind: TimerKind::Expire, at: Timestamp::end_of(offer.until) };
        let ahead = i64::from(workflow.grant.renewal) * 24 * 60 * 60;
        let renewal = Timer { kind: TimerKind::OfferRenewal, at: expire.at.plus_seconds(-ahead) };
        [expire].into_iter().chain((!self.progress.renewal_offered).then_some(renewal)).collect()
    }

    /// The last day for whoever is waited for.
    fn deadline(&self, workflow: &Workflow) -> Option<Due> {
        let lapse = &workflow.lapse;
        let days = match self.state {
            State::InReview => {
                return Some(self.progress.answer_due(workflow, self.progress.since.day(), 0));
            }
            State::Draft => lapse.draft,
            State::Consent => lapse.consent,
            State::Returned => lapse.returned,
            State::Offered => lapse.offered,
            _ => return None,
        };
        Some(workflow.calendar.due(self.progress.since.day(), days, &[]))
    }
}
