//! Random commands by random people, with several accounts, delegations and clocks that run out:
//! what holds whatever they do.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::world::{World, approve, field, note, terms};
use crate::approval::command::TimerKind;
use crate::approval::event::{LeftOut, Missing};
use crate::approval::{Actor, Application, Command, Event, State, Terms, What};
use crate::base::ids::PersonId;
use crate::catalogue::Form;
use crate::identity::Role;

/// One thing that somebody tries.
#[derive(Debug, Clone)]
enum Try {
    /// Any account, maybe for a lender and in a role, with one of the commands.
    Any { who: usize, lender: Option<usize>, role: Option<usize>, command: usize },
    /// What brings the application on, by one of those who may: else few would get anywhere.
    Onwards { who: usize },
    /// Time passes, and a clock fires.
    Clock { hours: i64, timer: usize },
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let anyone = (
        any::<usize>(),
        prop::option::weighted(0.3, any::<usize>()),
        prop::option::of(0..5_usize),
        any::<usize>(),
    );
    let anything = anyone.prop_map(|(who, lender, role, command)| Try::Any { who, lender, role, command });
    let onwards = any::<usize>().prop_map(|who| Try::Onwards { who });
    // Some hours, or most of a year.
    let hours = prop_oneof![3 => 0..400_i64, 1 => 0..7_000_i64];
    let clock = (hours, 0..TimerKind::ALL.len()).prop_map(|(hours, timer)| Try::Clock { hours, timer });
    prop::collection::vec(prop_oneof![3 => anything, 9 => onwards, 1 => clock], 1..48)
}

/// People with several accounts and roles, and who lent what to whom.
fn crowd() -> World {
    let mut world = World::new();
    let reviewers = [Role::SectionHead, Role::Leader, Role::ConfidentialityOfficer, Role::SharingLead];
    world.join("service.two", "two-sided", "service", &[Role::Applicant, Role::SharingLead]);
    world.join("civil.two", "two-sided", "civil", &reviewers);
    world.join("civil.all", "civil.all", "civil", &reviewers);
    world.join("civil.all-again", "civil.all", "civil", &reviewers);
    world.join("civil.deputy", "civil.deputy", "civil", &[Role::SectionHead]);
    world.join("civil.author", "service.applicant", "civil", &reviewers);
    for (from, to, role) in [
        ("civil.leader", "civil.deputy", Role::Leader),
        ("civil.sharing_lead", "civil.applicant", Role::SharingLead),
        ("civil.author", "civil.deputy", Role::SharingLead),
        ("civil.all", "civil.leader", Role::ConfidentialityOfficer),
        ("service.sharing_lead", "service.applicant", Role::SharingLead),
        ("service.applicant", "service.leader", Role::Applicant),
    ] {
        world.lend(from, to, role);
        world.delegations.last_mut().unwrap().until = world.now.plus_seconds(30 * 24 * 60 * 60);
    }
    world
}

fn wanted() -> [Terms; 3] {
    let all =
        vec![field("income", Form::Predicate), field("name", Form::Plain), field("birth_date", Form::Band)];
    [
        Terms { fields: all, ..terms() },
        terms(),
        Terms { fields: vec![field("status", Form::Plain)], per_day: 60, ..terms() },
    ]
}

fn commands(application: &Application) -> Vec<Command> {
    let out = |name: &str| LeftOut {
        field: field(name, Form::Plain).field,
        reason: "beyond-need".into(),
        note: note(),
    };
    let remaining = application.remaining();
    let first = remaining.fields.first().cloned().into_iter().collect();
    let mut more = remaining.clone();
    more.fields.push(field("sex", Form::Plain));
    let mut all: Vec<Command> = wanted().map(|terms| Command::Revise { terms }).to_vec();
    all.extend([
        Command::Submit,
        Command::Consent,
        Command::Decline { note: note() },
        approve(),
        approve(),
        Command::Approve { without: vec![out("name")] },
        Command::Approve { without: vec![out("income")] },
        Command::Return { missing: vec![Missing { pointer: "/scope".into(), note: note() }] },
        Command::Refuse { reason: "beyond-need".into(), basis: "法".into(), note: note() },
        Command::Counter { terms: Terms { fields: first, per_day: 55, ..remaining.clone() } },
        Command::Counter { terms: Terms { per_day: 1_000, ..remaining } },
        Command::Counter { terms: more },
        Command::Accept,
        Command::Extend { days: 3, note: note() },
        Command::GrantExtension,
        Command::RefuseExtension { note: note() },
        Command::Comment { text: note() },
        Command::Withdraw,
        Command::Suspend { note: note() },
        Command::Resume,
        Command::Revoke { note: note() },
        Command::Close,
        Command::Fire { timer: TimerKind::Expire },
    ]);
    all
}

fn onwards(state: State) -> Command {
    match state {
        State::Draft | State::Returned => Command::Submit,
        State::Consent => Command::Consent,
        State::Offered => Command::Accept,
        State::Active => Command::Suspend { note: note() },
        State::Suspended => Command::Resume,
        _ => approve(),
    }
}

fn attempt(world: &mut World, attempt: &Try) {
    let ids: Vec<String> = world.people.keys().cloned().collect();
    let pick = |n: &usize| ids[n % ids.len()].clone();
    match attempt {
        Try::Any { who, lender, role, command } => {
            let lender = lender.map(|n| format!("{}/", pick(&n))).unwrap_or_default();
            let role = role.map(|n| format!(" as {}", super::world::OFFICE[n].as_str())).unwrap_or_default();
            let commands = commands(world.application());
            let command = commands[command % commands.len()].clone();
            world.does(&format!("{lender}{}{role}", pick(who)), command).ok();
        }
        Try::Onwards { who } => {
            // The first, from somebody on, who may.
            let command = onwards(world.state());
            let from = who % ids.len();
            ids.iter().cycle().skip(from).take(ids.len()).find(|id| world.does(id, command.clone()).is_ok());
        }
        Try::Clock { hours, timer } => {
            world.now = world.now.plus_seconds(hours * 60 * 60);
            world.fires(TimerKind::ALL[*timer]);
        }
    }
}

/// Is nothing in `given` that is not in `asked`? Written apart from the code that is tried.
fn is_no_more(given: &Terms, asked: &Terms) -> bool {
    given.per_day <= asked.per_day
        && given.distinct_per_day <= asked.distinct_per_day
        && given.until <= asked.until
        && given.purpose == asked.purpose
        && given.dataset == asked.dataset
        && given.systems.iter().all(|s| asked.systems.contains(s))
        && !given.fields.is_empty()
        && given.fields.iter().all(|given| {
            asked.fields.iter().any(|asked| {
                given.field == asked.field
                    && given.form <= asked.form
                    && (asked.form != Form::Predicate
                        || given.compare.iter().all(|c| asked.compare.contains(c)))
            })
        })
}

fn people(events: &[Event], of: impl Fn(&Event) -> bool) -> Vec<PersonId> {
    events.iter().filter(|event| of(event)).flat_map(|event| event.by.people().cloned()).collect()
}

/// What holds of every application, whoever did whatever to it.
fn holds(application: &Application, world: &World) -> Result<(), TestCaseError> {
    let events = &application.events;
    prop_assert_eq!(&Application::of(application.id.clone(), events.clone()).unwrap(), application);
    prop_assert!(events.iter().zip(1..).all(|(event, n)| event.seq == n), "versions count up");
    prop_assert!(events.is_sorted_by_key(|event| event.at));
    let json = serde_json::to_string(events).unwrap();
    prop_assert_eq!(&serde_json::from_str::<Vec<Event>>(&json).unwrap(), events, "events survive storage");

    let Some(accepted) = events.iter().position(|e| matches!(e.what, What::Accepted { .. })) else {
        return Ok(());
    };
    let before = &events[..accepted];
    let submitted = before.iter().rposition(|e| matches!(e.what, What::Submitted { .. })).unwrap();
    let What::Submitted { revision, stages, .. } = &before[submitted].what else { unreachable!() };
    // The terms that were asked for, by the last text before it was handed in.
    let asked = before[..submitted].iter().rev().find_map(|event| match &event.what {
        What::Drafted { terms, .. } | What::Revised { terms } => Some(terms),
        _ => None,
    });
    let asked = asked.unwrap();
    prop_assert_eq!(&asked.revision(), revision);
    // Every role of every stage, in the order of the stages, for exactly that revision.
    let votes: Vec<(&Event, usize)> = before[submitted..]
        .iter()
        .filter_map(|event| match &event.what {
            What::Approved { revision: voted, stage, .. } if voted == revision => Some((event, *stage)),
            _ => None,
        })
        .collect();
    prop_assert!(votes.is_sorted_by_key(|(_, stage)| *stage));
    let mut cast: Vec<(usize, Role)> =
        votes.iter().map(|(event, stage)| (*stage, event.by.role().unwrap())).collect();
    let mut needed: Vec<(usize, Role)> = stages
        .iter()
        .enumerate()
        .flat_map(|(n, stage)| stage.roles.iter().map(move |role| (n, *role)))
        .collect();
    cast.sort();
    needed.sort();
    prop_assert_eq!(cast, needed);
    // By people who are all different, and none of whom applied or acted for the requester.
    let voters: Vec<PersonId> = votes.iter().flat_map(|(event, _)| event.by.people().cloned()).collect();
    let distinct: BTreeSet<&PersonId> = voters.iter().collect();
    prop_assert_eq!(distinct.len(), voters.len(), "a person counts once");
    let is_of = |event: &Event, department: &str| matches!(&event.by, Actor::Person { department: of, .. } if of.as_str() == department);
    let requester = people(before, |event| is_of(event, "service"));
    prop_assert!(voters.iter().all(|voter| !requester.contains(voter)));
    let of_requester = |person: &PersonId| {
        world.people.values().any(|a| a.person == *person && a.department.as_str() == "service")
    };
    prop_assert!(!voters.iter().any(of_requester));
    // Consent and acceptance by others than the authors.
    let authors = people(before, |e| {
        matches!(e.what, What::Drafted { .. } | What::Revised { .. } | What::Submitted { .. })
    });
    let leads =
        people(&events[..=accepted], |e| matches!(e.what, What::Consented { .. } | What::Accepted { .. }));
    prop_assert!(leads.iter().all(|lead| !authors.contains(lead)));
    // Never more than was asked or the owner allows.
    let offer = application.offer.as_ref().unwrap();
    prop_assert!(is_no_more(offer, asked));
    let dataset = &world.catalogue.datasets[offer.dataset.as_str()];
    for given in &offer.fields {
        let listed = &dataset.field(given.field.as_str()).unwrap().sharing.forms;
        prop_assert!(listed.get(&given.form).is_some_and(|listed| listed.serves(&offer.purpose)));
    }
    // A stopped grant went on only by two people.
    let resumed = events.iter().enumerate().filter(|(_, event)| event.what == What::Resumed);
    for (at, _) in resumed {
        let stopped = events[..at].iter().rposition(|e| matches!(e.what, What::Suspended { .. })).unwrap();
        let said = people(&events[stopped..=at], |e| matches!(e.what, What::ResumeAsked | What::Resumed));
        prop_assert!(said.iter().collect::<BTreeSet<_>>().len() >= 2);
        // And what the owner stopped only with the owner's word.
        let by_owner = |e: &Event| {
            e.by.department() == Some(&application.provider) && e.by.role() != Some(Role::SecurityAdmin)
        };
        let mut words =
            events[stopped + 1..=at].iter().filter(|e| matches!(e.what, What::ResumeAsked | What::Resumed));
        prop_assert!(!by_owner(&events[stopped]) || words.any(by_owner));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_people_do_nothing_is_granted_that_was_not_approved(start in 0..3_usize, tries in tries()) {
        let mut world = crowd();
        world.draft(wanted()[start].clone()).unwrap();
        for tried in &tries {
            let before = world.application().clone();
            attempt(&mut world, tried);
            let after = world.application();
            prop_assert!(after.version >= before.version);
            prop_assert!(after.events.starts_with(&before.events), "nothing that happened is changed");
            if before.state.is_final() {
                prop_assert_eq!(after, &before, "what is over is over");
            }
            holds(after, &world)?;
        }
    }
}

/// The property above would hold of people who get nowhere.
#[test]
fn random_people_get_everywhere() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..256 {
        let (start, tries) = (0..3_usize, tries()).new_tree(&mut runner).unwrap().current();
        let mut world = crowd();
        world.draft(wanted()[start].clone()).unwrap();
        for tried in &tries {
            attempt(&mut world, tried);
            reached.insert(world.state());
        }
    }
    assert_eq!(reached, State::ALL.into_iter().collect());
}
