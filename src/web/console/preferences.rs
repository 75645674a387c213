//! Language and theme: choices that a browser keeps.

use actix_web::{HttpResponse, web};

use super::cookies::{self, lasting};
use super::form::Posted;
use super::frame::{go_on, set};
use super::is_console;
use super::pages::{Page, Who, post};
use super::viewer::Visitor;
use crate::base::{Lang, Result};

/// The rows of the table.
pub static PAGES: &[Page] = &[
    // Every page has the switch, also those of people who are signed in: the form's token is theirs.
    post("/console/preferences", Who::Visitor, || web::to(choose)),
];

async fn choose(visitor: Visitor, posted: Posted) -> Result<HttpResponse> {
    let form = posted.read(&visitor.frame).await?;
    let mut answer = go_on(back_to(form.value("back")), None)?;
    if let Some(lang) = [Lang::Zh, Lang::En].into_iter().find(|lang| lang.tag() == form.value("lang")) {
        set(&mut answer, &lasting(cookies::LANG, lang.tag().to_owned()))?;
    }
    match form.value("theme") {
        theme @ ("light" | "dark") => set(&mut answer, &lasting(cookies::THEME, theme.to_owned()))?,
        "auto" => set(&mut answer, &cookies::gone(cookies::THEME))?,
        _ => {}
    }
    Ok(answer)
}

/// The page to go back to: one of ours, whatever was sent.
pub fn back_to(asked: &str) -> &str {
    let plain = asked.bytes().all(|b| b.is_ascii_graphic()) && !asked.contains('\\') && asked.len() <= 2_000;
    let path = asked.split(['?', '#']).next().unwrap_or_default();
    if plain && is_console(path) { asked } else { super::ROOT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_anywhere_else() {
        for own in ["/console", "/console/inbox", "/console/applications/A-2026-000001?x=1#y"] {
            assert_eq!(back_to(own), own);
        }
        for other in [
            "",
            "//evil.example",
            "https://evil.example/console",
            "/console\r\nSet-Cookie: x",
            "/consoles",
            "/v1/session",
            "/\\evil",
            "javascript:alert(1)",
        ] {
            assert_eq!(back_to(other), "/console", "{other:?}");
        }
    }
}
