//! Grants: what one's department has, how much of it is used, until when, and how it is asked.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::frame::Frame;
use super::pages::{Page, Who, get};
use super::places::{Places, day};
use super::terms;
use super::viewer::Viewer;
use super::ways;
use crate::app::applications::view::GrantView;
use crate::app::applications::{self, GrantsPage};
use crate::base::{Code, Result, Timestamp};
use crate::policy::Action;
use crate::web::api::{parameters, to_its_end};
use crate::web::server::Worker;

/// Grants on a page: each is read with its terms and its use.
const MOST: usize = 20;
/// Days before its end from which on a grant is shown as ending soon.
const SOON: i64 = 30;

const MAY: Who = Who::May(&[Action::ApplicationsReadOwn, Action::ApplicationsReadAll]);

/// The rows of the table.
pub static PAGES: &[Page] =
    &[get("/console/grants", MAY, || web::to(list)), get("/console/grants/{grant}", MAY, || web::to(one))];

#[derive(Template)]
#[template(path = "grants.html")]
struct Grants<'a> {
    frame: &'a Frame,
    places: Places,
    grants: Vec<Granted>,
    next: Option<String>,
    first: bool,
}

/// A grant with its terms.
struct Granted {
    grant: GrantView,
    shown: terms::Shown,
    /// Does it end soon, or is it used up for today?
    ends_soon: bool,
    /// The most that could be asked under it in the 30 days that its use is counted for.
    most_30: u64,
}

#[derive(Template)]
#[template(path = "grant.html")]
struct One<'a> {
    frame: &'a Frame,
    places: Places,
    granted: Granted,
    curl: String,
    python: String,
    own: bool,
}

async fn list(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let asked = parameters::<GrantsPage>(req.query_string(), &["before"]);
    let first = req.query_string().is_empty();
    let (call, held) = (viewer.call.clone(), worker.clone());
    let read = to_its_end(async move {
        let asked = asked.map(|asked| GrantsPage { limit: Some(MOST), ..asked });
        let page = applications::list_grants(&held.gateway, &call, asked).await?;
        let mut grants = Vec::new();
        for line in page.grants {
            grants.push(applications::get_grant(&held.gateway, &call, &line.grant).await?);
        }
        Ok((grants, page.next))
    });
    let (grants, next) = read.await?;
    let frame = &*viewer.frame;
    let grants = grants.into_iter().map(|grant| granted(grant, &worker, frame)).collect::<Result<_>>()?;
    frame.page(&Grants { frame, places: Places::of(&worker.gateway, frame.m.lang()), grants, next, first })
}

async fn one(
    viewer: Viewer,
    worker: Worker,
    req: HttpRequest,
    grant: web::Path<String>,
) -> Result<HttpResponse> {
    let (call, held) = (viewer.call.clone(), worker.clone());
    let grant =
        to_its_end(async move { applications::get_grant(&held.gateway, &call, &grant).await }).await?;
    let frame = &*viewer.frame;
    let own = viewer.call.caller.account.department.as_str() == grant.requester;
    let granted = granted(grant, &worker, frame)?;
    let world = worker.gateway.world();
    let member = world.dataset(granted.shown.terms.dataset.as_str()).map(|d| d.entry.subject.member.clone());
    let query = ways::Query::of(&granted.shown.terms, &member.unwrap_or_default());
    let origin = format!("https://{}", req.connection_info().host());
    frame.page(&One {
        frame,
        places: Places::of(&worker.gateway, frame.m.lang()),
        curl: query.curl(&origin),
        python: query.python(&origin),
        granted,
        own,
    })
}

fn granted(grant: GrantView, worker: &Worker, frame: &Frame) -> Result<Granted> {
    let (world, today) = (worker.gateway.world(), worker.gateway.now().day());
    let shown = terms::Shown::of(&grant.terms, &grant.requester, &world, today, frame.m.lang());
    let soon = today.saturating_add(time::Duration::days(SOON));
    let ends_soon = grant.state == "active" && day(&grant.until).is_some_and(|until| until <= soon);
    let shown = shown.ok_or(Code::Internal)?;
    // In force for fewer days, it could be used on those alone.
    let since = Timestamp::parse(&grant.since).map_or(today, Timestamp::day);
    let days = u64::try_from((today - since).whole_days().clamp(0, 29)).unwrap_or_default() + 1;
    let most_30 = days * u64::from(shown.terms.per_day);
    Ok(Granted { shown, ends_soon, most_30, grant })
}
