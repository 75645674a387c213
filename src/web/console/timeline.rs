//! What happened to an application, as people read it.

use serde_json::Value;

use super::messages::Messages;
use super::places::Places;
use super::visible::visible;
use crate::app::applications::view::{ActorView, EventView};

/// The most that is shown: the newest.
const SHOWN: u32 = 100;

/// One thing that happened.
pub struct Moment {
    /// When, UTC.
    pub at: String,
    /// What, in words.
    pub what: String,
    /// Who did it: the account; none where a clock ran out.
    pub who: Option<Who>,
    /// What was said.
    pub said: Option<String>,
    /// Particulars.
    pub more: Vec<String>,
    /// The index of its record in the log.
    pub record: Option<u64>,
}

/// Who did something.
pub struct Who {
    /// The account.
    pub account: String,
    /// In which role, in words.
    pub role: String,
    /// Of which department, in words.
    pub department: String,
    /// For whom.
    pub for_account: Option<String>,
}

/// Behind which event the newest begin that are shown.
pub fn newest(version: u32) -> u32 {
    version.saturating_sub(SHOWN)
}

/// What happened, the newest first.
pub fn moments(events: Vec<EventView>, places: &Places, m: Messages) -> Vec<Moment> {
    let mut moments: Vec<Moment> = events.into_iter().map(|event| moment(event, places, m)).collect();
    moments.reverse();
    moments
}

fn moment(event: EventView, places: &Places, m: Messages) -> Moment {
    let text = |name: &str| event.detail.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut more = Vec::new();
    if let Some(days) = event.detail.get("days").and_then(Value::as_u64) {
        more.push(m.fill("timeline.days", days));
    }
    if let Some(day) = event.detail.get("due").and_then(|due| due.get("day")).and_then(Value::as_str) {
        more.push(m.fill("timeline.due", day));
    }
    if let Some(basis) = text("basis") {
        more.push(basis);
    }
    for missing in event.detail.get("missing").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| missing.get(name).and_then(Value::as_str).unwrap_or_default();
        more.push(format!(
            "{}{}{}",
            m.member(&format!("/terms{}", part("pointer"))),
            m.t("base.colon"),
            part("note")
        ));
    }
    for out in event.detail.get("without").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| out.get(name).and_then(Value::as_str).unwrap_or_default();
        more.push(format!(
            "{} {}{}{}",
            m.t("timeline.without"),
            part("field"),
            m.t("base.colon"),
            part("note")
        ));
    }
    Moment {
        what: m.of("event", &event.event),
        said: text("note").or_else(|| text("text")).map(|said| visible(&said)),
        record: event.record,
        at: event.at,
        who: who(event.by, places, m),
        more: more.iter().map(|more| visible(more)).collect(),
    }
}

/// Who did something, in words; nobody where a clock ran out.
pub fn who(by: ActorView, places: &Places, m: Messages) -> Option<Who> {
    Some(Who {
        account: by.account?,
        role: by.role.map(|role| m.of("role", &role)).unwrap_or_default(),
        department: by.department.map(|id| places.department(&id)).unwrap_or_default(),
        for_account: by.for_account,
    })
}
