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
mod events;
mod example;
mod export;
mod form;
mod frame;
mod grants;
mod home;
mod inbox;
mod integrator;
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
mod viewer;
mod visible;
mod ways;
mod why;

pub(super) use problem::render as render_problem;

/// The path of the console, and what the paths of all its pages begin with.
pub const ROOT: &str = "/console";

/// What a page may load and do: its own style and script, forms to itself, and nothing else.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Is the template that of a page of the console?
pub(super) fn is_console(template: &str) -> bool {
    template.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
