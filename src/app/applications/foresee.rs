//! What an application would come to, before it is written: who would decide about it, and by when.
//!
//! Invariant: nothing is written and nothing is recorded, for nothing was done; the terms are checked
//! as a draft's are, by the same handler.

use std::sync::Arc;

use super::commands::visible;
use super::facts::{About, Gathered};
use super::view::{ForesightView, ToxicView};
use super::{blocking, body, reading};
use crate::app::call::{Call, Caller, PersonCaller};
use crate::app::gateway::Gateway;
use crate::app::world::World;
use crate::approval::facts::{By, Facts};
use crate::approval::{self, Terms, toxic};
use crate::base::{Code, Lang, Result, Timestamp};
use crate::policy::Action;

/// What the draft in `body` would come to.
///
/// # Errors
/// `forbidden`, recorded; the faults of the body.
pub async fn foresee(
    gateway: &Arc<Gateway>,
    call: &Call<PersonCaller>,
    body: Vec<u8>,
    lang: Lang,
) -> Result<ForesightView> {
    let (held, caller) = (Arc::clone(gateway), call.caller.clone());
    let seen = blocking(move || {
        let (world, now) = (held.world(), held.now());
        if !world.policy.person_may(&caller.account, Action::ApplicationsWrite) {
            return Err(Code::Forbidden.into());
        }
        let body::Draft { terms, acting, .. } = body::draft(&body)?;
        let account = Arc::clone(&caller.account);
        let gathered = Gathered::for_person(&held, &world, &account, About::New(None), now)?;
        let catalogue = visible(&world, &Caller::Person(caller), &terms.dataset);
        let facts = Facts { catalogue: &catalogue, ..gathered.facts(&world, now) };
        let by = By::Person { account: &account, acting: &acting };
        approval::draft(terms.clone(), None, &by, &facts)?;
        Ok(view(&world, &terms, &facts, now, lang))
    });
    match seen.await {
        Err(error) if error.code == Code::Forbidden => reading::refuse(gateway, call, error).await,
        seen => seen,
    }
}

fn view(world: &World, terms: &Terms, facts: &Facts<'_>, now: Timestamp, lang: Lang) -> ForesightView {
    let workflow = &world.workflow;
    let answer_days = workflow.answer_days(terms, &world.catalogue);
    let due = workflow.calendar.due(now.day(), answer_days, &[]);
    let stages = workflow.stages(terms, &world.catalogue);
    let found = toxic::found(terms, facts.in_force, &world.catalogue, workflow);
    ForesightView {
        stages: stages
            .iter()
            .map(|s| s.roles.iter().map(|role| role.as_str().to_owned()).collect())
            .collect(),
        answer_days,
        due: due.day.to_string(),
        provisional: due.provisional,
        toxic: found
            .iter()
            .map(|toxic| ToxicView { name: toxic.name.clone(), title: toxic.title.lang(lang).to_owned() })
            .collect(),
    }
}
