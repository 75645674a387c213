//! The console: pages for people, in a browser.
//!
//! A page is what a use case of the app says, as HTML: a handler extracts, calls the app and renders.
//! A form posts the members of a command by their JSON Pointers, so that it is the same command with the
//! same checks as in the interface, and a fault finds its input.
//!
//! Invariant: no page without a row in [`pages`], which says who may see it; no form without the token
//! of its session; nothing of a person's into the text of a page but escaped; no script but our own
//! files, and nothing here needs script to work. What may be done is not decided here.
//!
//! | file | its job |
//! |---|---|
//! | [`pages`] | the table of pages: path, who, handler |
//! | [`viewer`] | who looks at a page |
//! | [`frame`] | what all pages have: words, navigation, theme, notes |
//! | [`messages`] | the words, in both languages |
//! | [`form`] | what a form sent, and what was wrong with it |
//! | [`token`] | what shows whose form it is |
//! | [`draft`] | a form that came after its session had ended |
//! | [`assets`] | style and script, by names that hold their hash |
//! | [`problem`] | an error as a page |

mod account;
mod admin;
mod application;
mod applications;
mod apply;
mod asked;
mod assets;
mod cart;
mod catalogue;
mod chart;
mod cookies;
mod coordinator;
mod decision;
mod delegations;
mod draft;
mod ends;
mod events;
mod example;
mod export;
mod form;
mod frame;
mod grants;
mod home;
mod inbox;
mod integrator;
mod interface;
mod live;
mod messages;
mod moment;
mod nav;
pub mod pages;
mod people;
mod person;
mod places;
mod preferences;
mod problem;
mod qr;
mod rules;
mod searches;
mod security;
mod sign_in;
mod stopped;
mod terms;
mod timeline;
mod token;
#[cfg(test)]
mod tokens;
mod versions;
mod viewer;
mod visible;
mod ways;
mod why;

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT;

pub(super) use problem::render as render_problem;
pub(super) use sign_in::arrived;

/// The path of the console, and what the paths of all its pages begin with.
pub const ROOT: &str = "/console";

/// What a page may load and do: its own style and script, forms to itself, and nothing else.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Where a browser comes back to from the identity provider, on a path of the interface.
const WAYS_BACK: [&str; 2] = ["/v1/session/oidc", "/v1/session/oidc/callback"];

/// Is the request to be answered with a page? One of the console is; so is a browser that signs in by
/// way of the identity provider.
pub(super) fn is_for_page(template: &str, req: &HttpRequest) -> bool {
    is_console(template) || is_console(req.path()) || (WAYS_BACK.contains(&template) && wants_page(req))
}

/// Is it a browser that asks? It says that it reads HTML.
pub(super) fn wants_page(req: &HttpRequest) -> bool {
    let accepted = req.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// Is the template that of a page of the console?
pub(super) fn is_console(template: &str) -> bool {
    template.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
