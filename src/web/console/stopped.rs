//! Stopping what has to be stopped at once: a system, an operator, a grant; and letting it go on.
//!
//! Invariant: the same commands as everywhere, with the same checks; one person stops, two let go on.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::asked::Asked;
use super::form::{Form, Posted};
use super::frame::{Frame, go_on};
use super::pages::{Page, Who, get, post};
use super::places::Places;
use super::viewer::Viewer;
use crate::app::applications::{self, Asked as Order};
use crate::app::call::Known;
use crate::app::suspensions::{self, REASONS, Resumed, Stopped, Suspension};
use crate::base::{Code, Error, Result};
use crate::catalogue::reference;
use crate::identity::{Registry, System};
use crate::policy::{Action, Policy};
use crate::web::api::to_its_end;
use crate::web::server::Worker;

const PATH: &str = "/console/security/stopped";
const STOPS: Who = Who::May(&[Action::CallersSuspend]);

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get(PATH, Who::May(&[Action::OverviewRead]), || web::to(show)),
    post("/console/security/stopped/suspend", STOPS, || web::to(suspend)),
    post("/console/security/stopped/resume", STOPS, || web::to(resume)),
    post("/console/security/stopped/grant", STOPS, || web::to(grant)),
];

#[derive(Template)]
#[template(path = "stopped.html")]
struct StoppedPage<'a> {
    frame: &'a Frame,
    places: Places,
    meant: Meant,
    stopped: Vec<Suspension>,
    systems: Vec<(String, String)>,
    reasons: [&'static str; 4],
    may_stop: bool,
    account: String,
}

/// Who or what the officer came to stop, from where the trouble was seen.
#[derive(Debug, Default, PartialEq, Eq)]
struct Meant {
    department: Option<String>,
    system: Option<String>,
    operator: Option<String>,
    grant: Option<String>,
    /// Something was meant that there is not, or that cannot be: nothing is filled in for it.
    unknown: bool,
    /// Where the page is that was opened so, for who can stop it.
    address: Option<String>,
}

impl Meant {
    /// Of the parameters of the page: only what is known, or has the form of such a thing.
    fn of(asked: &Asked, registry: &Registry, today: time::Date) -> Self {
        let known = |name: &str, is_known: &dyn Fn(&str) -> bool| {
            let given = asked.value(name).trim_start_matches("grant:");
            is_known(given).then(|| given.to_owned())
        };
        let is_reference = |text: &str| reference::check(text, today).is_ok();
        let asks = |id: &str| registry.systems().any(|system| system.department.as_str() == id);
        let department = known("department", &asks);
        let system = known("system", &|id| registry.system(id).is_some());
        let (operator, grant) = (known("operator", &is_reference), known("grant", &is_reference));
        let all =
            [("department", &department), ("system", &system), ("operator", &operator), ("grant", &grant)];
        let unknown = all.iter().any(|(name, value)| value.is_none() && !asked.value(name).is_empty());
        let known: Asked = all.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        let address = (known != Asked::default()).then(|| known.at(PATH));
        Self { department, system, operator, grant, unknown, address }
    }

    fn is(&self, meant: &Option<String>, name: &str) -> bool {
        meant.as_deref() == Some(name)
    }
}

/// What a link is called that leads here from where the trouble is seen; none for who may not come.
pub fn leads(caller: &impl Known, policy: &Policy) -> Option<&'static str> {
    if caller.may(policy, Action::CallersSuspend) {
        return Some("stopped.suspend");
    }
    caller.may(policy, Action::OverviewRead).then_some("stopped.how")
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let frame = &*frame;
    let world = worker.gateway.world();
    let may_stop = call.caller.may(&world.policy, Action::CallersSuspend);
    let account = call.caller.account.id.to_string();
    let held = worker.clone();
    let stopped = to_its_end(async move { suspensions::list(&held.gateway, &call).await }).await?;
    let title = |system: &System| system.title.lang(frame.m.lang()).to_owned();
    let meant = Meant::of(&Asked::of(&req), &world.registry, worker.gateway.now().day());
    let of_department = |system: &&Arc<System>| {
        meant.department.as_deref().is_none_or(|department| system.department.as_str() == department)
    };
    let systems = world.registry.systems().filter(of_department);
    let systems = systems.map(|system| (system.id.to_string(), title(system))).collect();
    frame.page(&StoppedPage {
        frame,
        places: Places::of(&worker.gateway, frame.m.lang()),
        meant,
        stopped,
        systems,
        reasons: REASONS,
        may_stop,
        account,
    })
}

fn what(form: &Form) -> Result<Stopped> {
    let named = Stopped::ALL.into_iter().find(|what| what.as_str() == form.value("what"));
    named.ok_or_else(|| Code::NotFound.into())
}

async fn suspend(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let form = posted.read(&frame).await?;
    let what = what(&form)?;
    to_its_end(async move {
        let (name, reason) = (form.value("name"), form.value("reason"));
        suspensions::suspend(&worker.gateway, &call, what, name, reason).await
    })
    .await?;
    go_on(PATH, Some("caller-suspended"))
}

async fn resume(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let form = posted.read(&frame).await?;
    let what = what(&form)?;
    let story = async move { suspensions::resume(&worker.gateway, &call, what, form.value("name")).await };
    let said = match to_its_end(story).await? {
        Resumed::Done => "caller-resumed",
        _ => "caller-resume-asked",
    };
    go_on(PATH, Some(said))
}

/// Suspends a grant at the version that it has now: who stops something need not have read it all.
async fn grant(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let form = posted.read(&frame).await?;
    to_its_end(async move {
        let id = form.value("grant").trim_start_matches("grant:");
        let version = applications::get_grant(&worker.gateway, &call, id).await?.version;
        let body = serde_json::json!({ "version": version, "note": form.value("note") });
        let body = serde_json::to_vec(&body).map_err(|e| Error::new(Code::Internal).because(e));
        let order = Order { body, key: form.key(), if_match: None };
        applications::command_grant(&worker.gateway, &call, id, "suspend", order).await
    })
    .await?;
    go_on(PATH, Some("suspend"))
}
