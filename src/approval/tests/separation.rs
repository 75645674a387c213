//! Who had one part cannot have the other: not by a second role, account, delegation or department.

use super::world::{World, approve, at, note, terms};
use crate::approval::event::Missing;
use crate::approval::facts::PastApproval;
use crate::approval::{Command, Kind, State, What, may_lend, permitted};
use crate::base::Code;
use crate::base::ids::PersonId;
use crate::identity::Role;

const REVIEWERS: [Role; 4] =
    [Role::SectionHead, Role::Leader, Role::ConfidentialityOfficer, Role::SharingLead];

#[test]
fn whoever_applied_does_not_vote_with_another_account() {
    let mut world = World::in_review();
    world.join("civil.second", "service.applicant", "civil", &REVIEWERS);
    assert_eq!(world.refused("civil.second", approve()), Code::NotSeparate);
    let missing = vec![Missing { pointer: "/scope".into(), note: note() }];
    assert_eq!(world.refused("civil.second", Command::Return { missing }), Code::NotSeparate);
    let refuse = Command::Refuse { reason: "beyond-need".into(), basis: "法".into(), note: note() };
    assert_eq!(world.refused("civil.second", refuse), Code::NotSeparate);
}

#[test]
fn whoever_wrote_any_revision_does_not_vote_on_a_later_one() {
    let mut world = World::new();
    world.join("service.helper", "helper", "service", &[Role::Applicant]);
    world.join("civil.helper", "helper", "civil", &REVIEWERS);
    world.draft(terms()).unwrap();
    world.does("service.helper", Command::Revise { terms: terms() }).unwrap();
    world.does("service.applicant", Command::Revise { terms: terms() }).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    world.does("service.sharing_lead", Command::Consent).unwrap();
    // Even when the account at the requester is gone.
    world.people.remove("service.helper");
    assert_eq!(world.refused("civil.helper", approve()), Code::NotSeparate);
}

#[test]
fn whoever_has_a_place_in_the_department_that_asks_does_not_vote() {
    let mut world = World::in_review();
    world.join("service.quiet", "civil.section_head", "service", &[Role::Leader]);
    assert_eq!(world.refused("civil.section_head", approve()), Code::NotSeparate);
    world.people.get_mut("service.quiet").unwrap().active = false;
    world.does("civil.section_head", approve()).unwrap();
}

#[test]
fn whoever_consented_for_the_requester_does_not_vote_for_the_provider() {
    let mut world = World::in_review();
    world.join("civil.second", "service.sharing_lead", "civil", &REVIEWERS);
    world.people.remove("service.sharing_lead");
    assert_eq!(world.refused("civil.second", approve()), Code::NotSeparate);
}

#[test]
fn one_person_meets_one_quorum() {
    let mut world = World::in_review();
    world.join("civil.all", "civil.all", "civil", &REVIEWERS);
    world.join("civil.all-too", "civil.all", "civil", &REVIEWERS);
    world.does("civil.all", approve()).unwrap();
    assert_eq!(world.refused("civil.all", approve()), Code::NotSeparate, "the next stage");
    assert_eq!(world.refused("civil.all-too as leader", approve()), Code::NotSeparate, "another account");
    world.does("civil.leader", approve()).unwrap();
    // Nor two roles of one stage.
    world.join("civil.second", "civil.leader", "civil", &[Role::ConfidentialityOfficer]);
    assert_eq!(world.refused("civil.second", approve()), Code::NotSeparate);
    world.does("civil.confidentiality_officer", approve()).unwrap();
    let less = Command::Counter { terms: crate::approval::Terms { per_day: 60, ..terms() } };
    assert_eq!(world.refused("civil.all as sharing_lead", less), Code::NotSeparate);
}

#[test]
fn a_deputy_votes_and_then_neither_the_deputy_nor_the_lender_votes_again() {
    let mut world = World::in_review();
    world.join("civil.deputy", "civil.deputy", "civil", &[Role::Leader]);
    world.lend("civil.section_head", "civil.deputy", Role::SectionHead);
    world.does("civil.section_head/civil.deputy", approve()).unwrap();
    assert_eq!(world.refused("civil.deputy", approve()), Code::NotSeparate, "as leader");
    world.people.get_mut("civil.section_head").unwrap().roles.push(Role::Leader);
    assert_eq!(world.refused("civil.section_head as leader", approve()), Code::NotSeparate, "the lender");
}

#[test]
fn a_role_that_was_lent_by_somebody_with_a_part_is_no_way_round() {
    let mut world = World::in_review();
    world.join("civil.second", "service.applicant", "civil", &[Role::SectionHead]);
    world.lend("civil.second", "civil.applicant", Role::SectionHead);
    assert_eq!(world.refused("civil.second/civil.applicant", approve()), Code::NotSeparate);
    // Nor does the applicant act with a role that somebody else lent.
    world.join("civil.third", "service.applicant", "civil", &[]);
    world.lend("civil.section_head", "civil.third", Role::SectionHead);
    assert_eq!(world.refused("civil.section_head/civil.third", approve()), Code::NotSeparate);
}

#[test]
fn a_delegation_is_for_its_time_role_account_and_lender() {
    let mut world = World::in_review();
    world.lend("civil.section_head", "civil.applicant", Role::SectionHead);
    world.lend("civil.leader", "civil.applicant", Role::SharingLead);
    let deputy = "civil.section_head/civil.applicant";
    assert_eq!(world.refused("civil.applicant", approve()), Code::Forbidden, "it must be named");
    assert_eq!(
        world.refused("civil.section_head/civil.leader", approve()),
        Code::Forbidden,
        "another account"
    );
    assert_eq!(world.refused("civil.section_head/civil.applicant as leader", approve()), Code::Forbidden);
    let suspend = Command::Suspend { note: note() };
    assert_eq!(
        world.refused("civil.leader/civil.applicant", suspend),
        Code::Forbidden,
        "not the lender's role"
    );
    let (now, begun) = (world.now, world.delegations[0].since);
    world.now = begun.plus_seconds(-1);
    assert_eq!(world.refused(deputy, approve()), Code::Forbidden, "before");
    world.now = world.delegations[0].until;
    assert_eq!(world.refused(deputy, approve()), Code::Forbidden, "after");
    world.now = now;
    world.delegations[0].from.active = false;
    assert_eq!(world.refused(deputy, approve()), Code::Forbidden, "the lender is gone");
    world.delegations[0].from.active = true;
    world.does(deputy, approve()).unwrap();
}

#[test]
fn what_was_lent_is_not_lent_on() {
    let mut world = World::in_review();
    world.lend("civil.section_head", "civil.applicant", Role::SectionHead);
    world.join("civil.far", "civil.far", "civil", &[]);
    world.lend("civil.applicant", "civil.far", Role::SectionHead);
    assert_eq!(world.refused("civil.applicant/civil.far", approve()), Code::Forbidden);
}

#[test]
fn roles_are_lent_within_a_department_for_a_bounded_time_and_duties_of_the_operator_never() {
    let mut world = World::new();
    world.join("hrss.twin", "hrss.leader", "hrss", &[]);
    let lend = |from: &str, to: &str, role, days: i64| {
        let (from, to) = (&world.people[from], &world.people[to]);
        let until = world.now.plus_seconds(days * 24 * 60 * 60);
        may_lend(from, to, role, world.now, until, &world.workflow).map_err(|e| e.invalid[0].pointer.clone())
    };
    assert_eq!(lend("hrss.leader", "hrss.applicant", Role::Leader, 30), Ok(()));
    assert_eq!(lend("hrss.leader", "hrss.applicant", Role::Leader, 31), Err("/until".to_owned()));
    assert_eq!(lend("hrss.leader", "hrss.applicant", Role::Leader, 0), Err("/until".to_owned()));
    assert_eq!(lend("hrss.leader", "hrss.applicant", Role::SharingLead, 1), Err("/role".to_owned()));
    assert_eq!(lend("hrss.leader", "civil.applicant", Role::Leader, 1), Err("/to".to_owned()));
    assert_eq!(lend("hrss.leader", "hrss.twin", Role::Leader, 1), Err("/to".to_owned()), "the same person");
    assert_eq!(lend("hrss.security_admin", "hrss.auditor", Role::SecurityAdmin, 1), Err("/role".to_owned()));
}

#[test]
fn whoever_wrote_it_neither_consents_nor_accepts_by_a_second_role() {
    let mut world = World::new();
    world.people.get_mut("service.applicant").unwrap().roles.push(Role::SharingLead);
    world.draft(terms()).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    assert_eq!(world.refused("service.applicant", Command::Consent), Code::NotSeparate);
    world.does("service.sharing_lead", Command::Consent).unwrap();
    for who in ["section_head", "leader", "confidentiality_officer", "sharing_lead"] {
        world.does(&format!("civil.{who}"), approve()).unwrap();
    }
    assert_eq!(world.refused("service.applicant", Command::Accept), Code::NotSeparate);
    assert_eq!(world.state(), State::Offered);
}

#[test]
fn the_supervisor_is_neither_of_the_two_departments_nor_anybody_who_acted_for_one() {
    let mut world = World::in_review();
    world.join("civil.coordinator", "civil.coordinator", "civil", &[Role::Coordinator]);
    world.join("hrss.lead", "civil.sharing_lead", "hrss", &[Role::LeadingGroup]);
    world.does("civil.sharing_lead", Command::Extend { days: 3, note: note() }).unwrap();
    assert_eq!(world.refused("civil.coordinator", Command::GrantExtension), Code::Forbidden);
    assert_eq!(world.refused("hrss.lead", Command::GrantExtension), Code::NotSeparate);
    world.does("hrss.coordinator", Command::GrantExtension).unwrap();
}

#[test]
fn what_the_owner_has_stopped_goes_on_only_with_the_owners_word() {
    let mut world = World::active();
    let admins = ["hrss.security_admin", "hrss.second_admin", "civil.security_admin"];
    world.join(admins[1], admins[1], "hrss", &[Role::SecurityAdmin]);
    world.join(admins[2], admins[2], "civil", &[Role::SecurityAdmin]);
    world.does("civil.leader", Command::Suspend { note: note() }).unwrap();
    for admin in admins {
        world.does(admin, Command::Resume).unwrap();
        assert_eq!(world.state(), State::Suspended, "{admin}");
    }
    world.does("civil.sharing_lead", Command::Resume).unwrap();
    assert_eq!(world.state(), State::Active);
    // What the security administrator has stopped, two of them let go on.
    world.does(admins[0], Command::Suspend { note: note() }).unwrap();
    world.does(admins[1], Command::Resume).unwrap();
    assert_eq!(world.state(), State::Suspended);
    world.does(admins[2], Command::Resume).unwrap();
    assert_eq!(world.state(), State::Active);
}

#[test]
fn two_are_needed_to_resume_and_a_deputy_is_not_the_second() {
    let mut world = World::active();
    world.join("civil.deputy", "civil.deputy", "civil", &[]);
    world.does("civil.leader", Command::Suspend { note: note() }).unwrap();
    world.does("civil.leader", Command::Resume).unwrap();
    world.lend("civil.leader", "civil.deputy", Role::Leader);
    assert_eq!(world.refused("civil.leader/civil.deputy", Command::Resume), Code::NotSeparate);
    world.join("civil.other", "service.applicant", "civil", &[Role::Leader]);
    assert_eq!(world.refused("civil.other", Command::Resume), Code::NotSeparate, "who benefits");
    world.does("hrss.security_admin", Command::Resume).unwrap();
    assert_eq!(world.state(), State::Active);
}

#[test]
fn two_who_approve_each_others_are_shown_to_the_auditor() {
    let past = |days: i64| PastApproval {
        applicant: PersonId::parse("civil.section_head").unwrap(),
        approver: PersonId::parse("service.applicant").unwrap(),
        at: at("2026-11-23T02:00:00Z").plus_seconds(-days * 24 * 60 * 60),
    };
    let mut world = World::in_review();
    world.approvals = vec![past(91)];
    assert_eq!(world.does("civil.section_head", approve()).unwrap().len(), 1, "too long ago");
    let mut world = World::in_review();
    world.approvals = vec![past(90)];
    let happened = world.does("civil.section_head", approve()).unwrap();
    let with = PersonId::parse("service.applicant").unwrap();
    assert_eq!(happened[1], What::RingFlagged { with });
    // One way is no ring.
    let mut world = World::in_review();
    world.approvals = vec![past(1)];
    world.join("civil.deputy", "civil.deputy", "civil", &[Role::SectionHead]);
    assert_eq!(world.does("civil.deputy", approve()).unwrap().len(), 1);
}

#[test]
fn an_account_that_is_closed_may_do_nothing() {
    let mut world = World::in_review();
    world.people.get_mut("civil.section_head").unwrap().active = false;
    assert_eq!(world.refused("civil.section_head", approve()), Code::Forbidden);
    world.people.get_mut("civil.applicant").unwrap().active = false;
    world.lend("civil.leader", "civil.applicant", Role::Leader);
    assert_eq!(world.refused("civil.leader/civil.applicant", approve()), Code::Forbidden);
}

#[test]
fn what_somebody_may_do_now_is_what_the_handler_would_take() {
    let world = World::in_review();
    let may = |who: &str| {
        let by = crate::approval::By::Person { account: &world.people[who], acting: &Default::default() };
        permitted(world.application(), &by, &world.facts(&[]))
    };
    assert_eq!(may("civil.section_head"), [Kind::Approve, Kind::Return, Kind::Comment]);
    assert_eq!(may("service.applicant"), [Kind::Withdraw, Kind::Comment]);
    assert_eq!(may("hrss.applicant"), []);
}
