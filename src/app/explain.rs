//! Why a past request ended as it did, read back from its record.
//!
//! Invariant: the explanation is what the record says, nothing computed anew: today's rules may
//! differ from those the request met.

use super::call::{Call, Caller, Known};
use super::gateway::Gateway;
use super::recorded::Recorded;
use super::records;
use super::trail::Trail;
use super::view::{Explanation, FieldExplanation};
use crate::base::ids::RequestId;
use crate::base::locate::escape;
use crate::base::{Code, Error, Lang, Result};
use crate::policy::Action;

/// Explains the request of that id: to the department that made it, and to auditors.
///
/// # Errors
/// `not-found` when there is none, or the caller may not know of it; `audit-unavailable`.
pub async fn explain(
    gateway: &Gateway,
    call: &Call<Caller>,
    request_id: &str,
    lang: Lang,
) -> Result<Explanation> {
    let mut trail = Trail::new("explain", call);
    let found = find(gateway, call, request_id).await;
    match found {
        Ok(recorded) => {
            trail.count("of_index", recorded.index);
            gateway.record(trail.end(Code::Ok)).await?;
            Ok(view(request_id, recorded, lang))
        }
        Err(error) => Err(gateway.record_failure(&call.caller, trail, error).await),
    }
}

async fn find(gateway: &Gateway, call: &Call<Caller>, request_id: &str) -> Result<Recorded> {
    let id = RequestId::parse(request_id).ok_or(Code::NotFound)?;
    let found = records::read(gateway, move |log| log.find_request(&id.to_string())).await?;
    let found = found.ok_or(Code::NotFound)?;
    let recorded: Recorded = serde_json::from_str(&found.leaf).map_err(|_| Error::new(Code::Internal))?;
    let caller = &call.caller;
    let own = recorded.caller.department == caller.department().as_str();
    let policy = &gateway.world().policy;
    if (own && caller.may(policy, Action::ExplainOwn)) || caller.may(policy, Action::ExplainAll) {
        Ok(recorded)
    } else {
        Err(Code::NotFound.into())
    }
}

fn view(request_id: &str, recorded: Recorded, lang: Lang) -> Explanation {
    Explanation {
        request_id: request_id.to_owned(),
        time: recorded.time,
        index: recorded.index,
        meaning: meaning(&recorded.outcome, lang),
        outcome: recorded.outcome,
        dataset: recorded.dataset,
        purpose: recorded.purpose,
        catalogue_version: recorded.catalogue_version,
        policy_version: recorded.policy_version,
        fields: recorded
            .fields
            .into_iter()
            .map(|f| FieldExplanation {
                schema_pointer: format!("/properties/{}/x-sharing", escape(&f.field)),
                field: f.field,
                form: f.form,
                rule: f.rule,
                meaning: f.code.as_deref().map(|code| meaning(code, lang)),
                code: f.code,
            })
            .collect(),
    }
}

/// What a code says, in words.
fn meaning(code: &str, lang: Lang) -> String {
    let known = Code::ALL.iter().find(|c| c.as_str() == code);
    known.map(|c| format!("{}: {}", c.title(lang), c.detail(lang))).unwrap_or_default()
}
