//! An application and its events, as the interface shows them.

use serde_json::Value;

use super::view::{
    ActorView, ApplicationView, CanView, EventView, LeftOutView, PreviousView, StageView, ToxicView,
    VoteView, WaitingView,
};
use crate::app::world::World;
use crate::approval::application::{Application, State};
use crate::approval::event::{Actor, Event, LeftOut, What};
use crate::base::{Code, Error, Lang, Result, Timestamp};

/// A ring of two is shown to who reads all, and not to the two.
pub(super) fn for_auditors(event: &Event) -> bool {
    matches!(event.what, What::RingFlagged { .. })
}

pub(super) fn event_view(event: &Event, record: Option<u64>) -> Result<EventView> {
    let what = serde_json::to_value(&event.what).map_err(|e| Error::new(Code::Internal).because(e))?;
    let Value::Object(mut detail) = what else { return Err(Code::Internal.into()) };
    let name = detail.remove("event");
    Ok(EventView {
        seq: event.seq,
        at: event.at.to_string(),
        by: actor(&event.by),
        event: name.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
        detail,
        record,
    })
}

fn actor(by: &Actor) -> ActorView {
    match by {
        Actor::Person { account, department, role, for_account, .. } => ActorView {
            account: Some(account.to_string()),
            department: Some(department.to_string()),
            role: Some(role.as_str().to_owned()),
            for_account: for_account.as_ref().map(ToString::to_string),
        },
        Actor::Timer => ActorView { account: None, department: None, role: None, for_account: None },
    }
}

/// One application.
pub(super) fn describe(
    world: &World,
    application: &Application,
    now: Timestamp,
    lang: Lang,
    can: Vec<CanView>,
    previous: Vec<PreviousView>,
) -> Result<ApplicationView> {
    let dataset = world.catalogue.datasets.get(&application.terms.dataset);
    let title = |name: &String| {
        let known = world.workflow.toxic.iter().find(|toxic| toxic.name == *name);
        known.map(|toxic| toxic.title.lang(lang).to_owned()).unwrap_or_default()
    };
    let toxic = application.toxic.iter().map(|name| ToxicView { name: name.clone(), title: title(name) });
    let granted = application.granted_at().and_then(|_| application.grant_id());
    let open_extension = (application.state == State::InReview).then_some(application.progress.asked);
    Ok(ApplicationView {
        application: application.id.to_string(),
        version: application.version,
        state: application.state.as_str().to_owned(),
        requester: application.requester.to_string(),
        provider: application.provider.to_string(),
        dataset: application.terms.dataset.to_string(),
        dataset_title: dataset.map(|d| d.entry.title.lang(lang).to_owned()).unwrap_or_default(),
        terms: json(&application.terms)?,
        revision: application.revision.as_ref().map(|revision| revision.as_str().to_owned()),
        offer: application.offer.as_ref().map(json).transpose()?,
        toxic: toxic.collect(),
        stages: stages(world, application, lang),
        waiting: application.due(&world.workflow, now).map(|awaited| WaitingView {
            department: awaited.department.to_string(),
            roles: awaited.roles.iter().map(|role| role.as_str().to_owned()).collect(),
            due: awaited.due.day.to_string(),
            working_days_left: awaited.left,
            provisional: awaited.due.provisional,
        }),
        extension_asked: open_extension.flatten(),
        can,
        renews: application.renews.as_ref().map(ToString::to_string),
        grant: granted.map(|id| id.to_string()),
        previous,
    })
}

/// As JSON.
pub(super) fn json(value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| Error::new(Code::Internal).because(e))
}

/// The stages, with the votes for the revision under review.
fn stages(world: &World, application: &Application, lang: Lang) -> Vec<StageView> {
    let left_out = |out: &LeftOut| LeftOutView {
        field: out.field.to_string(),
        reason: out.reason.clone(),
        reason_title: world
            .workflow
            .reasons
            .get(&out.reason)
            .map(|reason| reason.title.lang(lang).to_owned())
            .unwrap_or_default(),
        note: out.note.clone(),
    };
    let handed_in = application.events.iter().rposition(|e| matches!(e.what, What::Submitted { .. }));
    let current = application.events.iter().skip(handed_in.unwrap_or(usize::MAX));
    let vote =
        |at: usize| move |event: &&Event| matches!(&event.what, What::Approved { stage, .. } if *stage == at);
    let view = |event: &Event| VoteView {
        by: actor(&event.by),
        at: event.at.to_string(),
        without: match &event.what {
            What::Approved { without, .. } => without.iter().map(left_out).collect(),
            _ => Vec::new(),
        },
    };
    let stages = application.stages.iter().enumerate();
    stages
        .map(|(at, stage)| StageView {
            roles: stage.roles.iter().map(|role| role.as_str().to_owned()).collect(),
            votes: current.clone().filter(vote(at)).map(view).collect(),
        })
        .collect()
}
