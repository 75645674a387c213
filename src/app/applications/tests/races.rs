//! Two at one time: whoever is first is first, and the other is told.

use super::*;
use crate::app::applications::commands::follow;
use crate::approval::{Actor, Application, Event, What};
use crate::store::state::Change as AccountChange;
use crate::store::state::applications::{Appended, Change};

/// Lets two commands that were made for the same version go at one time.
async fn race(stage: &Arc<Stage>, id: &str, commands: [(&str, &str); 2]) -> Vec<Code> {
    let version = json!({ "version": stage.version(id) });
    let sent: Vec<_> = commands
        .into_iter()
        .map(|(who, name)| {
            let (stage, id, version) = (Arc::clone(stage), id.to_owned(), version.clone());
            let (who, name) = (who.to_owned(), name.to_owned());
            tokio::spawn(async move { code(stage.send(&who, &id, &name, &version).await) })
        })
        .collect();
    let mut codes = Vec::new();
    for answer in sent {
        codes.push(answer.await.unwrap());
    }
    codes
}

/// What holds of every application, whatever went on.
fn whole(application: &Application) {
    assert!(application.events.iter().zip(1..).all(|(event, seq)| event.seq == seq));
    assert_eq!(application.version as usize, application.events.len());
    if application.offer.is_some() {
        assert!(application.has_every_quorum(), "{:?}", application.events);
    }
}

#[tokio::test]
async fn a_vote_against_a_withdrawal_one_wins_and_the_other_sees_that_it_changed() {
    let stage = Arc::new(open().await);
    for _ in 0..ROUNDS {
        let id = stage.in_review().await;
        stage.all(&id, &VOTES[..2]).await;
        let codes = race(&stage, &id, [("c.lead", "approve"), ("h.applicant", "withdraw")]).await;
        assert_eq!(codes.iter().filter(|code| **code == Code::Ok).count(), 1, "{codes:?}");
        assert!(codes.contains(&Code::VersionMismatch), "{codes:?}");
        let application = stage.application(&id).unwrap();
        whole(&application);
        let won = if codes[0] == Code::Ok { "offered" } else { "withdrawn" };
        assert_eq!(application.state.as_str(), won);
    }
}

#[tokio::test]
async fn of_two_last_votes_one_counts() {
    let stage = Arc::new(open().await);
    for _ in 0..ROUNDS {
        let id = stage.in_review().await;
        stage.all(&id, &VOTES[..2]).await;
        let codes = race(&stage, &id, [("c.lead", "approve"), ("c.lead2", "approve")]).await;
        assert_eq!(codes.iter().filter(|code| **code == Code::Ok).count(), 1, "{codes:?}");
        let application = stage.application(&id).unwrap();
        whole(&application);
        assert_eq!(application.votes.len(), 3);
        let offers = stage.events(&id).iter().filter(|event| *event == "offered").count();
        assert_eq!((application.state.as_str(), offers), ("offered", 1));
    }
}

#[tokio::test]
async fn submitted_twice_at_one_time_it_is_submitted_once() {
    let stage = Arc::new(open().await);
    for _ in 0..ROUNDS {
        let id = stage.drafted().await;
        let codes = race(&stage, &id, [("h.applicant", "submit"), ("h.applicant", "submit")]).await;
        assert_eq!(codes.iter().filter(|code| **code == Code::Ok).count(), 1, "{codes:?}");
        assert_eq!(stage.events(&id), ["drafted", "submitted"]);
    }
}

#[tokio::test]
async fn duplicates_at_one_time_are_done_once_and_answered_alike() {
    let stage = Arc::new(open().await);
    for round in 0..ROUNDS / 5 {
        let sent: Vec<_> = (0..4)
            .map(|_| {
                let (stage, key) = (Arc::clone(&stage), format!("k-{round}"));
                let body = json!({ "terms": terms() });
                tokio::spawn(async move {
                    let call = stage.call("h.applicant");
                    applications::draft(&stage.gateway, &call, Asked { key: Some(key), ..asked(&body) })
                        .await
                        .unwrap()
                })
            })
            .collect();
        let mut answers = Vec::new();
        for answer in sent {
            answers.push(answer.await.unwrap());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(answers[0].application, format!("A-2026-{:06}", round + 1));
    }
}

#[tokio::test]
async fn drafts_at_one_time_have_ids_without_gaps() {
    let stage = Arc::new(open().await);
    let drafts: Vec<_> = (0..32)
        .map(|_| {
            let stage = Arc::clone(&stage);
            tokio::spawn(async move { stage.drafted().await })
        })
        .collect();
    let mut ids = Vec::new();
    for draft in drafts {
        ids.push(draft.await.unwrap());
    }
    ids.sort();
    let expected: Vec<String> = (1..=32).map(|number| format!("A-2026-{number:06}")).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn what_was_decided_on_something_that_changed_since_is_not_written() {
    let stage = open().await;
    let id = stage.in_review().await;
    let (application, now) = (stage.application(&id).unwrap(), stage.clock.now());
    let said = Event {
        seq: application.version + 1,
        at: now,
        by: Actor::Timer,
        what: What::Commented { text: "请补充".into() },
    };
    let world = stage.gateway.world();
    let seen = stage.store().revision().unwrap();
    let told = follow(application.clone(), vec![said], &world, now, None).unwrap();
    // Somebody else gets an account: it may have been the one that the decision was about.
    stage.enrol("c.new", "c.new", "civil", &[Role::Leader]);
    let stale = Change { rests_on: Some(seen), ..told.clone() };
    assert_eq!(stage.store().append(&stale, now).unwrap(), Appended::Stale);
    assert_eq!(stage.application(&id).unwrap(), application);
    let fresh = Change { rests_on: Some(stage.store().revision().unwrap()), ..told };
    assert_eq!(stage.store().append(&fresh, now).unwrap(), Appended::Done);
}

#[tokio::test]
async fn whoever_lost_the_role_while_the_request_was_under_way_does_not_act_in_it() {
    let stage = open().await;
    let id = stage.in_review().await;
    let begun = stage.call("c.head");
    let head = AccountId::parse("c.head").unwrap();
    let withdrawn = AccountChange::WithdrawRole(Role::SectionHead);
    stage.store().change_account(&head, &withdrawn, "sec", stage.clock.now()).unwrap();
    let body = json!({ "version": stage.version(&id) });
    let told = applications::command(&stage.gateway, &begun, &id, "approve", asked(&body)).await;
    assert_eq!(code(told), Code::Forbidden);
    stage.store().change_account(&head, &AccountChange::Disable, "sys", stage.clock.now()).unwrap();
    let told = applications::command(&stage.gateway, &begun, &id, "comment", asked(&body)).await;
    assert!(matches!(code(told), Code::SignInRequired | Code::InvalidRequest));
}

/// Another version, which another gateway took up before this one.
fn apply_elsewhere(stage: &Stage) {
    let mut sources = stage.store().newest_version().unwrap().unwrap().sources;
    sources.0.entry("policies/workflow.toml".into()).and_modify(|text| text.push_str("\n# newer\n"));
    assert!(stage.store().apply(&sources, stage.gateway.now()).unwrap().changed);
}

#[tokio::test]
async fn nothing_is_decided_by_rules_that_are_others_by_now() {
    let stage = open().await;
    let id = stage.drafted().await;
    apply_elsewhere(&stage);
    let refused = stage.give("h.applicant", &id, "submit", json!({})).await;
    assert_eq!((code(refused), stage.events(&id).len()), (Code::NotReady, 1));
    let body = json!({ "terms": terms() });
    let call = stage.call("h.applicant");
    let refused = applications::draft(&stage.gateway, &call, asked(&body)).await;
    assert_eq!(code(refused), Code::NotReady);
    stage.gateway.take_up_changes().await.unwrap();
    stage.all(&id, &[("h.applicant", "submit"), ("h.lead", "consent")]).await;
    stage.drafted().await;
}
