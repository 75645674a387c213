//! Writing an application: the form, what it would come to, and handing it in.
//!
//! Each field is proposed in the least revealing form that its owner allows for the purpose; whoever
//! applies says why more is needed. Checked by the same handler as when it is handed in.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::cart::Cart;
use super::decision::{chosen, put_choices};
use super::example::Examples;
use super::form::{Body, Form, Posted, Sent};
use super::frame::{Frame, go_on};
use super::pages::{Page, Who, get, kept, post};
use super::places::{Places, day};
use super::terms::{self, Lesser};
use super::viewer::Viewer;
use crate::app::applications::view::{ApplicationView, ForesightView};
use crate::app::applications::{self, Asked, Given};
use crate::app::{console, datasets};
use crate::base::ids::PurposeId;
use crate::base::{Code, Error, Invalid, Result};
use crate::catalogue::{Class, Dataset, Form as DisclosureForm};
use crate::policy::Action;
use crate::web::api::{parameters, to_its_end};
use crate::web::server::Worker;

const PATH: &str = "/console/apply";
const MAY: Who = Who::May(&[Action::ApplicationsWrite]);
/// What stands where a text was left empty, while the rest is looked at.
const NOTHING: &str = "-";
/// What is proposed for the volume.
const PER_DAY: &str = "200";

/// The rows of the table.
pub static PAGES: &[Page] = &[
    get(PATH, MAY, || web::to(show)),
    kept(PATH, MAY, || web::to(write)),
    post("/console/apply/check", MAY, || web::to(check)),
];

#[derive(Template)]
#[template(path = "apply.html")]
struct Apply<'a> {
    frame: &'a Frame,
    places: Places,
    dataset: &'a Dataset,
    /// The purposes, where none was chosen yet.
    purposes: Vec<(String, String)>,
    purpose: String,
    fields: Vec<Row>,
    systems: Vec<(String, String)>,
    form: Form,
    foresight: Option<ForesightView>,
    key: String,
}

/// One field that may be asked for.
struct Row {
    name: String,
    title: String,
    level: &'static str,
    choices: Vec<Lesser>,
    /// What the input of its choice has: the least revealing, before anything was chosen.
    choice: String,
}

/// Which application is written.
#[derive(Default, Deserialize)]
struct Wanted {
    dataset: Option<String>,
    purpose: Option<String>,
    /// The application that is written anew.
    revise: Option<String>,
    /// The application whose grant is renewed.
    renews: Option<String>,
}

async fn show(viewer: Viewer, worker: Worker, req: HttpRequest) -> Result<HttpResponse> {
    let wanted: Wanted = parameters(req.query_string(), &["dataset", "purpose", "revise", "renews"])?;
    let mut form = Form::default();
    let (dataset, purpose) = match wanted.revise.as_ref().or(wanted.renews.as_ref()) {
        Some(id) => {
            let view = read(&viewer, &worker, id).await?;
            let world = worker.gateway.world();
            let dataset = world.dataset(&view.dataset).ok_or(Code::NotFound)?;
            fill_from(&mut form, &view, dataset);
            match wanted.revise.is_some() {
                true => form.set("revise", id),
                false => form.set("/renews", id),
            }
            form.set("/version", view.version.to_string());
            (view.dataset, form.value("/terms/purpose").to_owned())
        }
        None => {
            let dataset = wanted.dataset.ok_or(Code::NotFound)?;
            let purpose = wanted.purpose.unwrap_or_default();
            propose(&mut form, &worker, &dataset, &purpose, Cart::of(&req).fields(&dataset))?;
            (dataset, purpose)
        }
    };
    page(&viewer, &worker, StatusCode::OK, (&dataset, &purpose), form, None).await
}

/// What the form has before anything was typed.
fn propose(
    form: &mut Form,
    worker: &Worker,
    dataset: &str,
    purpose: &str,
    wanted: &[crate::base::ids::FieldName],
) -> Result<()> {
    let world = worker.gateway.world();
    let known = world.dataset(dataset).ok_or(Code::NotFound)?;
    for (row, field) in known.fields.iter().enumerate().filter(|(_, field)| wanted.contains(&field.name)) {
        form.set(format!("/terms/fields/{row}/field"), field.name.as_str());
    }
    if let Some(purpose) = PurposeId::parse(purpose).and_then(|id| world.catalogue.purposes.get(&id)) {
        form.set("/terms/basis", purpose.basis.clone());
    }
    let until = worker.gateway.now().day().saturating_add(time::Duration::days(365));
    form.set("/terms/until", until.to_string());
    form.set("/terms/per_day", PER_DAY);
    form.set("/terms/distinct_per_day", PER_DAY);
    Ok(())
}

/// The form of an application that there is: its fields stand in the rows of the dataset's.
fn fill_from(form: &mut Form, view: &ApplicationView, dataset: &Dataset) {
    for (name, value) in
        terms::inputs(&view.terms).into_iter().filter(|(n, _)| !n.starts_with("/terms/fields/"))
    {
        form.set(name, value);
    }
    let asked = view.terms.get("fields").and_then(Value::as_array).into_iter().flatten();
    for field in asked {
        let text = |name: &str| field.get(name).and_then(Value::as_str).unwrap_or_default();
        let Some(row) = dataset.fields.iter().position(|known| known.name.as_str() == text("field")) else {
            continue;
        };
        let compare = field.get("compare").and_then(|list| list.get(0));
        let choice = compare.map_or_else(|| text("form").to_owned(), |c| format!("{} {c}", text("form")));
        form.set(format!("/terms/fields/{row}/field"), text("field"));
        form.set(format!("/terms/fields/{row}/choice"), choice);
        form.set(format!("/terms/fields/{row}/reason"), text("reason"));
    }
}

async fn read(viewer: &Viewer, worker: &Worker, id: &str) -> Result<ApplicationView> {
    let (call, held, id, lang) = (viewer.call.clone(), worker.clone(), id.to_owned(), viewer.frame.m.lang());
    to_its_end(async move { applications::get(&held.gateway, &call, &id, lang).await }).await
}

async fn page(
    viewer: &Viewer,
    worker: &Worker,
    status: StatusCode,
    (dataset, purpose): (&str, &str),
    form: Form,
    foresight: Option<ForesightView>,
) -> Result<HttpResponse> {
    let frame = &*viewer.frame;
    let lang = frame.m.lang();
    // The same as the catalogue's page: what the viewer may not know of is not there.
    let (caller, held, id) = (viewer.anyone(), worker.clone(), dataset.to_owned());
    to_its_end(async move { datasets::view(&held.gateway, &caller, &id, lang).await }).await?;
    let (places, world) = (Places::of(&worker.gateway, lang), worker.gateway.world());
    let dataset = world.dataset(dataset).ok_or(Code::NotFound)?;
    let purposes = dataset.entry.purposes.iter().map(|id| (id.to_string(), places.purpose(id.as_str())));
    let department = &viewer.call.caller.account.department;
    let fields = match PurposeId::parse(purpose).filter(|purpose| dataset.entry.purposes.contains(purpose)) {
        Some(purpose) => {
            let today = worker.gateway.now().day();
            rows(&Examples { dataset, department, purpose: &purpose, today, m: frame.m }, &form, lang)
        }
        None => Vec::new(),
    };
    let systems = world.registry.systems().filter(|system| system.department == *department);
    frame.page_with(
        status,
        &Apply {
            frame,
            purposes: purposes.collect(),
            purpose: if fields.is_empty() { String::new() } else { purpose.to_owned() },
            fields,
            systems: systems.map(|s| (s.id.to_string(), s.title.lang(lang).to_owned())).collect(),
            key: form.key().map_or_else(|| console::new_key(&worker.gateway), Ok)?,
            places,
            dataset,
            form,
            foresight,
        },
    )
}

fn rows(examples: &Examples<'_>, form: &Form, lang: crate::base::Lang) -> Vec<Row> {
    let fields = examples.dataset.fields.iter().enumerate();
    fields
        .map(|(row, field)| {
            let allowed = terms::choices(field, examples).into_iter().filter(|(form, _)| {
                // What is withheld by law is not asked for as it is.
                !(field.sharing.class == Class::Withheld && *form == DisclosureForm::Plain)
            });
            let choices: Vec<Lesser> = allowed.map(|(_, choice)| choice).collect();
            let chosen = form.value(&format!("/terms/fields/{row}/choice"));
            let least = choices.first().map(|choice| choice.value.clone()).unwrap_or_default();
            Row {
                name: field.name.to_string(),
                title: field.title.lang(lang).to_owned(),
                level: field.sharing.level.as_str(),
                choice: if chosen.is_empty() { least } else { chosen.to_owned() },
                choices,
            }
        })
        .collect()
}

/// The form as it is sent: the fields that were ticked, each in the form that was chosen.
fn sent(form: &Form) -> Body {
    let mut sent = form.clone();
    chosen(&mut sent, "/terms/fields/", |form, row| form.sent(&format!("{row}/field")));
    put_choices(&mut sent);
    if !sent.value("revise").is_empty() {
        sent.retain(|name| name != "/renews");
    } else {
        sent.retain(|name| name != "/version");
    }
    sent.body(terms::typed)
}

async fn write(viewer: Viewer, worker: Worker, req: HttpRequest, posted: Posted) -> Result<HttpResponse> {
    let about =
        |form: &Form| (form.value("/terms/dataset").to_owned(), form.value("/terms/purpose").to_owned());
    let form = match posted.read_or_draft(&viewer.frame).await? {
        Sent::Form(form) => form,
        Sent::Draft(form) => {
            let (dataset, purpose) = about(&form);
            return page(&viewer, &worker, StatusCode::OK, (&dataset, &purpose), form, None).await;
        }
    };
    let (dataset, purpose) = about(&form);
    let body = sent(&form);
    let written = match form.value("do") {
        "check" => {
            return match foresee(&viewer, &worker, &body).await {
                Ok(seen) => {
                    page(&viewer, &worker, StatusCode::OK, (&dataset, &purpose), form, Some(seen)).await
                }
                Err(error) => faulty(&viewer, &worker, (&dataset, &purpose), form, &error, &body).await,
            };
        }
        "submit" => put_in(&viewer, &worker, &form, &body, true).await,
        _ => put_in(&viewer, &worker, &form, &body, false).await,
    };
    match written {
        Ok((given, said)) => {
            let mut answer = go_on(&format!("/console/applications/{}", given.application), Some(said))?;
            let mut cart = Cart::of(&req);
            cart.remove(&dataset, None);
            cart.keep(&mut answer)?;
            Ok(answer)
        }
        Err(error) => faulty(&viewer, &worker, (&dataset, &purpose), form, &error, &body).await,
    }
}

async fn faulty(
    viewer: &Viewer,
    worker: &Worker,
    about: (&str, &str),
    form: Form,
    error: &Error,
    body: &Body,
) -> Result<HttpResponse> {
    match error.code.status() {
        409 | 412 | 422 => {
            let status =
                StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            page(viewer, worker, status, about, form.with(error, body), None).await
        }
        _ => Err(error.code.into()),
    }
}

/// Writes the draft, or writes it anew; then hands it in where that is wanted. What was written and
/// cannot be handed in stays as it was written; its own page goes on from there.
async fn put_in(
    viewer: &Viewer,
    worker: &Worker,
    form: &Form,
    body: &Body,
    submit: bool,
) -> Result<(Given, &'static str)> {
    // What it would come to is looked at first: a fault then costs no half-written draft.
    let seen = foresee(viewer, worker, body).await?;
    if submit && !seen.toxic.is_empty() && form.value("/terms/toxic_reason").is_empty() {
        return Err(Error::at(Code::InvalidRequest, "/terms/toxic_reason", Code::MissingMember));
    }
    let key = form.key();
    let revise = form.value("revise").to_owned();
    let asked = Asked { body: Ok(body.bytes()), key: key.clone(), if_match: None };
    let (call, held) = (viewer.call.clone(), worker.clone());
    to_its_end(async move {
        let gateway = &held.gateway;
        let written = match revise.is_empty() {
            true => applications::draft(gateway, &call, asked).await?,
            false => applications::command(gateway, &call, &revise, "revise", asked).await?,
        };
        if !submit {
            return Ok((written, "revise"));
        }
        let body = json!({ "version": written.version }).to_string().into_bytes();
        let asked = Asked { body: Ok(body), key: key.map(|key| format!("{key}-submit")), if_match: None };
        match applications::command(gateway, &call, &written.application, "submit", asked).await {
            Ok(given) => Ok((given, "submit")),
            // It is written: to send the form again would be another request under the same key.
            Err(error) if error.code.status() < 500 => Ok((written, "not-submitted")),
            Err(error) => Err(error),
        }
    })
    .await
}

async fn foresee(viewer: &Viewer, worker: &Worker, body: &Body) -> Result<ForesightView> {
    let (draft, mut faults) = whole(&body.value);
    let (call, held, lang) = (viewer.call.clone(), worker.clone(), viewer.frame.m.lang());
    let draft = draft.to_string().into_bytes();
    let seen =
        to_its_end(async move { applications::foresee(&held.gateway, &call, draft, lang).await }).await;
    match seen {
        Err(error) if error.code != Code::InvalidRequest => return Err(error),
        Err(error) => {
            let known: Vec<String> = faults.iter().map(|fault| fault.pointer.clone()).collect();
            faults.extend(error.invalid.into_iter().filter(|fault| !known.contains(&fault.pointer)));
        }
        Ok(seen) if faults.is_empty() => return Ok(seen),
        Ok(_) => {}
    }
    Err(Error::invalid(Code::InvalidRequest, faults))
}

/// The terms as those of a draft, with something in the place of what was left empty or is no number or
/// day, and a fault for each: so what else is wrong is found at the same time.
fn whole(body: &Value) -> (Value, Vec<Invalid>) {
    let mut terms = body.get("terms").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut faults = Vec::new();
    let mut mend = |members: &mut Map<String, Value>,
                    at: &str,
                    name: &str,
                    right: &dyn Fn(&Value) -> bool,
                    other: Value| {
        let code = match members.get(name) {
            Some(value) if right(value) => return,
            Some(_) => Code::WrongType,
            None => Code::MissingMember,
        };
        members.insert(name.to_owned(), other);
        faults.push(Invalid { pointer: format!("{at}/{name}"), code, expected: None });
    };
    let number = |value: &Value| value.as_u64().is_some_and(|number| u32::try_from(number).is_ok());
    let a_day = |value: &Value| value.as_str().and_then(day).is_some();
    for name in ["basis", "scenario", "scope"] {
        mend(&mut terms, "/terms", name, &Value::is_string, json!(NOTHING));
    }
    mend(&mut terms, "/terms", "systems", &Value::is_array, json!([]));
    mend(&mut terms, "/terms", "fields", &Value::is_array, json!([]));
    mend(&mut terms, "/terms", "per_day", &number, json!(u32::MAX));
    mend(&mut terms, "/terms", "distinct_per_day", &number, json!(1));
    mend(&mut terms, "/terms", "until", &a_day, json!("2000-01-01"));
    let fields = terms.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten();
    for (row, field) in fields.enumerate() {
        if let Some(field) = field.as_object_mut() {
            mend(field, &format!("/terms/fields/{row}"), "reason", &Value::is_string, json!(NOTHING));
        }
    }
    (json!({ "terms": terms }), faults)
}

/// What the form would come to, for the script that asks while it is written.
#[derive(Serialize)]
struct Checked {
    /// What is wrong, by input, in words.
    faults: BTreeMap<String, String>,
    /// What would happen, in words.
    foresight: Vec<String>,
}

async fn check(viewer: Viewer, worker: Worker, posted: Posted) -> Result<HttpResponse> {
    let form = posted.read(&viewer.frame).await?;
    let (body, m) = (sent(&form), viewer.frame.m);
    let checked = match foresee(&viewer, &worker, &body).await {
        Ok(seen) => Checked { faults: BTreeMap::new(), foresight: in_words(&seen, m) },
        Err(error) if error.code == Code::InvalidRequest => {
            let form = form.with(&error, &body);
            let faults = form.faults().iter().map(|fault| {
                let more = fault.expected.as_ref().map(|e| format!(" {e}")).unwrap_or_default();
                (fault.name.clone(), format!("{}{more}", m.fault(&fault.code)))
            });
            Checked { faults: faults.collect(), foresight: Vec::new() }
        }
        Err(error) => return Err(error),
    };
    Ok(HttpResponse::Ok().json(checked))
}

/// Who would decide, by when, and what must be justified.
fn in_words(seen: &ForesightView, m: super::messages::Messages) -> Vec<String> {
    let roles =
        |stage: &Vec<String>| stage.iter().map(|role| m.of("role", role)).collect::<Vec<_>>().join(" + ");
    let stages: Vec<String> = seen.stages.iter().map(roles).collect();
    let who = match stages.is_empty() {
        true => m.t("apply.nobody").to_owned(),
        false => m.fill("apply.stages", stages.join(" → ")),
    };
    let mut lines = vec![who, m.fill2("apply.by", seen.answer_days, &seen.due)];
    lines.extend(seen.toxic.iter().map(|toxic| m.fill("apply.toxic", &toxic.title)));
    lines
}

impl Apply<'_> {
    /// What it would come to, in words.
    fn foreseen(&self) -> Vec<String> {
        self.foresight.as_ref().map(|seen| in_words(seen, self.frame.m)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_and_what_is_no_number_is_told_and_hides_nothing_else() {
        let typed = json!({ "version": 3, "terms": {
            "basis": "x", "scope": "y", "per_day": "many", "distinct_per_day": 5, "until": "2027-02-30",
            "systems": ["a"], "fields": [{ "field": "f", "form": "band" }],
        } });
        let (draft, faults) = whole(&typed);
        let faults: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
        assert_eq!(
            faults,
            [
                ("/terms/scenario", Code::MissingMember),
                ("/terms/per_day", Code::WrongType),
                ("/terms/until", Code::WrongType),
                ("/terms/fields/0/reason", Code::MissingMember),
            ]
        );
        assert_eq!(draft.get("version"), None, "a draft has none");
        assert_eq!(draft.pointer("/terms/distinct_per_day"), Some(&json!(5)), "what was typed stays");
        assert_eq!(whole(&draft).1.len(), 0);
    }
}
