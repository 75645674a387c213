//! What all pages have: the words, the navigation, who is signed in, the theme, a note of what was
//! done, and the token that every form sends along.
//!
//! Invariant: the token is made from the session's own cookie ([`super::token`]). Somebody who is not
//! signed in has a seed in a cookie instead.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::cookie::Cookie;
use actix_web::http::header::{CONTENT_LANGUAGE, LOCATION, VARY};
use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::messages::Messages;
use super::nav::{self, Link};
use super::token::Tokens;
use super::visible::visible;
use super::{assets, cookies, pages};
use crate::app::console::{self, Versions};
use crate::base::{Code, Error, Lang, Result, Secret};
use crate::identity::Account;
use crate::web::cookie;
use crate::web::entrance::Arrival;
use crate::web::routes::{Template as Route, Verb};
use crate::web::server::Worker;

/// What all pages have.
pub struct Frame {
    /// The words.
    pub m: Messages,
    /// `light` or `dark`, where one was chosen.
    pub theme: Option<&'static str>,
    /// Who is signed in.
    pub person: Option<Badge>,
    /// The navigation.
    pub links: Vec<Link>,
    /// What every form sends along.
    pub token: String,
    /// The address that is shown, to come back to. The answer to a form has none.
    pub here: String,
    /// May language and theme be chosen here? Not on what would be gone then: the answer to a form,
    /// with what was typed or a one-time password.
    pub switches: bool,
    /// What is in force.
    pub versions: Versions,
    /// The id of the request.
    pub request_id: String,
    tokens: Option<Tokens>,
    said: Option<String>,
    seed: Option<String>,
}

/// Who is signed in, as the pages' head shows it.
pub struct Badge {
    /// The account.
    pub account: String,
    /// How the person is called.
    pub name: String,
    /// The department, in words.
    pub department: String,
    /// The names of the roles.
    pub roles: Vec<&'static str>,
}

impl Frame {
    /// For a person who is signed in.
    pub fn of_person(req: &HttpRequest, worker: &Worker, account: &Account) -> Self {
        let frame = Self::new(req, worker, cookie::value(req, cookie::SESSION));
        let world = worker.gateway.world();
        let department = world.catalogue.departments.get(&account.department);
        let department = department.map(|d| d.title.lang(frame.m.lang()).to_owned());
        let badge = Badge {
            account: account.id.to_string(),
            name: visible(&account.name),
            department: department.unwrap_or_else(|| account.department.to_string()),
            roles: account.roles.iter().map(|role| role.as_str()).collect(),
        };
        let token = frame.tokens.as_ref().map(|tokens| tokens.token(account.id.as_str()));
        Self {
            links: nav::links(account, &world.policy, req.path()),
            person: Some(badge),
            token: token.unwrap_or_default(),
            ..frame
        }
    }

    /// For somebody who is not signed in.
    ///
    /// # Errors
    /// `not-ready` when the machine gives no randomness.
    pub fn of_visitor(req: &HttpRequest, worker: &Worker) -> Result<Self> {
        // Who is signed in and does what a visitor can, such as choosing a language, has a session's token.
        match cookie::value(req, cookie::SESSION).or_else(|| cookie::value(req, cookies::SEED)) {
            Some(kept) => Ok(Self::new(req, worker, Some(kept))),
            None => {
                let seed = worker.gateway.new_request_id()?.to_string();
                let frame = Self::new(req, worker, Some(Secret::new(seed.clone())));
                Ok(Self { seed: Some(seed), ..frame })
            }
        }
    }

    /// For somebody of whom nothing is known, where a problem is shown and no form.
    pub fn of_nobody(req: &HttpRequest, worker: &Worker) -> Self {
        Self::new(req, worker, None)
    }

    fn new(req: &HttpRequest, worker: &Worker, secret: Option<Secret<String>>) -> Self {
        let arrival = Arrival::of(req).ok();
        let chosen = cookie::value(req, cookies::LANG);
        let chosen =
            chosen.and_then(|tag| [Lang::Zh, Lang::En].into_iter().find(|l| l.tag() == tag.reveal()));
        let lang = chosen.or(arrival.as_ref().map(|arrival| arrival.lang)).unwrap_or_default();
        let theme = cookie::value(req, cookies::THEME);
        let tokens = secret.as_ref().map(Tokens::of);
        Self {
            m: Messages::new(lang),
            theme: theme.and_then(|t| ["light", "dark"].into_iter().find(|known| known == t.reveal())),
            person: None,
            links: Vec::new(),
            token: tokens.as_ref().map(|tokens| tokens.token("")).unwrap_or_default(),
            switches: secret.is_some() && *req.method() == Method::GET,
            here: shown(req),
            versions: console::versions(&worker.gateway),
            request_id: arrival.map(|arrival| arrival.request_id.to_string()).unwrap_or_default(),
            tokens,
            said: cookie::value(req, cookies::SAID).map(|said| said.reveal().clone()),
            seed: None,
        }
    }

    /// Without navigation.
    pub fn without_links(self) -> Self {
        Self { links: Vec::new(), ..self }
    }

    /// What was done just now, in words.
    pub fn said(&self) -> Option<&str> {
        self.said.as_deref().and_then(|key| self.m.known(&format!("said.{key}")))
    }

    /// Is that the theme that was chosen? `auto` is where none was.
    pub fn is_theme(&self, name: &str) -> bool {
        self.theme.unwrap_or("auto") == name
    }

    /// Where a file of style or script is.
    pub fn asset(&self, name: &str) -> String {
        assets::path(name)
    }

    /// Is `sent` a token of this session's forms? On a page that everybody has, whoever it was made for.
    pub fn is_token(&self, sent: &str) -> bool {
        let account = self.tokens.as_ref().and_then(|tokens| tokens.account(sent));
        account.is_some_and(|account| self.person.as_ref().is_none_or(|person| person.account == account))
    }

    /// A page.
    ///
    /// # Errors
    /// `internal` when the template cannot be filled.
    pub fn page(&self, template: &impl Template) -> Result<HttpResponse> {
        self.page_with(StatusCode::OK, template)
    }

    /// A page with that status: one that shows what was wrong with a form.
    ///
    /// # Errors
    /// As for [`Frame::page`].
    pub fn page_with(&self, status: StatusCode, template: &impl Template) -> Result<HttpResponse> {
        let body = template.render().map_err(|e| Error::new(Code::Internal).because(e))?;
        let mut page = HttpResponse::build(status)
            .content_type("text/html; charset=utf-8")
            .insert_header((CONTENT_LANGUAGE, self.m.lang().tag()))
            .insert_header((VARY, "Accept-Language, Cookie"))
            .body(body);
        if self.said.is_some() {
            set(&mut page, &cookies::gone(cookies::SAID))?;
        }
        if let Some(seed) = &self.seed {
            set(&mut page, &cookies::passing(cookies::SEED, seed.clone()))?;
        }
        Ok(page)
    }
}

/// The address of the page that is shown: that of the request, or the path of the page that its form
/// stands on.
fn shown(req: &HttpRequest) -> String {
    if *req.method() == Method::GET {
        return req.uri().path_and_query().map_or(super::ROOT, |here| here.as_str()).to_owned();
    }
    let (mut template, mut path) = (Route::of(req).path, req.path());
    loop {
        if pages::all().any(|page| page.verb == Verb::Get && page.path == template) {
            return path.to_owned();
        }
        match template.rsplit_once('/').zip(path.rsplit_once('/')) {
            Some(((outer, _), (above, _))) => (template, path) = (outer, above),
            None => return super::ROOT.to_owned(),
        }
    }
}

/// Sends the browser on to another page after something was done; `said` is the key of the note there.
///
/// # Errors
/// `internal` when a cookie cannot be set.
pub fn go_on(to: &str, said: Option<&str>) -> Result<HttpResponse> {
    let mut answer = HttpResponse::SeeOther().insert_header((LOCATION, to)).finish();
    if let Some(said) = said {
        set(&mut answer, &cookies::passing(cookies::SAID, said.to_owned()))?;
    }
    Ok(answer)
}

/// Sets a cookie.
///
/// # Errors
/// `internal` when it cannot be written.
pub fn set(answer: &mut HttpResponse, cookie: &Cookie<'_>) -> Result<()> {
    answer.add_cookie(cookie).map_err(|e| Error::new(Code::Internal).because(e))
}
