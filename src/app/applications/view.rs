//! Applications and grants as the interface shows them.
//!
//! Invariant: people appear by account, department and role. A personnel number appears in one place:
//! where two people are flagged as a ring, to those who look after the whole.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A page of applications, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationPage {
    /// The applications.
    pub applications: Vec<ApplicationLine>,
    /// Ask with `before` set to this for the next page; none when there is no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An application in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationLine {
    /// Its id.
    #[schema(example = "A-2026-000001")]
    pub application: String,
    /// Its version: the number of its events.
    pub version: u32,
    /// Where it stands.
    #[schema(example = "in-review")]
    pub state: String,
    /// The department that asks.
    pub requester: String,
    /// The department that owns the dataset.
    pub provider: String,
    /// The dataset.
    pub dataset: String,
    /// The last day for whoever is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// When something last happened to it, UTC.
    pub updated_at: String,
}

/// An application, as both sides see it and as the reader may act on it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationView {
    /// Its id.
    #[schema(example = "A-2026-000001")]
    pub application: String,
    /// Its version: the number of its events. A command names the version that its sender saw.
    pub version: u32,
    /// Where it stands.
    #[schema(example = "in-review")]
    pub state: String,
    /// The department that asks.
    pub requester: String,
    /// The department that owns the dataset.
    pub provider: String,
    /// The dataset.
    pub dataset: String,
    /// Its name in the language asked for.
    pub dataset_title: String,
    /// What is asked for.
    #[schema(value_type = Object)]
    pub terms: Value,
    /// The hash of the revision under review, which votes are bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What is offered or granted, once something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub offer: Option<Value>,
    /// Sets of fields that identify a person together, which the applicant has justified.
    pub toxic: Vec<ToxicView>,
    /// The stages of review, with the votes on this revision.
    pub stages: Vec<StageView>,
    /// Who is waited for, until when; absent once it is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
    /// Working days more that the provider has asked for and nobody has decided about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension_asked: Option<u16>,
    /// What the reader may do now.
    pub can: Vec<CanView>,
    /// The application that this one renews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renews: Option<String>,
    /// The grant that it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "G-2026-000001")]
    pub grant: Option<String>,
    /// Other grants that the requester has, or had, on this dataset; the newest.
    pub previous: Vec<PreviousView>,
}

/// Fields that identify a person together.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToxicView {
    /// The name of the set.
    pub name: String,
    /// In words, in the language asked for.
    pub title: String,
}

/// A stage of review: every role must vote, each by another person.
#[derive(Debug, Serialize, ToSchema)]
pub struct StageView {
    /// The roles.
    pub roles: Vec<String>,
    /// The votes so far.
    pub votes: Vec<VoteView>,
}

/// A vote for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct VoteView {
    /// Who voted.
    pub by: ActorView,
    /// When, UTC.
    pub at: String,
    /// Fields that the voter leaves out.
    pub without: Vec<LeftOutView>,
}

/// A field that a voter leaves out.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeftOutView {
    /// The field.
    pub field: String,
    /// The code of the reason.
    pub reason: String,
    /// What the reason means, in the language asked for.
    pub reason_title: String,
    /// In the voter's words.
    pub note: String,
}

/// Who did something.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ActorView {
    /// The account; absent where a clock ran out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its department.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// In which role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whose role it is, where it was lent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_account: Option<String>,
}

/// Who is waited for, until when.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaitingView {
    /// The department.
    pub department: String,
    /// People of any of these roles.
    pub roles: Vec<String>,
    /// The last day, in Asia/Shanghai; it ends with the day.
    #[schema(example = "2026-12-04")]
    pub due: String,
    /// Working days left after today, the last one included; below zero when it has passed.
    pub working_days_left: i32,
    /// Does the day depend on a year whose calendar is not published yet?
    pub provisional: bool,
}

/// Something that the reader may do now.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CanView {
    /// The command.
    #[schema(example = "approve")]
    pub command: String,
    /// For whom, where by a role that was lent: what to send as `as`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_account: Option<String>,
    /// The role that was lent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// Another grant on the same dataset.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviousView {
    /// The application.
    pub application: String,
    /// Where it stands.
    pub state: String,
}

/// What happened to an application, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// The events.
    pub events: Vec<EventView>,
    /// Ask with `after` set to this for the next page; none when there is no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Its number: the version that it made.
    pub seq: u32,
    /// When, UTC.
    pub at: String,
    /// Who did it.
    pub by: ActorView,
    /// What: the name of the event.
    #[schema(example = "submitted")]
    pub event: String,
    /// Its particulars.
    #[schema(value_type = Object)]
    pub detail: Map<String, Value>,
    /// The index of its record in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
}

/// A page of grants, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantPage {
    /// The grants.
    pub grants: Vec<GrantLine>,
    /// Ask with `before` set to this for the next page; none when there is no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A grant in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantLine {
    /// Its id.
    #[schema(example = "G-2026-000001")]
    pub grant: String,
    /// How it stands: `active`, `suspended`, `revoked`, `closed`, `expired`.
    pub state: String,
    /// The department that has it.
    pub requester: String,
    /// The department that owns the dataset.
    pub provider: String,
    /// The dataset.
    pub dataset: String,
}

/// A grant.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantView {
    /// Its id.
    #[schema(example = "G-2026-000001")]
    pub grant: String,
    /// The application behind it: its events are the grant's. A grant of the policies' files has its
    /// own id here.
    pub application: String,
    /// The application's version, which commands name.
    pub version: u32,
    /// How it stands: `active`, `suspended`, `revoked`, `closed`, `expired`.
    pub state: String,
    /// The department that has it.
    pub requester: String,
    /// The department that owns the dataset.
    pub provider: String,
    /// What it gives.
    #[schema(value_type = Object)]
    pub terms: Value,
    /// The hash of the terms.
    pub revision: String,
    /// In force from this moment, UTC.
    pub since: String,
    /// Its last day, in Asia/Shanghai.
    pub until: String,
    /// How much of it was used.
    pub used: UseView,
    /// What the reader may do now.
    pub can: Vec<CanView>,
}

/// How much of a grant was used.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct UseView {
    /// Subjects asked about today, repeated ones counted each time.
    pub today: u64,
    /// Different subjects asked about today.
    pub distinct_today: u64,
    /// Subjects asked about on the last 30 days, today included.
    pub days_30: u64,
}

/// What an application would come to: who would decide about it, by when.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForesightView {
    /// The stages of review: in each every role votes.
    pub stages: Vec<Vec<String>>,
    /// Working days within which the provider must answer.
    pub answer_days: u16,
    /// The last day for the answer, if the own sharing lead consents today.
    pub due: String,
    /// Does that day depend on a year whose calendar is not published yet?
    pub provisional: bool,
    /// Sets of fields that it makes, alone or with what is in force, and that must be justified.
    pub toxic: Vec<ToxicView>,
}
