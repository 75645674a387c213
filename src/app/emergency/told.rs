//! Who is told of emergency access.

use crate::base::ids::{AccountId, ApplicationId, DatasetId, DepartmentId};
use crate::identity::Role;
use crate::store::state::emergency::Emergency;
use crate::store::state::notice::{About, Kind, Notice, Recipient};

/// That it was opened: the provider, who reviews it, and the person's own head.
pub(super) fn opened(emergency: &Emergency) -> Vec<Notice> {
    notices(emergency, Kind::EmergencyOpened, |provider, department, _| {
        vec![
            Recipient::Role(Role::SharingLead, provider.clone()),
            Recipient::Role(Role::ConfidentialityOfficer, provider.clone()),
            Recipient::Department(provider),
            Recipient::Role(Role::Leader, department),
        ]
    })
}

/// That it is over and waits for its review; or, when that came too late, what it cost.
pub(super) fn swept(emergency: &Emergency, late: bool) -> Vec<Notice> {
    match late {
        false if emergency.verdict.is_some() => Vec::new(),
        false => notices(emergency, Kind::EmergencyReviewNeeded, |provider, _, _| {
            vec![
                Recipient::Role(Role::SharingLead, provider.clone()),
                Recipient::Role(Role::ConfidentialityOfficer, provider),
            ]
        }),
        true => notices(emergency, Kind::EnrolmentSuspended, |provider, department, account| {
            vec![
                Recipient::Account(account),
                Recipient::Role(Role::Leader, department),
                Recipient::Role(Role::SharingLead, provider),
            ]
        }),
    }
}

/// Notices of one kind; none for a row that cannot be read, which nothing here makes.
fn notices(
    emergency: &Emergency,
    kind: Kind,
    recipients: impl Fn(DepartmentId, DepartmentId, AccountId) -> Vec<Recipient>,
) -> Vec<Notice> {
    let read = || {
        let (provider, department) =
            (DepartmentId::parse(&emergency.provider)?, DepartmentId::parse(&emergency.department)?);
        let about = About {
            version: 1,
            dataset: DatasetId::parse(&emergency.dataset)?,
            requester: department.clone(),
            provider: provider.clone(),
            due: emergency.due(),
        };
        let object = ApplicationId::parse(&emergency.id)?;
        let recipients = recipients(provider, department, AccountId::parse(&emergency.account)?);
        let notice = |recipient| Notice { recipient, kind, object: object.clone(), about: about.clone() };
        Some(recipients.into_iter().map(notice).collect())
    };
    read().unwrap_or_default()
}
