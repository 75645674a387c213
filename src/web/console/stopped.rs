//! Stopping what has to be stopped at once: a system, an operator, a grant; and letting it go on.
//!
//! Invariant: the same commands as everywhere, with the same checks; one person stops, two let go on. A
//! grant is stopped in the version that was shown.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::asked::Asked;
use super::form::{Form, Posted, number};
use super::frame::{Frame, go_on};
use super::pages::{Page, Who, get, post};
use super::places::Places;
use super::viewer::Viewer;
use crate::app::applications::view::GrantView;
use crate::app::applications::{self, Asked as Order};
use crate::app::call::{Call, Known, PersonCaller};
use crate::app::suspensions::{self, REASONS, RESUME, Resumed, Stopped, Suspension, Voice, Whom};
use crate::base::ids::DepartmentId;
use crate::base::{Code, Error, Result};
use crate::catalogue::reference;
use crate::identity::{Registry, System};
use crate::policy::{Action, Policy};
use crate::web::api::to_its_end;
use crate::web::server::Worker;

/// Where it is.
pub const PATH: &str = "/console/security/stopped";
const STOPS: Who = Who::May(&[Action::CallersSuspend]);
/// What the form has in the place of a department for all of them. It is no department's id.
const EVERYWHERE: &str = "*";

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get(PATH, Who::May(&[Action::OverviewRead, Action::CallersResume]), || web::to(show)),
    post("/console/security/stopped/suspend", STOPS, || web::to(suspend)),
    post("/console/security/stopped/resume", Who::May(&RESUME), || web::to(resume)),
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
    /// The departments that have systems: those that operators can be stopped in.
    departments: Vec<(String, String)>,
    /// The grant that is meant, as it stands.
    grant: Option<GrantView>,
    reasons: [&'static str; 4],
    /// Does the viewer see the overview, which leads here?
    oversees: bool,
    may_stop: bool,
    voice: Option<Voice>,
    account: String,
}

impl StoppedPage<'_> {
    /// Can the viewer say now that it may go on?
    fn may_resume(&self, suspension: &Suspension) -> bool {
        match (self.voice, suspension.resuming.as_deref()) {
            (Some(_), Some(first)) => first != self.account,
            (voice, None) => voice == Some(Voice::Either),
            (None, Some(_)) => false,
        }
    }

    /// The dataset that the grant which is meant is for.
    fn granted(&self, grant: &GrantView) -> String {
        self.places.dataset(grant.terms.get("dataset").and_then(|id| id.as_str()).unwrap_or_default())
    }

    fn can_stop(&self, grant: &GrantView) -> bool {
        grant.can.iter().any(|can| can.command == "suspend")
    }
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
    let oversees = call.caller.may(&world.policy, Action::OverviewRead);
    let voice = suspensions::voice(&call.caller.account, &world.policy);
    let account = call.caller.account.id.to_string();
    let mut meant = Meant::of(&Asked::of(&req), &world.registry, worker.gateway.now().day());
    let (held, wanted) = (worker.clone(), meant.grant.clone().filter(|_| may_stop));
    let (stopped, grant) = to_its_end(async move {
        let stopped = suspensions::list(&held.gateway, &call).await?;
        Ok((stopped, meant_grant(&held, &call, wanted).await?))
    })
    .await?;
    // Of one that there is not, nothing is filled in.
    if may_stop && grant.is_none() {
        meant.unknown |= meant.grant.take().is_some();
    }
    let title = |system: &System| system.title.lang(frame.m.lang()).to_owned();
    let of_department = |system: &&Arc<System>| {
        meant.department.as_deref().is_none_or(|department| system.department.as_str() == department)
    };
    let systems = world.registry.systems().filter(of_department);
    let systems = systems.map(|system| (system.id.to_string(), title(system))).collect();
    let places = Places::of(&worker.gateway, frame.m.lang());
    let departments: BTreeSet<_> = world.registry.systems().map(|s| s.department.as_str()).collect();
    let departments = departments.into_iter().map(|id| (id.to_owned(), places.department(id))).collect();
    frame.page(&StoppedPage {
        frame,
        places,
        meant,
        stopped,
        systems,
        departments,
        grant,
        reasons: REASONS,
        oversees,
        may_stop,
        voice,
        account,
    })
}

/// The grant that is meant, if there is such a one.
async fn meant_grant(
    worker: &Worker,
    call: &Call<PersonCaller>,
    id: Option<String>,
) -> Result<Option<GrantView>> {
    let Some(id) = id else { return Ok(None) };
    match applications::get_grant(&worker.gateway, call, &id).await {
        Ok(grant) => Ok(Some(grant)),
        Err(error) if error.code == Code::NotFound => Ok(None),
        Err(other) => Err(other),
    }
}

/// Whom a form names.
fn whom(form: &Form) -> Result<Whom> {
    let name = form.value("name");
    match Stopped::of(form.value("what")).ok_or(Code::NotFound)? {
        Stopped::System => Ok(Whom::system(name)),
        Stopped::Operator => match form.value("department") {
            EVERYWHERE => Ok(Whom::operator(name, None)),
            id => Ok(Whom::operator(name, Some(DepartmentId::parse(id).ok_or(Code::NotFound)?))),
        },
    }
}

async fn suspend(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let form = posted.read(&frame).await?;
    let whom = whom(&form)?;
    to_its_end(async move { suspensions::suspend(&worker.gateway, &call, whom, form.value("reason")).await })
        .await?;
    go_on(PATH, Some("caller-suspended"))
}

async fn resume(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let whom = whom(&posted.read(&frame).await?)?;
    let story = async move { suspensions::resume(&worker.gateway, &call, whom).await };
    let said = match to_its_end(story).await? {
        Resumed::Done => "caller-resumed",
        _ => "caller-resume-asked",
    };
    go_on(PATH, Some(said))
}

/// Suspends a grant in the version that was shown. Where only its number was typed, it is shown first.
async fn grant(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let form = posted.read(&frame).await?;
    let id = form.value("grant").trim().trim_start_matches("grant:").to_owned();
    if !form.sent("version") {
        // What is no reference does not get into an address: it might be a person's number.
        reference::check(&id, worker.gateway.now().day()).map_err(|_| Code::NotFound)?;
        let shown: Asked = [("grant", &id)].into_iter().collect();
        return go_on(&format!("{}#grant", shown.at(PATH)), None);
    }
    to_its_end(async move {
        let body =
            serde_json::json!({ "version": number(form.value("version")), "note": form.value("note") });
        let body = serde_json::to_vec(&body).map_err(|e| Error::new(Code::Internal).because(e));
        let order = Order { body, key: form.key(), if_match: None };
        applications::command_grant(&worker.gateway, &call, &id, "suspend", order).await
    })
    .await?;
    go_on(PATH, Some("suspend"))
}
