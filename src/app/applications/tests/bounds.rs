//! What nobody can have without end, and what a command still rests on when it is carried out.

use super::*;
use crate::app::people;
use crate::store::state::Change;

#[tokio::test]
async fn one_person_has_fifty_drafts_and_leaves_room_for_the_colleagues() {
    let stage = Stage::new().await;
    let body = json!({ "terms": terms() });
    let draft = async |who: &str| {
        applications::draft(&stage.gateway, &stage.call(who), asked(&body))
            .await
            .map(|given| given.application)
    };
    let mut drafts = Vec::new();
    for _ in 0..50 {
        drafts.push(draft("h.applicant").await.unwrap());
    }
    assert_eq!(code(draft("h.applicant").await), Code::TooManyDrafts);
    // Nor by another account.
    stage.enrol("h.again", "h.applicant", "housing", &[Role::Applicant]);
    assert_eq!(code(draft("h.again").await), Code::TooManyDrafts);
    stage.enrol("h.other", "h.other", "housing", &[Role::Applicant]);
    draft("h.other").await.unwrap();
    stage.all(&drafts[0], &[("h.applicant", "withdraw")]).await;
    draft("h.applicant").await.unwrap();
    assert_eq!(code(draft("h.applicant").await), Code::TooManyDrafts);
}

#[tokio::test]
async fn who_lost_the_role_while_the_body_came_changes_no_account() {
    let stage = Stage::new().await;
    stage.enrol("o.second", "o.second", "audit", &[Role::SecurityAdmin]);
    stage.gateway.in_force().await.unwrap();
    let role = json!({ "role": "leader" });
    let give = async |call: &Call<PersonCaller>| {
        people::command(&stage.gateway, call, "m.applicant", "give-role", asked(&role)).await
    };
    // The request has begun, and the account is what it was then.
    let [first, second] = ["o.security", "o.second"].map(|name| stage.call(name));
    let id = |name: &str| AccountId::parse(name).unwrap();
    let now = stage.clock.now();
    for (name, change) in
        [("o.security", Change::WithdrawRole(Role::SecurityAdmin)), ("o.second", Change::Disable)]
    {
        assert_eq!(stage.store().change_account(&id(name), &change, "sys", now).unwrap(), Some(Changed::Yes));
    }
    assert_eq!(code(give(&first).await), Code::Forbidden);
    assert_eq!(code(give(&second).await), Code::SignInRequired);
    let roles = stage.store().account(&id("m.applicant")).unwrap().unwrap().account.roles;
    assert_eq!(roles, [Role::Applicant]);
    let back = Change::GiveRole(Role::SecurityAdmin);
    stage.store().change_account(&id("o.security"), &back, "sys", now).unwrap();
    assert_eq!(code(give(&first).await), Code::Ok);
}
