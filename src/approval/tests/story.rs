//! Every row of the workflow's table: what happens, and what it takes.

use super::world::{World, approve, at, field, note, terms};
use crate::approval::command::TimerKind;
use crate::approval::event::{LeftOut, Missing};
use crate::approval::{Application, Command, State, Terms, What};
use crate::base::Code;
use crate::base::ids::FieldName;
use crate::catalogue::Form;

fn missing(pointer: &str) -> Command {
    Command::Return { missing: vec![Missing { pointer: pointer.to_owned(), note: note() }] }
}

fn refuse(reason: &str) -> Command {
    Command::Refuse {
        reason: reason.to_owned(), basis: "《个人信息保护法》第六条".to_owned(), note: note()
    }
}

fn without(name: &str) -> Command {
    let out =
        LeftOut { field: FieldName::parse(name).unwrap(), reason: "beyond-need".to_owned(), note: note() };
    Command::Approve { without: vec![out] }
}

#[test]
fn an_application_goes_through_every_hand_and_becomes_a_grant() {
    let mut world = World::new();
    world.draft(terms()).unwrap();
    assert_eq!(world.state(), State::Draft);
    world.does("service.applicant", Command::Submit).unwrap();
    assert_eq!(world.state(), State::Consent);
    world.does("service.sharing_lead", Command::Consent).unwrap();
    assert_eq!(world.state(), State::InReview);
    world.does("civil.section_head", approve()).unwrap();
    // Within a stage in any order; the next stage waits.
    assert_eq!(world.refused("civil.sharing_lead", approve()), Code::WrongState);
    world.does("civil.confidentiality_officer", approve()).unwrap();
    assert_eq!(world.application().outstanding().unwrap().0, 1);
    world.does("civil.leader", approve()).unwrap();
    assert_eq!(world.state(), State::InReview, "the lead has not voted");
    let happened = world.does("civil.sharing_lead", approve()).unwrap();
    assert!(matches!(happened.as_slice(), [What::Approved { .. }, What::Offered { .. }]));
    assert_eq!(world.application().offer, Some(terms()));
    world.does("service.sharing_lead", Command::Accept).unwrap();
    assert_eq!(world.state(), State::Active);
    assert_eq!(world.application().grant_id().unwrap().as_str(), "G-2026-000001");
    assert_eq!(world.application().version, 9);
}

#[test]
fn what_is_shared_unconditionally_needs_no_vote_but_both_sides_leads_of_the_requester() {
    let mut world = World::new();
    world.draft(Terms { fields: vec![field("status", Form::Plain)], ..terms() }).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    assert_eq!(world.application().progress.days, 1);
    world.does("service.sharing_lead", Command::Consent).unwrap();
    assert_eq!(world.state(), State::Offered);
    world.does("service.sharing_lead", Command::Accept).unwrap();
    assert_eq!(world.state(), State::Active);
}

#[test]
fn a_new_revision_voids_all_earlier_votes() {
    let mut world = World::in_review();
    world.does("civil.section_head", approve()).unwrap();
    world.does("civil.leader", missing("/scope")).unwrap();
    assert_eq!(world.state(), State::Returned);
    world.does("service.applicant", Command::Revise { terms: Terms { per_day: 60, ..terms() } }).unwrap();
    let before = world.application().revision.clone();
    world.does("service.applicant", Command::Submit).unwrap();
    assert_ne!(world.application().revision, before);
    world.does("service.sharing_lead", Command::Consent).unwrap();
    assert!(world.application().votes.is_empty());
    assert_eq!(world.refused("civil.leader", approve()), Code::WrongState, "the first stage is first again");
}

#[test]
fn an_application_is_sent_back_once_with_everything_that_is_missing() {
    let mut world = World::in_review();
    let nothing = Command::Return { missing: Vec::new() };
    assert_eq!(world.refused("civil.section_head", nothing), Code::InvalidRequest);
    assert_eq!(world.refused("civil.section_head", missing("/nowhere/at/all")), Code::InvalidRequest);
    world.does("civil.section_head", missing("/fields/0/reason")).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    world.does("service.sharing_lead", Command::Consent).unwrap();
    assert_eq!(world.refused("civil.section_head", missing("/scope")), Code::WrongState);
}

#[test]
fn a_refusal_names_a_reason_of_the_catalogue_and_the_law() {
    let mut world = World::in_review();
    assert_eq!(world.refused("civil.section_head", refuse("beyond-need")), Code::Forbidden);
    assert_eq!(world.refused("civil.sharing_lead", refuse("incomplete")), Code::InvalidRequest);
    let without_law =
        Command::Refuse { reason: "beyond-need".to_owned(), basis: " ".to_owned(), note: note() };
    assert_eq!(world.does("civil.sharing_lead", without_law).unwrap_err().invalid[0].pointer, "/basis");
    world.does("civil.sharing_lead", refuse("beyond-need")).unwrap();
    assert_eq!(world.state(), State::Refused);
}

#[test]
fn voters_may_leave_out_fields_and_the_rest_is_offered() {
    let mut world = World::in_review();
    world.does("civil.section_head", without("name")).unwrap();
    assert_eq!(world.refused("civil.leader", without("name")), Code::InvalidRequest, "it is out already");
    assert_eq!(world.refused("civil.leader", without("income")), Code::InvalidRequest, "nothing is left");
    for who in ["civil.leader", "civil.confidentiality_officer", "civil.sharing_lead"] {
        world.does(who, approve()).unwrap();
    }
    let offer = world.application().offer.clone().unwrap();
    assert_eq!(offer, Terms { fields: vec![field("income", Form::Predicate)], ..terms() });
    world.does("service.sharing_lead", Command::Accept).unwrap();
    let What::Accepted { revision } = world.application().events.last().unwrap().what.clone() else {
        panic!()
    };
    assert_eq!(revision, offer.revision());
}

#[test]
fn a_counter_offer_is_the_leads_vote_for_less_and_passes_nobody_by() {
    let less = Command::Counter { terms: Terms { per_day: 10, distinct_per_day: 10, ..terms() } };
    let mut world = World::in_review();
    assert_eq!(world.refused("civil.sharing_lead", less.clone()), Code::WrongState, "others have not voted");
    let mut world = World::before_the_last_vote();
    let same = Command::Counter { terms: terms() };
    assert_eq!(world.refused("civil.sharing_lead", same), Code::InvalidRequest, "that is a vote");
    world.does("civil.sharing_lead", less).unwrap();
    assert_eq!(world.state(), State::Offered);
    world.does("service.sharing_lead", Command::Accept).unwrap();
    assert_eq!(world.application().offer.as_ref().unwrap().per_day, 10);
}

#[test]
fn a_counter_offer_is_never_more_than_was_asked_and_left_by_the_voters() {
    let cases: [(&str, Terms); 9] = [
        ("/terms/per_day", Terms { per_day: 101, ..terms() }),
        ("/terms/distinct_per_day", Terms { distinct_per_day: 51, ..terms() }),
        ("/terms/until", Terms { until: at("2027-07-01T00:00:00Z").day(), ..terms() }),
        (
            "/terms/purpose",
            Terms { purpose: crate::base::ids::PurposeId::parse("recheck").unwrap(), ..terms() },
        ),
        ("/terms/scope", Terms { scope: "别处".to_owned(), ..terms() }),
        ("/terms/fields/0", Terms { fields: vec![field("income", Form::Band)], ..terms() }),
        ("/terms/fields/0", Terms { fields: vec![field("sex", Form::Plain)], ..terms() }),
        (
            "/terms/fields/1",
            Terms { fields: vec![field("income", Form::Exists), field("id_number", Form::Mask)], ..terms() },
        ),
        (
            "/terms/systems/0",
            Terms { systems: vec![crate::base::ids::SystemId::parse("hrss.pay").unwrap()], ..terms() },
        ),
    ];
    for (pointer, terms) in cases {
        let mut world = World::before_the_last_vote();
        let error = world.does("civil.sharing_lead", Command::Counter { terms }).unwrap_err();
        assert_eq!(error.invalid.iter().map(|i| i.pointer.as_str()).collect::<Vec<_>>(), [pointer]);
    }
    // A lower form with one comparison fewer is less.
    let mut fewer = field("income", Form::Predicate);
    fewer.compare.truncate(1);
    let mut world = World::before_the_last_vote();
    world
        .does("civil.sharing_lead", Command::Counter { terms: Terms { fields: vec![fewer], ..terms() } })
        .unwrap();
    // What a voter left out stays out.
    let mut world = World::in_review();
    for who in ["civil.section_head", "civil.confidentiality_officer"] {
        let command = if who == "civil.section_head" { without("name") } else { approve() };
        world.does(who, command).unwrap();
    }
    world.does("civil.leader", approve()).unwrap();
    let back_in = Command::Counter { terms: Terms { per_day: 60, ..terms() } };
    assert_eq!(world.refused("civil.sharing_lead", back_in), Code::InvalidRequest);
}

#[test]
fn the_requesters_lead_declines_into_a_draft_or_ends_an_offer() {
    let mut world = World::new();
    world.draft(terms()).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    world.does("service.sharing_lead", Command::Decline { note: note() }).unwrap();
    assert_eq!(world.state(), State::Draft);
    let mut world = World::before_the_last_vote();
    world.does("civil.sharing_lead", approve()).unwrap();
    world.does("service.sharing_lead", Command::Decline { note: note() }).unwrap();
    assert_eq!(world.state(), State::Closed);
}

#[test]
fn more_time_takes_the_supervising_departments_consent() {
    let mut world = World::in_review();
    let due = world.application().progress.told.unwrap();
    let ask = |days| Command::Extend { days, note: note() };
    assert_eq!(world.refused("civil.sharing_lead", ask(11)), Code::InvalidRequest);
    assert_eq!(world.refused("civil.sharing_lead", ask(0)), Code::InvalidRequest);
    world.does("civil.sharing_lead", ask(4)).unwrap();
    assert_eq!(world.application().progress.told, Some(due), "asking gives nothing");
    assert_eq!(world.refused("civil.sharing_lead", ask(4)), Code::WrongState);
    assert_eq!(world.refused("civil.leader", Command::GrantExtension), Code::Forbidden);
    world.does("hrss.coordinator", Command::GrantExtension).unwrap();
    let more = world.application().progress.told.unwrap();
    assert_eq!(world.workflow.calendar.between(due.day, more.day), 4);
    assert_eq!(world.refused("civil.sharing_lead", ask(7)), Code::InvalidRequest, "10 at most in all");
    world.does("civil.sharing_lead", ask(6)).unwrap();
    world.does("hrss.coordinator", Command::RefuseExtension { note: note() }).unwrap();
    assert_eq!(world.application().progress.told, Some(more));
}

#[test]
fn one_person_stops_a_grant_and_two_let_it_go_on() {
    let mut world = World::active();
    world.does("hrss.security_admin", Command::Suspend { note: note() }).unwrap();
    assert_eq!(world.state(), State::Suspended);
    world.does("civil.leader", Command::Resume).unwrap();
    assert_eq!(world.state(), State::Suspended);
    assert_eq!(world.refused("civil.leader", Command::Resume), Code::NotSeparate);
    world.does("civil.sharing_lead", Command::Resume).unwrap();
    assert_eq!(world.state(), State::Active);
    // Whoever spoke before the next stop has not spoken after it.
    world.does("civil.leader", Command::Suspend { note: note() }).unwrap();
    world.does("civil.sharing_lead", Command::Resume).unwrap();
    assert_eq!(world.state(), State::Suspended);
}

#[test]
fn the_owner_revokes_and_the_requester_closes_and_nothing_follows() {
    let revoke = || Command::Revoke { note: note() };
    let mut world = World::active();
    for who in ["service.sharing_lead", "hrss.security_admin", "hrss.leader", "civil.section_head"] {
        assert_eq!(world.refused(who, revoke()), Code::Forbidden, "{who}");
    }
    world.does("civil.leader", revoke()).unwrap();
    assert_eq!(world.state(), State::Revoked);
    assert_eq!(world.refused("civil.leader", Command::Resume), Code::WrongState);
    assert_eq!(world.refused("service.sharing_lead", Command::Accept), Code::WrongState);
    let mut world = World::active();
    world.does("civil.sharing_lead", Command::Suspend { note: note() }).unwrap();
    world.does("service.sharing_lead", Command::Close).unwrap();
    assert_eq!(world.state(), State::Closed);
}

#[test]
fn acceptance_looks_at_everything_once_more() {
    let mut world = World::before_the_last_vote();
    world.does("civil.sharing_lead", approve()).unwrap();
    // The owner has taken a form away meanwhile.
    let terms_then = world.application().offer.clone().unwrap();
    let narrower = super::world::sources(super::world::WORKFLOW);
    let mut files = narrower.0;
    let list = files.get_mut("schemas/civil.list.json").unwrap();
    *list = list.replace(r#""name":{"title":"项","x-title-en":"Item","type":["string","integer","boolean"],"x-sharing":{"class":"conditional","level":"sensitive","basis":"法","forms":{"mask":{"mask":"name"},"plain":{}}"#, r#""name":{"title":"项","x-title-en":"Item","type":["string","integer","boolean"],"x-sharing":{"class":"conditional","level":"sensitive","basis":"法","forms":{"mask":{"mask":"name"}}"#);
    world.catalogue = crate::catalogue::Catalogue::load(&crate::base::Sources(files)).unwrap().0;
    let error = world.does("service.sharing_lead", Command::Accept).unwrap_err();
    assert_eq!(error.invalid[0].pointer, "/terms/fields/1/form");
    assert_eq!(world.application().offer, Some(terms_then));
    // Its last day has passed.
    let mut world = World::before_the_last_vote();
    world.does("civil.sharing_lead", approve()).unwrap();
    world.now = at("2027-06-30T16:00:00Z");
    assert_eq!(world.refused("service.sharing_lead", Command::Accept), Code::InvalidRequest);
}

#[test]
fn what_was_handed_in_before_the_catalogue_became_stricter_is_not_granted_by_the_old_rules() {
    let free = || Terms { fields: vec![field("status", Form::Plain)], ..terms() };
    let changed = |from: &str, to: &str| {
        let mut files = super::world::sources(super::world::WORKFLOW).0;
        let list = files.get_mut("schemas/civil.list.json").unwrap();
        assert!(list.contains(from));
        *list = list.replace(from, to);
        crate::catalogue::Catalogue::load(&crate::base::Sources(files)).unwrap().0
    };
    let conditional = || changed(r#""class":"unconditional""#, r#""class":"conditional""#);
    // No vote was asked for; now one is.
    let mut world = World::new();
    world.draft(free()).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    world.catalogue = conditional();
    assert_eq!(world.refused("service.sharing_lead", Command::Consent), Code::WrongState);
    // Declined and handed in anew, it goes through every hand.
    world.does("service.sharing_lead", Command::Decline { note: note() }).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    world.does("service.sharing_lead", Command::Consent).unwrap();
    assert_eq!(world.state(), State::InReview);
    // The offer was made already.
    let mut world = World::new();
    world.draft(free()).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
    world.does("service.sharing_lead", Command::Consent).unwrap();
    world.catalogue = conditional();
    assert_eq!(world.refused("service.sharing_lead", Command::Accept), Code::WrongState);
    // Whoever owned the dataset does not vote for whoever owns it now.
    let mut world = World::in_review();
    world.catalogue = changed(r#""provider":"civil""#, r#""provider":"hrss""#);
    assert_eq!(world.refused("civil.section_head", approve()), Code::WrongState);
}

#[test]
fn talk_alone_never_fills_an_application_up() {
    let mut world = World::in_review();
    let talk = || Command::Comment { text: note() };
    let mut a_day = 0;
    loop {
        match world.does("civil.section_head", talk()) {
            Ok(_) => a_day += 1,
            Err(error) if error.code == Code::TooManyCommands => {
                assert_eq!(a_day, 60);
                (world.now, a_day) = (world.now.plus_seconds(86_400), 0);
            }
            Err(error) => {
                assert_eq!(error.code, Code::WrongState);
                break;
            }
        }
    }
    assert_eq!(world.application().events.len(), 250);
    world.does("civil.section_head", missing("/scope")).unwrap();
    world.does("service.applicant", Command::Revise { terms: terms() }).unwrap();
    world.does("service.applicant", Command::Submit).unwrap();
}

#[test]
fn a_renewal_is_a_new_application_of_the_same_department_for_the_same_dataset() {
    let grant = World::active().application.unwrap();
    let mut world = World::new();
    world.draft_as("service.applicant", terms(), Some(&grant)).unwrap();
    assert_eq!(world.application().renews, Some(grant.id.clone()));
    let other = Terms { dataset: crate::base::ids::DatasetId::parse("civil.pay").unwrap(), ..terms() };
    let other = Terms { fields: vec![field("amount", Form::Plain)], ..other };
    assert_eq!(
        world.draft_as("service.applicant", other, Some(&grant)).unwrap_err().invalid[0].pointer,
        "/renews"
    );
    let never = World::in_review().application.unwrap();
    assert!(world.draft_as("service.applicant", terms(), Some(&never)).is_err(), "it never was a grant");
}

#[test]
fn a_grant_of_the_files_goes_on_with_the_same_events() {
    let mut world = World::active();
    let of_file = world.application().events.clone();
    let take = |n: usize| of_file[n].clone();
    let mut accepted = take(8);
    accepted.seq = 2;
    let id = crate::base::ids::ApplicationId::parse("G-2026-0001").unwrap();
    let imported = Application::of(id, vec![take(0), accepted.clone()]).unwrap();
    assert_eq!(imported.state, State::Active);
    assert_eq!(imported.offer, Some(terms()));
    assert_eq!(imported.grant_id().unwrap().as_str(), "G-2026-0001");
    world.application = Some(imported);
    world.does("civil.leader", Command::Suspend { note: note() }).unwrap();
    assert_eq!(world.state(), State::Suspended);
    // An application cannot begin so.
    let id = crate::base::ids::ApplicationId::parse("A-2026-000009").unwrap();
    assert!(Application::of(id, vec![take(0), accepted]).is_err());
}

#[test]
fn events_that_cannot_follow_each_other_make_no_application() {
    let good = World::active().application.unwrap();
    let again = Application::of(good.id.clone(), good.events.clone()).unwrap();
    assert_eq!(again, good);
    for n in 0..good.events.len() - 1 {
        let mut missing = good.events.clone();
        missing.remove(n);
        assert!(Application::of(good.id.clone(), missing).is_err(), "without event {n}");
    }
    let mut swapped = good.events.clone();
    let (a, b) = (swapped[1].what.clone(), swapped[2].what.clone());
    (swapped[1].what, swapped[2].what) = (b, a);
    assert!(Application::of(good.id.clone(), swapped).is_err());
}

#[test]
fn nobody_but_the_timers_says_that_a_clock_ran_out_and_they_say_nothing_else() {
    let mut world = World::active();
    world.now = at("2028-01-01T00:00:00Z");
    let fire = Command::Fire { timer: TimerKind::Expire };
    assert_eq!(world.refused("hrss.security_admin", fire), Code::Forbidden);
    assert_eq!(world.fires(TimerKind::Lapse), []);
    assert_eq!(world.fires(TimerKind::Expire), [What::Expired]);
    assert_eq!(world.fires(TimerKind::Expire), [], "it fires once");
}
