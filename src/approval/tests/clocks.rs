//! Clocks: due days that both sides see, pauses, extensions, and what happens when one runs out.

use time::macros::date;

use super::world::{World, approve, at, note, terms};
use crate::approval::calendar::{Due, Year};
use crate::approval::command::TimerKind;
use crate::approval::event::Missing;
use crate::approval::{Command, State, What};
use crate::base::Timestamp;
use crate::identity::Role;

fn send_back(world: &mut World) {
    let missing = vec![Missing { pointer: "/scope".into(), note: note() }];
    world.does("civil.section_head", Command::Return { missing }).unwrap();
}

fn timer(world: &World, kind: TimerKind) -> Option<Timestamp> {
    world.application().timers(&world.workflow).iter().find(|timer| timer.kind == kind).map(|timer| timer.at)
}

#[test]
fn the_provider_has_ten_working_days_from_the_day_after_the_consent() {
    let mut world = World::in_review();
    let awaited = world.application().due(&world.workflow, world.now).unwrap();
    // Consent on Monday 23 November.
    assert_eq!(awaited.due, Due { day: date!(2026 - 12 - 07), provisional: false });
    assert_eq!((awaited.department.as_str(), awaited.left), ("civil", 10));
    assert_eq!(awaited.roles, [Role::SectionHead]);
    world.does("civil.section_head", approve()).unwrap();
    let awaited = world.application().due(&world.workflow, at("2026-12-08T01:00:00Z")).unwrap();
    assert_eq!(awaited.roles, [Role::Leader, Role::ConfidentialityOfficer]);
    assert_eq!((awaited.due.day, awaited.left), (date!(2026 - 12 - 07), -1));
}

#[test]
fn an_evening_in_utc_is_the_next_day_in_shanghai() {
    let mut world = World::new();
    world.now = at("2026-11-22T16:30:00Z");
    world.draft(terms()).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    world.does("service.sharing_lead", Command::Consent).unwrap();
    assert_eq!(world.application().progress.received, Some(date!(2026 - 11 - 23)));
}

#[test]
fn waiting_for_the_requester_is_not_counted() {
    let mut world = World::in_review();
    world.now = at("2026-11-26T02:00:00Z"); // Thursday: two days are used up
    send_back(&mut world);
    let awaited = world.application().due(&world.workflow, world.now).unwrap();
    assert_eq!((awaited.department.as_str(), awaited.left), ("service", 20));
    world.now = at("2026-12-03T02:00:00Z"); // the Thursday after
    world.does("service.applicant", Command::Submit).unwrap();
    world.now = at("2026-12-04T02:00:00Z");
    world.does("service.sharing_lead", Command::Consent).unwrap();
    let awaited = world.application().due(&world.workflow, world.now).unwrap();
    assert_eq!((awaited.left, awaited.due.day), (8, date!(2026 - 12 - 16)));
    assert_eq!(world.application().progress.told, Some(awaited.due));
}

#[test]
fn an_answer_that_was_late_already_is_due_on_the_day_it_comes_back() {
    let mut world = World::in_review();
    world.now = at("2026-12-09T02:00:00Z");
    assert_eq!(world.fires(TimerKind::Overdue), [What::Overdue]);
    send_back(&mut world);
    world.now = at("2026-12-15T02:00:00Z");
    world.does("service.applicant", Command::Submit).unwrap();
    world.does("service.sharing_lead", Command::Consent).unwrap();
    assert_eq!(world.application().progress.told.unwrap().day, date!(2026 - 12 - 15));
}

#[test]
fn silence_is_overdue_and_neither_approves_nor_ends() {
    let mut world = World::in_review();
    assert_eq!(timer(&world, TimerKind::Overdue), Some(at("2026-12-07T16:00:00Z")));
    assert_eq!(timer(&world, TimerKind::Lapse), None);
    world.now = at("2026-12-07T15:59:59Z");
    assert_eq!(world.fires(TimerKind::Overdue), [], "the deadline ends with its day");
    world.now = at("2026-12-07T16:00:00Z");
    assert_eq!(world.fires(TimerKind::Overdue), [What::Overdue]);
    assert_eq!(world.fires(TimerKind::Overdue), [], "once");
    world.now = at("2036-01-01T00:00:00Z");
    assert_eq!(world.fires(TimerKind::Lapse), []);
    assert_eq!(world.state(), State::InReview);
    world.now = at("2026-12-09T00:00:00Z");
    world.does("civil.section_head", approve()).unwrap();
}

#[test]
fn a_reminder_comes_two_working_days_before_the_end_and_once() {
    let mut world = World::in_review();
    // The last day is Monday: Friday and Monday are left.
    assert_eq!(timer(&world, TimerKind::Remind), Some(at("2026-12-03T16:00:00Z").plus_seconds(-24 * 3600)));
    world.now = at("2026-12-04T00:00:00Z");
    assert_eq!(world.fires(TimerKind::Remind), [What::Reminded]);
    assert_eq!(timer(&world, TimerKind::Remind), None);
    // More time is a new deadline, with a reminder of its own.
    world.does("civil.sharing_lead", Command::Extend { days: 5, note: note() }).unwrap();
    world.does("hrss.coordinator", Command::GrantExtension).unwrap();
    assert!(timer(&world, TimerKind::Remind).is_some());
    assert_eq!(world.application().progress.told.unwrap().day, date!(2026 - 12 - 14));
}

#[test]
fn what_waits_for_the_requester_lapses() {
    let mut world = World::new();
    world.draft(terms()).unwrap();
    let lapse = timer(&world, TimerKind::Lapse).unwrap();
    world.now = at("2026-11-25T02:00:00Z");
    world.does("service.applicant", Command::Revise { terms: terms() }).unwrap();
    assert!(timer(&world, TimerKind::Lapse).unwrap() > lapse, "somebody went on with it");
    world.does("service.applicant", Command::Submit).unwrap();
    assert_eq!(timer(&world, TimerKind::Lapse), Some(Timestamp::end_of(date!(2026 - 12 - 09))));
    world.now = at("2026-12-09T16:00:00Z");
    assert_eq!(world.fires(TimerKind::Lapse), [What::Lapsed]);
    assert_eq!(world.state(), State::Lapsed);
    assert_eq!(world.application().timers(&world.workflow), []);
    assert_eq!(world.application().due(&world.workflow, world.now), None);
}

#[test]
fn an_offer_lapses_and_a_returned_application_too() {
    let mut world = World::before_the_last_vote();
    world.does("civil.sharing_lead", approve()).unwrap();
    world.now = timer(&world, TimerKind::Lapse).unwrap();
    assert_eq!(world.fires(TimerKind::Lapse), [What::Lapsed]);
    let mut world = World::in_review();
    send_back(&mut world);
    assert_eq!(timer(&world, TimerKind::Overdue), None, "the provider's clock stands");
    world.now = timer(&world, TimerKind::Lapse).unwrap();
    assert_eq!(world.fires(TimerKind::Lapse), [What::Lapsed]);
}

#[test]
fn a_grant_ends_with_its_last_day_and_its_renewal_is_offered_before() {
    let mut world = World::active();
    assert_eq!(timer(&world, TimerKind::Expire), Some(at("2027-06-30T16:00:00Z")));
    assert_eq!(timer(&world, TimerKind::OfferRenewal), Some(at("2027-05-31T16:00:00Z")));
    world.now = at("2027-05-31T16:00:00Z");
    assert_eq!(world.fires(TimerKind::OfferRenewal), [What::RenewalOffered]);
    assert_eq!(world.fires(TimerKind::OfferRenewal), []);
    assert_eq!(world.state(), State::Active);
    world.does("civil.leader", Command::Suspend { note: note() }).unwrap();
    world.now = at("2027-06-30T16:00:00Z");
    assert_eq!(world.fires(TimerKind::Expire), [What::Expired], "a stopped grant ends too");
}

#[test]
fn a_due_day_in_an_unpublished_year_is_provisional_and_worked_out_anew_with_an_event() {
    let mut world = World::new();
    world.now = at("2026-12-24T02:00:00Z");
    world.draft(terms()).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    world.does("service.sharing_lead", Command::Consent).unwrap();
    let told = world.application().progress.told.unwrap();
    assert_eq!(told, Due { day: date!(2027 - 01 - 07), provisional: true });
    assert_eq!(timer(&world, TimerKind::Recompute), None);
    assert_eq!(world.fires(TimerKind::Recompute), []);
    let year = Year { off: [date!(2027 - 01 - 01)].into(), work: Default::default() };
    world.workflow.calendar.years.insert(2027, year);
    assert!(timer(&world, TimerKind::Recompute).is_some_and(|at| at <= world.now));
    let due = Due { day: date!(2027 - 01 - 08), provisional: false };
    assert_eq!(world.fires(TimerKind::Recompute), [What::Recomputed { due }]);
    assert_eq!(world.application().progress.told, Some(due));
    assert_eq!(world.fires(TimerKind::Recompute), [], "once");
}
