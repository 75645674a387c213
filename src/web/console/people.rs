//! Accounts of people, and what they may do: made by one officer, given roles by another.
//!
//! Invariant: the same commands as in the interface. A one-time password is shown on the answer to the
//! form that made it, this once, and on no page that can be opened again.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::asked::Asked;
use super::form::{Form, Posted};
use super::frame::{Frame, go_on};
use super::pages::{Page, Who, get, post};
use super::places::Places;
use super::viewer::Viewer;
use crate::app::applications::Asked as Order;
use crate::app::people::view::{PeoplePage, PersonMade, PersonView};
use crate::app::people::{self, Search};
use crate::base::ids::{AccountId, DepartmentId};
use crate::base::{Code, Result};
use crate::identity::{Account, Role};
use crate::policy::{Action, Policy};
use crate::web::api::to_its_end;
use crate::web::server::Worker;

const PATH: &str = "/console/admin/people";
const READERS: Who = Who::May(&[Action::PeopleReadAll, Action::PeopleReadOwn]);
const WRITERS: Who = Who::May(&[Action::PeopleManage, Action::PeopleRoles]);

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get(PATH, READERS, || web::to(list)),
    post(PATH, Who::May(&[Action::PeopleManage]), || web::to(make)),
    get("/console/admin/people/{account}", READERS, || web::to(show)),
    post("/console/admin/people/{account}/{command}", WRITERS, || web::to(command)),
];

/// What the viewer may do about accounts.
#[derive(Clone, Copy)]
struct May {
    manage: bool,
    roles: bool,
    operations: bool,
}

impl May {
    fn of(account: &Account, policy: &Policy) -> Self {
        let may = |action| policy.person_may(account, action);
        Self {
            manage: may(Action::PeopleManage),
            roles: may(Action::PeopleRoles),
            operations: may(Action::OperationsRead),
        }
    }
}

#[derive(Template)]
#[template(path = "people.html")]
struct People<'a> {
    frame: &'a Frame,
    key: String,
    places: Places,
    page: PeoplePage,
    departments: Vec<(String, String)>,
    chosen: String,
    form: Form,
    may: May,
    next: Option<String>,
}

async fn list(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let asked = Asked::of(&req);
    listed(viewer, worker, &asked, Form::default(), StatusCode::OK).await
}

async fn listed(
    viewer: Viewer,
    worker: Worker,
    asked: &Asked,
    form: Form,
    status: StatusCode,
) -> Result<HttpResponse> {
    let Viewer { call, frame } = viewer;
    let frame = &*frame;
    let world = worker.gateway.world();
    let places = Places::of(&worker.gateway, frame.m.lang());
    let may = May::of(&call.caller.account, &world.policy);
    let search = Search {
        department: DepartmentId::parse(asked.value("department")),
        after: AccountId::parse(asked.value("after")),
    };
    let page = to_its_end(async move { people::list(&worker.gateway, &call, Ok(search)).await }).await?;
    let departments = world.catalogue.departments.values();
    let title = |d: &crate::catalogue::Department| d.title.lang(frame.m.lang()).to_owned();
    let next = page.next.as_ref().map(|next| {
        let department = Asked::default().with("department", asked.value("department"));
        let at = department.at(PATH);
        format!("{at}{}after={next}", if at.contains('?') { '&' } else { '?' })
    });
    let template = People {
        frame,
        key: frame.request_id.clone(),
        places,
        page,
        departments: departments.map(|d| (d.id.to_string(), title(d))).collect(),
        chosen: asked.value("department").to_owned(),
        form,
        may,
        next,
    };
    frame.page_with(status, &template)
}

async fn make(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let form = posted.read(&viewer.frame).await?;
    let body = form.body(|_, _| None);
    let asked = Order { body: Ok(body.bytes()), key: form.key(), if_match: None };
    let (call, held) = (viewer.call.clone(), worker.clone());
    match to_its_end(async move { people::make(&held.gateway, &call, asked).await }).await {
        Ok(made) => page(&viewer, &worker, made, Form::default()),
        Err(error) if matches!(error.code, Code::InvalidRequest | Code::AccountTaken) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            listed(viewer, worker, &Asked::default(), form.with(&error, &body), status).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "account_of.html")]
struct AccountPage<'a> {
    frame: &'a Frame,
    places: Places,
    person: PersonView,
    one_time: Option<(String, String)>,
    given: Vec<Role>,
    open: Vec<Role>,
    may: May,
    own: bool,
    form: Form,
}

fn page(viewer: &Viewer, worker: &Worker, made: PersonMade, form: Form) -> Result<HttpResponse> {
    let PersonMade { person, one_time_password, usable_until } = made;
    let (frame, account) = (&*viewer.frame, &viewer.call.caller.account);
    let holds = |role: &Role| person.roles.iter().any(|held| held == role.as_str());
    // A system has this one; no person does.
    let roles = || Role::ALL.into_iter().filter(|role| *role != Role::CitizenService);
    let template = AccountPage {
        frame,
        places: Places::of(&worker.gateway, frame.m.lang()),
        given: roles().filter(holds).collect(),
        open: roles().filter(|role| !holds(role)).collect(),
        one_time: one_time_password.zip(usable_until),
        may: May::of(account, &worker.gateway.world().policy),
        own: person.person == account.person.as_str(),
        person,
        form,
    };
    let status = template.form.problem.map_or(200, |code| code.status());
    frame.page_with(StatusCode::from_u16(status).unwrap_or(StatusCode::CONFLICT), &template)
}

async fn show(viewer: Viewer, worker: Worker, account: web::Path<String>) -> Result<HttpResponse> {
    shown(&viewer, &worker, account.into_inner(), Form::default()).await
}

async fn shown(viewer: &Viewer, worker: &Worker, account: String, form: Form) -> Result<HttpResponse> {
    let (call, held) = (viewer.call.clone(), worker.clone());
    let person = to_its_end(async move { people::view(&held.gateway, &call, &account).await }).await?;
    page(viewer, worker, PersonMade { person, one_time_password: None, usable_until: None }, form)
}

async fn command(
    viewer: Viewer,
    worker: Worker,
    path: web::Path<(String, String)>,
    posted: Posted,
) -> Result<HttpResponse> {
    let form = posted.read(&viewer.frame).await?;
    let (account, command) = path.into_inner();
    let body = form.body(|_, _| None);
    let asked = Order { body: Ok(body.bytes()), key: form.key(), if_match: None };
    let (call, held, of) = (viewer.call.clone(), worker.clone(), account.clone());
    let story = async move { people::command(&held.gateway, &call, &of, &command, asked).await };
    let made: Result<PersonMade> = to_its_end(story).await;
    match made {
        Ok(made) if made.one_time_password.is_some() => page(&viewer, &worker, made, Form::default()),
        Ok(_) => go_on(&format!("{PATH}/{account}"), Some("account-changed")),
        Err(e) if matches!(e.code, Code::WrongState | Code::ExclusiveRoles | Code::NotSeparate) => {
            shown(&viewer, &worker, account, form.with(&e, &body)).await
        }
        Err(other) => Err(other),
    }
}
