//! The ways that an application can go.

use super::*;
use crate::store::state::grants::GrantState;

#[tokio::test]
async fn from_a_draft_to_a_grant_that_stands_in_the_table_of_grants() {
    let stage = Stage::new().await;
    let id = stage.drafted().await;
    assert_eq!(id, "A-2026-000001");
    assert_eq!(stage.state(&id), "draft");
    stage.all(&id, &[("h.applicant", "submit"), ("h.lead", "consent")]).await;
    assert_eq!(stage.state(&id), "in-review");
    stage.all(&id, &VOTES).await;
    assert_eq!(stage.state(&id), "offered");
    assert!(stage.store().grants().unwrap().is_empty(), "an offer gives nothing yet");
    let given = stage.all(&id, &[("h.lead", "accept")]).await;
    assert_eq!((given.state.as_str(), given.grant.as_deref()), ("active", Some("G-2026-000001")));

    let grants = stage.store().grants().unwrap();
    assert_eq!(grants.len(), 1);
    assert_eq!((grants[0].id.as_str(), grants[0].state), ("G-2026-000001", GrantState::Active));
    let offer = stage.application(&id).unwrap().offer.unwrap();
    assert_eq!(grants[0].digest, offer.revision().as_str());
    assert_eq!(
        stage.events(&id),
        ["drafted", "submitted", "consented", "approved", "approved", "approved", "offered", "accepted"]
    );
    assert_eq!(stage.drafted().await, "A-2026-000002");
}

#[tokio::test]
async fn every_event_has_its_record_in_the_log_before_the_answer() {
    let stage = Stage::new().await;
    let id = stage.active().await;
    let id = ApplicationId::parse(&id).unwrap();
    let records = stage.store().event_records(&id).unwrap();
    assert_eq!(records.len(), 8);
    assert!(records.iter().all(Option::is_some), "{records:?}");
    assert!(records.is_sorted());
    assert!(stage.store().pending_acts(10).unwrap().is_empty());
    // What somebody wrote stands in the application, and nowhere in the log.
    let index = records[0].unwrap();
    let leaf = stage.gateway.log.read(move |log| log.record(index)).await.unwrap().unwrap().leaf;
    assert!(leaf.contains("application-drafted") && leaf.contains("A-2026-000001"), "{leaf}");
    assert!(!leaf.contains("公租房"), "{leaf}");
}

#[tokio::test]
async fn it_is_sent_back_once_with_everything_that_is_missing() {
    let stage = Stage::new().await;
    let id = stage.in_review().await;
    stage.all(&id, &[("c.head", "approve")]).await;
    let missing = json!({ "missing": [{ "pointer": "/scope", "note": "请写明使用人员" }] });
    stage.give("c.leader", &id, "return", missing.clone()).await.unwrap();
    assert_eq!(stage.state(&id), "returned");
    let mut better = terms();
    better["scope"] = json!("住房保障科经办人员三名");
    stage.give("h.applicant", &id, "revise", json!({ "terms": better })).await.unwrap();
    stage.all(&id, &[("h.applicant", "submit"), ("h.lead", "consent")]).await;
    assert!(stage.application(&id).unwrap().votes.is_empty(), "a new revision voids all votes");
    assert_eq!(code(stage.give("c.leader", &id, "return", missing).await), Code::WrongState);
}

#[tokio::test]
async fn a_refusal_names_a_reason_of_the_catalogue_and_cites_the_law() {
    let stage = Stage::new().await;
    let id = stage.in_review().await;
    let refuse =
        |reason: &str| json!({ "reason": reason, "basis": "个人信息保护法第六条", "note": "超出所需" });
    let error = stage.give("c.lead", &id, "refuse", refuse("incomplete")).await.unwrap_err();
    assert_eq!((error.code, error.invalid[0].pointer.as_str()), (Code::InvalidRequest, "/reason"));
    assert_eq!(code(stage.give("c.head", &id, "refuse", refuse("beyond-need")).await), Code::Forbidden);
    stage.give("c.lead", &id, "refuse", refuse("beyond-need")).await.unwrap();
    assert_eq!(stage.state(&id), "refused");
    assert_eq!(code(stage.give("h.lead", &id, "accept", json!({})).await), Code::WrongState);
}

#[tokio::test]
async fn a_counter_offer_gives_less_and_never_more() {
    let stage = Stage::new().await;
    let id = stage.in_review().await;
    stage.all(&id, &VOTES[..2]).await;
    let mut less = terms();
    less["per_day"] = json!(300);
    let error = stage.give("c.lead", &id, "counter", json!({ "terms": less })).await.unwrap_err();
    assert_eq!(error.code, Code::InvalidRequest);
    less["per_day"] = json!(50);
    less["distinct_per_day"] = json!(50);
    stage.give("c.lead", &id, "counter", json!({ "terms": less })).await.unwrap();
    let given = stage.all(&id, &[("h.lead", "accept")]).await;
    assert_eq!(given.state, "active");
    assert!(stage.store().grants().unwrap()[0].terms.contains("\"per_day\":50"));
}

#[tokio::test]
async fn what_a_voter_leaves_out_is_not_offered() {
    let stage = Stage::new().await;
    let id = stage.in_review().await;
    let without =
        json!({ "without": [{ "field": "approved_on", "reason": "beyond-need", "note": "与资格无关" }] });
    stage.give("c.head", &id, "approve", without).await.unwrap();
    stage.all(&id, &[("c.leader", "approve"), ("c.lead", "approve")]).await;
    let offer = stage.application(&id).unwrap().offer.unwrap();
    let fields: Vec<&str> = offer.fields.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(fields, ["monthly_allowance"]);
}

#[tokio::test]
async fn it_can_be_taken_back_until_it_is_accepted_and_a_declined_offer_is_closed() {
    let stage = Stage::new().await;
    let id = stage.in_review().await;
    stage.all(&id, &[("h.applicant", "withdraw")]).await;
    assert_eq!(stage.state(&id), "withdrawn");
    let id = stage.in_review().await;
    stage.all(&id, &VOTES).await;
    stage.give("h.lead", &id, "decline", json!({ "note": "另有来源" })).await.unwrap();
    assert_eq!(stage.state(&id), "closed");
    assert!(stage.store().grants().unwrap().is_empty());
}

#[tokio::test]
async fn more_time_needs_the_supervising_department() {
    let stage = Stage::new().await;
    let id = stage.in_review().await;
    let due = |stage: &Stage| {
        let application = stage.application(&id).unwrap();
        application.due(&stage.gateway.world().workflow, stage.clock.now()).unwrap().due.day.to_string()
    };
    assert_eq!(due(&stage), "2026-12-07");
    stage.give("c.lead", &id, "extend", json!({ "days": 3, "note": "需内部会商" })).await.unwrap();
    assert_eq!(due(&stage), "2026-12-07", "to ask is not to have");
    assert_eq!(code(stage.give("c.lead", &id, "grant-extension", json!({})).await), Code::Forbidden);
    stage.all(&id, &[("o.coordinator", "grant-extension")]).await;
    assert_eq!(due(&stage), "2026-12-10");
}

#[tokio::test]
async fn a_grant_is_suspended_by_one_resumed_by_two_and_revoked_for_good() {
    let stage = Stage::new().await;
    let id = stage.active().await;
    let note = || json!({ "note": "发现超范围使用" });
    let standing = || stage.store().grants().unwrap().first().map(|grant| grant.state);
    stage.give("o.security", &id, "suspend", note()).await.unwrap();
    assert_eq!(standing(), Some(GrantState::Suspended));
    stage.all(&id, &[("c.lead", "resume")]).await;
    assert_eq!(standing(), Some(GrantState::Suspended), "one is not enough");
    assert_eq!(code(stage.give("c.lead", &id, "resume", json!({})).await), Code::NotSeparate);
    stage.all(&id, &[("c.leader", "resume")]).await;
    assert_eq!(standing(), Some(GrantState::Active));
    assert_eq!(code(stage.give("h.lead", &id, "revoke", note()).await), Code::Forbidden);
    stage.give("c.lead", &id, "revoke", note()).await.unwrap();
    assert_eq!(standing(), None);
    assert_eq!(code(stage.give("c.lead", &id, "resume", json!({})).await), Code::WrongState);
}

#[tokio::test]
async fn a_command_is_for_the_version_that_its_sender_saw() {
    let stage = Stage::new().await;
    let id = stage.drafted().await;
    let stale = json!({ "version": 1 });
    stage.send("h.applicant", &id, "submit", &stale).await.unwrap();
    assert_eq!(code(stage.send("h.lead", &id, "consent", &stale).await), Code::VersionMismatch);
    assert_eq!(stage.state(&id), "consent");
}

#[tokio::test]
async fn nobody_decides_twice_by_another_account_or_a_lent_role() {
    let stage = Stage::new().await;
    // The section head has a second account, as leader.
    stage.enrol("c.head-too", "c.head", "civil", &[Role::Leader, Role::SharingLead]);
    // The applicant has an account at the provider.
    stage.enrol("c.newcomer", "h.applicant", "civil", &[Role::SectionHead]);
    let id = stage.in_review().await;
    assert_eq!(code(stage.give("c.newcomer", &id, "approve", json!({})).await), Code::NotSeparate);
    stage.all(&id, &[("c.head", "approve")]).await;
    assert_eq!(code(stage.give("c.head-too", &id, "approve", json!({})).await), Code::NotSeparate);

    // The leader lends the role to the section head: one person, two quorums.
    let lend = json!({
        "to": "c.head", "role": "leader", "since": "2026-11-23T00:00:00Z", "until": "2026-11-30T00:00:00Z"
    });
    crate::app::delegations::give(&stage.gateway, &stage.call("c.leader"), asked(&lend)).await.unwrap();
    let by_loan = json!({ "as": { "role": "leader", "for_account": "c.leader" } });
    assert_eq!(code(stage.give("c.head", &id, "approve", by_loan).await), Code::NotSeparate);
}

#[tokio::test]
async fn a_lent_role_is_used_while_it_is_lent_and_not_longer() {
    let stage = Stage::new().await;
    stage.enrol("c.deputy", "c.deputy", "civil", &[Role::Applicant]);
    let lend =
        |role: &str| json!({ "to": "c.deputy", "role": role, "since": NOW, "until": "2026-11-27T00:00:00Z" });
    let give = async |who: &str, role: &str| {
        crate::app::delegations::give(&stage.gateway, &stage.call(who), asked(&lend(role))).await
    };
    assert_eq!(code(give("c.head", "sharing_lead").await), Code::InvalidRequest, "a role that one has not");
    assert_eq!(code(give("h.lead", "sharing_lead").await), Code::InvalidRequest, "to another department");
    let lent = give("c.head", "section_head").await.unwrap();
    let id = stage.in_review().await;
    let by_loan = || json!({ "as": { "role": "section_head", "for_account": "c.head" } });
    let view = applications::get(&stage.gateway, &stage.call("c.deputy"), &id, Lang::En).await.unwrap();
    let can = view.can.iter().find(|can| can.command == "approve").unwrap();
    assert_eq!(can.for_account.as_deref(), Some("c.head"));
    stage.give("c.deputy", &id, "approve", by_loan()).await.unwrap();

    let other = stage.in_review().await;
    let take = async |who: &str| {
        let number = lent.delegation.to_string();
        crate::app::delegations::take_back(&stage.gateway, &stage.call(who), &number).await
    };
    assert_eq!(code(take("c.deputy").await), Code::NotFound, "it is the lender's to take back");
    take("c.head").await.unwrap();
    assert_eq!(code(take("c.head").await), Code::NotFound, "once");
    assert_eq!(code(stage.give("c.deputy", &other, "approve", by_loan()).await), Code::Forbidden);

    give("c.head", "section_head").await.unwrap();
    stage.at("2026-11-27T00:00:00Z");
    assert_eq!(code(stage.give("c.deputy", &other, "approve", by_loan()).await), Code::Forbidden);
    stage.give("c.head", &other, "approve", json!({})).await.unwrap();
}

#[tokio::test]
async fn a_grant_of_the_files_is_suspended_and_resumed_like_any_other() {
    let stage = Stage::new().await;
    let grant = "G-2026-0002";
    let view = applications::get_grant(&stage.gateway, &stage.call("c.lead"), grant).await.unwrap();
    assert_eq!((view.state.as_str(), view.version), ("active", 2));
    let suspend = json!({ "version": view.version, "note": "发现超范围使用" });
    let command = async |who: &str, name: &str, body: Value| {
        applications::command_grant(&stage.gateway, &stage.call(who), grant, name, asked(&body)).await
    };
    let given = command("c.lead", "suspend", suspend.clone()).await.unwrap();
    assert_eq!((given.state.as_str(), given.version), ("suspended", 3));
    assert_eq!(given.grant.as_deref(), Some(grant));
    let stored = stage.store().grants().unwrap();
    assert_eq!((stored[0].id.as_str(), stored[0].state), (grant, GrantState::Suspended));
    assert_eq!(stage.events(grant), ["drafted", "accepted", "suspended"]);
    assert_eq!(code(command("c.lead", "suspend", suspend).await), Code::VersionMismatch);
    command("c.lead", "resume", json!({ "version": 3 })).await.unwrap();
    let given = command("c.leader", "resume", json!({ "version": 4 })).await.unwrap();
    assert_eq!(given.state, "active");
    assert_eq!(code(command("c.lead", "approve", json!({ "version": 5 })).await), Code::NotFound);
}
