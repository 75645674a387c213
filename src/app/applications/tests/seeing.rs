//! Who sees what, and what they may do.

use super::*;
use crate::app::applications::{GrantsPage, Search};
use crate::approval::State;

async fn list(stage: &Stage, who: &str, search: Search) -> Result<Vec<String>, Error> {
    let page = applications::list(&stage.gateway, &stage.call(who), Ok(search)).await?;
    Ok(page.applications.into_iter().map(|line| line.application).collect())
}

fn waiting() -> Search {
    Search { waiting: Some(applications::WaitingFor::Me), ..Search::default() }
}

#[tokio::test]
async fn both_sides_and_who_looks_after_the_whole_see_it_and_for_others_there_is_none() {
    let stage = Stage::new().await;
    let id = stage.in_review().await;
    for who in ["h.applicant", "h.lead", "c.head", "o.auditor", "o.security", "o.coordinator"] {
        let seen = applications::get(&stage.gateway, &stage.call(who), &id, Lang::En).await;
        assert_eq!(code(seen), Code::Ok, "{who}");
        assert_eq!(list(&stage, who, Search::default()).await.unwrap(), [id.as_str()], "{who}");
    }
    let stranger = stage.call("m.applicant");
    assert_eq!(code(applications::get(&stage.gateway, &stranger, &id, Lang::En).await), Code::NotFound);
    assert_eq!(code(applications::events(&stage.gateway, &stranger, &id, Ok(0)).await), Code::NotFound);
    assert_eq!(code(stage.give("m.applicant", &id, "comment", json!({ "text": "x" })).await), Code::NotFound);
    assert!(list(&stage, "m.applicant", Search::default()).await.unwrap().is_empty());
    let housing = Search { department: DepartmentId::parse("housing"), ..Search::default() };
    assert_eq!(code(list(&stage, "m.applicant", housing.clone()).await), Code::Forbidden);
    assert_eq!(list(&stage, "o.auditor", housing).await.unwrap(), [id]);
    for id in ["A-2026-000099", "A-2026-1", "110105194912310020", "../x", "G-2026-000099"] {
        let told = applications::get(&stage.gateway, &stage.call("o.auditor"), id, Lang::En).await;
        assert_eq!(code(told), Code::NotFound, "{id}");
    }
}

#[tokio::test]
async fn what_waits_for_a_role_is_listed_for_it() {
    let stage = Stage::new().await;
    let id = stage.drafted().await;
    let waits = async |who: &str| list(&stage, who, waiting()).await.unwrap().len();
    assert_eq!((waits("h.applicant").await, waits("h.lead").await), (1, 0));
    stage.all(&id, &[("h.applicant", "submit")]).await;
    assert_eq!((waits("h.applicant").await, waits("h.lead").await), (0, 1));
    stage.all(&id, &[("h.lead", "consent")]).await;
    assert_eq!((waits("h.lead").await, waits("c.head").await, waits("c.leader").await), (0, 1, 0));
    stage.give("c.lead", &id, "extend", json!({ "days": 3, "note": "需会商" })).await.unwrap();
    assert_eq!((waits("c.head").await, waits("o.coordinator").await), (1, 1));
    stage.all(&id, &[("o.coordinator", "grant-extension"), ("c.head", "approve")]).await;
    assert_eq!((waits("c.head").await, waits("c.leader").await, waits("o.coordinator").await), (0, 1, 0));
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let stage = Stage::new().await;
    for _ in 0..7 {
        stage.drafted().await;
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let search = Search { before, limit: Some(3), state: Some(State::Draft), ..Search::default() };
        let page = applications::list(&stage.gateway, &stage.call("c.head"), Ok(search)).await.unwrap();
        seen.extend(page.applications.into_iter().map(|line| line.application));
        before = page.next.and_then(|next| ApplicationId::parse(&next));
        if before.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (1..=7).rev().map(|number| format!("A-2026-{number:06}")).collect();
    assert_eq!(seen, expected);
    let too_many = Search { limit: Some(101), ..Search::default() };
    assert_eq!(code(list(&stage, "c.head", too_many).await), Code::InvalidRequest);
}

#[tokio::test]
async fn an_application_shows_its_votes_who_is_waited_for_and_what_the_reader_may_do() {
    let stage = Stage::new().await;
    let id = stage.in_review().await;
    stage.all(&id, &[("c.head", "approve")]).await;
    let view =
        async |who: &str| applications::get(&stage.gateway, &stage.call(who), &id, Lang::En).await.unwrap();
    let seen = view("c.leader").await;
    let waiting = seen.waiting.unwrap();
    assert_eq!((waiting.department.as_str(), waiting.roles), ("civil", vec!["leader".to_owned()]));
    assert_eq!(
        (waiting.due.as_str(), waiting.working_days_left, waiting.provisional),
        ("2026-12-07", 10, false)
    );
    assert_eq!(seen.stages[0].votes[0].by.account.as_deref(), Some("c.head"));
    assert!(seen.stages[1].votes.is_empty());
    let can: Vec<&str> = seen.can.iter().map(|can| can.command.as_str()).collect();
    assert!(can.contains(&"approve") && can.contains(&"return") && !can.contains(&"refuse"), "{can:?}");
    let can: Vec<String> = view("c.head").await.can.into_iter().map(|can| can.command).collect();
    assert!(!can.contains(&"approve".to_owned()), "a person counts once: {can:?}");
    assert!(view("o.auditor").await.can.is_empty());
    let text = serde_json::to_string(&view("h.lead").await).unwrap();
    assert!(!text.contains("person"), "personnel numbers stay inside: {text}");
}

#[tokio::test]
async fn events_are_paged_and_name_their_records() {
    let stage = Stage::new().await;
    let id = stage.in_review().await;
    for number in 0..110 {
        let who = ["h.applicant", "h.lead"][number % 2];
        stage.give(who, &id, "comment", json!({ "text": format!("第{number}条") })).await.unwrap();
    }
    let call = stage.call("c.head");
    let first = applications::events(&stage.gateway, &call, &id, Ok(0)).await.unwrap();
    assert_eq!((first.events.len(), first.next), (100, Some(100)));
    assert!(first.events.iter().all(|event| event.record.is_some()));
    assert_eq!(first.events[0].event, "drafted");
    let text = serde_json::to_string(&first).unwrap();
    assert!(!text.contains("\"person\""), "{text}");
    let second = applications::events(&stage.gateway, &call, &id, Ok(100)).await.unwrap();
    assert_eq!((second.events.len(), second.next, second.events[0].seq), (13, None, 101));
}

#[tokio::test]
async fn grants_are_listed_with_those_of_the_files() {
    let stage = Stage::new().await;
    stage.active().await;
    let list = async |who: &str, before: Option<String>, limit| {
        let page = GrantsPage { before, limit: Some(limit) };
        applications::list_grants(&stage.gateway, &stage.call(who), Ok(page)).await.unwrap()
    };
    let all = list("o.auditor", None, 100).await;
    let ids: Vec<&str> = all.grants.iter().map(|line| line.grant.as_str()).collect();
    assert!(ids.contains(&"G-2026-000001") && ids.contains(&"G-2026-0002"), "{ids:?}");
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = list("o.auditor", before, 2).await;
        paged.extend(page.grants.into_iter().map(|line| line.grant));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(paged, ids);
    let own = list("m.applicant", None, 100).await;
    assert!(own.grants.iter().all(|line| line.requester == "medical" || line.provider == "medical"));
    let hidden = applications::get_grant(&stage.gateway, &stage.call("m.applicant"), "G-2026-000001").await;
    assert_eq!(code(hidden), Code::NotFound);
}

#[tokio::test]
async fn a_secret_list_reads_like_one_that_is_not_there() {
    let stage = Stage::new().await;
    let draft = async |who: &str, dataset: &str, system: &str| {
        let mut body = json!({ "terms": terms() });
        body["terms"]["dataset"] = json!(dataset);
        body["terms"]["systems"] = json!([system]);
        let told = applications::draft(&stage.gateway, &stage.call(who), asked(&body)).await;
        told.unwrap_err().invalid
    };
    let secret = draft("h.applicant", "justice.custody", "housing.aid").await;
    assert_eq!(secret, draft("h.applicant", "justice.nothing", "housing.aid").await);
    // A department that may ask something of it may know of it.
    let known = draft("c.applicant", "justice.custody", "civil.benefits").await;
    assert!(known.iter().all(|fault| fault.pointer != "/terms/dataset"), "{known:?}");
}

#[tokio::test]
async fn what_waits_stands_by_its_last_day_and_pages_go_on_where_the_last_ended() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(stage.in_review().await);
    }
    // The first is given more time: it goes behind the others.
    stage.give("c.lead", &ids[0], "extend", json!({ "days": 3, "note": "需会商" })).await.unwrap();
    stage.give("o.coordinator", &ids[0], "grant-extension", json!({})).await.unwrap();
    let page = async |who: &str, after: Option<&str>| {
        applications::waiting(&stage.gateway, &stage.call(who), Ok(after.map(str::to_owned)), 2).await
    };
    let named = |page: &applications::Waiting| {
        page.applications.iter().map(|waiting| waiting.line.application.clone()).collect::<Vec<_>>()
    };
    let first = page("c.head", None).await.unwrap();
    assert_eq!(named(&first), ids[1..]);
    stage.all(&ids[2], &[("c.head", "approve")]).await;
    let second = page("c.head", first.next.as_deref()).await.unwrap();
    assert_eq!((named(&second), second.next), (vec![ids[0].clone()], None));
    assert!(page("h.lead", None).await.unwrap().applications.is_empty(), "nobody else's");
    assert_eq!(code(page("c.head", Some("2026")).await), Code::InvalidRequest);
    let number = applications::number_waiting(&stage.gateway, &stage.call("c.head"), 100).await.unwrap();
    assert_eq!(number, 2);
}
